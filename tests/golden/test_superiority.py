"""Tests over many models: the same samples given to `arch` and to us give the same answers."""

import numpy as np
import pytest
from arch.bootstrap import MCS, SPA, StationaryBootstrap, StepM

from bellwether.evaluation.confidence_set import confidence_set, eliminate
from bellwether.evaluation.resampling import resampled_means
from bellwether.evaluation.superiority import long_run_sd, spa_p, stepwise_p, superiority

N, K, BLOCK, REPS = 250, 6, 5, 400
Floats = np.ndarray


def losses(seed: int) -> Floats:
    """Return losses of K models that depend on the past and on each other; some are better."""
    rng = np.random.default_rng(seed)
    shocks = rng.normal(size=(N + 1, K)) + rng.normal(size=(N + 1, 1))
    return shocks[1:] + 0.5 * shocks[:-1] + np.array([0.0, 0.05, 0.1, 0.4, 0.5, 1.0])


def arch_means(x: Floats, seed: int) -> Floats:
    drawn = StationaryBootstrap(BLOCK, np.arange(len(x)), seed=seed)
    return np.array([x[data[0][0]].mean(axis=0) for data in drawn.bootstrap(REPS)])


def with_one(share: float) -> float:
    """Return a share of samples as (1 + count) / (1 + samples)."""
    return (1 + round(share * REPS)) / (1 + REPS)


@pytest.mark.parametrize("seed", range(4))
def test_spa_of_scaled_differentials_is_archs(seed: int) -> None:
    given = losses(seed)
    d = given[:, [3]] - given[:, [0, 1, 2, 4, 5]]
    d /= long_run_sd(d, BLOCK)
    theirs = SPA(np.zeros(N), -d, block_size=BLOCK, reps=REPS, seed=seed)
    theirs.compute()

    assert spa_p(d.mean(axis=0), arch_means(d, seed), N) == pytest.approx(
        [with_one(share) for share in theirs.pvalues]
    )


@pytest.mark.parametrize("seed", range(3))
def test_stepwise_choice_is_archs(seed: int) -> None:
    given = losses(seed)
    d = given[:, [4]] - given[:, [0, 1, 2, 3, 5]]
    d /= long_run_sd(d, BLOCK)
    theirs = StepM(np.zeros(N), -d, size=0.1, block_size=BLOCK, reps=REPS, seed=seed)
    theirs.compute()
    ours = stepwise_p(d.mean(axis=0), arch_means(d, seed), N)

    assert np.flatnonzero(ours <= 0.1).tolist() == list(theirs.superior_models)


@pytest.mark.parametrize("seed", range(3))
def test_confidence_set_is_archs(seed: int) -> None:
    given = losses(seed)
    theirs = MCS(given, size=0.1, reps=REPS, block_size=BLOCK, method="R", seed=seed)
    theirs.compute()
    means = given.mean(axis=0)
    ours = eliminate(means, arch_means(given, seed) - means, 0.1)
    wanted = np.ones(K)
    for model, p in theirs.pvalues["Pvalue"].items():
        wanted[model] = with_one(p)
    wanted[ours.left[-1]] = 1.0

    assert ours.left == tuple(theirs.pvalues.index)
    assert ours.p == pytest.approx(wanted)
    assert ours.included == tuple(theirs.included)


def test_long_run_sd_is_archs_and_that_of_the_samples() -> None:
    d = losses(0)
    theirs = SPA(np.zeros(N), -d, block_size=BLOCK, reps=1, seed=0)
    theirs.compute()
    drawn = resampled_means(d, BLOCK, 20_000, seed=3) * np.sqrt(N)

    assert long_run_sd(d, BLOCK) == pytest.approx(np.sqrt(theirs._loss_diff_var))
    assert long_run_sd(d, BLOCK) == pytest.approx(drawn.std(axis=0), rel=0.03)


def test_by_hand_with_three_models_and_four_samples() -> None:
    means = np.array([0.5, 0.4, -9.0])  # the last could never be best and stands at 0
    drawn = np.array([[0.9, 0.2, -9.5], [0.5, 0.9, -8.0], [1.2, 0.3, -9.0], [0.4, 0.4, -9.0]])
    # consistent: max of [.4 -.2 -9.5] [0 .5 -8] [.7 -.1 -9] [-.1 0 -9] = .4 .5 .7 0; two reach .5
    # upper: max of [.4 -.2 -.5] [0 .5 1] [.7 -.1 0] [-.1 0 0] = .4 1 .7 0; two reach .5
    assert spa_p(means, drawn, 100) == pytest.approx((3 / 5, 3 / 5, 3 / 5))
    # model 1 against itself and 2: -.2 .5 -.1 0; one reaches .4, but p never falls;
    # model 2 alone: -9.5 -8 -9 -9; three reach -9
    assert stepwise_p(means, drawn, 100) == pytest.approx((3 / 5, 3 / 5, 4 / 5))


def test_a_noisy_useless_model_does_not_hide_a_good_one() -> None:
    """The planted case that arch 8.0.0 misses, for it ignores `studentize`."""
    rng = np.random.default_rng(3)
    good, wild = rng.normal(0.15, 1, 500), rng.normal(0, 60, 500)
    d = np.column_stack([good, wild])
    theirs = SPA(np.zeros(500), -d, block_size=1, reps=REPS, studentize=True, seed=0)
    theirs.compute()
    found = superiority(d, block=1, seed=0, reps=REPS)

    assert theirs.pvalues["consistent"] > 0.2
    assert found.reality_check > 0.2
    assert found.spa < 0.01
    assert found.best == 0


@pytest.mark.slow
def test_level_holds_on_noise() -> None:
    """Under the null, dependent in time: SPA at 5 % and the confidence set at 10 %."""
    rejected = kept = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        e = rng.normal(size=(501, 10)) + rng.normal(size=(501, 1))
        d = e[1:] + 0.5 * e[:-1]
        rejected += superiority(d, block=8, seed=seed, reps=300).spa <= 0.05
        kept += 0 in confidence_set(d, block=8, seed=seed, reps=300).included

    assert rejected / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert kept / 400 > 0.9 - 3 * np.sqrt(0.1 * 0.9 / 400)
