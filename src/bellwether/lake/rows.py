"""Reading and writing rows of the lake's tables."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl
from deltalake import DeltaTable, WriterProperties

from bellwether.core.schemas import UTC_TIME, in_order
from bellwether.lake.commits import Commits
from bellwether.lake.tables import PART, QUARANTINE, QUARANTINE_DTYPES, FactTable, part
from bellwether.links.delta import DeltaTables

FEW_SYMBOLS = 64
LAYOUT = WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=32_768)


class FactRows:
    """The rows that count: those whose batch has a commit."""

    def __init__(self, tables: DeltaTables) -> None:
        self._tables = tables

    def visible(
        self,
        table: FactTable,
        commits: Commits,
        symbols: Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> pl.LazyFrame:
        """Return the rows of a table that count, of some symbols and of a span of time."""
        rows = self._scan(table.address, {**table.dtypes, PART: pl.Int32}, commits)
        if symbols is not None:
            rows = rows.filter(pl.col("symbol").is_in(list(symbols)))
        if first is not None:
            rows = rows.filter(pl.col(PART) >= first.year // 10 * 10, pl.col(table.time) >= first)
        if last is not None:
            rows = rows.filter(pl.col(PART) <= last.year, pl.col(table.time) <= last)
        return rows.drop(PART)

    def known(
        self, told_as: FactTable, told: pl.DataFrame, commits: Commits, of: FactTable | None = None
    ) -> pl.DataFrame:
        """Return what is known of the span that `told` covers, in its own table or in `of`."""
        table = of or told_as
        names = told["symbol"].unique().to_list()
        low: Any = told[told_as.time].min()
        high: Any = told[told_as.time].max()
        if table.timeless:
            low = high = None
        few = names if len(names) <= FEW_SYMBOLS else None
        return self.visible(table, commits, few, low, high).collect()

    def quarantine(self, commits: Commits) -> pl.LazyFrame:
        """Return the rejected records that count."""
        return self._scan(QUARANTINE, QUARANTINE_DTYPES, commits)

    def _scan(self, address: str, dtypes: Any, commits: Commits) -> pl.LazyFrame:
        if commits.rows.height == 0:
            return pl.LazyFrame(schema=dict(dtypes))
        rows = self._tables.scan(self._tables.open(address), dtypes)
        return rows.filter(pl.col("batch").is_in(commits.batches.implode()))


def put(
    tables: DeltaTables,
    address: str,
    rows: pl.DataFrame,
    batch: int,
    mark: datetime,
    table: FactTable | None = None,
) -> None:
    """Write rows of one attempt; nobody sees them before its commit."""
    if rows.height == 0:
        return
    marked = rows.with_columns(
        ingested_at=pl.lit(mark).cast(UTC_TIME), batch=pl.lit(batch, dtype=pl.Int64)
    )
    if table is not None:
        marked = in_order(marked.select(*table.dtypes, part(table.time)), table.order)

    def landed(there: DeltaTable) -> bool:
        rows = tables.scan(there, {}).filter(pl.col("batch") == batch)
        return rows.head(1).collect().height > 0

    tables.write(address, marked, PART if table else None, landed)
