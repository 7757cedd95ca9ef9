"""Arithmetic that has one result: for a float and for an array, on every machine.

IEEE 754 rounds ``+ - * /`` and the square root exactly, so any sequence of them gives equal bits
whoever runs it, as long as the sequence is the same and no two steps are fused. Libraries' logarithms
are not of that kind (NumPy's for arrays and Python's for a float differ in the last bit); the one
here is written out in such steps, for arrays here and for one value in `tape.py`. It is within 2
units in the last place of the true value.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Value = Array | float

NAN = float("nan")
LN2_HIGH = 6.93147180369123816490e-01  # 33 bits, so that its product with an exponent is exact
LN2_LOW = 1.90821492927058770002e-10
ROOT_HALF = 0.7071067811865476
SERIES = tuple(2.0 / k for k in range(23, 1, -2))  # of 2 artanh(s) / s - 2, highest power first


def divide_arrays(left: Value, right: Value, out: Array | None = None) -> Array:
    """Divide; by zero gives 0.0."""
    found = np.asarray(np.divide(left, right, out=out))
    zero = np.equal(right, 0.0)
    if np.any(zero):
        np.copyto(found, 0.0, where=zero)
    return found


def log_array(x: Array, out: Array | None = None) -> Array:
    """Return the natural logarithm; 0.0 of what is not positive."""
    m, e = np.frexp(x)
    small = m < ROOT_HALF
    m = np.where(small, m + m, m)
    e = (e - small).astype(np.float64)
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    p = np.zeros_like(z)
    for c in SERIES:
        p += c
        p *= z
    found: Array = np.add(e * LN2_HIGH, s * (p + 2.0) + e * LN2_LOW, out=out)
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


# `out`, where given, is where the result is written; it is none of the arguments
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
