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
    whole_lots,
)


@compiled
def price(p: Panel, r: Terms, s: State, t: int, n: int) -> None:
    """Find what each active symbol trades at: the open, or else the last close; and its spread."""
    opened, adv = p.open[t], line(p.adv, t - 1)
    active, last, fill, spread = s.active, s.price, s.fill, s.spread
    tiers, spreads = r.tier_adv, r.tier_spread
    for i in range(n):
        j = active[i]
        fill[j] = last[j] if math.isnan(opened[j]) else opened[j]
        tier = 0
        while tier < tiers.size and adv[j] >= tiers[tier]:
            tier += 1
        spread[j] = spreads[tier]


@compiled
def decide(targets: Floats, row: int, s: State, equity: float, reference: Floats, n: int) -> int:  # noqa: PLR0913, PLR0917, RUF100
    """Turn targets into wanted numbers of shares; count those for which no price is known."""
    wishes, active, want = targets[row], s.active, s.want
    unpriced = 0
    for i in range(n):
        j = active[i]
        wish = wishes[j]
        if math.isnan(wish):
            continue
        want[j] = wish * equity / reference[j] if wish != 0 else 0.0
        if math.isnan(want[j]):
            unpriced += 1
        elif abs(want[j]) == math.inf:
            fail(s, rows.BAD_TARGET, row, j)
    return unpriced


@compiled
def bound(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> None:
    """Find what of each order can be filled at this open; forget what does not wait."""
    opened, halted, gone = p.open[t], line(p.halted, t), p.delisted_at
    adv, lent, counts = line(p.adv, t - 1), line(p.borrowable, t - 1), b.counts
    active, shares, want, fill, orders = s.active, s.shares, s.want, s.fill, s.order
    for i in range(n):
        j = active[i]
        held = shares[j]
        order = want[j] - held
        waits = False
        if math.isnan(order) or abs(order) <= ROUNDING * max(abs(want[j]), abs(held)):
            order = 0.0
        elif 0 <= gone[j] <= t:
            counts[rows.DELISTED_REFUSED, t] += 1
            order = 0.0
        elif halted[j] and not r.fill_anyway:
            counts[rows.HALTED, t] += 1
            order, waits = 0.0, r.keep_halted
        else:
            if math.isnan(fill[j]) or (math.isnan(opened[j]) and not r.fill_anyway):
                fail(s, rows.NO_OPEN, t, j)
            taken = takes(order, r.cap, adv[j], fill[j])
            waits = taken != order and r.keep_unfilled
            counts[rows.CAPPED, t] += taken != order
            lends = lent[j] or held + taken >= min(held, 0.0)
            counts[rows.SHORT_REFUSED, t] += not lends
            order = whole_lots(r.lot, held, taken if lends else -max(held, 0.0))
        if not waits:
            want[j] = math.nan
        orders[j] = order


@compiled
def takes(order: float, cap: float, adv: float, price: float) -> float:
    """Cut an order to its part of an average day; unknown volume takes nothing."""
    most = cap * adv / price
    if cap == math.inf or abs(order) <= most:
        return order
    return math.copysign(most, order) if most > 0 else 0.0


@compiled
def charge(p: Panel, r: Terms, s: State, t: int, n: int) -> None:
    """Work out what the orders cost."""
    adv, sigma = line(p.adv, t - 1), line(p.volatility, t - 1)
    active, orders, fill, spread = s.active, s.order, s.fill, s.spread
    charges, cost = s.charge, s.cost
    for i in range(n):
        j = active[i]
        if orders[j] == 0:
            cost[j] = 0.0
            continue
        kinds = quote(r, orders[j], fill[j], spread[j], adv[j], sigma[j])
        charges[0, j], charges[1, j], charges[2, j], charges[3, j] = kinds
        cost[j] = kinds[0] + kinds[1] + kinds[2] + kinds[3]
        if math.isnan(kinds[3]):
            fail(s, rows.NO_VOLATILITY if not sigma[j] >= 0 else rows.NO_VOLUME, t - 1, j)


@compiled
def afford(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> None:
    """Scale down what opens positions to the cash that is free once the rest has been done."""
    active, shares, orders, fill, cost = s.active, s.shares, s.order, s.fill, s.cost
    free, need = s.cash[0], 0.0
    for i in range(n):
        j = active[i]
        order, held = orders[j], shares[j]
        if r.locked and held < 0:
            free += held * fill[j]
        if order == 0:
            continue
        change = freed(r.locked, held, order, fill[j], cost[j])
        if opening(held, order) == 0:
            free += change
        else:
            back = 0.0 if held * order >= 0 else -held
            alone = freed(r.locked, held, back, fill[j], 0.0)
            free += alone
            need += alone - change
    if need > max(free, 0.0) and not r.margin:
        b.counts[rows.CASH_SCALED, t] += 1
        part = max(free / need - ROUNDING, 0.0)  # so that rounding overdraws nothing
        scale(r, s, n, part)
        charge(p, r, s, t, n)
        b.counts[rows.CASH_REFUSED, t] = admit(p, r, s, t, n, free)
        charge(p, r, s, t, n)


@compiled
def scale(r: Terms, s: State, n: int, part: float) -> None:
    """Keep `part` of what opens positions; what there was of each order is left in `s.asked`."""
    active, shares, orders, asked = s.active, s.shares, s.order, s.asked
    for i in range(n):
        j = active[i]
        order, held = orders[j], shares[j]
        asked[j] = order
        away = opening(held, order)
        if order == 0 or away == 0:
            continue
        back = 0.0 if held * order >= 0 else -held
        kept = whole_lots(r.lot, held, back + part * away)
        orders[j] = back if part == 0 or abs(kept) < abs(back) else kept


@compiled
def admit(p: Panel, r: Terms, s: State, t: int, n: int, free: float) -> int:
    """Go through the scaled orders as long as they can be paid; count those that cannot."""
    adv, sigma = line(p.adv, t - 1), line(p.volatility, t - 1)
    active, shares, orders, fill, cost = s.active, s.shares, s.order, s.fill, s.cost
    asked, spread = s.asked, s.spread
    refused = 0
    for i in range(n):
        j = active[i]
        held = shares[j]
        if asked[j] == 0 or opening(held, asked[j]) == 0:
            continue
        back = 0.0 if held * asked[j] >= 0 else -held
        free -= freed(r.locked, held, back, fill[j], 0.0)
        left = free + freed(r.locked, held, orders[j], fill[j], cost[j])
        if left < 0 and orders[j] != back:
            refused += 1
            orders[j] = back
            kinds = quote(r, back, fill[j], spread[j], adv[j], sigma[j])
            least = kinds[0] + kinds[1] + kinds[2] + kinds[3] if back != 0 else 0.0
            left = free + freed(r.locked, held, back, fill[j], least)
        free = left
    return refused
