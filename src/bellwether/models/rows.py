"""The rows that a model learns from, checked once at its door."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest

Matrix = npt.NDArray[np.float32]
Column = npt.NDArray[np.float64]
Instants = npt.NDArray[np.datetime64]

DECIDED, KNOWN = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows with labels.

    Attributes
    ----------
    X : float32, shape (n, n_features), C-contiguous
        Features; NaN where one is missing, never infinite.
    y : float64, shape (n,)
        Log returns of the label, finite.
    weights : float64, shape (n,), or None
        How much each row counts, above zero; None where all count the same.
    times : datetime64[us], shape (n, 2), or None
        When each row was decided, and when its label was known.
    """

    X: Matrix
    y: Column
    weights: Column | None = None
    times: Instants | None = None

    def __len__(self) -> int:
        return len(self.y)

    def of(self, kept: npt.NDArray[Any]) -> "Rows":
        """Return some of the rows, by a mask or by numbers."""
        weights = None if self.weights is None else self.weights[kept]
        times = None if self.times is None else self.times[kept]
        return Rows(np.ascontiguousarray(self.X[kept]), self.y[kept], weights, times)

    def moved(self) -> "Rows":
        """Return the rows whose label tells a direction."""
        return self.of(self.y != 0)

    def total(self) -> float:
        """Return how many rows these count for."""
        return float(len(self)) if self.weights is None else float(self.weights.sum())

    def mean(self, values: npt.NDArray[Any]) -> float:
        """Return the mean of one value a row."""
        return float(
            np.mean(values) if self.weights is None else np.average(values, weights=self.weights)
        )

    def timed(self, model: str) -> Instants:
        """Return the times, which `model` needs.

        Raises
        ------
        InvalidRequest
            If there are none.
        """
        if self.times is None:
            raise InvalidRequest(
                "times", f"{model} needs when each row was decided and its label known"
            )
        return self.times


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
    if np.isinf(narrow).any():
        raise InvalidRequest(
            "X", f"column {int(np.isinf(narrow).any(axis=0).argmax())} is infinite"
        )
    return narrow


def learnable(
    X: npt.NDArray[Any],
    y: npt.NDArray[Any],
    weights: npt.NDArray[Any] | None,
    times: npt.NDArray[Any] | None,
) -> Rows:
    """Return what a model learns from; rows of no weight are left out.

    Raises
    ------
    InvalidRequest
        If it is nothing that could be learnt from, by name.
    """
    narrow = features(X)
    if narrow.shape[0] == 0 or narrow.shape[1] == 0:
        raise InvalidRequest("X", f"has the shape {narrow.shape}; there is nothing to learn from")
    rows = Rows(narrow, _numbers("y", y, len(narrow)), None, _instants(times, len(narrow)))
    if weights is None:
        return rows
    told = _numbers("weights", weights, len(narrow))
    if (told < 0).any() or not told.any():
        raise InvalidRequest("weights", "must not be negative, nor all zero")
    kept = told > 0
    some = rows if kept.all() else rows.of(kept)
    even = (told[kept] == 1).all()
    return some if even else Rows(some.X, some.y, told[kept], some.times)


def _numbers(name: str, values: npt.NDArray[Any], n: int) -> Column:
    found = np.asarray(values)
    if found.shape != (n,) or found.dtype.kind not in "fiu":
        raise InvalidRequest(
            name, f"is {found.dtype} of shape {found.shape}; {n} numbers are needed"
        )
    wide: Column = found.astype(np.float64, copy=False)
    if not np.isfinite(wide).all():
        raise InvalidRequest(name, f"row {int(np.isfinite(wide).argmin())} is no finite number")
    return wide


def _instants(times: npt.NDArray[Any] | None, n: int) -> Instants | None:
    if times is None:
        return None
    found = np.asarray(times)
    if found.shape != (n, 2) or found.dtype.kind != "M" or np.isnat(found).any():
        raise InvalidRequest(
            "times",
            f"is {found.dtype} of shape {found.shape}; two instants for each of {n} rows are needed",
        )
    instants: Instants = found.astype("datetime64[us]")
    if (instants[:, KNOWN] < instants[:, DECIDED]).any():
        raise InvalidRequest("times", "a label cannot be known before its row is decided")
    return instants
