"""Clean bars made from a seed, and the faults that are planted into them."""

from datetime import date

import numpy as np
import polars as pl

from bellwether.core.calendar import session_calendar

CALENDAR = session_calendar()
FIRST = date(2010, 1, 4)
OHLC = ("open", "high", "low", "close")


def clean_bars(
    seed: int = 1, n: int = 250, *, basis: str = "none", adjusted: bool = True, split: float = 1.0
) -> pl.DataFrame:
    """One symbol in whole cents: a dividend every 60 bars, the split in the middle."""
    rng = np.random.default_rng(seed)
    ratio, paid = np.ones(n), np.zeros(n)
    if split != 1.0 and n > 20:
        ratio[n // 2] = split
    close = np.empty(n)
    close[0] = np.round(rng.uniform(40, 200), 2)
    for i in range(1, n):
        before = close[i - 1] / ratio[i]
        if i % 60 == 30 and ratio[i] == 1.0:
            paid[i] = np.round(before * 0.007, 2)
        close[i] = np.round((before - paid[i]) * np.exp(rng.normal(0, 0.015)), 2)
    open_ = np.round(close * np.exp(rng.normal(0, 0.006, n)), 2)
    high = np.round(np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.005, n))), 2)
    low = np.round(np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.005, n))), 2)
    shares = np.cumprod(ratio)
    volume = np.round(1e6 * shares * np.exp(rng.normal(0, 0.4, n)))
    factor = np.ones(n)
    for i in range(n - 2, -1, -1):
        own = 1 - paid[i + 1] / (close[i] / ratio[i + 1])
        factor[i] = factor[i + 1] * own / ratio[i + 1]
    day = CALENDAR.sessions[CALENDAR.index(FIRST) :][:n]
    frame = pl.DataFrame(
        {
            "symbol": ["ABC"] * n,
            "session": pl.Series(day.tolist(), dtype=pl.Date),
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
            "split_ratio": ratio,
            "dividend_usd": paid,
            "adjustment": ["none"] * n,
        }
    )
    if adjusted:
        frame = frame.with_columns(adj_close=pl.Series(close * factor))
    return _on_newest_basis(frame, shares) if basis == "splits" else frame


def _on_newest_basis(frame: pl.DataFrame, shares: np.ndarray) -> pl.DataFrame:
    rest = pl.Series(shares[-1] / shares)
    return frame.with_columns(
        *(pl.col(c) / rest for c in OHLC),
        dividend_usd=pl.col("dividend_usd") / rest,
        volume=pl.col("volume") * rest,
        adjustment=pl.lit("splits"),
    )


def at(frame: pl.DataFrame, row: int | slice, **values: object) -> pl.DataFrame:
    """Return the frame with other values in some rows: numbers, or functions of what is there."""
    out = frame
    for name, value in values.items():
        column = out[name].to_numpy().copy()
        column[row] = value(column[row]) if callable(value) else value
        out = out.with_columns(pl.Series(name, column))
    return out


def scaled(frame: pl.DataFrame, row: int | slice, by: float, *also: str) -> pl.DataFrame:
    """Multiply all prices of some rows, and other columns."""
    names = [c for c in (*OHLC, *also) if c in frame.columns]
    return at(frame, row, **{c: (lambda x: np.round(x * by, 12)) for c in names})
