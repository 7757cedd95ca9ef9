"""Real data without anything to find: labels moved in a circle by whole dates, a model refitted."""

from dataclasses import dataclass

import numpy as np

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.gate_earned import YEAR, Earned
from bellwether.evaluation.gate_worlds import evidence_of
from bellwether.evaluation.series import Floats

FIRST_TRAIN = 2 * YEAR
PENALTY = 0.05
LEAST_ROWS = 100
KNOWN_AFTER = 2


@dataclass(frozen=True, slots=True, eq=False)
class Real:
    """A panel of real features and outcomes.

    `X` has shape (n_dates, n_symbols, n_features), NaN before a symbol's warm-up; `y` are log
    returns from the next open to the one after it, shape (n_dates, n_symbols), NaN where unknown.
    Dates are in order; each has a symbol with features and a symbol with an outcome.
    """

    X: Floats
    y: Floats


def moved(real: Real, shift: int) -> Earned:
    """Move all outcomes by so many dates, refit a ridge regression year by year, and trade it.

    The same move for all symbols keeps how they move together and how volatility clusters, and
    breaks what ties outcomes to features. Each year from the third is forecast by a fit on all
    rows whose outcome was known (`KNOWN_AFTER` dates later), features scaled by those rows; the
    sign of the forecast is held for one session in equal parts, without costs. One trial.

    Raises
    ------
    InvalidRequest
        If the shift is out of range, or there are fewer than three years.
    """
    n = len(real.y)
    if not 0 <= shift < n:
        raise InvalidRequest("shift", f"is {shift}, must be from 0 to {n - 1}")
    if n < FIRST_TRAIN + YEAR:
        raise InvalidRequest("X", f"has {n} dates, at least {FIRST_TRAIN + YEAR} needed")
    y = np.roll(real.y, shift, axis=0)
    forecast = np.full(y.shape, np.nan)
    for first in range(FIRST_TRAIN, n, YEAR):
        last = min(first + YEAR, n)
        known = first - KNOWN_AFTER
        forecast[first:last] = _fitted(real.X[:known], y[:known], real.X[first:last])
    simple = np.expm1(y)
    made = np.sign(forecast) * simple
    kept = np.isfinite(made).any(axis=1)
    net = np.nanmean(made[kept], axis=1)
    return evidence_of(np.where(np.isfinite(made), simple, np.nan)[kept], net[:, None], 0)


def _fitted(X: Floats, y: Floats, asked: Floats) -> Floats:
    rows = np.isfinite(X).all(axis=2) & np.isfinite(y)
    given, target = X[rows], y[rows]
    if len(given) < LEAST_ROWS:
        raise InvalidRequest("X", f"has {len(given)} complete rows, {LEAST_ROWS} needed")
    middle, width = given.mean(axis=0), given.std(axis=0)
    width = np.where(width > 0, width, 1.0)
    z = (given - middle) / width
    gram = z.T @ z / len(z) + PENALTY * np.eye(z.shape[1])
    slope = np.linalg.solve(gram, z.T @ (target - target.mean()) / len(z))
    return np.asarray((asked - middle) / width @ slope + target.mean(), dtype=np.float64)
