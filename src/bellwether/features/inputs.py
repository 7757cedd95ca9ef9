"""The columns that formulas read: of the adjusted series, or of nothing but the date.

Columns of the date hold for any future day without knowing which days the exchange will close:
they count weekdays, not sessions, because a closure for a hurricane was in no calendar beforehand.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache, partial
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.errors import UnknownName
from bellwether.features.adjust import AdjustedBar
from bellwether.features.expr import COLUMNS

Array = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

DOLLARS = "dollars"
"""US dollars traded: the close times the volume of the session, both as told."""

FRIDAY = 4


def _months(days: Days, step: int = 1) -> tuple[Days, Days]:
    """Return the first day of each day's month (or quarter: `step` 3), and of the one after it."""
    number = days.astype("datetime64[M]").astype(np.int64) // step * step
    first = number.astype("datetime64[M]")
    after = (number + step).astype("datetime64[M]")
    return first.astype("datetime64[D]"), after.astype("datetime64[D]")


def _weekday(days: Days) -> npt.NDArray[np.int64]:
    return (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday


def _third_friday(first: Days) -> Days:
    return first + (FRIDAY - _weekday(first)) % 7 + 14


def _to_expiry(days: Days) -> npt.NDArray[np.int64]:
    first, after = _months(days)
    this = _third_friday(first)
    following = np.where(days > this, _third_friday(after), this)
    return (following - days).astype(np.int64)


def _left(days: Days, step: int) -> npt.NDArray[np.int64]:
    return np.busday_count(days + 1, _months(days, step)[1]).astype(np.int64)


OF_THE_DATE: Mapping[str, Callable[[Days], npt.NDArray[np.int64]]] = {
    "day_number": lambda d: d.astype(np.int64),
    "weekday": _weekday,
    "month": lambda d: d.astype("datetime64[M]").astype(np.int64) % 12 + 1,
    "day_of_year": lambda d: (d - d.astype("datetime64[Y]")).astype(np.int64) + 1,
    "weekdays_into_month": lambda d: np.busday_count(_months(d)[0], d).astype(np.int64),
    "weekdays_left_in_month": lambda d: _left(d, 1),
    "weekdays_left_in_quarter": lambda d: _left(d, 3),
    "weekdays_left_in_year": lambda d: _left(d, 12),
    "days_to_expiry": _to_expiry,
}


def columns_for(series: pl.DataFrame, names: Iterable[str]) -> dict[str, Array]:
    """Return the named columns of one series (schema SERIES) as float64 arrays, (n_sessions,).

    Columns of texts have to be beside it (`texts.beside`): that nobody wrote is never guessed.
    """
    return {name: _column(series, name) for name in names}


def _column(series: pl.DataFrame, name: str) -> Array:
    if name in OF_THE_DATE:
        return OF_THE_DATE[name](series["session"].to_numpy()).astype(np.float64)
    if name == DOLLARS:
        shares = series["volume"].to_numpy() / series["volume_factor"].to_numpy()
        dollars: Array = series["raw_close"].to_numpy() * shares
        return dollars
    if name in series.columns:
        return series[name].to_numpy()
    raise UnknownName("column", name, (*COLUMNS, DOLLARS, *OF_THE_DATE))


def reader(name: str) -> Callable[[AdjustedBar], float]:
    """Return the function that reads one column of a bar, with the bits of `columns_for`."""
    if name in OF_THE_DATE:
        return partial(_of_bar, name)
    if name == DOLLARS:
        return _dollars
    if name in COLUMNS:
        return attrgetter(name)
    raise UnknownName("column", name, (*COLUMNS, DOLLARS, *OF_THE_DATE))


def _dollars(bar: AdjustedBar) -> float:
    return bar.raw_close * (bar.volume / bar.volume_factor)


def _of_bar(name: str, bar: AdjustedBar) -> float:
    at = bar.session.toordinal() - _FIRST.toordinal()
    return _by_day(name)[at]


_FIRST, _END = date(1900, 1, 1), date(2200, 1, 1)


@cache
def _by_day(name: str) -> list[float]:
    """List a column for every day of three centuries, which holds all that a calendar may."""
    days = np.arange(np.datetime64(_FIRST, "D"), np.datetime64(_END, "D"))
    values: list[float] = OF_THE_DATE[name](days).astype(np.float64).tolist()
    return values
