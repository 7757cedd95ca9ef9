"""Arithmetic that has one result: for a float and for an array, on every machine.

IEEE 754 rounds ``+ - * /`` and the square root exactly, so any sequence of them gives equal bits
whoever runs it, as long as the sequence is the same and no two steps are fused. Libraries' logarithms
are not of that kind (NumPy's for arrays and Python's for a float differ in the last bit); the one
here is written out in such steps, once for floats and once for arrays. It is within 2 units in the
last place of the true value.
"""

import math
from collections.abc import Callable
from operator import add, mul, sub
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Value = Array | float

NAN = float("nan")
_LN2_HIGH = 6.93147180369123816490e-01  # 33 bits, so that its product with an exponent is exact
_LN2_LOW = 1.90821492927058770002e-10
_ROOT_HALF = 0.7071067811865476
_SERIES = tuple(2.0 / k for k in range(23, 1, -2))  # of 2 artanh(s) / s - 2, highest power first


def divide(left: float, right: float) -> float:
    """Divide; by zero gives 0.0."""
    return 0.0 if right == 0.0 else left / right


def log(x: float) -> float:
    """Return the natural logarithm; 0.0 of what is not positive."""
    if x != x:  # noqa: PLR0124
        return x
    if x <= 0.0:
        return 0.0
    m, e = math.frexp(x)
    if m < _ROOT_HALF:
        m, e = m + m, e - 1
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    p = 0.0
    for c in _SERIES:
        p = (p + c) * z
    return e * _LN2_HIGH + (s * (p + 2.0) + e * _LN2_LOW)


def root(x: float) -> float:
    """Return the square root; 0.0 of what is not positive."""
    if x != x:  # noqa: PLR0124
        return x
    return math.sqrt(x) if x > 0.0 else 0.0


def sign(x: float) -> float:
    """Return 1.0, 0.0 or -1.0."""
    if x != x:  # noqa: PLR0124
        return x
    return float((x > 0.0) - (x < 0.0))


def larger(a: float, b: float) -> float:
    """Return the larger; NaN where either is."""
    return a if a > b or a != a else b  # noqa: PLR0124


def smaller(a: float, b: float) -> float:
    """Return the smaller; NaN where either is."""
    return a if a < b or a != a else b  # noqa: PLR0124


def above(a: float, b: float) -> float:
    """Return 1.0 where `a` is above `b`, else 0.0; NaN where either is."""
    if a != a or b != b:  # noqa: PLR0124
        return NAN
    return 1.0 if a > b else 0.0


def divide_arrays(left: Value, right: Value, out: Array | None = None) -> Array:
    """Do as `divide` does."""
    found = np.asarray(np.divide(left, right, out=out))
    zero = np.equal(right, 0.0)
    if np.any(zero):
        np.copyto(found, 0.0, where=zero)
    return found


def log_array(x: Array, out: Array | None = None) -> Array:
    """Do as `log` does, step by step."""
    m, e = np.frexp(x)
    small = m < _ROOT_HALF
    m = np.where(small, m + m, m)
    e = (e - small).astype(np.float64)
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    p = np.zeros_like(z)
    for c in _SERIES:
        p += c
        p *= z
    found: Array = np.add(e * _LN2_HIGH, s * (p + 2.0) + e * _LN2_LOW, out=out)
    np.copyto(found, 0.0, where=x <= 0.0)
    return found


def _root_array(x: Array, out: Array | None = None) -> Array:
    found: Array = np.sqrt(x, out=out)
    np.copyto(found, 0.0, where=x <= 0.0)
    return found


def _above_arrays(a: Value, b: Value, out: Array | None = None) -> Array:
    found = np.asarray(np.greater(a, b, out=out), dtype=np.float64)
    np.copyto(found, NAN, where=np.isnan(a) | np.isnan(b))
    return found


def _larger_arrays(a: Value, b: Value, out: Array | None = None) -> Array:
    return _chosen(np.greater(a, b) | np.isnan(a), a, b, out)


def _smaller_arrays(a: Value, b: Value, out: Array | None = None) -> Array:
    return _chosen(np.less(a, b) | np.isnan(a), a, b, out)


def _chosen(left: Any, a: Value, b: Value, out: Array | None) -> Array:
    if out is None:
        return np.where(left, a, b)
    np.copyto(out, b)
    np.copyto(out, a, where=left)
    return out


FLOAT_PAIRS: dict[str, Callable[[float, float], float]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "/": divide,
    "max": larger,
    "min": smaller,
    "above": above,
}
FLOAT_UNARY: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "sqrt": root,
    "log": log,
    "sign": sign,
}
# of arrays: `out`, where given, is where the result is written; it is none of the arguments
ARRAY_PAIRS: dict[str, Callable[..., Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": divide_arrays,
    "max": _larger_arrays,
    "min": _smaller_arrays,
    "above": _above_arrays,
}
ARRAY_UNARY: dict[str, Callable[..., Array]] = {
    "abs": np.abs,
    "sqrt": _root_array,
    "log": log_array,
    "sign": np.sign,
}
