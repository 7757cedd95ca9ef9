"""The portfolio simulator: targets decided at closes, traded at the next opens, on a share ledger."""

import numpy as np
from numpy.typing import ArrayLike

from bellwether.backtest import rows
from bellwether.backtest.books import Floats, State, blank, opened
from bellwether.backtest.market import Market, writable
from bellwether.backtest.result import Backtest, from_books
from bellwether.backtest.rules import SWITCHES, Rules
from bellwether.core.errors import InvalidRequest

REASONS = {
    "open": "is missing where an order is filled; mark the session as halted if there was none",
    "close": "is missing where a position is held; mark the session as halted if there was none",
    "targets": "gives an infinite number of shares",
    "volatility": "must be known where a trade follows, or switch impact off by name",
    "adv_usd": "must be above 0 where a trade follows, or switch impact off by name",
}


def backtest(
    market: Market,
    targets: ArrayLike,
    rules: Rules | None = None,
    *,
    positions: bool = True,
    orders: bool = False,
) -> Backtest:
    """Trade targets in a market, session by session, under rules that are realistic by default.

    Parameters
    ----------
    market : Market
        n sessions of k symbols.
    targets : array, shape (n, k), or (n,) for one symbol
        Share of equity wanted in each symbol, negative for short, decided after close t from what
        was known then; filled at open t + 1. NaN decides nothing: what is held is kept and
        drifts, and an order that waits goes on waiting. 0 closes.
    rules : Rules, optional
        How the account trades.
    positions, orders : bool
        Keep the shares at each close, and each fill.

    Returns
    -------
    Backtest
        The account at each close, its costs, and what was refused.

    Raises
    ------
    InvalidRequest
        If shapes differ, a target is infinite, or an input is missing where it is needed; the
        error names the session and the symbol.

    Examples
    --------
    >>> market = Market(["2024-01-02", "2024-01-03"], ("A",), [10.0, 10.0], [10.0, 11.0])
    >>> done = backtest(market, [1.0, 1.0])
    >>> done.shares[:, 0].tolist(), done.equity.round(2).tolist()
    ([0.0, 99960.0], [1000000.0, 1099560.16])
    """
    from bellwether.backtest.kernel import run

    rules = rules or Rules()
    wanted = _targets(targets, market.shape)
    off = switched_off(market, rules)
    n, k = market.shape
    state = opened(k, rules.costs.capital_usd)
    books = blank(n, k, positions=positions, orders=orders)
    run(market.panel(rules, off), rules.terms(off), wanted, state, books)
    _refuse(state, market)
    return from_books(market, state, books, rules.costs.capital_usd, off)


def switched_off(market: Market, rules: Rules) -> tuple[str, ...]:
    """Name the realism that a backtest leaves out: by rule, or for want of data."""
    out = {*rules.left_out(), *market.missing()}
    if market.borrow_rate is None and rules.costs.borrow_bps_per_year == 0:
        out.add("borrow")
    return tuple(s for s in SWITCHES if s in out)


def _targets(targets: ArrayLike, shape: tuple[int, int]) -> Floats:
    wanted = np.asarray(targets, dtype=np.float64)
    if wanted.ndim == 1 and shape[1] == 1:
        wanted = wanted.reshape(-1, 1)
    if wanted.shape != shape:
        raise InvalidRequest("targets", f"has shape {wanted.shape}, the market {shape}")
    found: Floats = writable(wanted)
    return found


def _refuse(state: State, market: Market) -> None:
    what, t, j = (int(v) for v in state.status)
    if what != rows.FINE:
        name = rows.FAULTS[what]
        place = f"{market.symbols[j]} on {market.sessions[t]}"
        raise InvalidRequest(name, f"{REASONS[name]}: {place}")
