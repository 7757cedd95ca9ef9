"""Several packed models in one graph. Training side only: it needs the `onnx` package."""

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, load_from_string

from bellwether.models import graph
from bellwether.models.base import INPUT, OUTPUT, Column


def together(
    members: Sequence[bytes], returns: Column, directions: Column, *, ranked: bool
) -> bytes:
    """Return one packed model that says what its members say, weighted.

    Parameters
    ----------
    members : sequence of bytes
        Packed models that read the same features.
    returns, directions : float64, shape (n_members,)
        Weights of the log return and of the chance of a rise: of members, or where `ranked` of
        places, from the lowest forecast of a row to the highest.
    """
    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []
    for i, content in enumerate(members):
        member = _renamed(load_from_string(content), f"{i}.")
        nodes += member.graph.node
        constants += member.graph.initializer
    n_features = member.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    told = [f"{i}.{OUTPUT}" for i in range(len(members))]
    for column, (name, weights) in enumerate(
        (("log_return", returns), ("probability_up", directions))
    ):
        more, fixed = _weighted(told, column, name, weights, ranked=ranked)
        nodes += more
        constants += fixed
    packed: bytes = graph.model(nodes, constants, n_features).SerializeToString()
    return packed


def _weighted(
    told: Sequence[str], column: int, name: str, weights: Column, *, ranked: bool
) -> tuple[list[NodeProto], list[TensorProto]]:
    """Add up one output of all members, one after the other, in float64."""
    n = graph.node
    said = [f"{name}.{i}" for i in range(len(told))]
    fixed = [graph.constant(f"{name}.column", [column], np.int64)]
    nodes = [
        n("Gather", [out, f"{name}.column"], f"{here}.narrow", axis=1)
        for out, here in zip(told, said, strict=True)
    ]
    nodes += [graph.widen(f"{here}.narrow", here) for here in said]
    if ranked:
        fixed.append(graph.constant(f"{name}.many", [len(told)], np.int64))
        nodes.append(n("Concat", said, f"{name}.all", axis=1))
        nodes.append(graph.rising(f"{name}.all", f"{name}.many", f"{name}.places"))
        said = [f"{name}.place.{i}" for i in range(len(told))]
        for i, here in enumerate(said):
            fixed.append(graph.constant(f"{here}.at", [i], np.int64))
            nodes.append(n("Gather", [f"{name}.places", f"{here}.at"], here, axis=1))
    total = ""
    for i, here in enumerate(said):
        if weights[i] == 0:
            continue
        fixed.append(graph.constant(f"{here}.weight", weights[i], np.float64))
        nodes.append(n("Mul", [here, f"{here}.weight"], f"{here}.share"))
        if total:
            nodes.append(n("Add", [total, f"{here}.share"], f"{here}.total"))
        total = f"{here}.total" if total else f"{here}.share"
    nodes.append(graph.narrow(total, name))
    return nodes, fixed


def _renamed(model: ModelProto, prefix: str) -> ModelProto:
    """Put a prefix before every name inside a model but that of its input."""
    for constant in model.graph.initializer:
        constant.name = prefix + constant.name
    for node in model.graph.node:
        for names in (node.input, node.output):
            told = [name if name in {INPUT, ""} else prefix + name for name in names]
            names[:] = told
        node.name = prefix + node.name
    return model
