"""Building blocks of the packed models. Training side only: it needs the `onnx` package."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from bellwether.models.base import INPUT, LEVELS, OUTPUT, QUANTILES
from bellwether.models.tree_form import LEAF, Forest

Gates = npt.NDArray[np.float64]

OPSET = 17
ML_OPSET = 3
IR_VERSION = 9


def constant(name: str, value: object, dtype: type = np.float32) -> TensorProto:
    """Return a named constant of a graph."""
    return numpy_helper.from_array(np.asarray(value, dtype=dtype), name)


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> NodeProto:
    """Return one operation with one output."""
    return helper.make_node(operator, list(inputs), [output], name=output, **attributes)


def model(
    nodes: Sequence[NodeProto],
    constants: Sequence[TensorProto],
    n_features: int,
    levels: Sequence[float] = (),
) -> ModelProto:
    """Close a graph whose nodes wrote `log_return` and `probability_up`, each (n, 1).

    With `levels` they wrote `quantiles` too, of shape (n, n_levels).
    """
    outputs = {OUTPUT: 2} | ({QUANTILES: len(levels)} if levels else {})
    join = node("Concat", ["log_return", "probability_up"], OUTPUT, axis=1)
    graph = helper.make_graph(
        [*nodes, join],
        "forecaster",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", n_features])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
            for name, width in outputs.items()
        ],
        list(constants),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    closed = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    if levels:
        helper.set_model_props(closed, {LEVELS: json.dumps(list(levels))})
    checker.check_model(closed)
    return closed


def constant_column(name: str, value: float) -> tuple[list[NodeProto], list[TensorProto]]:
    """Return nodes that write the same number for every row: the first feature's shape, filled."""
    prefix = f"{name}_"
    nodes = [
        node("Shape", [INPUT], f"{prefix}shape", start=0, end=1),
        node("Concat", [f"{prefix}shape", "one_column"], f"{prefix}column", axis=0),
        node("Expand", [f"{prefix}value", f"{prefix}column"], name),
    ]
    return nodes, [constant(f"{prefix}value", value), constant("one_column", [1], np.int64)]


def standardised() -> list[NodeProto]:
    """Return nodes that write `z`: (features - mean) / scale, 0 where missing, clipped.

    They read the constants `mean`, `scale`, `zero`, `low` and `high`.
    """
    return [
        node("Sub", [INPUT, "mean"], "centred"),
        node("Div", ["centred", "scale"], "standard"),
        node("IsNaN", ["standard"], "missing"),
        node("Where", ["missing", "zero", "standard"], "present"),
        node("Clip", ["present", "low", "high"], "z"),
    ]


def rising(name: str, width: str, output: str) -> NodeProto:
    """Return the operation that puts the numbers of each row into rising order.

    `width` is the constant that says how many they are.
    """
    return helper.make_node(
        "TopK", [name, width], [output, f"{output}_from"], name=output, axis=1, largest=0
    )


def widen(name: str, output: str) -> NodeProto:
    """Return the operation that turns float32 into float64, without loss."""
    return node("Cast", [name], output, to=TensorProto.DOUBLE)


def narrow(name: str, output: str) -> NodeProto:
    """Return the operation that rounds float64 to float32."""
    return node("Cast", [name], output, to=TensorProto.FLOAT)


def lstm(name: str, output: str, hidden: int) -> NodeProto:
    """Return the operation that reads (n_steps, n, n_channels) and writes (1, n, hidden).

    It reads the constants of `lstm_constants`.
    """
    return helper.make_node(
        "LSTM",
        [name, "into", "back", "biases"],
        ["", output],
        name=output,
        hidden_size=hidden,
    )


def lstm_constants(into: Gates, back: Gates, bias: Gates) -> list[TensorProto]:
    """Turn gates in the order input, forget, cell, output into what `lstm` reads."""
    order = (0, 3, 1, 2)  # input, output, forget, cell
    parts = [np.split(gates, 4) for gates in (into, back, bias)]
    found = [np.concatenate([part[i] for i in order])[np.newaxis] for part in parts]
    found[2] = np.hstack([found[2], np.zeros_like(found[2])])
    return [constant(n, v) for n, v in zip(("into", "back", "biases"), found, strict=True)]


def trees(forest: Forest, name: str, output: str) -> NodeProto:
    """Return the operation that adds up a forest, from float64 (n, k) to float32 (n, 1).

    Thresholds, leaves and the sum are float64: the one rounding is that of the result.
    """
    grown = forest.trees
    sizes = [len(tree.feature) for tree in grown]
    feature, threshold, missing_left, left, right, value = (
        np.concatenate([getattr(tree, part) for tree in grown])
        for part in ("feature", "threshold", "missing_left", "left", "right", "value")
    )
    leaf = feature == LEAF
    tree_ids = np.repeat(np.arange(len(grown)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    return helper.make_node(
        "TreeEnsembleRegressor",
        [name],
        [output],
        name=output,
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=tree_ids,
        nodes_nodeids=node_ids,
        nodes_featureids=np.where(leaf, 0, feature),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_values_as_tensor=constant("thresholds", threshold, np.float64),
        nodes_missing_value_tracks_true=missing_left.astype(np.int64),
        nodes_truenodeids=left,
        nodes_falsenodeids=right,
        target_treeids=tree_ids[leaf],
        target_nodeids=node_ids[leaf],
        target_ids=np.zeros(leaf.sum(), dtype=np.int64),
        target_weights_as_tensor=constant("leaves", value[leaf], np.float64),
        base_values_as_tensor=constant("base", [forest.base], np.float64),
    )
