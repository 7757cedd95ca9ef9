"""Intervals of overlapping labels, of constants, and of clusters that are not."""

import numpy as np
import pytest

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.forecast import forecast_metrics
from bellwether.evaluation.intervals import MeanInterval, clustered_mean
from bellwether.evaluation.trading import trading_metrics


def coverage(dates: int, horizon: int, repeats: int = 400) -> float:
    """Return how often the interval of a fair hit rate holds one half, labels overlapping."""
    rng = np.random.default_rng(dates + horizon)
    inside = 0
    for _ in range(repeats):
        daily = rng.normal(size=dates + horizon - 1)
        hit = np.convolve(daily, np.ones(horizon), "valid") > 0
        found = clustered_mean(hit, np.arange(dates), lags=horizon - 1)
        inside += found.low <= 0.5 <= found.high
    return inside / repeats


@pytest.mark.parametrize(
    ("dates", "horizon", "least"), [(250, 1, 0.92), (250, 5, 0.91), (1000, 20, 0.92), (60, 20, 0.8)]
)
def test_ninety_five_percent_nearly_is(dates: int, horizon: int, least: float) -> None:
    assert coverage(dates, horizon) >= least


@pytest.mark.parametrize("lags", [3, 6, 50])
def test_one_stretch_of_overlap_has_no_interval(lags: int) -> None:
    found = clustered_mean(np.arange(7.0), np.arange(7), lags=lags)
    assert found == MeanInterval(3.0, None, None, None, 7, 7)
    assert clustered_mean(np.arange(8.0), np.arange(8), lags=3).se is not None


@pytest.mark.parametrize("value", [0.1, 0.01, 1 / 3, -7.3])
@pytest.mark.parametrize("n", [3, 6, 7, 10, 199])
def test_a_constant_varies_by_nothing(value: float, n: int) -> None:
    found = clustered_mean(np.full(n, value), np.arange(n))
    assert (found.mean, found.low, found.high, found.se) == (value, value, value, 0.0)


@pytest.mark.parametrize("n", [3, 6, 7, 10, 199])
def test_a_constant_return_explains_nothing(n: int) -> None:
    found = forecast_metrics(
        dates=np.arange(n),
        log_return=np.full(n, 0.1),
        forecast=np.zeros(n),
        probability_up=None,
        direction=np.ones(n, dtype=np.int8),
        prevailing_mean=np.zeros(n),
    )
    assert found["r2"] is None


@pytest.mark.parametrize("missing", [np.array([0.0, np.nan]), np.array([0, "NaT"], "M8[us]")])
def test_a_row_of_no_date_is_refused(missing: np.ndarray) -> None:
    with pytest.raises(InvalidRequest, match="clusters"):
        clustered_mean([1.0, 2.0], missing)


def test_a_spread_beyond_all_bounds_has_no_ratio() -> None:
    found = trading_metrics([1e200, -0.5, 0.1], np.ones(3))
    assert (found["sharpe"], found["sharpe_ci"], found["sortino"]) == (None, None, None)
