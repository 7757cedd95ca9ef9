"""Whether one Sharpe ratio is above another, over the same periods."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import (
    RELATIVE_ZERO,
    Floats,
    beside,
    excess,
    long_run,
    spread,
    usual_lags,
)

MIN_BLOCKS = 4
MOST_REPS = 100_000
CELLS = 4_000_000  # block sums that are laid out at a time


@dataclass(frozen=True, slots=True)
class SharpeDifference:
    """By how much A's ratio is above B's, per period; None where undefined.

    `z` is the difference over its standard error `se`, `p` two-sided, `low` and `high` at 95 %.
    `block` is the length of the bootstrap's blocks, `reps` how many series were drawn: 0 where a
    formula gave `p`.
    """

    difference: float | None
    se: float | None
    z: float | None
    p: float | None
    low: float | None
    high: float | None
    n: int
    block: int = 0
    reps: int = 0


def memmel(a: ArrayLike, b: ArrayLike, risk_free: ArrayLike = 0.0) -> SharpeDifference:
    """Test whether two Sharpe ratios are equal, returns independent over time and normal.

    With ratios S, T and the correlation r of both,

        var = (2 - 2 r + (S^2 + T^2 - 2 S T r^2) / 2) / n

    (Jobson and Korkie 1981 as corrected by Memmel 2003), standard deviations with ddof 1. Fat
    tails and autocorrelation make it say too much: see `sharpe_difference`.

    Parameters
    ----------
    a, b : array, shape (n,)
        Simple net returns of the same periods.
    risk_free : float or array, shape (n,)
        Risk-free return of a period.

    Returns
    -------
    SharpeDifference
        All None but `n` where a series is constant; no `z` where both are one series.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite or lengths differ.

    Examples
    --------
    >>> a, b = [.01, -.02, .015, -.03, .01, .02, .025, -.005], [.0, .01, -.01, .02, .0, .01, .01, .0]
    >>> found = memmel(a, b)
    >>> round(found.difference, 4), round(found.z, 4)
    (-0.3809, -0.6098)
    """
    x, y = _both(a, b, risk_free)
    of_x, of_y = spread(x), spread(y)
    if of_x is None or of_y is None:
        return SharpeDifference(None, None, None, None, None, None, x.size)
    s, t = float(x.mean()) / of_x, float(y.mean()) / of_y
    r = float((x - x.mean()) / of_x @ ((y - y.mean()) / of_y)) / (x.size - 1)
    variance = (2 - 2 * r + (s * s + t * t - 2 * s * t * r * r) / 2) / x.size
    return _normal(s - t, math.sqrt(max(variance, 0.0)), x.size)


def sharpe_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    seed: int,
    risk_free: ArrayLike = 0.0,
    block: int | None = None,
    reps: int = 2000,
) -> SharpeDifference:
    """Test whether two Sharpe ratios are equal, by a studentised circular-block bootstrap.

    Ledoit and Wolf (2008): pairs of returns are drawn in blocks of `block` periods, which wrap
    around the end; each drawn series gives abs(D* - D) / se*, se* from its own blocks, and

        p = (1 + number of those at or above abs(D) / se) / (1 + reps)

    `low` and `high` reach as many `se` as 95 % of the drawn series did. Standard deviations here
    have ddof 0, and `se` is by the delta method on both series' first two moments with Bartlett
    weights and floor(4 (n / 100)^(2/9)) lags, where the authors use a prewhitened quadratic
    spectral kernel; the block is n^(1/3) unless given, where they calibrate it.

    Parameters
    ----------
    a, b : array, shape (n,)
        Simple net returns of the same periods.
    seed : int
        Of the draws.
    risk_free : float or array, shape (n,)
        Risk-free return of a period.
    block : int or None
        Periods that may depend on each other, at most n / 4.
    reps : int
        Drawn series, 1 to 100,000.

    Returns
    -------
    SharpeDifference
        All None but `n` where a series is constant or there are fewer than 8 periods; no `p`
        where both are one series.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, lengths differ or an option is out of range.

    Examples
    --------
    >>> r = np.random.default_rng(0).normal(0.001, 0.01, (2, 500))
    >>> found = sharpe_difference(r[0], r[1], seed=1)
    >>> found.low < 0 < found.high, found.block
    (True, 8)
    """
    x, y = _both(a, b, risk_free)
    length = max(1, math.ceil(x.size ** (1 / 3) - 1e-9)) if block is None else block
    _check_draws(length, reps, seed, x.size if block is not None else None)
    if spread(x) is None or spread(y) is None or x.size < length * MIN_BLOCKS:
        return SharpeDifference(None, None, None, None, None, None, x.size)
    u = np.column_stack([x / x.std(), y / y.std()])  # the ratio does not see the scale
    powers = np.column_stack([u, u * u])
    middle = powers.mean(axis=0)
    difference, slope = (v[0] for v in _delta(middle[None, :]))
    influence = (powers - middle) @ slope
    variance = float(long_run(influence[:, None], usual_lags(x.size))[0, 0]) / x.size
    found = _normal(float(difference), math.sqrt(max(variance, 0.0)), x.size)
    if found.se is None or found.z is None:
        return found
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    drawn = _drawn(powers, float(difference), length, reps, rng)
    reach = float(np.quantile(drawn, 0.95)) * found.se
    return SharpeDifference(
        found.difference,
        found.se,
        found.z,
        float((1 + (drawn >= abs(found.z)).sum()) / (1 + reps)),
        float(difference) - reach,
        float(difference) + reach,
        x.size,
        length,
        reps,
    )


def _drawn(
    powers: Floats, difference: float, length: int, reps: int, rng: np.random.Generator
) -> Floats:
    """Return abs(D* - D) / se* of each drawn series; a series whose se* is 0 counts as extreme."""
    n = len(powers)
    wrapped = np.concatenate([powers, powers[: length - 1]])
    running = np.concatenate([np.zeros((1, 4)), wrapped.cumsum(axis=0)])
    sums = running[length:] - running[:-length]  # of the block that begins at each period
    blocks = n // length
    found = []
    for begin in range(0, reps, max(1, CELLS // (4 * blocks))):
        some = min(max(1, CELLS // (4 * blocks)), reps - begin)
        picked = sums[rng.integers(n, size=(some, blocks))]
        middle = picked.sum(axis=1) / (blocks * length)
        drawn, slope = _delta(middle)
        of_block = np.einsum("rbk,rk->rb", picked - length * middle[:, None, :], slope)
        error = np.sqrt((of_block**2).mean(axis=1) / length / (blocks * length))
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.abs(drawn - difference) / error
        found.append(np.where(np.isfinite(away), away, np.inf))
    return np.concatenate(found)


def _delta(middle: Floats) -> tuple[Floats, Floats]:
    """Return the difference of ratios and its gradient in the means of (x, y, x^2, y^2)."""
    m, square = middle[:, :2], middle[:, 2:]
    variance = np.maximum(square - m * m, np.finfo(np.float64).tiny)
    sign = np.array([1.0, -1.0])
    by_mean = sign * square / variance**1.5
    by_square = -sign * m / (2 * variance**1.5)
    return (m / np.sqrt(variance)) @ sign, np.concatenate([by_mean, by_square], axis=1)


def _normal(difference: float, se: float, n: int) -> SharpeDifference:
    if se <= math.sqrt(RELATIVE_ZERO) * max(1.0, abs(difference)):  # a square root of rounding
        return SharpeDifference(difference, None, None, None, None, None, n)
    z, reach = difference / se, float(ndtri(0.975)) * se
    p = 2 * float(ndtr(-abs(z)))
    return SharpeDifference(difference, se, z, p, difference - reach, difference + reach, n)


def _both(a: ArrayLike, b: ArrayLike, risk_free: ArrayLike) -> tuple[Floats, Floats]:
    x = excess(a, risk_free)
    y: NDArray[np.float64] = beside("b", b, x)
    return x, excess(y, risk_free)


def _check_draws(length: int, reps: int, seed: int, n: int | None) -> None:
    if length < 1 or (n is not None and length * MIN_BLOCKS > n):
        raise InvalidRequest("block", f"is {length}, must be from 1 to a quarter of the periods")
    if not 1 <= reps <= MOST_REPS:
        raise InvalidRequest("reps", f"is {reps}, must be from 1 to {MOST_REPS}")
    if seed < 0:
        raise InvalidRequest("seed", f"is {seed}, must not be negative")
