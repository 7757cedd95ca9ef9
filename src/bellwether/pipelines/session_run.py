"""The work of one session: ingest, check, compute features, predict. Each step can be repeated.

A session's predictions are named by what they are about (symbol, session, horizon, release), so
that a step that was killed half-way finds those that are there already and makes the others.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from bellwether.core.clock import FixedClock, SessionClock
from bellwether.core.errors import (
    BellwetherError,
    InvalidRequest,
    MissingRecord,
    NothingTold,
    StorageError,
    UnknownName,
)
from bellwether.core.jobs import JobKind
from bellwether.core.ports import Ports, SourceQuery
from bellwether.core.types import PredictionRequest
from bellwether.inference.service import PredictionService
from bellwether.pipelines import ingest, materialize, quality

KIND = "session"
AT_ONCE = 256
SHOWN = 50
FIELDS = {"session": str, "source": str, "path": str, "symbols": list}


@dataclass(frozen=True, slots=True)
class SessionSource:
    """Where the bars of each session come from; no path and no symbols mean all there is."""

    source: str
    path: str = ""
    symbols: tuple[str, ...] = ()

    def argument(self, session: date) -> dict[str, Any]:
        """Return what a run of `session` is started with."""
        told = {"source": self.source, "path": self.path, "symbols": list(self.symbols)}
        return {"session": session.isoformat(), **told}


def key(session: date) -> str:
    """Return the one key under which a session is worked on."""
    return f"{KIND}-{session.isoformat()}"


def kind(ports: Ports, attempts: int = 3, backoff_s: float = 1.0) -> JobKind:
    """Return the job that is run once a session."""
    work = _Work(ports)
    steps = (
        ("ingest", work.ingest),
        ("check", work.check),
        ("materialise", work.materialise),
        ("predict", work.predict),
    )
    return JobKind(KIND, steps, work.refuse, attempts, backoff_s)


def prediction_id(closed: datetime, symbol: str, horizon: int, release: str) -> str:
    """Name the one prediction of a symbol, session, horizon and release.

    A UUIDv7 whose time is the close of the session and whose other bits are a hash, so that the
    order of ids is still the order of time.
    """
    millis = int(closed.timestamp() * 1000)
    told = f"{symbol}|{closed.astimezone(UTC).isoformat()}|{horizon}|{release}"
    drawn = int.from_bytes(hashlib.sha256(told.encode()).digest()[:10], "big")
    high, low = drawn >> 68, drawn & ((1 << 62) - 1)
    return str(uuid.UUID(int=millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))


@dataclass(slots=True)
class _Work:
    """The steps, over ports; the service that predicts is made when it is first needed."""

    ports: Ports
    clock: SessionClock = field(init=False)
    service: PredictionService | None = None

    def __post_init__(self) -> None:
        self.clock = SessionClock(self.ports.clock)

    def refuse(self, argument: Mapping[str, Any]) -> None:
        """Raise InvalidRequest on an argument that names no session and source."""
        for name, kind in FIELDS.items():
            if not isinstance(argument.get(name), kind):
                raise InvalidRequest(name, f"a {kind.__name__} is needed")
        self.ports.calendar.index(_session(argument))
        if argument["source"] not in self.ports.sources:
            raise UnknownName("source", argument["source"], sorted(self.ports.sources))

    def ingest(self, argument: Mapping[str, Any], _results: Mapping[str, Any]) -> dict[str, Any]:
        """Bring in what the source tells up to the session, corrections of the past included."""
        session = _session(argument)
        query = SourceQuery(
            symbols=tuple(argument["symbols"]) or None,
            path=argument["path"] or None,
            last=session,
        )
        report = ingest.run(ingest.IngestConfig(argument["source"], query), self.ports)
        if not any(last >= session for _, _, last, _ in report.symbols):
            raise NothingTold(argument["source"], session)
        counts = ("read", "added", "revised", "unchanged", "rejected", "reasons")
        return {
            **{name: getattr(report, name) for name in counts},
            "symbols": len(report.symbols),
            "remarks": [f"{r.location}: {r.detail}" for r in report.remarks[:SHOWN]],
        }

    def check(self, argument: Mapping[str, Any], _results: Mapping[str, Any]) -> dict[str, Any]:
        """Inspect the session's bars beside two years before, and say which symbols lack one.

        What is found is told and does not stop the session: the gate is for training.
        """
        session = _session(argument)
        bars = self.ports.lake.bars()
        newest = bars.group_by("symbol").agg(
            has=(pl.col("session") == session).any(), last=pl.col("session").max()
        )
        lacking = newest.filter(~pl.col("has") & (pl.col("last") < session))["symbol"].sort()
        wanted = set(argument["symbols"]) & set(newest["symbol"])
        found = quality.run(
            quality.QualityConfig(
                tuple(sorted(wanted)) or None,
                argument["source"],
                since=session,
                context=quality.CONTEXT,
            ),
            replace(self.ports, clock=FixedClock(self.ports.calendar.close_of(session))),
        )
        return {
            "symbols": newest.height,
            "without_a_bar": lacking.to_list()[:SHOWN],
            "without_a_bar_count": lacking.len(),
            "quality": found.brief(),
            "severities": found.severities,
            "flags": [f"{f.symbol}: {f.kind}: {f.detail}" for f in found.flags[:SHOWN]],
        }

    def materialise(
        self, _argument: Mapping[str, Any], _results: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Compute the features of what is in the lake now."""
        report = materialize.run(self.ports)
        return {
            "view": report.view,
            "watermark": report.watermark.isoformat(),
            "symbols": len(report.symbols),
            "rows": report.rows,
            "others": {other.view: other.rows for other in report.others},
            "notes": [note for r in (report, *report.others) for note in r.notes],
        }

    def predict(self, argument: Mapping[str, Any], _results: Mapping[str, Any]) -> dict[str, Any]:
        """Answer every question that a release answers, each once, as HTTP would."""
        session = _session(argument)
        service = self._ready(session)
        wanted = set(argument["symbols"])
        asked = [
            PredictionRequest(symbol, horizon)
            for symbol, horizon in sorted(service.catalogue.answering)
            if not wanted or symbol in wanted
        ]
        if not asked:
            raise MissingRecord("release", "any symbol that is scheduled", "bellwether train")
        outcomes = asyncio.run(self._all(service, asked, session))
        skipped = {k: v for k, v in outcomes.items() if v not in {"stored", "there"}}
        return {
            "stored": sum(v == "stored" for v in outcomes.values()),
            "there_already": sum(v == "there" for v in outcomes.values()),
            "skipped_count": len(skipped),
            "skipped": dict(list(skipped.items())[:SHOWN]),
        }

    def _ready(self, session: date) -> PredictionService:
        """Return the service as of the close of `session`, with the newest features and releases."""
        late = _late(self.ports, session)
        reasons = (f"made_late_{late}_sessions_after_{session}",) if late else ()
        self.clock.put(self.ports.calendar.close_of(session), reasons)
        if self.service is None:
            self.service = PredictionService(replace(self.ports, clock=self.clock))
        else:
            self.service.refresh()
        return self.service

    async def _all(
        self, service: PredictionService, asked: Sequence[PredictionRequest], session: date
    ) -> dict[str, str]:
        outcomes: dict[str, str] = {}
        for i in range(0, len(asked), AT_ONCE):
            some = asked[i : i + AT_ONCE]
            waiting = [self._one(service, one, session) for one in some]
            told = await asyncio.gather(*waiting, return_exceptions=True)  # none is left under way
            for one, outcome in zip(some, told, strict=True):
                if isinstance(outcome, BaseException):
                    raise outcome
                outcomes[f"{one.symbol} at {one.horizon_sessions}"] = outcome
        return outcomes

    async def _one(self, service: PredictionService, one: PredictionRequest, session: date) -> str:
        """Make one prediction unless it is there; StorageError means that the step is repeated."""
        closed = self.ports.calendar.close_of(session)
        try:
            served = service.catalogue.release_for(one.symbol, one.horizon_sessions)
            name = prediction_id(closed, one.symbol, one.horizon_sessions, served.release_id)
            if await asyncio.to_thread(self.ports.log.get, name) is not None:
                return "there"
            await service.answer(one, name, session)
        except StorageError:
            if await asyncio.to_thread(self.ports.log.get, name) is not None:
                return "there"
            raise
        except BellwetherError as error:
            return str(error)
        return "stored"


def _session(argument: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(argument["session"])
    except ValueError as error:
        raise InvalidRequest("session", f"{argument['session']!r} is no date") from error


def _late(ports: Ports, session: date) -> int:
    """Count the sessions that have opened since `session` closed: their prices might be known."""
    calendar, now = ports.calendar, ports.clock.now()
    newest = max(session, calendar.last_closed(now))
    opened = calendar.open_of(calendar.shift(newest, 1)) <= now
    return calendar.distance(session, newest) + opened
