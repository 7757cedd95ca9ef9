"""The stream engine: one bar in, one vector out, the same bits as the history engine.

Indicators carry their state in TA-Lib's streaming handles, opened at the symbol's first bar. The
state is not saved: after a restart it is rebuilt by replaying the history, milliseconds a symbol.
"""

from typing import Protocol

import numpy as np

from bellwether.core.calendar import SessionCalendar
from bellwether.core.types import Bar
from bellwether.features.adjust import AdjustedBar, ForwardAdjuster
from bellwether.features.catalog import FeatureView
from bellwether.features.expr import Arith, Column, Const, Expr, Ta, ordered, own_lookback

NAN = float("nan")


class _Handle(Protocol):
    value: float | tuple[float, ...]

    def update(self, *bar: float) -> float | tuple[float, ...]: ...


class _Indicator:
    """One TA-Lib function fed bar by bar; it opens as soon as it has its lookback."""

    def __init__(self, expression: Ta) -> None:
        from talib import stream

        self._open = getattr(stream, expression.function)
        self._params = dict(expression.params)
        self._need = own_lookback(expression) + 1
        self._waiting: list[tuple[float, ...]] | None = []
        self._missing = (NAN,) * expression.outputs
        self._handle: _Handle

    def push(self, inputs: tuple[float, ...]) -> tuple[float, ...]:
        if self._waiting is None:
            return _many(self._handle.update(*inputs))
        if any(value != value for value in inputs):  # noqa: PLR0124  (NaN: an input still warms up)
            return self._missing
        self._waiting.append(inputs)
        if len(self._waiting) < self._need:
            return self._missing
        arrays = [np.array(column) for column in zip(*self._waiting, strict=True)]
        self._handle = self._open(*arrays, **self._params)
        self._waiting = None
        return _many(self._handle.value)


def _many(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,)


def _arithmetic(operator: str, left: float, right: float) -> float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return 0.0 if right == 0.0 else left / right


class StreamEngine:
    """The features of one symbol, bar by bar from its first.

    Not thread-safe: one symbol's bars arrive in order through one caller.
    """

    def __init__(self, view: FeatureView, calendar: SessionCalendar) -> None:
        self._adjuster = ForwardAdjuster(calendar)
        self._features = tuple(f.expression for f in view.features)
        self._program = ordered(self._features)
        self._indicators: dict[tuple[object, ...], _Indicator] = {}
        for e in self._program:
            if isinstance(e, Ta):
                self._indicators.setdefault((e.function, e.inputs, e.params), _Indicator(e))

    def push(self, bar: Bar) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Take one bar and return the vector after it, an array of shape (n_features,).

        NaN in a feature's warm-up and nowhere else. Sessions missing since the last bar are
        carried first, as in history.

        Raises
        ------
        SchemaViolation
            If the bar is not later than the last one.
        """
        vector = np.empty(0)
        for adjusted in self._adjuster.push(bar):
            vector = self._step(adjusted)
        return vector

    def _step(self, bar: AdjustedBar) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        values: dict[Expr, float] = {}
        outputs: dict[tuple[object, ...], tuple[float, ...]] = {}
        for e in self._program:
            if isinstance(e, Ta):
                key = (e.function, e.inputs, e.params)
                if key not in outputs:
                    outputs[key] = self._indicators[key].push(tuple(values[i] for i in e.inputs))
                values[e] = outputs[key][e.output]
            elif isinstance(e, Arith):
                values[e] = _arithmetic(e.operator, values[e.left], values[e.right])
            elif isinstance(e, Column):
                values[e] = getattr(bar, e.name)
            elif isinstance(e, Const):
                values[e] = e.value
        return np.array([values[f] for f in self._features])
