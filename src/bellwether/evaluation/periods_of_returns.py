"""Returns by month, by year and over a moving window."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.drawdowns import drawdowns
from bellwether.evaluation.series import (
    MIN_PERIODS,
    RELATIVE_ZERO,
    Floats,
    check_year,
    compounded,
    excess,
    finite,
    ordered_days,
    spread,
)
from bellwether.evaluation.sharpe import sharpe_ratio

CELLS = 4_000_000  # values of moving windows that are laid out at a time


@dataclass(frozen=True, slots=True)
class MonthsOfYear:
    """Compounded returns of one calendar year; None for a month without a return."""

    year: int
    months: tuple[float | None, ...]
    whole: float | None


@dataclass(frozen=True, slots=True)
class Year:
    """One calendar year; None where undefined. `n` periods, the rest as in `trading_metrics`."""

    year: int
    n: int
    roi: float | None
    volatility: float | None
    sharpe: float | None
    max_drawdown: float | None


def by_month(dates: ArrayLike, returns: ArrayLike) -> list[MonthsOfYear]:
    """Compound the returns of each calendar month and year: prod (1 + r) - 1.

    A first or last month that the record covers in part is told as it is. A return of -1 or less
    is ruin: its month is -1, and months after it have no return.

    Parameters
    ----------
    dates : array of datetime64 or date, shape (n,)
        Session of each return, in order.
    returns : array, shape (n,)
        Simple net returns as fractions.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, a date is missing, twice or out of order, or lengths differ.

    Examples
    --------
    >>> table = by_month(["2023-12-29", "2024-01-02", "2024-01-03"], [0.5, 0.1, -0.1])
    >>> [(row.year, round(row.whole, 6)) for row in table], round(table[1].months[0], 6)
    ([(2023, 0.5), (2024, -0.01)], -0.01)
    """
    r = finite("returns", returns)
    month = ordered_days(dates, r).astype("datetime64[M]").astype(np.int64)
    month, r = _alive(month, r)
    year = month // 12
    return [
        MonthsOfYear(
            year=int(which) + 1970,
            months=tuple(compounded(r[month == which * 12 + m]) for m in range(12)),
            whole=compounded(r[year == which]),
        )
        for which in np.unique(year)
    ]


def by_year(dates: ArrayLike, returns: ArrayLike, periods_per_year: int = 252) -> list[Year]:
    """Describe each calendar year by itself: wealth and its high begin anew at 1.

    Parameters
    ----------
    dates : array of datetime64 or date, shape (n,)
        Session of each return, in order.
    returns : array, shape (n,)
        Simple net returns as fractions.
    periods_per_year : int
        A; volatility and Sharpe are those of a period times sqrt A, however few a year has.

    Raises
    ------
    InvalidRequest
        As `by_month`.

    Examples
    --------
    >>> found = by_year(["2023-12-29", "2024-01-02", "2024-01-03"], [0.5, 0.1, -0.1])
    >>> [(row.year, row.n, round(row.max_drawdown, 6)) for row in found]
    [(2023, 1, 0.0), (2024, 2, -0.1)]
    """
    r = finite("returns", returns)
    check_year(periods_per_year)
    year = ordered_days(dates, r).astype("datetime64[Y]").astype(np.int64)
    year, r = _alive(year, r)
    root, found = math.sqrt(periods_per_year), []
    for which in np.unique(year):
        mine = r[year == which]
        sd, ratio = spread(mine), sharpe_ratio(mine)
        found.append(
            Year(
                year=int(which) + 1970,
                n=mine.size,
                roi=compounded(mine),
                volatility=None if sd is None else sd * root,
                sharpe=None if ratio is None else ratio * root,
                max_drawdown=drawdowns(mine, worst=0).deepest,
            )
        )
    return found


def rolling_sharpe(
    returns: ArrayLike,
    window: int = 252,
    *,
    risk_free: ArrayLike = 0.0,
    periods_per_year: int = 252,
) -> Floats:
    """Return the annual Sharpe ratio of the last `window` periods, known at the end of each.

    Parameters
    ----------
    returns : array, shape (n,)
        Simple net returns as fractions.
    window : int
        At least 2.
    risk_free : float or array, shape (n,)
        Risk-free return of a period.
    periods_per_year : int
        A.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for the first window - 1 periods, and where a window is constant.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite or an option is out of range.

    Examples
    --------
    >>> rolling_sharpe([0.0, 0.02, 0.01, 0.01, 0.01], 3, periods_per_year=4).round(3)
    array([  nan,   nan, 2.   , 4.619,   nan])
    """
    x = excess(returns, risk_free)
    check_year(periods_per_year)
    if window < MIN_PERIODS:
        raise InvalidRequest("window", f"is {window}, at least {MIN_PERIODS} needed")
    found = np.full(x.size, np.nan)
    if x.size < window:
        return found
    rows = np.lib.stride_tricks.sliding_window_view(x, window)
    for begin in range(0, len(rows), max(1, CELLS // window)):
        some = rows[begin : begin + max(1, CELLS // window)]
        sd = some.std(axis=1, ddof=1)
        flat = sd <= RELATIVE_ZERO * np.maximum(1.0, np.abs(some).max(axis=1))
        ratio = some.mean(axis=1) / np.where(flat, np.nan, sd)
        at = begin + window - 1
        found[at : at + len(some)] = ratio * math.sqrt(periods_per_year)
    return found


def _alive(period: np.ndarray, r: Floats) -> tuple[np.ndarray, Floats]:
    ruined = np.flatnonzero(r <= -1)
    end = int(ruined[0]) + 1 if ruined.size else r.size
    return period[:end], r[:end]
