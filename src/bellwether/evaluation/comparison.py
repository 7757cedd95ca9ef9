"""Is one forecast better than another? Tests on loss differentials, one value a decision date."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr, stdtr

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.clark_west import long_run_t

Floats = NDArray[np.float64]

MIN_DATES = 8
RELIABLE_DATES = 20
RELATIVE_ZERO = 1e-14
SINGULAR = 1e-10  # smallest to largest singular value of scaled moments


@dataclass(frozen=True, slots=True)
class DieboldMariano:
    """Whether two forecasts lose the same on average.

    Attributes
    ----------
    mean : float or None
        Mean differential in the unit of the loss: positive where A loses more. None for no dates.
    statistic, p : float or None
        The corrected statistic and its two-sided p value; None where the test is undefined.
    n : int
        Dates.
    lags : int
        Autocovariances in the variance.
    weights : {"rectangular", "bartlett"} or None
        How they were weighted.
    """

    mean: float | None
    statistic: float | None
    p: float | None
    n: int
    lags: int
    weights: Literal["rectangular", "bartlett"] | None


@dataclass(frozen=True, slots=True)
class GiacominiWhite:
    """Whether it can be told beforehand which of two forecasts will lose more.

    `statistic` is chi-squared with `df` degrees of freedom under equal conditional ability; it and
    `p` are None where undefined. `reliable` is False below 20 dates, where p is only a hint.
    """

    statistic: float | None
    p: float | None
    df: int
    n: int
    reliable: bool


@dataclass(frozen=True, slots=True)
class NestedTest:
    """Clark and West's statistic over dates and its one-sided p value; None where undefined."""

    statistic: float | None
    p: float | None
    n: int


def diebold_mariano(differentials: ArrayLike, horizon: int = 1) -> DieboldMariano:
    """Test whether two forecasts lose the same on average.

    With d_t = L_A - L_B per date, its mean m over n dates, autocovariances g_l (divided by n) and
    horizon h (Diebold and Mariano 1995; Harvey, Leybourne and Newbold 1997):

        S  = g_0 + 2 sum_l g_l,  l = 1 .. h - 1
        DM = m / sqrt(S / n) * sqrt((n + 1 - 2 h + h (h - 1) / n) / n),  against t(n - 1)

    S can be zero or less; then, and only then, g_l is weighted by 1 - l / h (Bartlett, as Newey
    and West 1987), which never is. The result says which was taken.

    For a forecast against one that it contains (a model against the prevailing mean) the statistic
    is not normal and rejects too seldom: use `clark_west_by_date`.

    Parameters
    ----------
    differentials : array, shape (n,)
        d_t in order of time, one value a date (`date_losses`), finite.
    horizon : int
        Dates that a label spans; 1 where labels do not overlap.

    Returns
    -------
    DieboldMariano
        Without statistic below 8 dates, for n <= h, and where all d_t are one value (identical
        forecasts).

    Raises
    ------
    InvalidRequest
        If a value is not finite, the array is not one column, or the horizon is below 1.

    Examples
    --------
    >>> y = np.array([.010, -.004, .006, -.012, .003, .008, -.002, .005, .001, -.007])
    >>> f = np.array([.004, -.001, -.002, -.003, .002, .001, .001, .003, .001, -.002])
    >>> found = diebold_mariano(y**2 - (y - f) ** 2)
    >>> round(found.statistic, 5), round(found.p, 5), found.weights
    (1.88244, 0.09244, 'rectangular')
    """
    d = _series("differentials", differentials)
    _check_horizon(horizon)
    n, lags = d.size, horizon - 1
    mean = float(d.mean()) if n else None
    if mean is None or n < MIN_DATES or n <= horizon or _constant(d):
        return DieboldMariano(mean, None, None, n, lags, None)
    away = d - mean
    weights: Literal["rectangular", "bartlett"] = "rectangular"
    covariances = np.array([away[lag:] @ away[: n - lag] / n for lag in range(horizon)])
    variance = float(covariances[0] + 2 * covariances[1:].sum())
    if variance <= RELATIVE_ZERO * covariances[0]:
        weights = "bartlett"
        variance = float(covariances @ np.r_[1.0, 2 * (1 - np.arange(1, horizon) / horizon)])
    if variance <= RELATIVE_ZERO * covariances[0]:
        return DieboldMariano(mean, None, None, n, lags, None)
    correction = (n + 1 - 2 * horizon + horizon * lags / n) / n
    statistic = mean / math.sqrt(variance / n) * math.sqrt(correction)
    return DieboldMariano(
        mean, statistic, float(2 * stdtr(n - 1, -abs(statistic))), n, lags, weights
    )


def giacomini_white(
    differentials: ArrayLike, horizon: int = 1, instruments: ArrayLike | None = None
) -> GiacominiWhite:
    """Test whether the next loss differential can be told from what is known.

    With instruments x_t known when t was decided and m_t = x_t d_t (Giacomini and White 2006):

        W = n mean(m)' S^-1 mean(m),  S = sum over l of (1 - abs(l) / h) mean(m_t m_t-l')

    moments not centred, l from -(h - 1) to h - 1, against chi-squared(q). By default x_t =
    (1, d_t-h), so the first h dates only serve as instruments. Valid for rolling windows and for
    nested models. Units do not matter: W is the same for scaled columns.

    Parameters
    ----------
    differentials : array, shape (n,)
        d_t in order of time, one value a date, finite.
    horizon : int
        Dates that a label spans.
    instruments : array, shape (n, q), or None
        x_t of each date; the caller sees to it that they were known at the decision.

    Returns
    -------
    GiacominiWhite
        Without statistic where S is singular (constant differentials, repeated instruments) or
        there are no more dates than instruments.

    Raises
    ------
    InvalidRequest
        If a value is not finite, shapes differ, or the horizon is below 1.

    Examples
    --------
    >>> y = np.array([.010, -.004, .006, -.012, .003, .008, -.002, .005, .001, -.007])
    >>> f = np.array([.004, -.001, -.002, -.003, .002, .001, .001, .003, .001, -.002])
    >>> found = giacomini_white(y**2 - (y - f) ** 2)
    >>> round(found.statistic, 4), found.df, round(found.p, 4), found.reliable
    (2.0475, 2, 0.3592, False)
    """
    d = _series("differentials", differentials)
    _check_horizon(horizon)
    if instruments is None:
        now = d[horizon:]
        x = np.column_stack([np.ones(now.size), d[: now.size]])
    else:
        now, x = d, _matrix("instruments", instruments, d.size)
    n, q = x.shape
    moments = _scaled(x) * _scaled(now)[:, None]
    undefined = GiacominiWhite(None, None, q, n, n >= RELIABLE_DATES)
    if n <= max(q, horizon) or _constant(d):
        return undefined
    s = _bartlett(moments, horizon)
    values = np.linalg.svd(s, compute_uv=False)
    if not values[-1] > SINGULAR * values[0]:
        return undefined
    mean = moments.mean(axis=0)
    statistic = float(n * mean @ np.linalg.solve(s, mean))
    return GiacominiWhite(statistic, float(chdtrc(q, statistic)), q, n, n >= RELIABLE_DATES)


def clark_west_by_date(
    dates: NDArray[np.generic], y: ArrayLike, small: ArrayLike, large: ArrayLike, horizon: int = 1
) -> NestedTest:
    """Test on a panel whether `large` forecasts better than `small`, which it contains.

    The adjusted differential of `clark_west`, f = (y - small)^2 - (y - large)^2 + (small - large)^2
    (Clark and West 2007), is averaged over the rows of each date; t of its mean with h - 1 lags is
    compared with a normal from above. With one row a date it equals `clark_west`.

    Parameters
    ----------
    dates : array, shape (n_rows,)
        Decision instant of each row; sorts in the order of time.
    y, small, large : array, shape (n_rows,)
        Outcomes and forecasts, finite.
    horizon : int
        Dates that a label spans.

    Returns
    -------
    NestedTest
        Without statistic below 2 dates, for n <= h, and for identical forecasts.

    Raises
    ------
    InvalidRequest
        If a value is not finite, shapes differ, or the horizon is below 1.

    Examples
    --------
    >>> y = np.array([.010, -.004, .006, -.012, .003, .008, -.002, .005, .001, -.007])
    >>> f = np.array([.004, -.001, -.002, -.003, .002, .001, .001, .003, .001, -.002])
    >>> found = clark_west_by_date(np.arange(10), y, np.zeros(10), f)
    >>> round(found.statistic, 4), round(found.p, 4), found.n
    (2.2586, 0.012, 10)
    """
    outcome = _series("y", y)
    one, two = _series("small", small), _series("large", large)
    _check_horizon(horizon)
    if not outcome.shape == one.shape == two.shape == np.shape(dates):
        raise InvalidRequest("dates", "dates, outcomes and forecasts must have one length")
    f = (outcome - one) ** 2 - ((outcome - two) ** 2 - (one - two) ** 2)
    names, member = np.unique(dates, return_inverse=True)
    n = int(names.size)
    if n < 2 or n <= horizon:  # noqa: PLR2004 - one date has no spread
        return NestedTest(None, None, n)
    means = np.bincount(member, weights=f, minlength=n) / np.bincount(member, minlength=n)
    t = long_run_t(means, horizon - 1)
    return NestedTest(t, None if t is None else float(ndtr(-t)), n)


def _bartlett(moments: Floats, horizon: int) -> Floats:
    s = moments.T @ moments
    for lag in range(1, horizon):
        crossed = moments[lag:].T @ moments[:-lag]
        s += (1 - lag / horizon) * (crossed + crossed.T)
    return np.asarray(s / len(moments))


def _scaled(x: Floats) -> Floats:
    """Return columns of size about 1: the statistic stays, and the arithmetic holds."""
    size = np.sqrt(np.mean(x**2, axis=0)) if x.size else np.ones(x.shape[1:])
    return np.asarray(x / np.where(size > 0, size, 1.0))


def _constant(d: Floats) -> bool:
    return bool(np.ptp(d) <= RELATIVE_ZERO * np.abs(d).max())


def _series(name: str, values: ArrayLike) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise InvalidRequest(name, f"has shape {column.shape}, one column needed")
    if not np.isfinite(column).all():
        raise InvalidRequest(name, "holds NaN or infinity")
    return column


def _matrix(name: str, values: ArrayLike, n: int) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2 or len(found) != n or found.shape[1] == 0:  # noqa: PLR2004 - rows and columns
        raise InvalidRequest(name, f"has shape {found.shape}, ({n}, columns) needed")
    if not np.isfinite(found).all():
        raise InvalidRequest(name, "holds NaN or infinity")
    return found


def _check_horizon(horizon: int) -> None:
    if horizon < 1:
        raise InvalidRequest("horizon", f"is {horizon}, at least 1 needed")
