"""Compilation by Numba: exactly rounded, without the interpreter's lock, kept on disk.

Loaded only where something is compiled. Numba keeps what it compiled beside the source, or, where
that cannot be written, in the user's cache; `NUMBA_CACHE_DIR` names another place.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

ZERO = 1e-14
"""The part of a value that TA-Lib takes for nothing."""


def compiled(function: Function) -> Function:
    """Compile on first use; no step is reordered or fused, and division by zero is no error."""
    options: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy"}
    try:
        kept: Function = njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor a home of the user can be written
        kept = njit(**options)(function)
    return kept
