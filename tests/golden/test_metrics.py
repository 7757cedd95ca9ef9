"""Metrics against worked examples, scikit-learn, SciPy and the reference."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.classification import auc, brier_skill, log_loss, matthews
from bellwether.evaluation.conformal import bounds, fit_calibration, sequential_coverage
from bellwether.evaluation.forecast import forecast_metrics, paired_accuracy
from bellwether.evaluation.intervals import clustered_mean, rows_needed, wilson
from bellwether.evaluation.trading import trading_metrics

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
Y = np.array([0.010, -0.004, 0.006, -0.012, 0.003, 0.008, -0.002, 0.005])
F = np.array([0.004, -0.001, -0.002, -0.003, 0.002, 0.001, 0.001, 0.003])
R = np.array([0.01, -0.02, 0.015, -0.03, 0.01, 0.02, 0.025, -0.005])
HALF = np.full(8, 0.5)


@pytest.fixture(scope="module")
def reference() -> dict[str, object]:
    pytest.importorskip("pandas")
    if not REFERENCE.is_file():
        pytest.skip("the reference implementations lie in ../shared, which this machine lacks")
    return runpy.run_path(str(REFERENCE))


def test_worked_forecast() -> None:
    """Eight sessions, with .002 and .001 realised before the first."""
    seen = np.concatenate(([0.002, 0.001], Y))
    prevailing = np.array([seen[:k].mean() for k in range(2, 10)])

    found = forecast_metrics(
        dates=np.arange(8),
        log_return=Y,
        forecast=F,
        probability_up=HALF,
        direction=np.sign(F).astype(np.int8),
        prevailing_mean=prevailing,
        ic="time",
    )

    assert found["rmse"] == pytest.approx(0.0056236, abs=5e-8)
    assert found["mae"] == pytest.approx(0.004875)
    assert found["r2"] == pytest.approx(0.32262, abs=5e-6)
    assert found["r2_oos"] == pytest.approx(0.4565384, abs=5e-8)
    assert found["directional_accuracy"] == 0.75
    assert found["precision"] == 0.8  # of 5 up calls, 4 went up
    assert found["recall"] == 0.8  # of 5 that went up, 4 were called
    assert found["brier"] == 0.25
    assert found["information_coefficient"] == pytest.approx(stats.spearmanr(F, Y).statistic)
    assert (found["n"], found["coverage_of_calls"]) == (8, 1.0)


def test_worked_price_error() -> None:
    """Prices 100, 102, 101, 104 against 99, 103, 102, 102: 1.2234%."""
    actual, predicted = np.array([100.0, 102, 101, 104]), np.array([99.0, 103, 102, 102])
    found = forecast_metrics(
        dates=np.arange(4),
        log_return=np.log(actual / 98),
        forecast=np.log(predicted / 98),
        probability_up=None,
        direction=np.ones(4, dtype=np.int8),
        prevailing_mean=np.zeros(4),
    )
    assert found["mape"] == pytest.approx(0.012234, abs=5e-7)
    assert found["mape"] == pytest.approx(sk.mean_absolute_percentage_error(actual, predicted))


def test_worked_brier() -> None:
    up = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0])
    p = [0.62, 0.48, 0.55, 0.71, 0.35, 0.52, 0.44, 0.41, 0.58, 0.30]
    found = forecast_metrics(
        dates=np.arange(10),
        log_return=(2 * up - 1) * 0.01,
        forecast=np.zeros(10),
        probability_up=p,
        direction=np.ones(10, dtype=np.int8),
        prevailing_mean=np.zeros(10),
    )
    assert found["brier"] == pytest.approx(0.18024)


UP = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0])
SAID = np.array([0.62, 0.48, 0.55, 0.71, 0.35, 0.52, 0.44, 0.41, 0.58, 0.30])


def test_worked_classes() -> None:
    """Ten calls by hand: 4 of 5 rises and 4 of 5 falls are called."""
    assert log_loss(UP, SAID) == pytest.approx(0.54871, abs=5e-6)
    assert auc(UP, SAID) == pytest.approx(0.92)
    assert brier_skill(UP, SAID) == pytest.approx(0.27904, abs=5e-6)
    assert matthews(UP, SAID > 0.5) == pytest.approx(0.6)


@pytest.mark.parametrize("seed", range(3))
def test_classes_agree_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    up = rng.integers(0, 2, 400)
    said = np.round(np.clip(0.5 + 0.1 * (up - 0.5) + rng.normal(0, 0.2, 400), 0, 1), 2)

    clipped = np.clip(said, 1e-6, 1 - 1e-6)
    assert log_loss(up, said) == pytest.approx(sk.log_loss(up, clipped))
    assert auc(up, said) == pytest.approx(sk.roc_auc_score(up, said))
    assert brier_skill(up, said) == pytest.approx(sk.d2_brier_score(up, said))
    assert matthews(up, said > 0.5) == pytest.approx(sk.matthews_corrcoef(up, said > 0.5))


def test_classes_without_both_say_nothing() -> None:
    assert log_loss([], []) is None
    for undefined in (auc, brier_skill, matthews):
        assert undefined([], []) is None
        assert undefined([1, 1], [0.0, 1.0]) is None
    assert matthews([1, 0], [1, 1]) is None
    with pytest.raises(InvalidRequest):
        matthews([1, 0], [0.5, 1])
    for judged in (log_loss, auc, brier_skill):
        with pytest.raises(InvalidRequest):
            judged([1, 0], [0.5, 1.5])


@pytest.mark.parametrize(
    ("share", "n"), [(0.51, 19_620), (0.52, 4_904), (0.53, 2_178), (0.55, 783), (0.45, 783)]
)
def test_worked_rows_needed(share: float, n: int) -> None:
    assert rows_needed(share) == n
    assert rows_needed(0.5) is None
    assert rows_needed(None) is None
    with pytest.raises(InvalidRequest):
        rows_needed(1.5)
    with pytest.raises(InvalidRequest):
        rows_needed(0.6, power=1.0)


def test_as_many_rows_find_it_as_often_as_said() -> None:
    """Of 4,000 samples of that size, four in five reject one half."""
    n = int(rows_needed(0.55) or 0)
    share = np.random.default_rng(0).binomial(n, 0.55, 4000) / n

    found = np.mean(np.abs(share - 0.5) / np.sqrt(0.25 / n) > 1.96)

    assert found == pytest.approx(0.8, abs=0.025)


def test_worked_rank_ic(reference: dict[str, object]) -> None:
    """Seed 7, 6 dates of 20 names: .12657."""
    rng = np.random.default_rng(7)
    dates, score = np.repeat(np.arange(6), 20), rng.normal(size=120)
    y = 0.1 * score + rng.normal(size=120)
    order = np.random.default_rng(0).permutation(120)

    found = forecast_metrics(
        dates=dates[order],
        log_return=y[order],
        forecast=score[order],
        probability_up=None,
        direction=np.zeros(120, dtype=np.int8),
        prevailing_mean=np.zeros(120),
    )["information_coefficient"]

    assert found == pytest.approx(0.1265664, abs=5e-8)
    assert found == pytest.approx(reference["ic_by_date"](dates, score, y).mean())


def test_rank_ic_with_ties_and_thin_dates(reference: dict[str, object]) -> None:
    rng = np.random.default_rng(3)
    dates = rng.integers(0, 60, 500)
    f, y = rng.normal(size=500).round(1), rng.normal(size=500).round(1)
    f[dates == 7] = 0.3  # a date where the forecast does not vary
    found = forecast_metrics(
        dates=dates,
        log_return=y,
        forecast=f,
        probability_up=None,
        direction=np.zeros(500, dtype=np.int8),
        prevailing_mean=np.zeros(500),
    )["information_coefficient"]
    assert found == pytest.approx(reference["ic_by_date"](dates, f, y).mean())


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 300
    y, f = rng.normal(0, 0.02, n), rng.normal(0, 0.01, n)
    direction, p = rng.integers(-1, 2, n), rng.uniform(size=n)
    y[rng.random(n) < 0.05] = 0.0
    judged = (direction != 0) & (y != 0)
    truth, called = y[judged] > 0, direction[judged] > 0

    found = forecast_metrics(
        dates=np.repeat(np.arange(n // 10), 10),
        log_return=y,
        forecast=f,
        probability_up=p,
        direction=direction,
        prevailing_mean=np.zeros(n),
    )

    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(y, f))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, f))
    assert found["r2"] == pytest.approx(sk.r2_score(y, f))
    assert found["mape"] == pytest.approx(sk.mean_absolute_percentage_error(np.exp(y), np.exp(f)))
    assert found["brier"] == pytest.approx(sk.brier_score_loss(y > 0, p))
    assert found["directional_accuracy"] == pytest.approx(sk.accuracy_score(truth, called))
    assert found["precision"] == pytest.approx(sk.precision_score(truth, called))
    assert found["recall"] == pytest.approx(sk.recall_score(truth, called))
    assert found["coverage_of_calls"] == pytest.approx(np.mean(direction != 0))


def test_one_row_a_cluster_is_the_t_interval() -> None:
    x = np.random.default_rng(1).normal(0.2, 1, 40)
    low, high = stats.t.interval(0.9, 39, x.mean(), stats.sem(x))
    found = clustered_mean(x, np.arange(40), confidence=0.9)
    assert (found.mean, found.low, found.high) == pytest.approx((x.mean(), low, high))


def test_clusters_agree_with_the_reference(reference: dict[str, object]) -> None:
    rng = np.random.default_rng(2)
    days = rng.integers(0, 30, 400)
    x = rng.normal(size=400) + rng.normal(size=30)[days]
    se, _, _ = reference["cluster_mean_se"](x, days)
    found = clustered_mean(x, days)
    assert found.n_clusters == 30
    assert found.se == pytest.approx(se * np.sqrt(30 / 29))


@pytest.mark.parametrize("lags", [1, 4, 19])
def test_lags_agree_with_the_larger_of_two_kernels(reference: dict[str, object], lags: int) -> None:
    """Hansen-Hodrick's, or Newey-West's where that is wider, with one label in lags + 1 counted."""
    x = np.convolve(np.random.default_rng(3).normal(size=219), np.ones(20) / 20, "valid") + 0.1
    found = clustered_mean(x, np.arange(200), lags=lags)
    newey_west = x.mean() / reference["nw_tstat"](x, lags)
    e = x - x.mean()
    equal = e @ e + 2 * sum(e[k:] @ e[:-k] for k in range(1, lags + 1))
    hansen_hodrick = np.sqrt(max(equal, 0.0)) / 200
    assert found.se == pytest.approx(max(newey_west, hansen_hodrick) * np.sqrt(200 / 199))
    reach = stats.t.ppf(0.975, 200 / (lags + 1) - 1) * found.se
    assert (found.low, found.high) == pytest.approx((x.mean() - reach, x.mean() + reach))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(6, 8, 0.409, 0.929), (130, 250, 0.458, 0.581), (530, 1000, 0.499, 0.561)],
)
def test_worked_wilson(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-4)
    exact = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((exact.low, exact.high))


def test_paired_accuracy_by_hand() -> None:
    """Differences 0, +1, -1/2 and 0; the row that did not move is out."""
    found = paired_accuracy(
        np.arange(5), [0.1, -0.1, 0.1, -0.1, 0.0], [1, -1, 0, 1, 1], [1, 1, 1, 1, -1]
    )
    assert (found.mean, found.n) == (0.125, 4)
    assert found.se == pytest.approx(stats.sem([0, 1, -0.5, 0]))


def test_worked_trading() -> None:
    found = trading_metrics(R, np.full(8, 0.25), periods_per_year=1)
    assert found["sharpe"] == pytest.approx(0.159209, abs=5e-7)
    assert found["sortino"] == pytest.approx(0.242821, abs=5e-7)
    assert found["max_drawdown"] == pytest.approx(-0.035141, abs=5e-7)
    assert found["turnover"] == 0.25
    assert found["hit_rate"] == 0.625


def test_trading_agrees_with_the_reference(reference: dict[str, object]) -> None:
    r = np.random.default_rng(5).standard_t(4, 750) * 0.01 + 0.0005
    found = trading_metrics(r, np.ones(750))
    year, wealth = np.sqrt(252), np.prod(1 + r)
    sharpe, se = reference["sharpe"](r) * year, reference["mertens_se"](r) * year
    assert found["sharpe"] == pytest.approx(sharpe)
    assert found["sharpe_ci"] == pytest.approx(
        [sharpe - stats.norm.ppf(0.975) * se, sharpe + stats.norm.ppf(0.975) * se]
    )
    assert found["max_drawdown"] == pytest.approx(reference["drawdown"](r)[0])
    assert found["volatility"] == pytest.approx(r.std(ddof=1) * year)
    assert found["roi"] == pytest.approx(wealth - 1)
    assert found["cagr"] == pytest.approx(wealth ** (252 / 750) - 1)


def test_the_first_day_can_be_a_drawdown() -> None:
    assert trading_metrics([-0.10, 0.05, 0.02], np.zeros(3))["max_drawdown"] == pytest.approx(-0.1)


def test_split_conformal_keeps_its_promise() -> None:
    """Over 2,000 exchangeable draws each tail misses at most its half, and not much less."""
    rng = np.random.default_rng(11)
    below = above = 0
    for _ in range(2000):
        scale = rng.uniform(0.5, 2, 151)
        z = rng.standard_t(3, 151) - 0.3
        calibration = fit_calibration(z[:150] * scale[:150], scale[:150], 0.8)
        low, high = bounds([1.0], scale[150:], calibration)
        outcome = 1.0 + z[150] * scale[150]
        below += outcome < low[0]
        above += outcome > high[0]
    assert 0.08 < below / 2000 < 0.115
    assert 0.08 < above / 2000 < 0.115


def test_coverage_is_judged_on_earlier_folds_only() -> None:
    """A widening spread is missed fold after fold; one calibration over all would hide it."""
    rng = np.random.default_rng(12)
    fold = np.repeat(np.arange(4), 500)
    errors = rng.normal(size=2000) * 2.0**fold
    share, n = sequential_coverage(fold, errors, np.ones(2000))
    assert n == 1500
    assert share < 0.7
    order = rng.permutation(2000)
    assert sequential_coverage(fold[order], errors[order], np.ones(2000)) == (share, n)
