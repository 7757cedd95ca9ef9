"""Keeping the tables small in files, without touching a row that anybody can read."""

from collections.abc import Mapping
from functools import partial

import polars as pl

from bellwether.core.schemas import in_order
from bellwether.core.types import CompactResult
from bellwether.lake import commits as order
from bellwether.lake.rows import LAYOUT
from bellwether.lake.tables import COMMITS, FACTS, PART, QUARANTINE, FactTable
from bellwether.links.delta import ALONE, DeltaTables

TABLES: Mapping[str, FactTable | None] = {**{t.address: t for t in FACTS}, QUARANTINE: None}


def tidy(tables: DeltaTables, before: int) -> CompactResult:
    """Compact every table; drop rows of attempts older than the number `before` that have no commit.

    Every step is one commit that is refused, and done again, where another came between, so it may
    run beside writers and other compactions and be killed anywhere.
    """
    at_first = _files(tables)
    dropped = _drop_orphans(tables, before)
    for address, table in TABLES.items():
        _merge(tables, address, table)
        tables.settle(partial(tables.sweep, address))
    tables.settle(partial(tables.sweep, COMMITS))
    return CompactResult(at_first, _files(tables), dropped)


def _files(tables: DeltaTables) -> int:
    with tables.guard():
        opened = [tables.open(address) for address in TABLES]
        return sum(len(table.file_uris()) for table in opened if table is not None)


def _merge(tables: DeltaTables, address: str, table: FactTable | None) -> None:
    def arranged(rows: pl.DataFrame) -> pl.DataFrame:
        return rows if table is None else in_order(rows, table.order)

    part = None if table is None else PART
    while tables.settle(partial(tables.merge, address, part, arranged)):
        pass


def _drop_orphans(tables: DeltaTables, before: int) -> int:
    """Drop rows that nobody will ever see.

    Their attempts had begun when they were found, so none gets its commit past the fence, however
    long it slept; those that got it in just before are looked up behind the fence.
    """
    with tables.guard():
        counting = set(order.read(tables).batches)
        found = {address: _batches(tables, address) - counting for address in TABLES}
    old = {a: {b for b in batches if b < before} for a, batches in found.items()}
    if not any(old.values()):
        return 0
    tables.settle(partial(tables.fence, COMMITS))
    with tables.guard():
        counting = set(order.read(tables).batches)
    dropped = 0
    for address, batches in old.items():
        gone = sorted(batches - counting)
        if gone:
            dropped += tables.settle(partial(_deleted, tables, address, gone))
    return dropped


def _batches(tables: DeltaTables, address: str) -> set[int]:
    rows = tables.scan(tables.open(address), {"batch": pl.Int64})
    return set(rows.select("batch").unique().collect()["batch"])


def _deleted(tables: DeltaTables, address: str, gone: list[int]) -> int:
    table = tables.open(address)
    if table is None:
        return 0
    done = table.delete(
        f"batch IN ({', '.join(map(str, gone))})",
        writer_properties=LAYOUT,
        commit_properties=ALONE,
    )
    return int(done["num_deleted_rows"] or 0)
