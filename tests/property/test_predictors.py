"""Refits by row beside statsmodels and brute force; scores beside their definitions."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.clark_west import clark_west
from bellwether.evaluation.ols import r_squared, refit
from bellwether.evaluation.plan import COMBINATIONS, Plan
from bellwether.evaluation.predictors import evaluate

N = 40
levels = st.sampled_from([0.0, 1.0, -3e4, 1e6])
scales = st.sampled_from([1.0, 1e-6, 1e5])
seeds = st.integers(0, 10_000)


def market(seed: int, k: int = 1, level: float = 0.0, scale: float = 1.0) -> tuple:
    rng = np.random.default_rng(seed)
    X = level + scale * rng.normal(size=(N, k)).cumsum(axis=0)
    y = 0.01 + 0.05 * rng.normal(size=N)
    return X, y


@given(seeds, levels, scales, st.sampled_from([None, 8, 15]), st.integers(1, 4), st.integers(1, 3))
def test_each_forecast_is_that_of_statsmodels(
    seed: int, level: float, scale: float, window: int | None, horizon: int, k: int
) -> None:
    X, y = market(seed, k, level, scale)
    found = refit(X, y, first=20, window=window, horizon=horizon)

    assert np.isnan(found.forecast[:20]).all()
    for t in range(20, N):
        end = t - horizon + 1
        rows = slice(0 if window is None else end - window, end)
        near = (X - X[rows][0]) / scale
        away = near[rows] - near[rows].mean(axis=0)
        fit = sm.OLS(y[rows], sm.add_constant(away, has_constant="add")).fit()
        here = np.concatenate(([1.0], near[t] - near[rows].mean(axis=0)))
        assert found.forecast[t] == pytest.approx(fit.params @ here, rel=1e-8, abs=1e-11)
        assert found.slope[t] * scale == pytest.approx(fit.params[1:], rel=1e-7, abs=1e-9)
        assert found.mean[t] == pytest.approx(y[rows].mean(), abs=1e-14)


@given(seeds, st.integers(1, 3), levels)
def test_the_whole_sample_is_that_of_statsmodels(seed: int, k: int, level: float) -> None:
    X, y = market(seed, k, level)
    fit = sm.OLS(y, sm.add_constant(X - X.mean(axis=0), has_constant="add")).fit()
    columns = {"x": X if k > 1 else X[:, 0]}
    score = evaluate(y, columns, Plan(20)).scores["x"]
    assert r_squared(X, y) == pytest.approx(fit.rsquared, abs=1e-9)
    assert score.r2_is_adj == pytest.approx(fit.rsquared_adj, abs=1e-9)


def test_hours_of_work_are_refused() -> None:
    X = np.random.default_rng(1).normal(size=(300_000, 2))
    with pytest.raises(InvalidRequest, match="would take hours"):
        refit(X, X[:, 0], first=10)


@given(seeds, st.integers(21, N - 1))
def test_what_comes_later_changes_no_forecast(seed: int, cut: int) -> None:
    X, y = market(seed)
    before = evaluate(y[:cut], {"x": X[:cut, 0]}, Plan(20))
    rng = np.random.default_rng(seed + 1)
    y, X = y.copy(), X.copy()
    y[cut:] = rng.normal(size=N - cut)
    X[cut:] = rng.normal(size=(N - cut, 1))
    after = evaluate(y, {"x": X[:, 0]}, Plan(20))
    for a, b in ((before.forecasts, after.forecasts), (before.means, after.means)):
        assert a["x"][20:] == pytest.approx(b["x"][20:cut], rel=1e-9, abs=1e-12)


@given(seeds, st.sampled_from([None, 10]), st.sampled_from(["+", "-"]))
def test_restrictions_are_what_they_say(seed: int, window: int | None, sign: str) -> None:
    X, y = market(seed)
    x = {"x": X[:, 0]}

    def forecasts(restrict: str) -> np.ndarray:
        return evaluate(y, x, Plan(20, window, restrict)).forecasts["x"][20:]

    free, mean = forecasts("none"), evaluate(y, x, Plan(20, window)).means["x"][20:]
    slope = refit(X, y, first=20, window=window).slope[20:, 0]
    wrong = slope <= 0 if sign == "+" else slope >= 0
    signed = np.where(wrong, mean, free)
    assert np.array_equal(forecasts(f"sign:{sign}"), signed)
    assert np.array_equal(forecasts("nonnegative"), np.maximum(free, 0))
    assert np.array_equal(forecasts(f"both:{sign}"), np.maximum(signed, 0))


@given(seeds, st.sampled_from(COMBINATIONS[1:]), st.integers(3, 6))
def test_combinations_are_what_they_say(seed: int, combine: str, k: int) -> None:
    X, y = market(seed, k)
    columns = {f"x{j}": X[:, j] for j in range(k)}
    found = evaluate(y, columns, Plan(20, combine=combine))
    every = np.sort([found.forecasts[name][20:] for name in columns], axis=0)
    expected = {
        "mean": every.mean(axis=0),
        "median": np.median(every, axis=0),
        "trimmed": every[1:-1].mean(axis=0),
    }[combine]
    assert found.forecasts["combination"][20:] == pytest.approx(expected, abs=1e-15)
    error, base = y[20:] - expected, y[20:] - found.means["combination"][20:]
    assert found.combination is not None
    assert found.combination.r2_oos == pytest.approx(1 - error @ error / (base @ base), abs=1e-12)
    assert found.means["combination"][20:] == pytest.approx(found.means["x0"][20:], abs=1e-15)


@given(seeds, st.integers(0, 12))
def test_a_late_predictor_has_the_sample_that_it_has(seed: int, missing: int) -> None:
    X, y = market(seed)
    x = X[:, 0].copy()
    x[:missing] = np.nan
    found = evaluate(y, {"x": x}, Plan(20)).scores["x"]
    alone = evaluate(y[missing:], {"x": x[missing:]}, Plan(20 - missing)).scores["x"]
    assert (found.rows, found.n) == (N - missing, N - 20)
    for name in ("r2_is_adj", "r2_oos", "r2_oos_adj", "rmse_delta"):
        assert getattr(found, name) == pytest.approx(getattr(alone, name), abs=1e-12)
    wide = evaluate(y, {"x": x}, Plan(20, mean="all")).means["x"]
    assert wide[30] == pytest.approx(y[:30].mean())


@given(seeds, st.integers(0, 6))
def test_clark_west_is_the_t_of_a_mean_by_newey_and_west(seed: int, lags: int) -> None:
    rng = np.random.default_rng(seed)
    y, small, large = rng.normal(size=(3, 60))
    f = (y - small) ** 2 - ((y - large) ** 2 - (small - large) ** 2)
    fit = sm.OLS(f, np.ones(60)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )
    found = clark_west(y, small, large, lags)
    assert found.t == pytest.approx(fit.tvalues[0], rel=1e-9)
    assert found.p == pytest.approx(float(1 - 0.5 * (1 + _erf(fit.tvalues[0]))), abs=1e-12)
    e1, e2 = y - small, y - large
    assert found.mse_f == pytest.approx(60 * (e1 @ e1 - e2 @ e2) / (e2 @ e2))
    assert found.enc_new == pytest.approx(60 * (e1 @ (e1 - e2)) / (e2 @ e2))


def _erf(t: float) -> float:
    from math import erf, sqrt

    return erf(t / sqrt(2))


@given(arrays(np.float64, 30, elements=st.sampled_from([0.0, 1.0])), seeds)
def test_rules_of_noughts_and_ones_need_not_vary_early(x: np.ndarray, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=30)
    fits = refit(x[:, None], y, first=5)
    flat = np.array([np.ptp(x[:t]) == 0 for t in range(5, 30)])
    assert np.isfinite(fits.forecast[5:]).all()
    assert (fits.slope[5:, 0][flat] == 0).all()
    assert np.array_equal(fits.forecast[5:][flat], fits.mean[5:][flat])
