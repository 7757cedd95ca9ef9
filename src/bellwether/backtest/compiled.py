"""Compilation, and the few steps that every compiled file needs.

A function that is called for each symbol takes numbers only, and loops take their arrays out of the
named tuples first: reading one out of a tuple counts a reference, which costs more than an order.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from bellwether.backtest import rows
from bellwether.backtest.books import Books, State, Terms

F = TypeVar("F", bound=Callable[..., object])
Rates = tuple[float, float, float, float, float]
ROUNDING = 1e-9  # of a position or a lot: smaller differences come from arithmetic


def compiled(function: F) -> F:
    """Compile as a part of what calls it, on first use."""
    return cast("F", numba.njit(nogil=True, error_model="numpy")(function))


def kept(function: F) -> F:
    """Compile on first use, and keep the machine code where a place for it can be written."""
    try:
        made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        return compiled(function)
    return cast("F", made)


@compiled
def line(table: Any, t: int) -> Any:
    """Return a session's row of a table whose one row may stand for all sessions."""
    return table[t if table.shape[0] > 1 else 0]


@compiled
def fail(s: State, what: int, t: int, j: int) -> None:
    """Keep the first thing that went wrong."""
    if s.status[0] == rows.FINE:
        s.status[0], s.status[1], s.status[2] = what, t, j


@compiled
def put(one: Any, t: int, j: int, kind: int, value: tuple[float, float, float]) -> None:
    """Write one record."""
    one.session, one.symbol, one.kind = t, j, kind
    one.shares, one.price, one.cost_usd = value


@compiled
def note(b: Books, t: int, j: int, kind: int, value: tuple[float, float, float]) -> None:
    """Keep the record of a settlement, where records are kept."""
    if b.orders.size > 0:
        put(b.orders[b.order_count[0]], t, j, kind, value)
        b.order_count[0] += 1


@compiled
def signed(size: float, like: float) -> float:
    """Return a size with the sign of another number; the library's own is a call that stays one."""
    return -size if like < 0 else size


@compiled
def whole_lots(lot: float, held: float, order: float) -> float:
    """Round an order towards 0 to lots; one that closes a position may be odd."""
    if abs(held + order) <= ROUNDING * abs(held):
        return -held
    if lot > 0:
        return signed(math.floor(abs(order) / lot + ROUNDING) * lot, order)
    return order


@compiled
def opening(held: float, order: float) -> float:
    """Return the part of an order that leads away from 0."""
    if held * order >= 0:
        return order
    return signed(max(abs(order) - abs(held), 0.0), order)


@compiled
def freed(locked: bool, held: float, order: float, price: float, cost: float) -> float:  # noqa: FBT001
    """Return what an order adds to the cash that may be spent; proceeds of shorts may be locked."""
    change = -order * price - cost
    if locked:
        change -= (max(-held - order, 0.0) - max(-held, 0.0)) * price
    return change


@compiled
def rates_of(r: Terms) -> Rates:
    """Take what an order costs out of the rules."""
    return r.commission, r.per_share, r.minimum, r.slippage, r.impact


@compiled
def quote(
    rates: Rates, order: float, price: float, spread: float, adv: float, sigma: float
) -> tuple[float, float, float, float]:
    """Work out what an order costs, kind by kind; the impact is NaN where it cannot be known."""
    by_value, per_share, minimum, slippage, coefficient = rates
    size = abs(order)
    notional = size * price
    commission = max(notional * by_value + size * per_share, minimum)
    impact = 0.0
    if coefficient > 0:
        known = sigma >= 0 and adv > 0
        impact = notional * coefficient * sigma * math.sqrt(notional / adv) if known else math.nan
    return commission, notional * spread, notional * slippage, impact
