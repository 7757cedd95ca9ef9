"""Gradient-boosted trees by XGBoost."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.models.base import Column, Matrix
from bellwether.models.card import Card
from bellwether.models.rows import Rows
from bellwether.models.tree_form import Forest, Tree
from bellwether.models.trees import ROUTED, SHAPLEY, TreeModel

HESSIAN_AT_EVEN_ODDS = 0.25


class XGBoost(TreeModel):
    """XGBoost's boosters, deterministic by seed.

    Daily returns are nearly noise: trees of eight leaves, each of at least 200 rows and a fresh
    sample of rows and features, are added a hundredth at a time and shrunk towards the mean.
    """

    name = "xgboost"
    card = Card(
        name,
        "XGBoost",
        "gradient-boosted trees of eight leaves, shrunk towards the mean",
        missing=ROUTED,
        explanation=SHAPLEY,
        use="beside LightGBM: another way to grow, so that a finding is not one library's",
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
        self._rows_per_leaf = min_rows_per_leaf
        self._params: dict[str, Any] = {
            "tree_method": "hist",
            "max_depth": 3,
            "learning_rate": 0.01,
            "subsample": 0.6,
            "colsample_bytree": 0.4,
            "seed": seed,
            "nthread": threads,
            "verbosity": 0,
            **(params or {}),
        }

    def grow_returns(self, rows: Rows) -> Forest:
        """Boost the squared error of the log return."""
        return self._grow("reg:squarederror", rows.X, rows.y, rows.weights, hessian=1.0)

    def grow_direction(self, rows: Rows, up: npt.NDArray[np.bool_]) -> Forest:
        """Boost the log loss of the direction."""
        target = up.astype(np.float64)
        return self._grow(
            "binary:logistic", rows.X, target, rows.weights, hessian=HESSIAN_AT_EVEN_ODDS
        )

    def _grow(
        self, objective: str, X: Matrix, target: Column, weights: Column | None, hessian: float
    ) -> Forest:
        import xgboost as xgb

        params = {
            **self._params,
            "objective": objective,
            "base_score": float(np.average(target, weights=weights)),
            "min_child_weight": self._rows_per_leaf * hessian,
            "reg_lambda": 10.0 * hessian,
        }
        rows = xgb.DMatrix(X, target, weight=weights, nthread=self._params["nthread"])
        return neutral(xgb.train(params, rows, self._trees))


def neutral(booster: Any) -> Forest:
    """Turn an XGBoost booster of one output into the neutral form.

    XGBoost goes left below its float32 threshold; at most the next smaller float32 is the same.
    Its base score is told as a probability where the objective is logistic.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    base = np.float64(json.loads(learner["learner_model_param"]["base_score"])[0])
    if learner["objective"]["name"] == "binary:logistic":
        base = -np.log(1 / base - 1)
    trees = learner["gradient_booster"]["model"]["trees"]
    return Forest.of((_tree(grown) for grown in trees), float(base))


def _tree(grown: Mapping[str, Any]) -> Tree:
    conditions = np.array(grown["split_conditions"], dtype=np.float32)
    return Tree.of(
        (grown["left_children"], grown["right_children"]),
        feature=grown["split_indices"],
        threshold=np.nextafter(conditions, np.float32(-np.inf)),
        missing_left=grown["default_left"],
        value=conditions,
        cover=grown["sum_hessian"],
    )
