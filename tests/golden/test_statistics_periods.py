"""Returns by period, crisis and regime against empyrical, the Dow and slow twins."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bellwether.evaluation.crises import CRISES, crises
from bellwether.evaluation.periods_of_returns import by_month, by_year, rolling_sharpe
from bellwether.evaluation.regimes import (
    DIRECTION,
    VOLATILITY,
    by_regime,
    market_direction,
    volatility_terciles,
)

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
R = np.array([0.01, -0.02, 0.015, -0.03, 0.01, 0.02, 0.025, -0.005])
RNG = np.random.default_rng(11)
LONG = RNG.standard_t(4, 1257) * 0.01 + 0.0004
OTHER = 0.6 * LONG + RNG.normal(0.0002, 0.008, 1257)


@pytest.fixture(scope="module")
def empyrical() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("empyrical")


def test_periods_as_in_empyrical(empyrical: Any) -> None:
    import pandas as pd

    days = pd.bdate_range("2011-11-15", periods=1257)
    series = pd.Series(LONG, index=days)
    months = empyrical.aggregate_returns(series, "monthly")
    table = by_month(days.to_numpy(), LONG)
    told = [m for row in table for m in row.months if m is not None]
    assert told == pytest.approx(months.to_numpy())
    assert table[0].months[:10] == (None,) * 10
    years = empyrical.aggregate_returns(series, "yearly").to_numpy()
    assert [row.whole for row in table] == pytest.approx(years)
    each = by_year(days.to_numpy(), LONG)
    assert [row.roi for row in each] == pytest.approx(years)
    inside = LONG[days.year == 2013]
    of_2013 = next(row for row in each if row.year == 2013)
    assert (of_2013.sharpe, of_2013.max_drawdown, of_2013.volatility) == (
        pytest.approx(empyrical.sharpe_ratio(inside)),
        pytest.approx(empyrical.max_drawdown(inside)),
        pytest.approx(empyrical.annual_volatility(inside)),
    )
    rolled = empyrical.roll_sharpe_ratio(series, 126).to_numpy()
    assert rolling_sharpe(LONG, 126)[125:] == pytest.approx(rolled)


def test_crises_of_the_dow(shared_data: Path) -> None:
    """Each window was a fall of the Dow of about the size that the chronicles tell."""
    frame = pl.read_csv(shared_data / "djia_1885_2019.csv", try_parse_dates=True)
    day, close = frame.columns[0], frame.columns[-1]
    frame = frame.sort(day).filter(pl.col(day) >= pl.date(1985, 1, 1))
    r = frame[close].to_numpy()[1:] / frame[close].to_numpy()[:-1] - 1
    found = {c.crisis.name: c for c in crises(frame[day].to_numpy()[1:], r)}
    assert list(found) == [c.name for c in CRISES[:11]]
    assert all(c.whole for c in found.values())
    assert found["1987 crash"].strategy.max_drawdown == pytest.approx(-0.361, abs=0.005)
    assert found["2001-09"].n == 5
    assert found["2001-09"].strategy.roi == pytest.approx(-0.143, abs=0.002)  # 9605.51 to 8235.81
    assert found["2007-09 crisis"].strategy.roi == pytest.approx(-0.538, abs=0.002)
    assert found["2018 Q4"].strategy.roi == pytest.approx(-0.18, abs=0.01)
    assert all(c.strategy.roi < 0 for c in found.values())


def test_regimes_by_a_slow_twin() -> None:
    market = LONG[:400]
    labels = volatility_terciles(market, window=10, history=30)
    for t in range(40, 400):
        past = [market[s - 10 : s].std(ddof=1) for s in range(10, t)]
        now = market[t - 10 : t].std(ddof=1)
        low, high = np.quantile(past, [1 / 3, 2 / 3])
        assert labels[t] == int(now > low) + int(now > high)
    assert (labels[:40] == -1).all()
    rising = market_direction(market, window=20)
    for t in range(20, 400):
        assert rising[t] == (np.prod(1 + market[t - 20 : t]) > 1)


def test_regimes_as_in_empyrical(empyrical: Any) -> None:
    labels = volatility_terciles(OTHER)
    for i, row in enumerate(by_regime(LONG, labels, VOLATILITY, benchmark=OTHER)):
        mine = LONG[labels == i]
        assert row.sharpe == pytest.approx(empyrical.sharpe_ratio(mine))
        assert row.roi == pytest.approx(empyrical.cum_returns_final(mine))
        assert row.volatility == pytest.approx(empyrical.annual_volatility(mine))
        assert row.benchmark_mean == pytest.approx(OTHER[labels == i].mean() * 252)
    rows = by_regime(LONG, market_direction(OTHER), DIRECTION)
    assert sum(row.n for row in rows) == 1257 - 252
    assert sum(row.share for row in rows) == pytest.approx(1)
