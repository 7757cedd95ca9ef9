"""Chance by drawing again: block bootstraps that keep dependence in time."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]
Kind = Literal["stationary", "circular"]

KINDS = ("stationary", "circular")
CHUNK = 2_000_000  # positions drawn at a time: memory stays flat whatever n and reps are
MOST_REPS = 1_000_000
UNDEFINED_SHARE = 0.01
MIN_DATES = 2


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """A statistic with its bootstrap error and percentile interval.

    `se`, `low` and `high` are None where the statistic is undefined on more than 1 % of the
    samples; `undefined` counts those. `block` is the (mean) length of blocks in dates.
    """

    estimate: float
    se: float | None
    low: float | None
    high: float | None
    block: int
    reps: int
    undefined: int


def optimal_block(x: ArrayLike, horizon: int = 1, kind: Kind = "stationary") -> int:
    """Return the block length for a series: max(h, ceil(optimal length)), over all its columns.

    The optimal length is that of Politis and White (2004) as corrected by Patton, Politis and
    White (2009), by `arch`, which returns fractions below 1 and NaN for a column that does not
    vary; overlapping labels are dependent over h dates whatever the sample says.

    Parameters
    ----------
    x : array, shape (n,) or (n, k)
        Dates in order, finite.
    horizon : int
        h, dates that a label spans.
    kind : {"stationary", "circular"}
        Of which bootstrap.

    Returns
    -------
    int
        From 1 to n.

    Raises
    ------
    InvalidRequest
        If there are no dates, a value is not finite, or an option is out of range.

    Examples
    --------
    >>> optimal_block(np.random.default_rng(0).normal(size=500), horizon=5)
    5
    """
    values = _dates_first("x", x)
    if kind not in KINDS:
        raise InvalidRequest("kind", f"{kind!r} is none of {', '.join(KINDS)}")
    if horizon < 1:
        raise InvalidRequest("horizon", f"is {horizon}, at least 1 needed")
    n, longest = len(values), 1.0
    varied = values[:, np.ptp(values, axis=0) > 0]
    if n > 8 and varied.shape[1]:  # noqa: PLR2004 - shorter series have no autocorrelation to read
        from arch.bootstrap import optimal_block_length

        found = optimal_block_length(varied / varied.std(axis=0))[kind].to_numpy()
        longest = float(np.nanmax(np.append(found, 1.0)))
    return min(max(horizon, math.ceil(longest)), n)


def positions(
    n: int, block: int, reps: int, seed: int, kind: Kind = "stationary"
) -> Iterator[Positions]:
    """Draw samples of n dates made of blocks of consecutive dates, the last followed by the first.

    ``stationary``: blocks begin anywhere and end with probability 1 / block (Politis and Romano
    1994). ``circular``: blocks of exactly `block` dates, the last one cut (Politis and Romano 1992).

    Parameters
    ----------
    n, block, reps : int
        Dates, (mean) block length from 1 to n, and samples.
    seed : int
        The same seed draws the same samples.
    kind : {"stationary", "circular"}
        Which bootstrap.

    Yields
    ------
    array of intp, shape (some, n)
        Positions from 0 to n - 1, `reps` rows in all.

    Raises
    ------
    InvalidRequest
        If an option is out of range.

    Examples
    --------
    >>> next(positions(5, 5, 1, seed=0, kind="circular")).tolist()
    [[4, 0, 1, 2, 3]]
    """
    check_draw(n, block, reps, seed)
    if kind not in KINDS:
        raise InvalidRequest("kind", f"{kind!r} is none of {', '.join(KINDS)}")
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    draw = _stationary if kind == "stationary" else _circular
    most = max(1, CHUNK // n)
    for done in range(0, reps, most):
        yield draw(rng, min(most, reps - done), n, block)


def resampled_means(
    x: ArrayLike, block: int, reps: int, seed: int, kind: Kind = "stationary"
) -> Floats:
    """Return the column means of bootstrap samples, shape (reps, k).

    All columns are drawn on the same dates, so their dependence is kept. A sample is the number of
    times that it has each date, and all its means one product of matrices.

    Parameters
    ----------
    x : array, shape (n,) or (n, k)
        One row a date, in order, finite.
    block, reps, seed, kind
        As in `positions`.

    Raises
    ------
    InvalidRequest
        If a value is not finite or an option is out of range.

    Examples
    --------
    >>> resampled_means(np.full((10, 2), 3.0), block=2, reps=2, seed=0).tolist()
    [[3.0, 3.0], [3.0, 3.0]]
    """
    values = _dates_first("x", x)
    n = len(values)
    parts = []
    for drawn in positions(n, block, reps, seed, kind):
        row = np.arange(len(drawn))[:, None] * n
        times = np.bincount((row + drawn).ravel(), minlength=len(drawn) * n)
        parts.append(times.reshape(len(drawn), n).astype(np.float64) @ values / n)
    return np.concatenate(parts)


def bootstrap_interval(
    x: ArrayLike,
    statistic: Callable[[Floats], float],
    *,
    block: int,
    seed: int,
    reps: int = 2000,
    confidence: float = 0.95,
    kind: Kind = "stationary",
) -> BootstrapInterval:
    """Estimate a statistic of a dated series with a percentile interval.

    The interval runs from the (1 - c) / 2 to the (1 + c) / 2 quantile of the statistic over block
    bootstrap samples (Efron 1979; blocks: Politis and Romano 1992, 1994). Percentile intervals are
    a little short in small samples. The rows of a panel go in as one row a date.

    Parameters
    ----------
    x : array, shape (n,) or (n, k)
        One row a date, in order, finite.
    statistic : function of an array shaped as `x`
        Gives one number; NaN where undefined.
    block : int
        `optimal_block`, or longer.
    seed : int
        The same seed gives the same interval.
    reps : int
        Samples.
    confidence : float
        c, in (0, 1).
    kind : {"stationary", "circular"}
        Which bootstrap.

    Returns
    -------
    BootstrapInterval
        All in the unit of the statistic.

    Raises
    ------
    InvalidRequest
        If there are fewer than two dates, a value is not finite, or an option is out of range.

    Examples
    --------
    >>> x = np.sin(np.arange(100.0))
    >>> found = bootstrap_interval(x, np.mean, block=4, seed=1, reps=500)
    >>> found.low < 0 < found.high, found.block, found.undefined
    (True, 4, 0)
    """
    values = _dates_first("x", x)
    given = values[:, 0] if np.ndim(x) == 1 else values
    if not 0 < confidence < 1:
        raise InvalidRequest("confidence", f"is {confidence}, must lie between 0 and 1")
    if len(values) < MIN_DATES:
        raise InvalidRequest("x", f"has {len(values)} dates, at least {MIN_DATES} needed")
    estimate = float(statistic(given))
    samples = (row for part in positions(len(values), block, reps, seed, kind) for row in part)
    drawn = np.array([float(statistic(given[row])) for row in samples])
    good = drawn[np.isfinite(drawn)]
    undefined = reps - good.size
    if undefined > UNDEFINED_SHARE * reps or not math.isfinite(estimate) or good.size < MIN_DATES:
        return BootstrapInterval(estimate, None, None, None, block, reps, undefined)
    low, high = np.quantile(good, [(1 - confidence) / 2, (1 + confidence) / 2])
    return BootstrapInterval(
        estimate, float(good.std(ddof=1)), float(low), float(high), block, reps, undefined
    )


def _stationary(rng: np.random.Generator, reps: int, n: int, block: int) -> Positions:
    begins = rng.random((reps, n)) < 1 / block
    begins[:, 0] = True
    start = rng.integers(n, size=(reps, n))
    last = np.maximum.accumulate(np.where(begins, np.arange(n), 0), axis=1)
    found = np.take_along_axis(start, last, axis=1) + np.arange(n) - last
    return np.asarray(found % n, dtype=np.intp)


def _circular(rng: np.random.Generator, reps: int, n: int, block: int) -> Positions:
    start = rng.integers(n, size=(reps, -(-n // block)))
    found = (start[:, :, None] + np.arange(block)).reshape(reps, -1)[:, :n]
    return np.asarray(found % n, dtype=np.intp)


def _dates_first(name: str, x: ArrayLike) -> Floats:
    values = np.asarray(x, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.size == 0:  # noqa: PLR2004 - dates and columns
        raise InvalidRequest(name, f"has shape {np.shape(x)}, dates or dates by columns needed")
    if not np.isfinite(values).all():
        raise InvalidRequest(name, "holds NaN or infinity")
    return values


def check_draw(n: int, block: int, reps: int, seed: int) -> None:
    """Refuse what cannot be drawn.

    Raises
    ------
    InvalidRequest
        If block, samples or seed are out of range.
    """
    if not 1 <= block <= n:
        raise InvalidRequest("block", f"is {block}, must be from 1 to the {n} dates there are")
    if not 1 <= reps <= MOST_REPS:
        raise InvalidRequest("reps", f"is {reps}, must be from 1 to {MOST_REPS}")
    if seed < 0:
        raise InvalidRequest("seed", f"is {seed}, must not be negative")
