"""A strategy that knows the future is refused, and what is wrong with inputs is said."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bellwether.backtest.costs import Costs
from bellwether.backtest.engine import backtest
from bellwether.backtest.guard import backtest_strategy, cuts_of, refuse_look_ahead
from bellwether.backtest.liquidity import rolling_liquidity
from bellwether.backtest.market import Market
from bellwether.backtest.rules import Rules
from bellwether.backtest.targets import Plan, make_targets
from bellwether.core.errors import InvalidRequest, LookAheadFound, UnknownName

N, K = 120, 3


@pytest.fixture
def market() -> Market:
    rng = np.random.default_rng(1)
    close = 50 * np.exp(rng.normal(0, 0.02, (N, K)).cumsum(axis=0))
    open_ = close * np.exp(rng.normal(0, 0.005, (N, K)))
    volume = rng.uniform(1e5, 1e6, (N, K))
    days = np.datetime64("2020-01-01") + np.arange(N)
    return Market(days, ("A", "B", "C"), open_, close, volume=volume)


def momentum(m: Market) -> np.ndarray:
    signal = np.full(m.shape, np.nan)
    signal[5:] = m.close[5:] / m.close[:-5] - 1
    return make_targets(signal, Plan("top_k", k_long=1, k_short=1))


def next_bar(m: Market) -> np.ndarray:
    return np.sign(np.roll(m.close, -1, axis=0) - m.close) / K


def own_open_is_fine(m: Market) -> np.ndarray:
    return np.sign(m.close - m.open) / K


def whole_mean(m: Market) -> np.ndarray:
    return np.sign(m.close - m.close.mean(axis=0)) / K


def filled_back(m: Market) -> np.ndarray:
    """Weekly targets, filled backwards: the last row of each cut is right by chance only."""
    weekly = np.sign(m.close - m.open) / K
    at = np.minimum((np.arange(len(weekly)) // 5 + 1) * 5, len(weekly) - 1)
    return weekly[at]


def centred(m: Market) -> np.ndarray:
    smooth = np.apply_along_axis(lambda c: np.convolve(c, np.ones(3) / 3, "same"), 0, m.close)
    return np.sign(m.close - smooth) / K


def best_of_all(m: Market) -> np.ndarray:
    wanted = np.zeros(m.shape)
    wanted[:, int(np.argmax(m.close[-1] / m.close[0]))] = 1.0
    return wanted


@pytest.mark.parametrize("leaky", [next_bar, whole_mean, filled_back, centred])
def test_a_strategy_that_looks_ahead_is_refused(
    market: Market, leaky: Callable[[Market], np.ndarray]
) -> None:
    with pytest.raises(LookAheadFound, match="looks ahead") as found:
        backtest_strategy(leaky, market)
    assert found.value.symbol in market.symbols
    assert found.value.session <= found.value.cut


def test_one_bar_is_found_at_the_cut_itself(market: Market) -> None:
    with pytest.raises(LookAheadFound) as found:
        backtest_strategy(next_bar, market)
    assert found.value.session == found.value.cut


def test_knowing_who_wins_in_the_end_is_found() -> None:
    """The winner at the end is not the winner at the cuts."""
    n = 200
    close = np.stack([np.linspace(10, 20, n), np.full(n, 10.0)], axis=1)
    close[-1, 1] = 40.0
    market = Market(np.datetime64("2020-01-01") + np.arange(n), ("A", "B"), close, close)
    with pytest.raises(LookAheadFound):
        backtest_strategy(best_of_all, market)


def test_a_strategy_that_remembers_the_future_is_refused(market: Market) -> None:
    """What it saw of a longer history is of no use: it is asked for short ones first."""
    seen: list[np.ndarray] = []

    def remembers(m: Market) -> np.ndarray:
        if not seen or len(m.close) > len(seen[0]):
            seen[:] = [m.close.copy()]
        future = np.roll(seen[0], -1, axis=0)[: len(m.close)]
        return np.sign(future - m.close) / K

    with pytest.raises(LookAheadFound, match="2020-0"):
        backtest_strategy(remembers, market)


def test_a_strategy_cannot_write_into_the_market(market: Market) -> None:
    def forges(m: Market) -> np.ndarray:
        wanted = momentum(m)
        m.open[:] = 1.0
        m.close[:] = 100.0
        return wanted

    done = backtest_strategy(forges, market)

    assert done.equity.tolist() == backtest(market, momentum(market)).equity.tolist()


@pytest.mark.parametrize("honest", [momentum, own_open_is_fine])
def test_an_honest_strategy_is_traded(
    market: Market, honest: Callable[[Market], np.ndarray]
) -> None:
    done = backtest_strategy(honest, market, orders=True)

    assert done.equity.tolist() == backtest(market, honest(market)).equity.tolist()
    assert done.orders.size > 0


def test_any_producer_of_targets_can_be_held_to_it() -> None:
    values = np.random.default_rng(0).normal(size=(50, 1))

    assert refuse_look_ahead(lambda t: values[: t + 1], 50, ["A"]).shape == (50, 1)
    with pytest.raises(LookAheadFound):
        refuse_look_ahead(lambda t: values[: t + 1] - values[: t + 1].mean(), 50, ["A"])
    with pytest.raises(InvalidRequest, match="shape"):
        refuse_look_ahead(lambda _: values, 50, ["A"])


def test_cuts_are_spread_and_in_a_row() -> None:
    cuts = cuts_of(500)
    assert len(cuts) == 9
    assert sum(b - a == 1 for a, b in pairwise(cuts)) == 4
    assert cuts_of(1) == (0,)


def test_history_cut_short_forgets_what_came_later(market: Market) -> None:
    gone = replace(market, delisted_at=[50, -1, 20], delisting_return=[-1.0, np.nan, -0.5])
    early = gone.until(30)

    assert early.shape == (31, K)
    assert early.delisted_at is not None
    assert early.delisted_at.tolist() == [-1, -1, 20]
    assert np.isnan(early.delisting_return[0])  # type: ignore[index]


BAD_MARKETS: list[tuple[str, dict[str, Any]]] = [
    ("sessions", {"sessions": ["2024-01-02", "2024-01-02"]}),
    ("sessions", {"sessions": ["2024-01-03", "2024-01-02"]}),
    ("sessions", {"sessions": ["2024-01-03", "NaT"]}),
    ("sessions", {"sessions": ["yesterday", "today"]}),
    ("sessions", {"sessions": [["2024-01-02", "2024-01-03"]]}),
    ("symbols", {"symbols": ("A", "A")}),
    ("symbols", {"symbols": ()}),
    ("symbols", {"symbols": "AB"}),
    ("open", {"open": [[1.0, 1.0]]}),
    ("open", {"open": [[1.0, 1.0], [1.0, 0.0]]}),
    ("close", {"close": [[1.0, 1.0], [1.0, -1.0]]}),
    ("close", {"close": [[1.0, 1.0], [1.0, np.inf]]}),
    ("volume", {"volume": [[1.0, 1.0], [1.0, -1.0]]}),
    ("split", {"split": [[1.0, 1.0], [1.0, 0.0]]}),
    ("split", {"split": [[1.0, 1.0], [1.0, np.nan]]}),
    ("dividend", {"dividend": [[0.0, 0.0], [0.0, np.nan]]}),
    ("halted", {"halted": [[0.0, 0.0], [0.0, 1.0]]}),
    ("adjusted", {"adjusted": True, "split": 1.0}),
    ("cash_rate", {"cash_rate": [0.1, 0.1, 0.1]}),
    ("cash_rate", {"cash_rate": np.nan}),
    ("delisted_at", {"delisted_at": [1.5, 0.0]}),
    ("delisted_at", {"delisted_at": [3, -1]}),
    ("delisting_return", {"delisting_return": [-1.5, 0.0]}),
]


@pytest.mark.parametrize(("field", "wrong"), BAD_MARKETS)
def test_a_market_that_cannot_be_is_refused(field: str, wrong: dict[str, Any]) -> None:
    flat = [[1.0, 1.0], [1.0, 1.0]]
    told = {"sessions": ["2024-01-02", "2024-01-03"], "symbols": ("A", "B")}
    with pytest.raises(InvalidRequest) as refused:
        Market(**{**told, "open": flat, "close": flat, **wrong})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "row", "value"),
    [("open", 1, np.nan), ("close", 1, np.nan), ("volatility", 0, np.nan), ("adv_usd", 0, np.nan)],
)
def test_what_is_missing_where_it_is_needed_is_named(field: str, row: int, value: float) -> None:
    told = {name: np.full((3, 2), 10.0) for name in ("open", "close", "adv_usd", "volatility")}
    told[field][row, 1] = value
    market = Market(["2024-01-02", "2024-01-03", "2024-01-04"], ("A", "B"), **told)
    wanted = np.full((3, 2), 0.1)
    with pytest.raises(InvalidRequest, match=r"B on 2024-01-0") as refused:
        backtest(market, wanted, Rules(off=("participation",)))
    assert refused.value.field == field


def test_arrays_of_every_kind_run_on_the_same_machine_code(market: Market) -> None:
    from bellwether.backtest.kernel import run

    wanted = np.full((N, K), 0.1)
    done = backtest(market, wanted)
    frozen = [np.asfortranarray(v) for v in (market.open, market.close, wanted)]
    for values in frozen:
        values.setflags(write=False)
    other = Market(market.sessions, market.symbols, *frozen[:2], volume=market.volume)

    assert backtest(other, frozen[2]).equity.tolist() == done.equity.tolist()
    assert len(run.signatures) == 1  # type: ignore[attr-defined]


def test_targets_of_another_shape_or_without_end_are_refused(market: Market) -> None:
    with pytest.raises(InvalidRequest, match="targets"):
        backtest(market, np.zeros((N, K + 1)))
    with pytest.raises(InvalidRequest, match="targets"):
        backtest(market, np.full((N, K), np.inf))


def test_nothing_is_traded_in_an_empty_market() -> None:
    done = backtest(Market([], ("A",), np.empty((0, 1)), np.empty((0, 1))), np.empty((0, 1)))
    assert done.net.size == 0
    assert done.turnover.size == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"slippage_bps": -1.0},
        {"slippage_bps": np.nan},
        {"lag_sessions": -1},
        {"lag_sessions": 1.0},
        {"sizing": "magic"},
        {"unfilled": "magic"},
        {"missing_delisting_return": -2.0},
        {"off": ("next_open",)},
        {"spread_tiers": ((1e6, 3.0),)},
        {"spread_tiers": ((0.0, 3.0), (0.0, 2.0))},
        {"spread_tiers": ((0.0, -3.0),)},
        {"spread_tiers": (3.0,)},
    ],
)
def test_rules_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Rules(**wrong)


def test_an_unknown_switch_is_refused() -> None:
    with pytest.raises(UnknownName, match="participation"):
        Rules(off=("magic",))


def test_what_is_left_out_is_named(market: Market) -> None:
    everything = replace(
        market,
        split=1.0,
        dividend=0.0,
        adv_usd=1e9,
        volatility=0.02,
        borrowable=np.ones((N, K), dtype=bool),
        cash_rate=0.0001,
        delisted_at=[-1, -1, -1],
    )
    wanted = np.full((N, K), 0.1)
    free = Rules(costs=Costs(0.0, 0.0, 0.0, 0.0), slippage_bps=0.0, lot_shares=0.0)

    assert backtest(everything, wanted).switched_off == ()
    assert backtest(everything, wanted, free).switched_off == (
        *("commission", "spread", "slippage", "impact", "borrow", "lots"),
    )
    assert "impact" in backtest(market, wanted).switched_off


def test_liquidity_uses_the_past_only_and_knows_splits() -> None:
    rng = np.random.default_rng(2)
    close = 50 * np.exp(rng.normal(0, 0.02, (60, 2)).cumsum(axis=0))
    volume = rng.uniform(1e5, 1e6, (60, 2))
    split = np.ones((60, 2))
    split[30, 0] = 4.0
    raw = close / np.cumprod(split, axis=0)
    whole = rolling_liquidity(raw, volume * np.cumprod(split, axis=0), split=split)
    plain = rolling_liquidity(close, volume)
    short = rolling_liquidity(raw[:40], (volume * np.cumprod(split, axis=0))[:40], split=split[:40])

    for a, b, c in zip(whole, plain, short, strict=True):
        assert np.allclose(a, b, equal_nan=True)
        assert np.array_equal(a[:40], c, equal_nan=True)
    last = np.diff(np.log(close[-21:, 1]))
    assert whole[1][-1, 1] == pytest.approx(np.expm1(last).std(ddof=1))
    assert whole[0][-1, 1] == pytest.approx((close * volume)[-20:, 1].mean())
