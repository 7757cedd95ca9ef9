"""A small language in which each feature is written once.

An expression is a column of the adjusted series, a number, a TA-Lib function of expressions,
exactly defined arithmetic on them, a lag, a window, or a look across all symbols of a session. The
history engine and the stream engine run the same program (`program.py`), so there is one
definition to be right or wrong about. `str(expression)` is the formula.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

from bellwether.core.errors import InvalidRequest, UnknownName

COLUMNS: Final = ("open", "high", "low", "close", "volume")

UNARY: Final = ("abs", "sqrt", "log", "sign")
PAIRS: Final = ("max", "min", "above")
WINDOWS: Final = ("sum", "mean", "var", "std", "max", "min")
ACROSS: Final = ("mean", "std", "rank", "z", "sector_mean")

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
        short = f"{self.value:g}"
        return short if float(short) == self.value else repr(self.value)


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


@dataclass(frozen=True)
class Unary(Expr):
    """A function of one value; see `exact.py`: log of what is not positive is 0, so is its root."""

    function: str
    inner: Expr

    def __str__(self) -> str:
        return f"{self.function}({self.inner})"


@dataclass(frozen=True)
class Pair(Expr):
    """The larger or smaller of two values, or 1.0 where the first is above the second, else 0.0."""

    function: str
    left: Expr
    right: Expr

    def __str__(self) -> str:
        return f"{self.function}({self.left}, {self.right})"


@dataclass(frozen=True)
class Lag(Expr):
    """The value `sessions` sessions ago."""

    inner: Expr
    sessions: int

    def __str__(self) -> str:
        return f"lag({self.inner}, {self.sessions})"


@dataclass(frozen=True)
class Window(Expr):
    """A figure of the last `sessions` values and of nothing older; variances are of the population.

    Unlike TA-Lib's running sums it carries no rounding along: a session that has left the window
    has left the number.
    """

    function: str
    inner: Expr
    sessions: int

    def __str__(self) -> str:
        return f"{self.function}_{self.sessions}({self.inner})"


@dataclass(frozen=True)
class Across(Expr):
    """A figure of one session over all symbols that are in the section (`section.py`).

    "mean" and "std" are one number for the session; "rank" (0 the lowest, 1 the highest, ties in
    the middle), "z" and "sector_mean" are the symbol's own, NaN where it is not in the section.
    """

    function: str
    inner: Expr

    def __str__(self) -> str:
        return f"across_{self.function}({self.inner})"


def lift(value: "Expr | Number") -> Expr:
    """Turn a number into an expression; leave an expression alone."""
    return value if isinstance(value, Expr) else Const(float(value))


def ta(function: str, *inputs: Expr, output: int = 0, outputs: int = 1, **params: Number) -> Ta:
    """Apply a TA-Lib function by its name, such as ``ta("RSI", CLOSE, timeperiod=14)``."""
    return Ta(function, inputs, tuple(sorted(params.items())), output, outputs)


def lag(inner: Expr, sessions: int) -> Lag:
    """Look back; at least one session."""
    return Lag(inner, _size(sessions, 1))


def window(function: str, inner: Expr, sessions: int) -> Window:
    """Look at the last `sessions` values, such as ``window("mean", CLOSE, 20)``."""
    return Window(_known(function, WINDOWS), inner, _size(sessions, 1))


def unary(function: str, inner: Expr) -> Unary:
    """Apply "abs", "sqrt", "log" or "sign"."""
    return Unary(_known(function, UNARY), inner)


def pair(function: str, left: "Expr | Number", right: "Expr | Number") -> Pair:
    """Apply "max", "min" or "above"."""
    return Pair(_known(function, PAIRS), lift(left), lift(right))


def across(function: str, inner: Expr) -> Across:
    """Look across the section of each session."""
    return Across(_known(function, ACROSS), inner)


def _known(name: str, names: tuple[str, ...]) -> str:
    if name not in names:
        raise UnknownName("function", name, names)
    return name


def _size(sessions: int, least: int) -> int:
    if isinstance(sessions, bool) or not isinstance(sessions, int) or sessions < least:
        raise InvalidRequest("sessions", f"{sessions!r} is not a whole number from {least} on")
    return sessions


def children(expression: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly below this one."""
    if isinstance(expression, Ta):
        return expression.inputs
    if isinstance(expression, Arith | Pair):
        return (expression.left, expression.right)
    if isinstance(expression, Unary | Lag | Window | Across):
        return (expression.inner,)
    return ()


@cache
def own_lookback(expression: Expr) -> int:
    """Count the earlier values that one function needs before its first own."""
    if isinstance(expression, Lag):
        return expression.sessions
    if isinstance(expression, Window):
        return expression.sessions - 1
    if not isinstance(expression, Ta):
        return 0
    return talib_lookback(expression.function, expression.params)


@cache
def talib_lookback(function: str, params: tuple[tuple[str, Number], ...]) -> int:
    """Count the inputs that a TA-Lib function needs before its first value."""
    from talib import abstract

    return int(abstract.Function(function, **dict(params)).lookback)  # type: ignore[attr-defined]


@cache
def lookback(expression: Expr) -> int:
    """Count the sessions before the first one that has a value."""
    below = max((lookback(child) for child in children(expression)), default=0)
    return below + own_lookback(expression)


def is_plain(expression: Expr) -> bool:
    """Tell whether a formula is of columns, numbers, TA-Lib and arithmetic alone."""
    return all(isinstance(e, Column | Const | Ta | Arith) for e in ordered((expression,)))


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
