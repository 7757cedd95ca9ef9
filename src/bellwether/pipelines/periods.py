"""Dates as files of the field write them: years, quarters, months, days and instants."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bellwether.core.errors import InvalidRequest

FORMS = "YYYY, YYYYQ (18714), YYYYMM, YYYYMMDD, YYYY-MM, YYYY-Qn, YYYY-MM-DD or an ISO instant"
_WHOLE = re.compile(r"(\d{4,8})\.0+")
_QUARTER = re.compile(r"(\d{4})(?:-?[Qq])?([1-4])")
_MONTH = re.compile(r"(\d{4})-?(0[1-9]|1[0-2])")
_DAY = re.compile(r"\d{8}|\d{4}-\d\d-\d\d")
_TICK = timedelta(microseconds=1)
_DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Period:
    """A year, quarter, month, day or instant: its first and its last microsecond."""

    form: str
    first: datetime
    last: datetime


def period(text: str) -> Period | None:
    """Read one date; None where it has none of the known forms. An instant with a zone is in UTC.

    Examples
    --------
    >>> period("18714").first.date(), period("187112").last.date()
    (datetime.date(1871, 10, 1), datetime.date(1871, 12, 31))
    """
    text = text.strip()
    if whole := _WHOLE.fullmatch(text):
        text = whole[1]
    try:
        if re.fullmatch(r"\d{4}", text):
            return Period("year", datetime(int(text), 1, 1), _end(int(text), _DECEMBER))  # noqa: DTZ001
        if found := _QUARTER.fullmatch(text):
            year, month = int(found[1]), 3 * int(found[2])
            return Period("quarter", datetime(year, month - 2, 1), _end(year, month))  # noqa: DTZ001
        if found := _MONTH.fullmatch(text):
            year, month = int(found[1]), int(found[2])
            return Period("month", datetime(year, month, 1), _end(year, month))  # noqa: DTZ001
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if _DAY.fullmatch(text):
        return Period("day", moment, moment + timedelta(days=1) - _TICK)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return Period("instant", moment, moment)


def _end(year: int, month: int) -> datetime:
    following = (year + 1, 1) if month == _DECEMBER else (year, month + 1)
    return datetime(*following, 1) - _TICK  # noqa: DTZ001 - a period of a calendar has no zone


def periods(field: str, texts: Sequence[str]) -> list[Period]:
    """Read a column of dates: of one form, each after the one before it.

    Raises
    ------
    InvalidRequest
        If a date is missing, cannot be read, has another form, comes twice or comes too early; it
        says which.
    """
    found: list[Period] = []
    for row, text in enumerate(texts, 1):
        read = period(text)
        if read is None:
            raise InvalidRequest(field, f"{text!r} in row {row} is no date; use {FORMS}")
        if found and read.form != found[0].form:
            why = f"{text!r} in row {row} is one {read.form}, {texts[0]!r} one {found[0].form}"
            raise InvalidRequest(field, f"mixes forms: {why}")
        if found and read.first == found[-1].first:
            raise InvalidRequest(field, f"{text!r} comes twice, in rows {row - 1} and {row}")
        if found and read.first < found[-1].first:
            why = f"{text!r} in row {row} comes after {texts[row - 2]!r}"
            raise InvalidRequest(field, f"is out of order: {why}")
        found.append(read)
    return found


def row_from(field: str, text: str, rows: Sequence[Period]) -> int:
    """Return the first row that is not over when the period `text` begins; len(rows) if none is.

    Raises
    ------
    InvalidRequest
        If `text` is no date.
    """
    wanted = period(text)
    if wanted is None:
        raise InvalidRequest(field, f"{text!r} is no date; use {FORMS}")
    return next((i for i, row in enumerate(rows) if row.last >= wanted.first), len(rows))


def row_after(field: str, text: str, rows: Sequence[Period]) -> int:
    """Return the first row that begins after the period `text` is over."""
    wanted = period(text)
    if wanted is None:
        raise InvalidRequest(field, f"{text!r} is no date; use {FORMS}")
    return next((i for i, row in enumerate(rows) if row.first > wanted.last), len(rows))
