"""Ports in memory, held to the same contract as the real ones."""

import hashlib
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from bellwether.core.errors import Overloaded
from bellwether.core.ports import (
    AuditRow,
    BacktestRow,
    IngestionRow,
    LakeBatch,
    MaterialisationRow,
    QualityRow,
    ReleaseRow,
    RepairRow,
    RetrainingRow,
    RunRow,
    StandingRow,
    TrialRow,
)
from bellwether.core.schemas import (
    ACTIONS,
    ACTIONS_IN,
    BARS,
    BARS_IN,
    QUARANTINE,
    QUOTES,
    QUOTES_IN,
    UNIVERSE,
    UNIVERSE_IN,
    check,
)
from bellwether.core.sectors import SECTORS, SECTORS_IN
from bellwether.core.texts import TEXTS, TEXTS_IN
from bellwether.core.types import (
    AppendResult,
    CompactResult,
    DeadLetter,
    QueueCounts,
    QueuedRequest,
    Rejection,
)

TOLD_BY = ("source", "event_time", "knowledge_time", "knowledge_basis")
FACTS = {
    "bars": ("symbol", "session"),
    "actions": ("symbol", "session", "kind"),
    "universe": ("universe", "symbol", "first"),
    "quotes": ("symbol", "quoted_at"),
    "texts": ("symbol", "text_id"),
    "sectors": ("symbol", "known_from"),
}
CHECKED = {
    "bars": BARS_IN,
    "actions": ACTIONS_IN,
    "universe": UNIVERSE_IN,
    "quotes": QUOTES_IN,
    "texts": TEXTS_IN,
    "sectors": SECTORS_IN,
}
ACTED = {"split": ("split_ratio", 1.0), "dividend": ("dividend_usd", 0.0)}
SHOWN = ("open", "high", "low", "close", "volume", "split_ratio", "dividend_usd", "adjustment")

Row = dict[str, Any]


class MemoryLake:
    """The Lake port as lists of rows, written for plainness and not for speed."""

    def __init__(self) -> None:
        self._facts: dict[str, list[Row]] = {name: [] for name in FACTS}
        self._rejected: dict[str, Row] = {}
        self._marks: list[tuple[datetime, bool]] = []

    def append(self, batch: LakeBatch, now: datetime) -> AppendResult:
        """Add what is new in `batch` as new rows or revisions; repeats add nothing."""
        now = now.astimezone(UTC)
        newest = max((m for m, _ in self._marks), default=None)
        mark = now if newest is None else max(now, newest + timedelta(microseconds=1))
        told = {name: rows_of(name, getattr(batch, name)) for name in FACTS}
        days = [(b["symbol"], b["session"]) for b in told["bars"]]
        explicit = list(told["actions"])
        acted = self._acted(told["bars"])
        alone = [a for a in acted if not any(same("actions", a, e) for e in explicit)]
        told["actions"] = alone + explicit
        new = {
            name: [r for row in rows if (r := self._new(name, row, now, mark))]
            for name, rows in told.items()
        }
        refused = self._refuse(batch.rejections, mark)
        for name, rows in new.items():
            self._facts[name] += rows
        if refused or any(new.values()):
            self._marks.append((mark, bool(new["bars"] or new["actions"])))
        first = sum(r["revision"] == 0 for r in new["bars"])
        touched = {(r["symbol"], r["session"]) for r in (*new["bars"], *new["actions"])}
        added, revised = first, len(touched & set(days)) - first
        others = ("universe", "quotes", "texts", "sectors")
        for name, rows in (*((name, None) for name in others), ("actions", explicit)):
            keys = [key_of(name, r) for r in (told[name] if rows is None else rows)]
            mine = [r for r in new[name] if key_of(name, r) in keys]
            added += sum(r["revision"] == 0 for r in mine)
            revised += sum(r["revision"] != 0 for r in mine)
        given = len(days) + sum(len(told[name]) for name in others) + len(explicit)
        something = refused or any(new.values())
        at = mark if something else self.watermark() or mark
        return AppendResult(added, revised, given - added - revised, at, refused)

    def _acted(self, bars: list[Row]) -> list[Row]:
        """Return what bars tell of actions: those they name, and those they no longer name."""
        found: list[Row] = []
        for bar in bars:
            for kind, (column, neutral) in ACTED.items():
                row = {c: bar[c] for c in ("symbol", "session", "adjustment", *TOLD_BY)}
                row |= {"kind": kind, "value": bar[column]}
                known = [r for r in self._facts["actions"] if same("actions", r, row)]
                known = [r for r in known if r["knowledge_basis"] != "repaired"]
                if bar[column] != neutral or (known and known[-1]["value"] != neutral):
                    found.append(row)
        return found

    def _new(self, name: str, told: Row, now: datetime, mark: datetime) -> Row | None:
        row = {c: v for c, v in told.items() if c not in {"split_ratio", "dividend_usd"}}
        known = [r for r in self._facts[name] if same(name, r, row)]
        row |= {"ingested_at": mark, "revision": len(known)}
        if not known:
            return row
        if name == "texts":  # what was told first stays
            return None
        repaired = row["knowledge_basis"] == "repaired"
        said = [r for r in known if r["knowledge_basis"] != "repaired"]
        if says_as(known[-1], row) or (not repaired and said and says_as(said[-1], row)):
            return None
        before = known[-1]["knowledge_time"]
        stated = row["knowledge_basis"] == "stated"
        learned = row["knowledge_time"] if stated else now
        assert isinstance(before, datetime)
        assert isinstance(learned, datetime)
        basis = row["knowledge_basis"] if stated or repaired else "revised"
        return {**row, "knowledge_time": max(learned, before), "knowledge_basis": basis}

    def _refuse(self, rejections: Sequence[Rejection], mark: datetime) -> int:
        before = len(self._rejected)
        for r in rejections:
            told = repr((r.source, r.location, r.reason, r.record))
            content = hashlib.sha256(told.encode()).hexdigest()
            row: Row = {n: getattr(r, n) for n in ("source", "location", "reason", "detail")}
            row |= {"record": r.record, "content": content, "ingested_at": mark}
            self._rejected.setdefault(content, row)
        return len(self._rejected) - before

    def bars(
        self,
        symbols: Sequence[str] | None = None,
        *,
        first: date | None = None,
        last: date | None = None,
        every_source: bool = False,
    ) -> pl.DataFrame:
        """Return all revisions: at each watermark that changed a bar or its actions, its state."""
        states: list[Row] = []
        for symbol, session, source in sorted({key_of("bars", r) for r in self._facts["bars"]}):
            if symbols is not None and symbol not in symbols:
                continue
            if not every_source and not self._goes_together(symbol, source):
                continue
            if (first and session < first) or (last and session > last):
                continue
            mine: list[Row] = []
            for mark in sorted({r["ingested_at"] for rows in self._facts.values() for r in rows}):
                state = self._state(symbol, session, source, mark)
                changed = state and (not mine or any(mine[-1][c] != state[c] for c in SHOWN))
                if state and changed:
                    since = max(r["knowledge_time"] for r in (state, *mine))
                    mine.append({**state, "revision": len(mine), "knowledge_time": since})
            states += mine
        frame = pl.DataFrame(states, schema=dtypes_of(BARS))
        return frame.sort("symbol", "session", "revision", "source")

    def _goes_together(self, symbol: str, source: str) -> bool:
        mine = [r for r in self._facts["bars"] if r["symbol"] == symbol]
        lead = min(mine, key=lambda r: (r["ingested_at"], r["source"]))
        own = [r for r in mine if r["source"] == source]
        as_traded = all(r["adjustment"] == "none" for r in (lead, *own))
        return source == lead["source"] or as_traded

    def _state(self, symbol: str, session: date, source: str, mark: datetime) -> Row | None:
        there = [r for r in self._facts["bars"] if r["ingested_at"] <= mark]
        told = [r for r in there if key_of("bars", r) == (symbol, session, source)]
        if not told:
            return None
        parts, values = [told[-1]], {}
        basis = told[-1]["adjustment"]
        for kind, (column, neutral) in ACTED.items():
            newest = {
                r["source"]: r
                for r in self._facts["actions"]
                if (r["symbol"], r["session"], r["kind"]) == (symbol, session, kind)
                and r["ingested_at"] <= mark
                and (r["source"] == source if basis != "none" else r["adjustment"] == "none")
            }
            standing = [r for r in newest.values() if r["value"] != neutral]
            own = [r for r in standing if r["source"] == source]
            choice = own or standing or list(newest.values())
            action = max(choice, key=lambda r: r["ingested_at"], default=None)
            values[column] = action["value"] if action else neutral
            parts += [action] if action else []
        latest = max(parts, key=lambda r: r["knowledge_time"])
        learned = {c: latest[c] for c in ("knowledge_time", "knowledge_basis")}
        return {**told[-1], **values, **learned, "ingested_at": mark}

    def actions(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of corporate actions."""
        return self._kept("actions", ACTIONS, symbols)

    def universe(self, name: str | None = None) -> pl.DataFrame:
        """Return all revisions of membership."""
        rows = self._kept("universe", UNIVERSE, None)
        return rows if name is None else rows.filter(pl.col("universe") == name)

    def quotes(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of quotes."""
        return self._kept("quotes", QUOTES, symbols)

    def texts(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all texts."""
        return self._kept("texts", TEXTS, symbols)

    def sectors(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of sectors."""
        return self._kept("sectors", SECTORS, symbols)

    def texts_watermark(self) -> datetime | None:
        """Return the newest instant at which a text was added."""
        return max((r["ingested_at"] for r in self._facts["texts"]), default=None)

    def _kept(self, name: str, schema: Any, symbols: Sequence[str] | None) -> pl.DataFrame:
        rows = [r for r in self._facts[name] if symbols is None or r["symbol"] in symbols]
        frame = pl.DataFrame(rows, schema=dtypes_of(schema))
        return frame.sort(*FACTS[name], "revision", "source")

    def symbols(self) -> list[str]:
        """List the symbols that have bars, sorted."""
        return sorted({str(r["symbol"]) for r in self._facts["bars"]})

    def watermark(self) -> datetime | None:
        """Return the newest instant at which a bar or an action changed."""
        return max((m for m, changed in self._marks if changed), default=None)

    def changed(self, after: datetime) -> pl.DataFrame:
        """Return symbol, session and ingested_at of what was told after a watermark."""
        columns = ("symbol", "session", "ingested_at")
        rows = {
            tuple(r[c] for c in columns)
            for name in ("bars", "actions")
            for r in self._facts[name]
            if r["ingested_at"] > after
        }
        dtypes = dtypes_of(BARS)
        return pl.DataFrame(sorted(rows), schema={c: dtypes[c] for c in columns}, orient="row")

    def quarantine(self) -> pl.DataFrame:
        """Return the rejected records."""
        kept = list(self._rejected.values())
        frame = pl.DataFrame(kept, schema=dtypes_of(QUARANTINE))
        return frame.sort("source", "location", "reason")

    def compact(self, now: datetime) -> CompactResult:
        """Do nothing: lists have no files."""
        del now
        return CompactResult(0, 0, 0)


def rows_of(name: str, frame: pl.DataFrame | None) -> list[Row]:
    """Return the rows of a frame that fits its schema."""
    return [] if frame is None else check(frame, CHECKED[name]).rows(named=True)


def key_of(name: str, row: Row) -> tuple[Any, ...]:
    """Return what names a fact."""
    return tuple(row[c] for c in (*FACTS[name], "source"))


def same(name: str, one: Row, other: Row) -> bool:
    """Tell whether two rows are about one fact."""
    return key_of(name, one) == key_of(name, other)


def says_as(one: Row, other: Row) -> bool:
    """Tell whether two rows of a fact say the same of it."""
    return all(one[c] == other[c] for c in other if c not in {*TOLD_BY, "ingested_at", "revision"})


def dtypes_of(schema: Any) -> dict[str, Any]:
    """Return the types of a schema's columns."""
    return {name: column.dtype.type for name, column in schema.columns.items()}


class MemoryLedger:
    """The Ledger port in lists."""

    def __init__(self) -> None:
        self._ingestions: list[IngestionRow] = []
        self._materialisations: list[MaterialisationRow] = []
        self._quality: list[QualityRow] = []
        self._repairs: dict[str, RepairRow] = {}
        self._audits: list[AuditRow] = []
        self._trials: dict[str, TrialRow] = {}
        self._backtests: list[BacktestRow] = []
        self._runs: list[RunRow] = []
        self._releases: list[ReleaseRow] = []
        self._standings: dict[str, StandingRow] = {}
        self._retrainings: list[RetrainingRow] = []

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

    def record_audit(self, row: AuditRow) -> None:
        """Keep one leak audit."""
        self._audits.append(row)

    def newest_audit(self, subject: str, watermark: datetime) -> AuditRow | None:
        """Return the newest audit of `subject` at a watermark, or None."""
        mine = [r for r in self._audits if (r.subject, r.watermark) == (subject, watermark)]
        return max(mine, key=lambda row: (row.created_at, row.audit_id), default=None)

    def record_quality(self, row: QualityRow) -> None:
        """Keep one inspection."""
        self._quality.append(row)

    def quality_reports(self, ingestion_id: str | None = None) -> list[QualityRow]:
        """List inspections, oldest first; all, or those that followed one ingestion."""
        mine = [r for r in self._quality if ingestion_id in (None, r.ingestion_id)]
        return sorted(mine, key=lambda row: (row.created_at, row.report_id))

    def newest_quality(self) -> QualityRow | None:
        """Return the newest inspection."""
        return next(reversed(self.quality_reports()), None)

    def record_repairs(self, rows: Sequence[RepairRow]) -> int:
        """Keep repairs, each `repair_id` once; return how many were new."""
        before = len(self._repairs)
        for row in rows:
            self._repairs.setdefault(row.repair_id, row)
        return len(self._repairs) - before

    def repairs(self, symbols: Sequence[str] | None = None) -> list[RepairRow]:
        """List repairs, oldest first; all, or those of some symbols."""
        mine = [r for r in self._repairs.values() if symbols is None or r.symbol in symbols]
        return sorted(mine, key=lambda r: (r.applied_at, r.symbol, r.session, r.field))

    def record_trials(self, rows: Sequence[TrialRow]) -> int:
        """Keep trials, each `trial_id` once; return how many were new."""
        before = len(self._trials)
        for row in rows:
            self._trials.setdefault(row.trial_id, row)
        return len(self._trials) - before

    def trials(self, label: str | None = None, study_id: str | None = None) -> list[TrialRow]:
        """Return trials, oldest first."""
        mine = [
            t
            for t in self._trials.values()
            if label in {None, t.label} and study_id in {None, t.study_id}
        ]
        return sorted(mine, key=lambda t: (t.created_at, t.trial_id))

    def record_backtest(self, row: BacktestRow) -> None:
        """Keep one finished backtest."""
        self._backtests.append(row)

    def backtests(self, key: str | None = None, limit: int = 100) -> list[BacktestRow]:
        """Return the newest backtests, newest first."""
        mine = [b for b in self._backtests if key is None or b.key == key]
        return sorted(mine, key=lambda b: (b.finished_at, b.backtest_id), reverse=True)[:limit]

    def record_run(
        self, run: RunRow, releases: Sequence[ReleaseRow], standings: Sequence[StandingRow] = ()
    ) -> None:
        """Keep a training run, its releases and how they stand together."""
        self._runs.append(run)
        self._releases += releases
        self.record_standings(standings)

    def record_standings(self, rows: Sequence[StandingRow]) -> int:
        """Keep how releases stand, each once."""
        before = len(self._standings)
        self._standings = {row.standing_id: row for row in rows} | self._standings
        return len(self._standings) - before

    def standings(self, release_id: str | None = None) -> list[StandingRow]:
        """Return how releases stood, oldest first; of one, or the newest of each."""
        told = sorted(self._standings.values(), key=lambda row: (row.created_at, row.standing_id))
        if release_id is not None:
            return [row for row in told if row.release_id == release_id]
        newest = {row.release_id: row for row in told}
        return [row for row in told if newest[row.release_id] is row]

    def record_retraining(self, row: RetrainingRow) -> None:
        """Keep one decision on training again."""
        self._retrainings.append(row)

    def retrainings(self, scope: str | None = None) -> list[RetrainingRow]:
        """Return the decisions on training again, oldest first."""
        mine = [row for row in self._retrainings if scope in {None, row.scope}]
        return sorted(mine, key=lambda row: (row.finished_at, row.retraining_id))

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
