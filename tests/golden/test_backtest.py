"""The worked backtest, and the simulator beside the reference on random markets."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from bellwether.backtest.costs import Costs
from bellwether.backtest.simulate import simulate, targets_from_directions

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
OPEN = [100.0, 101, 99, 102, 103, 101]
CLOSE = [100.5, 100, 101, 103, 102, 102]
TARGET = [0.0, 1, 1, -1, -1, 0]
DEAR_BORROW = Costs(borrow_bps_per_year=300.0)


def test_worked_example() -> None:
    done = simulate(OPEN, CLOSE, TARGET, DEAR_BORROW)

    assert done.position.tolist() == [0, 0, 1, 1, -1, -1]
    assert done.net == pytest.approx([0, 0, 0.019902, 0.019802, 0.008990, -0.000313], abs=5e-7)
    assert np.prod(1 + done.net) - 1 == pytest.approx(0.049120, abs=5e-7)
    assert done.switched_off == ("impact",)


def test_worked_example_by_hand() -> None:
    """The reversal at the fifth open: 2 units traded, one short day borrowed."""
    done = simulate(OPEN, CLOSE, TARGET, DEAR_BORROW)

    assert done.turnover.tolist() == [0, 0, 1, 0, 2, 0]
    assert done.cost_commission[4] == pytest.approx(2 * 1e-4)
    assert done.cost_spread[4] == pytest.approx(2 * 2e-4)
    assert done.cost_borrow[4] == pytest.approx(0.03 / 252)
    assert done.gross[4] == pytest.approx((103 / 103) * (1 - (102 / 103 - 1)) - 1)


def test_square_root_impact_by_hand() -> None:
    """1% of a day's volume at 2% volatility concedes 20 bps of what is traded."""
    costs = Costs(capital_usd=1e5)
    sigma, volume = np.full(3, 0.02), np.full(3, 1e7)

    done = simulate(
        [1.0, 1, 1], [1.0, 1, 1], [1.0, 0, 0], costs, volatility=sigma, dollar_volume=volume
    )

    assert done.cost_impact.tolist() == pytest.approx([0, 0.0020, 0.0020])
    assert done.net[1] == pytest.approx(-0.0020 - 3e-4)
    assert done.switched_off == ()


def test_impact_uses_what_was_known_at_the_decision() -> None:
    sigma, volume = np.array([0.02, np.nan, np.nan]), np.array([1e7, np.nan, np.nan])
    done = simulate(
        [1.0, 1, 1],
        [1.0, 1, 1],
        [1.0, 1, 0],
        Costs(capital_usd=1e5),
        volatility=sigma,
        dollar_volume=volume,
    )
    assert done.cost_impact.tolist() == pytest.approx([0, 0.0020, 0])


def test_overlapping_tranches_by_hand() -> None:
    calls = np.array([1, -1, 1, 1, 0, -1], dtype=np.int8)
    assert targets_from_directions(calls, 1).tolist() == calls.tolist()
    assert targets_from_directions(calls, 3) == pytest.approx(np.array([1, 0, 1, 1, 2, 0]) / 3)
    assert targets_from_directions(calls, 9) == pytest.approx(np.array([1, 0, 1, 2, 2, 1]) / 9)
    assert targets_from_directions([], 2).tolist() == []


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_reference_on_random_markets(seed: int) -> None:
    pytest.importorskip("pandas")
    if not REFERENCE.is_file():
        pytest.skip("the reference implementations lie in ../shared, which this machine lacks")
    backtest = runpy.run_path(str(REFERENCE))["backtest_next_open"]
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(rng.normal(0, 0.02, 500).cumsum())
    open_ = close * np.exp(rng.normal(0, 0.01, 500))
    target = rng.uniform(-1, 1, 500).round(1)

    done = simulate(open_, close, target, Costs(2.0, 5.0, 50.0, 0.0))

    position, net = backtest(open_, close, target, 2e-4, 5e-4, 50e-4 / 252)
    assert done.position == pytest.approx(position, abs=0)
    assert done.net == pytest.approx(net, abs=1e-14)
