"""Keeping the tables small in files, without touching a row that anybody can read."""

from collections import Counter
from typing import Any

import polars as pl
from deltalake import DeltaTable

from bellwether.core.types import CompactResult
from bellwether.lake.commits import Commits
from bellwether.lake.rows import LAYOUT
from bellwether.lake.tables import FACTS, PART, QUARANTINE
from bellwether.links.delta import DeltaTables

MANY_FILES = 4
RETAIN_HOURS = 24


def tidy(tables: DeltaTables, commits: Commits, before: int) -> CompactResult:
    """Compact every table; drop rows of attempts older than the number `before` that have no commit."""
    counting = set(commits.batches)
    at_first = at_last = dropped = 0
    for address in (*(t.address for t in FACTS), QUARANTINE):
        table = tables.open(address)
        if table is None:
            continue
        at_first += len(table.file_uris())
        dropped += _drop_orphans(tables, table, counting, before)
        table = tables.open(address) or table
        first_key = next((t.keys[0] for t in FACTS if t.address == address), None)
        _rewrite(table, first_key)
        table = tables.open(address) or table
        at_last += len(table.file_uris())
        _vacuum(table)
    if commits.table is not None:
        _vacuum(commits.table)
    return CompactResult(at_first, at_last, dropped)


def _drop_orphans(tables: DeltaTables, table: DeltaTable, counting: set[int], before: int) -> int:
    there = tables.scan(table, {}).select("batch").unique().collect()["batch"].to_list()
    orphans = sorted(b for b in there if b not in counting and b < before)
    if not orphans:
        return 0
    done: dict[str, Any] = table.delete(f"batch IN ({', '.join(map(str, orphans))})")
    return int(done["num_deleted_rows"] or 0)


def _rewrite(table: DeltaTable, first_key: str | None) -> None:
    if first_key is None:
        table.optimize.compact(writer_properties=LAYOUT)
        return
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    files = Counter(actions[f"partition.{PART}"].to_list())
    for value in sorted(v for v, n in files.items() if n >= MANY_FILES):
        table.optimize.z_order(
            [first_key], partition_filters=[(PART, "=", str(value))], writer_properties=LAYOUT
        )


def _vacuum(table: DeltaTable) -> None:
    table.vacuum(RETAIN_HOURS, dry_run=False, enforce_retention_duration=False)
