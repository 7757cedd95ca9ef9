"""Several calls of TA-Lib in one go, without the interpreter in between.

Two threads that each come back to the interpreter every twenty microseconds wait for each other most
of the time. Here a thread writes down a list of calls, and one compiled loop makes them all without
the interpreter's lock.

All calls have one shape: fourteen integers, then two reals. By the calling conventions of Linux on
x86-64 and on 64-bit ARM integers (which pointers are) and reals travel separately, each in their
order, and what a function does not ask for does no harm. Elsewhere the calls are made one by one.
"""

import platform
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.core.cgutils import ir
from numba.extending import intrinsic

from bellwether.core.errors import InvalidRequest
from bellwether.features.compiler import compiled
from bellwether.features.talib_call import REALS, WHOLES, Call, Native, address

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
USABLE = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")


@intrinsic  # type: ignore[untyped-decorator]
def _call(_context: Any, address: Any, whole: Any, real: Any) -> tuple[Any, Callable[..., Any]]:
    """Call the function at `address` with tuples of arguments; compiled into the loop below."""
    shape = ir.FunctionType(ir.IntType(32), [ir.IntType(64)] * WHOLES + [ir.DoubleType()] * REALS)

    def generate(_target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        function = builder.inttoptr(args[0], shape.as_pointer())
        flat = [builder.extract_value(args[1], i) for i in range(WHOLES)]
        flat += [builder.extract_value(args[2], i) for i in range(REALS)]
        return builder.call(function, flat)

    return types.int32(address, whole, real), generate


@compiled
def call_all(functions: Whole, whole: Whole, real: Real) -> int:
    """Make the calls in order; return which one failed, or -1.

    Parameters
    ----------
    functions : ndarray of int64 of shape (n,)
        Addresses.
    whole, real : ndarray of shape (n, 14) and (n, 2)
        Arguments; what is not needed is 0.
    """
    for i in range(len(functions)):
        w, r = whole[i], real[i]
        told = _call(
            functions[i],
            (
                w[0],
                w[1],
                w[2],
                w[3],
                w[4],
                w[5],
                w[6],
                w[7],
                w[8],
                w[9],
                w[10],
                w[11],
                w[12],
                w[13],
            ),
            (r[0], r[1]),
        )
        if told != 0:
            return i
    return -1


def run(calls: Sequence[tuple[Native, Call]]) -> None:
    """Make the calls, whose results go where each says.

    Raises
    ------
    InvalidRequest
        If TA-Lib refuses one.
    """
    functions = np.array([native.address for native, _ in calls], dtype=np.int64)
    whole, real = np.zeros((len(calls), WHOLES), np.int64), np.zeros((len(calls), REALS))
    counts = np.zeros((len(calls), 2), np.int32)
    place = address(counts)
    for i, (native, (inputs, outs)) in enumerate(calls):
        given = [0, len(inputs[0]) - 1, *map(address, inputs), *native.whole]
        given += [place + 8 * i, place + 8 * i + 4, *map(address, outs)]
        whole[i, : len(given)] = given
        real[i, : len(native.real)] = native.real
    failed = call_all(functions, whole, real)
    short = [i for i, (_, (_, outs)) in enumerate(calls) if counts[i, 1] != len(outs[0])]
    if failed >= 0 or short:
        at = failed if failed >= 0 else short[0]
        raise InvalidRequest("indicator", f"TA-Lib refused {calls[at][0].name}")
