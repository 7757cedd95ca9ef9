"""Which of several models could be the best one? The model confidence set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.resampling import check_draw, resampled_means

Floats = NDArray[np.float64]

MOST_MODELS = 100  # the work grows with the third power
CHUNK = 2_000_000
RELATIVE_ZERO = 1e-12
MIN_DATES, MIN_MODELS = 8, 2


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceSet:
    """The models that may be best.

    Attributes
    ----------
    included : tuple of int
        Columns of the set, ascending; never empty.
    p : array of float64, shape (k,)
        Each model is in the set of every size below its p; the last one has 1.
    left : tuple of int
        Columns in the order in which they were given up, the worst first, the survivor last.
    size : float
        a: the set has the best model with a probability of 1 - a or more, asymptotically.
    """

    included: tuple[int, ...]
    p: Floats
    left: tuple[int, ...]
    size: float


def confidence_set(
    losses: ArrayLike, *, block: int, seed: int, size: float = 0.1, reps: int = 1000
) -> ConfidenceSet:
    """Return the model confidence set by the range statistic.

    With mean losses M_i and bootstrap ones M*_i (all on the same dates), and the bootstrap
    variance v_ij of M_i - M_j (Hansen, Lunde and Nason 2011, T_R):

        T = max_ij (M_i - M_j) / sqrt(v_ij),  T* = max_ij ((M*_i - M*_j) - (M_i - M_j)) / sqrt(v_ij)

    over the models left. p of a step is (1 + number of T* >= T) / (1 + reps); the i of the largest
    ratio is given up, and its p is the largest so far. Two models whose losses differ by one value
    on all dates have v = 0: no difference if it is 0, a certain one otherwise.

    Parameters
    ----------
    losses : array, shape (n, k)
        One row a date in order (`date_losses`), finite; k from 2 to 100. For returns, their
        negative.
    block : int
        Mean block length of the stationary bootstrap.
    seed : int
        The same seed gives the same set.
    size : float
        a, in (0, 1).
    reps : int
        Samples.

    Returns
    -------
    ConfidenceSet
        At least one model; equal ones stay or go together.

    Raises
    ------
    InvalidRequest
        If there are fewer than 8 dates, too few or too many models, a value is not finite, or an
        option is out of range.

    Examples
    --------
    >>> losses = np.random.default_rng(0).normal(size=(400, 3)) ** 2 + [0.0, 0.0, 1.0]
    >>> found = confidence_set(losses, block=1, seed=0)
    >>> found.included, found.left[0]
    ((0, 1), 2)
    """
    given = _checked(losses)
    n = len(given)
    if not 0 < size < 1:
        raise InvalidRequest("size", f"is {size}, must lie between 0 and 1")
    check_draw(n, block, reps, seed)
    means = given.mean(axis=0)
    return eliminate(means, resampled_means(given - means, block, reps, seed), size, _same(given))


def eliminate(
    means: Floats, away: Floats, size: float, same: NDArray[np.bool_] | None = None
) -> ConfidenceSet:
    """Give models up one by one; arguments are M, M* - M and the pairs that do not vary.

    Parameters
    ----------
    means : array, shape (k,)
        Mean losses.
    away : array, shape (reps, k)
        Bootstrap means less `means`.
    size : float
        a.
    same : array of bool, shape (k, k), or None
        Pairs whose difference is one value on all dates.

    Returns
    -------
    ConfidenceSet
        As `confidence_set`.

    Examples
    --------
    >>> eliminate(np.array([0.0, 1.0]), np.array([[0.1, -0.1], [-0.1, 0.1]]), 0.4).left
    (1, 0)
    """
    k = means.size
    still = np.eye(k, dtype=np.bool_) if same is None else same
    sd = _pair_sd(away, still)
    gap = means[:, None] - means
    largest = np.maximum(np.abs(means)[:, None], np.abs(means))
    gap[still & (np.abs(gap) <= RELATIVE_ZERO * largest)] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gap == 0, 0.0, gap / sd)  # no spread: 0 or certain
    kept = list(range(k))
    p, left, worst = np.ones(k), [], 0.0
    while len(kept) > 1:
        pairs = ratio[np.ix_(kept, kept)]
        farthest = float(pairs.max())
        beyond = int((_ranges(away[:, kept], sd[np.ix_(kept, kept)]) >= farthest).sum())
        worst = max(worst, (1 + beyond) / (1 + len(away)))
        goes = kept.pop(int(np.argmax(pairs.max(axis=1))))
        p[goes] = worst
        left.append(goes)
    included = tuple(int(i) for i in np.flatnonzero(p > size))
    return ConfidenceSet(included, p, (*left, *kept), size)


def _ranges(away: Floats, sd: Floats) -> Floats:
    """Return T* of each sample, in chunks that fit the memory."""
    k = away.shape[1]
    inverse = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
    most = max(1, CHUNK // (k * k))
    found = [
        ((part[:, :, None] - part[:, None, :]) * inverse).max(axis=(1, 2))
        for part in (away[i : i + most] for i in range(0, len(away), most))
    ]
    return np.concatenate(found)


def _pair_sd(away: Floats, same: NDArray[np.bool_]) -> Floats:
    k = away.shape[1]
    variance = np.empty((k, k))
    for i in range(k):
        variance[i] = np.mean((away[:, [i]] - away) ** 2, axis=0)
    variance[same] = 0.0
    return np.sqrt(variance)


def _same(losses: Floats) -> NDArray[np.bool_]:
    """Say which pairs differ by one value on all dates, up to rounding."""
    largest = np.abs(losses).max(axis=0)
    found = np.empty((losses.shape[1], losses.shape[1]), dtype=np.bool_)
    for i in range(losses.shape[1]):
        spread = np.ptp(losses[:, [i]] - losses, axis=0)
        found[i] = spread <= RELATIVE_ZERO * np.maximum(largest, largest[i])
    return found


def _checked(losses: ArrayLike) -> Floats:
    found = np.asarray(losses, dtype=np.float64)
    if found.ndim != 2 or not MIN_MODELS <= found.shape[1] <= MOST_MODELS:  # noqa: PLR2004 - dates, models
        raise InvalidRequest(
            "losses",
            f"has shape {found.shape}, dates by {MIN_MODELS} to {MOST_MODELS} models needed",
        )
    if len(found) < MIN_DATES:
        raise InvalidRequest("losses", f"has {len(found)} dates, at least {MIN_DATES} needed")
    if not np.isfinite(found).all():
        raise InvalidRequest("losses", "holds NaN or infinity")
    return found
