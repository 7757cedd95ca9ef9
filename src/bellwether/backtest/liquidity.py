"""What the market took and how it moved lately, as known after each close."""

import numpy as np
from numpy.typing import ArrayLike

from bellwether.backtest.books import Floats
from bellwether.core.errors import InvalidRequest

WINDOW = 20
LEAST = 2  # returns for a volatility


def rolling_liquidity(
    close: ArrayLike,
    volume: ArrayLike,
    *,
    split: ArrayLike | float = 1.0,
    dividend: ArrayLike | float = 0.0,
    sessions: int = WINDOW,
) -> tuple[Floats, Floats]:
    """Return USD traded an average session, and the volatility of a session.

    Parameters
    ----------
    close, volume : array, shape (n, k)
        USD a share and shares, both raw or both adjusted; NaN is a session without a bar, in which
        nothing was traded.
    split, dividend : array, shape (n, k), or float
        Of raw prices, so that an ex-date is no move: r = (close + dividend) split / before - 1.
    sessions : int
        How many sessions up to t count.

    Returns
    -------
    adv_usd, volatility : array, shape (n, k)
        Mean of close times volume; standard deviation (ddof 1) of the returns, which are fractions.
        NaN before the first bar and before two returns are known.

    Examples
    --------
    >>> adv, sigma = rolling_liquidity([[10.0], [11.0], [11.0]], [[100.0], [100.0], [0.0]])
    >>> adv[:, 0].round(2).tolist(), sigma[:, 0].round(4).tolist()
    ([1000.0, 1050.0, 700.0], [nan, nan, 0.0707])
    """
    prices, shares = (np.asarray(v, dtype=np.float64) for v in (close, volume))
    if prices.ndim != 2 or prices.shape != shares.shape:  # noqa: PLR2004
        raise InvalidRequest("volume", f"has shape {shares.shape}, close {prices.shape}")
    if sessions < LEAST:
        raise InvalidRequest("sessions", f"is {sessions}, at least {LEAST} needed")
    listed = np.maximum.accumulate(~np.isnan(prices), axis=0)
    dollars = np.where(listed, np.nan_to_num(prices * shares), np.nan)
    total, count, _ = _moments(dollars, sessions)
    adv = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    returns = np.full_like(prices, np.nan)
    if len(prices) > 1:
        paid = np.broadcast_to(np.asarray(dividend, dtype=np.float64), prices.shape)
        ratio = np.broadcast_to(np.asarray(split, dtype=np.float64), prices.shape)
        returns[1:] = (prices[1:] + paid[1:]) * ratio[1:] / prices[:-1] - 1
    _, count, squares = _moments(returns, sessions)
    enough = count >= LEAST
    variance = np.divide(squares, count - 1, out=np.full_like(squares, np.nan), where=enough)
    return adv, np.sqrt(variance)


def _moments(values: Floats, sessions: int) -> tuple[Floats, Floats, Floats]:
    """Sum, count and squared deviations of the last values; exact sums, since nothing is taken off."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    total, count = np.zeros_like(filled), np.zeros_like(filled)
    for lag in range(min(sessions, len(filled))):
        total[lag:] += filled[: len(filled) - lag]
        count[lag:] += known[: len(filled) - lag]
    mean = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    squares = np.zeros_like(filled)
    for lag in range(min(sessions, len(filled))):
        past = slice(0, len(filled) - lag)
        squares[lag:] += np.where(known[past], (filled[past] - mean[lag:]) ** 2, 0.0)
    return total, count, squares
