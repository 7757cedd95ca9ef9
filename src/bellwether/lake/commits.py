"""The lake's one order: a batch counts from the moment that its line stands in this table.

Delta makes one table safe. What is read together lies in several, so each attempt to write carries
a number of its own into every row, and a single commit here makes all of them visible. Of two
attempts that read the same state only one gets its line in; the other starts again under a new
number, and what it left behind is never seen.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import uuid_utils
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from bellwether.lake.tables import COMMITS, COMMITS_DTYPES
from bellwether.links.delta import ALONE, DeltaTables

RANDOM_BITS = 22


@dataclass(frozen=True)
class Commits:
    """The lines of the order, and the version of the table that they were read from."""

    table: DeltaTable | None
    rows: pl.DataFrame

    @property
    def batches(self) -> pl.Series:
        """Numbers of the attempts that count."""
        return self.rows["batch"]

    @property
    def newest(self) -> datetime | None:
        """The newest instant of any commit."""
        return _instant(self.rows)

    @property
    def watermark(self) -> datetime | None:
        """The newest instant at which bars or actions changed."""
        return _instant(self.rows.filter(pl.col("bars")))

    def watermark_of(self, table: str) -> datetime | None:
        """Return the newest instant at which one table changed."""
        told = [bool(json.loads(line).get(table)) for line in self.rows["told"]]
        return _instant(self.rows.filter(pl.Series(told, dtype=pl.Boolean)))

    def mark(self, now: datetime) -> datetime:
        """Return the instant of the next commit: `now`, or just after the newest."""
        instant = now.astimezone(UTC)
        newest = self.newest
        return instant if newest is None else max(instant, newest + timedelta(microseconds=1))


def _instant(rows: pl.DataFrame) -> datetime | None:
    found = rows["ingested_at"].max()
    return found.astimezone(UTC) if isinstance(found, datetime) else None


def read(tables: DeltaTables) -> Commits:
    """Read the order; nobody's rows count before it exists."""
    table = tables.open(COMMITS)
    return Commits(table, tables.scan(table, COMMITS_DTYPES).collect())


def begin(tables: DeltaTables) -> None:
    """Create the table before anything is judged on it, so that the first commits meet too."""
    tables.create(COMMITS, pl.DataFrame(schema=dict(COMMITS_DTYPES)), [])


def add(
    tables: DeltaTables, commits: Commits, batch: int, mark: datetime, told: dict[str, int]
) -> None:
    """Make a batch count; refused where another commit came since `commits` was read."""
    line = pl.DataFrame(
        {
            "batch": [batch],
            "ingested_at": [mark],
            "bars": [bool(told.get("bars") or told.get("corporate_actions"))],
            "told": [json.dumps(told)],
        },
        schema=dict(COMMITS_DTYPES),
    )
    if commits.table is None:
        raise ValueError("begin the order first")
    rows = pl.concat([commits.rows, line])
    try:
        write_deltalake(commits.table, rows.to_arrow(), mode="overwrite", commit_properties=ALONE)
    except DeltaError:
        # where only the answer was lost, the line stands
        if batch not in read(tables).batches:
            raise


def number() -> int:
    """Return a number for one attempt: its milliseconds since 1970, then random bits."""
    drawn = uuid_utils.uuid7().int
    return int((drawn >> 80) << RANDOM_BITS | drawn & ((1 << RANDOM_BITS) - 1))


def numbers_before(instant: datetime) -> int:
    """Return the smallest number that an attempt at `instant` could have."""
    return int(instant.timestamp() * 1000) << RANDOM_BITS
