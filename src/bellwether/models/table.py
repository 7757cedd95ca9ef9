"""Tables of features, and parts of them that models learn from."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest

__all__ = ["Matrix", "Numbers", "Part", "Table", "features"]

Matrix = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

AT_ONCE = 1 << 16


def features(X: npt.NDArray[Any], n_features: int | None = None) -> Matrix:
    """Return rows of features as models take them: float32, C-contiguous, without a copy if they are.

    Raises
    ------
    InvalidRequest
        If it is no matrix of float32 or float64, of another width, or holds an infinite number (one
        beyond float32 is infinite).
    """
    found = np.asarray(X)
    if found.ndim != 2 or found.dtype not in (np.float32, np.float64):  # noqa: PLR2004
        raise InvalidRequest(
            "X",
            f"is {found.dtype} of shape {found.shape}; a matrix of float32 or float64 is needed",
        )
    if n_features is not None and found.shape[1] != n_features:
        raise InvalidRequest("X", f"has {found.shape[1]} columns, the model reads {n_features}")
    with np.errstate(over="ignore"):
        narrow: Matrix = np.ascontiguousarray(found, dtype=np.float32)
    for start in range(0, len(narrow), AT_ONCE):
        endless = np.isinf(narrow[start : start + AT_ONCE])
        if endless.any():
            raise InvalidRequest("X", f"column {int(endless.any(axis=0).argmax())} is infinite")
    return narrow


class Table:
    """Rows of features that models learn from again and again, each time from a part of them.

    Parameters
    ----------
    X : float32 or float64, shape (n, n_features)
        All rows; NaN where a feature is missing. Nobody may write to them any more.
    drawn : int64, shape (m,), or None
        The rows whose values say where a library that cuts features into bins cuts them; None for
        all. They have to be known by the time that the first part is learnt from: the other rows
        are put into these bins and say nothing about them.

    Raises
    ------
    InvalidRequest
        If it is no matrix of numbers, or one is infinite.
    """

    def __init__(self, X: npt.NDArray[Any], drawn: Numbers | None = None) -> None:
        self.X = features(X)
        self.drawn = drawn
        self._lock = Lock()
        self._made: dict[Hashable, Any] = {}

    def part(self, rows: Numbers | None = None) -> "Part":
        """Return some of the rows by their numbers, or all."""
        return Part(self, rows)

    def once(self, what: Hashable, make: Callable[[], Any]) -> Any:
        """Return what is made of the table, made by whoever asks first."""
        with self._lock:
            if what not in self._made:
                self._made[what] = make()
            return self._made[what]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of a table by their numbers; None for all of them."""

    table: Table
    rows: Numbers | None = None

    def __len__(self) -> int:
        return len(self.table.X) if self.rows is None else len(self.rows)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self.table.X.shape[1])

    def of(self, kept: npt.NDArray[Any]) -> "Part":
        """Return some of these rows, by a mask or by numbers."""
        if self.rows is not None:
            return Part(self.table, self.rows[kept])
        return Part(self.table, np.flatnonzero(kept) if kept.dtype == np.bool_ else kept)

    def matrix(self) -> Matrix:
        """Return the rows themselves; a copy, unless these are all."""
        return self.table.X if self.rows is None else self.table.X[self.rows]

    def column(self, at: int) -> Matrix:
        """Return one feature of the rows."""
        return self.table.X[:, at] if self.rows is None else self.table.X[self.rows, at]
