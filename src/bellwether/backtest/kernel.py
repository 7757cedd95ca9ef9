"""The account, session by session, compiled. `docs/backtest.md` states each rule in words.

Numba's cache on disk watches this file only: who changes `orders`, `rows`, `books` or `compiled`
in a checkout removes the cache (`find src -name '*.nb?' -delete`); an installation starts without.
"""

import math

from bellwether.backtest import rows
from bellwether.backtest.books import Books, Floats, Panel, State, Terms
from bellwether.backtest.compiled import ROUNDING, compiled, fail, kept, line, note
from bellwether.backtest.orders import afford, bound, charge, decide, price


@compiled
def accrue(p: Panel, r: Terms, s: State, b: Books, t: int) -> None:
    """Pay interest on the cash that lay overnight, or charge it where cash was short."""
    base = s.cash[0] - (b.session[rows.SHORT, t - 1] if r.locked else 0.0)
    rate = line(p.cash_rate, t)[0]
    if base >= 0:
        b.session[rows.INTEREST, t] = base * rate * r.interest
    else:
        owed = max(rate, 0.0) * r.margin_rate + r.margin_spread
        b.session[rows.MARGIN, t] = -base * owed
    s.cash[0] += b.session[rows.INTEREST, t] - b.session[rows.MARGIN, t]


@compiled
def gather(targets: Floats, row: int, s: State) -> int:
    """List the symbols that are held, waited for or wanted; return how many."""
    shares, want, active = s.shares, s.want, s.active
    wishes = targets[max(row, 0)]
    n = 0
    for j in range(shares.size):
        if shares[j] != 0 or not math.isnan(want[j]) or (row >= 0 and abs(wishes[j]) > 0):
            active[n] = j
            n += 1
    return n


@compiled
def act(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> None:
    """Apply splits, dividends and delistings to what is held."""
    split, dividend, before = line(p.split, t), line(p.dividend, t), p.close[t - 1]
    active, shares, last, want, symbol = s.active, s.shares, s.price, s.want, b.symbol
    for i in range(n):
        j = active[i]
        if shares[j] == 0:
            last[j] = before[j]
        last[j] /= split[j]
        want[j] *= split[j]
        if shares[j] != 0:
            shares[j] *= split[j]
            paid = shares[j] * dividend[j]
            b.session[rows.DIVIDENDS, t] += paid
            symbol[rows.OF_DIVIDENDS, j] += paid
            symbol[rows.OF_FLOW, j] += paid
            s.cash[0] += paid
            if 0 <= p.delisted_at[j] <= t or (r.lot > 0 and split[j] != 1):
                settle(p, s, b, t, j)


@compiled
def settle(p: Panel, s: State, b: Books, t: int, j: int) -> None:
    """Pay out a delisted position, or the fraction of a share that a split left."""
    gone, worth = s.shares[j], s.price[j]
    if 0 <= p.delisted_at[j] <= t:
        worth *= 1 + p.delisting_return[j]
        b.counts[rows.SETTLEMENTS, t] += 1
        note(b, t, j, 1, (-gone, worth, 0.0))
    else:
        gone -= math.copysign(math.floor(abs(gone) + ROUNDING), gone)
    s.shares[j] -= gone
    b.session[rows.SETTLED, t] += gone * worth
    b.symbol[rows.OF_FLOW, j] += gone * worth
    s.cash[0] += gone * worth


@compiled
def worth(s: State, n: int) -> float:
    """Return equity at this open."""
    active, shares, fill = s.active, s.shares, s.fill
    total = s.cash[0]
    for i in range(n):
        j = active[i]
        if shares[j] != 0:
            total += shares[j] * fill[j]
    return float(total)


@compiled
def trade(s: State, b: Books, t: int, n: int) -> None:
    """Fill the orders, and pay for them."""
    active, shares, orders, fill = s.active, s.shares, s.order, s.fill
    charges, cost, session, symbol = s.charge, s.cost, b.session, b.symbol
    count = 0
    for i in range(n):
        j = active[i]
        if orders[j] == 0:
            continue
        value = orders[j] * fill[j]
        for kind in range(4):
            session[rows.COMMISSION + kind, t] += charges[kind, j]
            symbol[kind, j] += charges[kind, j]
        shares[j] += orders[j]
        s.cash[0] -= value + cost[j]
        session[rows.TRADED, t] += abs(value)
        session[rows.BOUGHT, t] += value
        symbol[rows.OF_TRADED, j] += abs(value)
        symbol[rows.OF_FLOW, j] -= value
        count += 1
    b.counts[rows.ORDERS, t] = count
    if count > 0 and b.order_session.size > 0:
        record(s, b, t, n)


@compiled
def record(s: State, b: Books, t: int, n: int) -> None:
    """Keep the record of each fill."""
    active, orders, fill, cost = s.active, s.order, s.fill, s.cost
    session, symbol, kinds, value = b.order_session, b.order_symbol, b.order_kind, b.order_value
    at = b.order_count[0]
    for i in range(n):
        j = active[i]
        if orders[j] != 0:
            session[at], symbol[at], kinds[at] = t, j, 0
            value[at, 0], value[at, 1], value[at, 2] = orders[j], fill[j], cost[j]
            at += 1
    b.order_count[0] = at


@compiled
def mark(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> None:
    """Value what is held at the close, carried where nothing was told, and pay the lenders."""
    close, halted, rates = p.close[t], line(p.halted, t), line(p.borrow_rate, t)
    active, shares, last, session, symbol = s.active, s.shares, s.price, b.session, b.symbol
    for i in range(n):
        j = active[i]
        if shares[j] == 0:
            continue
        if not math.isnan(close[j]):
            last[j] = close[j]
        else:
            b.counts[rows.STALE, t] += 1
            if not (r.fill_anyway or halted[j]):
                fail(s, rows.NO_CLOSE, t, j)
        value = shares[j] * last[j]
        if value >= 0:
            session[rows.LONG, t] += value
        else:
            session[rows.SHORT, t] -= value
            session[rows.BORROW, t] -= value * rates[j]
            symbol[rows.OF_BORROW, j] -= value * rates[j]
    s.cash[0] -= session[rows.BORROW, t]


@compiled
def ruin(s: State, b: Books, t: int, n: int) -> None:
    """Close an account without equity at these prices, for good."""
    s.ruined[0] = t
    for i in range(n):
        j = s.active[i]
        if s.shares[j] != 0:
            value = s.shares[j] * s.price[j]
            b.session[rows.SETTLED, t] += value
            b.symbol[rows.OF_FLOW, j] += value
            s.cash[0] += value
            note(b, t, j, 2, (-s.shares[j], s.price[j], 0.0))
            s.shares[j] = 0.0
    b.session[rows.LONG, t], b.session[rows.SHORT, t] = 0.0, 0.0


@compiled
def close_books(s: State, b: Books, t: int, n: int) -> None:
    """Write the session down."""
    equity = s.cash[0] + b.session[rows.LONG, t] - b.session[rows.SHORT, t]
    if equity <= 0 and s.ruined[0] < 0:
        ruin(s, b, t, n)
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
            act(p, r, s, b, t, n)
            price(p, r, s, t, n)
            if row >= 0:
                equity = worth(s, n) if r.size_at_fill else b.session[rows.EQUITY, t - 1]
                reference = s.fill if r.size_at_fill else s.price
                b.counts[rows.UNPRICED, t] = decide(targets, row, s, equity, reference, n)
            bound(p, r, s, b, t, n)
            charge(p, r, s, t, n)
            afford(p, r, s, b, t, n)
            trade(s, b, t, n)
            mark(p, r, s, b, t, n)
        close_books(s, b, t, n)
        if s.status[0] != rows.FINE:
            return
