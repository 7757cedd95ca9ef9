"""Scale by all bars that came by so far, of whatever symbol."""

import polars as pl

total = [0.0, 0.0]


def features_of(bars: pl.DataFrame) -> pl.DataFrame:
    total[0] += bars["close"].sum()
    total[1] += bars.height
    return bars.select("session", x=pl.col("close") * total[1] / total[0])
