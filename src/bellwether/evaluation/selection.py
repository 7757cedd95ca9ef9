"""Choose features by what they said of past outcomes, with the false ones bounded.

Everything here is fitted on training rows; whoever calls it passes those and nothing else.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from bellwether.core.errors import InvalidRequest

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32] | Floats

MIN_DATES = 30


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What was chosen of some candidates.

    Attributes
    ----------
    chosen : ndarray of int64
        Columns that were chosen, best first.
    ic : ndarray of float64, shape (n_candidates,)
        Rank correlation with the outcome; NaN where a candidate never varies.
    p : ndarray of float64
        Its two-sided p-value, by a t-test over blocks of dates.
    """

    chosen: npt.NDArray[np.int64]
    ic: Floats
    p: Floats


def select(
    X: Matrix,
    y: Floats,
    dates: npt.NDArray[np.datetime64],
    *,
    most: int = 10,
    false_share: float = 0.1,
    blocks: int = 20,
) -> Selection:
    """Choose up to `most` columns of `X` that went with `y`.

    The training time is cut into `blocks` of whole dates; a column's rank correlation with the
    outcome is measured in each, and the mean is tested against zero over blocks, so rows of one day
    count once. Columns pass where the false discovery rate stays within `false_share` (Benjamini
    and Yekutieli, 2001: valid however the columns depend on each other); of those, one that
    repeats a better one (rank correlation above 0.95) is left out.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_candidates)
        Training rows; NaN takes no part.
    y : ndarray of shape (n_rows,)
        Their outcomes.
    dates : ndarray of datetime64, shape (n_rows,)
        Their decisions.

    Raises
    ------
    InvalidRequest
        If shapes do not match or there are fewer than 30 dates.
    """
    _check(X, y, dates, most)
    unique, day = np.unique(dates, return_inverse=True)
    if unique.size < MIN_DATES:
        raise InvalidRequest("dates", f"{unique.size} decision dates, at least {MIN_DATES} needed")
    block = day * blocks // unique.size
    ic, p = block_ic(X, y, block, blocks)
    passed = _discoveries(p, false_share)
    order = passed[np.argsort(-np.abs(ic[passed]), kind="stable")]
    return Selection(distinct(X, order, most), ic, p)


def _check(X: Matrix, y: Floats, dates: npt.NDArray[np.datetime64], most: int) -> None:
    if X.ndim != 2 or y.shape != (len(X),) or dates.shape != y.shape:  # noqa: PLR2004
        raise InvalidRequest("X, y, dates", f"shapes {X.shape}, {y.shape}, {dates.shape}")
    if not np.isfinite(y).all():
        raise InvalidRequest("y", "every training row needs a finite outcome")
    if most < 1:
        raise InvalidRequest("most", f"is {most}, at least 1 needed")


def block_ic(X: Matrix, y: Floats, block: npt.NDArray[np.int64], n: int) -> tuple[Floats, Floats]:
    """Return each column's rank correlation with `y`, a mean over n blocks, and its p by t over them.

    `block` numbers the block of each row from 0; a p is NaN where half of the blocks say nothing.
    """
    rows = np.full((n, X.shape[1]), np.nan)
    for b in range(n):
        mine = block == b
        rows[b] = _rank_correlations(X[mine], y[mine])
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = np.isfinite(rows).sum(axis=0)
        mean = np.nansum(rows, axis=0) / seen
        spread = np.sqrt(np.nansum((rows - mean) ** 2, axis=0) / (seen - 1))
        t = mean / (spread / np.sqrt(seen))
    p = np.where(seen > n // 2, 2 * stats.t.sf(np.abs(t), np.maximum(seen - 1, 1)), np.nan)
    return mean, np.asarray(p, dtype=np.float64)


def _rank_correlations(X: Matrix, y: Floats) -> Floats:
    """Correlate ranks, column by column; NaN in a column gets the middle rank."""
    if len(y) < 3:  # noqa: PLR2004
        return np.full(X.shape[1], np.nan)
    ranks = np.nan_to_num(_centred(stats.rankdata(X, axis=0, nan_policy="omit")))
    target = stats.rankdata(y)
    target -= target.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.sqrt((ranks**2).sum(axis=0) * (target**2).sum())
        found: Floats = np.where(size > 0, ranks.T @ target / size, np.nan)
    return found


def _centred(ranks: Floats) -> Floats:
    count = np.maximum((~np.isnan(ranks)).sum(axis=0), 1)
    centred: Floats = ranks - np.nansum(ranks, axis=0) / count
    return centred


def _discoveries(p: Floats, false_share: float) -> npt.NDArray[np.int64]:
    """Return the columns that pass Benjamini and Yekutieli's step-up at `false_share`."""
    known = np.flatnonzero(np.isfinite(p))
    n = known.size
    if n == 0:
        return known.astype(np.int64)
    order = known[np.argsort(p[known], kind="stable")]
    harmonic = (1.0 / np.arange(1, n + 1)).sum()
    below = np.flatnonzero(p[order] <= false_share * np.arange(1, n + 1) / (n * harmonic))
    return order[: below[-1] + 1 if below.size else 0].astype(np.int64)


def distinct(X: Matrix, order: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Return the first `most` columns of `order` that repeat none before (rank correlation to 0.95)."""
    kept: list[int] = []
    ranks: list[Floats] = []
    for j in order:
        mine = np.nan_to_num(_centred(stats.rankdata(X[:, [j]], axis=0, nan_policy="omit")))[:, 0]
        size = np.sqrt((mine**2).sum())
        if size == 0 or any(abs(mine @ other) / size > 0.95 for other in ranks):  # noqa: PLR2004
            continue
        kept.append(int(j))
        ranks.append(mine / size)
        if len(kept) == most:
            break
    return np.array(kept, dtype=np.int64)
