"""How sure a Sharpe ratio is: its errors, its year, and how long a record would have to be."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import (
    Floats,
    check_lags,
    check_year,
    excess,
    finite,
    known,
    long_run,
    shape_of,
    spread,
    usual_lags,
)


@dataclass(frozen=True, slots=True)
class Sharpe:
    """A Sharpe ratio with what is known of its precision; None where undefined.

    Attributes
    ----------
    per_period, annual : float
        mean / sd of excess returns (ddof 1), and that times sqrt A.
    se_lo, se_mertens, se_hac : float
        Standard errors of `annual` if returns are independent and normal, independent, or neither.
    low, high : float
        `annual` -+ 1.96 `se_hac`.
    annual_autocorrelated : float
        `per_period` times eta(A) instead of sqrt A.
    probabilistic : float
        Probability that the true ratio is above the target.
    min_track_record : float
        Periods that would make it above the target at 95 %; None where it is below the target.
    n : int
        Periods.
    """

    per_period: float | None
    annual: float | None
    se_lo: float | None
    se_mertens: float | None
    se_hac: float | None
    low: float | None
    high: float | None
    annual_autocorrelated: float | None
    probabilistic: float | None
    min_track_record: float | None
    n: int


def sharpe_record(
    returns: ArrayLike,
    *,
    risk_free: ArrayLike = 0.0,
    periods_per_year: int = 252,
    lags: int | None = None,
    target: float = 0.0,
) -> Sharpe:
    """Return the Sharpe ratio (1994) of a series with everything known of its precision.

    Parameters
    ----------
    returns : array, shape (n,)
        Simple net returns as fractions.
    risk_free : float or array, shape (n,)
        Risk-free return of one period, as a fraction.
    periods_per_year : int
        A.
    lags : int or None
        Of the HAC error; None for floor(4 (n / 100)^(2/9)).
    target : float
        Annual ratio to be above.

    Returns
    -------
    Sharpe
        Everything None but `n` for a constant series or fewer than two periods.

    Raises
    ------
    InvalidRequest
        If a value is NaN, infinite or beyond 1e50, lengths differ or an option is out of range.

    Examples
    --------
    >>> found = sharpe_record([.01, -.02, .015, -.03, .01, .02, .025, -.005], periods_per_year=1)
    >>> round(found.per_period, 6), found.n
    (0.159209, 8)
    """
    x = excess(returns, risk_free)
    check_year(periods_per_year)
    ratio = sharpe_ratio(x)
    if ratio is None:
        return Sharpe(None, None, None, None, None, None, None, None, None, None, x.size)
    year = math.sqrt(periods_per_year)
    goal = float(finite("target", [target])[0]) / year
    hac = _times(hac_error(x, lags), year)
    reach = None if hac is None else float(ndtri(0.975)) * hac
    stretched = eta(x, periods_per_year)
    return Sharpe(
        per_period=ratio,
        annual=ratio * year,
        se_lo=_times(lo_error(ratio, x.size), year),
        se_mertens=mertens_error(x, ratio) * year,
        se_hac=hac,
        low=None if reach is None else ratio * year - reach,
        high=None if reach is None else ratio * year + reach,
        annual_autocorrelated=_times(stretched, ratio),
        probabilistic=probabilistic_sharpe(ratio, x.size, *shape_of(x), goal),
        min_track_record=min_track_record(ratio, *shape_of(x), goal),
        n=x.size,
    )


def sharpe_ratio(returns: ArrayLike, risk_free: ArrayLike = 0.0) -> float | None:
    """Return mean / sd of excess returns per period (Sharpe 1994), sd with ddof 1.

    None for a constant series or fewer than two periods, never infinity.

    Examples
    --------
    >>> sharpe_ratio([0.01, 0.01, 0.01]) is None, sharpe_ratio([0.02, 0.0, 0.01])
    (True, 1.0)
    """
    x = excess(returns, risk_free)
    sd = spread(x)
    return None if sd is None else known(x.mean() / sd)


def lo_error(ratio: float, n: int) -> float | None:
    """Return sqrt((1 + S^2 / 2) / n), for independent normal returns (Lo 2002); None for n = 0.

    Examples
    --------
    >>> round(lo_error(0.634596 / 252**.5, 1257) * 252**.5, 3)
    0.448
    """
    return math.sqrt((1 + ratio * ratio / 2) / n) if n > 0 else None


def mertens_error(x: Floats, ratio: float) -> float:
    """Return sqrt((1 - g3 S + (g4 - 1) / 4 S^2) / (n - 1)) of excess returns that vary.

    Holds for independent returns of any shape: skewness g3, kurtosis g4 (Mertens 2002; Opdyke
    2007). S is `ratio`, per period.

    Examples
    --------
    >>> x = np.array([.01, -.02, .015, -.03, .01, .02, .025, -.005])
    >>> round(mertens_error(x, sharpe_ratio(x)), 6)
    0.397884
    """
    return math.sqrt(_inside(ratio, *shape_of(x)) / (x.size - 1))


def hac_error(returns: ArrayLike, lags: int | None = None) -> float | None:
    """Return the error of a per-period ratio that autocorrelation does not spoil (Lo 2002).

    By the delta method on m_t = (x - mu, (x - mu)^2 - s^2) with their long-run covariance:
    sqrt(g' S g / n), g = (1 / s, -mu / (2 s^3)), s with ddof 0. None for a constant series.

    Raises
    ------
    InvalidRequest
        If `lags` is not from 0 to n - 1 or a value is not finite.

    Examples
    --------
    >>> round(hac_error([.01, -.02, .015, -.03, .01, .02, .025, -.005], 0), 6)
    0.373518
    """
    x = finite("returns", returns)
    if spread(x) is None:
        return None
    steps = usual_lags(x.size) if lags is None else lags
    check_lags(steps, x.size)
    mean, sd = float(x.mean()), float(x.std())
    z = (x - mean) / sd
    covariance = long_run(np.column_stack([z, z * z - 1]), steps)
    slope = np.array([1.0, -mean / sd / 2])
    return math.sqrt(max(float(slope @ covariance @ slope), 0.0) / x.size)


def eta(returns: ArrayLike, q: int) -> float | None:
    """Return q / sqrt(q + 2 sum_k (q - k) rho_k), which makes a ratio that of q periods (Lo 2002).

    rho_k is the sample autocorrelation at lag k = 1 .. q - 1, taken as 0 from lag n on; sqrt(q)
    where there is none. None where the root is of nothing positive, or the series is constant.

    Raises
    ------
    InvalidRequest
        If q is below 1 or a value is not finite.

    Examples
    --------
    >>> round(eta([1.0, 2.0, 3.0, 4.0], 2), 6)
    1.264911
    """
    x = finite("returns", returns)
    if q < 1:
        raise InvalidRequest("q", f"is {q}, at least 1 needed")
    if spread(x) is None:
        return None
    away = (x - x.mean()) / x.std()
    rho = np.array([away[k:] @ away[:-k] / x.size for k in range(1, min(q, x.size))])
    inside = q + 2 * float((q - np.arange(1, rho.size + 1)) @ rho)
    return q / math.sqrt(inside) if inside > 0 else None


def probabilistic_sharpe(
    ratio: float, n: int, skewness: float, kurtosis: float, target: float = 0.0
) -> float | None:
    """Return Phi((S - S*) sqrt(n - 1) / sqrt(1 - g3 S + (g4 - 1) / 4 S^2)).

    The probability that the true ratio is above S*, both per period, kurtosis 3 for a normal
    (Bailey and Lopez de Prado 2012). None for n < 2 or where the variance is 0.

    Examples
    --------
    >>> round(probabilistic_sharpe(0.458, 24, -2.448, 10.164), 6)
    0.913361
    """
    inside = _inside(ratio, skewness, kurtosis)
    if n < 2 or inside <= 0:  # noqa: PLR2004 - one period has no spread
        return None
    return float(ndtr((ratio - target) * math.sqrt(n - 1) / math.sqrt(inside)))


def min_track_record(
    ratio: float,
    skewness: float,
    kurtosis: float,
    target: float = 0.0,
    confidence: float = 0.95,
) -> float | None:
    """Return 1 + (1 - g3 S + (g4 - 1) / 4 S^2) (z / (S - S*))^2 periods.

    With fewer, a ratio S does not exceed S* at that confidence (Bailey and Lopez de Prado 2012).
    None where S is not above S*: no record is long enough.

    Raises
    ------
    InvalidRequest
        If `confidence` is not between 0.5 and 1.

    Examples
    --------
    >>> round(min_track_record(0.458, -2.448, 10.164), 2)  # of monthly returns
    34.56
    """
    if not 0.5 < confidence < 1:  # noqa: PLR2004 - below one half no record is needed
        raise InvalidRequest("confidence", f"is {confidence}, must lie between 0.5 and 1")
    if ratio <= target:
        return None
    z = float(ndtri(confidence)) / (ratio - target)
    return known(1 + _inside(ratio, skewness, kurtosis) * z * z)


def _inside(ratio: float, skewness: float, kurtosis: float) -> float:
    # kurtosis >= skewness^2 + 1, so this is a square or more; below 0 it is rounding
    return max(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio * ratio, 0.0)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
