"""Laws of the simulator: nothing for nothing, nothing from the future, and no free costs."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bellwether.backtest.costs import Costs
from bellwether.backtest.simulate import simulate, targets_from_directions
from bellwether.core.errors import InvalidRequest

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
COSTS = ("commission_bps", "half_spread_bps", "borrow_bps_per_year", "impact_coefficient")
FREE = Costs(0.0, 0.0, 0.0, 0.0)

Market = tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]


@st.composite
def markets(draw: st.DrawFn) -> Market:
    n = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    close = 50 * np.exp(rng.normal(0, 0.03, n).cumsum())
    open_ = close * np.exp(rng.normal(0, 0.01, n))
    target = draw(arrays(np.float64, n, elements=st.floats(-1, 1)))
    known = {"volatility": rng.uniform(0.005, 0.05, n), "dollar_volume": rng.uniform(1e6, 1e9, n)}
    return open_, close, target, known


@given(markets())
def test_no_signal_earns_and_costs_nothing(market: Market) -> None:
    open_, close, target, known = market
    done = simulate(open_, close, np.zeros_like(target), Costs(), **known)
    assert not done.net.any()
    assert not done.turnover.any()


@given(markets())
def test_net_is_gross_less_the_named_costs(market: Market) -> None:
    open_, close, target, known = market
    done = simulate(open_, close, target, Costs(), **known)
    costs = done.cost_commission + done.cost_spread + done.cost_impact + done.cost_borrow
    assert done.gross - costs == pytest.approx(done.net, abs=1e-15)
    assert done.cost_commission.sum() == pytest.approx(done.turnover.sum() * 1e-4)


@given(markets(), st.sampled_from(COSTS), st.floats(0, 50))
def test_a_dearer_cost_never_earns_more(market: Market, cost: str, more: float) -> None:
    open_, close, target, known = market
    cheap = simulate(open_, close, target, Costs(), **known)
    dear_costs = replace(Costs(), **{cost: getattr(Costs(), cost) + more})
    dear = simulate(open_, close, target, dear_costs, **known)
    assert (dear.net <= cheap.net + 1e-15).all()
    assert dear.gross.tolist() == cheap.gross.tolist()


@given(markets(), st.data())
def test_the_future_does_not_reach_back(market: Market, data: st.DataObject) -> None:
    open_, close, target, known = market
    t = data.draw(st.integers(0, open_.size - 1))
    rng = np.random.default_rng(t)
    later = np.arange(open_.size) > t
    noise = np.where(later, rng.lognormal(0, 0.5, (3, open_.size)), 1.0)
    other = np.where(later, rng.uniform(-1, 1, open_.size), target)

    told = simulate(open_, close, target, Costs(), **known)
    retold = simulate(
        open_ * noise[0],
        close * noise[1],
        other,
        Costs(),
        volatility=known["volatility"],
        dollar_volume=known["dollar_volume"] * noise[2],
    )

    assert retold.net[: t + 1].tolist() == told.net[: t + 1].tolist()


@given(markets())
def test_a_signal_a_day_late_is_a_position_a_day_late(market: Market) -> None:
    open_, close, target, _ = market
    now = simulate(open_, close, target, FREE)
    late = simulate(open_, close, np.concatenate(([0.0], target[:-1])), FREE)
    assert late.position[1:].tolist() == now.position[:-1].tolist()
    assert now.position[1:].tolist() == target[:-1].tolist()


@pytest.fixture(scope="module")
def reference() -> dict[str, object]:
    pytest.importorskip("pandas")
    if not REFERENCE.is_file():
        pytest.skip("the reference implementations lie in ../shared, which this machine lacks")
    return runpy.run_path(str(REFERENCE))


@given(market=markets(), bps=st.tuples(*[st.floats(0, 100)] * 3))
def test_agrees_with_the_reference(
    reference: dict[str, object], market: Market, bps: tuple[float, float, float]
) -> None:
    open_, close, target, known = market
    commission, spread, borrow = bps
    done = simulate(open_, close, target, Costs(commission, spread, borrow, 0.0), **known)
    position, net = reference["backtest_next_open"](
        open_, close, target, commission * 1e-4, spread * 1e-4, borrow * 1e-4 / 252
    )
    assert done.position.tolist() == position.tolist()
    assert done.net == pytest.approx(net, abs=1e-13)


@given(markets())
def test_costs_switched_off_are_named(market: Market) -> None:
    open_, close, target, known = market
    off = simulate(open_, close, target, FREE, **known)
    assert off.switched_off == ("commission", "spread", "borrow", "impact")
    assert off.net.tolist() == off.gross.tolist()
    assert simulate(open_, close, target, Costs(), **known).switched_off == ()
    assert simulate(open_, close, target, Costs()).switched_off == ("impact",)
    assert simulate(open_, close, target, FREE).switched_off == FREE.switched_off()


@given(arrays(np.int8, st.integers(0, 60), elements=st.integers(-1, 1)), st.integers(1, 25))
def test_tranches_are_the_mean_of_the_last_calls(calls: np.ndarray, horizon: int) -> None:
    padded = np.concatenate((np.zeros(horizon - 1), calls))
    expected = [padded[i : i + horizon].sum() / horizon for i in range(calls.size)]
    assert targets_from_directions(calls, horizon).tolist() == expected


def test_an_empty_market_is_an_empty_simulation() -> None:
    done = simulate([], [], [], Costs(), volatility=[], dollar_volume=[])
    assert done.net.size == 0


@pytest.mark.parametrize(
    ("field", "open_", "close", "target"),
    [
        ("target", [1.0, 1], [1.0, 1], [0.0, np.nan]),
        ("target", [1.0, 1], [1.0, 1], [0.0, 1.01]),
        ("target", [1.0, 1], [1.0], [0.0, 1]),
        ("open", [1.0, np.nan], [1.0, 1], [0.0, 1]),
        ("open", [1.0, 0], [1.0, 1], [0.0, 1]),
        ("close", [1.0, 1], [1.0, np.inf], [0.0, 1]),
    ],
)
def test_what_cannot_be_traded_is_refused(
    field: str, open_: list[float], close: list[float], target: list[float]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        simulate(open_, close, target, Costs())
    assert refused.value.field == field


@pytest.mark.parametrize("volume", [np.nan, 0.0, -1.0])
def test_impact_is_never_guessed_where_a_trade_follows(volume: float) -> None:
    flat = np.ones(3)
    with pytest.raises(InvalidRequest, match="dollar_volume"):
        simulate(flat, flat, flat, Costs(), volatility=flat * 0.01, dollar_volume=flat * volume)
    with pytest.raises(InvalidRequest, match="volatility"):
        simulate(flat, flat, flat, Costs(), volatility=flat * np.nan, dollar_volume=flat)
    with pytest.raises(InvalidRequest, match="shape"):
        simulate(flat, flat, flat, Costs(), volatility=flat[:2], dollar_volume=flat)


@pytest.mark.parametrize("name", [*COSTS, "capital_usd"])
def test_costs_are_numbers_from_zero(name: str) -> None:
    for value in (-1.0, np.nan, np.inf):
        with pytest.raises(InvalidRequest, match=name):
            Costs(**{name: value})
    with pytest.raises(InvalidRequest, match="above 0"):
        Costs(capital_usd=0.0)


def test_calls_and_horizons_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="direction"):
        targets_from_directions([0.0, np.nan], 1)
    with pytest.raises(InvalidRequest, match="direction"):
        targets_from_directions([2], 1)
    with pytest.raises(InvalidRequest, match="horizon_sessions"):
        targets_from_directions([1], 0)
