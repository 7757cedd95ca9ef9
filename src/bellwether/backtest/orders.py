"""From targets to what is filled at an open; compiled as a part of `kernel`."""

import math

from bellwether.backtest import rows
from bellwether.backtest.books import Books, Floats, Panel, State, Terms
from bellwether.backtest.compiled import ROUNDING, at, compiled, fail


@compiled
def decide(targets: Floats, row: int, r: Terms, s: State, equity: float, j: int) -> bool:
    """Turn a target into a wanted number of shares; False where no price is known for it."""
    wish = targets[row, j]
    if math.isnan(wish):
        return True
    if wish == 0:
        s.want[j] = 0.0
        return True
    reference = s.fill[j] if r.size_at_fill else s.price[j]
    s.want[j] = wish * equity / reference
    if abs(s.want[j]) == math.inf:
        fail(s, rows.BAD_TARGET, row, j)
    return not math.isnan(reference)


@compiled
def whole_lots(r: Terms, held: float, order: float) -> float:
    """Round an order towards 0 to lots; one that closes a position may be odd."""
    left = held + order
    if abs(left) <= ROUNDING * abs(held):
        return -held
    if r.lot > 0:
        return math.copysign(math.floor(abs(order) / r.lot + ROUNDING) * r.lot, order)
    return order


@compiled
def bound(p: Panel, r: Terms, s: State, b: Books, t: int, j: int) -> float:
    """Find what of an order can be filled at this open; forget what does not wait."""
    held = s.shares[j]
    order = s.want[j] - held
    waits = False
    if math.isnan(order) or abs(order) <= ROUNDING * max(abs(s.want[j]), abs(held)):
        order = 0.0
    elif 0 <= p.delisted_at[j] <= t:
        b.counts[rows.DELISTED_REFUSED, t] += 1
        order = 0.0
    elif not r.fill_anyway and at(p.halted, t, j):
        b.counts[rows.HALTED, t] += 1
        order, waits = 0.0, r.keep_halted
    else:
        order, capped = cut(p, r, s, b, t, j, order)
        waits = capped and r.keep_unfilled
    if not waits:
        s.want[j] = math.nan
    return order


@compiled
def cut(p: Panel, r: Terms, s: State, b: Books, t: int, j: int, order: float) -> tuple[float, bool]:
    """Cut an order to what the market takes and a lender lends, in lots; say if it was capped."""
    held = s.shares[j]
    if math.isnan(s.fill[j]) or (math.isnan(p.open[t, j]) and not r.fill_anyway):
        fail(s, rows.NO_OPEN, t, j)
    capped = False
    if r.cap < math.inf:
        most = r.cap * at(p.adv, t - 1, j) / s.fill[j]
        if not abs(order) <= most:
            order = math.copysign(most, order) if most > 0 else 0.0
            b.counts[rows.CAPPED, t] += 1
            capped = True
    if held + order < min(held, 0.0) and not at(p.borrowable, t - 1, j):
        b.counts[rows.SHORT_REFUSED, t] += 1
        order = -max(held, 0.0)
    return (whole_lots(r, held, order) if order != 0 else 0.0), capped


@compiled
def quote(p: Panel, r: Terms, s: State, t: int, j: int) -> float:
    """Work out what an order costs, kind by kind; return the sum."""
    size = abs(s.order[j])
    notional = size * s.fill[j]
    adv = at(p.adv, t - 1, j)
    tier = 0
    while tier < r.tier_adv.size and adv >= r.tier_adv[tier]:
        tier += 1
    commission = max(notional * r.commission + size * r.per_share, r.minimum)
    s.charge[0, j] = commission
    s.charge[1, j] = notional * r.tier_spread[tier]
    s.charge[2, j] = notional * r.slippage
    s.charge[3, j] = 0.0
    if r.impact > 0:
        sigma = at(p.volatility, t - 1, j)
        if not sigma >= 0:
            fail(s, rows.NO_VOLATILITY, t - 1, j)
        if not adv > 0:
            fail(s, rows.NO_VOLUME, t - 1, j)
        s.charge[3, j] = notional * r.impact * sigma * math.sqrt(notional / adv)
    return float(commission + s.charge[1, j] + s.charge[2, j] + s.charge[3, j])


@compiled
def opening(held: float, order: float) -> float:
    """Return the part of an order that leads away from 0."""
    if held * order >= 0:
        return order
    return math.copysign(max(abs(order) - abs(held), 0.0), order)


@compiled
def free_after(r: Terms, s: State, j: int, order: float, cost: float) -> float:
    """Return what an order adds to the cash that may be spent; proceeds of shorts may be locked."""
    held, after = s.shares[j], s.shares[j] + order
    change = -order * s.fill[j] - cost
    if r.locked:
        change -= (max(-after, 0.0) - max(-held, 0.0)) * s.fill[j]
    return float(change)


@compiled
def afford(p: Panel, r: Terms, s: State, b: Books, t: int, n: int) -> None:
    """Scale down what opens positions to the cash that is free once the rest has been done."""
    free, need, reduced = s.cash[0], 0.0, 0.0
    for i in range(n):
        j = s.active[i]
        order, held = s.order[j], s.shares[j]
        if r.locked and held < 0:
            free += held * s.fill[j]
        if order == 0:
            continue
        away = opening(held, order)
        cost = quote(p, r, s, t, j)
        if away == 0:
            reduced += free_after(r, s, j, order, cost)
        else:
            back = free_after(r, s, j, 0.0 if held * order >= 0 else -held, 0.0)
            free += back
            need += back - free_after(r, s, j, order, cost)
    free += reduced
    if need > max(free, 0.0) and not r.margin:
        b.counts[rows.CASH_SCALED, t] += 1
        part = max(free / need - ROUNDING, 0.0)  # so that rounding overdraws nothing
        shrink(p, r, s, b, t, n, free, part)


@compiled
def shrink(  # noqa: PLR0913, PLR0917
    p: Panel, r: Terms, s: State, b: Books, t: int, n: int, free: float, part: float
) -> None:
    """Keep `part` of what opens positions, symbol by symbol, as long as it can be paid."""
    for i in range(n):
        j = s.active[i]
        order, held = s.order[j], s.shares[j]
        away = opening(held, order)
        if order == 0 or away == 0:
            continue
        back = 0.0 if held * order >= 0 else -held
        free -= free_after(r, s, j, back, 0.0)
        s.order[j] = whole_lots(r, held, back + part * away)
        if part == 0 or abs(s.order[j]) < abs(back):
            s.order[j] = back
        cost = quote(p, r, s, t, j) if s.order[j] != 0 else 0.0
        left = free + free_after(r, s, j, s.order[j], cost)
        if left < 0 and s.order[j] != back:
            b.counts[rows.CASH_REFUSED, t] += 1
            s.order[j] = back
            cost = quote(p, r, s, t, j) if back != 0 else 0.0
            left = free + free_after(r, s, j, back, cost)
        free = left
