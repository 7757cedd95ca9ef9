"""Expressions laid out as one list of steps, which both engines run.

Equal steps are written once, so features share what they have in common. A window becomes lags and
exactly rounded steps: the sum of the last eight values is the sum of the last four plus that of the
four before, and so on, in this one order; so history and stream add alike, and what has left the
window is gone from the number.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property

from bellwether.features.expr import (
    Across,
    Arith,
    Column,
    Const,
    Expr,
    Lag,
    Pair,
    Ta,
    Unary,
    Window,
    lookback,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do, with the results of which steps.

    `do` is "column" (`how` is its name), "const" (its value), "lag" (sessions), "ta" (function and
    parameters), "pick" (one output of several), "unary" or "pair" (name of the function).
    """

    do: str
    args: tuple[int, ...]
    how: Hashable


@dataclass(frozen=True)
class Program:
    """Steps in an order in which each comes after those it reads.

    `outputs` are the steps whose results are asked for, `warm_ups` the sessions before each has a
    value: NaN in those, whatever the steps gave. `columns` are the columns that are read.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    warm_ups: tuple[int, ...]

    @cached_property
    def done(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """For each step the outputs it gives, and the steps whose results nobody reads after it."""
        last = {at: at for at in range(len(self.steps))}
        for at, step in enumerate(self.steps):
            last |= dict.fromkeys(step.args, at)
        given = [tuple(i for i, o in enumerate(self.outputs) if o == at) for at in last]
        spent: list[list[int]] = [[] for _ in self.steps]
        for at, by in last.items():
            spent[by].append(at)
        return tuple((g, tuple(s)) for g, s in zip(given, spent, strict=True))

    @cached_property
    def picks(self) -> dict[tuple[int, int], int]:
        """For each step and each of its outputs that is read, the step that picks it."""
        picked = ((at, s) for at, s in enumerate(self.steps) if s.do == "pick")
        return {(s.args[0], int(str(s.how))): at for at, s in picked}

    @cached_property
    def mates(self) -> dict[int, dict[str, int]]:
        """For each TA-Lib step the steps of the same inputs and parameters, by function."""
        alike: dict[Hashable, dict[str, int]] = {}
        found = {}
        for at, step in enumerate(self.steps):
            if step.do == "ta" and isinstance(step.how, tuple):
                function, params, _ = step.how
                found[at] = alike.setdefault((step.args, params), {})
                found[at][function] = at
        return found

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are read."""
        return tuple(str(s.how) for s in self.steps if s.do == "column")


def compiled(roots: Iterable[Expr]) -> Program:
    """Lay out `roots`. A look across the section is a column here: someone else computes it."""
    wanted = tuple(roots)
    writer = _Writer()
    outputs = tuple(writer.write(root) for root in wanted)
    return Program(tuple(writer.steps), outputs, tuple(lookback(root) for root in wanted))


class _Writer:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._at: dict[Step, int] = {}
        self._known: dict[Expr, int] = {}

    def write(self, expression: Expr) -> int:
        if expression not in self._known:
            self._known[expression] = self._lower(expression)
        return self._known[expression]

    def _step(self, do: str, how: Hashable, *args: int) -> int:
        step = Step(do, args, how)
        if step not in self._at:
            self._at[step] = len(self.steps)
            self.steps.append(step)
        return self._at[step]

    def _lower(self, expression: Expr) -> int:
        if isinstance(expression, Column):
            return self._step("column", expression.name)
        if isinstance(expression, Across):
            return self._step("column", str(expression))
        if isinstance(expression, Const):
            return self._step("const", expression.value)
        if isinstance(expression, Arith | Pair):
            how = expression.operator if isinstance(expression, Arith) else expression.function
            return self._step(
                "pair", how, self.write(expression.left), self.write(expression.right)
            )
        return self._lower_function(expression)

    def _lower_function(self, expression: Expr) -> int:
        if isinstance(expression, Unary):
            return self._step("unary", expression.function, self.write(expression.inner))
        if isinstance(expression, Lag):
            return self._lag(self.write(expression.inner), expression.sessions)
        if isinstance(expression, Window):
            inner = self.write(expression.inner)
            return self._window(expression.function, inner, expression.sessions)
        if isinstance(expression, Ta):
            inputs = [self.write(i) for i in expression.inputs]
            how = (expression.function, expression.params, expression.outputs)
            at = self._step("ta", how, *inputs)
            return at if expression.outputs == 1 else self._step("pick", expression.output, at)
        raise TypeError(type(expression))

    def _lag(self, x: int, sessions: int) -> int:
        return x if sessions == 0 else self._step("lag", sessions, x)

    def _window(self, function: str, x: int, n: int) -> int:
        if function in ("max", "min"):
            return self._extreme(function, x, n)
        total = self._sum(x, n)
        if function == "sum":
            return total
        size = self._step("const", float(n))
        mean = self._step("pair", "/", total, size)
        if function == "mean":
            return mean
        squares = self._step("pair", "/", self._sum(self._step("pair", "*", x, x), n), size)
        spread = self._step("pair", "-", squares, self._step("pair", "*", mean, mean))
        variance = self._step("pair", "max", spread, self._step("const", 0.0))
        return variance if function == "var" else self._step("unary", "sqrt", variance)

    def _sum(self, x: int, n: int) -> int:
        blocks = self._blocks("+", x, n)
        total, behind = -1, 0
        for size in sorted(blocks, reverse=True):
            if n & size:
                piece = self._lag(blocks[size], behind)
                total = piece if total < 0 else self._step("pair", "+", total, piece)
                behind += size
        return total

    def _extreme(self, function: str, x: int, n: int) -> int:
        blocks = self._blocks(function, x, n)
        size = max(blocks)
        if size == n:
            return blocks[size]
        return self._step("pair", function, blocks[size], self._lag(blocks[size], n - size))

    def _blocks(self, how: str, x: int, n: int) -> dict[int, int]:
        """Write the figure of the last 1, 2, 4, ... values, up to the largest that fits in `n`."""
        blocks, size = {1: x}, 1
        while size * 2 <= n:
            below = blocks[size]
            size *= 2
            blocks[size] = self._step("pair", how, below, self._lag(below, size // 2))
        return blocks
