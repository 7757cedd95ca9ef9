"""Measure age by the date on which the view is computed."""

from datetime import date

import polars as pl


def features(panel: pl.DataFrame) -> pl.DataFrame:
    age = (pl.lit(date.today()) - pl.col("session")).dt.total_days()  # noqa: DTZ011
    return panel.select("symbol", "session", x=age)
