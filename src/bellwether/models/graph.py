"""Building blocks of the packed models. Training side only: it needs the `onnx` package."""

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from bellwether.models.base import INPUT, OUTPUT

OPSET = 17
ML_OPSET = 3
IR_VERSION = 9


def constant(name: str, value: object, dtype: type = np.float32) -> TensorProto:
    """Return a named constant of a graph."""
    return numpy_helper.from_array(np.asarray(value, dtype=dtype), name)


def node(operator: str, inputs: Sequence[str], output: str, **attributes: int) -> NodeProto:
    """Return one operation with one output."""
    return helper.make_node(operator, list(inputs), [output], name=output, **attributes)  # type: ignore[arg-type]


def model(
    nodes: Sequence[NodeProto], constants: Sequence[TensorProto], n_features: int
) -> ModelProto:
    """Close a graph whose last nodes wrote `log_return` and `probability_up`, each (n, 1)."""
    join = node("Concat", ["log_return", "probability_up"], OUTPUT, axis=1)
    graph = helper.make_graph(
        [*nodes, join],
        "forecaster",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", n_features])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", 2])],
        list(constants),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    closed = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
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
