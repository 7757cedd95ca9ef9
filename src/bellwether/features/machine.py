"""A program run one session at a time: the state of every lag and every TA-Lib function."""

from array import array
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from bellwether.features.exact import FLOAT_PAIRS, FLOAT_UNARY, NAN
from bellwether.features.expr import talib_lookback
from bellwether.features.program import Program, Step

Array = npt.NDArray[np.float64]
Do = Callable[[], None]


class _Handle(Protocol):
    value: float | tuple[float, ...]

    def update(self, *bar: float) -> float | tuple[float, ...]: ...


class Machine:
    """One symbol's state. Not thread-safe: its sessions come in order through one caller."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._values: list[Any] = [NAN] * len(program.steps)
        self._columns = [i for i, s in enumerate(program.steps) if s.do == "column"]
        self._steps: list[Do] = []
        self._place: dict[int, int] = {}
        self._rings: dict[int, list[float]] = {}
        self._turns: dict[int, list[int]] = {}
        for at, step in enumerate(program.steps):
            self._lay(at, step)
        self._pick = _picker(program.outputs)
        self._longest = max(program.warm_ups, default=0)
        self.sessions = 0

    def advance(self, inputs: Sequence[float]) -> Array:
        """Take the columns of one session, in the program's order, and return its outputs."""
        values = self._values
        for at, x in zip(self._columns, inputs, strict=True):
            values[at] = x
        for do in self._steps:
            do()
        self.sessions += 1
        out: Array = np.frombuffer(array("d", self._pick(values)))
        if self.sessions <= self._longest:
            out[[w >= self.sessions for w in self._program.warm_ups]] = NAN
        return out

    def load(self, values: Sequence[Any], n: int) -> None:
        """Take the state after `n` sessions from what each step gave in history."""
        for at, step in enumerate(self._program.steps):
            if step.do == "lag":
                self._load_lag(at, values[step.args[0]], n)
            elif step.do == "ta":
                self._load_talib(at, step, [values[i] for i in step.args], n)
            if step.do != "const" and n:
                said = values[at]
                last = tuple(float(x[-1]) for x in said) if isinstance(said, tuple) else said[-1]
                self._values[at] = last if isinstance(last, tuple) else float(last)
        self.sessions = n

    def state(self) -> bytes:
        """Return what every step gave last and every lag holds, for comparison."""
        flat: list[float] = []
        for value in self._values:
            flat += value if isinstance(value, tuple) else (value,)
        for at, ring in self._rings.items():
            turn = self._turns[at][0]
            flat += ring[turn:] + ring[:turn]
        told = np.array([*flat, float(self.sessions)], dtype="<f8")
        told[np.isnan(told)] = NAN
        return told.tobytes()

    def _lay(self, at: int, step: Step) -> None:
        values = self._values
        if step.do == "const":
            values[at] = step.how
            return
        if step.do == "column":
            return
        self._place[at] = len(self._steps)
        if step.do == "lag":
            self._steps.append(self._lag(at, step))
        elif step.do == "ta":
            self._steps.append(self._waiting(at, step, []))
        else:
            self._steps.append(_plain(values, at, step))

    def _lag(self, at: int, step: Step) -> Do:
        values, (x,), size = self._values, step.args, int(str(step.how))
        ring = self._rings[at] = [NAN] * size
        turn = self._turns[at] = [0]

        def do() -> None:
            i = turn[0]
            values[at] = ring[i]
            ring[i] = values[x]
            turn[0] = i + 1 if i + 1 < size else 0

        return do

    def _waiting(self, at: int, step: Step, held: list[tuple[float, ...]]) -> Do:
        """Gather inputs until the function has its lookback, then open its handle in place."""
        values, args = self._values, step.args
        function, params, outputs = _talib(step)
        need = talib_lookback(function, params) + 1
        values[at] = NAN if outputs == 1 else (NAN,) * outputs

        def do() -> None:
            inputs = tuple(values[i] for i in args)
            if any(x != x for x in inputs):  # noqa: PLR0124  (NaN: an input still warms up)
                return
            held.append(inputs)
            if len(held) == need:
                self._open(at, step, [np.array(c) for c in zip(*held, strict=True)])

        return do

    def _open(self, at: int, step: Step, arrays: list[Array]) -> None:
        from talib import stream

        function, params, _ = _talib(step)
        handle = cast(_Handle, getattr(stream, function)(*arrays, **dict(params)))
        self._values[at] = handle.value
        self._steps[self._place[at]] = _live(self._values, at, step.args, handle.update)

    def _load_lag(self, at: int, values: Array, n: int) -> None:
        ring = self._rings[at]
        size = len(ring)
        tail = [float(x) for x in values[max(n - size, 0) :]] if n else []
        ring[:] = [NAN] * (size - len(tail)) + tail
        self._turns[at][0] = 0

    def _load_talib(self, at: int, step: Step, inputs: list[Array], n: int) -> None:
        function, params, _ = _talib(step)
        known = np.flatnonzero(~np.any([np.isnan(i) for i in inputs], axis=0))
        first = int(known[0]) if known.size else n
        arrays = [np.ascontiguousarray(i[first:]) for i in inputs]
        if n - first > talib_lookback(function, params):
            self._open(at, step, arrays)
            return
        held = [tuple(float(x) for x in row) for row in zip(*arrays, strict=True)]
        self._steps[self._place[at]] = self._waiting(at, step, held)


def _talib(step: Step) -> tuple[str, tuple[tuple[str, int | float], ...], int]:
    return cast("tuple[str, tuple[tuple[str, int | float], ...], int]", step.how)


def _picker(outputs: tuple[int, ...]) -> Callable[[list[Any]], Any]:
    if len(outputs) == 1:
        return itemgetter(slice(outputs[0], outputs[0] + 1))
    return itemgetter(*outputs)


def _plain(values: list[Any], at: int, step: Step) -> Do:
    if step.do == "unary":
        of_one, (x,) = FLOAT_UNARY[str(step.how)], step.args

        def unary() -> None:
            values[at] = of_one(values[x])

        return unary
    if step.do == "pick":
        (x,), output = step.args, int(str(step.how))

        def pick() -> None:
            values[at] = values[x][output]

        return pick
    return _pair(values, at, str(step.how), *step.args)


def _pair(values: list[Any], at: int, how: str, x: int, y: int) -> Do:
    """Return the step of two values; the four common ones are written out, being the most."""

    def plus() -> None:
        values[at] = values[x] + values[y]

    def minus() -> None:
        values[at] = values[x] - values[y]

    def times() -> None:
        values[at] = values[x] * values[y]

    def over() -> None:
        right = values[y]
        values[at] = 0.0 if right == 0.0 else values[x] / right

    written = {"+": plus, "-": minus, "*": times, "/": over}
    if how in written:
        return written[how]
    of_two = FLOAT_PAIRS[how]

    def other() -> None:
        values[at] = of_two(values[x], values[y])

    return other


def _live(values: list[Any], at: int, args: tuple[int, ...], update: Callable[..., Any]) -> Do:
    """Return the step of an open handle; one shape an arity, since this is where time goes."""
    if len(args) == 1:
        (a,) = args

        def one() -> None:
            values[at] = update(values[a])

        return one
    if len(args) == 3:  # noqa: PLR2004
        a, b, c = args

        def three() -> None:
            values[at] = update(values[a], values[b], values[c])

        return three

    def any_number() -> None:
        values[at] = update(*[values[i] for i in args])

    return any_number
