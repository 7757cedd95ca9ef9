"""What is undefined is None, and what is no series is refused with its name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.adjusted import adjusted_p
from bellwether.evaluation.calibration_interval import calibration_error
from bellwether.evaluation.crises import CRISES, Crisis, crises
from bellwether.evaluation.direction import agreement, pesaran_timmermann
from bellwether.evaluation.drawdowns import drawdowns, under_water
from bellwether.evaluation.groups import group_means, group_test, null_gap
from bellwether.evaluation.periods_of_returns import by_month, by_year, rolling_sharpe
from bellwether.evaluation.price_errors import mase, r2_zero, smape
from bellwether.evaluation.probabilities import (
    brier_decomposition,
    calibration_table,
    expected_calibration_error,
)
from bellwether.evaluation.quantile_spread import quantile_spread
from bellwether.evaluation.rank_ic import ic_by_date, ic_by_horizon, mean_over_dates
from bellwether.evaluation.regimes import by_regime, market_direction, volatility_terciles
from bellwether.evaluation.relative import relative
from bellwether.evaluation.risk import risk
from bellwether.evaluation.sharpe import (
    eta,
    hac_error,
    min_track_record,
    sharpe_ratio,
    sharpe_record,
)
from bellwether.evaluation.sharpe_difference import memmel, sharpe_difference
from bellwether.evaluation.shifting import shift_test
from bellwether.evaluation.stretches import stretch_test

GOOD = np.array([0.01, -0.02, 0.015, 0.03])
DAYS = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")
OF_RETURNS: dict[str, Callable[[Any], object]] = {
    "sharpe_record": sharpe_record,
    "sharpe_ratio": sharpe_ratio,
    "hac_error": hac_error,
    "eta": lambda r: eta(r, 5),
    "memmel": lambda r: memmel(r, r),
    "memmel, second": lambda r: memmel(GOOD, r),
    "sharpe_difference": lambda r: sharpe_difference(r, r, seed=0),
    "drawdowns": drawdowns,
    "under_water": under_water,
    "risk": risk,
    "relative": lambda r: relative(r, GOOD),
    "relative, benchmark": lambda r: relative(GOOD, r),
    "risk-free": lambda r: sharpe_record(GOOD, risk_free=r),
    "by_month": lambda r: by_month(DAYS, r),
    "by_year": lambda r: by_year(DAYS, r),
    "rolling_sharpe": lambda r: rolling_sharpe(r, 2),
    "crises": lambda r: crises(DAYS, r),
    "crises, benchmark": lambda r: crises(DAYS, GOOD, r),
    "volatility_terciles": volatility_terciles,
    "market_direction": market_direction,
    "by_regime": lambda r: by_regime(r, [0, 0, 0, 0], ["all"]),
    "r2_zero": lambda r: r2_zero(r, GOOD),
    "smape": lambda r: smape(np.abs(GOOD), r),
    "mase": lambda r: mase(np.abs(GOOD), np.abs(GOOD), r),
    "pesaran_timmermann": lambda r: pesaran_timmermann(GOOD, r),
    "ic_by_date": lambda r: ic_by_date(DAYS, r, GOOD),
    "mean_over_dates": mean_over_dates,
    "quantile_spread": lambda r: quantile_spread(DAYS, GOOD, r),
    "brier_decomposition": lambda r: brier_decomposition([0, 1, 0, 1], r),
    "ece": lambda r: expected_calibration_error([0, 1, 0, 1], r),
    "calibration_table": lambda r: calibration_table([0, 1, 0, 1], r, DAYS),
    "calibration_error": lambda r: calibration_error([0, 1, 0, 1], r, DAYS, seed=0),
    "group_means": lambda r: group_means(DAYS, [0, 1, 0, 1], r),
    "stretch_test": lambda r: stretch_test(DAYS, [0, 0, 1, 1], r, seed=0),
}


WRONG: list[Callable[[], object]] = [
    lambda: sharpe_record(GOOD, periods_per_year=0),
    lambda: sharpe_record(GOOD, lags=4),
    lambda: sharpe_record(GOOD, target=np.nan),
    lambda: sharpe_record(GOOD, risk_free=[0.1, 0.2]),
    lambda: hac_error(GOOD, -1),
    lambda: eta(GOOD, 0),
    lambda: min_track_record(0.1, 0, 3, confidence=0.4),
    lambda: sharpe_difference(GOOD, GOOD, seed=-1),
    lambda: sharpe_difference(GOOD, GOOD, seed=0, block=2),
    lambda: sharpe_difference(GOOD, GOOD, seed=0, reps=0),
    lambda: drawdowns(GOOD, worst=-1),
    lambda: risk(GOOD, level=0),
    lambda: relative(GOOD, GOOD, lags=9),
    lambda: rolling_sharpe(GOOD, 1),
    lambda: volatility_terciles(GOOD, window=1),
    lambda: market_direction([-1.0, 0.1]),
    lambda: market_direction(GOOD, window=0),
    lambda: by_regime(GOOD, [0, 1, 2, 0], ["a", "b"]),
    lambda: by_regime(GOOD, [0, 1, 0.5, 0], ["a", "b"]),
    lambda: by_regime(GOOD, [0], ["a"]),
    lambda: crises(DAYS, GOOD, windows=[Crisis("x", "2024-01-02", "2024-01-02", "")]),
    lambda: smape([1.0, -1.0], [1.0, 1.0]),
    lambda: mase([1.0], [1.0], [1.0]),
    lambda: pesaran_timmermann(GOOD, GOOD, horizon=0),
    lambda: shift_test(np.zeros(50), np.zeros(50), agreement, seed=0, least_shift=30),
    lambda: shift_test(np.zeros(99), np.full(99, np.nan), agreement, seed=0),
    lambda: shift_test(np.zeros(99), np.zeros(99), lambda _a, _b: np.nan, seed=0),
    lambda: shift_test(np.zeros(99), np.zeros(99), agreement, seed=0, shifts=0),
    lambda: ic_by_date(DAYS, GOOD, GOOD, "kendall"),  # type: ignore[arg-type]
    lambda: ic_by_date([1.0, np.nan, 2.0, 3.0], GOOD, GOOD),
    lambda: ic_by_date(DAYS, GOOD, GOOD, min_names=1),
    lambda: mean_over_dates(GOOD, lags=4),
    lambda: ic_by_horizon(DAYS, GOOD, GOOD[:, None], [0]),
    lambda: ic_by_horizon(DAYS, GOOD, GOOD[:, None], [1, 5]),
    lambda: ic_by_horizon(DAYS, GOOD, np.array([[np.nan], [1], [1], [1]]), [1]),
    lambda: quantile_spread(DAYS, GOOD, GOOD, parts=1),
    lambda: quantile_spread(DAYS, GOOD, GOOD, lags=-1),
    lambda: brier_decomposition([0, 2], [0.1, 0.2]),
    lambda: brier_decomposition([0, 1], [0.1, 1.2]),
    lambda: brier_decomposition([0, 1], [0.1, 0.2], bins=0),
    lambda: expected_calibration_error([0, 1], [0.1, 0.2], strategy="odd"),  # type: ignore[arg-type]
    lambda: calibration_table([0, 1], [0.1, 0.2], [np.datetime64("NaT")] * 2),
    lambda: calibration_error([0, 1], [0.1, 0.2], [1, 2], seed=0, block=0),
    lambda: group_means([1, 2], [None, "a"], [1.0, 2.0]),
    lambda: group_means([1, 2], [1.0, np.nan], [1.0, 2.0]),
    lambda: group_means([1, 2], [1, 2], [1.0, 2.0], min_names=0),
    lambda: group_test(group_means([1, 2], [1, 2], [1.0, 2.0]), seed=0, min_dates=2),
    lambda: stretch_test([1, 1], [1, 2], [1.0, 2.0], seed=0),
    lambda: stretch_test([1, 2], [1, 2], [1.0, 2.0], seed=0, min_dates=1),
    lambda: null_gap([[1.0, 2.0]], np.random.default_rng(0)),
]


@pytest.mark.parametrize("call", OF_RETURNS.values(), ids=OF_RETURNS.keys())
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e60], ids=str)
def test_a_value_that_is_no_number_is_refused(call: Callable[[Any], object], bad: float) -> None:
    values = np.abs(GOOD)
    values[2] = bad
    with pytest.raises(InvalidRequest):
        call(values)


@pytest.mark.parametrize(
    "name",
    [
        "memmel, second",
        "relative",
        "by_month",
        "by_year",
        "crises",
        "by_regime",
        "r2_zero",
        "smape",
        "pesaran_timmermann",
        "ic_by_date",
        "quantile_spread",
        "ece",
        "calibration_table",
        "group_means",
    ],
)
def test_another_length_is_refused(name: str) -> None:
    for values in (np.array([0.1, 0.2, 0.3]), np.zeros((4, 1))):
        with pytest.raises(InvalidRequest):
            OF_RETURNS[name](values)


@pytest.mark.parametrize("r", [[], [0.01], [0.001] * 10, [0.0] * 10], ids=["none", "one", "c", "0"])
def test_no_ratio_without_spread(r: list[float]) -> None:
    found = sharpe_record(r)
    assert (found.per_period, found.annual, found.low, found.probabilistic) == (None,) * 4
    assert found.n == len(r)
    assert sharpe_ratio(r) is hac_error(r) is eta(r, 3) is None
    assert memmel(r, r).z is None
    assert sharpe_difference(r, r, seed=0).p is None
    assert risk(r).skewness is None
    assert relative(r, r).beta is None
    assert np.isnan(rolling_sharpe(r, 2)).all()


def test_nothing_of_nothing() -> None:
    assert drawdowns([]).deepest is None
    assert risk([]).n == 0
    assert by_month([], []) == by_year([], []) == crises([], []) == []
    assert ic_by_date([], [], []).values.size == 0
    assert mean_over_dates([]).mean is None
    assert quantile_spread([], [], []).spread.mean is None
    assert expected_calibration_error([], []) is None
    assert brier_decomposition([], []).brier is None
    assert calibration_table([], [], []) == []
    assert calibration_error([], [], [], seed=0).ece is None
    assert r2_zero([], []) is smape([], []) is None
    assert pesaran_timmermann([], []).n == 0
    assert group_test(group_means(np.array([], int), np.array([], int), []), seed=0).p is None
    assert stretch_test(np.array([], int), np.array([], int), [], seed=0).p is None
    assert adjusted_p([], "holm").size == 0


def test_ruin_ends_a_series() -> None:
    found = drawdowns([0.1, -1.2, 5.0])
    assert (found.deepest, found.worst[0].recovery, found.calmar) == (-1, None, -1)
    assert under_water([0.1, -1.2, 5.0]).tolist() == [0, -1, -1]
    table = by_month(["2024-01-31", "2024-02-01", "2024-03-01"], [0.1, -1.2, 5.0])
    assert table[0].months[:3] == (pytest.approx(0.1), -1, None)
    assert table[0].whole == -1
    assert [y.roi for y in by_year(["2023-01-01", "2024-01-01"], [-1.0, 0.5])] == [-1]


def test_no_drawdown_is_zero_and_has_no_calmar() -> None:
    found = drawdowns([0.0, 0.01, 0.02])
    assert (found.deepest, found.longest, found.calmar, found.worst) == (0, 0, None, ())


def test_rounding_is_not_under_water() -> None:
    assert drawdowns([0.1, -0.1, 1 / 0.9 - 1]).worst[0].recovery == 3


def test_flat_at_the_high_is_not_under_water() -> None:
    only = drawdowns([0.1, 0.0, -0.1, 0.5]).worst[0]
    assert (only.peak, only.trough, only.recovery, only.length) == (2, 3, 4, 1)


def test_both_series_the_same() -> None:
    r = np.random.default_rng(0).normal(size=100)
    assert (memmel(r, 2 * r).difference, memmel(r, 2 * r).z) == (pytest.approx(0), None)
    assert (sharpe_difference(r, 2 * r, seed=0).p, relative(r, r).information_ratio) == (None, None)


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_an_option_out_of_range_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(InvalidRequest):
        wrong()


@pytest.mark.parametrize(
    "days",
    [
        ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-03"],
        ["2024-01-02", "2024-01-01", "2024-01-03", "2024-01-04"],
        ["2024-01-01", "NaT", "2024-01-03", "2024-01-04"],
        ["today", "tomorrow", "then", "later"],
        ["2024-01-01"],
    ],
    ids=["twice", "order", "missing", "words", "few"],
)
def test_days_that_are_no_calendar_are_refused(days: list[str]) -> None:
    for call in (by_month, by_year, crises):
        with pytest.raises(InvalidRequest, match="dates"):
            call(days, GOOD)


def test_windows_of_the_table_are_in_order_and_named_once() -> None:
    begins = [np.datetime64(c.after) for c in CRISES]
    assert begins == sorted(begins)
    assert len({c.name for c in CRISES}) == len(CRISES) == 13


def test_a_window_that_the_record_holds_in_part_says_so() -> None:
    days = np.arange("2020-03-01", "2020-06-01", dtype="datetime64[D]")
    (found,) = crises(days, np.zeros(days.size))
    assert (found.whole, found.n, found.benchmark) == (False, 23, None)
    assert (found.strategy.roi, found.strategy.volatility) == (0.0, None)
