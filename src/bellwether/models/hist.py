"""Histogram gradient boosting by scikit-learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.models.base import Column, Matrix, blank_as_zero
from bellwether.models.card import Card
from bellwether.models.rows import Rows
from bellwether.models.tree_form import Forest, Tree
from bellwether.models.trees import ROUTED, SHAPLEY, TreeModel


class HistGradientBoosting(TreeModel):
    """scikit-learn's histogram gradient boosting, deterministic by seed.

    Daily returns are nearly noise: trees of at most eight leaves, each of at least 200 rows and
    split on two features in five, are added a hundredth at a time, for a set number of rounds.
    """

    name = "hist_gradient_boosting"
    card = Card(
        name,
        "scikit-learn",
        "gradient-boosted trees on 255 bins a feature",
        missing=ROUTED,
        explanation=SHAPLEY,
        use="beside LightGBM: the same idea without its sampling of rows",
        seeded=True,
        size_kb=400,
    )

    def __init__(
        self,
        *,
        seed: int = 0,
        n_trees: int = 200,
        threads: int = 1,
        min_rows_per_leaf: int = 200,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self._threads = threads
        self._params: dict[str, Any] = {
            "max_iter": n_trees,
            "max_leaf_nodes": 8,
            "max_depth": 4,
            "learning_rate": 0.01,
            "min_samples_leaf": min_rows_per_leaf,
            "max_features": 0.4,
            "l2_regularization": 10.0,
            "early_stopping": False,
            "random_state": seed,
            **(params or {}),
        }

    def grow_returns(self, rows: Rows) -> Forest:
        """Boost the squared error of the log return."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        return self._grow(
            HistGradientBoostingRegressor(**self._params), rows.X, rows.y, rows.weights
        )

    def grow_direction(self, rows: Rows, up: npt.NDArray[np.bool_]) -> Forest:
        """Boost the log loss of the direction."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return self._grow(HistGradientBoostingClassifier(**self._params), rows.X, up, rows.weights)

    def _grow(
        self, model: Any, X: Matrix, target: npt.NDArray[Any], weights: Column | None
    ) -> Forest:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(self._threads, "openmp"):
            return neutral(model.fit(blank_as_zero(X), target, sample_weight=weights))


def neutral(model: Any) -> Forest:
    """Turn a model of one output into the neutral form."""
    grown = [rounds[0].nodes for rounds in model._predictors]  # noqa: SLF001 - no public way to the trees
    base = float(model._baseline_prediction[0, 0])  # noqa: SLF001 - nor to what they start from
    trees = (
        Tree.of(
            (nodes["left"], nodes["right"]),
            feature=nodes["feature_idx"],
            threshold=nodes["num_threshold"],
            missing_left=nodes["missing_go_to_left"],
            value=nodes["value"],
            cover=nodes["count"],
        )
        for nodes in grown
    )
    return Forest.of(trees, base)
