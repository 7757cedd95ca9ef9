"""Whether things said with a probability of 60 % happened in 60 % of the cases."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.series import Floats, beside, finite

Strategy = Literal["equal", "quantile"]
FEW = 50  # rows in a bin below which its share says little


@dataclass(frozen=True, slots=True)
class BrierParts:
    """brier = reliability - resolution + uncertainty + residual; None for no rows.

    `reliability` is what miscalibration costs, `resolution` what telling cases apart earns,
    `uncertainty` the score of always saying the base rate. `residual` is what differences within
    bins amount to: 0 only where all of a bin were said alike.
    """

    brier: float | None
    reliability: float | None
    resolution: float | None
    uncertainty: float | None
    residual: float | None
    n: int


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows with a probability in (low, high], the first bin with `low` itself.

    `said` and `realised` are means; `realised_low`, `realised_high` the 95 % interval clustered by
    date, kept in [0, 1], None where undefined. `few` says that the bin has under 50 rows.
    """

    low: float
    high: float
    said: float
    realised: float
    realised_low: float | None
    realised_high: float | None
    n: int
    few: bool


def brier_decomposition(up: ArrayLike, probability_up: ArrayLike, bins: int = 10) -> BrierParts:
    """Split the Brier score (Murphy 1973) over equal bins (lo, hi].

    With shares w_b of the bins, their means p_b said and o_b realised, and the base rate o:
    reliability = sum w_b (p_b - o_b)^2, resolution = sum w_b (o_b - o)^2, uncertainty = o (1 - o).

    Parameters
    ----------
    up : array of bool or 0/1, shape (n,)
        What happened.
    probability_up : array, shape (n,)
        In [0, 1].
    bins : int
        At least 1.

    Raises
    ------
    InvalidRequest
        If a value is NaN or out of range or lengths differ.

    Examples
    --------
    >>> up = [1, 0, 1, 1, 0, 0, 1, 0, 1, 0]
    >>> p = [.62, .48, .55, .71, .35, .52, .44, .41, .58, .30]
    >>> found = brier_decomposition(up, p, bins=5)
    >>> round(found.brier, 5), round(found.reliability, 5), round(found.resolution, 5)
    (0.18024, 0.04358, 0.1)
    >>> round(found.uncertainty, 5), round(found.residual, 5)
    (0.25, -0.01334)
    """
    y, p = said_and_seen(up, probability_up)
    part = binned(p, bin_edges(p, bins, "equal"))
    if y.size == 0:
        return BrierParts(None, None, None, None, None, 0)
    n, said, realised = _means(y, p, part, bins)
    weight, base = n / y.size, float(y.mean())
    reliability = float(weight @ (said - realised) ** 2)
    resolution = float(weight @ (realised - base) ** 2)
    uncertainty = base * (1 - base)
    brier = float(np.mean((p - y) ** 2))
    residual = brier - reliability + resolution - uncertainty
    return BrierParts(brier, reliability, resolution, uncertainty, residual, y.size)


def expected_calibration_error(
    up: ArrayLike, probability_up: ArrayLike, bins: int = 10, strategy: Strategy = "equal"
) -> float | None:
    """Return sum of w_b abs(o_b - p_b) over bins (lo, hi] (Naeini, Cooper, Hauskrecht 2015).

    ``equal``: bins of equal width. ``quantile``: edges at the quantiles of what was said; ties can
    make fewer. It is of absolute values, so never 0 by chance, and larger with more bins or fewer
    rows: see `calibration_interval.calibration_error`
    for how much. None for no rows.

    Raises
    ------
    InvalidRequest
        As `brier_decomposition`, or if the strategy is unknown.

    Examples
    --------
    >>> up = [1, 0, 1, 1, 0, 0, 1, 0, 1, 0]
    >>> p = [.62, .48, .55, .71, .35, .52, .44, .41, .58, .30]
    >>> [round(expected_calibration_error(up, p, n), 3) for n in (10, 5)]
    [0.2, 0.134]
    >>> round(expected_calibration_error(up, p, 5, "quantile"), 3)
    0.334
    """
    y, p = said_and_seen(up, probability_up)
    edges = bin_edges(p, bins, strategy)
    if y.size == 0:
        return None
    return error_of(y, p, binned(p, edges), bins)


def calibration_table(
    up: ArrayLike,
    probability_up: ArrayLike,
    dates: ArrayLike,
    *,
    bins: int = 10,
    strategy: Strategy = "equal",
    lags: int = 0,
) -> list[CalibrationBin]:
    """Set what was said beside what happened, bin by bin; empty bins are left out.

    Parameters
    ----------
    up, probability_up, bins, strategy
        As `expected_calibration_error`.
    dates : array, shape (n,)
        Decision instant of each row; the unit of independence.
    lags : int
        Horizon - 1.

    Raises
    ------
    InvalidRequest
        As `expected_calibration_error`, or if a date is missing.

    Examples
    --------
    >>> rows = calibration_table([1, 0, 1, 1], [0.2, 0.3, 0.8, 0.9], np.arange(4), bins=2)
    >>> [(row.low, row.high, row.said, row.realised, row.n) for row in rows]
    [(0.0, 0.5, 0.25, 0.5, 2), (0.5, 1.0, 0.8500000000000001, 1.0, 2)]
    """
    y, p = said_and_seen(up, probability_up)
    when = dates_of(dates, y)
    edges = bin_edges(p, bins, strategy)
    part, found = binned(p, edges), []
    for b in np.unique(part).tolist():
        inside = part == b
        share = clustered_mean(y[inside], when[inside], lags=lags)
        found.append(
            CalibrationBin(
                low=float(edges[b]),
                high=float(edges[b + 1]),
                said=float(p[inside].mean()),
                realised=float(y[inside].mean()),
                realised_low=None if share.low is None else max(0.0, share.low),
                realised_high=None if share.high is None else min(1.0, share.high),
                n=int(inside.sum()),
                few=bool(inside.sum() < FEW),
            )
        )
    return found


def error_of(y: Floats, p: Floats, part: NDArray[np.intp], bins: int) -> float:
    """Return sum of w_b abs(o_b - p_b) where each row's bin is known; at least one row."""
    return float(np.abs(np.bincount(part, weights=y - p, minlength=bins)).sum() / y.size)


def _means(
    y: Floats, p: Floats, part: NDArray[np.intp], bins: int
) -> tuple[Floats, Floats, Floats]:
    n = np.bincount(part, minlength=bins).astype(np.float64)
    full = n > 0
    sums = [np.bincount(part, weights=v, minlength=bins)[full] / n[full] for v in (p, y)]
    return n[full], sums[0], sums[1]


def bin_edges(p: Floats, bins: int, strategy: str) -> Floats:
    """Return the bins + 1 edges of (lo, hi] bins, equal in width or in what was said.

    Raises
    ------
    InvalidRequest
        If there is no bin or the strategy is unknown.
    """
    if bins < 1:
        raise InvalidRequest("bins", f"is {bins}, at least 1 needed")
    if strategy not in {"equal", "quantile"}:
        raise InvalidRequest("strategy", f"is {strategy!r}, must be equal or quantile")
    steps = np.linspace(0, 1, bins + 1)
    return steps if strategy == "equal" or p.size == 0 else np.quantile(p, steps)


def binned(p: Floats, edges: Floats) -> NDArray[np.intp]:
    """Return the bin of each probability, counted from 0; the lowest edge is in the first."""
    return np.clip(np.searchsorted(edges, p, side="left") - 1, 0, edges.size - 2)


def said_and_seen(up: ArrayLike, probability_up: ArrayLike) -> tuple[Floats, Floats]:
    """Return what happened as 0 or 1, and the probabilities.

    Raises
    ------
    InvalidRequest
        If a value is NaN or out of range or lengths differ.
    """
    y = finite("up", up)
    p = beside("probability_up", probability_up, y)
    if not np.isin(y, (0.0, 1.0)).all():
        raise InvalidRequest("up", "must be 0 or 1")
    if ((p < 0) | (p > 1)).any():
        raise InvalidRequest("probability_up", "must lie between 0 and 1")
    return y, p


def dates_of(dates: ArrayLike, y: Floats) -> NDArray[Any]:
    """Return the date of each row.

    Raises
    ------
    InvalidRequest
        If lengths differ or one is missing.
    """
    when = np.asarray(dates)
    if when.shape != y.shape:
        raise InvalidRequest("dates", f"has shape {when.shape}, the rows {y.shape}")
    if (when != when).any():  # noqa: PLR0124 - so says NaN and NaT of any type
        raise InvalidRequest("dates", "holds NaN or NaT; every row has a date")
    return when
