"""Least squares refitted for each forecast, on rows known before it. Pure arithmetic on arrays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]

LARGEST = 1e100  # larger values could not be squared and added up
CHUNK = 4_000_000  # values of rolling windows that are laid out at a time
MOST_CELLS = 10_000_000_000  # of several predictors, over all fits: minutes
SAME = 4 * np.finfo(np.float64).eps  # a spread this small, relative to the values, is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Refits:
    """What each row's fit said before the row was known.

    Attributes
    ----------
    forecast, mean : ndarray of float64, shape (n,)
        The fitted value at the row's predictors, and the mean outcome of the rows that were
        fitted, in the outcome's unit; NaN before the first forecast.
    slope : ndarray of float64, shape (n, k)
        The coefficients; 0 where a predictor did not vary in the rows that were fitted.
    """

    forecast: Floats
    mean: Floats
    slope: Floats


def refit(
    X: Floats, y: Floats, *, first: int, window: int | None = None, horizon: int = 1
) -> Refits:
    """Fit y on a constant and the columns of X for each row from `first` on.

    Row t is forecast with rows a .. t - `horizon`, a = 0 (expanding) or such that there are
    `window` of them. One predictor: b = Sxy / Sxx, expanding by Welford's (1962) updates, rolling
    on each window's own deviations, both from the first row's value, so that a large level costs
    no digits. Several predictors:
    `numpy.linalg.lstsq` on scaled deviations; the shortest solution where columns repeat each
    other.

    Parameters
    ----------
    X : ndarray of float64, shape (n, k)
        Predictors, known when the period of their row begins.
    y : ndarray of float64, shape (n,)
        Outcomes; that of row t is known `horizon` rows later.
    first : int
        First row that is forecast.

    Raises
    ------
    InvalidRequest
        If a value is not finite or beyond 1e100, shapes differ, or fewer than k + 2 rows (or
        `window` of them) come before `first`.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> refit(x[:, None], 1 + 2 * x, first=3).forecast
    array([nan, nan, nan,  7.])
    """
    _check(X, y, window, horizon)
    need = X.shape[1] + 2 if window is None else window
    if first - horizon + 1 < need:
        have = max(first - horizon + 1, 0)
        raise InvalidRequest("first", f"{have} rows are known before it, at least {need} needed")
    away = X - X[0]  # near values differ exactly, their means do not
    scale = _scale(away)
    scaled, size = away / scale, np.maximum.accumulate(np.abs(X[:, 0])) / scale[0]
    n, k = X.shape
    found = Refits(np.full(n, np.nan), np.full(n, np.nan), np.full((n, k), np.nan))
    if k > 1:
        _several(scaled, y, found, first, window, horizon)
    elif window is None:
        _expanding(scaled[:, 0], y, size, found, first, horizon)
    else:
        _rolling(scaled[:, 0], y, size, found, first, window, horizon)
    return Refits(found.forecast, found.mean, found.slope / scale)


def r_squared(X: Floats, y: Floats) -> float | None:
    """Return the share of the variance of y that a constant and X explain, all rows used at once.

    None where y does not vary.
    """
    away = X - X[0]
    centred, target = _deviations(away / _scale(away)), _deviations(y)
    total = float(target @ target)
    if total == 0:
        return None
    fitted = centred @ np.linalg.lstsq(centred, target, rcond=None)[0]
    rest = target - fitted
    return 1 - float(rest @ rest) / total


def varies(x: Floats) -> bool:
    """Return whether x holds more than one value, rounding aside."""
    return bool(np.ptp(x) > SAME * np.abs(x).max()) if x.size else False


def _expanding(x: Floats, y: Floats, size: Floats, out: Refits, first: int, horizon: int) -> None:
    mean_x = mean_y = sxx = sxy = 0.0
    xs, ys, least = x.tolist(), y.tolist(), ((SAME * size) ** 2).tolist()
    for t in range(horizon, len(xs)):
        row = t - horizon
        gone = xs[row] - mean_x
        mean_x += gone / (row + 1)
        mean_y += (ys[row] - mean_y) / (row + 1)
        sxx += gone * (xs[row] - mean_x)
        sxy += gone * (ys[row] - mean_y)
        if t >= first:
            slope = 0.0 if sxx <= (row + 1) * least[row] else sxy / sxx
            out.slope[t, 0], out.mean[t] = slope, mean_y
            out.forecast[t] = mean_y + slope * (xs[t] - mean_x)


def _rolling(
    x: Floats, y: Floats, size: Floats, out: Refits, first: int, window: int, horizon: int
) -> None:
    view = np.lib.stride_tricks.sliding_window_view
    of_x, of_y = view(x, window), view(y, window)
    for rows in _chunks(first, x.size, window):
        at = rows - horizon - window + 1
        mean_x, mean_y = of_x[at].mean(axis=1), of_y[at].mean(axis=1)
        dx = of_x[at] - mean_x[:, None]
        sxx = (dx * dx).sum(axis=1)
        sxy = (dx * (of_y[at] - mean_y[:, None])).sum(axis=1)
        flat = sxx <= window * (SAME * size[rows - horizon]) ** 2
        slope = np.where(flat, 0.0, sxy / np.where(flat, 1.0, sxx))
        out.slope[rows, 0], out.mean[rows] = slope, mean_y
        out.forecast[rows] = mean_y + slope * (x[rows] - mean_x)


def _several(
    X: Floats, y: Floats, out: Refits, first: int, window: int | None, horizon: int
) -> None:
    longest = len(y) if window is None else window
    if (len(y) - first) * longest * X.shape[1] > MOST_CELLS:
        why = f"{len(y) - first} fits of up to {longest} rows and {X.shape[1]} predictors"
        raise InvalidRequest("window", f"{why} would take hours; choose a shorter one")
    for t in range(first, len(y)):
        end = t - horizon + 1
        rows = slice(0 if window is None else end - window, end)
        mean_x, mean_y = X[rows].mean(axis=0), float(y[rows].mean())
        slope = np.linalg.lstsq(_deviations(X[rows]), y[rows] - mean_y, rcond=None)[0]
        out.slope[t], out.mean[t] = slope, mean_y
        out.forecast[t] = mean_y + slope @ (X[t] - mean_x)


def _chunks(first: int, n: int, window: int) -> Iterator[NDArray[np.intp]]:
    step = max(1, CHUNK // window)
    for begin in range(first, n, step):
        yield np.arange(begin, min(begin + step, n))


def _deviations(values: Floats) -> Floats:
    """Subtract the mean; exactly 0 where all are one value, whatever its mean is rounded to."""
    away = values - values.mean(axis=0)
    flat = np.ptp(values, axis=0) == 0
    return np.asarray(np.where(flat, 0.0, away), dtype=np.float64)


def _scale(X: Floats) -> Floats:
    """Return a power of two near each column's size, so that scaling loses nothing."""
    largest = np.abs(X).max(axis=0)
    return np.asarray(np.ldexp(1.0, np.frexp(np.where(largest > 0, largest, 1.0))[1]))


def _check(X: Floats, y: Floats, window: int | None, horizon: int) -> None:
    if X.ndim != 2 or y.shape != (len(X),):  # noqa: PLR2004 - a matrix and its column
        raise InvalidRequest("X", f"has shape {X.shape}, y {y.shape}")
    if not len(X):
        raise InvalidRequest("X", "has no rows")
    for name, values in (("X", X), ("y", y)):
        if not (np.abs(values) <= LARGEST).all():
            raise InvalidRequest(name, f"holds NaN or a value beyond {LARGEST:g}")
    if horizon < 1:
        raise InvalidRequest("horizon", f"is {horizon}, at least 1 needed")
    least = X.shape[1] + 2
    if window is not None and window < least:
        raise InvalidRequest("window", f"is {window}, at least {least} rows needed")
