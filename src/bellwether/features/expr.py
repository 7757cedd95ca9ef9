"""A small language in which each feature is written once.

An expression is a column of the adjusted series, a number, a TA-Lib function of expressions, or
arithmetic on them. The history engine and the stream engine read the same expression, so there is
one definition to be right or wrong about. `str(expression)` is the formula.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

COLUMNS: Final = ("open", "high", "low", "close", "volume")

Number: TypeAlias = int | float


@dataclass(frozen=True)
class Expr:
    """A value per session; arithmetic builds new expressions."""

    def __add__(self, other: "Expr | Number") -> "Arith":
        return Arith("+", self, lift(other))

    def __sub__(self, other: "Expr | Number") -> "Arith":
        return Arith("-", self, lift(other))

    def __mul__(self, other: "Expr | Number") -> "Arith":
        return Arith("*", self, lift(other))

    def __truediv__(self, other: "Expr | Number") -> "Arith":
        return Arith("/", self, lift(other))


@dataclass(frozen=True)
class Column(Expr):
    """A column of the forward-adjusted series."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Const(Expr):
    """A number."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Arith(Expr):
    """Exactly rounded arithmetic of two expressions.

    Division by zero gives 0.0, as TA-Lib's own ratios do: an oscillator of a market that stands
    still is neutral, not missing.
    """

    operator: str
    left: Expr
    right: Expr

    def __str__(self) -> str:
        return f"({self.left} {self.operator} {self.right})"


@dataclass(frozen=True)
class Ta(Expr):
    """One output of a TA-Lib function.

    Its inputs are columns, other TA-Lib outputs, or sums and products of them: never a quotient,
    because a recursive indicator would carry a degenerate ratio through all later sessions.
    """

    function: str
    inputs: tuple[Expr, ...]
    params: tuple[tuple[str, Number], ...] = ()
    output: int = 0
    outputs: int = field(default=1)

    def __str__(self) -> str:
        arguments = [str(i) for i in self.inputs] + [f"{k}={v}" for k, v in self.params]
        suffix = f"[{self.output}]" if self.outputs > 1 else ""
        return f"{self.function}({', '.join(arguments)}){suffix}"


def lift(value: "Expr | Number") -> Expr:
    """Turn a number into an expression; leave an expression alone."""
    return value if isinstance(value, Expr) else Const(float(value))


def ta(function: str, *inputs: Expr, output: int = 0, outputs: int = 1, **params: Number) -> Ta:
    """Apply a TA-Lib function by its name, such as ``ta("RSI", CLOSE, timeperiod=14)``."""
    return Ta(function, inputs, tuple(sorted(params.items())), output, outputs)


def children(expression: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly below this one."""
    if isinstance(expression, Ta):
        return expression.inputs
    if isinstance(expression, Arith):
        return (expression.left, expression.right)
    return ()


@cache
def own_lookback(expression: Ta) -> int:
    """Count the inputs that one TA-Lib function needs before its first value."""
    from talib import abstract

    return int(abstract.Function(expression.function, **dict(expression.params)).lookback)  # type: ignore[attr-defined]


@cache
def lookback(expression: Expr) -> int:
    """Count the sessions before the first one that has a value."""
    below = max((lookback(child) for child in children(expression)), default=0)
    if not isinstance(expression, Ta):
        return below
    return below + own_lookback(expression)


def ordered(roots: tuple[Expr, ...]) -> list[Expr]:
    """List every expression below `roots` once, each after those it needs."""
    seen: dict[Expr, None] = {}

    def visit(expression: Expr) -> None:
        if expression in seen:
            return
        for child in children(expression):
            visit(child)
        seen[expression] = None

    for root in roots:
        visit(root)
    return list(seen)
