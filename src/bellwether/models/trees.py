"""What every model made of trees has in common, whichever library grew them."""

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.models.base import INPUT, Explainer, Model
from bellwether.models.rows import Rows
from bellwether.models.shap_tables import leaf_tables
from bellwether.models.tree_form import Forest

ROUTED = "goes the way that fitted the training rows best"
SHAPLEY = "exact path-dependent Shapley values"


class TreeModel(Model):
    """One forest for the expected log return, one for the direction.

    Labels that are all the same, or a single one, are what the return's forest says of every row.
    A label of zero says nothing about the direction; where the others all point one way there is
    nothing to tell apart, and the chance of a rise is one half. `logistic` says whether the
    direction's forest adds up to log odds or to the probability itself.
    """

    logistic = True

    @abstractmethod
    def grow_returns(self, rows: Rows) -> Forest:
        """Fit the expected log return on rows whose labels differ."""

    @abstractmethod
    def grow_direction(self, rows: Rows, up: npt.NDArray[np.bool_]) -> Forest:
        """Fit the direction on rows of which some rose and some fell."""

    def learn(self, rows: Rows) -> None:
        """Grow both forests."""
        self._returns = Forest.constant(float(rows.y[0]))
        self._direction = Forest.constant(0.0 if self.logistic else 0.5)
        if np.ptp(rows.y) > 0:
            self._returns = self.grow_returns(rows)
        moved = rows.moved()
        up = moved.y > 0
        if up.any() and not up.all():
            self._direction = self.grow_direction(moved, up)

    def packed(self) -> bytes:
        """Return both forests as one ONNX graph."""
        from bellwether.models import graph

        packed: bytes = graph.model(self.nodes(), [], self._n_features).SerializeToString()
        return packed

    def nodes(self) -> list[Any]:
        """Return the operations that write both forecasts, from float64 rows called `wide`."""
        from bellwether.models import graph

        score = "score" if self.logistic else "probability_up"
        nodes = [
            graph.widen(INPUT, "wide"),
            graph.trees(self._returns, "wide", "log_return"),
            graph.trees(self._direction, "wide", score),
        ]
        if self.logistic:
            nodes.append(graph.node("Sigmoid", [score], "probability_up"))
        return nodes

    def explained(self) -> Explainer:
        """Return the leaf tables of the return's forest."""
        return leaf_tables(self._returns, self._n_features)
