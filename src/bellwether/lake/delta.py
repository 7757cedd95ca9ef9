"""The lake on Delta tables, in a folder or in object storage."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from deltalake import DeltaTable

from bellwether.core.schemas import BARS, BARS_IN, QUARANTINE, UTC_TIME, check
from bellwether.core.types import AppendResult, Rejection
from bellwether.links.delta import ALONE, DeltaTables

TOLD = ("open", "high", "low", "close", "volume", "split_ratio", "dividend_usd")
KEYS = ("symbol", "session", "source")
BARS_TABLE, QUARANTINE_TABLE = "bars", "quarantine"
DTYPES: dict[str, Any] = {
    "symbol": pl.String,
    "session": pl.Date,
    **dict.fromkeys(TOLD, pl.Float64),
    "source": pl.String,
    "event_time": UTC_TIME,
    "knowledge_time": UTC_TIME,
    "knowledge_basis": pl.String,
    "ingested_at": UTC_TIME,
    "revision": pl.Int32,
    "content": pl.String,
}
QUARANTINE_DTYPES: dict[str, Any] = {
    **dict.fromkeys(("source", "location", "reason", "detail", "record", "content"), pl.String),
    "ingested_at": UTC_TIME,
}


class DeltaLake:
    """The BarLake port. Every append is one Delta commit: a reader sees all of it or nothing.

    Writers do not lock. An append is a merge that inserts what is not there yet. Of two commits
    that read the same version the later is refused, even where they touch different years, or its
    `ingested_at` could lie before a watermark that was already given out; the refused one reads
    again.
    """

    def __init__(self, url: str, storage_options: Mapping[str, str] | None = None) -> None:
        self._tables = DeltaTables("lake", url, storage_options)

    def append_bars(self, bars: pl.DataFrame, now: datetime) -> AppendResult:
        """Add what is new in `bars` as new rows or revisions; repeats add nothing."""
        checked = check(bars, BARS_IN)
        told = checked.with_columns(content=_content(checked))
        return self._tables.settle(lambda: self._append(told, now))

    def _append(self, told: pl.DataFrame, now: datetime) -> AppendResult:
        # created empty before it is read, so that what is inserted was judged on the same version
        empty = pl.DataFrame(schema={**DTYPES, "year": pl.Int32})
        table = self._tables.open(BARS_TABLE) or self._tables.create(BARS_TABLE, empty, ["year"])
        newest = self._newest_ingestion(table)
        mark = now.astimezone(UTC)
        if newest is not None:
            mark = max(mark, newest + timedelta(microseconds=1))
        fresh = _fresh(told, self._known(table, told), now.astimezone(UTC), mark)
        if fresh.height == 0:
            return AppendResult(0, 0, told.height, newest or mark)
        self._insert(table, fresh)
        added = fresh.filter(pl.col("revision") == 0).height
        return AppendResult(added, fresh.height - added, told.height - fresh.height, mark)

    def _insert(self, table: DeltaTable, fresh: pl.DataFrame) -> None:
        rows = fresh.with_columns(year=pl.col("session").dt.year()).to_arrow()
        years = ", ".join(str(y) for y in sorted(fresh["session"].dt.year().unique().to_list()))
        same = " AND ".join(f"t.{c} = s.{c}" for c in (*KEYS, "revision"))
        merge = table.merge(
            rows,
            f"t.year IN ({years}) AND {same}",
            source_alias="s",
            target_alias="t",
            commit_properties=ALONE,
        )
        merge.when_not_matched_insert_all().execute()

    def append_rejections(self, rejections: Sequence[Rejection], now: datetime) -> int:
        """Put `rejections` into quarantine, each once; return how many were new."""
        if not rejections:
            return 0
        names = ("source", "location", "reason", "detail", "record")
        frame = pl.DataFrame(
            {n: [getattr(r, n) for r in rejections] for n in names},
            schema=dict.fromkeys(names, pl.String),
        )
        hashes = [
            hashlib.sha256(
                json.dumps([r.source, r.location, r.reason, r.record]).encode()
            ).hexdigest()
            for r in rejections
        ]
        rows = frame.with_columns(
            content=pl.Series(hashes, dtype=pl.String),
            ingested_at=pl.lit(now.astimezone(UTC)).cast(UTC_TIME),
        ).unique("content", keep="first", maintain_order=True)
        checked = check(rows, QUARANTINE)
        return self._tables.settle(lambda: self._reject(checked))

    def _reject(self, rows: pl.DataFrame) -> int:
        table = self._tables.open(QUARANTINE_TABLE) or self._tables.create(
            QUARANTINE_TABLE, pl.DataFrame(schema=QUARANTINE_DTYPES), []
        )
        merge = table.merge(
            rows.to_arrow(), "t.content = s.content", source_alias="s", target_alias="t"
        )
        done = merge.when_not_matched_insert_all().execute()
        return int(done["num_target_rows_inserted"])

    def bars(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions (schema BARS), sorted by symbol, session and revision."""
        with self._tables.guard():
            rows = self._rows()
            if symbols is not None:
                rows = rows.filter(pl.col("symbol").is_in(list(symbols)))
            ordered = rows.select(list(BARS.columns))
            return ordered.sort("symbol", "session", "revision", "source").collect()

    def symbols(self) -> list[str]:
        """List the symbols that have bars, sorted."""
        with self._tables.guard():
            found = self._rows().select("symbol").unique().collect()
        return found["symbol"].sort().to_list()

    def watermark(self) -> datetime | None:
        """Return the newest `ingested_at` of any bar; None while there is none."""
        with self._tables.guard():
            return self._newest_ingestion(self._tables.open(BARS_TABLE))

    def quarantine(self) -> pl.DataFrame:
        """Return the rejected records (schema QUARANTINE)."""
        with self._tables.guard():
            table = self._tables.open(QUARANTINE_TABLE)
            rows = self._tables.scan(table, QUARANTINE_DTYPES).select(list(QUARANTINE.columns))
            return rows.sort("source", "location", "reason").collect()

    def _rows(self) -> pl.LazyFrame:
        return self._tables.scan(self._tables.open(BARS_TABLE), DTYPES)

    def _newest_ingestion(self, table: DeltaTable | None) -> datetime | None:
        newest = self._tables.scan(table, DTYPES).select(pl.col("ingested_at").max())
        found = newest.collect()["ingested_at"][0]
        return found.astimezone(UTC) if isinstance(found, datetime) else None

    def _known(self, table: DeltaTable, told: pl.DataFrame) -> pl.DataFrame:
        """Return the newest revision of what is told, reading only the years concerned."""
        years = told["session"].dt.year().unique().to_list()
        newest = (
            self._tables.scan(table, DTYPES)
            .filter(pl.col("year").is_in(years))
            .select(*KEYS, "revision", "content", "knowledge_time")
            .sort("revision")
            .unique(KEYS, keep="last", maintain_order=True)
        )
        return newest.collect().rename(
            {"revision": "was", "content": "said", "knowledge_time": "known_then"}
        )


def _fresh(told: pl.DataFrame, known: pl.DataFrame, now: datetime, mark: datetime) -> pl.DataFrame:
    joined = told.join(known, on=list(KEYS), how="left", maintain_order="left")
    new = pl.col("was").is_null()
    stated = pl.col("knowledge_basis") == "stated"
    instant = pl.lit(now).cast(UTC_TIME)
    learned = pl.when(stated).then("knowledge_time").otherwise(instant)
    return (
        joined.filter(new | (pl.col("said") != pl.col("content")))
        .with_columns(
            revision=(pl.col("was").fill_null(-1) + 1).cast(pl.Int32),
            knowledge_time=pl.when(new)
            .then("knowledge_time")
            .otherwise(pl.max_horizontal(learned, "known_then")),
            knowledge_basis=pl.when(new | stated)
            .then("knowledge_basis")
            .otherwise(pl.lit("revised")),
            ingested_at=pl.lit(mark).cast(UTC_TIME),
        )
        .select(list(BARS.columns))
    )


def _content(bars: pl.DataFrame) -> pl.Series:
    """Hash what each row tells, by the exact bits of its numbers."""
    numbers = np.ascontiguousarray(bars.select(TOLD).to_numpy(), dtype="<f8")
    keys = zip(bars["symbol"], bars["session"], bars["source"], numbers, strict=True)
    hashes = [
        hashlib.sha256(f"{symbol}|{session}|{source}|".encode() + row.tobytes()).hexdigest()[:32]
        for symbol, session, source, row in keys
    ]
    return pl.Series("content", hashes, dtype=pl.String)
