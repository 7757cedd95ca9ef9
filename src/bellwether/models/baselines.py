"""The models to beat. Each is a full forecaster, packed and scored like the others."""

from collections.abc import Sequence

import numpy as np

from bellwether.core.errors import InvalidRequest
from bellwether.models.base import INPUT, Explainer, Model
from bellwether.models.card import Card
from bellwether.models.rows import Rows

BARELY = float(np.nextafter(np.float32(0.5), np.float32(1)))
UNREAD = "is not read"
NOTHING = "the base value is the forecast"


class _Constant(Model):
    """Says the same of every row."""

    def __init__(self) -> None:
        self.log_return = 0.0
        self.probability_up = 0.5

    def packed(self) -> bytes:
        """Return the model as ONNX."""
        from bellwether.models import graph

        a, a_constants = graph.constant_column("log_return", self.log_return)
        b, b_constants = graph.constant_column("probability_up", self.probability_up)
        constants = {c.name: c for c in (*a_constants, *b_constants)}
        packed: bytes = graph.model(
            [*a, *b], list(constants.values()), self._n_features
        ).SerializeToString()
        return packed

    def explained(self) -> Explainer:
        """Return no contributions: the base value is the forecast."""
        return {"base": np.array([self.log_return]), "coefficients": np.zeros(self._n_features)}


class LastValue(_Constant):
    """The random walk: no return, no direction. It abstains."""

    name = "last_value"
    card = Card(
        name,
        "none",
        "the random walk: no return, no direction",
        missing=UNREAD,
        explanation=NOTHING,
        use="always there: what a forecast of the price has to beat",
        doubles=True,
    )

    def learn(self, rows: Rows) -> None:
        """Learn nothing."""


class HistoricalMean(_Constant):
    """The prevailing mean return and the prevailing share of rises."""

    name = "historical_mean"
    card = Card(
        name,
        "none",
        "the mean return and the share of rises of the training rows",
        missing=UNREAD,
        explanation=NOTHING,
        use="always there: what a forecast of the return has to beat",
        doubles=True,
    )

    def learn(self, rows: Rows) -> None:
        """Learn the mean return and how often it was positive."""
        moved = rows.moved()
        self.log_return = rows.mean(rows.y)
        self.probability_up = moved.mean(moved.y > 0) if len(moved) else 0.5


class AlwaysUp(HistoricalMean):
    """Up, always: with the prevailing share of rises, never below one half."""

    name = "always_up"
    card = Card(
        name,
        "none",
        "up, always",
        missing=UNREAD,
        explanation=NOTHING,
        use="always there: what a forecast of the direction has to beat",
        doubles=True,
    )

    def learn(self, rows: Rows) -> None:
        """Learn how often up was right."""
        super().learn(rows)
        self.probability_up = max(self.probability_up, BARELY)


class Momentum(Model):
    """What rose goes on rising: the sign of the past return, as sure as it was right before."""

    name = "momentum"
    card = Card(
        name,
        "none",
        "the sign of the return of 20 sessions, as sure as it was right before",
        missing="abstains where the past return is missing",
        explanation="the sign of one feature, times one size",
        use="always there: the plainest rule that reads the past",
        doubles=True,
    )

    def __init__(self, columns: Sequence[str], feature: str = "return_20") -> None:
        if feature not in columns:
            raise InvalidRequest("model", f"{self.name} reads {feature}, which is not in the view")
        self._position = list(columns).index(feature)

    def learn(self, rows: Rows) -> None:
        """Learn the mean return in the direction of the past one, and how often it came."""
        side = np.sign(np.nan_to_num(rows.part.column(self._position).astype(np.float64)))
        told = (side != 0) & (rows.y != 0)
        right = side[told] == np.sign(rows.y[told])
        hit = rows.of(told).mean(right) if told.any() else 0.5
        self._edge = max(hit - 0.5, BARELY - 0.5)
        self._size = rows.mean(np.abs(rows.y)) * 2 * self._edge

    def packed(self) -> bytes:
        """Return the model as ONNX."""
        from bellwether.models import graph

        n = graph.node
        nodes = [
            n("Gather", [INPUT, "position"], "past", axis=1),
            n("IsNaN", ["past"], "missing"),
            n("Where", ["missing", "zero", "past"], "present"),
            n("Sign", ["present"], "side"),
            n("Mul", ["side", "size"], "log_return"),
            n("Mul", ["side", "edge"], "lean"),
            n("Add", ["lean", "half"], "probability_up"),
        ]
        constants = [
            graph.constant("position", [self._position], np.int64),
            graph.constant("zero", 0.0),
            graph.constant("size", self._size),
            graph.constant("edge", self._edge),
            graph.constant("half", 0.5),
        ]
        packed: bytes = graph.model(nodes, constants, self._n_features).SerializeToString()
        return packed

    def explained(self) -> Explainer:
        """Return how the sign of one feature makes the forecast."""
        sign = np.zeros(self._n_features)
        sign[self._position] = self._size
        return {"base": np.zeros(1), "signs": sign}
