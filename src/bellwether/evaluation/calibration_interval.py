"""How much of a calibration error is chance: whole blocks of dates drawn again."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.probabilities import (
    Strategy,
    bin_edges,
    binned,
    dates_of,
    error_of,
    said_and_seen,
)
from bellwether.evaluation.series import Floats

MOST_REPS = 100_000


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The expected calibration error with a date-block bootstrap; None where undefined.

    `null_high` is what 95 % of draws stay below where the forecasts are calibrated: the error is of
    absolute values and never 0 by chance. `p` is the share of such draws that reach `ece`. `bias` is
    by how much the bootstrap's mean exceeds `ece`. `low` and `high` are the basic interval at 95 %,
    2 ece - quantiles, kept in [0, 1]; `low` is 0 where `ece` is not above `null_high`.
    """

    ece: float | None
    null_high: float | None
    p: float | None
    bias: float | None
    low: float | None
    high: float | None
    n: int
    n_dates: int


def calibration_error(  # noqa: PLR0913 - two columns, two ways to bin, three of the draws
    up: ArrayLike,
    probability_up: ArrayLike,
    dates: ArrayLike,
    *,
    seed: int,
    bins: int = 10,
    strategy: Strategy = "equal",
    block: int = 5,
    reps: int = 1000,
) -> CalibrationError:
    """Return the expected calibration error with an interval from whole blocks of dates.

    Blocks of `block` consecutive dates, with all their rows, are drawn with replacement and wrap
    around the end (Politis and Romano 1992), the bins staying as they are.

    Parameters
    ----------
    up, probability_up, bins, strategy
        As `probabilities.expected_calibration_error`.
    dates : array, shape (n,)
        Decision instant of each row.
    seed : int
        Of the draws.
    block : int
        Dates that may depend on each other, at least the horizon.
    reps : int
        Draws, 1 to 100,000.

    Returns
    -------
    CalibrationError
        No interval for fewer than two blocks of dates.

    Raises
    ------
    InvalidRequest
        As `probabilities.calibration_table`, or if an option is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.3, 0.7, 1000)
    >>> found = calibration_error(rng.random(1000) < p, p, np.repeat(np.arange(100), 10), seed=1)
    >>> found.low, found.ece < found.null_high, found.p > 0.05
    (0.0, True, True)
    """
    y, p = said_and_seen(up, probability_up)
    when = dates_of(dates, y)
    if block < 1 or not 1 <= reps <= MOST_REPS or seed < 0:
        raise InvalidRequest("block", f"block {block}, reps {reps} (to 100000), seed {seed}")
    edges = bin_edges(p, bins, strategy)
    if y.size == 0:
        return CalibrationError(None, None, None, None, None, None, 0, 0)
    part = binned(p, edges)
    ece = error_of(y, p, part, bins)
    names, day = np.unique(when, return_inverse=True)
    if names.size < 2 * block:
        return CalibrationError(ece, None, None, None, None, None, y.size, names.size)
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    drawn, null = _drawn(y - p, part, day, bins, _days_of_blocks(names.size, block, reps, rng))
    low, high = np.clip(2 * ece - np.quantile(drawn, [0.975, 0.025]), 0, 1)
    chance = float(np.quantile(null, 0.95))
    return CalibrationError(
        ece=ece,
        null_high=chance,
        p=float((1 + (null >= ece).sum()) / (1 + reps)),
        bias=float(drawn.mean()) - ece,
        low=float(low) if ece > chance else 0.0,
        high=float(high),
        n=y.size,
        n_dates=names.size,
    )


def _days_of_blocks(n: int, block: int, reps: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return positions of days, one draw a row, as many as there are or up to block - 1 fewer."""
    starts = rng.integers(n, size=(reps, n // block))
    days = (starts[:, :, None] + np.arange(block)) % n
    return np.asarray(days.reshape(reps, -1), dtype=np.intp)


def _drawn(
    miss: Floats, part: NDArray[np.intp], day: NDArray[Any], bins: int, days: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Return the error of each draw, and of each draw from days whose bins miss nothing in all."""
    n_days = int(day.max()) + 1
    # the error needs of a day only, for each bin, how much it missed in sum, and its rows
    cell, shape = day * bins + part, (n_days, bins)
    missed = np.bincount(cell, weights=miss, minlength=n_days * bins).reshape(shape)
    rows = np.bincount(cell, minlength=n_days * bins).reshape(shape)
    centred = missed - rows * (missed.sum(axis=0) / np.maximum(rows.sum(axis=0), 1))
    of_day = rows.sum(axis=1).astype(np.float64)
    found = np.empty((2, len(days)))
    for i, some in enumerate(days):
        n = of_day[some].sum()
        found[0, i] = np.abs(missed[some].sum(axis=0)).sum() / n
        found[1, i] = np.abs(centred[some].sum(axis=0)).sum() / n
    return found[0], found[1]
