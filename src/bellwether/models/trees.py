"""Gradient-boosted trees (LightGBM) for the return and the direction."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bellwether.models.base import INPUT, Column, Matrix
from bellwether.models.shap_tables import leaf_tables

DEPTH = 4


class LightGBM:
    """One booster for the expected return, one for the direction, deterministic by seed.

    Daily returns are nearly noise: the trees are shallow, slow and averaged over many rows.
    """

    name = "lightgbm"

    def __init__(
        self, *, seed: int = 0, n_trees: int = 200, threads: int = 1, min_rows_per_leaf: int = 200
    ) -> None:
        self._trees = n_trees
        self._params: dict[str, Any] = {
            "num_leaves": 8,
            "max_depth": DEPTH,
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
        }

    def fit(self, X: Matrix, y: Column) -> Self:
        """Grow both boosters on the same rows."""
        import lightgbm as lgb

        def grow(objective: str, target: Column, rows: Matrix) -> Any:
            data = lgb.Dataset(rows, target, free_raw_data=False)
            return lgb.train({**self._params, "objective": objective}, data, self._trees)

        moved = y != 0
        self._returns = grow("regression", y, X)
        self._direction = grow("binary", (y[moved] > 0).astype(np.float64), X[moved])
        self._n_features = X.shape[1]
        return self

    def pack(self) -> bytes:
        """Return both boosters as one ONNX graph of tree ensembles."""
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        from bellwether.models import graph

        ensembles = []
        for booster, output in ((self._returns, "log_return"), (self._direction, "votes")):
            kind = [(INPUT, FloatTensorType([None, self._n_features]))]
            converted = convert_lightgbm(booster, initial_types=kind, zipmap=False, target_opset=15)
            trees = converted.graph.node[0]
            regressor = trees.op_type == "TreeEnsembleRegressor"
            del trees.output[:]
            trees.output.extend([output] if regressor else ["voted", output])
            ensembles.append(trees)
        pick = graph.node("Gather", ["votes", "second"], "probability_up", axis=1)
        constants = [graph.constant("second", [1], np.int64)]
        packed: bytes = graph.model(
            [*ensembles, pick], constants, self._n_features
        ).SerializeToString()
        return packed

    def explainer(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return the leaf tables of the return's booster."""
        trees = [tree["tree_structure"] for tree in self._returns.dump_model()["tree_info"]]
        return leaf_tables(trees, self._n_features, DEPTH)
