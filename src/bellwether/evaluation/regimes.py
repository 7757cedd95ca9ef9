"""Returns apart by the state of the market, as far as the state was known before the period."""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import (
    MIN_PERIODS,
    beside,
    check_year,
    compounded,
    finite,
    spread,
    until_ruin,
)
from bellwether.evaluation.sharpe import hac_error, sharpe_ratio

UNKNOWN = -1
VOLATILITY = ("calm", "middle", "turbulent")
DIRECTION = ("falling", "rising")
Labels = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class InRegime:
    """A series in the periods of one regime; None where undefined.

    Attributes
    ----------
    name : str
        Of the regime.
    n : int
        Periods.
    share : float
        Of the periods whose regime was known.
    mean, volatility, sharpe : float
        Mean r A, sd sqrt A, mean / sd sqrt A.
    sharpe_se : float
        HAC error of `sharpe`; the regime's periods are taken as one stretch.
    roi : float
        prod (1 + r) - 1 over these periods.
    hit_rate : float
        Share of r > 0 among r != 0.
    benchmark_mean : float
        The benchmark's mean A in the same periods; None where none was given.
    """

    name: str
    n: int
    share: float | None
    mean: float | None
    volatility: float | None
    sharpe: float | None
    sharpe_se: float | None
    roi: float | None
    hit_rate: float | None
    benchmark_mean: float | None


def volatility_terciles(market: ArrayLike, window: int = 21, history: int = 252) -> Labels:
    """Label each period by how volatile the market had been, with thresholds from the past only.

    v_t is the sd (ddof 1) of the `window` returns before period t. Period t is calm (0) where v_t
    is at most the lower tercile of v_s, s < t, turbulent (2) where above the upper one, middle (1)
    between (numpy's linear quantiles). Nothing of period t or later is used.

    Parameters
    ----------
    market : array, shape (n,)
        Simple returns of the market as fractions.
    window : int
        Returns behind a volatility, at least 2.
    history : int
        Volatilities that must be known before a label is given, at least 3.

    Returns
    -------
    ndarray of int8, shape (n,)
        Positions in `VOLATILITY`; -1 for the first window + history periods.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite or an option is out of range.

    Examples
    --------
    >>> volatility_terciles([.01, -.01, .02, -.02, .01, -.01, .05, -.05, 0.0], window=2, history=3)
    array([-1, -1, -1, -1, -1,  1,  0,  2,  2], dtype=int8)
    """
    r = finite("market", market)
    if window < MIN_PERIODS or history < len(VOLATILITY):
        raise InvalidRequest("window", f"{window} and history {history}: at least 2 and 3 needed")
    labels = np.full(r.size, UNKNOWN, dtype=np.int8)
    if r.size <= window + history:
        return labels
    rows = np.lib.stride_tricks.sliding_window_view(r[:-1], window)
    past = rows.std(axis=1, ddof=1).tolist()  # of period window + i
    seen = sorted(past[:history])
    for i in range(history, len(past)):
        labels[window + i] = sum(past[i] > _quantile(seen, share) for share in (1 / 3, 2 / 3))
        insort(seen, past[i])
    return labels


def market_direction(market: ArrayLike, window: int = 252) -> Labels:
    """Label each period by whether the market had risen over the `window` periods before it.

    Rising (1) where prod (1 + r) over periods t - window .. t - 1 is above 1, else falling (0).

    Parameters
    ----------
    market : array, shape (n,)
        Simple returns of the market as fractions, above -1.
    window : int
        At least 1.

    Returns
    -------
    ndarray of int8, shape (n,)
        Positions in `DIRECTION`; -1 for the first `window` periods.

    Raises
    ------
    InvalidRequest
        If a value is NaN, infinite or -1 or less, or `window` is below 1.

    Examples
    --------
    >>> market_direction([0.1, -0.05, -0.2, 0.1], window=2)
    array([-1, -1,  1,  0], dtype=int8)
    """
    r = finite("market", market)
    if window < 1:
        raise InvalidRequest("window", f"is {window}, at least 1 needed")
    if (r <= -1).any():
        raise InvalidRequest("market", "holds a return of -1 or less, which no market had")
    labels = np.full(r.size, UNKNOWN, dtype=np.int8)
    if r.size > window:
        rows = np.lib.stride_tricks.sliding_window_view(np.log1p(r[:-1]), window)
        labels[window:] = rows.sum(axis=1) > 0
    return labels


def by_regime(
    returns: ArrayLike,
    labels: ArrayLike,
    names: Sequence[str],
    *,
    benchmark: ArrayLike | None = None,
    periods_per_year: int = 252,
) -> list[InRegime]:
    """Describe a series in the periods of each regime.

    Drawdowns are not told: periods of a regime are not consecutive.

    Parameters
    ----------
    returns : array, shape (n,)
        Simple net returns as fractions.
    labels : array of int, shape (n,)
        Position in `names`, -1 where unknown; known before the period, which is the caller's word.
    names : sequence of str
        Of the regimes.
    benchmark : array, shape (n,), or None
        Returns to tell beside.
    periods_per_year : int
        A.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, lengths differ or a label has no name.

    Examples
    --------
    >>> found = by_regime([0.01, 0.03, -0.02, 0.5], [0, 0, 1, -1], ["calm", "wild"])
    >>> [(row.name, row.n, round(row.roi, 4), row.hit_rate) for row in found]
    [('calm', 2, 0.0403, 1.0), ('wild', 1, -0.02, 0.0)]
    """
    r = finite("returns", returns)
    b = None if benchmark is None else beside("benchmark", benchmark, r)
    check_year(periods_per_year)
    mark = np.asarray(labels)
    if mark.shape != r.shape:
        raise InvalidRequest("labels", f"has shape {mark.shape}, the returns {r.shape}")
    if not np.isin(mark, np.arange(UNKNOWN, len(names))).all():
        raise InvalidRequest("labels", f"must be from -1 to {len(names) - 1}")
    known_in_all = int((mark != UNKNOWN).sum())
    return [
        _described(
            name, r[mark == i], None if b is None else b[mark == i], known_in_all, periods_per_year
        )
        for i, name in enumerate(names)
    ]


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return numpy's linear quantile of values in order."""
    place = (len(ordered) - 1) * share
    left = min(int(place), len(ordered) - 2)
    return ordered[left] + (place - left) * (ordered[left + 1] - ordered[left])


def _described(
    name: str,
    r: NDArray[np.float64],
    b: NDArray[np.float64] | None,
    of: int,
    periods: int,
) -> InRegime:
    root, moved = math.sqrt(periods), r[r != 0]
    sd, ratio, error = spread(r), sharpe_ratio(r), hac_error(r)
    return InRegime(
        name=name,
        n=r.size,
        share=r.size / of if of else None,
        mean=float(r.mean()) * periods if r.size else None,
        volatility=None if sd is None else sd * root,
        sharpe=None if ratio is None else ratio * root,
        sharpe_se=None if error is None else error * root,
        roi=compounded(until_ruin(r)),
        hit_rate=float((moved > 0).mean()) if moved.size else None,
        benchmark_mean=None if b is None or not b.size else float(b.mean()) * periods,
    )
