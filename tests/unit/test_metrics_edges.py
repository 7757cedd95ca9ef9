"""Where a metric is undefined it is None, and what is not a number is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.conformal import (
    Calibration,
    bounds,
    fit_calibration,
    sequential_coverage,
)
from bellwether.evaluation.forecast import forecast_metrics, paired_accuracy
from bellwether.evaluation.intervals import MeanInterval, clustered_mean, wilson
from bellwether.evaluation.trading import trading_metrics

FORECAST_KEYS = {
    "rmse",
    "mae",
    "r2",
    "r2_oos",
    "mape",
    "directional_accuracy",
    "directional_accuracy_ci",
    "precision",
    "recall",
    "rows_needed",
    "matthews",
    "brier",
    "brier_skill",
    "log_loss",
    "auc",
    "information_coefficient",
    "n",
    "coverage_of_calls",
}
TRADING_KEYS = {
    "sharpe",
    "sharpe_ci",
    "sortino",
    "volatility",
    "max_drawdown",
    "roi",
    "cagr",
    "turnover",
    "n_periods",
    "hit_rate",
}


def record(n: int, **change: object) -> dict[str, object]:
    rng = np.random.default_rng(n)
    return {
        "dates": np.arange(n),
        "log_return": rng.normal(0, 0.02, n),
        "forecast": rng.normal(0, 0.01, n),
        "probability_up": rng.uniform(size=n),
        "direction": rng.choice(np.array([-1, 1], dtype=np.int8), n),
        "prevailing_mean": np.zeros(n),
        **change,
    }


def test_no_rows() -> None:
    for ic in ("cross_section", "time"):
        found = forecast_metrics(**record(0), ic=ic)
        assert set(found) == FORECAST_KEYS
        assert found == {**dict.fromkeys(FORECAST_KEYS), "n": 0}


def test_one_row() -> None:
    found = forecast_metrics(**record(1))
    assert found["n"] == 1
    assert found["rmse"] == pytest.approx(found["mae"])
    for name in ("r2", "r2_oos", "information_coefficient", "directional_accuracy_ci"):
        assert found[name] is None


def test_a_market_that_never_moved() -> None:
    found = forecast_metrics(**record(9, log_return=np.zeros(9)), ic="time")
    for name in ("r2", "r2_oos", "directional_accuracy", "precision", "recall"):
        assert found[name] is None
    assert found["information_coefficient"] is None
    assert found["coverage_of_calls"] == 1.0


def test_a_model_that_never_calls() -> None:
    found = forecast_metrics(**record(9, direction=np.zeros(9, dtype=np.int8)))
    assert found["coverage_of_calls"] == 0.0
    for name in ("directional_accuracy", "directional_accuracy_ci", "precision", "recall"):
        assert found[name] is None


def test_one_class() -> None:
    down = forecast_metrics(**record(9, log_return=np.full(9, -0.01), direction=-np.ones(9)))
    assert (down["directional_accuracy"], down["precision"], down["recall"]) == (1.0, None, None)
    wrong = forecast_metrics(**record(9, log_return=np.full(9, -0.01), direction=np.ones(9)))
    assert (wrong["directional_accuracy"], wrong["precision"], wrong["recall"]) == (0.0, 0.0, None)


def test_all_hits_do_not_prove_certainty() -> None:
    """Nine hits of nine leave room for a model that is right two times in three."""
    y = np.where(np.arange(9) % 2, 0.01, -0.01)
    found = forecast_metrics(**record(9, log_return=y, direction=np.sign(y)))
    low, high = found["directional_accuracy_ci"]
    assert (low, high) == pytest.approx(wilson(9, 9))
    assert low < 0.71
    overlapping = forecast_metrics(**record(9, log_return=y, direction=np.sign(y)), lags=2)
    assert overlapping["directional_accuracy_ci"] == pytest.approx(wilson(3, 3))


def test_names_of_one_date_are_one_observation() -> None:
    one_date = record(40, dates=np.zeros(40))
    assert forecast_metrics(**one_date)["directional_accuracy_ci"] is None
    alone = forecast_metrics(**record(40))["directional_accuracy_ci"]
    twice = {name: np.repeat(column, 25) for name, column in record(40).items()}
    copied = forecast_metrics(**twice)["directional_accuracy_ci"]
    assert copied == pytest.approx(alone)


def test_a_model_without_probabilities() -> None:
    assert forecast_metrics(**record(9, probability_up=None))["brier"] is None


def test_thin_dates_have_no_cross_section() -> None:
    assert forecast_metrics(**record(40))["information_coefficient"] is None
    assert forecast_metrics(**record(40), ic="time")["information_coefficient"] is not None
    four = record(40, dates=np.repeat(np.arange(10), 4))
    five = record(40, dates=np.repeat(np.arange(8), 5))
    assert forecast_metrics(**four)["information_coefficient"] is None
    assert forecast_metrics(**five)["information_coefficient"] is not None


def test_forecasts_beyond_all_bounds_do_not_become_infinite() -> None:
    found = forecast_metrics(**record(9, forecast=np.full(9, 1e200)))
    assert (found["rmse"], found["mape"], found["r2"]) == (None, None, None)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["log_return", "forecast", "prevailing_mean", "probability_up"])
def test_not_a_number_is_refused(name: str, bad: float) -> None:
    column = np.zeros(9)
    column[4] = bad
    with pytest.raises(InvalidRequest) as refused:
        forecast_metrics(**record(9, **{name: column}))
    assert refused.value.field == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("direction", np.full(9, 2)),
        ("direction", np.full(9, np.nan)),
        ("direction", np.ones(8)),
        ("dates", np.arange(8)),
        ("probability_up", np.full(9, 1.01)),
        ("probability_up", np.full(8, 0.5)),
        ("prevailing_mean", np.zeros((9, 1))),
        ("ic", "pooled"),
        ("lags", -1),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        forecast_metrics(**record(9, **{name: value}))
    assert refused.value.field == name


@given(st.integers(0, 30), st.integers(0, 4), st.sampled_from(["cross_section", "time"]), st.data())
def test_every_answer_is_json(n: int, lags: int, ic: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    values = np.array([0.0, 0.01, -0.01, 1e-300, 5.0])
    found = forecast_metrics(
        dates=rng.integers(0, 4, n),
        log_return=rng.choice(values, n),
        forecast=rng.choice(values, n),
        probability_up=rng.choice(np.array([0.0, 0.5, 1.0]), n),
        direction=rng.integers(-1, 2, n),
        prevailing_mean=rng.choice(values, n),
        lags=lags,
        ic=ic,
    )
    json.dumps(found, allow_nan=False)
    assert set(found) == FORECAST_KEYS
    traded = trading_metrics(rng.choice(values - 0.5, n), np.ones(n))
    json.dumps(traded, allow_nan=False)
    assert set(traded) == TRADING_KEYS


def test_mean_of_few() -> None:
    nothing, one = np.array([]), np.array([1.0, 2.0])
    assert clustered_mean(nothing, nothing) == MeanInterval(None, None, None, None, 0, 0)
    assert clustered_mean(one, np.zeros(2)) == MeanInterval(1.5, None, None, None, 2, 1)
    same = clustered_mean(np.ones(6), np.arange(6), lags=2)
    assert (same.low, same.high, same.se) == (1.0, 1.0, 0.0)


def test_mean_options_out_of_range() -> None:
    x, groups = np.ones(3), np.arange(3)
    for bad in ([1.0, np.nan, 1.0], [1.0, np.inf, 1.0]):
        with pytest.raises(InvalidRequest, match="x: "):
            clustered_mean(bad, groups)
    with pytest.raises(InvalidRequest, match="clusters"):
        clustered_mean(x, groups[:2])
    with pytest.raises(InvalidRequest, match="confidence"):
        clustered_mean(x, groups, confidence=1.0)
    with pytest.raises(InvalidRequest, match="lags"):
        clustered_mean(x, groups, lags=-1)


def test_share_of_few() -> None:
    assert wilson(0, 0) is None
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0
    for successes, n in ((-1, 5), (6, 5), (np.nan, 5), (1, np.inf)):
        with pytest.raises(InvalidRequest, match="successes"):
            wilson(successes, n)


def test_equal_models_differ_by_nothing() -> None:
    y, calls = np.array([0.1, -0.1, 0.2]), np.array([1, 1, 0])
    same = paired_accuracy(np.arange(3), y, calls, calls)
    assert (same.mean, same.low, same.high, same.n) == (0.0, 0.0, 0.0, 3)
    assert paired_accuracy(np.arange(3), np.zeros(3), calls, calls).mean is None
    with pytest.raises(InvalidRequest, match="direction_b"):
        paired_accuracy(np.arange(3), y, calls, calls[:2])


def test_silence_wins_nothing() -> None:
    """Against a coin that is right every other day, no call at all is no better and no worse."""
    y = np.tile([0.01, -0.01], 50)
    found = paired_accuracy(np.arange(100), y, np.zeros(100), np.ones(100))
    assert found.mean == 0.0


def test_trading_of_few() -> None:
    nothing = trading_metrics([], [])
    assert nothing == {**dict.fromkeys(TRADING_KEYS), "n_periods": 0}
    one = trading_metrics([0.01], [1.0])
    assert one["roi"] == pytest.approx(0.01)
    assert (one["sharpe"], one["sharpe_ci"], one["volatility"]) == (None, None, None)


@pytest.mark.parametrize("value", [0.0, 0.001, -0.001])
def test_a_constant_series_has_no_ratio(value: float) -> None:
    found = trading_metrics(np.full(300, value), np.zeros(300))
    assert (found["sharpe"], found["sharpe_ci"], found["sortino"]) == (None, None, None)
    assert found["volatility"] == pytest.approx(0.0, abs=1e-12)


def test_a_series_without_losses_has_no_sortino() -> None:
    found = trading_metrics([0.01, 0.02, 0.0], np.ones(3))
    assert found["sortino"] is None
    assert found["sharpe"] is not None
    assert (found["max_drawdown"], found["hit_rate"]) == (0.0, 1.0)


def test_ruin_ends_the_series() -> None:
    found = trading_metrics([0.10, -1.5, 9.0], [1.0, 1.0, 5.0])
    assert (found["roi"], found["cagr"], found["max_drawdown"]) == (-1.0, -1.0, -1.0)
    assert (found["n_periods"], found["turnover"]) == (2, 1.0)


def test_trading_refuses_what_is_not_a_number() -> None:
    for r, traded, field in (
        ([0.1, np.nan], [1.0, 1.0], "net_returns"),
        ([0.1, 0.1], [1.0, np.nan], "turnover"),
        ([0.1, 0.1], [1.0, -1.0], "turnover"),
        ([0.1, 0.1], [1.0], "turnover"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            trading_metrics(r, traded)
        assert refused.value.field == field
    with pytest.raises(InvalidRequest, match="periods_per_year"):
        trading_metrics([0.1], [1.0], periods_per_year=0)


def test_calibration_of_few() -> None:
    z = np.linspace(-1, 1, 99)
    assert fit_calibration(z, np.ones(99)) is None
    assert fit_calibration(np.append(z, 0.0), np.ones(100)) is not None
    assert fit_calibration(np.append(z, 0.0), np.ones(100), coverage=0.99) is None
    assert sequential_coverage(np.zeros(500), np.arange(500.0), np.ones(500)) == (None, 0)
    assert sequential_coverage([], [], []) == (None, 0)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_is_positive(scale: float) -> None:
    with pytest.raises(InvalidRequest, match="scale"):
        fit_calibration(np.ones(200), np.full(200, scale))
    with pytest.raises(InvalidRequest, match="scale"):
        bounds([0.1], [scale], Calibration(-1.0, 1.0, 0.9, 200))


def test_calibration_refuses_what_does_not_fit() -> None:
    with pytest.raises(InvalidRequest, match="residuals"):
        fit_calibration(np.full(200, np.nan), np.ones(200))
    with pytest.raises(InvalidRequest, match="forecast"):
        bounds([np.nan], [1.0], Calibration(-1.0, 1.0, 0.9, 200))
    with pytest.raises(InvalidRequest, match="scale"):
        fit_calibration(np.ones(200), np.ones(199))
    with pytest.raises(InvalidRequest, match="coverage"):
        fit_calibration(np.ones(200), np.ones(200), coverage=1.0)
    with pytest.raises(InvalidRequest, match="fold_numbers"):
        sequential_coverage([1], np.ones(200), np.ones(200))
