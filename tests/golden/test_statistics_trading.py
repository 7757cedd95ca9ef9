"""Trading statistics against worked examples, empyrical, statsmodels and the reference."""

import runpy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bellwether.evaluation.drawdowns import drawdowns, under_water
from bellwether.evaluation.relative import relative
from bellwether.evaluation.risk import risk
from bellwether.evaluation.series import long_run, usual_lags
from bellwether.evaluation.sharpe import (
    eta,
    hac_error,
    lo_error,
    mertens_error,
    min_track_record,
    probabilistic_sharpe,
    sharpe_ratio,
    sharpe_record,
)
from bellwether.evaluation.sharpe_difference import memmel, sharpe_difference
from bellwether.evaluation.trading import trading_metrics

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
R = np.array([0.01, -0.02, 0.015, -0.03, 0.01, 0.02, 0.025, -0.005])
RNG = np.random.default_rng(11)
LONG = RNG.standard_t(4, 1257) * 0.01 + 0.0004
OTHER = 0.6 * LONG + RNG.normal(0.0002, 0.008, 1257)


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    pytest.importorskip("pandas")
    if not REFERENCE.is_file():
        pytest.skip("the reference implementations lie in ../shared, which this machine lacks")
    return runpy.run_path(str(REFERENCE))


@pytest.fixture(scope="module")
def empyrical() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("empyrical")


def test_worked_series() -> None:
    """Eight periods: Sharpe .159209, drawdown -.035141 from 1 to 4, recovered at 7, longest 5."""
    assert sharpe_ratio(R) == pytest.approx(0.1592094, abs=5e-8)
    found = drawdowns(R)
    first, second = found.worst
    assert (first.depth, found.longest) == (pytest.approx(-0.0351410, abs=5e-8), 5)
    assert (first.peak, first.trough, first.recovery, first.length) == (1, 4, 7, 5)
    assert (second.depth, second.peak, second.trough) == (pytest.approx(-0.005), 7, 8)
    assert (second.recovery, second.length) == (None, 1)


def test_loss_on_the_first_day_counts() -> None:
    found = drawdowns([-0.10, 0.05, 0.02])
    assert found.deepest == pytest.approx(-0.10)
    assert (found.worst[0].peak, found.worst[0].trough, found.worst[0].recovery) == (0, 1, None)


def test_papers_examples() -> None:
    """Bailey and Lopez de Prado print .982, .913 for S .458 over 24 months; 15.25, 34.56 months."""
    assert probabilistic_sharpe(0.458, 24, 0, 3) == pytest.approx(0.9816749, abs=5e-8)
    assert probabilistic_sharpe(0.458, 24, -2.448, 10.164) == pytest.approx(0.9133611, abs=5e-8)
    assert min_track_record(0.458, 0, 3) == pytest.approx(15.2508069)
    assert min_track_record(0.458, -2.448, 10.164) == pytest.approx(34.5575059)
    assert lo_error(0.634596 / 252**0.5, 1257) * 252**0.5 == pytest.approx(0.448, abs=5e-4)


@pytest.mark.parametrize(
    ("annual", "years", "skewed"),
    [(0.5, 10.8, 11.2), (1, 2.7, 2.9), (1.5, 1.2, 1.344), (2, 0.7, 0.8), (3, 0.3, 0.4)],
)
def test_years_a_ratio_needs(annual: float, years: float, skewed: float) -> None:
    per_day = annual / 252**0.5
    assert min_track_record(per_day, 0, 3) / 252 == pytest.approx(years, abs=0.051)
    assert min_track_record(per_day, -1, 10) / 252 == pytest.approx(skewed, abs=0.051)


@pytest.mark.parametrize("r", [R, LONG, OTHER], ids=["worked", "fat", "mixed"])
def test_sharpe_errors_as_in_the_reference(reference: dict[str, Any], r: np.ndarray) -> None:
    s = sharpe_ratio(r)
    assert s == pytest.approx(reference["sharpe"](r), rel=1e-12)
    assert lo_error(s, r.size) == pytest.approx(reference["lo_se"](r), rel=1e-12)
    assert mertens_error(r, s) == pytest.approx(reference["mertens_se"](r), rel=1e-12)
    for lags in (0, 3, 6):
        assert hac_error(r, lags) == pytest.approx(reference["lo_gmm_se"](r, lags), rel=1e-9)
    for q in (1, 2, 5, 8):
        assert eta(r, q) == pytest.approx(reference["lo_eta"](r, q), rel=1e-12)
    assert drawdowns(r).deepest == pytest.approx(reference["drawdown"](r)[0], rel=1e-12)
    deepest, (_, peak, trough, recovery, longest) = drawdowns(r), reference["drawdown"](r)
    assert deepest.longest == longest
    worst = deepest.worst[0]
    assert (worst.peak, worst.trough, worst.recovery) == (peak, trough, recovery)


def test_record_puts_a_year_together() -> None:
    found = sharpe_record(LONG, target=0.5)
    year, skew, kurt = 252**0.5, stats.skew(LONG), stats.kurtosis(LONG, fisher=False)
    assert found.annual == pytest.approx(LONG.mean() / LONG.std(ddof=1) * year)
    assert found.probabilistic == pytest.approx(
        probabilistic_sharpe(found.per_period, 1257, skew, kurt, 0.5 / year)
    )
    assert found.high - found.low == pytest.approx(2 * stats.norm.ppf(0.975) * found.se_hac)
    assert found.annual_autocorrelated == pytest.approx(found.per_period * eta(LONG, 252))
    assert found.se_mertens * stats.norm.ppf(0.975) == pytest.approx(
        found.annual - trading_metrics(LONG, np.zeros(1257))["sharpe_ci"][0]
    )


def test_hac_error_is_that_of_statsmodels_moments() -> None:
    """The delta method on two means whose covariance statsmodels estimates."""
    sandwich = pytest.importorskip("statsmodels.stats.sandwich_covariance")
    x, n = LONG, LONG.size
    m = np.column_stack([x - x.mean(), (x - x.mean()) ** 2 - x.var()])
    s = sandwich.S_hac_simple(m, nlags=6) / n
    assert long_run(m, 6) == pytest.approx(s, rel=1e-12)
    g = np.array([1 / x.std(), -x.mean() / (2 * x.std() ** 3)])
    assert hac_error(x, 6) == pytest.approx(np.sqrt(g @ s @ g / n), rel=1e-10)


def test_memmel_as_in_the_reference(reference: dict[str, Any]) -> None:
    found = memmel(LONG, OTHER)
    z = reference["memmel_z"](LONG, OTHER)
    assert (found.z, found.p) == (pytest.approx(z), pytest.approx(2 * stats.norm.sf(abs(z))))


def test_bootstrap_agrees_with_memmel_on_normal_returns() -> None:
    """Independent and normal: both errors estimate one thing, and so do both p-values."""
    rng = np.random.default_rng(3)
    a = rng.normal(0.0010, 0.01, 2000)
    b = 0.5 * a + rng.normal(0, 0.01, 2000)
    drawn, formula = sharpe_difference(a, b, seed=1, block=5), memmel(a, b)
    assert drawn.difference == pytest.approx(formula.difference, rel=1e-3)
    assert drawn.se == pytest.approx(formula.se, rel=0.05)
    assert drawn.p == pytest.approx(formula.p, abs=0.02)
    assert (drawn.low, drawn.high) == (
        pytest.approx(formula.low, abs=0.005),
        pytest.approx(formula.high, abs=0.005),
    )


def test_bootstrap_word_by_word() -> None:
    """A slow twin that builds each drawn series and its blocks."""
    a, b, block, reps = LONG[:60], OTHER[:60], 4, 40
    found = sharpe_difference(a, b, seed=5, block=block, reps=reps)
    starts = np.random.default_rng(5).integers(60, size=(reps, 15))
    ratio = lambda v: v.mean() / v.std()  # noqa: E731
    as_far = 0
    for row in starts:
        at = (row[:, None] + np.arange(block)).ravel() % 60
        x, y = a[at], b[at]
        grad = []
        for v in (x, y):
            s2 = v.var()
            grad.append(((v**2).mean() / s2**1.5, -v.mean() / (2 * s2**1.5)))
        of = (
            grad[0][0] * (x - x.mean())
            + grad[0][1] * (x**2 - (x**2).mean())
            - grad[1][0] * (y - y.mean())
            - grad[1][1] * (y**2 - (y**2).mean())
        )
        zeta = of.reshape(15, block).sum(axis=1) / block**0.5
        se = np.sqrt((zeta**2).mean() / 60)
        delta = ratio(x) - ratio(y)
        as_far += abs(delta - (ratio(a) - ratio(b))) / se >= abs(found.z)
    assert found.p == pytest.approx((1 + as_far) / (1 + reps))


def test_risk_as_in_empyrical(empyrical: Any) -> None:
    found = risk(LONG)
    assert found.value_at_risk == pytest.approx(empyrical.value_at_risk(LONG))
    assert found.shortfall == pytest.approx(empyrical.conditional_value_at_risk(LONG), rel=1e-3)
    assert found.tail_ratio == pytest.approx(empyrical.tail_ratio(LONG))
    assert found.skewness == pytest.approx(stats.skew(LONG))
    assert found.kurtosis == pytest.approx(stats.kurtosis(LONG, fisher=False))
    assert found.profit_factor == pytest.approx(LONG[LONG > 0].sum() / -LONG[LONG < 0].sum())
    assert drawdowns(LONG).deepest == pytest.approx(empyrical.max_drawdown(LONG))
    assert drawdowns(LONG).calmar == pytest.approx(empyrical.calmar_ratio(LONG))


def test_worked_tail() -> None:
    """Of twenty, the 10 % quantile is between the second and the third; two lie below it."""
    r = np.arange(-10, 10) / 100
    found = risk(r, 0.10)
    assert (found.value_at_risk, found.shortfall) == (
        pytest.approx(-0.081),
        pytest.approx(-0.095),
    )
    assert found.profit_factor == pytest.approx(45 / 55)


def test_relative_as_in_empyrical_and_statsmodels(empyrical: Any) -> None:
    found = relative(OTHER, LONG, risk_free=0.0001, lags=5)
    alpha, beta = empyrical.alpha_beta_aligned(OTHER, LONG, risk_free=0.0001)
    assert (found.alpha, found.beta) == (pytest.approx(alpha), pytest.approx(beta))
    assert found.information_ratio == pytest.approx(empyrical.excess_sharpe(OTHER, LONG) * 252**0.5)
    assert found.tracking_error == pytest.approx((OTHER - LONG).std(ddof=1) * 252**0.5)
    assert found.up_capture == pytest.approx(empyrical.up_capture(OTHER, LONG))
    assert found.down_capture == pytest.approx(empyrical.down_capture(OTHER, LONG))
    sm = pytest.importorskip("statsmodels.api")
    line = sm.OLS(OTHER - 0.0001, sm.add_constant(LONG - 0.0001)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 5, "use_correction": False}
    )
    assert found.alpha_t == pytest.approx(line.tvalues[0], rel=1e-9)
    assert found.r_squared == pytest.approx(line.rsquared)
    low, high = line.conf_int()[0]
    assert (found.alpha_low, found.alpha_high) == (
        pytest.approx((1 + low) ** 252 - 1, rel=1e-9),
        pytest.approx((1 + high) ** 252 - 1, rel=1e-9),
    )


def test_usual_lags() -> None:
    assert [usual_lags(n) for n in (1, 2, 100, 1257)] == [0, 1, 4, 7]


def test_curve_under_water(empyrical: Any) -> None:
    wealth = np.concatenate(([1.0], np.cumprod(1 + LONG)))
    expected = (wealth / np.maximum.accumulate(wealth) - 1)[1:]
    assert under_water(LONG) == pytest.approx(expected, abs=1e-11)
    assert under_water(LONG).min() == pytest.approx(empyrical.max_drawdown(LONG))


def test_trading_metrics_as_in_empyrical(empyrical: Any) -> None:
    found = trading_metrics(LONG, np.zeros(LONG.size))
    assert found["sharpe"] == pytest.approx(empyrical.sharpe_ratio(LONG))
    assert found["sortino"] == pytest.approx(empyrical.sortino_ratio(LONG))
    assert found["volatility"] == pytest.approx(empyrical.annual_volatility(LONG))
    assert found["cagr"] == pytest.approx(empyrical.annual_return(LONG))
    assert found["roi"] == pytest.approx(empyrical.cum_returns_final(LONG))
    assert found["max_drawdown"] == pytest.approx(empyrical.max_drawdown(LONG))
