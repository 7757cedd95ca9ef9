"""The account, session by session, compiled. `docs/backtest.md` states each rule in words.

Numba's cache on disk watches this file only: who changes `orders`, `rows`, `books` or `compiled`
in a checkout removes the cache (`find src -name '*.nb?' -delete`); an installation starts without.
"""

import math

from bellwether.backtest import rows
from bellwether.backtest.books import Books, Floats, Panel, State, Terms
from bellwether.backtest.compiled import ROUNDING, at, compiled, fail, kept, note
from bellwether.backtest.orders import afford, bound, decide


@compiled
def accrue(p: Panel, r: Terms, s: State, b: Books, t: int) -> None:
    """Pay interest on the cash that lay overnight, or charge it where cash was short."""
    base = s.cash[0] - (b.session[rows.SHORT, t - 1] if r.locked else 0.0)
    rate = at(p.cash_rate, t, 0)
    if base >= 0:
        b.session[rows.INTEREST, t] = base * rate * r.interest
    else:
        b.session[rows.MARGIN, t] = -base * (max(rate, 0.0) * r.margin_rate + r.margin_spread)
    s.cash[0] += b.session[rows.INTEREST, t] - b.session[rows.MARGIN, t]


@compiled
def gather(targets: Floats, row: int, s: State) -> int:
    """List the symbols that are held, waited for or wanted; return how many."""
    n = 0
    for j in range(s.shares.size):
        wish = targets[row, j] if row >= 0 else math.nan
        if s.shares[j] != 0 or not math.isnan(s.want[j]) or abs(wish) > 0:
            s.active[n] = j
            n += 1
    return n


@compiled
def act(p: Panel, r: Terms, s: State, b: Books, t: int, j: int) -> None:
    """Apply a symbol's split, dividend and delisting to what is held of it."""
    ratio = at(p.split, t, j)
    if s.shares[j] == 0:
        s.price[j] = p.close[t - 1, j]
    s.price[j] /= ratio
    s.want[j] *= ratio
    if s.shares[j] != 0:
        s.shares[j] *= ratio
        paid = s.shares[j] * at(p.dividend, t, j)
        b.session[rows.DIVIDENDS, t] += paid
        b.symbol[rows.OF_DIVIDENDS, j] += paid
        gone = 0.0
        worth = s.price[j]
        if 0 <= p.delisted_at[j] <= t:
            gone = s.shares[j]
            worth *= 1 + p.delisting_return[j]
            b.counts[rows.SETTLEMENTS, t] += 1
            note(b, t, j, 1, (-gone, worth, 0.0))
        elif r.lot > 0 and ratio != 1:
            whole = math.floor(abs(s.shares[j]) + ROUNDING)
            gone = s.shares[j] - math.copysign(whole, s.shares[j])
        s.shares[j] -= gone
        b.session[rows.SETTLED, t] += gone * worth
        b.symbol[rows.OF_FLOW, j] += gone * worth + paid
        s.cash[0] += gone * worth + paid


@compiled
def price(p: Panel, s: State, t: int, n: int) -> None:
    """Find the price of each active symbol at this open: the open, or else the last close."""
    for i in range(n):
        j = s.active[i]
        opened = p.open[t, j]
        s.fill[j] = s.price[j] if math.isnan(opened) else opened


@compiled
def worth(s: State, n: int) -> float:
    """Return equity at this open."""
    total = s.cash[0]
    for i in range(n):
        j = s.active[i]
        if s.shares[j] != 0:
            total += s.shares[j] * s.fill[j]
    return float(total)


@compiled
def trade(s: State, b: Books, t: int, n: int) -> None:
    """Fill the orders, and pay for them."""
    for i in range(n):
        j = s.active[i]
        order = s.order[j]
        if order == 0:
            continue
        value = order * s.fill[j]
        cost = 0.0
        for kind in range(4):
            cost += s.charge[kind, j]
            b.session[rows.COMMISSION + kind, t] += s.charge[kind, j]
            b.symbol[kind, j] += s.charge[kind, j]
        s.shares[j] += order
        s.cash[0] -= value + cost
        b.session[rows.TRADED, t] += abs(value)
        b.session[rows.BOUGHT, t] += value
        b.symbol[rows.OF_TRADED, j] += abs(value)
        b.symbol[rows.OF_FLOW, j] -= value
        b.counts[rows.ORDERS, t] += 1
        note(b, t, j, 0, (order, s.fill[j], cost))


@compiled
def mark(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> None:
    """Value what is held at the close, carried where nothing was told, and pay the lenders."""
    for i in range(n):
        j = s.active[i]
        if s.shares[j] == 0:
            continue
        close = p.close[t, j]
        if not math.isnan(close):
            s.price[j] = close
        else:
            b.counts[rows.STALE, t] += 1
            if not (r.fill_anyway or at(p.halted, t, j)):
                fail(s, rows.NO_CLOSE, t, j)
        value = s.shares[j] * s.price[j]
        if value >= 0:
            b.session[rows.LONG, t] += value
        else:
            b.session[rows.SHORT, t] -= value
            fee = -value * at(p.borrow_rate, t, j)
            b.session[rows.BORROW, t] += fee
            b.symbol[rows.OF_BORROW, j] += fee
    s.cash[0] -= b.session[rows.BORROW, t]


@compiled
def close_books(s: State, b: Books, t: int, n: int) -> None:
    """Write the session down; an account without equity is closed at these prices for good."""
    equity = s.cash[0] + b.session[rows.LONG, t] - b.session[rows.SHORT, t]
    if equity <= 0 and s.ruined[0] < 0:
        s.ruined[0] = t
        for i in range(n):
            j = s.active[i]
            value = s.shares[j] * s.price[j] if s.shares[j] != 0 else 0.0
            b.session[rows.SETTLED, t] += value
            b.symbol[rows.OF_FLOW, j] += value
            s.cash[0] += value
            if value != 0:
                note(b, t, j, 2, (-s.shares[j], s.price[j], 0.0))
            s.shares[j] = 0.0
        b.session[rows.LONG, t], b.session[rows.SHORT, t] = 0.0, 0.0
        equity = s.cash[0]
    b.session[rows.EQUITY, t], b.session[rows.CASH, t] = equity, s.cash[0]
    if s.cash[0] < 0:
        b.counts[rows.OVERDRAWN, t] = 1
    if b.positions.shape[0] > 0:
        b.positions[t] = s.shares


@kept
def run(p: Panel, r: Terms, targets: Floats, s: State, b: Books) -> None:
    """Carry the account through all sessions, or up to the first that cannot be computed."""
    for t in range(targets.shape[0]):
        n = 0
        if t > 0 and s.ruined[0] < 0:
            row = t - r.lag
            accrue(p, r, s, b, t)
            n = gather(targets, row, s)
            for i in range(n):
                act(p, r, s, b, t, s.active[i])
            price(p, s, t, n)
            equity = worth(s, n) if r.size_at_fill else b.session[rows.EQUITY, t - 1]
            for i in range(n):
                j = s.active[i]
                if row >= 0 and not decide(targets, row, r, s, equity, j):
                    b.counts[rows.UNPRICED, t] += 1
                s.order[j] = bound(p, r, s, b, t, j)
            afford(p, r, s, b, t, n)
            trade(s, b, t, n)
            mark(p, r, s, b, t, n)
        close_books(s, b, t, n)
        if s.status[0] != rows.FINE:
            return
