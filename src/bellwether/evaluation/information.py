"""Mutual information of features with an outcome, and what chance gives where dates cluster."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32] | Floats

BINS = 8
SHIFTS = 99
MIN_STARTS = 9
AT_ONCE = 20
LEAST_SHARE = 0.02  # of the rows: no shift is shorter, or neighbours would tell of each other


def mutual_information(
    X: Matrix, y: Floats, dates: NDArray[np.datetime64], *, seed: int
) -> tuple[Floats, Floats]:
    """Return each column's mutual information with `y`, less chance, and its p value.

    Both are cut into 8 bins of equal numbers; with shares q_ab of the cells and q_a, q_b of the
    margins, I = sum q_ab log(q_ab / (q_a q_b)) (Shannon 1948). Chance is I between the column and
    `y` moved in a circle by whole dates, 99 times: a move keeps what ties rows of one date and
    neighbouring dates to each other, which drawing rows anew would break, and then nearly all looks
    informative. Of a gamma law with the mean and the variance of these, p is the chance of as much.

    Parameters
    ----------
    X : array, shape (n_rows, k)
        In the order of time, rows of a date together; NaN takes no part.
    y : array, shape (n_rows,)
        Outcomes, finite.
    dates : array, shape (n_rows,)
        Decision of each row, ascending.
    seed : int
        The same seed takes the same moves.

    Returns
    -------
    tuple of float64 arrays, shape (k,)
        In nats, never below 0; p in (0, 1]. NaN for a column that does not vary.

    Raises
    ------
    InvalidRequest
        If shapes do not match or there are fewer than 200 rows or 10 dates.
    """
    n = len(y)
    if X.ndim != 2 or len(X) != n or len(dates) != n or n < 200:  # noqa: PLR2004
        raise InvalidRequest("X, y", f"shapes {X.shape}, {y.shape}; at least 200 rows are needed")
    cells, part = _one_hot(X), _binned(y)
    moved = [0, *_moves(dates, seed)]
    told = np.concatenate(
        [_information(cells, part, moved[i : i + AT_ONCE]) for i in range(0, len(moved), AT_ONCE)]
    )
    real, null = told[0], told[1:]
    varied = np.isfinite(X).any(axis=0) & (_spread(X) > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, variance = null.mean(axis=0), null.var(axis=0, ddof=1)
        p = stats.gamma.sf(real, mean**2 / variance, scale=variance / mean)
    return (
        np.where(varied, np.maximum(real - mean, 0.0), np.nan),
        np.where(varied & (variance > 0), p, np.nan),
    )


def _moves(dates: NDArray[np.datetime64], seed: int) -> list[int]:
    """Draw rows at which a date begins: where all dates have the same names, dates meet whole."""
    n = len(dates)
    starts = np.flatnonzero(dates[1:] != dates[:-1]) + 1
    starts = starts[(starts >= LEAST_SHARE * n) & (starts <= (1 - LEAST_SHARE) * n)]
    if starts.size < MIN_STARTS:
        raise InvalidRequest("dates", f"{starts.size + 1} dates, at least 10 needed")
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    drawn: list[int] = rng.choice(starts, SHIFTS).tolist()
    return drawn


def redundancy(X: Matrix) -> Floats:
    """Return the mutual information of every pair of columns in nats, shape (k, k).

    Bins as in `mutual_information`, of the rows where both are known.
    """
    cells, k = _one_hot(X), X.shape[1]
    joint = (cells.T @ cells).reshape(k, BINS, k, BINS).transpose(0, 2, 1, 3)
    return _of_tables(joint.reshape(-1, BINS, BINS).astype(np.float64)).reshape(k, k)


def _one_hot(X: Matrix) -> NDArray[np.float32]:
    """Return which bin each value is in, shape (n, k * BINS); all 0 where it is missing."""
    n, k = X.shape
    found = np.zeros((n, k, BINS), dtype=np.float32)
    for j in range(k):
        here = np.flatnonzero(np.isfinite(X[:, j]))
        if here.size:
            found[here, j, _binned(X[here, j].astype(np.float64))] = 1.0
    return found.reshape(n, k * BINS)


def _information(cells: NDArray[np.float32], part: NDArray[np.int64], moves: list[int]) -> Floats:
    """Return the information after each move, shape (n_moves, k)."""
    n, m = len(part), len(moves)
    other = np.zeros((n, m, BINS), dtype=np.float32)
    for i, move in enumerate(moves):
        other[np.arange(n), i, np.roll(part, move)] = 1.0
    tables = (cells.T @ other.reshape(n, m * BINS)).reshape(-1, BINS, m, BINS)
    each = tables.transpose(2, 0, 1, 3).reshape(-1, BINS, BINS)
    return _of_tables(each.astype(np.float64)).reshape(m, -1)


def _of_tables(tables: Floats) -> Floats:
    """Return the information of counts of shape (m, BINS, BINS)."""
    total = tables.sum(axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        q = tables / total
        apart = q.sum(axis=2, keepdims=True) * q.sum(axis=1, keepdims=True)
        terms = np.where(q > 0, q * np.log(q / apart), 0.0)
    return np.asarray(terms.sum(axis=(1, 2)))


def _binned(x: Floats) -> NDArray[np.int64]:
    edges = np.quantile(x, np.arange(1, BINS) / BINS)
    return np.searchsorted(edges, x, side="right").astype(np.int64)


def _spread(X: Matrix) -> Floats:
    known = np.isfinite(X)
    high = np.where(known, X, -np.inf).max(axis=0)
    low = np.where(known, X, np.inf).min(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(high - low, dtype=np.float64)
