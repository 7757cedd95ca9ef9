"""Ports in memory, held to the same contract as the real ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from bellwether.core.ports import IngestionRow, MaterialisationRow, ReleaseRow, RunRow
from bellwether.core.schemas import BARS, BARS_IN, QUARANTINE, UTC_TIME, check
from bellwether.core.types import AppendResult, Rejection

TOLD = ("open", "high", "low", "close", "volume", "split_ratio", "dividend_usd")
TEXTS = ("symbol", "source", "knowledge_basis", "content")
TIMES = ("event_time", "knowledge_time", "ingested_at")
DTYPES = {
    **{name: pl.Float64() for name in BARS.columns},
    **{name: pl.String() for name in TEXTS},
    **dict.fromkeys(TIMES, UTC_TIME),
    "session": pl.Date(),
    "revision": pl.Int32(),
}
QUARANTINED = {**{name: pl.String() for name in QUARANTINE.columns}, "ingested_at": UTC_TIME}

Row = dict[str, object]


class MemoryLake:
    """The BarLake port as one list of rows, written for plainness and not for speed."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._rejected: dict[str, Row] = {}

    def append_bars(self, bars: pl.DataFrame, now: datetime) -> AppendResult:
        """Add what is new in `bars` as new rows or revisions; repeats add nothing."""
        told = check(bars, BARS_IN)
        newest = self.watermark()
        now = now.astimezone(UTC)
        mark = now if newest is None else max(now, newest + timedelta(microseconds=1))
        fresh = [row for one in told.iter_rows(named=True) if (row := self._new(one, now, mark))]
        self._rows += fresh
        revised = sum(row["revision"] != 0 for row in fresh)
        at = mark if fresh or newest is None else newest
        return AppendResult(len(fresh) - revised, revised, told.height - len(fresh), at)

    def _new(self, bar: Row, now: datetime, mark: datetime) -> Row | None:
        key = [bar[c] for c in ("symbol", "session", "source")]
        exact = [float(str(bar[c])).hex() for c in TOLD]
        content = hashlib.sha256(repr([*map(str, key), *exact]).encode()).hexdigest()
        known = [r for r in self._rows if [r[c] for c in ("symbol", "session", "source")] == key]
        row = {**bar, "content": content, "ingested_at": mark, "revision": len(known)}
        if not known:
            return row
        if known[-1]["content"] == content:
            return None
        before = known[-1]["knowledge_time"]
        assert isinstance(before, datetime)
        return {**row, "knowledge_time": max(now, before), "knowledge_basis": "revised"}

    def append_rejections(self, rejections: Sequence[Rejection], now: datetime) -> int:
        """Put `rejections` into quarantine, each once; return how many were new."""
        before = len(self._rejected)
        for r in rejections:
            told = repr((r.source, r.location, r.reason, r.record))
            content = hashlib.sha256(told.encode()).hexdigest()
            row: Row = {n: getattr(r, n) for n in ("source", "location", "reason", "detail")}
            row |= {"record": r.record, "content": content, "ingested_at": now}
            self._rejected.setdefault(content, row)
        return len(self._rejected) - before

    def bars(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions, sorted by symbol, session and revision."""
        kept = [r for r in self._rows if symbols is None or r["symbol"] in symbols]
        frame = pl.DataFrame(kept, schema={name: DTYPES[name] for name in BARS.columns})
        return frame.sort("symbol", "session", "revision", "source")

    def symbols(self) -> list[str]:
        """List the symbols that have bars, sorted."""
        return sorted({str(r["symbol"]) for r in self._rows})

    def watermark(self) -> datetime | None:
        """Return the newest `ingested_at` of any bar; None while there is none."""
        marks = [m for r in self._rows if isinstance(m := r["ingested_at"], datetime)]
        return max(marks, default=None)

    def quarantine(self) -> pl.DataFrame:
        """Return the rejected records."""
        kept = list(self._rejected.values())
        return pl.DataFrame(kept, schema=QUARANTINED).sort("source", "location", "reason")


class MemoryLedger:
    """The Ledger port in lists."""

    def __init__(self) -> None:
        self._ingestions: list[IngestionRow] = []
        self._materialisations: list[MaterialisationRow] = []
        self._runs: list[RunRow] = []
        self._releases: list[ReleaseRow] = []

    def record_ingestion(self, row: IngestionRow) -> None:
        """Keep one finished ingestion."""
        self._ingestions.append(row)

    def ingestions(self) -> list[IngestionRow]:
        """List ingestions, oldest first."""
        return sorted(self._ingestions, key=lambda row: row.started_at)

    def record_materialisation(self, row: MaterialisationRow) -> None:
        """Keep one feature build; the same (view, watermark) is kept once."""
        told = {(kept.view, kept.watermark) for kept in self._materialisations}
        if (row.view, row.watermark) not in told:
            self._materialisations.append(row)

    def newest_materialisation(self, view: str) -> MaterialisationRow | None:
        """Return the build of `view` with the newest watermark."""
        mine = [row for row in self._materialisations if row.view == view]
        return max(mine, key=lambda row: row.watermark, default=None)

    def record_run(self, run: RunRow, releases: Sequence[ReleaseRow]) -> None:
        """Keep a training run and its releases together."""
        self._runs.append(run)
        self._releases += releases

    def run_by_key(self, key: str) -> RunRow | None:
        """Return the newest run with this key, or None."""
        return next((run for run in reversed(self.runs()) if run.key == key), None)

    def runs(self, *, unmirrored: bool = False) -> list[RunRow]:
        """List runs, oldest first."""
        ordered = sorted(self._runs, key=lambda run: run.started_at)
        return [run for run in ordered if not (unmirrored and run.mirrored)]

    def mark_mirrored(self, run_id: str) -> None:
        """Note that a run has been mirrored to the tracker."""
        self._runs = [replace(r, mirrored=True) if r.run_id == run_id else r for r in self._runs]

    def releases(self) -> list[ReleaseRow]:
        """List releases, newest first."""
        return sorted(self._releases, key=lambda row: row.created_at, reverse=True)
