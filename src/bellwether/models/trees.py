"""What every model made of trees has in common, whichever library grew them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from bellwether.models.base import INPUT, Column, Matrix
from bellwether.models.shap_tables import leaf_tables
from bellwether.models.tree_form import Forest


class TreeModel(ABC):
    """One forest for the expected log return, one for the direction.

    Labels that are all the same, or a single one, are what the return's forest says of every row.
    A label of zero says nothing about the direction; where the others all point one way there is
    nothing to tell apart, and the chance of a rise is one half. `logistic` says whether the
    direction's forest adds up to log odds or to the probability itself.
    """

    name: str
    logistic = True

    @abstractmethod
    def grow_returns(self, X: Matrix, y: Column) -> Forest:
        """Fit the expected log return on rows whose labels differ."""

    @abstractmethod
    def grow_direction(self, X: Matrix, up: npt.NDArray[np.bool_]) -> Forest:
        """Fit the direction on rows of which some rose and some fell."""

    def fit(self, X: Matrix, y: Column) -> Self:
        """Grow both forests."""
        moved = y != 0
        up = y[moved] > 0
        self._n_features = X.shape[1]
        self._returns = Forest.constant(float(y[0]))
        self._direction = Forest.constant(0.0 if self.logistic else 0.5)
        if np.ptp(y) > 0:
            self._returns = self.grow_returns(X, y)
        if up.any() and not up.all():
            self._direction = self.grow_direction(np.ascontiguousarray(X[moved]), up)
        return self

    def pack(self) -> bytes:
        """Return both forests as one ONNX graph."""
        from bellwether.models import graph

        score = "score" if self.logistic else "probability_up"
        nodes = [
            graph.widen(INPUT, "wide"),
            graph.trees(self._returns, "wide", "log_return"),
            graph.trees(self._direction, "wide", score),
        ]
        if self.logistic:
            nodes.append(graph.node("Sigmoid", [score], "probability_up"))
        packed: bytes = graph.model(nodes, [], self._n_features).SerializeToString()
        return packed

    def explainer(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return the leaf tables of the return's forest."""
        return leaf_tables(self._returns, self._n_features)
