"""Markets in which everything goes wrong, for the laws of the simulator."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bellwether.backtest.costs import Costs
from bellwether.backtest.market import Market
from bellwether.backtest.rules import SPREAD_TIERS, SWITCHES, Rules

FREE_SWITCHES = tuple(s for s in SWITCHES if s != "next_open")


@dataclass(frozen=True)
class Case:
    """A market, targets and rules."""

    market: Market
    targets: np.ndarray
    rules: Rules


def random_market(rng: np.random.Generator, n: int, k: int, calm: float = 0.0) -> Market:
    """Draw a market; `calm` is the chance that an item of trouble is left out."""
    close = rng.uniform(2, 200, k) * np.exp(rng.normal(0, 0.03, (n, k)).cumsum(axis=0))
    open_ = close * np.exp(rng.normal(0, 0.01, (n, k)))
    wild = rng.random() > calm
    split = np.where(rng.random((n, k)) < 0.04, rng.choice([0.1, 0.5, 1.5, 2, 3, 7], (n, k)), 1.0)
    factor = np.cumprod(split, axis=0)
    close, open_ = close / factor, open_ / factor
    halted = rng.random((n, k)) < 0.08
    missing = halted & (rng.random((n, k)) < 0.5)
    close, open_ = np.where(missing, np.nan, close), np.where(missing, np.nan, open_)
    gone = np.where(rng.random(k) < 0.3, rng.integers(1, n + 1, k), -1)
    after = (gone >= 0) & (np.arange(n)[:, None] >= gone)
    close, open_ = np.where(after, np.nan, close), np.where(after, np.nan, open_)
    listed = np.where(rng.random(k) < 0.2, rng.integers(0, n, k), 0)
    before = np.arange(n)[:, None] < listed
    close, open_ = np.where(before, np.nan, close), np.where(before, np.nan, open_)
    trouble: dict[str, Any] = {
        "volume": np.where(rng.random((n, k)) < 0.03, 0.0, 1e5),
        "split": split,
        "dividend": np.where(rng.random((n, k)) < 0.05, rng.uniform(0, 1, (n, k)), 0.0),
        "borrowable": rng.random((n, k)) > 0.2,
        "borrow_rate": rng.uniform(0, 0.3, (1, k)),
        "cash_rate": rng.uniform(-0.0001, 0.0003, n),
        "delisting_return": np.where(rng.random(k) < 0.5, np.nan, rng.uniform(-1, 0.3, k)),
    }
    if not wild:
        trouble = {name: trouble[name] for name in ("split", "volume")}
    return Market(
        np.datetime64("2020-01-01") + np.arange(n),
        tuple(f"S{j}" for j in range(k)),
        open_,
        close,
        halted=halted | before | missing,
        adv_usd=rng.choice([1e4, 1e6, 1e9], (n, k)) * rng.uniform(0.5, 2, (n, k)),
        volatility=rng.uniform(0.0, 0.06, (n, k)),
        delisted_at=gone,
        **trouble,
    )


def random_targets(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Draw targets of all kinds: none, flat, long, short and too much."""
    wanted = rng.choice([0.0, 0.3, 1.0, -0.5, -1.0, 0.7], (n, k)) / rng.choice([1, k])
    wanted = np.where(rng.random((n, k)) < 0.2, rng.uniform(-1.5, 1.5, (n, k)), wanted)
    if rng.random() < 0.3:
        wanted = np.abs(wanted)
    return np.where(rng.random((n, k)) < 0.3, np.nan, wanted)


@st.composite
def cases(draw: st.DrawFn, switches: tuple[str, ...] = FREE_SWITCHES) -> Case:
    """Draw a market, targets and rules."""
    n, k = draw(st.integers(2, 40)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    capital = draw(st.sampled_from([10.0, 2_500.0, 1e6, 1e9]))
    rules = Rules(
        costs=Costs(
            commission_bps=draw(st.sampled_from([0.0, 1.0, 30.0])),
            half_spread_bps=draw(st.sampled_from([0.0, 2.0, 50.0])),
            borrow_bps_per_year=draw(st.sampled_from([0.0, 30.0, 3000.0])),
            impact_coefficient=draw(st.sampled_from([0.0, 1.0])),
            capital_usd=capital,
        ),
        lag_sessions=draw(st.sampled_from([0, 1, 1, 2])),
        sizing=draw(st.sampled_from(["close", "fill"])),
        slippage_bps=draw(st.sampled_from([0.0, 1.0])),
        commission_per_share_usd=draw(st.sampled_from([0.0, 0.005])),
        commission_minimum_usd=draw(st.sampled_from([0.0, 1.0])),
        spread_tiers=draw(st.sampled_from([None, SPREAD_TIERS])),
        participation_cap=draw(st.sampled_from([0.0, 0.05, 0.5])),
        unfilled=draw(st.sampled_from(["carry", "drop"])),
        halted_orders=draw(st.sampled_from(["carry", "drop"])),
        lot_shares=draw(st.sampled_from([0.0, 1.0, 100.0])),
        margin=draw(st.booleans()),
        short_proceeds=draw(st.sampled_from(["locked", "free"])),
        off=tuple(draw(st.sets(st.sampled_from(switches), max_size=3))) if switches else (),
    )
    market = random_market(rng, n, k, calm=draw(st.sampled_from([0.0, 1.0])))
    return Case(market, random_targets(rng, n, k), rules)
