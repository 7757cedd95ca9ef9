"""The contract of every model, and the packed form that is scored."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import Unfitted
from bellwether.models.card import Card
from bellwether.models.rows import Column, Instants, Rows, learnable
from bellwether.models.table import Matrix, Part

__all__ = [
    "INPUT",
    "LEVELS",
    "OUTPUT",
    "QUANTILES",
    "Column",
    "Explainer",
    "Forecaster",
    "Forecasts",
    "Instants",
    "Matrix",
    "Model",
    "blank_as_zero",
]

INPUT = "features"
OUTPUT = "forecast"
QUANTILES = "quantiles"
LEVELS = "quantile_levels"

Explainer = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What a packed model says about n rows, each an array of shape (n,), float64.

    `log_return` is the expected log return of the label; `probability_up` the chance that it is
    above zero. Both are float32 numbers of the packed model, widened without loss. `quantiles` of
    shape (n, n_levels) are those of the log return, rising along a row, where the model tells
    any: `PackedModel.levels` says which; None of other models.
    """

    log_return: Column
    probability_up: Column
    quantiles: Column | None = None

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

    `fit` learns from rows: features of shape (n_rows, n_features), NaN where one is missing, or the
    part of a table that holds them, and log returns of shape (n_rows,). `weights` of shape
    (n_rows,) say how much each row counts: none at all at zero. `times` of shape (n_rows, 2) say
    when each row was decided and when its label was known; models whose card says `needs_times`
    cannot do without. Inputs are left alone, the order of columns is that of `make`, and the result
    is deterministic for a seed. A second `fit` forgets the first. `pack` gives the ONNX bytes that are the model from then on: nothing is ever
    scored with the library that fitted it. `explainer` gives the arrays that `explain` needs for
    contributions that add up to the forecast.
    """

    name: ClassVar[str]

    def fit(
        self,
        X: Matrix | Part,
        y: Column,
        weights: Column | None = None,
        times: Instants | None = None,
    ) -> Self:
        """Learn from rows whose labels are known."""
        ...

    def pack(self) -> bytes:
        """Return the model as ONNX: `features` float32 (n, k) in, `forecast` float32 (n, 2) out."""
        ...

    def explainer(self) -> Explainer:
        """Return the arrays of the model's explanation."""
        ...

    def describe(self) -> Card:
        """Return what the model is, and what it promises."""
        ...


class Model(ABC):
    """The door of every model: what comes in is checked, and nothing is told before it learnt."""

    name: ClassVar[str]
    card: ClassVar[Card]
    _learnt = False

    def fit(
        self,
        X: Matrix | Part,
        y: Column,
        weights: Column | None = None,
        times: Instants | None = None,
    ) -> Self:
        """Learn from rows whose labels are known, and forget what was learnt before.

        Raises
        ------
        InvalidRequest
            If rows are empty or of other shapes than each other, a feature is infinite, a label or
            a weight is no number, no row has weight, or times are needed and missing.
        """
        self._learnt = False
        rows = learnable(X, y, weights, times)
        if self.describe().needs_times:
            rows.timed(self.name)
        self._n_features = rows.n_features
        self.learn(rows)
        self._learnt = True
        return self

    def pack(self) -> bytes:
        """Return the model as ONNX.

        Raises
        ------
        Unfitted
            If it has not learnt yet.
        """
        self._demand_learnt()
        return self.packed()

    def explainer(self) -> Explainer:
        """Return the arrays of the model's explanation.

        Raises
        ------
        Unfitted
            If it has not learnt yet.
        """
        self._demand_learnt()
        return self.explained()

    def describe(self) -> Card:
        """Return what the model is, and what it promises."""
        return self.card

    @abstractmethod
    def learn(self, rows: Rows) -> None:
        """Learn from rows that were checked; all of them have weight."""

    @abstractmethod
    def packed(self) -> bytes:
        """Return what was learnt as ONNX."""

    @abstractmethod
    def explained(self) -> Explainer:
        """Return what was learnt as arrays."""

    def _demand_learnt(self) -> None:
        if not self._learnt:
            raise Unfitted(self.name)
