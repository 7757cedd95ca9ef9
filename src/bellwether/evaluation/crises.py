"""How a series came through the crises of the US market. The table is data, fixed in advance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.drawdowns import drawdowns
from bellwether.evaluation.series import (
    Floats,
    beside,
    check_year,
    compounded,
    finite,
    ordered_days,
    spread,
)


@dataclass(frozen=True, slots=True)
class Crisis:
    """A named window: the returns of sessions after `after`, up to and including `last`."""

    name: str
    after: str
    last: str
    what: str


# Closing highs and lows of the S&P 500, or the dates of the event; chosen knowing how it went, so
# they describe the past and are no test.
CRISES = (
    Crisis("1987 crash", "1987-08-25", "1987-12-04", "high to low, with 19 October"),
    Crisis("1990 Gulf", "1990-07-16", "1990-10-11", "high to low, invasion of Kuwait"),
    Crisis("1994 rates", "1994-02-03", "1994-11-15", "six rises of the Federal Reserve's rate"),
    Crisis("1998 LTCM", "1998-07-17", "1998-10-08", "Russia's default, Long-Term Capital"),
    Crisis("2000-02 dot-com", "2000-03-24", "2002-10-09", "high to low"),
    Crisis("2001-09", "2001-09-10", "2001-09-21", "the exchange shut from 11 to 14 September"),
    Crisis("2007-09 crisis", "2007-10-09", "2009-03-09", "high to low, subprime and Lehman"),
    Crisis("2010 flash crash", "2010-05-05", "2010-05-07", "6 May and the day after"),
    Crisis("2011 downgrade", "2011-07-22", "2011-10-03", "US rating cut on 5 August, euro crisis"),
    Crisis("2015-16", "2015-05-21", "2016-02-11", "high to low, yuan and oil"),
    Crisis("2018 Q4", "2018-09-20", "2018-12-24", "high to low"),
    Crisis("2020 COVID", "2020-02-19", "2020-03-23", "high to low"),
    Crisis("2022", "2022-01-03", "2022-10-12", "high to low, inflation and rates"),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """One series in one window; None where undefined: no periods, or a constant series."""

    roi: float | None
    max_drawdown: float | None
    volatility: float | None


@dataclass(frozen=True, slots=True)
class InCrisis:
    """A window that the record touches.

    `whole` says whether the record holds all of it: there are returns on or before `after` and on
    or after `last`. `n` counts periods; `benchmark` is None where none was given.
    """

    crisis: Crisis
    n: int
    whole: bool
    strategy: Passage
    benchmark: Passage | None


def crises(
    dates: ArrayLike,
    returns: ArrayLike,
    benchmark: ArrayLike | None = None,
    *,
    windows: Sequence[Crisis] = CRISES,
    periods_per_year: int = 252,
) -> list[InCrisis]:
    """Describe the record in each window it touches, in the windows' order.

    Return prod (1 + r) - 1, the deepest drawdown with wealth 1 at the window's beginning, and
    sd sqrt A (ddof 1) of the sessions inside.

    Parameters
    ----------
    dates : array of datetime64 or date, shape (n,)
        Session of each return, in order.
    returns, benchmark : array, shape (n,)
        Simple net returns as fractions.
    windows : sequence of Crisis
        Windows may overlap.
    periods_per_year : int
        A.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, a date is missing, twice or out of order, lengths differ,
        or a window ends before it begins.

    Examples
    --------
    >>> days = np.arange("2020-02-01", "2020-04-01", dtype="datetime64[D]")
    >>> found = crises(days, np.full(60, -0.01))
    >>> [(row.crisis.name, row.n, row.whole, round(row.strategy.roi, 3)) for row in found]
    [('2020 COVID', 33, True, -0.282)]
    """
    r = finite("returns", returns)
    b = None if benchmark is None else beside("benchmark", benchmark, r)
    days = ordered_days(dates, r)
    check_year(periods_per_year)
    found = []
    for crisis in windows:
        after, last = np.datetime64(crisis.after, "D"), np.datetime64(crisis.last, "D")
        if not after < last:
            raise InvalidRequest("windows", f"{crisis.name} ends before it begins")
        inside = (days > after) & (days <= last)
        if inside.any():
            found.append(
                InCrisis(
                    crisis=crisis,
                    n=int(inside.sum()),
                    whole=bool(days[0] <= after and days[-1] >= last),
                    strategy=_passage(r[inside], periods_per_year),
                    benchmark=None if b is None else _passage(b[inside], periods_per_year),
                )
            )
    return found


def _passage(r: Floats, periods: int) -> Passage:
    sd = spread(r)
    return Passage(
        roi=compounded(r),
        max_drawdown=drawdowns(r, worst=0).deepest,
        volatility=None if sd is None else sd * math.sqrt(periods),
    )
