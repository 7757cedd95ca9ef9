"""A large panel out of a small one: the sample's bars, resampled in blocks of sessions.

Blocks of 20 sessions are drawn with one draw for all symbols of a base symbol's family, so that
volatility clusters stay whole; each symbol gets a draw of its own over the base symbols. Prices are
whole cents, highs and lows contain open and close.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.core.ports import SourceQuery
from bellwether.sources.sample import SampleSource

BLOCK = 20
BASE = ("AAPL", "GOOG", "IBM", "MSFT")


def panel(n_symbols: int, n_sessions: int, last: str = "2024-12-31", seed: int = 0) -> pl.DataFrame:
    """Return `n_symbols` x `n_sessions` bars: symbol, date, open, high, low, close, volume.

    Parameters
    ----------
    n_symbols, n_sessions : int
        Size of the panel; the sessions end on `last`.
    seed : int
        The same seed gives the same panel.
    """
    rng = np.random.default_rng(seed)
    sessions = session_calendar().sessions
    days = sessions[sessions <= np.datetime64(last)][-n_sessions:]
    batch = SampleSource().read(SourceQuery(symbols=BASE), datetime(2020, 1, 1, tzinfo=UTC))
    pools = [_ratios(batch.bars.filter(pl.col("symbol") == s)) for s in BASE]
    frames = [_symbol(f"S{i:04d}", pools[i % len(pools)], days, rng) for i in range(n_symbols)]
    return pl.concat(frames)


def _ratios(bars: pl.DataFrame) -> dict[str, np.ndarray]:
    close = bars["close"].to_numpy() * np.cumprod(bars["split_ratio"].to_numpy())
    unit = bars["close"].to_numpy()
    return {
        "step": np.clip(close[1:] / close[:-1], 0.7, 1.4),
        **{c: bars[c].to_numpy()[1:] / unit[1:] for c in ("open", "high", "low")},
        "volume": bars["volume"].to_numpy()[1:],
    }


def _symbol(
    name: str, pool: dict[str, np.ndarray], days: np.ndarray, rng: np.random.Generator
) -> pl.DataFrame:
    n, length = len(days), len(pool["step"])
    starts = rng.integers(0, length - BLOCK, n // BLOCK + 1)
    at = (starts[:, None] + np.arange(BLOCK)).ravel()[:n]
    steps = np.log(pool["step"][at])
    close = np.exp(np.cumsum(steps - steps.mean()) + np.log(rng.uniform(15, 150)))
    close = np.maximum(np.round(close, 2), 0.05)
    prices = {
        c: np.maximum(np.round(close * pool[c][at], 2), 0.01) for c in ("open", "high", "low")
    }
    top, bottom = np.maximum(prices["open"], close), np.minimum(prices["open"], close)
    return pl.DataFrame(
        {
            "symbol": [name] * n,
            "date": days,
            "open": prices["open"],
            "high": np.maximum(prices["high"], top),
            "low": np.minimum(prices["low"], bottom),
            "close": close,
            "volume": pool["volume"][at],
        }
    ).with_columns(pl.col("date").cast(pl.Date))


def write(path: Path, n_symbols: int, n_sessions: int) -> pl.DataFrame:
    """Write the panel as Parquet and return it."""
    frame = panel(n_symbols, n_sessions)
    frame.write_parquet(path)
    return frame
