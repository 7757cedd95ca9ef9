"""Laws of the gates: more evidence of skill never harms, and scale says nothing."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwether.evaluation.gate_earned import Earned, beyond, earned
from bellwether.evaluation.gate_policy import Policy
from bellwether.evaluation.gate_skill import beats_baselines, deflated_gate, stability_gate
from bellwether.evaluation.gate_worlds import World, drawn, market, strategies

POLICY = Policy(reps=100)
N = 504
SEEDS = st.integers(0, 10_000)


def world(seed: int, more: float = 0.0, scale: float = 1.0, n_trials: int = 4) -> Earned:
    rng = np.random.default_rng(seed)
    held = rng.standard_t(4, N) * 0.01
    mine = rng.standard_t(4, N) * 0.008 + 0.3 * held
    return earned(
        net=scale * (mine + more),
        baselines={"up": held, "cash": np.zeros(N)},
        trials=rng.standard_t(4, (N, 3)) * 0.01,
        n_trials=n_trials,
        folds=np.arange(N) // 126,
        regimes=np.arange(N) % 2,
        regime_names=("even", "odd"),
    )


@settings(max_examples=25)
@given(SEEDS, st.floats(0, 0.002))
def test_earning_more_each_day_never_harms(seed: int, more: float) -> None:
    before, after = world(seed), world(seed, more)
    one, two = beats_baselines(before, POLICY), beats_baselines(after, POLICY)
    if (one.p or 0) < 0.5:  # beyond it Hansen's centring leaves out who could not have been best
        assert (two.p or 0) <= (one.p or 0) + 1e-12
    assert (one.state, two.state) != ("passed", "failed")
    one, two = deflated_gate(before, POLICY), deflated_gate(after, POLICY)
    assert (two.value or 0) >= (one.value or 0) - 1e-9
    one, two = stability_gate(before, POLICY), stability_gate(after, POLICY)
    assert (two.value or 0) >= (one.value or 0)


@settings(max_examples=25)
@given(SEEDS, st.integers(4, 500), st.integers(0, 500))
def test_more_trials_never_help(seed: int, n: int, more: int) -> None:
    few, many = (
        deflated_gate(world(seed, 0.0005, n_trials=k), POLICY).value for k in (n, n + more)
    )
    assert few is not None
    assert many is not None
    assert many <= few + 1e-12


@settings(max_examples=15)
@given(SEEDS, st.floats(0.01, 100))
def test_leverage_changes_no_verdict(seed: int, scale: float) -> None:
    for gate in (beats_baselines, deflated_gate, stability_gate):
        one, two = gate(world(seed), POLICY), gate(world(seed, scale=scale), POLICY)
        assert one.state == two.state


@settings(max_examples=25)
@given(SEEDS, st.floats(-3, 3), st.floats(-0.01, 0.01))
def test_exposure_to_a_baseline_is_taken_out_whole(seed: int, much: float, more: float) -> None:
    rng = np.random.default_rng(seed)
    b, r = rng.normal(0, 0.01, (2, 200))
    left = beyond(r, b)
    assert np.allclose(beyond(r + much * b + more, b), left + more, atol=1e-12)
    assert abs(np.cov(left, b)[0, 1]) < 1e-12


@settings(max_examples=5)
@given(SEEDS)
def test_worlds_come_from_their_seed_and_are_as_told(seed: int) -> None:
    told = World(years=2, symbols=6, strategies=3)
    one, two = drawn(told, (seed, 1)), drawn(told, (seed, 1))
    assert one.net.tobytes() == two.net.tobytes()
    assert not np.array_equal(one.net, drawn(told, (seed, 2)).net)
    assert (one.trials.shape, one.n_trials) == ((504, 2), 3)


def test_markets_have_fat_tails_clusters_and_names_that_move_together() -> None:
    rng = np.random.default_rng(0)
    returns = market(World(years=20, symbols=20, market_sharpe=0.5), rng)
    held = returns.mean(axis=1)
    z = (held - held.mean()) / held.std()
    assert (z**4).mean() > 5
    size = np.abs(z) - np.abs(z).mean()
    assert (size[1:] @ size[:-1]) / (size @ size) > 0.1
    alike = np.corrcoef(returns.T)
    assert 0.1 < alike[np.triu_indices(20, 1)].mean() < 0.6
    net = strategies(World(years=20, strategies=4), returns - returns.mean(axis=0), rng)
    assert (np.abs(net.mean(axis=0) / net.std(axis=0)) * np.sqrt(252) < 1.0).all()
