"""How often the best in one half of the past is below the middle in the other half."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]

MOST_BLOCKS = 16
MIN_TRIALS = 2
CHUNK = 500_000
RELATIVE_ZERO = 1e-14
TIE = 1e-11  # copies of a trial come out of a matrix product with other last digits


@dataclass(frozen=True, slots=True)
class Overfitting:
    """The probability of backtest overfitting.

    Attributes
    ----------
    probability : float or None
        Share of splits whose winner was at or below the median out of sample; about 1/2 without
        any skill, None for a single trial.
    loss : float or None
        Share of splits whose winner lost money out of sample.
    median_logit : float or None
        Of the winners' ranks; above 0 is better than the median.
    splits : int
        Halves that were looked at; they overlap, so they are no sample of so many.
    dates : int
        Periods used, after leaving out the oldest ones that fill no block.
    """

    probability: float | None
    loss: float | None
    median_logit: float | None
    splits: int
    dates: int


def overfitting_probability(returns: ArrayLike, blocks: int = 10) -> Overfitting:
    """Estimate the probability of backtest overfitting by symmetric cross-validation.

    The dates are cut into S blocks; for each of the C(S, S/2) choices of half of them, the trial
    with the best Sharpe ratio there is ranked by its ratio in the other half (1 the worst, ties at
    their mean rank): w = rank / (N + 1), and the probability is the share of logits
    log(w / (1 - w)) <= 0 (CSCV: Bailey, Borwein, Lopez de Prado and Zhu 2017).

    It is a noisy verdict, for the halves are of one sample: over 200 panels of pure noise (1,000
    dates, 50 trials, S = 10), where 1/2 is true, it had a standard deviation of 0.18 and was from
    0.22 to 0.81 in 90 % of them. Show it beside the deflated Sharpe ratio and SPA, never alone.
    Larger S change little. Blocks touch, so labels over several dates make halves a little alike.

    Parameters
    ----------
    returns : array, shape (n, N)
        Net returns of every trial that was scored, one row a date, common dates, finite.
    blocks : int
        S, even, from 2 to 16; n mod S oldest dates are left out.

    Returns
    -------
    Overfitting
        A trial that does not vary in a half has ratio 0 there: it took no risk.

    Raises
    ------
    InvalidRequest
        If a value is not finite, S is odd or out of range, or blocks have fewer than 2 dates.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 0.01, (1000, 50))
    >>> found = overfitting_probability(noise)
    >>> round(found.probability, 6), found.splits
    (0.329365, 252)
    """
    given = _checked(returns, blocks)
    length, k = len(given) // blocks, given.shape[1]
    used = given[len(given) - length * blocks :]
    halves = np.array(list(itertools.combinations(range(blocks), blocks // 2)))
    if k < MIN_TRIALS:
        return Overfitting(None, None, None, len(halves), len(used))
    inside = np.zeros((len(halves), blocks))
    np.put_along_axis(inside, halves, 1.0, axis=1)
    sums = _block_sums(used, blocks)
    most = max(1, CHUNK // k)
    parts = [_judge(inside[i : i + most], *sums, length) for i in range(0, len(inside), most)]
    rank, ratio = (np.concatenate(part) for part in zip(*parts, strict=True))
    logit = np.log(rank / (k + 1 - rank))
    return Overfitting(
        probability=float(np.mean(logit <= 0)),
        loss=float(np.mean(ratio < 0)),
        median_logit=float(np.median(logit)),
        splits=len(halves),
        dates=len(used),
    )


def _block_sums(used: Floats, blocks: int) -> tuple[Floats, Floats, Floats]:
    """Return scaled and centred sums and sums of squares of each block, and the centre.

    Centred, or squares would lose the digits that the variance is in; scaled, as ratios do not
    depend on it.
    """
    scale = used.std(axis=0)
    largest = np.abs(used).max(axis=0)
    scale = np.where(scale > RELATIVE_ZERO * largest, scale, np.where(largest > 0, largest, 1.0))
    centre = used.mean(axis=0)
    z = ((used - centre) / scale).reshape(blocks, -1, used.shape[1])
    return z.sum(axis=1), (z**2).sum(axis=1), centre / scale


def _judge(
    inside: Floats, sums: Floats, squares: Floats, centre: Floats, length: int
) -> tuple[Floats, Floats]:
    """Return the out-of-sample rank and ratio of each split's winner."""
    first = _ratios(inside @ sums, inside @ squares, centre, length * int(inside[0].sum()))
    outside = 1.0 - inside
    second = _ratios(outside @ sums, outside @ squares, centre, length * int(outside[0].sum()))
    winner = first.argmax(axis=1)
    ratio = np.take_along_axis(second, winner[:, None], axis=1)
    nearly = TIE * np.maximum(1.0, np.abs(ratio))
    below = (second < ratio - nearly).sum(axis=1)
    equal = (np.abs(second - ratio) <= nearly).sum(axis=1)
    return below + (equal + 1) / 2, ratio[:, 0]


def _ratios(sums: Floats, squares: Floats, centre: Floats, n: int) -> Floats:
    mean = sums / n
    variance = (squares - n * mean**2) / (n - 1)
    still = variance <= RELATIVE_ZERO * np.maximum(1.0, squares)
    return np.where(still, 0.0, (mean + centre) / np.sqrt(np.where(still, 1.0, variance)))


def _checked(returns: ArrayLike, blocks: int) -> Floats:
    found = np.asarray(returns, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] == 0:  # noqa: PLR2004 - dates and trials
        raise InvalidRequest("returns", f"has shape {found.shape}, dates by trials needed")
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:  # noqa: PLR2004 - two halves
        raise InvalidRequest("blocks", f"is {blocks}, must be even, from 2 to {MOST_BLOCKS}")
    if len(found) < 2 * blocks:
        raise InvalidRequest("returns", f"has {len(found)} dates, at least {2 * blocks} needed")
    if not np.isfinite(found).all():
        raise InvalidRequest("returns", "holds NaN or infinity; align trials on common dates")
    return found
