"""TA-Lib called so that it writes where its results are wanted.

The Python package allocates each result, which then has to be copied into the panel; on two cores
that costs more than the indicators. Here the same C functions, found through the package's own
library, get the address of their place. They let go of the interpreter's lock while they run.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InvalidRequest

Array = npt.NDArray[np.float64]
Params = tuple[tuple[str, int | float], ...]

_SUCCESS = 0
_DOUBLE = 8  # bytes


def address(array: Array) -> int:
    """Return where an array starts; `array.ctypes.data`, without what that costs."""
    place: int = array.__array_interface__["data"][0]
    return place


@dataclass(frozen=True, slots=True)
class Direct:
    """A TA-Lib function with its parameters, bound to its C function.

    `lookback` is the number of inputs before its first value.
    """

    name: str
    lookback: int
    _c: Callable[..., int]
    _params: tuple[Any, ...]

    def into(self, inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        """Compute all sessions.

        Parameters
        ----------
        inputs : sequence of ndarray of shape (n_sessions,)
            Contiguous float64; NaN while an input warms up, and not after.
        outs : sequence of ndarray of shape (n_sessions,)
            One contiguous array for each result; NaN where it has none yet.
        """
        n = len(inputs[0])
        first = _first_known(inputs)
        start = min(first + self.lookback, n)
        for out in outs:
            out[:start] = np.nan
        if start >= n:
            return
        begin, count = ctypes.c_int(), ctypes.c_int()
        code = self._c(
            0,
            n - first - 1,
            *[ctypes.c_void_p(address(x) + first * _DOUBLE) for x in inputs],
            *self._params,
            ctypes.byref(begin),
            ctypes.byref(count),
            *[ctypes.c_void_p(address(out) + start * _DOUBLE) for out in outs],
        )
        if code != _SUCCESS or count.value != n - start:
            raise InvalidRequest("indicator", f"TA-Lib refused {self.name} with code {code}")


def _first_known(inputs: Sequence[Array]) -> int:
    """Return the first session at which every input has a value."""
    if all(x[0] == x[0] for x in inputs):
        return 0
    known = ~np.any([np.isnan(x) for x in inputs], axis=0)
    return int(np.argmax(known)) if known.any() else len(known)


@cache
def direct(function: str, params: Params, inputs: int) -> Direct | None:
    """Bind a function; None where its results are no float64, so that the package has to do it."""
    from talib import _ta_lib, abstract

    of: Any = abstract.Function  # type: ignore[attr-defined]
    told, plain = of(function, **dict(params)), of(function)
    probe = [np.arange(1.0, told.lookback + 3)] * inputs
    said = getattr(_ta_lib, function)(*probe, **dict(params))
    if any(x.dtype != np.float64 for x in (said if isinstance(said, tuple) else (said,))):
        return None
    c = getattr(ctypes.CDLL(_ta_lib.__file__), f"TA_{function}")
    c.restype = ctypes.c_int
    both = [(x, dict(params).get(name, x)) for name, x in plain.info["parameters"].items()]
    given = [
        ctypes.c_double(x) if isinstance(default, float) else ctypes.c_int(int(x))
        for default, x in both
    ]
    return Direct(function, int(told.lookback), c, tuple(given))
