"""Gradient-boosted trees by LightGBM."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.models.base import Column
from bellwether.models.bins import AS_CUT, binned
from bellwether.models.card import Card
from bellwether.models.rows import Rows
from bellwether.models.tree_form import Forest, Tree
from bellwether.models.trees import ROUTED, SHAPLEY, TreeModel

ZERO = float(np.float32(1e-35))


class LightGBM(TreeModel):
    """LightGBM's boosters, deterministic by seed.

    Daily returns are nearly noise: the trees are shallow, slow and averaged over many rows.
    """

    name = "lightgbm"
    card = Card(
        name,
        "LightGBM",
        "gradient-boosted trees, shallow, slow and bagged",
        missing=ROUTED,
        explanation=SHAPLEY,
        use="first choice on a panel: fast, takes missing values, finds interactions",
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
        self._trees = n_trees
        self._params: dict[str, Any] = {
            "num_leaves": 8,
            "max_depth": 4,
            "learning_rate": 0.01,
            "min_data_in_leaf": min_rows_per_leaf,
            "feature_fraction": 0.4,
            "bagging_fraction": 0.6,
            "bagging_freq": 1,
            "lambda_l2": 10.0,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbose": -1,
            **(params or {}),
        }

    def learn(self, rows: Rows) -> None:
        """Grow both forests from features that are cut into bins once."""
        super().learn(rows.shared())

    def grow_returns(self, rows: Rows) -> Forest:
        """Boost the squared error of the log return."""
        return self._grow({"objective": "regression"}, rows, rows.y)

    def grow_direction(self, rows: Rows, up: npt.NDArray[np.bool_]) -> Forest:
        """Boost the log loss of the direction."""
        return self._grow({"objective": "binary"}, rows, up.astype(np.float64))

    def _grow(
        self,
        objective: Mapping[str, Any],
        rows: Rows,
        target: Column,
        group: npt.NDArray[np.int64] | None = None,
    ) -> Forest:
        import lightgbm as lgb

        params = {**self._params, **AS_CUT}
        data = binned(rows, params, target, group)
        return neutral(lgb.train({**params, **objective}, data, self._trees))


def neutral(booster: Any) -> Forest:
    """Turn a LightGBM booster into the neutral form; its base lies in its first tree.

    What is as near to zero as `ZERO` is zero to LightGBM, so a row at minus `ZERO` goes right.
    """
    trees = booster.dump_model()["tree_info"]
    return Forest.of(_tree(grown["tree_structure"]) for grown in trees)


def _tree(root: Mapping[str, Any]) -> Tree:
    nodes: list[Mapping[str, Any]] = [root]
    left, right = [], []
    for node in nodes:  # grows while it is read: children follow their parents
        split = "split_feature" in node
        left.append(len(nodes) if split else 0)
        right.append(len(nodes) + 1 if split else 0)
        nodes += [node["left_child"], node["right_child"]] if split else []
    threshold = np.array([node.get("threshold", 0.0) for node in nodes])
    return Tree.of(
        (left, right),
        feature=[node.get("split_feature", 0) for node in nodes],
        threshold=np.where(threshold == -ZERO, np.nextafter(-ZERO, -1), threshold),
        missing_left=[_missing_goes_left(node) for node in nodes],
        value=[node.get("leaf_value", 0.0) for node in nodes],
        cover=[node.get("internal_count", node.get("leaf_count", 1)) for node in nodes],
    )


def _missing_goes_left(node: Mapping[str, Any]) -> bool:
    if node.get("missing_type") == "NaN":
        return bool(node["default_left"])
    return float(node.get("threshold", 0.0)) >= 0.0  # NaN is read as zero where training saw none
