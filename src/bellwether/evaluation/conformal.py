"""Prediction intervals from past errors (split conformal), judged walk-forward."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]

MIN_RESIDUALS = 100


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where past errors ended, in units of their scale.

    `lower` and `upper` bound residual / scale, `coverage` is the nominal share between them and
    `n` the number of residuals behind them.
    """

    lower: float
    upper: float
    coverage: float
    n: int


def fit_calibration(
    residuals: ArrayLike, scale: ArrayLike, coverage: float = 0.9
) -> Calibration | None:
    """Take both tails of scaled out-of-sample errors.

    With z = residual / scale in order, n of them and alpha = 1 - coverage, `lower` is
    z_(floor((n + 1) alpha / 2)) and `upper` z_(ceil((n + 1) (1 - alpha / 2))): for exchangeable
    errors each tail misses with probability at most alpha / 2 (Papadopoulos et al. 2002; two tails as
    in Romano, Patterson and Candes 2019). Returns are not exchangeable, hence `sequential_coverage`.

    Parameters
    ----------
    residuals : array, shape (n,)
        Realised less forecast, out of sample.
    scale : array, shape (n,)
        What each error is measured by, known with the forecast (such as volatility); > 0.
    coverage : float
        Nominal share inside, in (0, 1).

    Returns
    -------
    Calibration or None
        None for fewer than 100 residuals, or where a tail has less than one expected residual.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, a scale is not positive, or shapes differ.

    Examples
    --------
    >>> fit_calibration(np.arange(-99.0, 100.0), np.ones(199))
    Calibration(lower=-90.0, upper=90.0, coverage=0.9, n=199)
    """
    errors, widths = _checked(residuals, scale)
    _check_coverage(coverage)
    return _fit(errors / widths, coverage)


def bounds(
    forecast: ArrayLike, scale: ArrayLike, calibration: Calibration
) -> tuple[Floats, Floats]:
    """Return forecast + lower * scale and forecast + upper * scale, in the forecast's unit.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, a scale is not positive, or shapes differ.

    Examples
    --------
    >>> low, high = bounds([0.001], [0.01], Calibration(-1.5, 1.7, 0.9, 250))
    >>> low.round(6).tolist(), high.round(6).tolist()
    ([-0.014], [0.018])
    """
    centre, widths = _checked(forecast, scale, "forecast")
    return centre + calibration.lower * widths, centre + calibration.upper * widths


def sequential_coverage(
    fold_numbers: ArrayLike, residuals: ArrayLike, scale: ArrayLike, coverage: float = 0.9
) -> tuple[float | None, int]:
    """Return the share of errors inside intervals fitted on earlier folds only, and their number.

    Folds are taken in ascending order; one whose past holds too few residuals is not judged.

    Parameters
    ----------
    fold_numbers : array of int, shape (n,)
        The fold each error was made in; a higher number is later.
    residuals, scale, coverage
        As for `fit_calibration`.

    Returns
    -------
    share : float or None
        None where nothing was judged.
    n : int
        Errors judged.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, a scale is not positive, or shapes differ.

    Examples
    --------
    >>> fold = np.repeat([0, 1], 199)
    >>> errors = np.tile(np.arange(-99.0, 100.0), 2)
    >>> share, n = sequential_coverage(fold, errors, np.ones(398))
    >>> round(share, 4), n
    (0.9095, 199)
    """
    errors, widths = _checked(residuals, scale)
    _check_coverage(coverage)
    folds = np.asarray(fold_numbers)
    if folds.shape != errors.shape:
        raise InvalidRequest("fold_numbers", f"has shape {folds.shape}, residuals {errors.shape}")
    z = errors / widths
    inside = judged = 0
    for fold in np.unique(folds):
        earlier = _fit(z[folds < fold], coverage)
        if earlier is None:
            continue
        now = z[folds == fold]
        inside += int(np.count_nonzero((now >= earlier.lower) & (now <= earlier.upper)))
        judged += int(now.size)
    return (inside / judged if judged else None), judged


def _fit(z: Floats, coverage: float) -> Calibration | None:
    n, tail = int(z.size), (1 - coverage) / 2
    # rounded first: 200 * 0.05 is 9.999999999999998 when 0.05 came from 1 - 0.9
    low = math.floor(round((n + 1) * tail, 9))
    high = math.ceil(round((n + 1) * (1 - tail), 9))
    if n < MIN_RESIDUALS or low < 1 or high > n:
        return None
    ordered = np.partition(z, (low - 1, high - 1))
    return Calibration(float(ordered[low - 1]), float(ordered[high - 1]), coverage, n)


def _checked(values: ArrayLike, scale: ArrayLike, name: str = "residuals") -> tuple[Floats, Floats]:
    column, widths = (np.asarray(v, dtype=np.float64) for v in (values, scale))
    if column.shape != widths.shape or column.ndim != 1:
        raise InvalidRequest("scale", f"has shape {widths.shape}, {name} {column.shape}")
    if not np.isfinite(column).all():
        raise InvalidRequest(name, "holds NaN or infinity; leave such rows out by a stated rule")
    if not (np.isfinite(widths) & (widths > 0)).all():
        raise InvalidRequest("scale", "must be finite and above 0 in every row")
    return column, widths


def _check_coverage(coverage: float) -> None:
    if not 0 < coverage < 1:
        raise InvalidRequest("coverage", f"is {coverage}, must lie between 0 and 1")
