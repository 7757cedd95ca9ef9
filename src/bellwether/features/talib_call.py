"""TA-Lib called so that it writes where its results are wanted.

The Python package allocates each result, which then has to be copied into the panel; on two cores
that costs more than the indicators. Here the same C functions, found through the package's own
library, get the address of their place. They let go of the interpreter's lock while they run.
"""

import ctypes
import threading
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
_ALWAYS = 4  # first and last session, and where to tell which were computed
_SMALLEST = 2  # sessions; with one session TA-Lib leaves out the smoothing


def address(array: npt.NDArray[Any]) -> int:
    """Return where an array starts; `array.ctypes.data`, without what that costs."""
    place: int = array.__array_interface__["data"][0]
    return place


WHOLES, REALS = 14, 2
"""Integers (pointers are such) and reals that a call made in a batch may have."""

Call = tuple[Sequence[Array], Sequence[Array]]
"""Inputs from the first session on that all have, and where each result's first value goes."""


@dataclass(frozen=True, slots=True)
class Native:
    """A C function and its parameters, for a batch of calls (`batch.py`)."""

    name: str
    address: int
    whole: tuple[int, ...]
    real: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Direct:
    """Indicators that come out of one call.

    `lookbacks` are, for each result, the inputs before its first value.
    """

    name: str
    lookbacks: tuple[int, ...]
    call: Callable[[Sequence[Array], Sequence[Array]], None]
    native: Native | None = None

    def into(self, inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        """Compute all sessions.

        Parameters
        ----------
        inputs : sequence of ndarray of shape (n_sessions,)
            Contiguous float64; NaN while an input warms up, and not after.
        outs : sequence of ndarray of shape (n_sessions,)
            One contiguous array for each result; NaN where it has none yet.
        """
        prepared = self.prepared(inputs, outs)
        if prepared is not None:
            self.call(*prepared)

    def prepared(self, inputs: Sequence[Array], outs: Sequence[Array]) -> Call | None:
        """Empty the warm-up in `outs` and return the call to be made; None where there is none."""
        n, first = len(inputs[0]), _first_known(inputs)
        starts = [min(first + back, n) for back in self.lookbacks]
        for out, start in zip(outs, starts, strict=True):
            out[:start] = np.nan
        if min(starts) == n:
            return None
        known = [x[first:] for x in inputs] if first else inputs
        return known, [out[s:] for out, s in zip(outs, starts, strict=True)]


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
    outputs = said if isinstance(said, tuple) else (said,)
    if any(x.dtype != np.float64 for x in outputs):
        return None
    c = getattr(ctypes.CDLL(_ta_lib.__file__), f"TA_{function}")
    c.restype = ctypes.c_int
    both = [(x, dict(params).get(name, x)) for name, x in plain.info["parameters"].items()]
    given = [
        ctypes.c_double(x) if isinstance(default, float) else ctypes.c_int(int(x))
        for default, x in both
    ]
    native = _native(function, c, given, inputs + len(outputs))
    backs = (int(told.lookback),) * len(outputs)
    return Direct(function, backs, _caller(function, c, given), native)


def _native(function: str, c: Any, params: list[Any], pointers: int) -> Native | None:
    place = ctypes.cast(c, ctypes.c_void_p).value
    whole = tuple(int(p.value) for p in params if isinstance(p, ctypes.c_int))
    real = tuple(float(p.value) for p in params if isinstance(p, ctypes.c_double))
    fits = len(whole) + pointers + _ALWAYS <= WHOLES and len(real) <= REALS
    return Native(function, place, whole, real) if place and fits else None


def _caller(
    function: str, c: Callable[..., int], params: list[Any]
) -> Callable[[Sequence[Array], Sequence[Array]], None]:
    def call(inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        begin, count = ctypes.c_int(), ctypes.c_int()
        code = c(
            0,
            len(inputs[0]) - 1,
            *[ctypes.c_void_p(address(x)) for x in inputs],
            *params,
            ctypes.byref(begin),
            ctypes.byref(count),
            *[ctypes.c_void_p(address(out)) for out in outs],
        )
        if code != _SUCCESS or count.value != len(outs[0]):
            raise InvalidRequest("indicator", f"TA-Lib refused {function} with code {code}")

    return call


DIRECTIONAL = ("ADX", "PLUS_DI", "MINUS_DI")
"""What one compiled pass computes together."""


@cache
def compiled_call(function: str, params: Params) -> Direct | None:
    """Bind one of our compiled functions; None where there is none for these parameters."""
    from bellwether.features.expr import talib_lookback
    from bellwether.features.kernels import TABLE, directional

    sizes = {name: x for name, x in params if isinstance(x, int)}
    if len(sizes) < len(params) or min(sizes.values(), default=_SMALLEST) < _SMALLEST:
        return None
    if function in DIRECTIONAL and set(sizes) == {"timeperiod"}:
        backs = tuple(talib_lookback(name, params) for name in DIRECTIONAL)
        return Direct(function, backs, _runner(directional, [sizes["timeperiod"]]))
    kernel, names = TABLE.get(function, (None, ()))
    if kernel is None or set(names) != set(sizes):
        return None
    outputs = 2 if function in ("STOCH", "AROON") else 1
    back = (talib_lookback(function, params),) * outputs
    return Direct(function, back, _runner(kernel, [sizes[name] for name in names]))


def _runner(
    kernel: Callable[..., None], params: list[int]
) -> Callable[[Sequence[Array], Sequence[Array]], None]:
    from bellwether.features.kernels import spare_size

    longest = max(params, default=0)

    def call(inputs: Sequence[Array], outs: Sequence[Array]) -> None:
        size = spare_size(len(inputs[0]), longest)
        if len(_SPARE.held) < size:
            _SPARE.held = np.empty(size)
        kernel(*inputs, *outs, *params, _SPARE.held)

    return call


class _Spare(threading.local):
    """What one thread's compiled functions work in; kept, because fresh memory is slow."""

    def __init__(self) -> None:
        self.held: Array = np.empty(0)


_SPARE = _Spare()
