"""What every statistic of a return series needs: checked numbers, moments, long-run variance."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

LARGEST = 1e50  # fourth powers of larger values could not be added up
RELATIVE_ZERO = 1e-14  # a spread below this is rounding, and dividing by it would print 1e15
MIN_PERIODS = 2


def finite(name: str, values: ArrayLike) -> Floats:
    """Return one column of numbers.

    Raises
    ------
    InvalidRequest
        If it is no column, or holds NaN, infinity or a value beyond 1e50. NaN is never skipped:
        a session without a return is a fault of whoever made the series.

    Examples
    --------
    >>> finite("returns", [1, 2])
    array([1., 2.])
    """
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise InvalidRequest(name, f"has shape {column.shape}, one column needed")
    if not (np.abs(column) <= LARGEST).all():
        raise InvalidRequest(name, "holds NaN, infinity or a value beyond 1e50")
    return column


def beside(name: str, values: ArrayLike, other: NDArray[Any]) -> Floats:
    """Return a column of numbers as long as `other`.

    Raises
    ------
    InvalidRequest
        As `finite`, or if lengths differ.
    """
    column = finite(name, values)
    if column.shape != other.shape:
        raise InvalidRequest(name, f"has {column.size} values, {other.size} needed")
    return column


def excess(returns: ArrayLike, risk_free: ArrayLike = 0.0) -> Floats:
    """Return `returns` less the risk-free return of the same periods (one number, or one each).

    Raises
    ------
    InvalidRequest
        As `beside`.
    """
    r = finite("returns", returns)
    free = np.asarray(risk_free, dtype=np.float64)
    if free.ndim == 0:
        free = np.full(r.shape, free)
    return r - beside("risk_free", free, r)


def ordered_days(dates: ArrayLike, returns: Floats) -> Days:
    """Return the day of each return.

    Raises
    ------
    InvalidRequest
        If a date is NaT, twice, out of order, no date, or their number differs.
    """
    try:
        days = np.asarray(dates).astype("datetime64[D]")
    except (TypeError, ValueError) as wrong:
        raise InvalidRequest("dates", f"cannot be read as dates: {wrong}") from wrong
    if days.shape != returns.shape:
        raise InvalidRequest("dates", f"has shape {days.shape}, the returns {returns.shape}")
    if np.isnat(days).any():
        raise InvalidRequest("dates", "holds NaT; every return has a day")
    if (days[1:] <= days[:-1]).any():
        raise InvalidRequest("dates", "must increase, no day twice")
    return days


def until_ruin(r: Floats) -> Floats:
    """Return `r` up to the first return of -1 or less, which is taken as -1: nothing comes after.

    Examples
    --------
    >>> until_ruin(np.array([0.1, -1.5, 0.3]))
    array([ 0.1, -1. ])
    """
    ruined = np.flatnonzero(r <= -1)
    return np.maximum(r[: int(ruined[0]) + 1], -1.0) if ruined.size else r


def spread(x: Floats) -> float | None:
    """Return the standard deviation (ddof 1); None below two values or where it is rounding."""
    if x.size < MIN_PERIODS:
        return None
    sd = float(x.std(ddof=1))
    return sd if RELATIVE_ZERO * max(1.0, float(np.abs(x).max())) < sd < np.inf else None


def compounded(r: Floats) -> float | None:
    """Return wealth at the end - 1, with ruin; None for no periods or beyond any float."""
    if r.size == 0:
        return None
    with np.errstate(over="ignore"):
        return known(np.prod(1 + until_ruin(r)) - 1)


def shape_of(x: Floats) -> tuple[float, float]:
    """Return skewness and kurtosis (3 for a normal) of a series that varies, moments over n."""
    z = (x - x.mean()) / x.std()
    return float(np.mean(z**3)), float(np.mean(z**4))


def long_run(moments: Floats, lags: int) -> Floats:
    """Return the long-run covariance of the columns of `moments`, which have mean 0.

    S = G_0 + sum_l (1 - l / (lags + 1)) (G_l + G_l'),  G_l = sum_t m_t m_t-l' / n  (Newey and West
    1987): no small-sample factor.

    Examples
    --------
    >>> long_run(np.array([[1.0], [-1.0], [1.0], [-1.0]]), 1)
    array([[0.25]])
    """
    found = moments.T @ moments
    for lag in range(1, lags + 1):
        crossed = moments[lag:].T @ moments[:-lag]
        found += (1 - lag / (lags + 1)) * (crossed + crossed.T)
    return np.asarray(found / len(moments), dtype=np.float64)


def check_lags(lags: int, n: int) -> None:
    """Refuse lags that `n` periods do not have.

    Raises
    ------
    InvalidRequest
        If `lags` is not from 0 to n - 1.
    """
    if not 0 <= lags < max(n, 1):
        raise InvalidRequest("lags", f"is {lags}, must be from 0 to {max(n - 1, 0)}")


def check_year(periods_per_year: int) -> None:
    """Refuse a year without periods.

    Raises
    ------
    InvalidRequest
        If it has less than 1.
    """
    if periods_per_year < 1:
        raise InvalidRequest("periods_per_year", f"is {periods_per_year}, at least 1 needed")


def usual_lags(n: int) -> int:
    """Return floor(4 (n / 100)^(2/9)), the usual lags of a long-run variance (Newey and West 1994).

    Examples
    --------
    >>> usual_lags(100), usual_lags(1257)
    (4, 7)
    """
    return min(int(4 * (n / 100) ** (2 / 9)), max(n - 1, 0))


def known(value: float | np.floating[Any]) -> float | None:
    """Return a finite number as it is, anything else as None."""
    return float(value) if np.isfinite(value) else None
