"""Walk-forward folds by the calendar: train before each period, test in it."""

import calendar
import re
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InsufficientHistory, InvalidRequest
from bellwether.evaluation.splits import Fold, Instants

Days = NDArray[np.datetime64]

MONTHS_A_YEAR = 12
MOST_MONTHS = 1200
_STEP = re.compile(r"([1-9]\d{0,3})([myq])")
_UNIT = {"m": 1, "q": 3, "y": MONTHS_A_YEAR}


def months_of(step: str) -> int:
    """Return how many months a step such as `1y`, `2q` or `6m` has.

    Raises
    ------
    InvalidRequest
        If it is none.
    """
    found = _STEP.fullmatch(step.strip().lower())
    months = int(found[1]) * _UNIT[found[2]] if found else 0
    if not 0 < months <= MOST_MONTHS:
        raise InvalidRequest("step", f"{step!r} is not a number and y, q or m, such as 1y")
    return months


def later(day: date, months: int) -> date:
    """Return the day so many months later; the last of the month where there is no such day.

    Examples
    --------
    >>> later(date(2024, 1, 31), 1).isoformat()
    '2024-02-29'
    """
    year, month = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


@dataclass(frozen=True, slots=True)
class Periods:
    """How decisions are cut by the calendar.

    Attributes
    ----------
    first, last : date
        Sessions of the first and the last decision that are tested.
    step : str
        Length of a test period: `1y`, `1q`, `6m`.
    window : str or None
        Length of the past that trains, likewise; None for all of it.
    min_train_dates : int
        Decision dates that have to be known before a period is tested; earlier periods are left out.
    embargo_dates : int
        Further decision dates that must lie between the last known label and a period.
    """

    first: date
    last: date
    step: str = "1y"
    window: str | None = None
    min_train_dates: int = 504
    embargo_dates: int = 0

    def bounds(self) -> list[tuple[date, date]]:
        """Return the first day of each period and the day after its last."""
        months = months_of(self.step)
        if self.last < self.first:
            raise InvalidRequest("from, to", f"{self.last} lies before {self.first}")
        if self.min_train_dates < 1:
            raise InvalidRequest("min_train_dates", f"is {self.min_train_dates}, at least 1 needed")
        if self.embargo_dates < 0:
            raise InvalidRequest("embargo_dates", f"is {self.embargo_dates}, must not be negative")
        count = 0
        found = []
        while (start := later(self.first, count * months)) <= self.last:
            end = later(self.first, (count + 1) * months)
            found.append((start, end))
            count += 1
        return found


def by_period(
    session: Days, decision_at: Instants, label_known_at: Instants, periods: Periods
) -> list[Fold]:
    """Split panel rows into folds, one a period of the calendar.

    A row is tested in the period that its session lies in, up to `periods.last`. It trains for a
    period if it was decided before the period's first decision and its outcome was known by then,
    or by the decision so many dates of embargo earlier (purging; Lopez de Prado 2018, chapter 7),
    and, with a window, if its session lies in it.

    Parameters
    ----------
    session : array of datetime64[D], shape (n_rows,)
        Session of each row; any order, many rows a session.
    decision_at, label_known_at : array of datetime64[us], shape (n_rows,)
        When each row was decided and when its outcome was known; NaT: not yet, the row takes no part.
    periods : Periods
        The calendar.

    Returns
    -------
    list of Fold
        In order of time, without periods that have no decision or too short a past. `number` is
        that of the period, so it may begin above 0.

    Raises
    ------
    InsufficientHistory
        If no period can be tested.
    InvalidRequest
        If the periods cannot be used.
    """
    bounds = periods.bounds()
    labelled = ~np.isnat(label_known_at)
    span = None if periods.window is None else months_of(periods.window)
    end = np.datetime64(periods.last, "D")
    dates = np.unique(decision_at[labelled])
    folds = []
    most = 0
    for number, (start, after) in enumerate(bounds):
        low, high = np.datetime64(start, "D"), np.datetime64(after, "D")
        test = labelled & (session >= low) & (session < high) & (session <= end)
        if not test.any():
            continue
        first, last = decision_at[test].min(), decision_at[test].max()
        by = max(0, int(np.searchsorted(dates, first)) - periods.embargo_dates)
        train = labelled & (decision_at < first) & (label_known_at <= dates[by])
        if span is not None:
            train &= session >= np.datetime64(later(start, -span), "D")
        known = int(np.unique(decision_at[train]).size)
        most = max(most, known)
        if known >= periods.min_train_dates:
            folds.append(Fold(number, _rows(train), _rows(test), first, last))
    if not folds:
        raise InsufficientHistory("backtest", most, periods.min_train_dates)
    return folds


def _rows(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(mask).astype(np.int64, copy=False)
