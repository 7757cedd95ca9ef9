"""Read when a bar was corrected, before it was."""

import polars as pl


def features(panel: pl.DataFrame) -> pl.DataFrame:
    late = (pl.col("knowledge_time").dt.date() > pl.col("session")).cast(pl.Float64)
    return panel.select("symbol", "session", x=late.shift(1).over("symbol"))
