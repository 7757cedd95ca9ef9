"""Brock, Lakonishok and LeBaron (1992) through `bellwether evaluate rule`, and what came after.

Published beside own; docs/evaluate.md shows the same tables.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from bellwether.cli.main import app

# rule: buys, sells, mean of buys, mean of sells, difference, its t
TABLE_II = {
    "sma:1,50,0": (14240, 10531, 0.00047, -0.00027, 0.00075, 5.40),
    "sma:1,50,0.01": (11671, 8114, 0.00062, -0.00032, 0.00094, 6.04),
    "sma:1,150,0": (14866, 9806, 0.00040, -0.00022, 0.00062, 4.63),
    "sma:1,150,0.01": (13556, 8534, 0.00042, -0.00027, 0.00070, 4.68),
    "sma:5,150,0": (14858, 9814, 0.00037, -0.00017, 0.00053, 4.06),
    "sma:5,150,0.01": (13491, 8523, 0.00040, -0.00021, 0.00062, 4.23),
    "sma:1,200,0": (15182, 9440, 0.00039, -0.00024, 0.00062, 4.40),
    "sma:1,200,0.01": (14105, 8450, 0.00040, -0.00030, 0.00070, 4.73),
    "sma:2,200,0": (15194, 9428, 0.00038, -0.00023, 0.00060, 4.27),
    "sma:2,200,0.01": (14090, 8442, 0.00038, -0.00024, 0.00062, 4.17),
}
# Tables III and IV, ten days each: signals to buy and to sell
FIXED = {
    "sma:1,50,0": (340, 344),
    "sma:1,50,0.01": (313, 316),
    "sma:1,150,0": (157, 188),
    "sma:1,150,0.01": (170, 161),
    "sma:5,150,0": (133, 140),
    "sma:5,150,0.01": (127, 125),
    "sma:1,200,0": (114, 156),
    "sma:1,200,0.01": (130, 127),
    "sma:2,200,0": (109, 140),
    "sma:2,200,0.01": (117, 116),
    "channel:50,0": (722, 415),
    "channel:50,0.01": (248, 252),
    "channel:150,0": (512, 214),
    "channel:150,0.01": (159, 142),
    "channel:200,0": (466, 182),
    "channel:200,0.01": (146, 124),
}
# 1987-2019, averages from before: t of the difference
SEQUEL = {"sma:1,50": -1.15, "sma:1,150": -1.56, "sma:1,200": -0.68, "sma:2,200,0.01": -1.37}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def djia(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    read = pl.read_csv(shared_data / "djia_1885_2019.csv")
    path = tmp_path_factory.mktemp("djia") / "djia.parquet"
    read.rename({read.columns[0]: "date"}).select("date", "Close").write_parquet(path)
    return path


def run(path: Path, rule: str, *options: str) -> dict[str, Any]:
    given = ["--frame", str(path), "--date", "date", "--price", "Close", "--rule", rule]
    done = CliRunner().invoke(app, ["evaluate", "rule", *given, *options, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


BOOK = ("--from", "1897", "--to", "1986")


@pytest.mark.parametrize("rule", TABLE_II)
def test_table_ii(rule: str, djia: Path) -> None:
    buys, sells, buy, sell, diff, t = TABLE_II[rule]
    own = run(djia, rule, *BOOK)

    assert (own["n_buy"], own["n_sell"]) == pytest.approx((buys, sells), rel=0.015)
    assert (own["mean_buy"], own["mean_sell"]) == pytest.approx((buy, sell), abs=4e-5)
    assert own["diff"] == pytest.approx(diff, abs=6e-5)
    assert own["t_diff"] == pytest.approx(t, abs=0.45)
    assert own["positive_buy"] > 0.53
    assert own["positive_sell"] < 0.50
    assert own["sd_buy"] < own["sd_sell"]


def test_all_days_are_those_of_the_book(djia: Path) -> None:
    base = run(djia, "sma:1,50", *BOOK)["base"]
    assert base["n"] == pytest.approx(25036, abs=3)
    assert base["mean"] == pytest.approx(0.00017, abs=1e-5)
    assert (base["sd"], base["rho"][0]) == pytest.approx((0.0107, 0.045), abs=2e-3)
    assert (base["skew"], base["kurtosis"]) == pytest.approx((-0.12, 15.7), abs=0.05)


@pytest.mark.parametrize("rule", FIXED)
def test_ten_day_signals_of_tables_iii_and_iv(rule: str, djia: Path) -> None:
    own = run(djia, rule, *BOOK, "--hold", "10")
    assert (own["n_buy"], own["n_sell"]) == pytest.approx(FIXED[rule], rel=0.025)
    assert own["diff"] > 0.005
    assert own["t_diff"] > 1.7


@pytest.mark.parametrize("rule", SEQUEL)
def test_what_came_after_has_the_other_sign(rule: str, djia: Path) -> None:
    own = run(djia, rule, "--from", "1987", "--to", "2019", "--warm-up", "before")
    assert own["t_diff"] == pytest.approx(SEQUEL[rule], abs=0.005)
    assert own["strategy"]["net_mean"] < own["strategy"]["hold_mean"]


def test_one_day_late_and_costs_take_most_of_it(djia: Path) -> None:
    late = run(djia, "sma:1,50", *BOOK, "--delay", "1")
    assert late["t_diff"] == pytest.approx(3.41, abs=0.01)
    paid = run(djia, "sma:1,50", *BOOK, "--cost-bps", "25")["strategy"]
    assert paid["break_even_bps"] == pytest.approx(35.0, abs=0.05)
    assert paid["net_mean"] < paid["hold_mean"] < paid["mean"]


def test_a_random_walk_seldom_looks_as_good(djia: Path) -> None:
    options = ("--bootstrap", "random-walk", "--reps", "60", "--seed", "3")
    found = run(djia, "sma:1,50", *BOOK, *options)["bootstrap"]
    assert (found["buy"], found["sell"], found["diff"]) == pytest.approx((1 / 61,) * 3)
    after = run(djia, "sma:1,50", "--from", "1987", *options)["bootstrap"]
    assert after["diff"] > 0.5
