"""The contract of every model, and the packed form that is scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Column = npt.NDArray[np.float64]

INPUT = "features"
OUTPUT = "forecast"


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What a packed model says about n rows, each an array of shape (n,), float64.

    `log_return` is the expected log return of the label; `probability_up` the chance that it is
    above zero. Both are float32 numbers of the packed model, widened without loss.
    """

    log_return: Column
    probability_up: Column

    def direction(self) -> npt.NDArray[np.int8]:
        """Return 1 where up is likelier than down, -1 where it is less likely, else 0."""
        return np.sign(self.probability_up - 0.5).astype(np.int8)


def blank_as_zero(X: Matrix) -> Matrix:
    """Return the rows with zeros in every column of which no row has a value.

    Such a column says nothing either way, and some libraries refuse it.
    """
    blank = np.isnan(X).all(axis=0)
    return np.where(blank, np.float32(0), X) if blank.any() else X


class Forecaster(Protocol):
    """A model before it is packed.

    `fit` learns from a C-contiguous float32 matrix of shape (n_rows, n_features), NaN where a
    feature is missing, and float64 log returns of shape (n_rows,) without NaN. It leaves its
    inputs alone and is deterministic for a seed. `pack` gives the ONNX bytes that are the model
    from then on: nothing is ever scored with the library that fitted it. `explainer` gives the
    arrays that `explain` needs for contributions that add up to the forecast.
    """

    name: str

    def fit(self, X: Matrix, y: Column) -> Self:
        """Learn from rows whose labels are known."""
        ...

    def pack(self) -> bytes:
        """Return the model as ONNX: `features` float32 (n, k) in, `forecast` float32 (n, 2) out."""
        ...

    def explainer(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return the arrays of the model's explanation."""
        ...
