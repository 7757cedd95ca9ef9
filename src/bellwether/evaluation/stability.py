"""Stability selection: which features are taken again and again from halves of the past."""

import warnings

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32] | Floats

BLOCKS = 40
PAIRS = 50


def frequencies(
    X: Matrix, y: Floats, dates: NDArray[np.datetime64], *, each: int, seed: int
) -> Floats:
    """Return in what share of halves of the dates each column is among the first of the lasso.

    The dates are cut into 40 blocks; 50 times they are divided at random into two halves of whole
    blocks, and on each half the lasso path is followed until `each` columns are in (Meinshausen and
    Buehlmann 2010; halves in pairs: Shah and Samworth 2013). Blocks instead of rows, since rows of
    one date and dates that follow each other are not independent.

    Parameters
    ----------
    X : array, shape (n_rows, k)
        NaN counts as the mean.
    y : array, shape (n_rows,)
        Outcomes, finite.
    dates : array, shape (n_rows,)
        Decision of each row.
    each : int
        Columns taken from a half, from 1 to k.
    seed : int
        The same seed draws the same halves.

    Returns
    -------
    array of float64, shape (k,)
        In [0, 1]; NaN for a column that does not vary.

    Raises
    ------
    InvalidRequest
        If there are fewer dates than blocks, or `each` is out of range.
    """
    k = X.shape[1]
    if not 1 <= each <= k:
        raise InvalidRequest("each", f"is {each}, must be from 1 to {k}")
    unique, day = np.unique(dates, return_inverse=True)
    if unique.size < BLOCKS:
        raise InvalidRequest("dates", f"{unique.size} dates, at least {BLOCKS} needed")
    z, varied = _standard(X)
    t = y - y.mean()
    block = day * BLOCKS // unique.size
    grams = np.array([z[block == b].T @ z[block == b] for b in range(BLOCKS)])
    shared = np.array([z[block == b].T @ t[block == b] for b in range(BLOCKS)])
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    taken = np.zeros(k)
    for _ in range(PAIRS):
        order = rng.permutation(BLOCKS)
        for half in (order[: BLOCKS // 2], order[BLOCKS // 2 :]):
            taken[_first(grams[half].sum(axis=0), shared[half].sum(axis=0), each)] += 1
    return np.where(varied, taken / (2 * PAIRS), np.nan)


def false_ones(share: Floats, each: int) -> Floats:
    """Return the most false columns expected among those taken as often as each column.

    E[V] <= q^2 / ((2 f - 1) k) for a share f above one half (Meinshausen and Buehlmann 2010,
    theorem 1); infinite at or below it. It supposes that columns without meaning are
    exchangeable, which is an approximation.
    """
    k = share.size
    beyond = 2 * np.nan_to_num(share) - 1
    found = np.full(k, np.inf)
    np.divide(each**2, beyond * k, out=found, where=beyond > 0)
    return found


def each_for(false_share: float, k: int) -> int:
    """Return how many columns a half may take so that a share of 0.9 is enough for the bound."""
    return max(1, int(np.sqrt(0.8 * false_share * k)))


def _standard(X: Matrix) -> tuple[Floats, NDArray[np.bool_]]:
    wide = X.astype(np.float64)
    known = np.isfinite(wide)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, wide - np.where(known, wide, 0.0).sum(axis=0) / count, 0.0)
    sd = np.sqrt((centred**2).mean(axis=0))
    varied = sd > 1e-12 * np.maximum(np.abs(centred).max(axis=0), 1e-300)
    return np.where(varied, centred / np.where(varied, sd, 1.0), 0.0), varied


def _first(gram: Floats, shared: Floats, each: int) -> NDArray[np.int64]:
    from sklearn.linear_model import lars_path_gram

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # copies of a column end its path early, which is right
        _, _, path = lars_path_gram(shared, gram, n_samples=1, max_iter=each, method="lasso")
    return np.flatnonzero(path[:, -1]).astype(np.int64)
