"""A model that reads some of its features, packed so that it is asked like one that reads all."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bellwether.models.base import INPUT, Explainer, Forecaster, Model
from bellwether.models.card import Card
from bellwether.models.factory import make
from bellwether.models.rows import Rows
from bellwether.models.spaces import Params


class Selected(Model):
    """What `member` says of the chosen columns; the others never touch it and contribute 0.

    Parameters
    ----------
    member : Forecaster
        Made for the chosen columns, in this order.
    chosen : sequence of int
        Their places among all columns.
    """

    name = "selected"

    def __init__(self, member: Forecaster, chosen: Sequence[int]) -> None:
        self._member = member
        self._chosen = np.asarray(chosen, dtype=np.int64)

    def describe(self) -> Card:
        """Return what the member says of itself."""
        return self._member.describe()

    def learn(self, rows: Rows) -> None:
        """Let the member learn from the chosen columns."""
        X = np.ascontiguousarray(rows.X[:, self._chosen])
        self._member.fit(X, rows.y, rows.weights, rows.times)

    def packed(self) -> bytes:
        """Return the member's graph with the choice of columns before it."""
        from onnx import load_from_string

        from bellwether.models import graph

        whole = load_from_string(self._member.pack())
        read: Any = whole.graph
        for node in read.node:
            told = ["chosen_features" if name == INPUT else name for name in node.input]
            node.input[:] = told
        read.initializer.append(graph.constant("chosen_columns", self._chosen, np.int64))
        gather = graph.node("Gather", [INPUT, "chosen_columns"], "chosen_features", axis=1)
        read.node.insert(0, gather)
        read.input[0].type.tensor_type.shape.dim[1].dim_value = self._n_features
        packed: bytes = whole.SerializeToString()
        return packed

    def explained(self) -> Explainer:
        """Return the member's arrays, and which columns they are of."""
        told = {f"of.{name}": array for name, array in self._member.explainer().items()}
        width = np.array([self._n_features])
        return told | {"chosen": self._chosen, "n_all": width}


def reading(
    name: str,
    columns: Sequence[str],
    chosen: Sequence[int] | None,
    *,
    seed: int,
    params: Params | None = None,
) -> Forecaster:
    """Return a fresh model that is given all `columns` and reads those at `chosen`; None: all.

    Of no columns nothing can be learnt but the mean: then it is `historical_mean`.

    Raises
    ------
    UnknownName, MissingExtra, InvalidRequest
        As `factory.make`, of the chosen columns.
    """
    if chosen is None:
        return make(name, columns, seed=seed, params=params)
    if not len(chosen):
        return make("historical_mean", columns, seed=seed)
    member = make(name, [columns[i] for i in chosen], seed=seed, params=params)
    return Selected(member, chosen)
