"""A strategy of your own: hold what rose over a year, without its last month, in equal parts.

Trade it with: bellwether evaluate strategy docs/examples/strategy.py
"""

import numpy as np

from bellwether.backtest.market import Market

YEAR, MONTH = 252, 21


def targets(market: Market) -> np.ndarray:
    """Return shares of equity, one row a session, decided after its close; NaN decides nothing."""
    prices = (
        market.close if market.split is None else market.close * np.cumprod(market.split, axis=0)
    )
    past = np.full(prices.shape, np.nan)
    past[YEAR:] = prices[YEAR - MONTH : -MONTH] / prices[:-YEAR] - 1
    chosen = past > 0
    wanted = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)
    wanted[np.arange(len(wanted)) % MONTH != 0] = np.nan  # decides once a month
    return wanted
