"""Dividends and adjusted closes that contradict each other: which of the two is right."""

from collections.abc import Sequence

import numpy as np

from bellwether.quality.repair_adjusted import Factors
from bellwether.quality.repair_events import Event, pooled
from bellwether.quality.repair_policy import RepairPolicy
from bellwether.quality.sheet import Sheet, Why

UNITS = (100.0, 1 / 100.0)
UNIT_SLACK = 0.03
ALIKE = 0.05
CERTAIN = 20.0
ANCHOR = float(np.log(1.5))
SCALE = float(np.log(6.0))
FRESH = -4.0


def conflicts(
    sheet: Sheet, events: Sequence[Event], factors: Factors, policy: RepairPolicy
) -> None:
    """Settle every contradiction that the evidence settles; say the others.

    Contradictions of one symbol with one and the same ratio have one cause and are judged
    together.
    """
    told = [e for e in events if e.adjusted and not e.settled and not e.agrees]
    numbers = [e for e in told if np.isfinite(e.implied)]
    odd = [e for e in told if not np.isfinite(e.implied)]
    bare = [e for e in numbers if e.bare]
    gains = [e for e in numbers if e.gain > 0 and abs(e.implied - e.amount - e.gain) <= e.noise]
    rest = [e for e in numbers if e not in bare and e not in gains]
    _gains(sheet, gains, factors, policy)
    sides = {_one_cause(sheet, group, factors, policy) for group in _groups(rest)}
    units = {e.unit for e in rest if e.unit != 1.0}
    for e in bare:
        if len(units) == 1:
            _as_the_others(sheet, e, min(units), policy)
        _bare(sheet, e, factors, policy)
    for e in odd:
        if sides == {"closes"}:
            words = (
                "the adjusted closes before are no numbers, where others subtract a wrong amount"
            )
            _adjust(e, factors, Why("dividend_not_adjusted", words, 0.95), policy)
        else:
            sheet.leave(
                e.row,
                Why("dividend_not_adjusted", "the adjusted closes before are no numbers", 0.5),
            )


def _groups(events: Sequence[Event]) -> list[list[Event]]:
    """Put together the events whose adjusted closes subtract alike multiples of the amount."""
    ordered = sorted(events, key=lambda e: e.implied / e.amount)
    groups: list[list[Event]] = []
    for e in ordered:
        ratio = e.implied / e.amount
        last = groups[-1][-1].implied / groups[-1][-1].amount if groups else np.nan
        if groups and ratio * last > 0 and abs(ratio / last - 1) < ALIKE:
            groups[-1].append(e)
        else:
            groups.append([e])
    return groups


def _one_cause(sheet: Sheet, group: Sequence[Event], factors: Factors, policy: RepairPolicy) -> str:
    """Settle a group; return which side was wrong: "closes", "amounts" or "unknown"."""
    amounts, implied = [e.amount for e in group], [max(e.implied, 0.0) for e in group]
    odds = pooled(group, amounts, implied)
    odds += CERTAIN * any(not 0 <= e.implied < e.price for e in group)
    odds -= CERTAIN * any(e.amount >= e.price for e in group)
    ratio = float(np.median([e.implied / e.amount for e in group]))
    unit = next((u for u in UNITS if abs(ratio / u - 1) < UNIT_SLACK), None)
    said = (
        f"the adjusted closes subtract {ratio:.4g} times the amount on {len(group)} ex-dates; "
        f"prices and usual amounts speak for"
    )
    if odds >= policy.odds_conflict:
        why = Why("dividend_not_adjusted", f"{said} the amount (log odds {odds:.1f})", 0.95)
        for e in group:
            _adjust(e, factors, why, policy)
        return "closes"
    wanted = unit is not None and "bad_dividend_amount" in policy.kinds
    if (
        odds <= -policy.odds_conflict
        and unit is not None
        and wanted
        and _anchored(sheet, min(e.before for e in group))
    ):
        why = Why("bad_dividend_amount", f"{said} the closes (log odds {-odds:.1f})", 0.97)
        for e in group:
            told = float(f"{e.amount * unit:.10g}")
            sheet.put(e.row, "dividend_usd", told, why)
            e.amount, e.unit, e.settled = e.amount * unit, unit, True
        return "amounts"
    words = f"{said} neither clearly (log odds {odds:.1f} for the amount)"
    for e in group:
        sheet.leave(e.row, Why("dividend_not_adjusted", words, 0.5))
    return "unknown"


def _anchored(sheet: Sheet, since: int) -> bool:
    """Say whether prices and adjusted closes are on one scale, from a row to the newest.

    Where they are not, prices in other units look as if the dividend were.
    """
    rows = sheet.valid()
    newest = sheet.values["adj_close"][rows[-1]] / sheet.values["close"][rows[-1]]
    steps = np.diff(np.log(sheet.continuous()[rows[rows >= since]]))
    whole = bool((np.abs(steps) < SCALE).all())
    return bool(whole and newest > 0 and abs(np.log(newest)) < ANCHOR)


def _gains(sheet: Sheet, events: Sequence[Event], factors: Factors, policy: RepairPolicy) -> None:
    """Stop subtracting a capital gain twice, where prices fell by the whole amount once."""
    heard = sum(e.heard(e.amount, e.implied) for e in events)
    if events and heard >= policy.odds_gains:
        words = (
            f"the adjusted closes subtract the capital gain twice on {len(events)} ex-dates; the "
            f"prices fell by it once (log odds {heard:.1f})"
        )
        for e in events:
            _adjust(e, factors, Why("dividend_not_adjusted", words, 0.97), policy)
        return
    for e in events:
        words = (
            "the adjusted closes subtract the capital gain on top; prices do not say which is right"
        )
        sheet.leave(e.row, Why("dividend_not_adjusted", words, 0.5))


def _bare(sheet: Sheet, event: Event, factors: Factors, policy: RepairPolicy) -> None:
    """Take a listed dividend out of adjusted closes that know nothing of it."""
    sane = policy.smallest_yield <= event.share <= policy.largest_yield
    heard = event.heard(event.amount, 0.0)
    words = f"{event.amount:g} is listed and the adjusted closes before do not subtract it"
    if sane and heard > FRESH:
        _adjust(event, factors, Why("dividend_not_adjusted", words, 0.9), policy)
    else:
        sheet.leave(
            event.row, Why("dividend_not_adjusted", f"{words}; the price speaks against it", 0.5)
        )


def _as_the_others(sheet: Sheet, event: Event, unit: float, policy: RepairPolicy) -> None:
    """Bring an amount that no price can have paid to the units that the others were brought to."""
    amount = event.amount * unit
    odd = not policy.smallest_yield <= event.share <= policy.largest_yield
    if odd and policy.smallest_yield <= amount / event.price <= policy.largest_yield:
        words = (
            f"{event.amount:g} is {event.share:.1%} of the price; the other dividends of the symbol "
            f"are listed {1 / unit:g} times too large as well"
        )
        told = float(f"{amount:.10g}")
        sheet.put(event.row, "dividend_usd", told, Why("bad_dividend_amount", words, 0.95))
        event.amount, event.unit = amount, unit


def _adjust(event: Event, factors: Factors, why: Why, policy: RepairPolicy) -> None:
    if "dividend_not_adjusted" in policy.kinds and 0 < event.amount < event.price:
        factors.put(event, 1.0 - event.amount / event.price, why)
        event.settled = True
