"""Compilation, and the few steps that every compiled file needs."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from bellwether.backtest import rows
from bellwether.backtest.books import Books, State

F = TypeVar("F", bound=Callable[..., object])
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
def at(table: Any, t: int, j: int) -> Any:
    """Read a table whose one row may stand for all sessions."""
    return table[t if table.shape[0] > 1 else 0, j]


@compiled
def fail(s: State, what: int, t: int, j: int) -> None:
    """Keep the first thing that went wrong."""
    if s.status[0] == rows.FINE:
        s.status[0], s.status[1], s.status[2] = what, t, j


@compiled
def note(b: Books, t: int, j: int, kind: int, value: tuple[float, float, float]) -> None:
    """Keep an order's record, where records are kept."""
    if b.order_session.size > 0:
        i = b.order_count[0]
        b.order_session[i], b.order_symbol[i], b.order_kind[i] = t, j, kind
        b.order_value[i, 0], b.order_value[i, 1], b.order_value[i, 2] = value
        b.order_count[0] = i + 1
