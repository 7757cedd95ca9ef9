"""Forecast statistics against worked examples, scikit-learn, SciPy, statsmodels, the reference."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bellwether.evaluation.calibration_interval import calibration_error
from bellwether.evaluation.direction import agreement, pesaran_timmermann
from bellwether.evaluation.groups import group_means, group_test, null_gap
from bellwether.evaluation.price_errors import mase, r2_zero, smape
from bellwether.evaluation.probabilities import (
    brier_decomposition,
    calibration_table,
    expected_calibration_error,
)
from bellwether.evaluation.quantile_spread import quantile_spread
from bellwether.evaluation.rank_ic import ic_by_date, ic_by_horizon, mean_over_dates
from bellwether.evaluation.shifting import shift_test
from bellwether.evaluation.stretches import stretch_test

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
Y = np.array([0.010, -0.004, 0.006, -0.012, 0.003, 0.008, -0.002, 0.005])
F = np.array([0.004, -0.001, -0.002, -0.003, 0.002, 0.001, 0.001, 0.003])
UP = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0])
P = np.array([0.62, 0.48, 0.55, 0.71, 0.35, 0.52, 0.44, 0.41, 0.58, 0.30])


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    pytest.importorskip("pandas")
    if not REFERENCE.is_file():
        pytest.skip("the reference implementations lie in ../shared, which this machine lacks")
    return runpy.run_path(str(REFERENCE))


def test_worked_errors() -> None:
    y, f = np.array([0.02, -0.01, 0.03, -0.02]), np.array([0.01, 0.0, 0.01, -0.005])
    assert r2_zero(y, f) == pytest.approx(0.54167, abs=5e-6)
    actual, predicted, train = [100, 102, 101, 104], [99, 103, 102, 102], [98, 97, 99, 100]
    assert smape(actual, predicted) == pytest.approx(0.01226901, abs=5e-9)
    assert mase(actual, predicted, train) == pytest.approx(0.9375)


def test_worked_direction() -> None:
    """Table 32/18/23/27: P .59, P* .5, S 1.8182, p .0345, chi2 3.273, near Pearson's 3.273."""
    y = np.repeat([1.0, -1.0], 50)
    f = np.concatenate([np.ones(32), -np.ones(18), np.ones(23), -np.ones(27)])
    found = pesaran_timmermann(y, f)
    assert (found.hit, found.expected) == (pytest.approx(0.59), pytest.approx(0.5))
    assert found.statistic == pytest.approx(1.8181818, abs=5e-8)
    assert found.p == pytest.approx(0.0345, abs=5e-5)
    pearson = stats.chi2_contingency([[32, 18], [23, 27]], correction=False)
    assert found.chi2 == pytest.approx(pearson.statistic, rel=0.02)
    worked = pesaran_timmermann(Y, F)
    assert (worked.hit, worked.expected) == (0.75, 0.53125)
    assert (worked.statistic, worked.p) == (
        pytest.approx(1.4110674, abs=5e-8),
        pytest.approx(0.0791124, abs=5e-8),
    )


def test_direction_as_in_the_reference(reference: dict[str, Any]) -> None:
    rng = np.random.default_rng(4)
    y, f = rng.normal(0.1, 1, 300), rng.normal(-0.2, 1, 300)
    found = pesaran_timmermann(y, f)
    assert (found.hit, found.expected, found.statistic, found.p) == pytest.approx(
        reference["pesaran_timmermann"](y, f)
    )


def test_shift_as_in_the_reference(reference: dict[str, Any]) -> None:
    """Both draw shifts; with all of them taken the draw's p is near."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    y = 0.1 * x + rng.normal(size=400)
    found = shift_test(x, y, agreement, seed=0, least_shift=30)
    _, p = reference["circular_shift_pvalue"](agreement, x, y, 30, n=3000)
    assert (found.exact, found.shifts) == (True, 341)
    assert found.p == pytest.approx(p, abs=0.02)


def test_overlap_spoils_the_formula_and_not_the_shift() -> None:
    """Labels over 5 sessions, forecasts with memory .9, no skill: 200 records of 250."""
    rng = np.random.default_rng(6)
    formula = shifted = 0
    for _ in range(200):
        steps, noise = rng.normal(size=254), rng.normal(size=250)
        y = np.convolve(steps, np.ones(5), "valid")
        f = np.empty(250)
        f[0] = noise[0]
        for t in range(1, 250):
            f[t] = 0.9 * f[t - 1] + noise[t]
        formula += pesaran_timmermann(y, f, horizon=5).p < 0.05
        shifted += shift_test(f, y, agreement, seed=1, least_shift=30, shifts=199).p < 0.05
    assert formula / 200 > 0.11  # methods.md measured .164
    assert shifted / 200 < 0.11


def test_worked_correlations(reference: dict[str, Any]) -> None:
    """Seed 7, 6 dates of 20: RankIC .12657, ICIR .43116, t 1.36986 at two lags."""
    rng = np.random.default_rng(7)
    dates = np.repeat(np.arange(6), 20)
    s = rng.normal(size=120)
    y = 0.1 * s + rng.normal(size=120)
    found = ic_by_date(dates, s, y)
    over = mean_over_dates(found.values, lags=2)
    assert over.mean == pytest.approx(0.1265664, abs=5e-8)
    assert over.ratio == pytest.approx(0.4311640, abs=5e-8)
    assert over.t == pytest.approx(1.3698605, abs=5e-8)
    assert found.values == pytest.approx(reference["ic_by_date"](dates, s, y).to_numpy())
    pearson = ic_by_date(dates, s, y, "pearson").values
    assert pearson == pytest.approx(reference["ic_by_date"](dates, s, y, "pearson").to_numpy())


def test_correlations_with_ties_as_in_scipy() -> None:
    rng = np.random.default_rng(8)
    dates = np.repeat(np.arange(30), 12)
    f, y = rng.integers(0, 4, 360).astype(float), rng.integers(0, 3, 360).astype(float)
    shuffled = rng.permutation(360)
    found = ic_by_date(dates[shuffled], f[shuffled], y[shuffled])
    expected = [stats.spearmanr(f[dates == d], y[dates == d]).statistic for d in found.dates]
    assert found.values == pytest.approx(expected)


@pytest.mark.parametrize("lags", [0, 1, 4])
def test_mean_as_in_statsmodels(lags: int) -> None:
    sm = pytest.importorskip("statsmodels.api")
    x = np.random.default_rng(9).normal(0.02, 0.15, 120)
    fit = sm.OLS(x, np.ones(120)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )
    found = mean_over_dates(x, lags)
    assert (found.t, found.p) == (pytest.approx(fit.tvalues[0]), pytest.approx(fit.pvalues[0]))


def test_correlation_by_horizon() -> None:
    rng = np.random.default_rng(10)
    day, f = np.repeat(np.arange(80), 10), rng.normal(size=800)
    y = np.column_stack([f + rng.normal(size=800), 0.2 * f + rng.normal(size=800)])
    y[day >= 79, 0] = np.nan
    y[day >= 74, 1] = np.nan
    one, five = ic_by_horizon(day, f, y, [1, 5])
    assert (one.ic.n_dates, five.ic.n_dates, five.ic.lags) == (79, 74, 4)
    here = day < 74
    alone = mean_over_dates(ic_by_date(day[here], f[here], y[here, 1]).values, 4)
    assert five.ic == alone


def test_spread_as_in_pandas() -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(12)
    day, f = np.repeat(np.arange(40), 23), rng.normal(size=920)
    y = 0.1 * f + rng.normal(size=920)
    found = quantile_spread(day, f, y, parts=5, lags=2)
    frame = pd.DataFrame({"day": day, "f": f, "y": y})
    rank = frame.groupby("day").f.rank()
    frame["part"] = ((rank - 0.5) * 5 / 23).astype(int)
    means = frame.groupby(["day", "part"]).y.mean().unstack()
    assert found.spreads == pytest.approx((means[4] - means[0]).to_numpy())
    assert [p.mean for p in found.parts] == pytest.approx(means.mean().to_numpy())
    assert found.spread.t == mean_over_dates(found.spreads, 2).t


def test_worked_probabilities() -> None:
    """Ten bins .200, five .134, five quantile bins .334; parts .04358, .1, .25, Brier .18024."""
    assert expected_calibration_error(UP, P, 10) == pytest.approx(0.200)
    assert expected_calibration_error(UP, P, 5) == pytest.approx(0.134)
    assert expected_calibration_error(UP, P, 5, "quantile") == pytest.approx(0.334)
    found = brier_decomposition(UP, P, 5)
    assert found.brier == pytest.approx(0.18024)
    assert found.reliability == pytest.approx(0.0435767, abs=5e-8)
    assert (found.resolution, found.uncertainty) == (pytest.approx(0.1), pytest.approx(0.25))
    assert found.residual == pytest.approx(0.18024 - 0.1935767, abs=5e-8)


def test_calibration_as_in_sklearn_and_the_reference(reference: dict[str, Any]) -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss

    rng = np.random.default_rng(13)
    p = rng.beta(2, 3, 3000)
    up = (rng.random(3000) < p**1.3).astype(int)
    day = np.repeat(np.arange(300), 10)
    for strategy, theirs in (("equal", "uniform"), ("quantile", "quantile")):
        rows = calibration_table(up, p, day, bins=8, strategy=strategy)
        realised, said = calibration_curve(up, p, n_bins=8, strategy=theirs)
        assert [r.realised for r in rows] == pytest.approx(realised)
        assert [r.said for r in rows] == pytest.approx(said)
        ece = expected_calibration_error(up, p, 8, strategy)
        assert ece == pytest.approx(reference["ece"](up, p, 8, theirs))
        assert ece == pytest.approx(sum(r.n * abs(r.realised - r.said) for r in rows) / 3000)
    found = brier_decomposition(up, p, 8)
    assert found.brier == pytest.approx(brier_score_loss(up, p))
    parts = (found.reliability, found.resolution, found.uncertainty)
    assert parts == pytest.approx(reference["brier_decomposition"](up, p, 8))


def test_interval_word_by_word() -> None:
    """A slow twin that takes the rows of each drawn date."""
    rng = np.random.default_rng(14)
    day = np.repeat(np.arange(30), 4)
    p = rng.uniform(size=120)
    up = (rng.random(120) < p).astype(int)
    found = calibration_error(up, p, day, seed=3, bins=5, block=4, reps=50)
    starts = np.random.default_rng(3).integers(30, size=(50, 7))
    drawn = []
    for row in starts:
        days = ((row[:, None] + np.arange(4)) % 30).ravel()
        rows = np.concatenate([np.flatnonzero(day == d) for d in days])
        drawn.append(expected_calibration_error(up[rows], p[rows], 5))
    assert found.bias == pytest.approx(np.mean(drawn) - found.ece)
    low, high = 2 * found.ece - np.quantile(drawn, [0.975, 0.025])
    assert (found.low, found.high) == (0, pytest.approx(high))
    assert (low < found.ece, found.ece < found.null_high) == (True, True)


@pytest.mark.parametrize(("shrunk", "least", "most"), [(1.0, 0.0, 0.12), (0.5, 0.7, 1.0)])
def test_calibrated_forecasts_are_not_accused(shrunk: float, least: float, most: float) -> None:
    """Rows of a day move together; said 30 to 70 %, true half of that away from 50 % or all."""
    rng = np.random.default_rng(19)
    day, accused = np.repeat(np.arange(150), 10), 0
    for seed in range(100):
        p = rng.uniform(0.3, 0.7, 1500)
        true = 0.5 + shrunk * (p - 0.5)
        z = 0.5 * rng.normal(size=150)[day] + 0.75**0.5 * rng.normal(size=1500)
        up = stats.norm.cdf(z) < true
        accused += calibration_error(up, p, day, seed=seed, block=1, reps=199).low > 0
    assert least <= accused / 100 <= most


def test_null_gap_of_the_worked_groups() -> None:
    """445, 1,029 and 1,526 rows at .53: 95 % of gaps are below .060."""
    s = np.diag(0.53 * 0.47 / np.array([445.0, 1029.0, 1526.0]))
    assert null_gap(s, np.random.default_rng(0), 200_000) == pytest.approx(0.060, abs=0.001)


def test_two_groups_are_a_t_test() -> None:
    """With two groups W is the square of the t of the difference, its variance over n."""
    rng = np.random.default_rng(16)
    day, which = np.repeat(np.arange(100), 12), np.tile(np.repeat([0, 1], 6), 100)
    x = rng.normal(size=1200) + 0.1 * which
    dated = group_means(day, which, x)
    found = group_test(dated, seed=0, lags=2)
    t = mean_over_dates(dated.means[:, 0] - dated.means[:, 1], 2)
    assert found.wald == pytest.approx(t.t**2)
    assert found.p == pytest.approx(t.p)
    assert found.p == pytest.approx(stats.chi2.sf(found.wald, 1))


def test_wald_as_in_statsmodels() -> None:
    """A regression on group dummies of date means, clustered by date, says the same W."""
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(17)
    day, which = np.repeat(np.arange(80), 15), np.tile(np.repeat([0, 1, 2], 5), 80)
    x = rng.normal(size=1200) + rng.normal(size=80)[day] + 0.1 * (which == 2)
    dated = group_means(day, which, x)
    found = group_test(dated, seed=0)
    y, columns = dated.means.ravel(), np.tile(np.eye(3), (80, 1))
    fit = sm.OLS(y, columns).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.repeat(np.arange(80), 3), "use_correction": False},
    )
    theirs = fit.wald_test(np.array([[1.0, 0, -1], [0, 1, -1]]), use_f=False, scalar=True)
    assert found.wald == pytest.approx(float(theirs.statistic))
    assert found.errors == pytest.approx(fit.bse)


def test_groups_keep_their_level_where_rows_do_not() -> None:
    """Hits that move together by sector and day, no difference: by date about 5 % are rejected."""
    rng = np.random.default_rng(18)
    by_date = by_row = 0
    day, which = np.repeat(np.arange(120), 30), np.tile(np.repeat([0, 1, 2], 10), 120)
    for seed in range(200):
        common = rng.normal(size=(120, 3))[day, which] * 0.6
        hit = (common + rng.normal(size=3600) > 0).astype(float)
        by_date += group_test(group_means(day, which, hit), seed=seed, reps=1).p < 0.05
        table = [[(hit[which == g] == v).sum() for v in (0, 1)] for g in range(3)]
        by_row += stats.chi2_contingency(table, correction=False).pvalue < 0.05
    assert by_date / 200 < 0.10
    assert by_row / 200 > 0.25


def test_stretches_of_time_as_by_hand_and_at_their_level() -> None:
    rng = np.random.default_rng(19)
    day, year = np.repeat(np.arange(300), 4), np.repeat([2001, 2002, 2003], 400)
    x = rng.normal(size=1200) + 0.1 * (year == 2003)
    found = stretch_test(day[:800], year[:800], x[:800], seed=1, reps=1000)
    a, b = (x[year == y].reshape(100, 4).mean(axis=1) for y in (2001, 2002))
    z = (a.mean() - b.mean()) / ((a.var() + b.var()) / 100) ** 0.5
    assert found.wald == pytest.approx(z**2)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert found.null_gap == pytest.approx(1.96 * ((a.var() + b.var()) / 100) ** 0.5, rel=0.1)
    rejected = 0
    for seed in range(300):
        common = rng.normal(size=300)[day]
        hit = (common + rng.normal(size=1200) > 0).astype(float)
        rejected += stretch_test(day, year, hit, seed=seed, reps=1).p < 0.05
    assert 0.02 < rejected / 300 < 0.09


def test_a_stretch_that_is_too_short_is_left_out() -> None:
    day = np.arange(150)
    found = stretch_test(day, np.repeat(["a", "b"], [130, 20]), np.sin(day), seed=0)
    assert (found.p, found.groups, found.left_out) == (None, ("a",), 20)
    same = stretch_test(day, np.repeat(["a", "b"], 75), np.ones(150), seed=0)
    assert (same.p, same.gap) == (None, 0)
