"""Dividends told twice, in other units, or not taken out of the adjusted closes."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bellwether.quality.repair_adjusted import Factors
from bellwether.quality.repair_conflicts import conflicts
from bellwether.quality.repair_events import Event, events_of, pooled
from bellwether.quality.repair_policy import RepairPolicy
from bellwether.quality.repair_twins import phantom
from bellwether.quality.sheet import Sheet, Why

HUNDRED = 100.0
SAME = 0.002
NEIGHBOUR = 0.03
AROUND = 25
LIKE = 0.1
MANY, MOST = 4, 0.8


def repair_dividends(sheet: Sheet, policy: RepairPolicy) -> None:
    """Judge every dividend by its neighbours, the adjusted closes and the price of its day."""
    if sheet.basis == "total":
        return
    events = events_of(sheet, policy)
    factors = Factors(sheet)
    if "phantom_dividend" in policy.kinds:
        events = _twins(sheet, events, factors, policy)
    if "bad_dividend_amount" in policy.kinds:
        _too_large(sheet, events, factors, policy)
        _too_small(sheet, events, factors, policy)
        _one_too_small(sheet, events, factors, policy)
    conflicts(sheet, events, factors, policy)
    factors.write()
    if "missing_dividend" in policy.kinds:
        factors.unlisted(policy)


def _twins(
    sheet: Sheet, events: list[Event], factors: Factors, policy: RepairPolicy
) -> list[Event]:
    """Take out a dividend that is told twice within days."""
    kept = list(events)
    for first, second in pairwise(events):
        apart = int(sheet.position[second.row] - sheet.position[first.row])
        scale = first.amount / second.amount
        same = any(abs(scale / k - 1) < SAME for k in (1.0, HUNDRED, 1 / HUNDRED))
        if not same or apart > policy.twin_sessions or not _seldom(sheet, events, policy):
            continue
        gone, sure = phantom(sheet, first, second, events)
        if gone is None:
            words = f"{first.amount:g} is listed twice, {apart} sessions apart; nothing says which is right"
            sheet.leave(first.row, Why("phantom_dividend", words, 0.5))
            continue
        other = second if gone is first else first
        words = (
            f"{gone.amount:g} stands again, as {other.amount:g}, on "
            f"{sheet.day(other.row)}, {apart} sessions away; what is paid once was told twice"
        )
        why = Why("phantom_dividend", words, sure)
        sheet.put(gone.row, "dividend_usd", 0.0, why)
        factors.put(gone, 1.0, why)
        kept.remove(gone)
    return kept


def _seldom(sheet: Sheet, events: Sequence[Event], policy: RepairPolicy) -> bool:
    """Say whether dividends usually lie far apart, so that two within days are odd."""
    places = np.array([sheet.position[e.row] for e in events])
    return len(places) == 2 or bool(np.median(np.diff(places)) > 2 * policy.twin_sessions)  # noqa: PLR2004


def _change(sheet: Sheet, event: Event, amount: float, why: Why, factors: Factors) -> None:
    """Write another amount, and take it out of the adjusted closes."""
    told = float(f"{amount:.10g}")
    sheet.put(event.row, "dividend_usd", told, why)
    if event.adjusted:
        factors.put(event, 1.0 - amount / event.price, why)
    event.amount, event.settled = amount, True


def _too_large(
    sheet: Sheet, events: Sequence[Event], factors: Factors, policy: RepairPolicy
) -> None:
    """Divide by 100 what no price can have paid and nobody contradicts."""
    for k, e in enumerate(events):
        small = e.amount / HUNDRED
        if not e.agrees or e.settled or e.share < policy.largest_yield / 2:
            continue
        if not policy.smallest_yield <= small / e.price <= policy.largest_yield:
            continue
        impossible = e.share >= 1
        odds = pooled([e], [small], [e.amount])
        if not impossible and (odds < policy.odds_agreed or _fell_nearby(sheet, e)):
            continue
        if not _like_others(e, [*events[max(0, k - 1) : k], *events[k + 1 : k + 2]], small):
            words = f"{e.amount:g} is {e.share:.0%} of the price and unlike the others"
            sheet.leave(e.row, Why("bad_dividend_amount", words, 0.5))
            continue
        how = "is more than the price itself" if impossible else f"is {e.share:.0%} of the price"
        words = (
            f"{e.amount:g} {how} ({e.price:g}), which fell by {_fallen(e)}; a hundredth of it fits"
        )
        sure = 0.95 if impossible else 0.97
        _change(sheet, e, small, Why("bad_dividend_amount", words, sure), factors)


def _like_others(event: Event, beside: Sequence[Event], amount: float) -> bool:
    """Say whether the amount is like those beside it: the value of a spin-off never is.

    Where there is none beside it, or where the price rules the amount out, the adjusted closes
    have to have taken it out: then it is a dividend.
    """
    if event.adjusted and (event.share >= 1 or not beside):
        return True
    return any(abs(np.log(amount / e.amount)) < LIKE for e in beside)


def _fallen(event: Event) -> str:
    return f"{event.fall:.1%}" if np.isfinite(event.fall) else "nothing known"


def _fell_nearby(sheet: Sheet, event: Event) -> bool:
    """Say whether the price fell by half the dividend on a day nearby: a wrong date, not amount."""
    near = slice(max(0, event.row - AROUND), event.row + AROUND + 1)
    closes = sheet.continuous()[near]
    closes = closes[np.isfinite(closes)]
    return bool((closes[1:] / closes[:-1] - 1 < -event.share / 2).any())


def _too_small(
    sheet: Sheet, events: Sequence[Event], factors: Factors, policy: RepairPolicy
) -> None:
    """Multiply by 100 a history of dividends that are all smaller than any company pays."""
    small = [
        e
        for e in events
        if e.agrees
        and not e.settled
        and e.share < policy.smallest_yield
        and e.paid < policy.smallest_usd
    ]
    if len(small) < MANY or len(small) < MOST * len(events):
        return
    large = [e.amount * HUNDRED for e in small]
    heard = sum(e.heard(a, e.amount) for e, a in zip(small, large, strict=True))
    odds = pooled(small, large, [e.amount for e in small])
    if heard < 0 or odds < policy.odds_agreed:
        return
    words = (
        f"{len(small)} dividends of a few hundredths of a cent, at most "
        f"{max(e.share for e in small):.2%} of the price; a hundred times as much is usual "
        f"and fits the falls of the price better (log odds {odds:.1f})"
    )
    for e, amount in zip(small, large, strict=True):
        _change(sheet, e, amount, Why("bad_dividend_amount", words, 0.9), factors)


def _one_too_small(
    sheet: Sheet, events: Sequence[Event], factors: Factors, policy: RepairPolicy
) -> None:
    """Multiply by 100 the one dividend that is a hundredth of those beside it."""
    for k, e in enumerate(events):
        beside = [*events[max(0, k - 1) : k], *events[k + 1 : k + 2]]
        tiny = e.share < policy.smallest_yield and e.paid < policy.smallest_usd
        if not tiny or e.settled or not e.agrees or len(beside) < 2:  # noqa: PLR2004
            continue
        large = e.amount * HUNDRED
        twins = [n for n in beside if abs(large / n.amount - 1) < NEIGHBOUR]
        if not twins or any(n.share < policy.smallest_yield for n in beside):
            continue
        if e.heard(large, e.amount) < -1:
            continue
        words = (
            f"{e.amount:g} is a hundredth of the dividend of "
            f"{sheet.day(twins[0].row)} and less than any company pays"
        )
        _change(sheet, e, large, Why("bad_dividend_amount", words, 0.95), factors)
