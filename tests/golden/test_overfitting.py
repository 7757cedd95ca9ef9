"""Deflated Sharpe ratios and overfitting against the paper, by hand and against references."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests

from bellwether.evaluation.adjusted import adjusted_p
from bellwether.evaluation.backtest_overfitting import overfitting_probability
from bellwether.evaluation.overfitting import (
    deflated_p,
    deflated_sharpe,
    effective_trials,
    expected_maximum,
    luck_variance,
)

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
PAPER = {"sharpe": 2.5 / 250**0.5, "dates": 1250, "variance": 0.5 / 250}
P = [0.001, 0.008, 0.039, 0.041, 0.27, 0.6]


def test_example_of_bailey_and_lopez_de_prado() -> None:
    odd, normal = {"skewness": -3, "kurtosis": 10}, {"skewness": 0, "kurtosis": 3}

    assert expected_maximum(0.5 / 250, 100) == pytest.approx(0.1131720, abs=1e-7)
    assert deflated_p(**PAPER, **odd, trials=100) == pytest.approx(0.9003968, abs=1e-6)
    assert deflated_p(**PAPER, **odd, trials=46) == pytest.approx(0.9505017, abs=1e-6)
    assert deflated_p(**PAPER, **normal, trials=88) == pytest.approx(0.950491, abs=1e-6)


@pytest.mark.parametrize(("trials", "off"), [(2, -0.079), (5, 0.025), (100, 0.009), (1000, 0.004)])
def test_how_far_the_theorem_is_from_the_exact_mean(trials: int, off: float) -> None:
    def density(z: float) -> float:
        return z * trials * stats.norm.pdf(z) * stats.norm.cdf(z) ** (trials - 1)

    exact, _ = integrate.quad(density, -10, 10)

    assert expected_maximum(1.0, trials) / exact - 1 == pytest.approx(off, abs=1e-3)


def test_luck_of_five_years_by_number_of_trials() -> None:
    annual = [np.sqrt(252) * expected_maximum(1 / 1260, n) for n in (2, 5, 10, 50, 100, 1000)]

    assert np.round(annual, 2).tolist() == [0.23, 0.53, 0.70, 1.02, 1.13, 1.46]


def test_best_of_fifty_noise_strategies_is_put_in_its_place() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (1000, 50))
    best = int(np.argmax(noise.mean(axis=0) / noise.std(axis=0, ddof=1)))
    found = deflated_sharpe(noise, best, trials=50)
    ratios = noise.mean(axis=0) / noise.std(axis=0, ddof=1)
    mine = noise[:, best]
    shape = {"skewness": stats.skew(mine), "kurtosis": stats.kurtosis(mine, fisher=False)}
    printed = deflated_p(
        sharpe=ratios[best], dates=1000, variance=np.var(ratios, ddof=1), trials=50, **shape
    )

    assert found.sharpe * np.sqrt(252) == pytest.approx(1.24, abs=0.005)
    assert printed == pytest.approx(0.456, abs=5e-4)  # with V over all, as the paper has it
    assert found.variance == pytest.approx(np.var(np.delete(ratios, best), ddof=1))
    assert printed < found.p < found.p_effective < 0.55


def test_the_variance_of_luck_by_hand() -> None:
    """Ratios of the others are 1 and 3: V = 2; three alike vary too little, and the floor holds."""
    one, other = np.array([0.0, 2.0, 0.0, 2.0]), np.array([2.0, 4.0, 2.0, 4.0])
    sd = one.std(ddof=1)
    judged = np.array([1.0, 1.0, -1.0, -1.0])  # unlike both
    assert luck_variance(np.column_stack([judged, one, other])) == pytest.approx(2 / sd**2)
    alike = np.column_stack([one, one, one])
    assert luck_variance(alike) == pytest.approx(0.0, abs=1e-12)
    # a third that goes against two copies: mean correlation -1/3, (1 + 1/3) / 3
    against = np.column_stack([one, one, 2 - one])
    assert luck_variance(against) == pytest.approx(4 / 9)


def test_effective_trials_by_eigenvalues() -> None:
    rng = np.random.default_rng(4)
    own, common = rng.normal(size=(1000, 20)), rng.normal(size=(1000, 1))
    for x in (own, common + 0.3 * own, own[:15]):
        values = np.linalg.eigvalsh(np.corrcoef(x, rowvar=False))
        assert effective_trials(x) == pytest.approx(values.sum() ** 2 / (values**2).sum())


def test_overfitting_by_hand() -> None:
    # two blocks of two dates; ratios are 2.12, 1.41, 0.71 in the first and -2.12, 1.41, 0.71 after
    x = np.array([[2.0, 1, 0], [4, 3, 1], [-4, 1, 0], [-2, 3, 1]])
    found = overfitting_probability(x, blocks=2)
    # the first half's winner, trial 0, is 1st of 3 from below in the second, logit log(1 / 3);
    # the second half's winner, trial 1, is 2nd in the first, logit log(2 / 2) = 0, which counts

    assert found.splits == 2
    assert found.probability == 1.0
    assert found.loss == 0.5
    assert found.median_logit == pytest.approx(np.log(1 / 3) / 2)


@pytest.mark.parametrize(("blocks", "skill"), [(10, 0.0), (8, 0.1), (6, 0.2)])
def test_overfitting_agrees_with_the_reference(blocks: int, skill: float) -> None:
    if not REFERENCE.exists():
        pytest.skip("the reference formulas lie in ../shared/reference")
    reference = runpy.run_path(str(REFERENCE))
    x = np.random.default_rng(7).normal(0, 0.01, (500 // blocks * blocks, 20))
    x[:, 3] += 0.01 * skill
    wanted, logits, pairs = reference["pbo_cscv"](x, blocks)
    found = overfitting_probability(x, blocks)

    assert found.probability == wanted
    assert found.median_logit == pytest.approx(np.median(logits))
    assert found.loss == np.mean(pairs[:, 1] < 0)


def test_published_noise_of_the_verdict_and_its_power() -> None:
    noise = [np.random.default_rng(s).normal(0, 0.01, (1000, 50)) for s in range(12)]
    found = [overfitting_probability(x).probability for x in noise]
    noise[0][:, 0] += 3 / np.sqrt(252) * 0.01

    assert found[0] == pytest.approx(0.3293651, abs=1e-7)
    assert np.mean(found) == pytest.approx(0.502, abs=5e-4)
    assert (round(min(found), 2), round(max(found), 2)) == (0.33, 0.76)
    assert overfitting_probability(noise[0]).probability < 0.05


def test_noise_of_the_verdict_is_what_the_documentation_says() -> None:
    found = np.array(
        [
            overfitting_probability(
                np.random.default_rng(s).normal(0, 0.01, (1000, 50))
            ).probability
            for s in range(200)
        ]
    )

    assert found.mean() == pytest.approx(0.5, abs=0.01)
    assert found.std(ddof=1) == pytest.approx(0.18, abs=0.005)
    assert np.quantile(found, [0.05, 0.95]) == pytest.approx([0.22, 0.81], abs=0.005)


def test_adjusted_p_values() -> None:
    assert adjusted_p(P, "bh") == pytest.approx([0.006, 0.024, 0.0615, 0.0615, 0.324, 0.6])
    assert adjusted_p(P, "by")[:3] == pytest.approx([0.0147, 0.0588, 0.1507], abs=5e-5)
    assert adjusted_p(P, "holm") == pytest.approx([0.006, 0.04, 0.156, 0.156, 0.54, 0.6])
    for ours, theirs in (("bh", "fdr_bh"), ("by", "fdr_by"), ("holm", "holm")):
        assert adjusted_p(P, ours) == pytest.approx(multipletests(P, method=theirs)[1])
