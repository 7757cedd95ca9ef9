"""The rows that a model learns from, checked once at its door."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest
from bellwether.models.table import Matrix, Part, Table, features

Column = npt.NDArray[np.float64]
Instants = npt.NDArray[np.datetime64]

DECIDED, KNOWN = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows with labels.

    Attributes
    ----------
    given : float32, shape (n, n_features), C-contiguous, or a part of a table
        Features; NaN where one is missing, never infinite.
    y : float64, shape (n,)
        Log returns of the label, finite.
    weights : float64, shape (n,), or None
        How much each row counts, above zero; None where all count the same.
    times : datetime64[us], shape (n, 2), or None
        When each row was decided, and when its label was known.
    """

    given: Matrix | Part
    y: Column
    weights: Column | None = None
    times: Instants | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def X(self) -> Matrix:  # noqa: N802 - a matrix
        """The features; of a part of a table a copy each time that they are asked for."""
        return self.given.matrix() if isinstance(self.given, Part) else self.given

    @property
    def n_features(self) -> int:
        """Number of features."""
        given = self.given
        return given.n_features if isinstance(given, Part) else int(given.shape[1])

    @property
    def part(self) -> Part:
        """The features as a part of a table; of a table of their own where they are of none."""
        return self.given if isinstance(self.given, Part) else Part(Table(self.given))

    def shared(self) -> "Rows":
        """Return the same rows as a part of a table, so that what is made of it is made once."""
        return Rows(self.part, self.y, self.weights, self.times)

    def alone(self) -> "Rows":
        """Return the same rows as part of nothing: nothing of the others bears on them."""
        return Rows(self.X, self.y, self.weights, self.times)

    def of(self, kept: npt.NDArray[Any]) -> "Rows":
        """Return some of the rows, by a mask or by numbers."""
        weights = None if self.weights is None else self.weights[kept]
        times = None if self.times is None else self.times[kept]
        some = self.given.of(kept) if isinstance(self.given, Part) else self.given[kept]
        return Rows(some, self.y[kept], weights, times)

    def moved(self) -> "Rows":
        """Return the rows whose label tells a direction."""
        moved = self.y != 0
        return self if moved.all() else self.of(moved)

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


def learnable(
    X: npt.NDArray[Any] | Part,
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
    narrow = X if isinstance(X, Part) else features(X)
    shape = (len(X), X.n_features) if isinstance(X, Part) else X.shape
    if 0 in shape:
        raise InvalidRequest("X", f"has the shape {shape}; there is nothing to learn from")
    rows = Rows(narrow, _numbers("y", y, len(narrow)), None, _instants(times, len(narrow)))
    if weights is None:
        return rows
    told = _numbers("weights", weights, len(narrow))
    if (told < 0).any() or not told.any():
        raise InvalidRequest("weights", "must not be negative, nor all zero")
    kept = told > 0
    some = rows if kept.all() else rows.of(kept)
    even = (told[kept] == 1).all()
    return some if even else Rows(some.given, some.y, told[kept], some.times)


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
