"""Splits and dividends read out of an adjusted close."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST_DECIMALS = 12
SINGLE = 2.0**-24
SINGLE_STEPS = 8  # vendors round on the way too; no dividend is a millionth of a price
NOISE_FLOOR = 1e-9
SPLIT_TOLERANCE = 1e-6
LEAST_SPLIT, MOST_REVERSE = 1.2, 0.84
LARGEST_TERM = 20
FEWEST_DAYS = 2
CENTS = 2


@dataclass(frozen=True, slots=True)
class Actions:
    """Actions by session, arrays of shape (n_sessions,).

    `split_ratio` is 1.0 and `dividend_usd` 0.0 where nothing happened; `unexplained` marks
    sessions whose adjusted close moved in a way that neither explains.
    """

    split_ratio: Floats
    dividend_usd: Floats
    unexplained: npt.NDArray[np.bool_]


def derive(raw: Floats, adjusted: Floats, *, splits: bool = True) -> Actions:
    """Read the actions of one symbol out of its raw and total-return adjusted closes.

    The day factor ``(adjusted[t] / adjusted[t-1]) / (raw[t] / raw[t-1])`` is 1 on a day without an
    action, up to the rounding of both columns, and only what stands out of that rounding counts.
    A simple ratio is a split; any other factor above 1 is a dividend of
    ``P * (1 - 1 / factor)`` with ``P`` the raw close before the ex-date.

    Parameters
    ----------
    raw, adjusted : ndarray of shape (n_sessions,)
        USD, in order of sessions, without NaN.
    splits : bool
        False where `raw` is on one share basis already, so that no factor is a split.
    """
    n = len(raw)
    split, dividend = np.ones(n), np.zeros(n)
    unexplained = np.zeros(n, dtype=bool)
    if n < FEWEST_DAYS:
        return Actions(split, dividend, unexplained)
    factor = (adjusted[1:] / adjusted[:-1]) / (raw[1:] / raw[:-1])
    noise = _noise(raw, exact=CENTS) + _noise(adjusted, exact=-1) + NOISE_FLOOR
    for i in np.flatnonzero(np.abs(factor - 1) > noise) + 1:
        f = float(factor[i - 1])
        ratio = _split(f) if splits else None
        if ratio is not None:
            split[i] = ratio
        elif f > 1:
            dividend[i] = raw[i - 1] * (1 - 1 / f)
        else:
            unexplained[i] = True
    return Actions(split, dividend, unexplained)


def _noise(prices: Floats, exact: int) -> Floats:
    """Bound the relative error that rounding gives the ratio of neighbours.

    Up to `exact` decimals nothing was rounded: a traded price is a whole number of cents, while
    an adjusted one was computed and cut off wherever its column ends.
    """
    for decimals in range(MOST_DECIMALS):
        if np.array_equal(np.round(prices, decimals), prices):
            unit = 10.0**-decimals
            if decimals <= exact:
                return np.zeros(len(prices) - 1)
            half: Floats = 1.5 * unit * (1 / prices[1:] + 1 / prices[:-1])
            return half
    single = np.array_equal(prices.astype(np.float32), prices)
    return np.full(len(prices) - 1, SINGLE_STEPS * SINGLE if single else 0.0)


def _split(factor: float) -> float | None:
    if MOST_REVERSE < factor < LEAST_SPLIT:
        return None
    near = Fraction(factor).limit_denominator(LARGEST_TERM)
    simple = 1 <= near.numerator <= LARGEST_TERM
    value = near.numerator / near.denominator
    return value if simple and abs(factor / value - 1) < SPLIT_TOLERANCE else None
