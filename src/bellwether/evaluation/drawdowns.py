"""How far wealth fell below its highest, and how long it took to come back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import Floats, check_year, finite, known, until_ruin

ROUNDING = 1e-12  # wealth this little below its highest is at its highest


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One stretch under water, in periods counted from 1; 0 is the start, before any return.

    Attributes
    ----------
    depth : float
        Lowest wealth / highest before - 1; negative.
    peak : int
        Last period at the high before the fall.
    trough : int
        Period of the lowest wealth, the first of several.
    recovery : int or None
        First period back at the high; None where it is still under water at the end.
    length : int
        Periods under water, the recovery not counted.
    """

    depth: float
    peak: int
    trough: int
    recovery: int | None
    length: int


@dataclass(frozen=True, slots=True)
class Drawdowns:
    """What `drawdowns` found.

    Attributes
    ----------
    deepest : float or None
        At most 0; None for no returns.
    longest : int
        Most periods in a row under water; not always of the deepest.
    share_under_water : float or None
        Share of periods under water.
    calmar : float or None
        CAGR / abs(deepest); None without a drawdown.
    worst : tuple of Drawdown
        The deepest first.
    """

    deepest: float | None
    longest: int
    share_under_water: float | None
    calmar: float | None
    worst: tuple[Drawdown, ...]


def drawdowns(returns: ArrayLike, *, worst: int = 5, periods_per_year: int = 252) -> Drawdowns:
    """Find the stretches in which wealth was below its highest until then.

    Wealth is 1 before the first return, so a loss in the first period is a drawdown. Calmar
    (Young 1991) is over the whole record, CAGR = W_n^(A / n) - 1. A return of -1 or less is ruin:
    a drawdown of -1 that ends the series.

    Parameters
    ----------
    returns : array, shape (n,)
        Simple net returns as fractions.
    worst : int
        How many drawdowns to tell, at most.
    periods_per_year : int
        A.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite or an option is out of range.

    Examples
    --------
    >>> found = drawdowns([.01, -.02, .015, -.03, .01, .02, .025, -.005])
    >>> round(found.deepest, 6), found.longest, len(found.worst)
    (-0.035141, 5, 2)
    >>> first = found.worst[0]
    >>> first.peak, first.trough, first.recovery
    (1, 4, 7)
    """
    r = until_ruin(finite("returns", returns))
    check_year(periods_per_year)
    if worst < 0:
        raise InvalidRequest("worst", f"is {worst}, must not be negative")
    if r.size == 0:
        return Drawdowns(None, 0, None, None, ())
    wealth, below = _under(r)
    stretches = _stretches(below)
    deepest = min((s.depth for s in stretches), default=0.0)
    with np.errstate(over="ignore"):
        a_year = known(np.power(wealth[-1], periods_per_year / r.size) - 1)
    return Drawdowns(
        deepest=deepest,
        longest=max((s.length for s in stretches), default=0),
        share_under_water=float((below < 0).sum() / r.size),
        calmar=None if a_year is None or deepest == 0 else a_year / -deepest,
        worst=tuple(sorted(stretches, key=lambda s: s.depth)[:worst]),
    )


def under_water(returns: ArrayLike) -> Floats:
    """Return wealth / highest wealth until then - 1 after each return: the curve under water.

    Parameters
    ----------
    returns : array, shape (n,)
        Simple net returns as fractions.

    Returns
    -------
    ndarray of float64, shape (n,)
        At most 0, and -1 from ruin on.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite.

    Examples
    --------
    >>> under_water([-0.1, 0.05, 0.2]).round(3)
    array([-0.1  , -0.055,  0.   ])
    """
    r = finite("returns", returns)
    found = np.full(r.size, -1.0)
    alive = until_ruin(r)
    found[: alive.size] = _under(alive)[1][1:]
    return found


def _under(r: Floats) -> tuple[Floats, Floats]:
    """Return wealth and how far it is below its highest, the start first."""
    with np.errstate(over="ignore", invalid="ignore"):
        wealth = np.concatenate(([1.0], np.cumprod(1 + r)))
        below = wealth / np.maximum.accumulate(wealth) - 1
    if not np.isfinite(below).all():
        raise InvalidRequest("returns", "make wealth larger than any float")
    return wealth, np.where(below < -ROUNDING, below, 0.0)


def _stretches(below: Floats) -> list[Drawdown]:
    wet = np.concatenate(([False], below[1:] < 0, [False]))
    begins, ends = (np.flatnonzero(edge) for edge in (wet[1:] & ~wet[:-1], wet[:-1] & ~wet[1:]))
    found = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        # `begin` is the last period at the high, `end` the last one under water
        inside = below[begin + 1 : end + 1]
        found.append(
            Drawdown(
                depth=float(inside.min()),
                peak=begin,
                trough=begin + 1 + int(inside.argmin()),
                recovery=end + 1 if end + 1 < below.size else None,
                length=end - begin,
            )
        )
    return found
