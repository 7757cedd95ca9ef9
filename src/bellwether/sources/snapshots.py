"""Membership read out of snapshots: in between, a name is a member if it is one at both ends."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise

import polars as pl

from bellwether.sources.spells import SNAPSHOT_BASIS, Days, Refusals, Spell


def seen(
    rows: pl.DataFrame,
    base: Sequence[Spell],
    days: Days,
    known_until: datetime,
    refusals: Refusals,
) -> list[Spell]:
    """Read spells out of the snapshots of one universe.

    A spell runs from the first snapshot that lists a name to the last before one that does not.
    Each end is known at the open of the session after the snapshot that showed it. A spell of
    `base` that is open and missing from the first snapshot ended on the session before it.

    Parameters
    ----------
    rows : DataFrame
        universe, day (Date), told, symbol, location and row; all without an earlier fault.
    base : sequence of Spell
        Spells of this universe known before, which the first snapshot goes on from.
    """
    places = _places(rows, days, known_until, refusals)
    if not places:
        return []
    dates = sorted({on for _, on in places})
    following = dict(pairwise(dates))
    by_symbol: dict[str, list[date]] = {}
    for symbol, on in sorted(places):
        by_symbol.setdefault(symbol, []).append(on)
    spells = []
    for symbol, listed in by_symbol.items():
        for run in _runs(listed, following):
            location, row = places[symbol, run[0]]
            blank = Spell(
                rows["universe"][0],
                symbol,
                run[0],
                None,
                _heard(run[0], days),
                basis=SNAPSHOT_BASIS,
                location=location,
                row=row,
            )
            after = following.get(run[-1])
            spells.append(_continued(_ended(blank, run[-1], after, days), base, dates))
    gone = [s for s in base if s.last is None and s.first < dates[0]]
    for spell in gone:
        last = days.before(dates[0])
        if (spell.symbol, dates[0]) not in places and last is not None:
            spells.append(_ended(spell, last, dates[0], days))
    return spells


def _places(
    rows: pl.DataFrame, days: Days, known_until: datetime, refusals: Refusals
) -> dict[tuple[str, date], tuple[str, int]]:
    places: dict[tuple[str, date], tuple[str, int]] = {}
    heard: dict[date, date | None] = {}
    for told in rows.iter_rows(named=True):
        day, location, row = told["day"], told["location"], told["row"]
        if day not in heard:
            on = days.at_or_before(day)
            shown = None if on is None else days.open_after(on)
            heard[day] = on if shown is not None and shown <= known_until else None
        on = heard[day]
        if on is None:
            refusals.add("not_yet_known", location, row, told=told["told"])
        elif (told["symbol"], on) in places:
            refusals.add("duplicate", location, row)
        else:
            places[told["symbol"], on] = (location, row)
    return places


def _heard(session: date, days: Days) -> datetime:
    known = days.open_after(session)
    return days.calendar.close_of(session) if known is None else known


def _ended(spell: Spell, last: date, shown: date | None, days: Days) -> Spell:
    """End a spell that the snapshot of `shown` does not list any more; None ends nothing."""
    if shown is None:
        return spell
    return replace(spell, last=last, ended_known=_heard(shown, days))


def _continued(spell: Spell, base: Sequence[Spell], dates: Sequence[date]) -> Spell:
    """Join a spell with what was known before the first and after the last snapshot."""
    known = next((s for s in base if s.symbol == spell.symbol and s.covers(spell.first)), None)
    if known is None or (known.first != spell.first and spell.first != dates[0]):
        return spell
    joined = replace(spell, first=known.first, began_known=known.began_known, basis=known.basis)
    if spell.last is None and known.last is not None and known.last >= dates[-1]:
        return known
    return joined


def _runs(listed: list[date], following: dict[date, date]) -> list[list[date]]:
    runs = [[listed[0]]]
    for before, on in pairwise(listed):
        if following[before] == on:
            runs[-1].append(on)
        else:
            runs.append([on])
    return runs
