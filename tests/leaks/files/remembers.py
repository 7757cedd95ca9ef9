"""Scale by a mean and deviation that are remembered from the first call."""

import polars as pl

_seen: dict[str, tuple[float, float]] = {}


def features_of(bars: pl.DataFrame) -> pl.DataFrame:
    symbol = bars["symbol"][0]
    if symbol not in _seen:
        _seen[symbol] = (bars["close"].mean(), bars["close"].std())
    mean, deviation = _seen[symbol]
    return bars.select("symbol", "session", x=(pl.col("close") - mean) / deviation)
