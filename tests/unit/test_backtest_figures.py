"""The parts of a backtest's report that a short run does not reach: many names, crises, ruin."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from bellwether.backtest.engine import backtest
from bellwether.backtest.market import Market
from bellwether.backtest.result import Backtest
from bellwether.pipelines.backtest_strategy import beside, sureness
from bellwether.pipelines.backtest_tables import crises, ic_by_horizon, quantiles, years
from bellwether.pipelines.backtest_tests import significance
from bellwether.pipelines.trades import HELD

NAMES, DATES = 30, 120
BASELINES = ("always_up", "historical_mean", "last_value")


@pytest.fixture(scope="module")
def record() -> pl.DataFrame:
    """Thirty names, of which the wild ones are called right and the calm ones by chance."""
    rng = np.random.default_rng(3)
    start = datetime(2020, 1, 1, 21, tzinfo=UTC)
    when = [start + timedelta(days=3 * i) for i in range(DATES) for _ in range(NAMES)]
    wild = np.tile(np.arange(NAMES) / NAMES, DATES)
    y = rng.normal(size=NAMES * DATES) * 0.01 * (1 + wild)
    known = rng.random(y.size) < 0.5 + 0.3 * wild
    forecast = (
        np.where(known, np.sign(y), rng.choice([-1, 1], y.size))
        * 0.004
        * rng.uniform(0.5, 1.5, y.size)
    )
    said = {"linear": forecast, "always_up": 1e-4, "historical_mean": 1e-4, "last_value": 0.0}
    calls = {"linear": np.sign(forecast), "always_up": 1, "historical_mean": 1, "last_value": 0}
    columns = {f"forecast_{k}": np.broadcast_to(v, y.shape) for k, v in said.items()}
    columns |= {f"direction_{k}": np.broadcast_to(v, y.shape) for k, v in calls.items()}
    return pl.DataFrame(
        {
            "symbol": np.tile([f"S{i:02}" for i in range(NAMES)], DATES),
            "decision_at": when,
            "session": [at.date() for at in when],
            "log_return": y,
            "scale": wild + 0.1,
            **columns,
        }
    ).with_columns(pl.col("^direction_.*$").cast(pl.Int8))


def account(moves: np.ndarray, first: str, target: float = 1.0) -> Backtest:
    days = np.datetime64(first, "D") + np.arange(moves.size)
    close = 100 * np.cumprod(1 + moves)
    opens = np.concatenate([[100.0], close[:-1]])
    market = Market(days, ("A",), opens, close)
    return backtest(market, np.full((moves.size, 1), target))


def test_skill_that_was_planted_is_found(record: pl.DataFrame) -> None:
    told = significance(record, "linear", BASELINES, 1, seed=0)
    by_test = {(row["test"], row["null"]): row for row in told["family"]}
    assert by_test["Clark-West", "nothing beyond last_value"]["p_holm"] < 0.001
    assert by_test["Diebold-Mariano", "squared errors as historical_mean's"]["statistic"] > 2
    assert told["superiority"]["best"] == "linear"
    assert told["superiority"]["t"][1] is None or told["superiority"]["stepwise"][0] < 0.01
    wild = told["volatility"]
    assert wild["groups"] == (1, 2, 3, 4, 5)
    assert wild["p"] < 0.001
    assert wild["means"][4] - wild["means"][0] > wild["null_gap"]
    fifths, spread = quantiles(record, "linear", 1)
    assert [row["fifth"] for row in fifths] == [1, 2, 3, 4, 5]
    assert spread is not None
    assert spread["low"] > 0


def test_what_cannot_be_tested_says_so(record: pl.DataFrame) -> None:
    few = record.filter(pl.col("session") < record["session"][NAMES * 6]).drop("scale")
    told = significance(few, "linear", BASELINES, 1, seed=0)
    assert told["superiority"] is None
    assert told["volatility"] is None
    assert "fewer than two years" in told["years"]["why"]
    alone = significance(few, "last_value", ("last_value",), 1, seed=0)
    assert alone["against"] == []
    assert alone["direction"]["p"] is None
    later = significance(record.filter(pl.col("symbol") == "S01"), "linear", BASELINES, 5, seed=0)
    assert "labels overlap over 5 sessions" in later["direction"]["warning"]


def test_a_name_that_is_gone_is_not_judged_over_what_it_did_not_live(record: pl.DataFrame) -> None:
    days = record["session"].unique().sort().to_list()
    rng = np.random.default_rng(0)
    series = {
        name: pl.DataFrame({"symbol": name, "session": days, "open": rng.random(DATES) + 1})
        for name in record["symbol"].unique()
    }
    series["S00"] = series["S00"].head(40)
    rows = ic_by_horizon(record, series, "linear")
    assert [row["horizon"] for row in rows] == [1, 2, 5, 10, 21, 63]
    assert [row["n"] for row in rows] == [DATES - 1 - h for h in (1, 2, 5, 10, 21, 63)]


def test_crises_and_ruin(record: pl.DataFrame) -> None:
    rng = np.random.default_rng(1)
    moves = rng.normal(0.0003, 0.01, 900)
    crash = moves.copy()
    crash[700] = 1.5
    held, mine = account(moves, "2018-01-01"), account(crash, "2018-01-01", target=-1.0)
    traded = {"linear": mine, HELD: held}
    assert mine.ruined_at == 700
    rows = {row["name"]: row for row in crises(traded, "linear")}
    assert rows["2018 Q4"]["whole"]
    assert set(rows) == {"2018 Q4"}
    inside = slice(263, 358)  # 2018-09-21 to 2018-12-24
    assert rows["2018 Q4"]["benchmark"]["roi"] == pytest.approx(np.prod(1 + held.net[inside]) - 1)
    by_year = years(record, traded, "linear")
    assert [row["year"] for row in by_year] == [2018, 2019, 2020]
    assert by_year[1]["roi"]["linear"] == -1
    assert by_year[2]["sharpe"] is None
    found = sureness(mine, beside(held, 0))
    assert found["drawdowns"]["worst"][0]["depth"] == -1
    assert found["drawdowns"]["worst"][0]["recovery"] is None
    assert found["relative"]["n"] == found["risk"]["n"] == 701
    assert sureness(held, beside(mine, 0))["regimes"] == {}
