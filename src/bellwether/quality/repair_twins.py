"""One dividend told twice within days: which of the two entries is the phantom."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from bellwether.quality.repair_events import Event
from bellwether.quality.sheet import Sheet

CLEAR = 3.0
HABIT, NO_HABIT, LEAST_OTHERS = 0.6, 0.1, 6
NEXT_DOOR = 1


def phantom(
    sheet: Sheet, first: Event, second: Event, events: Sequence[Event]
) -> tuple[Event | None, float]:
    """Choose which of two entries to take out, and how sure that is.

    In this order decide: the adjusted closes, where they know one only; the scale, where only one
    is like the other dividends; the days on which the company is used to go ex; the price. Where
    none speaks and the two lie one session apart, the earlier goes: in the known cases it was the
    phantom, and the day is then wrong by one session at most. None where the choice stays open.
    """
    if first.adjusted:
        empty = [first.bare, second.bare]
        if empty[0] != empty[1]:
            return (first if empty[0] else second), 0.95
    rest = [e for e in events if e is not first and e is not second]
    if not 0.5 < first.amount / second.amount < 2.0 and rest:  # noqa: PLR2004 - hundredfold
        usual = np.median([e.amount for e in rest])
        odd = [abs(np.log(e.amount / usual)) for e in (first, second)]
        return (first if odd[0] > odd[1] else second), 0.95
    habits = [_habit(sheet, e, rest) for e in (first, second)]
    if max(habits) >= HABIT and min(habits) <= NO_HABIT:
        return (first if habits[0] < habits[1] else second), 0.9
    here = first.heard(first.amount, 0.0) + second.heard(0.0, second.amount)
    if abs(here) >= CLEAR:
        return (second if here > 0 else first), 0.9
    apart = int(sheet.position[second.row] - sheet.position[first.row])
    if apart == NEXT_DOOR and here <= 0 and habits[0] <= habits[1]:
        return first, 0.75
    return None, 0.0


def _habit(sheet: Sheet, event: Event, others: Sequence[Event]) -> float:
    """Return the share of the nearest dividends on the same place in their month."""
    near = sorted(others, key=lambda e: abs(e.row - event.row))[:12]
    if len(near) < LEAST_OTHERS:
        return 0.0
    mine = _places(sheet, event)
    told = [_places(sheet, e) for e in near]
    return max(float(np.mean([t[k] == mine[k] for t in told])) for k in range(2))


def _places(sheet: Sheet, event: Event) -> tuple[tuple[int, int], int]:
    """Return weekday with week of the month, and which bar of the month it is."""
    day: date = sheet.days[event.row].astype(object)
    first = np.datetime64(day.replace(day=1), "D")
    nth = event.row - int(np.searchsorted(sheet.days, first))
    return (day.weekday(), (day.day - 1) // 7), nth
