"""What a series was beside a benchmark."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from bellwether.evaluation.series import (
    Floats,
    beside,
    check_lags,
    check_year,
    excess,
    finite,
    known,
    long_run,
    spread,
    until_ruin,
    usual_lags,
)

MIN_FIT = 3  # periods of a line with an error


@dataclass(frozen=True, slots=True)
class Relative:
    """A series beside its benchmark; None where undefined.

    Attributes
    ----------
    alpha : float
        (1 + a)^A - 1 with a the intercept per period.
    alpha_low, alpha_high : float
        The same of a -+ 1.96 HAC errors.
    alpha_t : float
        a over its HAC error.
    beta, r_squared : float
        Slope, and the share of variance that the line explains.
    tracking_error, information_ratio : float
        sd of r - b times sqrt A (ddof 1); mean (r - b) / sd times sqrt A.
    up_capture, down_capture : float
        Growth a year over the periods in which the benchmark rose (fell), divided by its own.
    n, n_up, n_down : int
        Periods.
    """

    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    alpha_t: float | None
    beta: float | None
    r_squared: float | None
    tracking_error: float | None
    information_ratio: float | None
    up_capture: float | None
    down_capture: float | None
    n: int
    n_up: int
    n_down: int


def relative(
    returns: ArrayLike,
    benchmark: ArrayLike,
    *,
    risk_free: ArrayLike = 0.0,
    periods_per_year: int = 252,
    lags: int | None = None,
) -> Relative:
    """Set a series beside a benchmark of the same periods.

    r - rf = a + beta (b - rf) + e by least squares (Jensen 1968); errors are Newey and West's
    (1987) without a small-sample factor. Active returns r - b and captures do not use rf.

    Parameters
    ----------
    returns, benchmark : array, shape (n,)
        Simple net returns as fractions.
    risk_free : float or array, shape (n,)
        Risk-free return of a period.
    periods_per_year : int
        A.
    lags : int or None
        Of the errors; None for floor(4 (n / 100)^(2/9)).

    Returns
    -------
    Relative
        No line for a constant benchmark or fewer than 3 periods; no information ratio where
        active returns are constant; no capture without such periods, or where the benchmark's
        growth over them is 0.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, lengths differ or an option is out of range.

    Examples
    --------
    >>> b = np.array([0.01, -0.02, 0.03, 0.0])
    >>> found = relative(0.001 + 2 * b, b, periods_per_year=1)
    >>> round(found.alpha, 6), round(found.beta, 6), found.n_up, found.n_down
    (0.001, 2.0, 2, 1)
    """
    r = finite("returns", returns)
    b = beside("benchmark", benchmark, r)
    check_year(periods_per_year)
    x, y = excess(b, risk_free), excess(r, risk_free)
    steps = usual_lags(r.size) if lags is None else lags
    check_lags(steps, r.size)
    active = r - b
    sd, year = spread(active), math.sqrt(periods_per_year)
    up, down = b > 0, b < 0
    alpha, low, high, t, beta, share = _line(x, y, steps, periods_per_year)
    return Relative(
        alpha=alpha,
        alpha_low=low,
        alpha_high=high,
        alpha_t=t,
        beta=beta,
        r_squared=share,
        tracking_error=known(active.std(ddof=1) * year) if active.size > 1 else None,
        information_ratio=None if sd is None else known(active.mean() / sd * year),
        up_capture=_captured(r[up], b[up], periods_per_year),
        down_capture=_captured(r[down], b[down], periods_per_year),
        n=r.size,
        n_up=int(up.sum()),
        n_down=int(down.sum()),
    )


def _line(x: Floats, y: Floats, lags: int, periods: int) -> tuple[float | None, ...]:
    of_x = spread(x)
    if x.size < MIN_FIT or of_x is None:
        return (None,) * 6
    z = (x - x.mean()) / of_x
    slope = float(z @ (y - y.mean())) / float(z @ z)
    rest = y - y.mean() - slope * z
    beta, square = slope / of_x, x.mean() / of_x
    a = float(y.mean()) - beta * float(x.mean())
    # of a's estimate: the part of each period, mean(x) / sd away from the line's middle
    part = rest * (1 - square * z * x.size / float(z @ z))
    error = math.sqrt(max(float(long_run(part[:, None], lags)[0, 0]), 0.0) / x.size)
    reach = float(ndtri(0.975)) * error
    total = float((y - y.mean()) @ (y - y.mean()))
    sure = error > 1e-12 * max(abs(a), float(np.abs(y).max(initial=0.0)))  # else it is rounding
    return (
        _grown(a, periods),
        _grown(a - reach, periods),
        _grown(a + reach, periods),
        a / error if sure else None,
        known(beta),
        None if total == 0 else max(0.0, 1 - float(rest @ rest) / total),
    )


def _grown(a: float, periods: int) -> float | None:
    with np.errstate(over="ignore"):
        return known(np.power(max(1 + a, 0.0), np.float64(periods)) - 1)


def _captured(r: Floats, b: Floats, periods: int) -> float | None:
    if r.size == 0:
        return None
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        mine, its = (
            np.power(np.prod(1 + until_ruin(side)), periods / side.size) - 1 for side in (r, b)
        )
        return known(np.divide(mine, its)) if its != 0 else None
