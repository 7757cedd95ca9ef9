"""From which rows of a walk forward the cut points of bins are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bellwether.models.table import AT_ONCE, Matrix, Numbers

LEAST_SHARE = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """What cut points could be drawn from, of each feature: how many values, from where to where."""

    n: int
    told: npt.NDArray[np.int64]
    low: Matrix
    high: Matrix

    @property
    def varies(self) -> npt.NDArray[np.bool_]:
        return self.low < self.high  # NaN, where there is no value, is below nothing

    @property
    def misses(self) -> npt.NDArray[np.bool_]:
        return self.told < self.n


def drawn_from(X: Matrix, trains: Sequence[Numbers]) -> list[int]:
    """Return of each training set the number of the one from which its cut points are drawn.

    The first draws its own. They serve those that follow as long as, feature by feature,

    - at least a quarter of the values that a training set holds are in the one they were drawn
      from: so a short beginning is left behind as the past grows, and a rolling window leaves
      those it has forgotten;
    - a feature that had one value or none there does not vary now, and one that missed no value
      misses none now: a library may leave out the former, and read what the latter misses as 0.

    Where they do not, all are drawn anew. No row is ever read that a training set up to the one
    at hand does not hold, so what is drawn was known.

    Parameters
    ----------
    X : float32, shape (n, n_features)
        All rows; NaN where a feature is missing.
    trains : sequence of int64 arrays
        Row numbers of each training set, ascending, in order of time.

    Returns
    -------
    list of int
        Of each training set a number up to its own; rising.
    """
    past = _Past(X)
    found: list[int] = []
    for at, rows in enumerate(trains):
        here = past.of(rows)
        if not found or not _serve(past, trains[found[-1]], rows, here):
            found.append(at)
        else:
            found.append(found[-1])
    return found


def _serve(past: "_Past", drawn: Numbers, rows: Numbers, here: _Facts) -> bool:
    """Say whether cut points of the rows `drawn` serve training on `rows`."""
    there = past.of(drawn)
    if (here.varies & ~there.varies).any() or (here.misses & ~there.misses).any():
        return False
    among = np.zeros(len(past.X), dtype=np.bool_)
    among[drawn] = True
    both = rows[among[rows]]
    if not len(both):
        return False
    kept = there if len(both) == len(drawn) else past.of(both)
    return bool((LEAST_SHARE * kept.told >= here.told).all())


class _Past:
    """Tells facts of sets of rows; those of whole stretches of rows are found once."""

    def __init__(self, X: Matrix) -> None:
        self.X = X
        self._starts = np.arange(0, len(X) + AT_ONCE, AT_ONCE)
        self._stretch: dict[int, _Facts] = {}

    def of(self, rows: Numbers) -> _Facts:
        cut = np.searchsorted(rows, self._starts)
        parts = [
            self._whole(i) if end - start == AT_ONCE else _facts(self.X[rows[start:end]])
            for i, (start, end) in enumerate(pairwise(cut))
            if end > start
        ]
        return _Facts(
            len(rows),
            np.sum([part.told for part in parts], axis=0),
            np.fmin.reduce([part.low for part in parts]),
            np.fmax.reduce([part.high for part in parts]),
        )

    def _whole(self, i: int) -> _Facts:
        if i not in self._stretch:
            self._stretch[i] = _facts(self.X[self._starts[i] : self._starts[i + 1]])
        return self._stretch[i]


def _facts(rows: Matrix) -> _Facts:
    told = len(rows) - np.isnan(rows).sum(axis=0)
    return _Facts(len(rows), told, np.fmin.reduce(rows), np.fmax.reduce(rows))
