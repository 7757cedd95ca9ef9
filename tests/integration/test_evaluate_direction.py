"""`evaluate direction`: what texts tell is found, what comes too late is not, and use is checked."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bellwether.cli.main import app
from bellwether.core.calendar import session_calendar

CALENDAR = session_calendar()
DAYS = CALENDAR.between(date(2014, 1, 2), date(2015, 6, 30))
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
SAID = {1: "Record profit and strong growth", -1: "Fraud and losses and a lawsuit"}
SPLIT = ("--train-from", "2014-02-03", "--test-from", "2015-01-02", "--test-to", "2015-06-30")


def market(place: Path, hours: int) -> tuple[Path, Path]:
    """Write prices whose next day a text foretells, `hours` after the close before that day."""
    rng = np.random.default_rng(0)
    bars, texts = ["symbol,date,open,high,low,close,volume"], ["symbol,time,text"]
    for symbol in SYMBOLS:
        close, tone = 100.0, 0
        for day in DAYS:
            before, close = close, close * np.exp(rng.normal(0.006 * tone, 0.01))
            high, low = max(before, close) * 1.001, min(before, close) * 0.999
            bars.append(f"{symbol},{day},{before:.4f},{high:.4f},{low:.4f},{close:.4f},100000")
            tone = int(rng.choice([-1, 0, 1]))
            if tone:
                at = CALENDAR.close_of(day) + timedelta(hours=hours)
                texts.append(f"{symbol},{at.isoformat()},{SAID[tone]} {day}")
    files = place / "bars.csv", place / "texts.csv"
    for file, rows in zip(files, (bars, texts), strict=True):
        file.write_text("\n".join(rows) + "\n")
    return files


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return what runs a command over a lake whose texts come an hour before, or after, the close."""
    homes = {hours: tmp_path_factory.mktemp(f"h{hours + 1}") for hours in (-1, 1)}

    def run(hours: int, *words: str) -> Any:
        return CliRunner(env={"BELLWETHER_HOME": str(homes[hours])}).invoke(app, words)

    for hours, home in homes.items():
        bars, texts = market(home, hours)
        for source, file in (("files", bars), ("texts", texts)):
            done = run(hours, "ingest", source, "--path", str(file))
            assert done.exit_code == 0, done.output
    return run


def test_texts_that_foretell_are_found_and_those_too_late_are_not(
    asked: Callable[..., Any],
) -> None:
    ask = ("evaluate", "direction", *SPLIT, "--view", "returns+text", "--model", "linear", "--json")

    early, late = (json.loads(asked(hours, *ask).stdout) for hours in (-1, 1))

    gain = early["gains"]["linear"]
    assert early["callers"]["linear, with texts"]["accuracy"] > 0.58
    assert early["callers"]["linear, without texts"]["accuracy"] < 0.55
    assert gain["accuracy_interval"][0] > 0
    assert gain["mcc_interval"][0] > 0
    assert late["gains"]["linear"]["accuracy_interval"][0] < 0.02
    assert late["callers"]["linear, with texts"]["accuracy"] < 0.55
    always = early["callers"]["always up"]
    assert (always["n"], always["mcc"]) == (len(SYMBOLS) * always["dates"], None)
    assert always["accuracy"] == early["share_up"]
    assert always["dates"] == len(CALENDAR.between(date(2015, 1, 2), date(2015, 6, 30)))
    assert 0.5 < early["written_about"]["always up"]["n"] / always["n"] < 0.8


def test_a_dead_band_leaves_days_out_and_every_fit_is_counted(asked: Callable[..., Any]) -> None:
    ask = ("evaluate", "direction", *SPLIT, "--view", "text", "--model", "linear", "--json")

    wide = json.loads(asked(-1, *ask, "--dead-band=-0.5,0.55").stdout)
    told = asked(-1, *ask[:-1], "--dead-band=-0.5,0.55")
    trials = json.loads(asked(-1, "trials", "list", "--json").stdout)

    assert 0.4 < wide["callers"]["always up"]["n"] / (len(SYMBOLS) * 123) < 0.8
    assert set(wide["callers"]) == {"always up", "contrarian, 5 sessions", "linear"}
    assert wide["gains"] == {}
    assert "95 % by date" in told.stdout
    assert "close_to_close h=1 beyond -0.005 to 0.0055" in json.dumps(trials)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*SPLIT[:4], "--test-to", "2014-12-31"), 2, "order of time"),
        ((*SPLIT, "--train-to", "2015-02-02"), 2, "--train-to"),
        ((*SPLIT, "--dead-band", "one,two"), 2, "-0.5,0.55"),
        ((*SPLIT, "--dead-band=nan,0"), 2, "no range of returns"),
        ((*SPLIT, "--dead-band=1,-1"), 2, "no range of returns"),
        ((*SPLIT, "--model", "nosuch"), 2, "no model 'nosuch'"),
        ((*SPLIT, "--model", ","), 2, "names nothing"),
        ((*SPLIT, "--view", "nosuch"), 2, "no view 'nosuch'"),
        ((*SPLIT, "--symbols", "ZZZ"), 2, "no symbol 'ZZZ'"),
        (("--train-from", "2001-01-02", "--test-from", "2002-01-02", "--test-to", "2002-02-02"), 1, "Days of"),
    ],
)  # fmt: skip
def test_wrong_use_is_told(
    asked: Callable[..., Any], words: tuple[str, ...], code: int, said: str
) -> None:
    done = asked(-1, "evaluate", "direction", "--view", "text", *words)

    assert done.exit_code in {code, 2}, done.output
    assert said in done.output


def test_an_empty_lake_is_told(tmp_path: Path) -> None:
    done = CliRunner(env={"BELLWETHER_HOME": str(tmp_path)}).invoke(
        app, ["evaluate", "direction", *SPLIT]
    )

    assert done.exit_code == 1 or "ingest files" in done.output, done.output
    assert "bellwether ingest files" in done.output
