"""From targets to what is filled at an open; compiled as a part of `kernel`."""

import math

from bellwether.backtest import rows
from bellwether.backtest.books import Books, Floats, Panel, State, Terms
from bellwether.backtest.compiled import (
    ROUNDING,
    compiled,
    fail,
    freed,
    line,
    opening,
    quote,
    rates_of,
    signed,
    whole_lots,
)


@compiled
def price(p: Panel, s: State, t: int, n: int) -> None:
    """Find what each active symbol trades at: the open, or else the last close."""
    opened, active, last, fill = p.open[t], s.active, s.price, s.fill
    for i in range(n):
        j = active[i]
        fill[j] = last[j] if math.isnan(opened[j]) else opened[j]


@compiled
def decide(targets: Floats, row: int, s: State, equity: float, reference: Floats, n: int) -> int:  # noqa: PLR0913, PLR0917, RUF100
    """Turn targets into wanted numbers of shares; count those for which no price is known."""
    wishes, active, want = targets[row], s.active, s.want
    unpriced, endless = 0, -1
    for i in range(n):
        j = active[i]
        wish = wishes[j]
        if math.isnan(wish):
            continue
        want[j] = wish * equity / reference[j] if wish != 0 else 0.0
        if math.isnan(want[j]):
            unpriced += 1
        elif abs(want[j]) == math.inf:
            endless = i
    if endless >= 0:
        fail(s, rows.BAD_TARGET, row, active[endless])
    return unpriced


@compiled
def bound(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> int:
    """Find the orders that meet an open market, and how many; forget those that do not wait."""
    halted, gone, counts = line(p.halted, t), p.delisted_at, b.counts
    active, shares, want, sent, m = s.active, s.shares, s.want, s.sent, 0
    for i in range(n):
        j = active[i]
        if math.isnan(want[j]):
            continue
        small = ROUNDING * max(abs(want[j]), abs(shares[j]))
        if abs(want[j] - shares[j]) <= small:
            want[j] = math.nan
        elif 0 <= gone[j] <= t:
            counts[rows.DELISTED_REFUSED, t] += 1
            want[j] = math.nan
        elif halted[j] and not r.fill_anyway:
            counts[rows.HALTED, t] += 1
            want[j] = want[j] if r.keep_halted else math.nan
        else:
            sent[m] = j
            m += 1
    return m


@compiled
def cut(p: Panel, r: Terms, s: State, b: Books, t: int, m: int) -> None:
    """Cut orders to what the market takes and a lender lends, in lots."""
    opened, adv, lent = p.open[t], line(p.adv, t - 1), line(p.borrowable, t - 1)
    sent, shares, want, fill, orders = s.sent, s.shares, s.want, s.fill, s.order
    last, cap, lot, anyway, keep = s.price, r.cap, r.lot, r.fill_anyway, r.keep_unfilled
    capped, refused, unknown = 0, 0, -1
    for i in range(m):
        j = sent[i]
        if not math.isnan(opened[j]):
            fill[j] = opened[j]
        else:
            fill[j] = last[j] if anyway else math.nan
        if math.isnan(fill[j]):
            unknown = i
        held = shares[j]
        order = want[j] - held
        taken = takes(order, cap, adv[j], fill[j])
        lends = lent[j] or held + taken >= min(held, 0.0)
        capped += taken != order
        refused += not lends
        orders[j] = whole_lots(lot, held, taken if lends else -max(held, 0.0))
        if taken == order or not keep:
            want[j] = math.nan
    if unknown >= 0:
        fail(s, rows.NO_OPEN, t, sent[unknown])
    b.counts[rows.CAPPED, t] = capped
    b.counts[rows.SHORT_REFUSED, t] = refused


@compiled
def takes(order: float, cap: float, adv: float, price: float) -> float:
    """Cut an order to its part of an average day; unknown volume takes nothing."""
    most = cap * adv / price
    if cap == math.inf or abs(order) <= most:
        return order
    return signed(most, order) if most > 0 else 0.0


@compiled
def half_spread(adv: float, tiers: Floats, spreads: Floats) -> float:
    """Return the half-spread of a symbol by its volume; unknown volume pays the first."""
    tier = 0
    while tier < tiers.size and adv >= tiers[tier]:
        tier += 1
    return float(spreads[tier])


@compiled
def charge(p: Panel, r: Terms, s: State, t: int, m: int) -> None:
    """Work out what the orders cost."""
    adv, sigma = line(p.adv, t - 1), line(p.volatility, t - 1)
    sent, orders, fill, charges, cost = s.sent, s.order, s.fill, s.charge, s.cost
    tiers, spreads, rates, unknown = r.tier_adv, r.tier_spread, rates_of(r), -1
    for i in range(m):
        j = sent[i]
        if orders[j] == 0:
            cost[j] = 0.0
            continue
        spread = half_spread(adv[j], tiers, spreads)
        kinds = quote(rates, orders[j], fill[j], spread, adv[j], sigma[j])
        charges[0, j], charges[1, j], charges[2, j], charges[3, j] = kinds
        cost[j] = kinds[0] + kinds[1] + kinds[2] + kinds[3]
        if math.isnan(kinds[3]):
            unknown = i
    if unknown >= 0:
        j = sent[unknown]
        fail(s, rows.NO_VOLATILITY if not sigma[j] >= 0 else rows.NO_VOLUME, t - 1, j)


@compiled
def spendable(r: Terms, s: State, shorts: float, n: int) -> float:
    """Return the cash that may be spent before any order; `shorts` is 0 where there are none."""
    free = s.cash[0]
    if r.locked and shorts > 0:
        active, shares, fill = s.active, s.shares, s.fill
        for i in range(n):
            j = active[i]
            if shares[j] < 0:
                free += shares[j] * fill[j]
    return float(free)


@compiled
def afford(p: Panel, r: Terms, s: State, b: Books, t: int, m: int, free: float) -> None:
    """Scale down what opens positions to the cash that is free once the rest has been done."""
    sent, shares, orders, fill, cost = s.sent, s.shares, s.order, s.fill, s.cost
    need, locked = 0.0, r.locked
    for i in range(m):
        j = sent[i]
        order, held = orders[j], shares[j]
        if order == 0:
            continue
        change = freed(locked, held, order, fill[j], cost[j])
        if opening(held, order) == 0:
            free += change
        else:
            back = 0.0 if held * order >= 0 else -held
            alone = freed(locked, held, back, fill[j], 0.0)
            free += alone
            need += alone - change
    if need > max(free, 0.0):
        b.counts[rows.CASH_SCALED, t] += 1
        part = max(free / need - ROUNDING, 0.0)  # so that rounding overdraws nothing
        scale(r, s, m, part)
        charge(p, r, s, t, m)
        b.counts[rows.CASH_REFUSED, t] = admit(p, r, s, t, m, free)
        charge(p, r, s, t, m)


@compiled
def scale(r: Terms, s: State, m: int, part: float) -> None:
    """Keep `part` of what opens positions; what there was of each order is left in `s.asked`."""
    sent, shares, orders, asked = s.sent, s.shares, s.order, s.asked
    for i in range(m):
        j = sent[i]
        order, held = orders[j], shares[j]
        asked[j] = order
        away = opening(held, order)
        if away == 0:
            continue
        back = 0.0 if held * order >= 0 else -held
        kept = whole_lots(r.lot, held, back + part * away)
        orders[j] = back if part == 0 or abs(kept) < abs(back) else kept


@compiled
def admit(p: Panel, r: Terms, s: State, t: int, m: int, free: float) -> int:
    """Go through the scaled orders as long as they can be paid; count those that cannot."""
    adv, sigma = line(p.adv, t - 1), line(p.volatility, t - 1)
    sent, shares, orders, fill, cost = s.sent, s.shares, s.order, s.fill, s.cost
    asked = s.asked
    refused = 0
    for i in range(m):
        j = sent[i]
        held = shares[j]
        if opening(held, asked[j]) == 0:
            continue
        back = 0.0 if held * asked[j] >= 0 else -held
        free -= freed(r.locked, held, back, fill[j], 0.0)
        left = free + freed(r.locked, held, orders[j], fill[j], cost[j])
        if left < 0 and orders[j] != back:
            refused += 1
            orders[j] = back
            spread = half_spread(adv[j], r.tier_adv, r.tier_spread)
            kinds = quote(rates_of(r), back, fill[j], spread, adv[j], sigma[j])
            least = kinds[0] + kinds[1] + kinds[2] + kinds[3] if back != 0 else 0.0
            left = free + freed(r.locked, held, back, fill[j], least)
        free = left
    return refused
