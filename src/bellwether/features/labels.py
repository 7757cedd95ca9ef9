"""Labels: what is to be forecast, with the three times that keep it honest."""

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import InvalidRequest
from bellwether.core.schemas import LABELS, UTC_TIME
from bellwether.core.types import MIXED

MAX_HORIZON = 252


def label_name(horizon_sessions: int) -> str:
    """Name the label, as releases record it."""
    return f"log_return_open_to_open_{horizon_sessions}"


def open_to_open(
    series: pl.DataFrame, horizon_sessions: int, calendar: SessionCalendar
) -> pl.DataFrame:
    """Label each session with the return that a decision after its close can still earn.

    ``ln(open[t + 1 + h] / open[t + 1])`` on the total-return series, so that dividends and splits
    between the two opens are in it.

    Parameters
    ----------
    series : DataFrame
        One symbol (schema SERIES).
    horizon_sessions : int
        h, from 1 to 252.

    Returns
    -------
    DataFrame
        Schema LABELS. `decision_at` is when the bar of the session was known, `label_start` the
        next open, `label_known_at` the open that ends the label. `log_return` is null where either
        open lies beyond the series, on a carried session, or where adjustments are mixed.

    Raises
    ------
    InvalidRequest
        If the horizon is out of range.
    """
    if not 1 <= horizon_sessions <= MAX_HORIZON:
        raise InvalidRequest("horizon_sessions", f"{horizon_sessions} is not in 1..{MAX_HORIZON}")
    start, end = 1, 1 + horizon_sessions
    broken = pl.col("carried") | (pl.col("adjustment") == MIXED)
    real = pl.when(~broken).then(pl.col("open"))
    positions = calendar.positions(series["session"].to_numpy())
    opens = calendar.opens

    def opens_after(n: int) -> pl.Series:
        moments = opens[np.minimum(positions + n, len(opens) - 1)]
        return pl.Series(moments.astype("datetime64[us]")).dt.replace_time_zone("UTC")

    ratio = real.shift(-end) / real.shift(-start)
    labelled = series.with_columns(
        decision_at=pl.col("knowledge_time"),
        label_start=opens_after(start).cast(UTC_TIME),
        label_known_at=opens_after(end).cast(UTC_TIME),
        log_return=ratio.log(),
    )
    return labelled.select(list(LABELS.columns))
