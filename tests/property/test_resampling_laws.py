"""Laws of block bootstraps and circular shifts."""

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap, StationaryBootstrap, optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.resampling import (
    KINDS,
    bootstrap_interval,
    optimal_block,
    positions,
    resampled_means,
)
from bellwether.evaluation.shifting import shift_test

SEEDS = st.integers(0, 2**32 - 1)
ARCH = {"stationary": StationaryBootstrap, "circular": CircularBlockBootstrap}


def ar1(seed: int, n: int, rho: float) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=n)
    for i in range(1, n):
        e[i] += rho * e[i - 1]
    return e


def product(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.nanmean(a * b))


@given(st.integers(1, 40), st.integers(1, 40), SEEDS, st.sampled_from(KINDS))
def test_samples_are_blocks_of_dates_that_follow_each_other(
    n: int, block: int, seed: int, kind: str
) -> None:
    block = min(block, n)
    drawn = np.concatenate(list(positions(n, block, 20, seed, kind)))
    follows = (drawn[:, 1:] - drawn[:, :-1]) % n == 1 % n

    assert drawn.shape == (20, n)
    assert drawn.min() >= 0
    assert drawn.max() < n
    if kind == "circular":
        inside = np.arange(1, n) % block != 0
        assert follows[:, inside].all()
    if block == n:
        assert kind == "stationary" or follows.all()


def test_mean_block_is_what_was_asked_for() -> None:
    drawn = np.concatenate(list(positions(400, 8, 500, 1)))
    breaks = ((drawn[:, 1:] - drawn[:, :-1]) % 400 != 1).mean()

    assert breaks == pytest.approx(1 / 8 * (1 - 1 / 400), rel=0.03)
    assert np.bincount(drawn.ravel()).std() / 500 < 0.15  # every date as often


@given(SEEDS, st.integers(2, 30), st.sampled_from(KINDS))
def test_means_are_those_of_the_positions(seed: int, n: int, kind: str) -> None:
    x = np.random.default_rng(seed).normal(size=(n, 3))
    block = max(1, n // 3)
    drawn = np.concatenate(list(positions(n, block, 7, seed, kind)))

    assert resampled_means(x, block, 7, seed, kind) == pytest.approx(x[drawn].mean(axis=1))


@settings(max_examples=30)
@given(SEEDS, st.floats(-5, 5), st.floats(0.1, 10))
def test_intervals_move_and_stretch_with_the_series(seed: int, by: float, scale: float) -> None:
    x = ar1(seed, 40, 0.3)
    plain = bootstrap_interval(x, np.mean, block=3, seed=5, reps=99)
    moved = bootstrap_interval(by + scale * x, np.mean, block=3, seed=5, reps=99)

    assert plain.low <= plain.high
    assert (moved.low, moved.high) == pytest.approx(
        (by + scale * plain.low, by + scale * plain.high)
    )
    assert moved.se == pytest.approx(scale * plain.se)
    assert bootstrap_interval(x, np.mean, block=3, seed=5, reps=99) == plain


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_are_archs_but_for_chance(kind: str) -> None:
    x = ar1(1, 300, 0.5)
    ours = bootstrap_interval(x, np.mean, block=6, seed=0, reps=4000, kind=kind)
    theirs = ARCH[kind](6, x, seed=1).conf_int(
        lambda v: np.array([v.mean()]), 4000, method="percentile"
    )
    width = float(theirs[1, 0] - theirs[0, 0])

    assert ours.low == pytest.approx(theirs[0, 0], abs=0.06 * width)
    assert ours.high == pytest.approx(theirs[1, 0], abs=0.06 * width)


def test_blocks_widen_the_interval_of_a_dependent_series() -> None:
    x = ar1(3, 500, 0.8)
    single = bootstrap_interval(x, np.mean, block=1, seed=0, reps=500)
    blocks = bootstrap_interval(x, np.mean, block=optimal_block(x), seed=0, reps=500)

    assert blocks.se > 1.8 * single.se


def test_optimal_block_is_archs_rounded_up_and_never_below_the_horizon() -> None:
    x = np.column_stack([ar1(1, 400, 0.7), ar1(2, 400, 0.0), np.ones(400)])
    theirs = optimal_block_length(x[:, :2])

    for kind in KINDS:
        assert optimal_block(x, kind=kind) == int(np.ceil(theirs[kind].max()))
    assert optimal_block(x[:, 1], horizon=21) == 21
    assert optimal_block(np.ones(50)) == 1
    assert optimal_block([1.0, 2.0], horizon=9) == 2


def test_undefined_samples_are_counted_and_end_the_interval() -> None:
    x = np.arange(30.0)

    def fickle(v: np.ndarray) -> float:
        return float("nan") if v[0] < 15 else float(v.mean())

    found = bootstrap_interval(x[::-1].copy(), fickle, block=2, seed=0, reps=200)

    assert 60 < found.undefined < 140
    assert (found.se, found.low, found.high) == (None, None, None)


@given(SEEDS, st.integers(12, 60), st.integers(1, 3))
def test_shift_p_values_are_shares(seed: int, n: int, least: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(n, 2))
    found = shift_test(x, y, product, least_shift=least, seed=0)
    null = [product(x, np.roll(y, s, axis=0)) for s in range(least, n - least + 1)]
    wanted = (1 + sum(abs(v) >= abs(product(x, y)) for v in null)) / (1 + len(null))
    some = shift_test(x, y, product, least_shift=least, seed=1, shifts=5)

    assert found.exact
    assert found.shifts == n - 2 * least + 1
    assert found.p == pytest.approx(wanted)
    assert (some.exact, some.shifts) == (False, 5)
    assert 1 / 6 <= some.p <= 1


def test_shifts_keep_their_level_where_permuted_dates_find_too_much() -> None:
    """Two independent series with memory, 200 times: the claim is 5 %."""
    shifted = permuted = 0
    for seed in range(200):
        x, y = ar1(seed, 200, 0.8), ar1(seed + 1000, 200, 0.8)
        x, y = x - x.mean(), y - y.mean()
        shifted += shift_test(x, y, product, seed=0, shifts=199).p <= 0.05
        rng = np.random.default_rng(seed)
        null = np.array([product(x, rng.permutation(y)) for _ in range(99)])
        permuted += (1 + (np.abs(null) >= abs(product(x, y))).sum()) / 100 <= 0.05

    assert shifted <= 0.05 * 200 + 3 * np.sqrt(0.05 * 0.95 * 200)
    assert permuted > 50


@pytest.mark.slow
@pytest.mark.parametrize(("least", "level"), [(1, 0.074), (20, 0.118)])
def test_level_of_shifts_is_what_the_documentation_says(least: int, level: float) -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(1000):
        x, y = (lfilter([1], [1, -0.95], rng.normal(size=700))[500:] for _ in range(2))
        test = shift_test(x - x.mean(), y - y.mean(), product, seed=0, least_shift=least)
        found += test.p <= 0.05

    assert found / 1000 == pytest.approx(level, abs=0.003)


def test_a_real_tie_is_found() -> None:
    x = np.random.default_rng(0).normal(size=(300, 4))
    y = 0.3 * x + np.random.default_rng(1).normal(size=(300, 4))
    y[5, 2] = np.nan

    assert shift_test(x, y, product, least_shift=10, seed=0, two_sided=False).p < 0.01


def test_what_cannot_be_drawn_is_refused() -> None:
    x = np.arange(10.0)
    for call in (
        lambda: optimal_block([]),
        lambda: optimal_block([1.0, np.nan]),
        lambda: optimal_block(x, horizon=0),
        lambda: optimal_block(x, kind="moving"),
        lambda: list(positions(10, 0, 1, 0)),
        lambda: list(positions(10, 11, 1, 0)),
        lambda: list(positions(10, 2, 0, 0)),
        lambda: list(positions(10, 2, 10**7, 0)),
        lambda: list(positions(10, 2, 1, -1)),
        lambda: list(positions(10, 2, 1, 0, "moving")),
        lambda: bootstrap_interval([1.0], np.mean, block=1, seed=0),
        lambda: bootstrap_interval([1.0, np.inf], np.mean, block=1, seed=0),
        lambda: bootstrap_interval(x, np.mean, block=1, seed=0, confidence=1.0),
        lambda: bootstrap_interval(np.zeros((2, 2, 2)), np.mean, block=1, seed=0),
        lambda: shift_test(x, x[1:], product, least_shift=1, seed=0),
        lambda: shift_test(x, x, product, least_shift=0, seed=0),
        lambda: shift_test(x, x, product, least_shift=6, seed=0),
        lambda: shift_test(x[:1], x[:1], product, least_shift=1, seed=0),
        lambda: shift_test(x, x * np.nan, lambda a, b: float(a @ b), least_shift=1, seed=0),
    ):
        with pytest.raises(InvalidRequest):
            call()
