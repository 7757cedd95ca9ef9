"""The section of a session, and figures across it.

In the section of session T is every symbol with a bar of T that was known at its close (a session
carried without a bar is not one), and, where a universe is named, that was a member on T as known
at that close. Symbols that came, left or were corrected later change nothing of T.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bellwether.features.exact import divide_arrays
from bellwether.features.expr import Across, Expr, children, ordered

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

ONE_FOR_ALL = ("mean", "std")
"""Figures that every symbol of the session gets, in the section or not."""


def level(expression: Expr) -> int:
    """Count how many looks across the section lie on top of each other."""
    below = max((level(child) for child in children(expression)), default=0)
    return below + isinstance(expression, Across)


def stages(roots: tuple[Expr, ...]) -> list[list[Across]]:
    """List the looks across the section, those first that need no other."""
    looks = [e for e in ordered(roots) if isinstance(e, Across)]
    deepest = max((level(e) for e in looks), default=0)
    return [[e for e in looks if level(e) == depth] for depth in range(1, deepest + 1)]


def look(function: str, values: Array, sectors: Codes) -> Array:
    """Compute one figure across each session.

    Sums run symbol by symbol, so that symbols which are not there leave no trace in the rounding.

    Parameters
    ----------
    values : ndarray of shape (n_symbols, n_sessions)
        Symbols in alphabetical order; NaN where a symbol is not in the section or has no value.
    sectors : ndarray of int64 of the same shape
        The sector of each; -1 where it was not known.

    Returns
    -------
    ndarray of shape (n_symbols, n_sessions)
        NaN where there is no figure.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        found = FIGURES[function](values, sectors)
    found[np.isnan(found)] = np.nan
    return found


def _total(values: Array, inside: npt.NDArray[np.bool_]) -> Array:
    total = np.zeros(values.shape[1])
    for row, here in zip(values, inside, strict=True):
        total += np.where(here, row, 0.0)
    return total


def _moments(values: Array) -> tuple[Array, Array]:
    inside = ~np.isnan(values)
    count = inside.sum(axis=0).astype(np.float64)
    mean = _total(values, inside) / count
    away = values - mean
    return mean, np.sqrt(_total(away * away, inside) / count)


def _mean(values: Array, _sectors: Codes) -> Array:
    return np.broadcast_to(_moments(values)[0], values.shape).copy()


def _std(values: Array, _sectors: Codes) -> Array:
    return np.broadcast_to(_moments(values)[1], values.shape).copy()


def _z(values: Array, _sectors: Codes) -> Array:
    mean, spread = _moments(values)
    return divide_arrays(values - mean, np.broadcast_to(spread, values.shape))


def _rank(values: Array, _sectors: Codes) -> Array:
    order = np.argsort(values, axis=0, kind="stable")  # NaN last
    ranked = np.take_along_axis(values, order, axis=0)
    n = len(values)
    at = np.arange(n, dtype=np.float64)[:, None]
    fresh = np.ones(values.shape, dtype=bool)
    fresh[1:] = ranked[1:] != ranked[:-1]
    first = np.maximum.accumulate(np.where(fresh, at, 0.0), axis=0)
    ends = np.ones(values.shape, dtype=bool)
    ends[:-1] = fresh[1:]
    last = np.minimum.accumulate(np.where(ends, at, float(n))[::-1], axis=0)[::-1]
    count = (~np.isnan(values)).sum(axis=0).astype(np.float64)
    place = np.where(count > 1, (first + last) / 2 / (count - 1), 0.5)
    out = np.empty_like(values)
    np.put_along_axis(out, order, place, axis=0)
    out[np.isnan(values)] = np.nan
    return out


def _sector_mean(values: Array, sectors: Codes) -> Array:
    out = np.full(values.shape, np.nan)
    for code in np.unique(sectors[sectors >= 0]):
        mine = (sectors == code) & ~np.isnan(values)
        mean = _total(values, mine) / mine.sum(axis=0).astype(np.float64)
        out = np.where(mine, mean, out)
    return out


FIGURES: dict[str, Callable[[Array, Codes], Array]] = {
    "mean": _mean,
    "std": _std,
    "rank": _rank,
    "z": _z,
    "sector_mean": _sector_mean,
}
