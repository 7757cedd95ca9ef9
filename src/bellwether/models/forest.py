"""Random forests by scikit-learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.models.base import Column, Matrix
from bellwether.models.card import Card
from bellwether.models.rows import Rows
from bellwether.models.tree_form import Forest, Tree
from bellwether.models.trees import ROUTED, SHAPLEY, TreeModel


class RandomForest(TreeModel):
    """scikit-learn's random forests, deterministic by seed.

    Daily returns are nearly noise: a hundred shallow trees, each on a third of the rows and each
    split on a few features drawn afresh, are averaged, and no leaf speaks for less than 100 rows.
    """

    name = "random_forest"
    card = Card(
        name,
        "scikit-learn",
        "a hundred shallow trees of random rows and features, averaged",
        missing=ROUTED,
        explanation=SHAPLEY,
        use="where boosting overfits: the calmest of the tree models",
        seeded=True,
        size_kb=400,
    )
    logistic = False

    def __init__(
        self,
        *,
        seed: int = 0,
        n_trees: int = 100,
        threads: int = 1,
        min_rows_per_leaf: int = 100,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self._params: dict[str, Any] = {
            "n_estimators": n_trees,
            "max_depth": 4,
            "min_samples_leaf": min_rows_per_leaf,
            "max_features": "sqrt",
            "random_state": seed,
            "n_jobs": threads,
            **(params or {}),
        }

    def grow_returns(self, rows: Rows) -> Forest:
        """Average trees of the log return."""
        from sklearn.ensemble import RandomForestRegressor

        return self._grow(RandomForestRegressor(**self._params), rows.X, rows.y, rows.weights)

    def grow_direction(self, rows: Rows, up: npt.NDArray[np.bool_]) -> Forest:
        """Average trees of the direction."""
        from sklearn.ensemble import RandomForestClassifier

        return self._grow(RandomForestClassifier(**self._params), rows.X, up, rows.weights)

    @staticmethod
    def _grow(model: Any, X: Matrix, target: npt.NDArray[Any], weights: Column | None) -> Forest:
        third = (len(X) + 2) // 3
        writeable = np.require(X, requirements="W")  # scikit-learn refuses others that miss values
        model.set_params(max_samples=third).fit(writeable, target, sample_weight=weights)
        return neutral(model)


def neutral(model: Any) -> Forest:
    """Turn a scikit-learn forest into the neutral form: a regressor, or a classifier of two classes.

    A leaf says its share of the average: its mean, or how often the second class came.
    """
    grown = [estimator.tree_ for estimator in model.estimators_]
    return Forest.of(
        Tree.of(
            (one.children_left, one.children_right),
            feature=one.feature,
            threshold=one.threshold,
            missing_left=one.missing_go_to_left,
            value=one.value[:, 0, -1] / len(grown),
            cover=one.weighted_n_node_samples,
        )
        for one in grown
    )
