"""Taking over a lake that was written before corporate actions had a table of their own.

Every row keeps its `ingested_at`, so what was computed at a watermark is computed again from the
same rows. The old tables are left where they are.
"""

from datetime import datetime
from typing import Any

import polars as pl
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from bellwether.lake import commits as order
from bellwether.lake.revise import KINDS, NEUTRAL
from bellwether.lake.rows import LAYOUT
from bellwether.lake.tables import (
    ACTIONS,
    BARS,
    COMMITS,
    COMMITS_DTYPES,
    PART,
    QUARANTINE,
    QUARANTINE_DTYPES,
    TOLD_BY,
    part,
)
from bellwether.links.delta import ALONE, DeltaTables

OLD_BARS, OLD_QUARANTINE = "bars", "quarantine"


def upgrade(tables: DeltaTables) -> None:
    """Copy the tables of the old layout, if there are any, and make them count in one commit."""
    old = tables.open(OLD_BARS)
    if old is None:
        return
    bars = tables.scan(old, {}).collect()
    refused = tables.scan(tables.open(OLD_QUARANTINE), QUARANTINE_DTYPES).collect()
    marks: list[Any] = sorted({*bars["ingested_at"], *refused["ingested_at"]})
    numbers = {mark: order.number() + i for i, mark in enumerate(marks)}
    _copy(tables, QUARANTINE, refused, numbers, None)
    _copy(tables, ACTIONS.address, _acted(bars), numbers, [PART])
    kept = bars.with_columns(part("session"), adjustment=pl.lit("none"))
    _copy(tables, BARS.address, kept.select(*_columns(BARS.dtypes), PART), numbers, [PART])
    changed = set(bars["ingested_at"])
    lines = pl.DataFrame(
        {
            "batch": [numbers[m] for m in marks],
            "ingested_at": marks,
            "bars": [m in changed for m in marks],
            "told": ["{}"] * len(marks),
        },
        schema=dict(COMMITS_DTYPES),
    )
    # refused where another process took the lake over meanwhile: its rows count, these never will
    try:
        write_deltalake(
            tables.address(COMMITS),
            lines.to_arrow(),
            mode="error",
            commit_properties=ALONE,
            storage_options=tables.options,
        )
    except (DeltaError, OSError):
        if tables.open(COMMITS) is None:
            raise


def _columns(dtypes: Any) -> list[str]:
    return [c for c in dtypes if c != "batch"]


def _acted(bars: pl.DataFrame) -> pl.DataFrame:
    """Return an action row wherever a revision of a bar told another action than the one before."""
    key = ["symbol", "session", "source"]
    parts = []
    for column, kind in KINDS.items():
        before = pl.col(column).shift(1).over(key).fill_null(NEUTRAL[kind])
        told = (
            bars.sort(*key, "revision")
            .filter(pl.col(column) != before)
            .with_columns(
                pl.int_range(pl.len()).over(key).cast(pl.Int32).alias("revision"),
                pl.lit(kind).alias("kind"),
                pl.col(column).alias("value"),
                pl.lit("none").alias("adjustment"),
            )
        )
        names = (
            "symbol",
            "session",
            "kind",
            "value",
            "adjustment",
            *TOLD_BY,
            "ingested_at",
            "revision",
        )
        parts.append(told.select(*names, part("session")))
    return pl.concat(parts)


def _copy(
    tables: DeltaTables,
    address: str,
    rows: pl.DataFrame,
    numbers: dict[datetime, int],
    partitions: list[str] | None,
) -> None:
    if rows.height == 0:
        return
    batch = pl.col("ingested_at").replace_strict(numbers, return_dtype=pl.Int64)
    write_deltalake(
        tables.address(address),
        rows.with_columns(batch=batch).to_arrow(),
        mode="append",
        partition_by=partitions,
        storage_options=tables.options,
        writer_properties=LAYOUT,
    )
