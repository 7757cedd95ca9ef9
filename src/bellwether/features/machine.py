"""A program run one session at a time: the state of every lag and every TA-Lib function."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from bellwether.features.exact import NAN
from bellwether.features.expr import talib_lookback
from bellwether.features.program import Program, Step
from bellwether.features.schedule import Layout, layout

Array = npt.NDArray[np.float64]
Do = Callable[[], None]


class _Handle(Protocol):
    value: float | tuple[float, ...]

    def update(self, *bar: float) -> float | tuple[float, ...]: ...


class Machine:
    """One symbol's state. Not thread-safe: its sessions come in order through one caller.

    TA-Lib's functions keep their state in its handles; all other steps are rows of a table that one
    compiled loop goes through (`tape.py`).
    """

    def __init__(self, program: Program) -> None:
        from bellwether.features.tape import play

        self._program = program
        self._layout: Layout = layout(program)
        self._table = self._layout.table.copy()
        self._memory = self._layout.memory.copy()
        self._view: Any = memoryview(cast(Any, self._memory))
        self._given: list[float] = [NAN] * len(program.steps)
        self._columns = [i for i, s in enumerate(program.steps) if s.do == "column"]
        self._steps: list[Do] = []
        self._place: dict[int, int] = {}
        table, memory = self._table, self._memory
        for part in self._layout.parts:
            if isinstance(part, int):
                self._place[part] = len(self._steps)
                self._steps.append(self._waiting(part, program.steps[part], []))
            else:
                first, last = part
                self._steps.append(partial(play, table, memory, first, last))
        self._longest = max(program.warm_ups, default=0)
        self.sessions = 0

    def advance(self, inputs: Sequence[float]) -> Array:
        """Take the columns of one session, in the program's order, and return its outputs."""
        view, given = self._view, self._given
        for at, x in zip(self._columns, inputs, strict=True):
            given[at] = view[at] = x
        for do in self._steps:
            do()
        self.sessions += 1
        out: Array = self._memory[self._layout.outputs :].copy()
        if self.sessions <= self._longest:
            out[[w >= self.sessions for w in self._program.warm_ups]] = NAN
        return out

    def load(self, values: Sequence[Any], n: int) -> None:
        """Take the state after `n` sessions from what each step gave in history."""
        for at, step in enumerate(self._program.steps):
            if at in self._place:
                self._load_talib(at, step, [values[i] for i in step.args], n)
            if at in self._layout.rings:
                self._load_ring(at, values[step.args[0]], n)
            if step.do != "const" and n and not isinstance(values[at], tuple):
                self._memory[at] = values[at][-1]
        self.sessions = n

    def state(self) -> bytes:
        """Return what every step gave last and every lag holds, for comparison."""
        held = [self._memory[: len(self._program.steps)]]
        for row, start, size in self._layout.rings.values():
            held.append(
                np.roll(self._memory[start : start + size], -self._layout.turn(self._table, row))
            )
        told = np.concatenate([*held, [float(self.sessions)]]).astype("<f8")
        told[np.isnan(told)] = NAN
        return told.tobytes()

    def _waiting(self, at: int, step: Step, held: list[tuple[float, ...]]) -> Do:
        """Gather inputs until the function has its lookback, then open its handle in place."""
        source, args = self._source(step), step.args
        function, params, _ = _talib(step)
        need = talib_lookback(function, params) + 1

        def do() -> None:
            inputs = tuple(source[i] for i in args)
            if any(x != x for x in inputs):  # noqa: PLR0124  (NaN: an input still warms up)
                return
            held.append(inputs)
            if len(held) == need:
                self._open(at, step, [np.array(c) for c in zip(*held, strict=True)])

        return do

    def _source(self, step: Step) -> Any:
        """Return where a function reads: columns from a list, which is the fastest."""
        columns = all(self._program.steps[i].do == "column" for i in step.args)
        return self._given if columns else self._view

    def _open(self, at: int, step: Step, arrays: list[Array]) -> None:
        from talib import stream

        function, params, outputs = _talib(step)
        handle = cast(_Handle, getattr(stream, function)(*arrays, **dict(params)))
        if outputs == 1:
            self._view[at] = handle.value
            do = _one_result(self._source(step), step.args, self._view, at, handle.update)
        else:
            picks = [(self._program.picks.get((at, k)), k) for k in range(outputs)]
            wanted = [(to, k) for to, k in picks if to is not None]
            do = _results(self._source(step), step.args, self._view, wanted, handle.update)
            for to, k in wanted:
                self._view[to] = cast("tuple[float, ...]", handle.value)[k]
        self._steps[self._place[at]] = do

    def _load_ring(self, at: int, values: Array, n: int) -> None:
        row, start, size = self._layout.rings[at]
        tail = values[max(n - size, 0) : n]
        ring = self._memory[start : start + size]
        ring[:] = NAN
        ring[size - len(tail) :] = tail
        self._layout.turn_back(self._table, row)

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


def _one_result(
    source: Any, args: tuple[int, ...], view: Any, to: int, update: Callable[..., Any]
) -> Do:
    """Return the step of an open handle; written out, since this is where time goes."""
    if len(args) == 1:
        (a,) = args

        def one() -> None:
            view[to] = update(source[a])

        return one
    read = itemgetter(*args)

    def many() -> None:
        view[to] = update(*read(source))

    return many


def _results(
    source: Any,
    args: tuple[int, ...],
    view: Any,
    wanted: list[tuple[int, int]],
    update: Callable[..., Any],
) -> Do:
    read = (
        itemgetter(args[0], *args[1:]) if len(args) > 1 else itemgetter(slice(args[0], args[0] + 1))
    )

    def several() -> None:
        told = update(*read(source))
        for to, k in wanted:
            view[to] = told[k]

    return several
