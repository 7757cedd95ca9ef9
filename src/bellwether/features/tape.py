"""The exact steps of a program, one session at a time, as one compiled loop over a table.

`memory` holds what each step gave last, then the values that lags hold; the table says for each
step what to do with which places. One loop serves every program, so it is compiled once.
"""

import math

import numpy as np
import numpy.typing as npt

from bellwether.features.compiler import compiled
from bellwether.features.exact import LN2_HIGH, LN2_LOW, ROOT_HALF, SERIES

Array = npt.NDArray[np.float64]
Table = npt.NDArray[np.int64]

PLUS, MINUS, TIMES, OVER, LARGER, SMALLER, ABOVE = range(7)
ABS, ROOT, LOG, SIGN = range(7, 11)
THIRD, COPY, LAG, CHANGE, RISE = range(11, 16)
CODES = {
    "+": PLUS,
    "-": MINUS,
    "*": TIMES,
    "/": OVER,
    "max": LARGER,
    "min": SMALLER,
    "above": ABOVE,
    "abs": ABS,
    "sqrt": ROOT,
    "log": LOG,
    "sign": SIGN,
}
FROM_TALIB = {"ROCP": RISE, "MOM": CHANGE, "TYPPRICE": THIRD}
"""What TA-Lib computes in a step or two that are exact, without a state of its own."""

DO, X, Y, Z, TO, RING, SIZE, TURN = range(8)
"""Columns of the table: the code, up to three places read, the place written, and a ring of
values held: where it starts, how many it holds, and which one is the oldest. CHANGE is x less
its lag, RISE is that over the lag, THIRD the mean of three."""


@compiled
def _log(x: float) -> float:
    if x != x:  # noqa: PLR0124
        return x
    if x <= 0.0:
        return 0.0
    m, e = math.frexp(x)
    if m < ROOT_HALF:
        m, e = m + m, e - 1
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    p = 0.0
    for c in SERIES:
        p = (p + c) * z
    return e * LN2_HIGH + (s * (p + 2.0) + e * LN2_LOW)


@compiled
def of_two(do: int, x: float, y: float) -> float:  # noqa: PLR0911
    """Do what has two values; division by zero gives 0, NaN is passed on."""
    if do == PLUS:
        return x + y
    if do == MINUS:
        return x - y
    if do == TIMES:
        return x * y
    if do == OVER:
        return 0.0 if y == 0.0 else x / y
    if do == LARGER:
        return x if x > y or x != x else y  # noqa: PLR0124
    if do == SMALLER:
        return x if x < y or x != x else y  # noqa: PLR0124
    if x != x or y != y:  # noqa: PLR0124
        return math.nan
    return 1.0 if x > y else 0.0


@compiled
def of_one(do: int, x: float) -> float:
    """Do what has one value; log of what is not positive is 0, so is its root."""
    if do == ABS:
        return abs(x)
    if do == LOG:
        return _log(x)
    if x != x:  # noqa: PLR0124
        return x
    if do == ROOT:
        return math.sqrt(x) if x > 0.0 else 0.0
    return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0)


@compiled
def _of_ring(table: Table, memory: Array, row: int, x: float) -> float:
    turn = table[row, TURN]
    at = table[row, RING] + turn
    old: float = memory[at]
    memory[at] = x
    table[row, TURN] = turn + 1 if turn + 1 < table[row, SIZE] else 0
    if table[row, DO] == LAG:
        return old
    change: float = x - old
    if table[row, DO] == CHANGE:
        return change
    return 0.0 if old == 0.0 else change / old


@compiled
def play(table: Table, memory: Array, first: int, last: int) -> None:
    """Do rows `first` to `last` of `table` for one session."""
    for row in range(first, last):
        do, x = table[row, DO], memory[table[row, X]]
        if do <= ABOVE:
            told = of_two(do, x, memory[table[row, Y]])
        elif do <= SIGN:
            told = of_one(do, x)
        elif do == THIRD:
            told = (x + memory[table[row, Y]] + memory[table[row, Z]]) / 3.0
        elif do == COPY:
            told = x
        else:
            told = _of_ring(table, memory, row, x)
        memory[table[row, TO]] = told
