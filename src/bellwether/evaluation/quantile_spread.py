"""What the names with the highest forecasts earned above those with the lowest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.rank_ic import MeanOverDates, centred_ranks, mean_over_dates
from bellwether.evaluation.series import Floats, beside, finite

MIN_PARTS = 2
ROUNDING = 1e-9  # of a place among at most some thousand names


@dataclass(frozen=True, slots=True, eq=False)
class QuantileSpread:
    """Outcomes by part of the day's forecasts, lowest first; in the outcome's unit.

    Attributes
    ----------
    parts : tuple of MeanOverDates
        Of each part's mean outcome, over the dates on which it has names.
    spread : MeanOverDates
        Of highest part less lowest.
    dates : ndarray
        Dates on which both ends have names, in order.
    spreads : ndarray of float64
        The spread on each.
    left_out : int
        Dates with fewer names than parts, or where ties left an end empty.
    """

    parts: tuple[MeanOverDates, ...]
    spread: MeanOverDates
    dates: NDArray[Any]
    spreads: Floats
    left_out: int


def quantile_spread(
    dates: ArrayLike,
    forecast: ArrayLike,
    outcome: ArrayLike,
    parts: int = 5,
    lags: int = 0,
) -> QuantileSpread:
    """Sort each date's names by forecast into equal parts and compare their outcomes.

    A name with rank k of n (ties share their mean rank) is in part floor((k - 1/2) parts / n), and
    exactly between two in the one nearer the middle: equal forecasts are never apart, and the order
    of rows does not matter. Each date counts once; names of a
    part are weighted equally, without costs. Tests as `mean_over_dates`.

    Parameters
    ----------
    dates : array, shape (n,)
        Decision instant of each row.
    forecast, outcome : array, shape (n,)
        Finite numbers.
    parts : int
        At least 2.
    lags : int
        At least horizon - 1.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, a date is missing, lengths differ or an option is out of
        range.

    Examples
    --------
    >>> found = quantile_spread([1] * 4 + [2] * 4, [1, 2, 3, 4] * 2, [0, 0, 1, 1, 0, 0, 3, 3], 2)
    >>> found.spreads, found.spread.mean, [part.mean for part in found.parts]
    (array([1., 3.]), 2.0, [0.0, 2.0])
    """
    f = finite("forecast", forecast)
    y, when = beside("outcome", outcome, f), np.asarray(dates)
    if when.shape != f.shape or (when != when).any():  # noqa: PLR0124 - NaN and NaT of any type
        raise InvalidRequest("dates", "every row needs a date")
    if parts < MIN_PARTS:
        raise InvalidRequest("parts", f"is {parts}, at least {MIN_PARTS} needed")
    if lags < 0:
        raise InvalidRequest("lags", f"is {lags}, must not be negative")
    names, day = np.unique(when, return_inverse=True)
    count = np.bincount(day, minlength=names.size).astype(np.float64)
    # centred ranks lie around 0: the middle of n is (n + 1) / 2
    rank = centred_ranks(f, day, count) + (count[day] + 1) / 2
    part = _part((rank - 0.5) * parts / count[day], parts)
    cell = day * parts + part
    shape = (names.size, parts)
    n = np.bincount(cell, minlength=names.size * parts).reshape(shape)
    sums = np.bincount(cell, weights=y, minlength=names.size * parts).reshape(shape)
    judged = (count >= parts) & (n[:, 0] > 0) & (n[:, -1] > 0)
    had, mean = n[judged] > 0, sums[judged] / np.maximum(n[judged], 1)
    spreads = mean[:, -1] - mean[:, 0]
    return QuantileSpread(
        parts=tuple(_mean(mean[had[:, j], j], lags) for j in range(parts)),
        spread=_mean(spreads, lags),
        dates=names[judged],
        spreads=spreads,
        left_out=int((~judged).sum()),
    )


def _part(place: Floats, parts: int) -> NDArray[np.intp]:
    lower = np.floor(place + ROUNDING)
    found = np.where(place > parts / 2 + ROUNDING, np.ceil(place - ROUNDING) - 1, lower)
    return np.clip(found, 0, parts - 1).astype(np.intp)


def _mean(values: Floats, lags: int) -> MeanOverDates:
    return mean_over_dates(values, min(lags, max(values.size - 1, 0)))
