"""Files with a row a spell: symbol, start, and perhaps end, reason and delisting return."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.types import Remark
from bellwether.sources.spells import Days, Refusals, Spell

KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "universe": ("universe", "index", "index_name"),
    "symbol": ("symbol", "ticker"),
    "first": ("first", "start_date", "start", "start date", "from", "date_added", "date added"),
    "end": ("end", "end_date", "end date", "to", "until"),
    "last": ("last", "last_date", "last_day", "through"),
    "removed": ("removed", "date_removed", "removed_date", "removal_date", "date removed"),
    "end_reason": ("end_reason", "reason"),
    "delisting_return": ("delisting_return", "dlret"),
}
REASONS = ("removed", "delisted")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a spell as a row tells it."""

    last: date | None
    reason: str | None
    fraction: float | None


def stated(
    rows: pl.DataFrame,
    days: Days,
    known_until: datetime,
    refusals: Refusals,
    remarks: list[Remark],
) -> list[Spell]:
    """Read the spells that rows tell; what is not true yet is left open and remarked on.

    A start or end on a day without a session moves to the session next to it inside the spell. A
    column called `end_date` does not say whether it names the last day in or the first day out:
    the day on which others come in is the first day out.
    """
    rows, said = _ends(rows, days)
    remarks += said
    spells, still_open, moved = [], [], []
    for row in rows.iter_rows(named=True):
        first = days.at_or_after(row["day"])
        reason = _unknown(first, days, known_until)
        if reason is not None or first is None:
            refusals.add(reason or "outside_calendar", row["location"], row["row"], **_words(row))
            continue
        end, fault = _end(row, first, days)
        if end is None:
            refusals.add(fault, row["location"], row["row"], **_words(row))
            continue
        if first != row["day"]:
            moved.append(row)
        ended_known = None if end.last is None else days.open_after(end.last)
        if end.last is not None and (ended_known is None or ended_known > known_until):
            still_open.append(row)
            end, ended_known = _End(None, None, None), None
        spells.append(_spell(row, first, end, ended_known, days))
    remarks += _noted(
        "end_not_yet_known", still_open, "end later than is known; they are left open"
    )
    remarks += _noted(
        "no_session", moved, "begin on a day without a session; they count from the next"
    )
    return spells


def _spell(row: Row, first: date, end: _End, ended_known: datetime | None, days: Days) -> Spell:
    return Spell(
        row["universe"],
        row["symbol"],
        first,
        end.last,
        days.calendar.open_of(first),
        ended_known,
        end.reason,
        end.fraction,
        location=row["location"],
        row=row["row"],
    )


def _words(row: Row) -> Row:
    return {
        "told": row["told"],
        "ended": row["written"],
        "why_ended": row["end_reason"],
        "told_return": row["delisting_return"],
    }


def _unknown(first: date | None, days: Days, known_until: datetime) -> str | None:
    if first is None:
        return "outside_calendar"
    return "not_yet_known" if days.calendar.open_of(first) > known_until else None


def _end(row: Row, first: date, days: Days) -> tuple[_End | None, str]:
    """Read how a spell ended, or name the fault."""
    if row["written"] is None:
        silent = row["end_reason"] is None and row["delisting_return"] is None
        return (_End(None, None, None), "") if silent else (None, "reason_without_end")
    if row["ends"] is None:
        return None, "end_not_a_date"
    last = days.before(row["ends"]) if row["exclusive"] else days.at_or_before(row["ends"])
    if last is None or last < first:
        return None, "end_before_start"
    return _how(row, last)


def _how(row: Row, last: date) -> tuple[_End | None, str]:
    reason = None if row["end_reason"] is None else row["end_reason"].lower()
    if reason not in {None, *REASONS}:
        return None, "bad_end_reason"
    if row["delisting_return"] is None:
        return _End(last, reason, None), ""
    fraction = _fraction(row["delisting_return"])
    if fraction is None or reason == "removed":
        return None, "bad_delisting_return"
    return _End(last, "delisted", fraction), ""


def _fraction(written: str) -> float | None:
    try:
        value = float(written)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= -1 else None


def _ends(rows: pl.DataFrame, days: Days) -> tuple[pl.DataFrame, tuple[Remark, ...]]:
    """Add `written` and `ends`, the end as told, and whether it is the first day out."""
    written = pl.coalesce("told_last", "told_removed", "told_end")
    plain = pl.col("told_last").is_null() & pl.col("told_removed").is_null()
    unclear = rows.filter(plain & pl.col("end").is_not_null())
    is_out, said = _first_day_out(rows, unclear, days)
    exclusive = pl.col("told_last").is_null() & (pl.col("told_removed").is_not_null() | is_out)
    ends = (
        pl.when(pl.col("told_last").is_not_null())
        .then("last")
        .when(pl.col("told_removed").is_not_null())
        .then("removed")
        .otherwise("end")
    )
    return rows.with_columns(written=written, ends=ends, exclusive=exclusive), said


def _first_day_out(
    rows: pl.DataFrame, unclear: pl.DataFrame, days: Days
) -> tuple[bool, tuple[Remark, ...]]:
    """Judge by the starts of other names whether `end_date` names the first day out."""
    if unclear.height == 0:
        return False, ()
    sessions = days.calendar.sessions
    starts = _position(rows["day"], sessions)
    ends = _position(unclear["end"], sessions)
    same, following = int(np.isin(ends, starts).sum()), int(np.isin(ends + 1, starts).sum())
    is_out = same > following
    meaning = "the first day out" if is_out else "the last day in"
    why = (
        f"of {len(ends):,} end dates {same:,} are days on which names come in and {following:,} are the "
        f"session before one, so they are read as {meaning}; if that is wrong, say "
        "--map last=COLUMN (the last day in) or --map removed=COLUMN (the first day out)"
    )
    place = str(unclear["location"][0])
    return is_out, (Remark(place, "end_dates_read", why),)


def _position(column: pl.Series, sessions: Any) -> Any:
    return np.searchsorted(sessions, column.drop_nulls().to_numpy().astype("datetime64[D]"))


def _noted(reason: str, rows: list[Row], what: str) -> tuple[Remark, ...]:
    if not rows:
        return ()
    first = rows[0]
    place = first["location"]
    return (Remark(place, reason, f"{len(rows):,} spells, the first of {first['symbol']}, {what}"),)
