"""What a series of net returns amounts to."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import MIN_PERIODS, RELATIVE_ZERO, until_ruin
from bellwether.evaluation.sharpe import mertens_error

Metrics = dict[str, float | int | list[float] | None]
Floats = NDArray[np.float64]

SHARPE_CONFIDENCE = 0.95


def trading_metrics(
    net_returns: ArrayLike, turnover: ArrayLike, periods_per_year: int = 252
) -> Metrics:
    """Summarise simple net returns r of n periods; A periods make a year, the risk-free rate is 0.

    ============  ===============================================================================
    sharpe        mean r / sd sqrt A, sd with ddof 1 (Sharpe 1994)
    sharpe_ci     95%: sharpe -+ 1.96 sqrt((1 - g3 s + (g4 - 1) / 4 s^2) / (n - 1)) sqrt A, with
                  s per period, skewness g3 and kurtosis g4 (Lo 2002, Mertens 2002)
    sortino       mean r / sqrt(mean min(r, 0)^2) sqrt A, divided by n (Sortino and Price 1994)
    max_drawdown  lowest wealth / highest wealth before - 1, at most 0
    roi           wealth at the end - 1
    cagr          (1 + roi)^(A / n) - 1
    volatility    sd sqrt A
    turnover      mean traded share of capital a period, buys and sells both counted
    hit_rate      share of r > 0 among r != 0
    n_periods     n
    ============  ===============================================================================

    Wealth is 1 before the first return, so a loss on the first day is a drawdown. A return of -1
    or less is ruin: wealth is 0 from there and the series ends with that period, taken as -1.

    Parameters
    ----------
    net_returns : array, shape (n,)
        Simple returns after costs, as fractions.
    turnover : array, shape (n,)
        Share of capital traded in each period, 1.0 for all of it.
    periods_per_year : int
        A.

    Returns
    -------
    dict
        Finite numbers; None where undefined: ratios and the interval for a constant series or
        fewer than two periods, the Sortino ratio without a loss, everything for no periods.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite (never skipped), turnover is negative, or shapes differ.

    Examples
    --------
    >>> found = trading_metrics([-0.10, 0.05, 0.02], [1.0, 0.0, 0.0])
    >>> round(found["max_drawdown"], 6), round(found["roi"], 6), found["n_periods"]
    (-0.1, -0.0361, 3)
    """
    r, traded = _checked(net_returns, turnover, periods_per_year)
    r = until_ruin(r)
    traded = traded[: r.size]
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            **_ratios(r, periods_per_year),
            **_growth(r, periods_per_year),
            "turnover": _mean(traded),
            "n_periods": int(r.size),
            "hit_rate": _mean(r[r != 0] > 0),
        }


def _ratios(r: Floats, periods_per_year: int) -> Metrics:
    year = math.sqrt(periods_per_year)
    sd = float(r.std(ddof=1)) if r.size >= MIN_PERIODS else None
    found: Metrics = {
        "sharpe": None,
        "sharpe_ci": None,
        "sortino": None,
        "volatility": None if sd is None else _finite(sd * year),
    }
    if sd is None or not RELATIVE_ZERO * max(1.0, float(np.abs(r).max())) < sd < math.inf:
        return found
    s = float(r.mean()) / sd
    reach = float(ndtri(0.5 + SHARPE_CONFIDENCE / 2)) * mertens_error(r, s)
    downside = math.sqrt(float(np.mean(np.minimum(r, 0.0) ** 2)))
    found["sharpe"] = _finite(s * year)
    found["sharpe_ci"] = [(s - reach) * year, (s + reach) * year]
    found["sortino"] = _finite(float(r.mean()) / downside * year) if downside > 0 else None
    return found


def _growth(r: Floats, periods_per_year: int) -> Metrics:
    if r.size == 0:
        return {"max_drawdown": None, "roi": None, "cagr": None}
    wealth = np.concatenate(([1.0], np.cumprod(1 + r)))
    with np.errstate(over="ignore"):
        a_year = np.power(wealth[-1], periods_per_year / r.size)
    return {
        "max_drawdown": _finite((wealth / np.maximum.accumulate(wealth)).min() - 1),
        "roi": _finite(wealth[-1] - 1),
        "cagr": _finite(a_year - 1),
    }


def _checked(
    net_returns: ArrayLike, turnover: ArrayLike, periods_per_year: int
) -> tuple[Floats, Floats]:
    r, traded = (np.asarray(v, dtype=np.float64) for v in (net_returns, turnover))
    if r.ndim != 1 or r.shape != traded.shape:
        raise InvalidRequest("turnover", f"has shape {traded.shape}, net_returns {r.shape}")
    if periods_per_year < 1:
        raise InvalidRequest("periods_per_year", f"is {periods_per_year}, at least 1 needed")
    for name, column in (("net_returns", r), ("turnover", traded)):
        if not np.isfinite(column).all():
            raise InvalidRequest(name, "holds NaN or infinity, which is an error and not a pause")
    if (traded < 0).any():
        raise InvalidRequest("turnover", "must not be negative")
    return r, traded


def _mean(values: NDArray[Any]) -> float | None:
    return _finite(values.mean()) if values.size else None


def _finite(value: float | np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None
