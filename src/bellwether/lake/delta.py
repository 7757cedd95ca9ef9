"""The lake on Delta tables, in a folder or in object storage."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import polars as pl

from bellwether.core import schemas, sectors, texts
from bellwether.core.ports import LakeBatch
from bellwether.core.types import AppendResult, CompactResult
from bellwether.lake import commits as order
from bellwether.lake.commits import Commits
from bellwether.lake.joined import SOURCES, together, with_actions
from bellwether.lake.revise import fresh, taken_back
from bellwether.lake.rows import FactRows, put
from bellwether.lake.tables import (
    ACTIONS,
    BARS,
    FACTS,
    QUARANTINE,
    QUOTES,
    SECTORS,
    TEXTS,
    UNIVERSE,
    FactTable,
)
from bellwether.lake.tidy import tidy
from bellwether.lake.told import Told, counted
from bellwether.lake.upgrade import upgrade
from bellwether.links.delta import DeltaTables

CHANGED = ["symbol", "session", "ingested_at"]
GRACE = timedelta(hours=24)
"""How long a writer may take before what it wrote without a commit counts as left behind."""


class DeltaLake:
    """The Lake port. Writers do not lock; `commits` says how several tables change as one."""

    def __init__(
        self,
        url: str,
        storage_options: Mapping[str, str] | None = None,
        *,
        tables: DeltaTables | None = None,
    ) -> None:
        self._tables = tables or DeltaTables("lake", url, storage_options)
        self._rows = FactRows(self._tables)
        self._current = False

    def append(self, batch: LakeBatch, now: datetime) -> AppendResult:
        """Add what is new in `batch` as new rows or revisions; repeats add nothing."""
        told = Told.of(batch)
        return self._tables.settle(lambda: self._append(told, now))

    def _append(self, told: Told, now: datetime) -> AppendResult:
        before = self._commits(create=True)
        new = {table.name: self._fresh(table, told, before, now) for table in FACTS}
        refused = told.rejected
        if refused.height:
            heard = self._rows.quarantine(before).select("content").collect()
            refused = refused.join(heard, on="content", how="anti", maintain_order="left")
        added, revised, unchanged = counted(told, new)
        sizes = {**{name: f.height for name, f in new.items()}, "quarantine": refused.height}
        if not any(sizes.values()):
            return AppendResult(0, 0, unchanged, before.watermark or before.mark(now))
        attempt, mark = order.number(), before.mark(now)
        for table in FACTS:
            put(self._tables, table.address, new[table.name], attempt, mark, table)
        put(self._tables, QUARANTINE, refused, attempt, mark)
        order.add(self._tables, before, attempt, mark, sizes)
        return AppendResult(added, revised, unchanged, mark, refused.height)

    def _fresh(self, table: FactTable, told: Told, before: Commits, now: datetime) -> pl.DataFrame:
        rows = told.facts[table.name]
        if table is ACTIONS and told.bars is not None and told.bars.height:
            known = self._rows.known(BARS, told.bars, before, ACTIONS)
            rows = pl.concat([rows, taken_back(told.bars, rows, known)])
        if rows.height == 0:
            return rows.with_columns(revision=pl.lit(0, dtype=pl.Int32))
        return fresh(rows, self._rows.known(table, rows, before), table, now)

    def bars(
        self,
        symbols: Sequence[str] | None = None,
        *,
        first: date | None = None,
        last: date | None = None,
        every_source: bool = False,
    ) -> pl.DataFrame:
        """Return all revisions (schema BARS), sorted by symbol, session and revision."""
        with self._tables.guard():
            before = self._commits()
            span = self._rows.visible(BARS, before, symbols, first, last).collect()
            acted = self._rows.visible(ACTIONS, before, symbols, first, last).collect()
            joined = with_actions(span, acted)
            return joined if every_source else self._of_one_series(joined, before)

    def _of_one_series(self, bars: pl.DataFrame, commits: Commits) -> pl.DataFrame:
        """Leave out sources whose bars do not go together with those that came first."""
        if bars.height == 0 or bars["source"].n_unique() == 1:
            return bars
        symbols = bars["symbol"].unique().to_list()
        told = self._rows.visible(BARS, commits, symbols)
        return together(bars, told.select(SOURCES).unique().collect())

    def actions(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of corporate actions (schema ACTIONS)."""
        return self._kept(ACTIONS, symbols).select(list(schemas.ACTIONS.columns))

    def universe(self, name: str | None = None) -> pl.DataFrame:
        """Return all revisions of membership (schema UNIVERSE)."""
        rows = self._kept(UNIVERSE, None).select(list(schemas.UNIVERSE.columns))
        return rows if name is None else rows.filter(pl.col("universe") == name)

    def quotes(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of quotes (schema QUOTES)."""
        return self._kept(QUOTES, symbols).select(list(schemas.QUOTES.columns))

    def texts(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all texts (schema TEXTS)."""
        return self._kept(TEXTS, symbols).select(list(texts.TEXTS.columns))

    def sectors(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of sectors (schema SECTORS)."""
        return self._kept(SECTORS, symbols).select(list(sectors.SECTORS.columns))

    def texts_watermark(self) -> datetime | None:
        """Return the newest `ingested_at` of any text; None while there is none."""
        with self._tables.guard():
            return self._commits().watermark_of(TEXTS.name)

    def _kept(self, table: FactTable, symbols: Sequence[str] | None) -> pl.DataFrame:
        with self._tables.guard():
            rows = self._rows.visible(table, self._commits(), symbols).collect()
        return rows.sort(table.order)

    def symbols(self) -> list[str]:
        """List the symbols that have bars, sorted."""
        with self._tables.guard():
            found = self._rows.visible(BARS, self._commits()).select("symbol").unique().collect()
        return found["symbol"].sort().to_list()

    def watermark(self) -> datetime | None:
        """Return the newest `ingested_at` of any bar or action; None while there is none."""
        with self._tables.guard():
            return self._commits().watermark

    def changed(self, after: datetime) -> pl.DataFrame:
        """Return symbol, session and ingested_at of bars and actions told after a watermark."""
        with self._tables.guard():
            before = self._commits()
            tables = [self._rows.visible(table, before) for table in (BARS, ACTIONS)]
            new = [t.filter(pl.col("ingested_at") > after).select(CHANGED) for t in tables]
            return pl.concat(new).unique().sort(CHANGED).collect()

    def quarantine(self) -> pl.DataFrame:
        """Return the rejected records (schema QUARANTINE)."""
        with self._tables.guard():
            rows = self._rows.quarantine(self._commits()).collect()
        return rows.select(list(schemas.QUARANTINE.columns)).sort("source", "location", "reason")

    def compact(self, now: datetime) -> CompactResult:
        """Rewrite small files as large ones and drop what killed writers left behind."""
        with self._tables.guard():
            self._commits()  # a lake of an older layout is taken over first
        return tidy(self._tables, order.numbers_before(now - GRACE))

    def _commits(self, *, create: bool = False) -> Commits:
        """Read the order; a lake of an older layout is taken over first."""
        found = order.read(self._tables)
        if found.table is None and not self._current:
            upgrade(self._tables)
            self._current = True
            found = order.read(self._tables)
        if found.table is None and create:
            order.begin(self._tables)
            found = order.read(self._tables)
        return found
