"""The account, session by session, compiled. `docs/backtest.md` states each rule in words.

Numba's cache on disk watches this file only: who changes `orders`, `rows`, `books` or `compiled`
in a checkout removes the cache (`find src -name '*.nb?' -delete`); an installation starts without.
"""

import math

from bellwether.backtest import rows
from bellwether.backtest.books import Books, Floats, Panel, State, Terms
from bellwether.backtest.compiled import ROUNDING, compiled, fail, kept, line, note, put, signed
from bellwether.backtest.costs import SESSIONS_PER_YEAR
from bellwether.backtest.orders import afford, bound, charge, cut, decide, price, spendable


@compiled
def accrue(p: Panel, r: Terms, s: State, b: Books, t: int) -> None:
    """Pay interest on the cash that lay overnight, or charge it where cash was short."""
    session, cash = b.session, s.cash
    base = cash[0] - (session[rows.SHORT, t - 1] if r.locked else 0.0)
    rate = line(p.cash_rate, t)[0]
    earned, owed = 0.0, 0.0
    if base >= 0:
        earned = base * rate * r.interest
    else:
        owed = -base * (max(rate, 0.0) * r.margin_rate + r.margin_spread)
    session[rows.INTEREST, t], session[rows.MARGIN, t] = earned, owed
    cash[0] += earned - owed


@compiled
def gather(targets: Floats, row: int, s: State) -> int:
    """List the symbols that are held, waited for or wanted; return how many."""
    shares, want, active = s.shares, s.want, s.active
    wishes, decided = targets[max(row, 0)], row >= 0
    n = 0
    for j in range(shares.size):  # without a branch, which would be guessed wrong half of the time
        active[n] = j
        n += (shares[j] != 0) | (not math.isnan(want[j])) | (decided & (abs(wishes[j]) > 0))
    return n


@compiled
def act(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> None:
    """Apply splits and dividends, and then delistings, to what is held."""
    before, gone, active, shares, last = p.close[t - 1], p.delisted_at, s.active, s.shares, s.price
    for i in range(n):
        j = active[i]
        if shares[j] == 0:
            last[j] = before[j]
    if p.event_start[t + 1] > p.event_start[t]:
        pay(p, r, s, b, t)
    for i in range(n):
        j = active[i]
        if 0 <= gone[j] <= t and shares[j] != 0:
            settle(p, s, b, t, j)


@compiled
def pay(p: Panel, r: Terms, s: State, b: Books, t: int) -> None:
    """Apply the splits of a session, then its dividends."""
    symbols, split, dividend = p.event_symbol, p.event_split, p.event_dividend
    shares, last, want = s.shares, s.price, s.want
    for i in range(p.event_start[t], p.event_start[t + 1]):
        j = symbols[i]
        last[j] /= split[i]
        want[j] *= split[i]
        if shares[j] != 0:
            shares[j] *= split[i]
            paid = shares[j] * dividend[i]
            b.session[rows.DIVIDENDS, t] += paid
            b.symbol[rows.OF_DIVIDENDS, j] += paid
            b.symbol[rows.OF_FLOW, j] += paid
            s.cash[0] += paid
            if r.lot > 0 and split[i] != 1 and not 0 <= p.delisted_at[j] <= t:
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
        gone -= signed(math.floor(abs(gone) + ROUNDING), gone)
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
def trade(s: State, b: Books, t: int, m: int) -> None:
    """Fill the orders, and pay for them."""
    sent, shares, orders, fill = s.sent, s.shares, s.order, s.fill
    charges, cost, session, symbol = s.charge, s.cost, b.session, b.symbol
    count, traded, bought, spent = 0, 0.0, 0.0, 0.0
    for i in range(m):
        j = sent[i]
        if orders[j] == 0:
            continue
        value = orders[j] * fill[j]
        shares[j] += orders[j]
        count += 1
        traded += abs(value)
        bought += value
        spent += value + cost[j]
        symbol[rows.OF_TRADED, j] += abs(value)
        symbol[rows.OF_FLOW, j] -= value
    for kind in range(4):
        paid = 0.0
        for i in range(m):
            j = sent[i]
            if orders[j] != 0:
                paid += charges[kind, j]
                symbol[kind, j] += charges[kind, j]
        session[rows.COMMISSION + kind, t] = paid
    session[rows.TRADED, t], session[rows.BOUGHT, t] = traded, bought
    s.cash[0] -= spent
    b.counts[rows.ORDERS, t] = count
    if count > 0 and b.orders.size > 0:
        record(s, b, t, m)


@compiled
def record(s: State, b: Books, t: int, m: int) -> None:
    """Keep the record of each fill."""
    sent, orders, fill, cost = s.sent, s.order, s.fill, s.cost
    records, at = b.orders, b.order_count[0]
    for i in range(m):
        j = sent[i]
        if orders[j] != 0:
            put(records[at], t, j, 0, (orders[j], fill[j], cost[j]))
            at += 1
    b.order_count[0] = at


@compiled
def mark(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> None:
    """Value what is held at the close, carried where nothing was told, and pay the lenders."""
    close, halted, rates = p.close[t], line(p.halted, t), line(p.borrow_rate, t)
    active, shares, last, symbol = s.active, s.shares, s.price, b.symbol
    long, short, paid = 0.0, 0.0, 0.0
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
            long += value
        else:
            short -= value
            fee = -value * rates[j] / SESSIONS_PER_YEAR
            paid += fee
            symbol[rows.OF_BORROW, j] += fee
    session = b.session
    session[rows.LONG, t], session[rows.SHORT, t], session[rows.BORROW, t] = long, short, paid
    s.cash[0] -= paid


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
    session, cash = b.session, s.cash
    equity = cash[0] + session[rows.LONG, t] - session[rows.SHORT, t]
    if equity <= 0 and s.ruined[0] < 0:
        ruin(s, b, t, n)
        equity = cash[0]
    session[rows.EQUITY, t], session[rows.CASH, t] = equity, cash[0]
    if cash[0] < 0:
        b.counts[rows.OVERDRAWN, t] = 1
    if b.positions.shape[0] > 0:
        b.positions[t] = s.shares


@kept
def run(p: Panel, r: Terms, targets: Floats, s: State, b: Books) -> None:
    """Carry the account through all sessions, or up to the first that cannot be computed."""
    session, unpriced, ruined, status = b.session, b.counts[rows.UNPRICED], s.ruined, s.status
    for t in range(targets.shape[0]):
        n = 0
        if t > 0 and ruined[0] < 0:
            row = t - r.lag
            accrue(p, r, s, b, t)
            n = gather(targets, row, s)
            act(p, r, s, b, t, n)
            if r.size_at_fill or session[rows.SHORT, t - 1] > 0:
                price(p, s, t, n)
            if row >= 0:
                equity = worth(s, n) if r.size_at_fill else session[rows.EQUITY, t - 1]
                reference = s.fill if r.size_at_fill else s.price
                unpriced[t] = decide(targets, row, s, equity, reference, n)
            m = bound(p, r, s, b, t, n)
            cut(p, r, s, b, t, m)
            charge(p, r, s, t, m)
            if not r.margin:
                afford(p, r, s, b, t, m, spendable(r, s, session[rows.SHORT, t - 1], n))
            trade(s, b, t, m)
            mark(p, r, s, b, t, n)
        close_books(s, b, t, n)
        if status[0] != rows.FINE:
            return
