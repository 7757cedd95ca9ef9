"""Spells of membership: what one is, how they are checked, and in which order they were known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.ports import LakeBatch
from bellwether.core.schemas import UNIVERSE_IN, UTC_TIME, check
from bellwether.core.types import Rejection
from bellwether.sources.facts import Rows

SOURCE = "universe"
OPEN_BASIS, SNAPSHOT_BASIS, END_BASIS = "effective_session_open", "snapshot", "stated"
WORDS: Mapping[str, str] = {
    "malformed_row": "the row has another number of fields than the header",
    "bad_symbol": "symbol {symbol!r} is not a ticker",
    "bad_universe": "{universe!r} is no name for a universe (small letters, digits, . _ -)",
    "not_a_date": "{told!r} is not a date (YYYY-MM-DD or an ISO time)",
    "no_zone": "{told!r} is a time without a zone; say which with --zone",
    "wrong_zone": "{told!r} lies outside the opening hours of any session; is the zone right?",
    "outside_calendar": "{told!r} lies outside the calendar, which ends in 2035",
    "not_yet_known": "{told!r} lies in the future",
    "missing_value": "the row says nothing: no name comes in and none goes out",
    "end_not_a_date": "its end, {ended!r}, is not a date (YYYY-MM-DD or an ISO time)",
    "reason_without_end": "it tells how it ended and not when",
    "end_before_start": "it ends ({ended}) before it begins ({told}), or holds no session",
    "bad_end_reason": "{why_ended!r} is neither removed nor delisted",
    "bad_delisting_return": (
        "{told_return!r} is no delisting return: a fraction of -1 or more, for a name that was delisted"
    ),
    "duplicate": "the same spell stands here twice; the first is kept",
    "conflicting_duplicate": "two spells of {symbol} begin on {told} and end differently; which is right?",
    "overlapping_spells": "{symbol} has two spells that overlap here; neither can be trusted",
    "already_a_member": "{symbol} comes in on {told} and was in already",
    "not_a_member": (
        "{symbol} goes out on {told} and nothing tells when it came in; read the membership first, "
        "or put both files into one folder"
    ),
    "conflicting_end": "{symbol} goes out on {told}, and is known to have gone out later",
}


@dataclass(frozen=True, slots=True)
class Spell:
    """One stay of a name in a universe, from session `first` to session `last`, both included.

    `began_known` and `ended_known` are when the two could first be known; the second is None
    while `last` is. `row` counts the rows that were read, -1 for what the lake told.
    """

    universe: str
    symbol: str
    first: date
    last: date | None
    began_known: datetime
    ended_known: datetime | None = None
    end_reason: str | None = None
    delisting_return: float | None = None
    basis: str = OPEN_BASIS
    location: str = ""
    row: int = -1

    @property
    def told(self) -> tuple[object, ...]:
        """Everything that two tellings of one spell have to agree on."""
        return self.last, self.end_reason, self.delisting_return

    def covers(self, session: date) -> bool:
        """Tell whether it was in on `session`."""
        return self.first <= session and (self.last is None or session <= self.last)


class Refusals:
    """Collects the rows that are not taken, with their words."""

    def __init__(self, quotes: Rows) -> None:
        self._quotes = quotes
        self._kept: list[tuple[int, Rejection]] = []

    def add(self, reason: str, location: str, row: int, **fields: object) -> None:
        """Refuse one row."""
        detail = WORDS[reason].format(**fields)
        told = Rejection(SOURCE, location, reason, detail, self._quotes.quote(row))
        self._kept.append((row, told))

    def refuse(self, reason: str, spell: Spell) -> None:
        """Refuse the row that a spell was read from."""
        self.add(reason, spell.location, spell.row, symbol=spell.symbol, told=str(spell.first))

    def all(self) -> tuple[Rejection, ...]:
        """Return the rejections in the order of the rows."""
        return tuple(told for _, told in sorted(self._kept, key=lambda kept: kept[0]))


class Days:
    """Days to sessions and instants, for the two ends of a spell."""

    def __init__(self, calendar: SessionCalendar) -> None:
        self.calendar = calendar
        self._sessions = calendar.sessions

    def at_or_after(self, day: date) -> date | None:
        """Return the first session from `day` on; None beyond the calendar."""
        return self._at(int(np.searchsorted(self._sessions, np.datetime64(day, "D"))))

    def at_or_before(self, day: date) -> date | None:
        """Return the last session up to `day`; None before the calendar."""
        return self._at(int(np.searchsorted(self._sessions, np.datetime64(day, "D"), "right")) - 1)

    def before(self, day: date) -> date | None:
        """Return the last session before `day`; None before the calendar."""
        return self._at(int(np.searchsorted(self._sessions, np.datetime64(day, "D"))) - 1)

    def open_after(self, session: date) -> datetime | None:
        """Return the open of the session after `session`; None beyond the calendar."""
        i = self.calendar.index(session) + 1
        following = self._at(i)
        return None if following is None else self.calendar.open_of(following)

    def _at(self, i: int) -> date | None:
        return self._sessions[i].astype(object) if 0 <= i < len(self._sessions) else None


def agreed(spells: Iterable[Spell], refusals: Refusals) -> list[Spell]:
    """Keep the spells that do not contradict each other; of repeats the first."""
    by_name: dict[tuple[str, str], list[Spell]] = {}
    for spell in spells:
        by_name.setdefault((spell.universe, spell.symbol), []).append(spell)
    kept = []
    for of_name in by_name.values():
        single = _once(of_name, refusals)
        single.sort(key=lambda spell: spell.first)
        clash = {i for i in range(1, len(single)) if single[i - 1].covers(single[i].first)}
        clash |= {i - 1 for i in clash}
        for i, spell in enumerate(single):
            if i in clash:
                refusals.refuse("overlapping_spells", spell)
            else:
                kept.append(spell)
    return kept


def _once(spells: Sequence[Spell], refusals: Refusals) -> list[Spell]:
    by_first: dict[date, list[Spell]] = {}
    for spell in spells:
        by_first.setdefault(spell.first, []).append(spell)
    kept = []
    for same in by_first.values():
        if any(spell.told != same[0].told for spell in same):
            for spell in same:
                refusals.refuse("conflicting_duplicate", spell)
            continue
        kept.append(same[0])
        for spell in same[1:]:
            refusals.refuse("duplicate", spell)
    return kept


def batches(spells: Sequence[Spell], days: Days) -> tuple[LakeBatch, ...]:
    """Split spells into what was known when they began and what was known when they ended.

    An end that is told in one breath with its start was not known with it: appended in this order
    the start becomes revision 0 and the end revision 1, each with its own knowledge time.
    """
    ended = [spell for spell in spells if spell.last is not None]
    began = [replace(spell, last=None, end_reason=None, delisting_return=None) for spell in ended]
    parts = [part for part in (began, list(spells)) if part]
    return tuple(LakeBatch(universe=_frame(part, days)) for part in parts)


def _frame(spells: Sequence[Spell], days: Days) -> pl.DataFrame:
    rows = [
        {
            "universe": s.universe,
            "symbol": s.symbol,
            "first": s.first,
            "last": s.last,
            "end_reason": s.end_reason,
            "delisting_return": s.delisting_return,
            "source": SOURCE,
            "event_time": days.calendar.open_of(s.first),
            "knowledge_time": s.began_known if s.last is None else s.ended_known,
            "knowledge_basis": s.basis if s.last is None else END_BASIS,
        }
        for s in spells
    ]
    texts = ("universe", "symbol", "end_reason", "source", "knowledge_basis")
    dtypes: dict[str, Any] = {
        **dict.fromkeys(texts, pl.String),
        **dict.fromkeys(("first", "last"), pl.Date),
        "delisting_return": pl.Float64,
        **dict.fromkeys(("event_time", "knowledge_time"), UTC_TIME),
    }
    frame = pl.DataFrame(rows, schema={c: dtypes[c] for c in UNIVERSE_IN.columns})
    return check(frame.sort("universe", "symbol", "first"), UNIVERSE_IN)
