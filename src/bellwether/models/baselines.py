"""The models to beat. Each is a full forecaster, packed and scored like the others."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest
from bellwether.models.base import INPUT, Column, Matrix

BARELY = float(np.nextafter(np.float32(0.5), np.float32(1)))


class _Constant:
    """Says the same of every row."""

    name = "constant"

    def __init__(self) -> None:
        self.log_return = 0.0
        self.probability_up = 0.5
        self.n_features = 0

    def pack(self) -> bytes:
        """Return the model as ONNX."""
        from bellwether.models import graph

        a, a_constants = graph.constant_column("log_return", self.log_return)
        b, b_constants = graph.constant_column("probability_up", self.probability_up)
        constants = {c.name: c for c in (*a_constants, *b_constants)}
        packed: bytes = graph.model(
            [*a, *b], list(constants.values()), self.n_features
        ).SerializeToString()
        return packed

    def explainer(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return no contributions: the base value is the forecast."""
        return {"base": np.array([self.log_return]), "coefficients": np.zeros(self.n_features)}


class LastValue(_Constant):
    """The random walk: no return, no direction. It abstains."""

    name = "last_value"

    def fit(self, X: Matrix, _y: Column) -> Self:
        """Learn nothing."""
        self.n_features = X.shape[1]
        return self


class HistoricalMean(_Constant):
    """The prevailing mean return and the prevailing share of rises."""

    name = "historical_mean"

    def fit(self, X: Matrix, y: Column) -> Self:
        """Learn the mean return and how often it was positive."""
        self.n_features = X.shape[1]
        self.log_return = float(np.mean(y))
        moved = y[y != 0]
        self.probability_up = float(np.mean(moved > 0)) if len(moved) else 0.5
        return self


class AlwaysUp(HistoricalMean):
    """Up, always: with the prevailing share of rises, never below one half."""

    name = "always_up"

    def fit(self, X: Matrix, y: Column) -> Self:
        """Learn how often up was right."""
        super().fit(X, y)
        self.probability_up = max(self.probability_up, BARELY)
        return self


class Momentum:
    """What rose goes on rising: the sign of the past return, as sure as it was right before."""

    name = "momentum"

    def __init__(self, columns: Sequence[str], feature: str = "return_20") -> None:
        if feature not in columns:
            raise InvalidRequest("model", f"{self.name} reads {feature}, which is not in the view")
        self._position = list(columns).index(feature)
        self._n_features = len(columns)
        self._size = 0.0
        self._edge = 0.0

    def fit(self, X: Matrix, y: Column) -> Self:
        """Learn the mean return in the direction of the past one, and how often it came."""
        side = np.sign(np.nan_to_num(X[:, self._position].astype(np.float64)))
        moved = (side != 0) & (y != 0)
        self._size = float(np.mean(np.abs(y))) if len(y) else 0.0
        hit = float(np.mean(side[moved] == np.sign(y[moved]))) if moved.any() else 0.5
        self._edge = max(hit - 0.5, BARELY - 0.5)
        self._size *= 2 * self._edge
        return self

    def pack(self) -> bytes:
        """Return the model as ONNX."""
        from bellwether.models import graph

        n = graph.node
        nodes = [
            n("Gather", [INPUT, "position"], "past", axis=1),
            n("IsNaN", ["past"], "missing"),
            n("Where", ["missing", "zero", "past"], "present"),
            n("Sign", ["present"], "side"),
            n("Mul", ["side", "size"], "log_return"),
            n("Mul", ["side", "edge"], "lean"),
            n("Add", ["lean", "half"], "probability_up"),
        ]
        constants = [
            graph.constant("position", [self._position], np.int64),
            graph.constant("zero", 0.0),
            graph.constant("size", self._size),
            graph.constant("edge", self._edge),
            graph.constant("half", 0.5),
        ]
        packed: bytes = graph.model(nodes, constants, self._n_features).SerializeToString()
        return packed

    def explainer(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return how the sign of one feature makes the forecast."""
        sign = np.zeros(self._n_features)
        sign[self._position] = self._size
        return {"base": np.zeros(1), "signs": sign}
