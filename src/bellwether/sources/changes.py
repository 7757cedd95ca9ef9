"""Lists of changes to a universe, told day by day, on top of the spells known before."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from bellwether.sources.checks import SYMBOL
from bellwether.sources.spells import OPEN_BASIS, Days, Refusals, Spell

BETWEEN = re.compile(r"[,;|\s]+")


@dataclass(frozen=True, slots=True)
class Change:
    """One name coming in or going out, in force from the open of session `on`."""

    universe: str
    symbol: str
    on: date
    comes_in: bool
    location: str
    row: int


def changes_of(
    rows: pl.DataFrame, days: Days, known_until: datetime, refusals: Refusals
) -> list[Change]:
    """Read the changes that rows tell.

    Parameters
    ----------
    rows : DataFrame
        universe, day (Date), told (the day as written), add and remove (tickers, perhaps several in
        a cell), location and row; all without an earlier fault.
    """
    found = []
    for told in rows.iter_rows(named=True):
        on = days.at_or_after(told["day"])
        at = {"location": told["location"], "row": told["row"]}
        if on is None or days.calendar.open_of(on) > known_until:
            refusals.add("not_yet_known", **at, told=told["told"])
            continue
        cells = [(told["remove"], False), (told["add"], True)]
        names = [(n, way) for cell, way in cells for n in BETWEEN.split(cell or "") if n]
        if not names:
            refusals.add("missing_value", **at)
        for name, way in names:
            if re.match(SYMBOL, name.upper()):
                found.append(Change(told["universe"], name.upper(), on, way, **at))
            else:
                refusals.add("bad_symbol", **at, symbol=name)
    return found


def changed(
    base: Sequence[Spell], changes: Iterable[Change], days: Days, refusals: Refusals
) -> list[Spell]:
    """Apply changes in order of time, on a day first what goes out; return the spells they touch."""
    spells: dict[tuple[str, str], list[Spell]] = {}
    for spell in base:
        spells.setdefault((spell.universe, spell.symbol), []).append(spell)
    touched: dict[tuple[str, str, date], Spell] = {}
    for change in sorted(changes, key=lambda c: (c.on, c.comes_in, c.row)):
        known = spells.setdefault((change.universe, change.symbol), [])
        step = _come_in if change.comes_in else _go_out
        found, reason = step(known, change, days)
        if found is None:
            refusals.add(
                reason, change.location, change.row, symbol=change.symbol, told=str(change.on)
            )
            continue
        known[:] = [spell for spell in known if spell.first != found.first] + [found]
        touched[change.universe, change.symbol, found.first] = found
    return list(touched.values())


def _come_in(known: list[Spell], change: Change, days: Days) -> tuple[Spell | None, str]:
    same = next((spell for spell in known if spell.first == change.on), None)
    if same is not None:
        return same, ""
    if any(spell.covers(change.on) for spell in known):
        return None, "already_a_member"
    opened = days.calendar.open_of(change.on)
    new = Spell(
        change.universe,
        change.symbol,
        change.on,
        None,
        opened,
        basis=OPEN_BASIS,
        location=change.location,
        row=change.row,
    )
    return new, ""


def _go_out(known: list[Spell], change: Change, days: Days) -> tuple[Spell | None, str]:
    last = days.before(change.on)
    inside = None if last is None else next((s for s in known if s.covers(last)), None)
    if inside is None:
        return None, "not_a_member"
    if inside.last == last:
        return inside, ""
    if inside.last is not None:
        return None, "conflicting_end"
    ended = replace(inside, last=last, ended_known=days.calendar.open_of(change.on))
    return ended, ""
