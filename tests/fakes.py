"""Ports in memory, held to the same contract as the real ones."""

import hashlib
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from bellwether.core.errors import Overloaded
from bellwether.core.ports import IngestionRow, MaterialisationRow, ReleaseRow, RunRow
from bellwether.core.schemas import BARS, BARS_IN, QUARANTINE, UTC_TIME, check
from bellwether.core.types import AppendResult, DeadLetter, QueueCounts, QueuedRequest, Rejection

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


class MemoryQueue:
    """The RequestQueue port in dictionaries; what was taken comes back after `visibility_s`."""

    def __init__(self, capacity: int = 10_000, visibility_s: float = 30.0) -> None:
        self._capacity = capacity
        self._visibility_s = visibility_s
        self._entries: dict[str, tuple[str, bytes]] = {}
        self._taken: dict[str, tuple[int, float]] = {}
        self._dead: dict[str, DeadLetter] = {}
        self._tokens = (str(n) for n in itertools.count(1))

    def submit(self, request_id: str, body: bytes) -> None:
        """Keep a request; one that is in the queue already, or dead, stays as it is."""
        if self.is_waiting(request_id) or request_id in self._dead:
            return
        if len(self._entries) >= self._capacity:
            raise Overloaded("request queue", len(self._entries))
        self._entries[next(self._tokens)] = (request_id, body)

    def take(self, consumer: str, limit: int, wait_s: float) -> list[QueuedRequest]:  # noqa: ARG002 - who takes does not matter here
        """Take up to `limit` requests, first those left behind."""
        until = time.monotonic() + wait_s
        while True:
            now = time.monotonic()
            free = {t: at + self._visibility_s <= now for t, (_, at) in self._taken.items()}
            left = [t for t in self._entries if free.get(t)]
            new = [t for t in self._entries if t not in self._taken]
            found = [self._hand_out(token, now) for token in (left + new)[: max(limit, 0)]]
            if found or limit < 1 or now >= until:
                return found
            time.sleep(0.001)

    def _hand_out(self, token: str, now: float) -> QueuedRequest:
        deliveries = self._taken.get(token, (0, 0.0))[0] + 1
        self._taken[token] = (deliveries, now)
        return QueuedRequest(*self._entries[token], deliveries, token)

    def done(self, request: QueuedRequest) -> None:
        """Take an answered request off the queue."""
        self._entries.pop(request.token, None)
        self._taken.pop(request.token, None)

    def bury(self, request: QueuedRequest, why: str, now: datetime) -> None:
        """Give a request up."""
        if request.token in self._entries:
            self.done(request)
            name = request.request_id
            self._dead[name] = DeadLetter(name, request.body, why, now)

    def is_waiting(self, request_id: str) -> bool:
        """Say whether a request waits or is being worked on."""
        return any(name == request_id for name, _ in self._entries.values())

    def dead(self, request_id: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """Return dead letters, newest first, or the one of `request_id`."""
        if request_id is not None:
            return [self._dead[request_id]] if request_id in self._dead else []
        return sorted(self._dead.values(), key=lambda d: d.died_at, reverse=True)[:limit]

    def revive(self, request_id: str) -> bool:
        """Put a dead letter back into the queue, full or not; False if there is none."""
        letter = self._dead.pop(request_id, None)
        if letter is not None:
            self._entries[next(self._tokens)] = (request_id, letter.body)
        return letter is not None

    def counts(self) -> QueueCounts:
        """Count."""
        return QueueCounts(len(self._entries) - len(self._taken), len(self._taken), len(self._dead))
