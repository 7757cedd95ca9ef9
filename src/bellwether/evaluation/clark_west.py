"""Tests of a forecast against a simpler one that it contains."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]

MIN_ROWS = 2
RELATIVE_ZERO = 1e-14  # a spread this small, relative to the values, is rounding


@dataclass(frozen=True, slots=True)
class Nested:
    """How a forecast compares with the simpler one inside it; None where undefined.

    `t`, `p` : Clark and West's (2007) statistic and its one-sided p-value.
    `mse_f`, `enc_new` : McCracken's (2007) and Clark and McCracken's (2001) statistics, whose
    critical values are not those of a normal and are in their tables.
    """

    t: float | None
    p: float | None
    mse_f: float | None
    enc_new: float | None


def clark_west(y: Floats, small: Floats, large: Floats, lags: int = 0) -> Nested:
    """Test whether `large` forecasts better than `small`, which is a special case of it.

    With errors e1 of `small` and e2 of `large`, f = e1^2 - (e2^2 - (small - large)^2) removes from
    the loss what estimating useless coefficients costs, and

        t = mean f / sqrt(S / n),  S = sum over lags l of (1 - |l| / (lags + 1)) cov(f_t, f_t-l)

    (Newey and West 1987, no small-sample factor) is compared with a normal from above.

    Parameters
    ----------
    y, small, large : ndarray of float64, shape (n,)
        Outcomes and forecasts known before them, in one unit; finite.
    lags : int
        horizon - 1 for outcomes that overlap.

    Raises
    ------
    InvalidRequest
        If shapes differ, a value is not finite, or `lags` is negative or not below n.

    Examples
    --------
    >>> y = np.array([0.010, -0.004, 0.006, -0.012, 0.003, 0.008, -0.002, 0.005, 0.001, -0.007])
    >>> f = np.array([0.004, -0.001, -0.002, -0.003, 0.002, 0.001, 0.001, 0.003, 0.001, -0.002])
    >>> found = clark_west(y, np.zeros(10), f)
    >>> round(found.t, 4), round(found.p, 4)
    (2.2586, 0.012)
    """
    if not y.shape == small.shape == large.shape or y.ndim != 1:
        raise InvalidRequest("y", f"has shape {y.shape}, forecasts {small.shape}, {large.shape}")
    if not all(np.isfinite(v).all() for v in (y, small, large)):
        raise InvalidRequest("y", "outcomes and forecasts must be finite")
    if not 0 <= lags < max(y.size, 1):
        raise InvalidRequest("lags", f"is {lags}, must be from 0 to {max(y.size - 1, 0)}")
    if y.size < MIN_ROWS:
        return Nested(None, None, None, None)
    e1, e2 = y - small, y - large
    t = long_run_t(e1**2 - (e2**2 - (small - large) ** 2), lags)
    loss = float(e2 @ e2)
    if loss == 0:
        return Nested(t, None if t is None else float(ndtr(-t)), None, None)
    mse_f = y.size * float(e1 @ e1 - loss) / loss
    enc_new = y.size * float(e1 @ e1 - e1 @ e2) / loss
    return Nested(t, None if t is None else float(ndtr(-t)), mse_f, enc_new)


def long_run_t(f: Floats, lags: int) -> float | None:
    """Return the t of a mean, long-run variance as in `clark_west`; None where f does not vary.

    Examples
    --------
    >>> round(long_run_t(np.array([1.0, 3.0]), 0), 6)
    2.828427
    """
    away = f - f.mean()
    variance = float(away @ away)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(away[lag:] @ away[:-lag])
    error = math.sqrt(max(variance, 0.0)) / f.size
    if error <= RELATIVE_ZERO * float(np.abs(f).max(initial=0.0)):
        return None
    return float(f.mean()) / error
