"""`bellwether evaluate strategy` with files that people write, honest and not."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bellwether.backtest.engine import backtest
from bellwether.backtest.rules import Rules
from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.pipelines import evaluate_strategy
from bellwether.settings import load

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "strategy.py"
HONEST = "import numpy as np\ndef targets(m):\n    return np.full(m.shape, 0.1)\n"
RANGE = ("--symbols", "IBM,MSFT", "--from", "2004-01-01", "--to", "2006-12-31")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["ingest", "sample"])
    assert done.exit_code == 0
    return tmp_path


def said(path: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", "strategy", str(path), *options])


def written(folder: Path, code: str) -> Path:
    path = folder / "mine.py"
    path.write_text(code)
    return path


def test_the_example_is_traded_and_drawn(home: Path) -> None:
    sheet = home / "sheet.html"
    done = said(EXAMPLE, "--report", str(sheet), "--json")
    told = json.loads(done.stdout)

    assert done.exit_code == 0
    assert list(told["strategies"]) == ["strategy", "equal_weight"]
    assert told["strategies"]["strategy"]["metrics"]["sharpe"] is not None
    assert told["switched_off"] == ["borrow_availability", "cash_interest"]
    assert "<html" in sheet.read_text()
    assert "No target before any of the cuts moved" in told["reading"][0]


def test_what_it_earned_is_what_the_account_says(home: Path) -> None:
    wired = bootstrap(load({})[0])
    config = BacktestConfig(symbols=("IBM", "MSFT"))
    found = evaluate_strategy.run(written(home, HONEST), config, wired.ports).found
    market = evaluate_strategy.market_for(("IBM", "MSFT"), config, wired.ports).market
    account = backtest(market, np.full(market.shape, 0.1), Rules())
    wired.close()

    wealth = found["curves"]["strategies"]["mine"]["wealth"]
    assert wealth == (account.equity / account.start_usd).tolist()


@pytest.mark.parametrize(
    "body",
    [
        "np.sign(np.roll(m.close, -1, axis=0) - m.close) / m.shape[1]",
        "np.sign(m.close - m.close.mean(axis=0)) / m.shape[1]",
        "np.sign(np.vstack([m.open[1:], m.open[-1:]]) - m.close) / m.shape[1]",
    ],
)
def test_one_that_knows_the_future_is_refused_and_not_counted(home: Path, body: str) -> None:
    code = f"import numpy as np\ndef targets(m):\n    return {body}\n"
    done = said(written(home, code), *RANGE)
    listed = CliRunner().invoke(app, ["trials", "list", "--json"])

    assert done.exit_code == 3
    assert "looks ahead" in done.stderr
    assert "in session 200" in done.stderr  # its date
    assert json.loads(listed.stdout)["trials"] == 0


def test_every_file_that_was_tried_is_counted_once(home: Path) -> None:
    first, other = written(home, HONEST), home / "other.py"
    other.write_text(HONEST.replace("0.1", "0.2"))
    counts = [
        json.loads(said(path, *RANGE, "--json").stdout)["trials"]["configurations"]
        for path in (first, first, other)
    ]
    assert counts == [1, 1, 2]


def test_lag_0_is_stamped(home: Path) -> None:
    told = json.loads(said(written(home, HONEST), *RANGE, "--lag", "0", "--json").stdout)
    assert told["warnings"][0].startswith("LAG 0")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "defines no function targets(market)"),
        ("targets = 3", "defines no function targets(market)"),
        ("def targets(): return 1", "takes 0 arguments"),
        ("def targets(m): return m.close[:, :1]", "gave shape"),
        ("def targets(m): return 'all'", "could not convert string"),
        ("def targets(m): return None", "gave shape"),
        ("def targets(m): return 1 / 0", "ZeroDivisionError"),
        ("def targets(m", "cannot be read"),
        ("raise SystemExit(3)", "raises when it is run"),
        ("import numpy as np\ndef targets(m): return np.full(m.shape, np.inf)", "infinite"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(home: Path, code: str, why: str) -> None:
    done = said(written(home, code), *RANGE)

    assert done.exit_code in (1, 2)
    assert why in done.stderr
    assert "site-packages" not in done.stderr


@pytest.mark.parametrize(
    ("options", "why", "code"),
    [
        (("--symbols", "NOPE"), "NOPE", 2),
        (("--symbols", ","), "names nothing", 2),
        (("--without", "gravity"), "gravity", 2),
        (("--from", "2012-12-01", "--to", "2012-12-31"), "at least 60", 1),
        (("--from", "2030-01-01"), "at least 60", 1),
        (("--from", "2006-01-01", "--to", "2005-01-01"), "lies before", 2),
        (("--capital", "nan"), "capital_usd", 2),
        (("--capital", "-5"), "capital_usd", 2),
    ],
)
def test_what_is_asked_wrongly_is_said(
    home: Path, options: tuple[str, ...], why: str, code: int
) -> None:
    done = said(written(home, HONEST), *options)

    assert (done.exit_code, why in done.stderr) == (code, True), done.stderr


def test_a_file_that_is_not_there(home: Path) -> None:
    done = said(home / "gone.py")

    assert done.exit_code == 1
    assert "gone.py cannot be read" in done.stderr
