"""Whether higher forecasts went with higher outcomes on the same date."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import (
    Floats,
    beside,
    check_lags,
    finite,
    known,
    long_run,
    spread,
)

MIN_NAMES = 5
MAX_CORRELATION = 1.0
Method = Literal["spearman", "pearson"]


@dataclass(frozen=True, slots=True, eq=False)
class DatedIC:
    """One correlation a date.

    `dates` are those on which it is defined, in order, with `values`; `undefined` counts the rest.
    """

    dates: NDArray[Any]
    values: Floats
    undefined: int


@dataclass(frozen=True, slots=True)
class MeanOverDates:
    """A mean of one value a date; None where undefined.

    Attributes
    ----------
    mean, sd : float
        sd with ddof 1.
    ratio : float
        mean / sd, not annualised; of an information coefficient, the ICIR.
    t, p : float
        mean over its Newey-West error with `lags`, and its two-sided normal p-value.
    lags, n_dates : int
        How many.
    """

    mean: float | None
    sd: float | None
    ratio: float | None
    t: float | None
    p: float | None
    lags: int
    n_dates: int

    def interval(self) -> tuple[float | None, float | None]:
        """Return mean -+ 1.96 of its Newey-West errors; None where there is no t, or it is 0."""
        if self.mean is None or not self.t:
            return None, None
        reach = float(ndtri(0.975)) * abs(self.mean / self.t)
        return self.mean - reach, self.mean + reach


@dataclass(frozen=True, slots=True)
class HorizonIC:
    """The information coefficient of forecasts with the outcome after `horizon` sessions."""

    horizon: int
    ic: MeanOverDates
    undefined: int


def ic_by_date(
    dates: ArrayLike,
    forecast: ArrayLike,
    outcome: ArrayLike,
    method: Method = "spearman",
    min_names: int = MIN_NAMES,
) -> DatedIC:
    """Correlate forecasts with outcomes across the names of each date.

    Spearman's (ranks, ties sharing their mean rank) or Pearson's correlation. A date with fewer
    than `min_names` names, or on which one side does not vary, has none and is counted.

    Parameters
    ----------
    dates : array, shape (n,)
        Decision instant of each row.
    forecast, outcome : array, shape (n,)
        Finite numbers in any unit.
    method : {"spearman", "pearson"}
        Which correlation.
    min_names : int
        At least 2.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, a date is missing, lengths differ or an option is unknown.

    Examples
    --------
    >>> found = ic_by_date([1, 1, 1, 2], [1, 2, 3, 4], [0.1, 0.3, 0.2, 0.9], min_names=3)
    >>> found.values.round(6), found.undefined
    (array([0.5]), 1)
    """
    f = finite("forecast", forecast)
    y = beside("outcome", outcome, f)
    when = _dates(dates, f)
    if method not in {"spearman", "pearson"} or min_names < 2:  # noqa: PLR2004 - a correlation
        raise InvalidRequest("method", f"{method!r} with min_names {min_names}")
    names, group = np.unique(when, return_inverse=True)
    found = grouped_correlation(group, f, y, ranks=method == "spearman", least=min_names)
    defined = ~np.isnan(found)
    return DatedIC(names[defined], found[defined], int((~defined).sum()))


def mean_over_dates(values: ArrayLike, lags: int = 0) -> MeanOverDates:
    """Test whether a value that each date has one of is 0 in the mean.

    t = mean / sqrt(S / n), S the long-run variance with Bartlett weights 1 - l / (lags + 1) and no
    small-sample factor (Newey and West 1987).

    Parameters
    ----------
    values : array, shape (n_dates,)
        In the order of time.
    lags : int
        At least horizon - 1.

    Returns
    -------
    MeanOverDates
        No t for a constant series or fewer than two dates.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite or `lags` is not below the number of dates.

    Examples
    --------
    >>> found = mean_over_dates([0.1, -0.05, 0.2, 0.05])
    >>> round(found.mean, 4), round(found.ratio, 4), round(found.t, 4)
    (0.075, 0.7206, 1.6641)
    """
    x = finite("values", values)
    check_lags(lags, x.size)
    if x.size == 0:
        return MeanOverDates(None, None, None, None, None, lags, 0)
    mean, sd = float(x.mean()), spread(x)
    if sd is None:
        zero = 0.0 if x.size > 1 else None
        return MeanOverDates(mean, zero, None, None, None, lags, x.size)
    # scaled, so that the square of a small spread is not lost
    variance = float(long_run(((x - mean) / sd)[:, None], lags)[0, 0])
    t = known(mean / sd / np.sqrt(variance / x.size)) if variance > 0 else None
    p = None if t is None else 2 * float(ndtr(-abs(t)))
    return MeanOverDates(mean, sd, mean / sd, t, p, lags, x.size)


def ic_by_horizon(
    dates: ArrayLike,
    forecast: ArrayLike,
    outcomes: ArrayLike,
    horizons: Sequence[int],
    method: Method = "spearman",
) -> list[HorizonIC]:
    """Return how the information coefficient fades (or grows) with the horizon.

    Each horizon h is judged on all dates whose outcome is known, with h - 1 lags.

    Parameters
    ----------
    dates : array, shape (n,)
        Decision instant of each row.
    forecast : array, shape (n,)
        One forecast for all horizons.
    outcomes : array, shape (n, len(horizons))
        Return over each horizon; NaN where it is not known yet, which can only be on the last
        h + 1 dates.
    horizons : sequence of int
        In sessions, at least 1.

    Raises
    ------
    InvalidRequest
        If NaN stands elsewhere, a value is infinite, shapes differ or a horizon is below 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> day, f = np.repeat(np.arange(50), 20), rng.normal(size=1000)
    >>> y = np.column_stack([f + rng.normal(size=1000), rng.normal(size=1000)])
    >>> [row.ic.mean > 0.3 for row in ic_by_horizon(day, f, y, [1, 5])]
    [True, False]
    """
    f = finite("forecast", forecast)
    when, table = _dates(dates, f), np.asarray(outcomes, dtype=np.float64)
    if table.shape != (f.size, len(horizons)):
        raise InvalidRequest("outcomes", f"has shape {table.shape}, one column a horizon needed")
    if min(horizons, default=1) < 1:
        raise InvalidRequest("horizons", "must be at least 1")
    names, group = np.unique(when, return_inverse=True)
    found = []
    for j, horizon in enumerate(horizons):
        unknown = np.isnan(table[:, j])
        if (unknown & (group < names.size - horizon - 1)).any():
            why = f"holds NaN for horizon {horizon} before the last {horizon + 1} dates"
            raise InvalidRequest("outcomes", why)
        had = ~unknown
        dated = ic_by_date(when[had], f[had], table[had, j], method)
        lags = min(horizon - 1, max(dated.values.size - 1, 0))
        found.append(HorizonIC(horizon, mean_over_dates(dated.values, lags), dated.undefined))
    return found


def grouped_correlation(
    group: NDArray[np.intp], f: Floats, y: Floats, *, ranks: bool, least: int
) -> Floats:
    """Return the correlation of f and y in each group 0 .. k - 1; NaN where it is undefined."""
    names = np.bincount(group).astype(np.float64)
    a, b = (
        centred_ranks(column, group, names) if ranks else _centred(column, group, names)
        for column in (f, y)
    )
    size = np.bincount(group, a * a) * np.bincount(group, b * b)
    defined = (names >= least) & (size > 0)
    found = np.full(names.size, np.nan)
    found[defined] = np.bincount(group, a * b)[defined] / np.sqrt(size[defined])
    return np.asarray(np.clip(found, -MAX_CORRELATION, MAX_CORRELATION), dtype=np.float64)


def centred_ranks(x: Floats, group: NDArray[np.intp], names: Floats) -> Floats:
    """Rank `x` within each group, ties sharing their mean rank, less the group's mean rank."""
    order = np.lexsort((x, group))
    ordered, owner = x[order], group[order]
    starts_run = np.ones(x.size, dtype=np.bool_)
    starts_run[1:] = (ordered[1:] != ordered[:-1]) | (owner[1:] != owner[:-1])
    run = np.cumsum(starts_run) - 1
    first = np.flatnonzero(starts_run)
    last = np.append(first[1:], x.size) - 1
    # positions over all groups: centring takes away where a group begins
    ranks = np.empty(x.size)
    ranks[order] = ((first + last) / 2)[run]
    return np.asarray(ranks - (np.bincount(group, ranks) / names)[group], dtype=np.float64)


def _centred(x: Floats, group: NDArray[np.intp], names: Floats) -> Floats:
    """Return x less its group's mean over the group's largest such value; 0 where it is constant."""
    lowest = np.full(names.size, np.inf)
    highest = -lowest
    np.minimum.at(lowest, group, x)
    np.maximum.at(highest, group, x)
    away = x - lowest[group]  # near values differ exactly, their means do not
    away -= (np.bincount(group, away) / names)[group]
    reach = np.where(highest > lowest, highest - lowest, 1.0)
    return np.asarray(np.where((highest > lowest)[group], away / reach[group], 0.0), np.float64)


def _dates(dates: ArrayLike, f: Floats) -> NDArray[Any]:
    when = np.asarray(dates)
    if when.shape != f.shape:
        raise InvalidRequest("dates", f"has shape {when.shape}, the rows {f.shape}")
    if (when != when).any():  # noqa: PLR0124 - so says NaN and NaT of any type
        raise InvalidRequest("dates", "holds NaN or NaT; every row has a date")
    return when
