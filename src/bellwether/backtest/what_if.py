"""Answers that need the simulation again: without an item of realism, dearer, or with more capital."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from bellwether.backtest import rows
from bellwether.backtest.books import Floats
from bellwether.backtest.costs import BPS, Costs
from bellwether.backtest.engine import backtest, switched_off
from bellwether.backtest.market import Market
from bellwether.backtest.result import Backtest
from bellwether.backtest.rules import SWITCHES, Rules
from bellwether.core.errors import InvalidRequest

STEPS = 60  # halvings; ends earlier, at the precision below
PRECISION = 1e-3
DEAREST_BPS = 10_000.0


@dataclass(frozen=True, slots=True)
class Effect:
    """The result with one item of realism switched off.

    Attributes
    ----------
    switch : str
        What was switched off.
    total_net : float
        Net return over all sessions without it.
    difference : float
        How much better that looks than the full result, in the same unit.
    """

    switch: str
    total_net: float
    difference: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """The capital at which costs have eaten what the strategy earns over its benchmark.

    Attributes
    ----------
    usd : float or None
        Infinite where it still earns with the largest capital tried, None where it earns nothing
        with the smallest.
    alpha_small, alpha_large : float
        Mean net return a session over the benchmark, with the smallest and largest capital tried.
    """

    usd: float | None
    alpha_small: float
    alpha_large: float


def total_net(done: Backtest) -> float:
    """Return the net return over all sessions."""
    return float(done.equity[-1] / done.start_usd - 1) if done.equity.size else 0.0


def each_off(market: Market, targets: ArrayLike, rules: Rules | None = None) -> tuple[Effect, ...]:
    """Trade again with each item of realism switched off in turn, the others left on.

    Parameters
    ----------
    market, targets, rules
        As for `engine.backtest`.

    Returns
    -------
    tuple of Effect
        In the order of `rules.SWITCHES`; what was off or without data already is not tried.
    """
    asked = rules or Rules()
    full = total_net(backtest(market, targets, asked, positions=False))
    off = switched_off(market, asked)
    found = []
    for switch in SWITCHES:
        if switch not in off:
            net = total_net(backtest(market, targets, asked.without(switch), positions=False))
            found.append(Effect(switch, net, net - full))
    return tuple(found)


def alpha(done: Backtest, benchmark: ArrayLike | None = None) -> float:
    """Return the mean net return a session over a benchmark's, or over cash where none is given.

    Parameters
    ----------
    benchmark : array, shape (n,), optional
        Simple returns a session.
    """
    n = done.equity.size
    over = np.zeros(n) if benchmark is None else np.asarray(benchmark, dtype=np.float64)
    if benchmark is None and done.market.cash_rate is not None:
        over = np.broadcast_to(done.market.cash_rate[:, 0], (n,)).copy()
        over[:1] = 0.0  # nothing lay overnight before the first session
    if over.shape != (n,) or not np.isfinite(over).all():
        raise InvalidRequest("benchmark", f"must be {n} finite returns, one a session")
    return float((done.net - over).mean()) if n else 0.0


def simple_break_even_bps(done: Backtest) -> float | None:
    """Return what was earned before costs for each dollar traded, in bps; None without a trade.

    Gross return a session over turnover a session: 10 bps at a turnover of 20% breaks even at 50.
    """
    traded = float(done.turnover.sum())
    return float(done.gross.sum()) / traded / BPS if traded > 0 else None


def break_even_bps(
    market: Market,
    targets: ArrayLike,
    rules: Rules | None = None,
    benchmark: ArrayLike | None = None,
) -> float | None:
    """Find the flat cost of each dollar traded at which nothing is earned over the benchmark.

    Commission, spread, slippage and impact are replaced by one rate, and the rate is found by
    bisection over the engine; all else stays as the rules say.

    Returns
    -------
    float or None
        In bps a side; 0 where nothing is earned even for free, None where nothing is traded,
        infinite above 10,000.
    """
    asked = rules or Rules()

    def earned(bps: float) -> float:
        return alpha(backtest(market, targets, _flat(asked, bps), positions=False), benchmark)

    free = backtest(market, targets, _flat(asked, 0.0), positions=False)
    if not free.session["traded_usd"].any():
        return None
    if alpha(free, benchmark) <= 0:
        return 0.0
    if earned(DEAREST_BPS) > 0:
        return math.inf
    return _crossing(earned, 0.0, DEAREST_BPS, lambda low, high: (low + high) / 2)


def _flat(rules: Rules, bps: float) -> Rules:
    costs = replace(rules.costs, commission_bps=bps, half_spread_bps=0.0, impact_coefficient=0.0)
    return replace(
        rules,
        costs=costs,
        slippage_bps=0.0,
        commission_per_share_usd=0.0,
        commission_minimum_usd=0.0,
        spread_tiers=None,
        off=tuple(s for s in rules.off if s != "commission"),
    )


def capacity(
    market: Market,
    targets: ArrayLike,
    rules: Rules | None = None,
    benchmark: ArrayLike | None = None,
    *,
    smallest_usd: float = 1e5,
    largest_usd: float = 1e13,
) -> Capacity:
    """Find the capital at which nothing is earned over the benchmark, by bisection over the engine.

    The participation cap is left off: it would leave a large account in cash instead of showing
    what its orders cost. The market needs `adv_usd` and `volatility`.

    Raises
    ------
    InvalidRequest
        If impact is off or has no data, so that costs do not grow with capital.
    """
    asked = (rules or Rules()).without("participation")
    if "impact" in switched_off(market, asked):
        raise InvalidRequest("impact", "is needed for a capacity, with adv_usd and volatility")

    def earned(capital: float) -> float:
        costs: Costs = replace(asked.costs, capital_usd=capital)
        done = backtest(market, targets, replace(asked, costs=costs), positions=False)
        return alpha(done, benchmark)

    small, large = earned(smallest_usd), earned(largest_usd)
    if small <= 0:
        return Capacity(None, small, large)
    if large > 0:
        return Capacity(math.inf, small, large)
    found = _crossing(earned, smallest_usd, largest_usd, lambda low, high: math.sqrt(low * high))
    return Capacity(found, small, large)


def _crossing(
    earned: Callable[[float], float],
    low: float,
    high: float,
    middle: Callable[[float, float], float],
) -> float:
    for _ in range(STEPS):
        if high - low <= PRECISION * high:
            break
        between = middle(low, high)
        low, high = (between, high) if earned(between) > 0 else (low, between)
    return middle(low, high)


def cost_breakdown(done: Backtest) -> dict[str, dict[str, float]]:
    """Break costs down by kind.

    Returns
    -------
    dict
        For each cost: `usd`; `bps_of_traded`, its share of every dollar traded; `return_a_session`,
        what it took from the mean return a session. NaN where nothing was traded.
    """
    before = np.concatenate(([done.start_usd], done.equity[:-1])) if done.equity.size else done.net
    traded = float(done.session["traded_usd"].sum())

    def of(amount: Floats) -> dict[str, float]:
        took = np.divide(amount, before, out=np.zeros_like(amount), where=before > 0)
        usd = float(amount.sum())
        return {
            "usd": usd,
            "bps_of_traded": usd / traded / BPS if traded > 0 else math.nan,
            "return_a_session": float(took.mean()) if took.size else math.nan,
        }

    found = {name: of(done.session[name]) for name in rows.COSTS}
    found["total"] = of(done.costs)
    return found
