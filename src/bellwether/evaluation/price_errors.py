"""Errors of forecasts against zero and against the random walk."""

import numpy as np
from numpy.typing import ArrayLike

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import Floats, beside, finite, known

MIN_ROWS = 2


def r2_zero(log_return: ArrayLike, forecast: ArrayLike) -> float | None:
    """Return 1 - sum (y - f)^2 / sum y^2, against the forecast of no change (Gu, Kelly, Xiu 2020).

    None for fewer than two rows or where nothing moved.

    Parameters
    ----------
    log_return, forecast : array, shape (n,)
        Realised and forecast returns over the same horizon, as fractions.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite or lengths differ.

    Examples
    --------
    >>> round(r2_zero([0.02, -0.01, 0.03, -0.02], [0.01, 0.0, 0.01, -0.005]), 5)
    0.54167
    """
    y = finite("log_return", log_return)
    f = beside("forecast", forecast, y)
    total = float(y @ y)
    if y.size < MIN_ROWS or total == 0:
        return None
    return known(1 - float((y - f) @ (y - f)) / total)


def smape(actual: ArrayLike, predicted: ArrayLike) -> float | None:
    """Return mean 2 abs(p - a) / (a + p) of prices (Makridakis 1993), from 0 to 2.

    Only for prices: a return near 0 makes any such share meaningless. utilsforecast's is half of
    it. None for no rows.

    Parameters
    ----------
    actual, predicted : array, shape (n,)
        Prices, above 0.

    Raises
    ------
    InvalidRequest
        If a value is NaN, infinite or not above 0, or lengths differ.

    Examples
    --------
    >>> round(smape([100, 102, 101, 104], [99, 103, 102, 102]), 6)
    0.012269
    """
    a, p = _prices("actual", actual), _prices("predicted", predicted)
    beside("predicted", p, a)
    return float(np.mean(2 * np.abs(p - a) / (a + p))) if a.size else None


def mase(
    actual: ArrayLike, predicted: ArrayLike, train: ArrayLike, season: int = 1
) -> float | None:
    """Return the mean absolute error over that of the naive forecast in training.

    mean abs(a - p) / mean abs(x_t - x_t-season) over the training prices x (Hyndman and Koehler
    2006): below 1 is better than saying the price stays. None for no rows, or where the training
    prices never moved.

    Parameters
    ----------
    actual, predicted : array, shape (n,)
        Prices, above 0.
    train : array, shape (m,)
        Prices known before the first forecast, m above `season`.
    season : int
        The horizon of the forecasts, or a season.

    Raises
    ------
    InvalidRequest
        If a value is NaN, infinite or not above 0, lengths differ, or `train` is too short.

    Examples
    --------
    >>> mase([100, 102, 101, 104], [99, 103, 102, 102], train=[98, 97, 99, 100])
    0.9375
    """
    a, p = _prices("actual", actual), _prices("predicted", predicted)
    beside("predicted", p, a)
    x = _prices("train", train)
    if not 1 <= season < max(x.size, 1):
        raise InvalidRequest("season", f"is {season}, must be from 1 to {x.size - 1} training rows")
    naive = float(np.abs(x[season:] - x[:-season]).mean())
    if a.size == 0 or naive == 0:
        return None
    return known(float(np.abs(a - p).mean()) / naive)


def _prices(name: str, values: ArrayLike) -> Floats:
    prices = finite(name, values)
    if (prices <= 0).any():
        raise InvalidRequest(name, "holds a price of 0 or less")
    return prices
