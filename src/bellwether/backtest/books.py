"""What the compiled engine reads and writes: plain arrays and numbers, named."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bellwether.backtest import rows

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

ORDER = np.dtype(
    [
        ("session", np.int32),
        ("symbol", np.int32),
        ("kind", np.int64),
        ("shares", np.float64),
        ("price", np.float64),
        ("cost_usd", np.float64),
    ]
)


class Panel(NamedTuple):
    """The market; shape (n or 1, k) for n sessions and k symbols, one row meaning all sessions."""

    open: Floats
    close: Floats
    event_start: Integers  # (n + 1,): the events of session t are [start[t], start[t + 1])
    event_symbol: NDArray[np.uint64]
    event_split: Floats
    event_dividend: Floats
    halted: Booleans
    adv: Floats
    volatility: Floats
    borrow_rate: Floats  # a year
    borrowable: Booleans
    cash_rate: Floats  # (n or 1, 1), per session
    delisted_at: Integers  # (k,), -1 never
    delisting_return: Floats  # (k,)


class Terms(NamedTuple):
    """The rules as numbers; what is switched off is 0, or infinite where it bounds."""

    lag: int
    size_at_fill: bool
    lot: float
    commission: float
    per_share: float
    minimum: float
    slippage: float
    impact: float
    cap: float
    tier_adv: Floats  # (m,), ascending
    tier_spread: Floats  # (m + 1,), from the thinnest
    keep_unfilled: bool
    keep_halted: bool
    margin: bool
    margin_spread: float  # per session
    margin_rate: float  # 1, or 0 where nothing is charged
    interest: float  # 1, or 0 where cash earns nothing
    locked: bool
    fill_anyway: bool


class State(NamedTuple):
    """The account between two sessions; (k,) but for cash and flags, which have one entry."""

    cash: Floats
    ruined: Integers
    status: Integers  # what went wrong, session, symbol
    shares: Floats
    price: Floats
    want: Floats
    order: Floats
    fill: Floats
    asked: Floats
    cost: Floats
    charge: Floats  # (4, k)
    active: NDArray[np.uint64]  # unsigned, so that no index is checked for its sign
    sent: NDArray[np.uint64]  # the active symbols with an order


class Books(NamedTuple):
    """The record: `session` (15, n), `symbol` (8, k), `counts` (11, n), positions (n or 0, k)."""

    session: Floats
    symbol: Floats
    counts: Integers
    positions: Floats
    orders: NDArray[Any]  # of ORDER
    order_count: Integers


def opened(k: int, capital: float) -> State:
    """Return an account that holds cash only."""
    return State(
        cash=np.full(1, capital),
        ruined=np.full(1, -1),
        status=np.zeros(3, dtype=np.int64),
        shares=np.zeros(k),
        price=np.full(k, np.nan),
        want=np.full(k, np.nan),
        order=np.zeros(k),
        fill=np.full(k, np.nan),
        asked=np.zeros(k),
        cost=np.zeros(k),
        charge=np.zeros((4, k)),
        active=np.zeros(k, dtype=np.uint64),
        sent=np.zeros(k, dtype=np.uint64),
    )


def blank(n: int, k: int, *, positions: bool, orders: bool) -> Books:
    """Return empty books; pages of what is not written are never touched."""
    return Books(
        session=np.zeros((len(rows.SESSION), n)),
        symbol=np.zeros((len(rows.SYMBOL), k)),
        counts=np.zeros((len(rows.COUNTS), n), dtype=np.int64),
        positions=np.zeros((n if positions else 0, k)),
        orders=np.empty(n * k + k if orders else 0, dtype=ORDER),
        order_count=np.zeros(1, dtype=np.int64),
    )
