"""What the sources of facts that are no bars have in common."""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import UnreadableFile
from bellwether.core.schemas import BARS_IN, UTC_TIME
from bellwether.core.types import Rejection
from bellwether.sources.shape import BLANK, number
from bellwether.sources.tables import META

LONG_AGO = np.datetime64("1900-01-01")


class Rows:
    """The rows of several tables by one running number, for quoting them later."""

    def __init__(self, tables: Sequence[pl.DataFrame]) -> None:
        self._tables = tables
        self._starts = list(accumulate((t.height for t in tables), initial=0))

    def quote(self, row: int) -> str:
        """Return what stands in a row, as JSON."""
        i = bisect_right(self._starts, row) - 1
        told = self._tables[i].row(row - self._starts[i], named=True)
        kept = {k: v for k, v in told.items() if k not in META}
        return json.dumps(kept, default=str, sort_keys=True)


def columns_of(table: pl.DataFrame) -> list[str]:
    """List the columns that the file itself has."""
    return [c for c in table.columns if c not in META]


def text(table: pl.DataFrame, column: str | None) -> pl.Series:
    """Return a column as trimmed text, null where nothing is written or where there is none."""
    if column is None:
        return pl.Series([None] * table.height, dtype=pl.String)
    told = table[column].cast(pl.String).str.strip_chars()
    return told.set(told.str.to_lowercase().is_in(BLANK).fill_null(value=True), None)


def numbers(table: pl.DataFrame, column: str | None) -> tuple[pl.Series, pl.Series]:
    """Return a column as finite numbers (else null), and where something else is written."""
    if column is None:
        return pl.Series([None] * table.height, dtype=pl.Float64), pl.repeat(
            value=False, n=table.height, eager=True
        )
    value = number(table[column])
    return value, text(table, column).is_not_null() & value.is_null()


def told_why(table: pl.DataFrame) -> pl.Series:
    """Return why rows are lost already, null where they are not."""
    if "why" in table.columns:
        return table["why"]
    return pl.Series([None] * table.height, dtype=pl.String)


def instants_of(moments: npt.NDArray[np.datetime64], positions: npt.NDArray[np.int64]) -> pl.Series:
    """Pick opens or closes of a calendar by position, UTC; null where the position is -1."""
    picked = moments[np.maximum(positions, 0)].astype("datetime64[us]")
    picked[positions < 0] = np.datetime64("NaT")
    return pl.Series(picked).dt.replace_time_zone("UTC").cast(UTC_TIME)


def positions_of(days: pl.Series, calendar: SessionCalendar) -> npt.NDArray[np.int64]:
    """Return the positions of days in the calendar; -1 for what is no session or null."""
    filled = days.to_numpy().astype("datetime64[D]")
    return calendar.positions(np.where(np.isnat(filled), LONG_AGO, filled))


def with_repeats(rows: pl.DataFrame, key: Sequence[str], told: Sequence[str]) -> pl.DataFrame:
    """Mark what is told twice: `duplicate` after the first, `conflicting_duplicate` all of them.

    `rows` has `why` and `order` beside `key` and `told`.
    """
    fine = rows.filter(pl.col("why").is_null())
    differ = pl.struct(told).n_unique().over(key) > 1
    again = (
        pl.when(differ)
        .then(pl.lit("conflicting_duplicate"))
        .when(pl.col("order") != pl.col("order").min().over(key))
        .then(pl.lit("duplicate"))
    )
    judged = fine.select("order", again=again)
    joined = rows.join(judged, on="order", how="left", maintain_order="left")
    return joined.with_columns(why=pl.coalesce("why", "again")).drop("again")


def refused(
    rows: pl.DataFrame, source: str, words: Mapping[str, str], quotes: Rows
) -> tuple[Rejection, ...]:
    """Turn rows with a `why` into rejections; `words` may name any column of theirs."""
    lost = rows.filter(pl.col("why").is_not_null()).sort("order")
    return tuple(
        Rejection(
            source,
            str(row["location"]),
            str(row["why"]),
            words[row["why"]].format(**row),
            quotes.quote(row["row"]),
        )
        for row in lost.iter_rows(named=True)
    )


def no_bars() -> pl.DataFrame:
    """Return an empty frame of the schema BARS_IN."""
    return pl.DataFrame(schema={c: s.dtype.type for c, s in BARS_IN.columns.items()})


def same_layout(place: str, columns: Sequence[str], wanted: str) -> UnreadableFile:
    """Say that a header is of none of the layouts that are read."""
    return UnreadableFile(place, f"no column for {wanted}; it has {', '.join(columns)}. See --map")
