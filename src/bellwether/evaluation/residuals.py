"""Where a model errs: residuals by the state of the market and by period, never the mean alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.regimes import (
    DIRECTION,
    UNKNOWN,
    VOLATILITY,
    market_direction,
    volatility_terciles,
)
from bellwether.evaluation.series import Floats, finite

MOST_PERIODS = 6
States = Mapping[str, tuple[NDArray[np.int8], Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Residuals:
    """The residuals y - f of one model in one state; None where undefined.

    Attributes
    ----------
    kind, state : str
        What tells the states apart, such as "volatility", and which one it is, such as "calm".
    n, dates : int
        Rows, and decision dates behind them.
    bias, bias_low, bias_high : float
        Mean residual as a log return, above 0 where forecasts were too low, with the 95 % interval
        clustered by date.
    rmse : float
        Root of the mean squared residual.
    r2 : float
        1 - sum (y - f)^2 / sum (y - b)^2 with the prevailing mean b (Campbell and Thompson 2008).
    accuracy, accuracy_low, accuracy_high : float
        Share of calls with the sign of y, likewise.
    """

    kind: str
    state: str
    n: int
    dates: int
    bias: float | None
    bias_low: float | None
    bias_high: float | None
    rmse: float | None
    r2: float | None
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None


def states_of(sessions: ArrayLike, market: ArrayLike) -> States:
    """Label sessions by volatility and trend of the market before them, and by period.

    Parameters
    ----------
    sessions : array of datetime64[D], shape (n,)
        In order, each once.
    market : array, shape (n,)
        Simple return of the market in each session; the label of a session reads those before it.

    Returns
    -------
    mapping of str to (array of int8, names)
        "volatility" and "trend" (-1 where the past is too short; absent where the market was
        ruined) and "period": equal numbers of calendar years, at most six of them.

    Examples
    --------
    >>> days = np.arange("2001-01-01", "2003-01-01", dtype="datetime64[D]")
    >>> found = states_of(days, np.full(days.size, 0.001))
    >>> found["period"][1], found["trend"][0][[0, -1]].tolist()
    (('2001', '2002'), [-1, 1])
    """
    days = np.asarray(sessions, dtype="datetime64[D]")
    r = finite("market", market)
    if r.shape != days.shape:
        raise InvalidRequest("market", f"has shape {r.shape}, the sessions {days.shape}")
    found: dict[str, tuple[NDArray[np.int8], Sequence[str]]] = {}
    if not (r <= -1).any():
        found["volatility"] = (volatility_terciles(r), VOLATILITY)
        found["trend"] = (market_direction(r), DIRECTION)
    if days.size:
        found["period"] = _periods(days)
    return found


def _periods(days: NDArray[np.datetime64]) -> tuple[NDArray[np.int8], tuple[str, ...]]:
    years = days.astype("datetime64[Y]").astype(int) + 1970
    first, last = int(years.min()), int(years.max())
    width = math.ceil((last - first + 1) / MOST_PERIODS)
    starts = range(first, last + 1, width)
    ends = [min(a + width - 1, last) for a in starts]
    names = [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True)]
    return ((years - first) // width).astype(np.int8), tuple(names)


def residuals_by_state(
    *,
    dates: NDArray[Any],
    log_return: ArrayLike,
    forecast: ArrayLike,
    direction: ArrayLike,
    prevailing_mean: ArrayLike,
    states: States,
    lags: int = 0,
) -> list[Residuals]:
    """Sum up the residuals of one model in every state that has rows.

    Parameters
    ----------
    dates : array, shape (n,)
        Decision instant of each row; the unit of independence.
    log_return, forecast, prevailing_mean : array, shape (n,)
        Log returns over the same horizon.
    direction : array of int, shape (n,)
        1 up, -1 down, 0 no call.
    states : mapping
        As `states_of`, but with one label a row.
    lags : int
        Horizon - 1.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, lengths differ, or a label has no name.
    """
    y, f, b = (
        finite(name, x)
        for name, x in (
            ("log_return", log_return),
            ("forecast", forecast),
            ("prevailing_mean", prevailing_mean),
        )
    )
    d, when = np.asarray(direction), np.asarray(dates)
    for name, column in (
        ("forecast", f),
        ("prevailing_mean", b),
        ("direction", d),
        ("dates", when),
    ):
        if column.shape != y.shape:
            raise InvalidRequest(name, f"has shape {column.shape}, log_return {y.shape}")
    found = []
    for kind, (labels, names) in states.items():
        mark = np.asarray(labels)
        if mark.shape != y.shape or not np.isin(mark, np.arange(UNKNOWN, len(names))).all():
            raise InvalidRequest("states", f"{kind} needs one label a row, from -1 to its names")
        for i, name in enumerate(names):
            rows = mark == i
            if rows.any():
                told = (y[rows], f[rows], b[rows], d[rows], when[rows])
                found.append(_of_state(kind, name, *told, lags))
    return found


def _of_state(  # noqa: PLR0913, PLR0917 - the columns of one state
    kind: str,
    name: str,
    y: Floats,
    f: Floats,
    b: Floats,
    direction: NDArray[Any],
    when: NDArray[Any],
    lags: int,
) -> Residuals:
    bias = clustered_mean(y - f, when, lags=lags)
    called = (direction != 0) & (y != 0)
    hit = clustered_mean(np.sign(direction[called]) == np.sign(y[called]), when[called], lags=lags)
    lost, base = float(((y - f) ** 2).sum()), float(((y - b) ** 2).sum())
    return Residuals(
        kind,
        name,
        int(y.size),
        int(np.unique(when).size),
        bias.mean,
        bias.low,
        bias.high,
        math.sqrt(lost / y.size),
        1 - lost / base if base > 0 else None,
        hit.mean,
        hit.low,
        hit.high,
    )


def worst(found: Sequence[Residuals]) -> Residuals | None:
    """Return the state in which calls were right least often, of those that have an interval.

    Examples
    --------
    >>> row = Residuals("trend", "rising", 9, 9, 0, 0, 0, 1, 0, 0.5, 0.4, 0.6)
    >>> worst([row]).state, worst([])
    ('rising', None)
    """
    known = [r for r in found if r.accuracy is not None and r.accuracy_low is not None]
    return min(known, key=lambda r: r.accuracy or 0.0, default=None)
