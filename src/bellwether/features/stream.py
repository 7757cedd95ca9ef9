"""The stream engine: one bar in, one vector out, the same bits as the history engine.

Indicators carry their state in TA-Lib's streaming handles, opened at the symbol's first bar. The
state is not saved: after a restart it is rebuilt by replaying the history, milliseconds a symbol.
"""

from collections.abc import Callable
from operator import add, attrgetter, mul, sub
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


def _ratio(left: float, right: float) -> float:
    return 0.0 if right == 0.0 else left / right


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "/": _ratio,
}

Step = Callable[[list[float], AdjustedBar], float]


class StreamEngine:
    """The features of one symbol, bar by bar from its first.

    The view's expressions are laid out once as a list of steps that read each other by position.
    Not thread-safe: one symbol's bars arrive in order through one caller.
    """

    def __init__(self, view: FeatureView, calendar: SessionCalendar) -> None:
        self._adjuster = ForwardAdjuster(calendar)
        self._refused = view.refused
        roots = tuple(f.expression for f in view.features)
        program = ordered(roots)
        at = {expression: i for i, expression in enumerate(program)}
        self._features = [at[root] for root in roots]
        self._slots: dict[tuple[object, ...], int] = {}
        self._latest: list[tuple[float, ...]] = []
        self._steps = [self._compile(expression, at) for expression in program]

    def push(self, bar: Bar) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Take one bar and return the vector after it, an array of shape (n_features,).

        NaN in a feature's warm-up and where the bars arrived adjusted and cannot tell it.
        Sessions missing since the last bar are carried first, as in history.

        Raises
        ------
        SchemaViolation
            If the bar is not later than the last one.
        """
        values: list[float] = []
        for adjusted in self._adjuster.push(bar):
            values = []
            for step in self._steps:
                values.append(step(values, adjusted))
        vector = np.array([values[i] for i in self._features])
        vector[list(self._refused[self._adjuster.adjustment])] = NAN
        return vector

    def _compile(self, expression: Expr, at: dict[Expr, int]) -> Step:
        if isinstance(expression, Column):
            read = attrgetter(expression.name)
            return lambda _values, bar: read(bar)
        if isinstance(expression, Const):
            number = expression.value
            return lambda _values, _bar: number
        if isinstance(expression, Arith):
            apply = ARITHMETIC[expression.operator]
            left, right = at[expression.left], at[expression.right]
            return lambda values, _bar: apply(values[left], values[right])
        if isinstance(expression, Ta):
            return self._compile_ta(expression, at)
        raise TypeError(type(expression))

    def _compile_ta(self, expression: Ta, at: dict[Expr, int]) -> Step:
        """Lay out one output; the first output of a function also feeds it the bar."""
        key = (expression.function, expression.inputs, expression.params)
        latest, output = self._latest, expression.output
        if key in self._slots:
            known = self._slots[key]
            return lambda _values, _bar: latest[known][output]
        slot = self._slots[key] = len(latest)
        latest.append(())
        indicator = _Indicator(expression)
        inputs = [at[i] for i in expression.inputs]

        def feed(values: list[float], _bar: AdjustedBar) -> float:
            latest[slot] = said = indicator.push(tuple([values[i] for i in inputs]))
            return said[output]

        return feed
