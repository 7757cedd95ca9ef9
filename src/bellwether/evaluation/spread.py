"""How far a figure spreads over the paths of a combinatorial cross-validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bellwether.core.errors import InvalidRequest

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of a figure on paths, in the order of paths.

    `quantiles` are of 5, 25, 50, 75 and 95 % by linear interpolation, `above` is the share of paths
    with a value above `level`. Paths share rows and training sets: their spread is no standard
    error, and nothing here is one value to choose by.
    """

    values: tuple[float, ...]
    quantiles: tuple[float, ...]
    level: float
    above: float


def spread_of(values: Sequence[float | None], level: float = 0.0) -> Spread | None:
    """Lay the values of a figure on paths out; None where it is undefined on any of them.

    Raises
    ------
    InvalidRequest
        If there is no path, or a value is NaN or infinite.

    Examples
    --------
    >>> found = spread_of([0.2, -0.1, 0.4, 0.3])
    >>> [round(q, 3) for q in found.quantiles], found.above
    ([-0.055, 0.125, 0.25, 0.325, 0.385], 0.75)
    """
    if not values:
        raise InvalidRequest("paths", "at least one is needed")
    known = [float(v) for v in values if v is not None]
    if not np.isfinite(known).all():
        raise InvalidRequest("paths", "a value is NaN or infinite")
    if len(known) < len(values):
        return None
    told = tuple(float(q) for q in np.quantile(known, QUANTILES))
    return Spread(tuple(known), told, level, float(np.mean(np.array(known) > level)))
