"""What a model is worth as it ages: its forecasts of later periods, session by session."""

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.models.base import Column, Forecasts

MIN_NAMES = 5
AGED = {
    "age": pl.Int32,
    "session": pl.Date,
    "n": pl.Int32,
    "calls": pl.Int32,
    "hits": pl.Int32,
    "squared_error": pl.Float64,
    "squared_return": pl.Float64,
    "ic": pl.Float64,
}


def aged_by_session(
    age: int, said: Forecasts, y: Column, dates: npt.NDArray[np.datetime64]
) -> pl.DataFrame:
    """Sum up, session by session, what a model so many periods old was worth."""
    rows = pl.DataFrame(
        {"session": dates, "y": y, "f": said.log_return, "d": said.direction().astype(np.int32)}
    )
    called = (pl.col("d") != 0) & (pl.col("y") != 0)
    many = (pl.len() >= MIN_NAMES) & (pl.col("f").n_unique() > 1) & (pl.col("y").n_unique() > 1)
    ic = pl.corr(pl.col("f").rank(), pl.col("y").rank())
    found = rows.group_by("session").agg(
        n=pl.len().cast(pl.Int32),
        calls=called.sum().cast(pl.Int32),
        hits=(called & (pl.col("d") == pl.col("y").sign())).sum().cast(pl.Int32),
        squared_error=((pl.col("y") - pl.col("f")) ** 2).sum(),
        squared_return=(pl.col("y") ** 2).sum(),
        ic=pl.when(many).then(ic),
    )
    marked = found.with_columns(age=pl.lit(age, dtype=pl.Int32))
    return marked.sort("session").select(pl.col(c).cast(t) for c, t in AGED.items())
