"""The sockets between the uses and the outside world.

Implementations live in the adapter packages and are built by `bootstrap` alone. Unless a port says
otherwise its methods may be called from any thread, and values passed in stay the caller's.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.feed import FedBar, ShardState
from bellwether.core.jobs import JobKind, JobRun
from bellwether.core.types import (
    Adjustment,
    AppendResult,
    CompactResult,
    DeadLetter,
    FeatureVector,
    OnlineCensus,
    OnlineEntry,
    QueueCounts,
    QueuedRequest,
    Rejection,
    ReleaseFiles,
    Remark,
    StoredPrediction,
    Tone,
)

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done and how many there are."""


def quiet(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


class Clock(Protocol):
    """Where the time comes from, timezone-aware UTC.

    `standing` are reasons that every answer has to name, such as data that ends in the past.
    """

    @property
    def standing(self) -> tuple[str, ...]:
        """What every answer has to say about the time it was given at."""
        ...

    def now(self) -> datetime:
        """Return the present instant."""
        ...

    def look(self) -> None:
        """Find out anew what the time depends on, such as which data there is."""
        ...


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """What a source is asked for; None means all it has.

    `columns` maps our column names to the names in a file; `zone` says where timestamps without a
    zone were written; `adjusted` says what the prices hold already (none, splits or total); `label`
    names the source that the bars are kept under, where it is not the reader's own name; `name`
    names the universe that a file tells of; `spells` are those known already (schema UNIVERSE),
    which a list of changes goes on from.
    """

    symbols: tuple[str, ...] | None = None
    path: str | None = None
    first: date | None = None
    last: date | None = None
    columns: Mapping[str, str] | None = None
    zone: str | None = None
    adjusted: str = Adjustment.NONE
    label: str | None = None
    name: str | None = None
    spells: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class LakeBatch:
    """What is brought into the lake together: frames of the schemas *_IN, and rejections."""

    bars: pl.DataFrame | None = None
    actions: pl.DataFrame | None = None
    universe: pl.DataFrame | None = None
    quotes: pl.DataFrame | None = None
    texts: pl.DataFrame | None = None
    sectors: pl.DataFrame | None = None
    rejections: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """What a source gave: accepted bars (schema BARS_IN), rejections, and remarks on what was kept.

    `batches` are the accepted facts that are no bars, in the order in which they became known.
    What a later batch tells of the same fact is its next revision, so a row of an earlier one is
    news only where the lake does not know the fact at all. `fingerprint` is the SHA-256 of the bytes
    that were read, None where there are none to speak of.
    """

    bars: pl.DataFrame
    rejections: tuple[Rejection, ...]
    remarks: tuple[Remark, ...]
    rows_read: int
    batches: tuple[LakeBatch, ...] = ()
    fingerprint: str | None = None


class BarSource(Protocol):
    """A supplier of daily bars. Raises UnreadableFile or InvalidRequest; a bad row never raises."""

    name: str

    def read(self, query: SourceQuery, known_until: datetime) -> SourceBatch:
        """Read what `query` asks for; a bar of a session not closed by `known_until` is rejected."""
        ...


class LiveSource(Protocol):
    """A reader of live bars; it holds them to the rules that bars of files are held to."""

    def read(self, told: Sequence[FedBar], known_until: datetime) -> SourceBatch:
        """Read messages; one that is no bar, or breaks a rule, is rejected and never raises."""
        ...


class Lake(Protocol):
    """Facts about the market, append-only. Several processes may append at once.

    Raises StorageError, or Unavailable where it lies in a bucket that is away.
    """

    def append(self, batch: LakeBatch, now: datetime) -> AppendResult:
        """Add what is new in `batch` as new rows or revisions; repeats add nothing.

        All rows of one call appear together or not at all, in every table. A changed fact becomes
        the next revision, known from `now` on, or from its own `knowledge_time` where the basis
        is `stated`. All calls have one order: the watermark of the result is the `ingested_at` of
        the rows added, strictly later than any before; of the newest where nothing was added.

        The splits and dividends that bars tell become corporate actions of the same source; where
        that source told one before and tells none now, it is taken back.
        """
        ...

    def bars(
        self,
        symbols: Sequence[str] | None = None,
        *,
        first: date | None = None,
        last: date | None = None,
        every_source: bool = False,
    ) -> pl.DataFrame:
        """Return all revisions (schema BARS) of a span of sessions, by symbol, session, revision.

        Bars of one symbol make one series: those as traded of any source, or the adjusted ones of
        the source that told the symbol first; `every_source` gives the others too. A bar that its own source gives no action for has those that another source tells.
        """
        ...

    def actions(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of corporate actions (schema ACTIONS), by symbol and session."""
        ...

    def universe(self, name: str | None = None) -> pl.DataFrame:
        """Return all revisions of membership (schema UNIVERSE), by universe, symbol and first."""
        ...

    def quotes(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of quotes (schema QUOTES), by symbol and instant."""
        ...

    def texts(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all texts (schema TEXTS), by symbol and name of the text."""
        ...

    def sectors(self, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all revisions of sectors (schema SECTORS), by symbol and session."""
        ...

    def texts_watermark(self) -> datetime | None:
        """Return the newest `ingested_at` of any text; None while there is none."""
        ...

    def symbols(self) -> list[str]:
        """List the symbols that have bars, sorted."""
        ...

    def watermark(self) -> datetime | None:
        """Return the newest `ingested_at` of any bar; None while there is none."""
        ...

    def changed(self, after: datetime) -> pl.DataFrame:
        """Return what was told after the watermark `after`: symbol, session and ingested_at.

        One row a bar or action that was added or revised, by symbol and session.
        """
        ...

    def quarantine(self) -> pl.DataFrame:
        """Return the rejected records (schema QUARANTINE)."""
        ...

    def compact(self, now: datetime) -> CompactResult:
        """Rewrite small files as large ones and drop what killed writers left behind.

        No row that anybody could read changes, so lineage and replay are untouched.
        """
        ...


@dataclass(frozen=True, slots=True)
class FeatureBuild:
    """What is known of one build: its formulas by feature name, and a sketch of its values (.npz)."""

    view: str
    watermark: datetime
    formulas: Mapping[str, str]
    sketch: bytes


class FeatureStore(Protocol):
    """What was materialised, kept. One row a symbol, session, view and watermark."""

    def write(self, frame: pl.DataFrame, view: str, watermark: datetime) -> int:
        """Keep `frame` (symbol, session, last_close, the view's float64 columns); return rows added.

        Writing the same (view, watermark) again adds nothing.
        """
        ...

    def latest(
        self, view: str, watermark: datetime, symbol: str | None = None
    ) -> list[FeatureVector]:
        """Return the newest vector of each symbol, or of one, of one materialisation."""
        ...

    def history(self, symbol: str, view: str, watermark: datetime) -> pl.DataFrame:
        """Return one symbol's rows of one materialisation by session."""
        ...

    def note(self, build: FeatureBuild) -> None:
        """Keep what is known of a build; the same (view, watermark) is kept once."""
        ...

    def builds(self) -> list[FeatureBuild]:
        """List the builds that were noted, by view and watermark."""
        ...


class OnlineStore(Protocol):
    """The newest vector of each symbol and view version, for serving.

    Versions of a view lie side by side. Whatever needs the network raises Unavailable when it is
    away, within the store's deadline; `held` never does any input or output. `kind` is `redis`
    or `in-process`.
    """

    kind: str

    def put(self, vectors: Sequence[FeatureVector]) -> None:
        """Keep `vectors`; one with an older (session, watermark) never replaces a newer one."""
        ...

    def held(self, symbol: str, view: str) -> FeatureVector | None:
        """Return the vector of `symbol` if this process holds it, without asking anybody."""
        ...

    def get_many(self, symbols: Sequence[str], view: str) -> list[FeatureVector | None]:
        """Return the vector of each symbol, in order; None where there is none. Blocks."""
        ...

    async def fetch(self, symbol: str, view: str) -> FeatureVector | None:
        """Return the vector of `symbol`, or None; reads asked for together travel together."""
        ...

    def entries(self, symbol: str) -> list[OnlineEntry]:
        """Return what is kept of `symbol`: one entry a view version, newest session first. Blocks."""
        ...

    def census(self) -> OnlineCensus:
        """Count what is kept. Blocks."""
        ...

    def away(self) -> str | None:
        """Say why what is held may have been replaced unnoticed; None while all is well."""
        ...

    def close(self) -> None:
        """Let go of connections and threads."""
        ...


class EventBus(Protocol):
    """Short messages to whoever listens now, in every process. None is kept for later."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send `payload` to all subscribers of `topic`. Raises Unavailable."""
        ...

    def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_link: Callable[[bool], None]
    ) -> None:
        """Call `on_message` for each message from now on, from the bus's thread or the publisher's.

        `on_link` is called with True each time listening begins and with False when the
        connection is lost: what was published before a True may have been missed.
        """
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class RequestQueue(Protocol):
    """Predictions asked for now and answered later; durable, and each delivered at least once.

    Everything raises Unavailable when the queue is away.
    """

    def submit(self, request_id: str, body: bytes) -> None:
        """Keep a request; it is durable on return. Raises Overloaded at capacity."""
        ...

    def take(self, consumer: str, limit: int, wait_s: float) -> list[QueuedRequest]:
        """Take up to `limit` requests, first those that another consumer left behind."""
        ...

    def done(self, request: QueuedRequest) -> None:
        """Take an answered request off the queue."""
        ...

    def bury(self, request: QueuedRequest, why: str, now: datetime) -> None:
        """Give a request up: it becomes a dead letter and is not delivered again."""
        ...

    def is_waiting(self, request_id: str) -> bool:
        """Say whether a request waits or is being worked on."""
        ...

    def dead(self, request_id: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """Return dead letters, newest first, or the one of `request_id`."""
        ...

    def revive(self, request_id: str) -> bool:
        """Put a dead letter back into the queue; False if there is none."""
        ...

    def counts(self) -> QueueCounts:
        """Count."""
        ...


class BarFeed(Protocol):
    """Live bars on their way to the lake: durable, in order a symbol, each delivered at least once.

    Bars of one symbol lie in one shard, and one consumer at a time works on a shard, for as long as
    it goes on saying so. Everything raises Unavailable when the feed is away.
    """

    def shard_of(self, symbol: str) -> int:
        """Return the shard that the bars of `symbol` go through."""
        ...

    def publish(self, bars: Sequence[tuple[str, bytes]]) -> None:
        """Send (symbol, message) pairs, in order; they are durable on return.

        Raises Overloaded at capacity; bars before the one that found no room were sent.
        """
        ...

    def hold(self, consumer: str) -> frozenset[int]:
        """Go on holding shards, take free ones up to a fair share, give up what is more than it."""
        ...

    def keep(self, consumer: str) -> None:
        """Say that `consumer` lives, and is still at work on the shards it holds."""
        ...

    def leave(self, consumer: str) -> None:
        """Let go of all shards."""
        ...

    def take(self, consumer: str, limit: int, wait_s: float) -> list[FedBar]:
        """Return the oldest bars that are not done of the shards held; the same until they are."""
        ...

    def done(self, consumer: str, bars: Sequence[FedBar]) -> frozenset[int]:
        """Take bars off the feed; return the shards that were lost to another consumer meanwhile."""
        ...

    def states(self) -> list[ShardState]:
        """Count what waits, shard by shard."""
        ...


class Jobs(Protocol):
    """Work that outlives its process: runs are kept, and go on after a crash where they stood.

    A step whose end was recorded is never done again. Everything raises Unavailable when the
    database is away.
    """

    def register(self, kind: JobKind) -> None:
        """Make `kind` known, so that this process can start it and work on it."""
        ...

    def start(self, kind: str, argument: Mapping[str, Any], key: str) -> JobRun:
        """Keep a run; it is durable on return, and `key` is its id.

        Where the key was used already, that run is returned and nothing is started. Raises
        UnknownName for a kind that is not registered and InvalidRequest for an argument or a key
        that cannot be used.
        """
        ...

    def get(self, job_id: str) -> JobRun | None:
        """Return a run with the steps that have ended, or None."""
        ...

    def recent(self, kind: str | None = None, limit: int = 100) -> list[JobRun]:
        """Return the newest runs, newest first, without their steps and results."""
        ...

    def cancel(self, job_id: str) -> bool:
        """End a run before its next step; False if there is none or it has ended."""
        ...

    def retry(self, job_id: str) -> bool:
        """Have a failed or cancelled run go on with its first step that is not done.

        False if there is none or it has not failed.
        """
        ...

    def wait(self, job_id: str, timeout_s: float) -> JobRun:
        """Return the run once it has ended, or as it is after `timeout_s` seconds.

        Raises MissingRecord if there is none.
        """
        ...

    def lost(self) -> bool:
        """Say whether another process took the work over since `working` began."""
        ...

    def working(self, pause: Callable[[float], bool]) -> AbstractContextManager[bool]:
        """Work on runs of the registered kinds while the context is open, one of a kind at a time.

        One process works on a database at a time: others stand by at the door, and the next goes
        in when it ends, however it ends. `pause` waits so many seconds and says whether to give
        up; then the value of the context is False. On leaving, a step under way is waited for,
        and its run is left to whoever works next.
        """
        ...


class WorkFiles(Protocol):
    """Files of long work, by the work they belong to and a name: parts done so far, and reports.

    Names of works and files are of letters, digits, dot, dash and underscore. Everything raises
    Unavailable when a bucket is away.
    """

    def keep(self, work: str, name: str, content: bytes) -> None:
        """Keep a file, whole or not at all; one of the same name is replaced."""
        ...

    def read(self, work: str, name: str) -> bytes | None:
        """Return a file; None where there is none, or where its bytes are not those that were kept."""
        ...

    def names(self, work: str) -> list[str]:
        """List the names of a work's files, sorted."""
        ...

    def works(self) -> list[str]:
        """List the works that have files, sorted."""
        ...

    def drop(self, work: str) -> None:
        """Remove all files of a work."""
        ...


class ReleaseStore(Protocol):
    """Immutable releases, named by the hash of their content."""

    def save(self, files: Mapping[str, bytes], manifest: Mapping[str, object]) -> str:
        """Keep a release and return its id; the same content gives the same id and is kept once."""
        ...

    def load(self, release_id: str) -> ReleaseFiles:
        """Return a release, every file checked against its hash.

        Raises
        ------
        MissingRecord
            If there is no such release.
        TamperedArtifact
            If any byte differs from what was saved.
        """
        ...

    def ids(self) -> list[str]:
        """List the ids of the releases that are kept."""
        ...


@dataclass(frozen=True, slots=True)
class IngestionRow:
    """One ingestion as the database keeps it.

    `watermark` is the `ingested_at` of the last rows that it added or revised; where it did neither,
    of the newest before it. `request` is what the source was asked for, as JSON, `{}` where that was
    not kept; `content` the fingerprint of what it read, None where unknown.
    """

    ingestion_id: str
    source: str
    started_at: datetime
    finished_at: datetime
    watermark: datetime
    read: int
    added: int
    revised: int
    unchanged: int
    rejected: int
    last_session: date | None
    request: str = "{}"
    content: str | None = None


@dataclass(frozen=True, slots=True)
class MaterialisationRow:
    """One feature build as the database keeps it."""

    view: str
    watermark: datetime
    built_at: datetime
    symbols: int
    rows: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """One training run: what was asked, on which data, what came out (as JSON)."""

    run_id: str
    key: str
    started_at: datetime
    finished_at: datetime
    watermark: datetime
    config: str
    outcome: str
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """One release as the database keeps it; `symbols` are those it may answer for."""

    release_id: str
    run_id: str
    created_at: datetime
    model: str
    scope: str
    horizon_sessions: int
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One inspection of the lake's bars; `ingestion_id` names the ingestion it followed.

    `verdict` is `passed` or `refused`, `summary` is JSON.
    """

    report_id: str
    ingestion_id: str | None
    created_at: datetime
    watermark: datetime
    verdict: str
    summary: str


@dataclass(frozen=True, slots=True)
class RepairRow:
    """One repaired cell of one source's bar: what it said, what it says now, and why.

    `watermark` is the state of the lake it was judged on; `was` is None where there was no number.
    """

    repair_id: str
    applied_at: datetime
    watermark: datetime
    source: str
    symbol: str
    session: date
    field: str
    was: float | None
    becomes: float
    kind: str
    evidence: str
    confidence: float


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One leak audit; `subject` is the version of what was audited, `report` is JSON.

    `verdict` is `green` or `leak`; `watermark` is None where the bars did not come from the lake.
    """

    audit_id: str
    subject: str
    created_at: datetime
    watermark: datetime | None
    verdict: str
    report: str


@dataclass(frozen=True, slots=True)
class BacktestRow:
    """One finished backtest: what was asked, on which data, what came out (as JSON).

    `key` is the hash of the question; `result_hash` that of every forecast and every traded
    session. `symbols` are those judged.
    """

    backtest_id: str
    key: str
    created_at: datetime
    finished_at: datetime
    watermark: datetime
    symbols: tuple[str, ...]
    config: str
    summary: str
    result_hash: str


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One scored fit, whatever became of it: what was tried, on which data and label, how it did.

    `configuration` is the hash of what was tried without the state of the data, so that the same
    thing fitted anew on newer bars is the same configuration. `study_id` is the training run, backtest
    or search it was part of. `state` is `complete`, `pruned` or `failed`. `returns` are net returns by
    session (Arrow IPC: session, net), None where there are none.
    """

    trial_id: str
    study_id: str
    configuration: str
    created_at: datetime
    state: str
    kind: str
    model: str
    scope: str
    label: str
    data: str
    watermark: datetime
    config: str
    metrics: str
    returns: bytes | None


@dataclass(frozen=True, slots=True)
class StandingRow:
    """What the gates said of a release, and whether it may answer for its symbols.

    Rows are only ever added; the newest of a release stands. `state` is `admitted`, `refused` (by a
    gate of a declared policy) or `waiting` (made beside the one that answers). `report` is JSON: the
    policy, and every gate's verdict with its figures. `by` says who, `why` why, in a sentence.
    """

    standing_id: str
    release_id: str
    created_at: datetime
    state: str
    skill_shown: bool
    by: str
    why: str
    report: str


@dataclass(frozen=True, slots=True)
class RetrainingRow:
    """One decision on whether to train again, whatever it was.

    `key` is the hash of all it was decided from. `action` is `trained`, `nothing`, `blocked` or
    `stopped` (out of budget; it goes on when asked again). `champion` is the release that answered,
    `release_id` the new one. `report` is JSON: evidence, reasons, comparison.
    """

    retraining_id: str
    key: str
    scope: str
    started_at: datetime
    finished_at: datetime
    by: str
    action: str
    champion: str
    release_id: str | None
    report: str


class Ledger(Protocol):
    """The platform's own record of what happened: the only truth about runs and releases."""

    def record_ingestion(self, row: IngestionRow) -> None:
        """Keep one finished ingestion."""
        ...

    def ingestions(self) -> list[IngestionRow]:
        """List ingestions, oldest first."""
        ...

    def record_materialisation(self, row: MaterialisationRow) -> None:
        """Keep one feature build; the same (view, watermark) is kept once."""
        ...

    def newest_materialisation(self, view: str) -> MaterialisationRow | None:
        """Return the build of `view` with the newest watermark."""
        ...

    def record_quality(self, row: QualityRow) -> None:
        """Keep one inspection."""
        ...

    def quality_reports(self, ingestion_id: str | None = None) -> list[QualityRow]:
        """List inspections, oldest first; all, or those that followed one ingestion."""
        ...

    def newest_quality(self) -> QualityRow | None:
        """Return the newest inspection."""
        ...

    def record_repairs(self, rows: Sequence[RepairRow]) -> int:
        """Keep repairs, all or none, each `repair_id` once; return how many were new."""
        ...

    def repairs(self, symbols: Sequence[str] | None = None) -> list[RepairRow]:
        """List repairs, oldest first; all, or those of some symbols."""
        ...

    def record_audit(self, row: AuditRow) -> None:
        """Keep one leak audit."""
        ...

    def newest_audit(self, subject: str, watermark: datetime) -> AuditRow | None:
        """Return the newest audit of `subject` at a watermark, or None."""
        ...

    def record_backtest(self, row: BacktestRow) -> None:
        """Keep one finished backtest."""
        ...

    def backtests(self, key: str | None = None, limit: int = 100) -> list[BacktestRow]:
        """Return the newest backtests, newest first; all, or those of one question."""
        ...

    def record_trials(self, rows: Sequence[TrialRow]) -> int:
        """Keep trials, all or none, each `trial_id` once; return how many were new."""
        ...

    def trials(self, label: str | None = None, study_id: str | None = None) -> list[TrialRow]:
        """Return trials, oldest first; all, or those of one label or study."""
        ...

    def record_run(
        self, run: RunRow, releases: Sequence[ReleaseRow], standings: Sequence[StandingRow] = ()
    ) -> None:
        """Keep a training run, its releases and how they stand, in one transaction."""
        ...

    def record_standings(self, rows: Sequence[StandingRow]) -> int:
        """Keep how releases stand, all or none, each `standing_id` once; return how many were new."""
        ...

    def standings(self, release_id: str | None = None) -> list[StandingRow]:
        """Return how releases stood, oldest first; of one, or the newest of each."""
        ...

    def record_retraining(self, row: RetrainingRow) -> None:
        """Keep one decision on training again."""
        ...

    def retrainings(self, scope: str | None = None) -> list[RetrainingRow]:
        """Return the decisions on training again, oldest first; all, or those of a scope."""
        ...

    def run_by_key(self, key: str) -> RunRow | None:
        """Return the newest run with this key (same data, same question), or None."""
        ...

    def runs(self, *, unmirrored: bool = False) -> list[RunRow]:
        """List runs, oldest first."""
        ...

    def mark_mirrored(self, run_id: str) -> None:
        """Note that a run has been mirrored to the tracker."""
        ...

    def releases(self) -> list[ReleaseRow]:
        """List releases, newest first."""
        ...


class PredictionLog(Protocol):
    """Predictions, durable before they are acknowledged."""

    def append(self, prediction: StoredPrediction) -> Future[None]:
        """Queue `prediction`; the future is done once it is on disk, or carries the error.

        What waits is written in one transaction. Raises Overloaded where the queue is full and
        Unavailable where the database is known to be away.
        """
        ...

    def enlist(self, prediction: StoredPrediction) -> "asyncio.Future[None]":
        """Do as `append` does, with a future of the running event loop."""
        ...

    def get(self, prediction_id: str) -> StoredPrediction | None:
        """Return a stored prediction, or None."""
        ...

    def beginning(self, prefix: str, limit: int) -> list[str]:
        """Return the ids of up to `limit` predictions that begin with `prefix`, in order."""
        ...

    def recent(self, limit: int) -> list[StoredPrediction]:
        """Return the newest `limit` predictions, newest first."""
        ...

    def forecasts(
        self, horizon_sessions: int, symbols: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Return what was predicted over a horizon, in the order it was made.

        Columns prediction_id, recorded_at (UTC), symbol, session, expected_return (simple, a
        fraction), probability_up, direction (up, down, flat), release, arm, and degraded (JSON).
        """
        ...

    def count(self) -> int:
        """Count the stored predictions."""
        ...

    def ping(self) -> None:
        """Ask the database for a sign of life; raises Unavailable or StorageError."""
        ...

    def close(self) -> None:
        """Write what waits and stop."""
        ...


class Tracker(Protocol):
    """Where people look at runs: a mirror of the ledger, never read to decide.

    `remote` says whether it is a server, which can be away.
    """

    remote: bool

    def ping(self) -> None:
        """Ask for a sign of life; raises Unavailable."""
        ...

    def mirror(self, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
        """Push one run; pushing it again changes nothing. Raises StorageError when away."""
        ...


class SentimentScorer(Protocol):
    """Scores short financial texts; a text scores the same bits in whatever company.

    What cannot be loaded says so by a BellwetherError from `method`, `ping` and every score.
    """

    @property
    def method(self) -> str:
        """Name what scores, with the hash of its files where it has any."""
        ...

    @property
    def instant(self) -> bool:
        """Say whether a score takes microseconds and no file is read."""
        ...

    @property
    def standing(self) -> tuple[str, ...]:
        """Return the reasons that an answer with a score from here has to carry."""
        ...

    def ping(self) -> None:
        """Load what it needs, if that was not done."""
        ...

    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """Return what each text sounds like."""
        ...

    def score_each(self, texts: Sequence[str]) -> list[float]:
        """Return the score of each text, in [-1, 1]."""
        ...

    def score(self, texts: Sequence[str]) -> float | None:
        """Return the mean score in [-1, 1]; None for no texts."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a use may touch, built once by `bootstrap`.

    `clock` is the market's time (it stands where data ends in the past); `wall` is the machine's,
    for when a thing was recorded. `queue` and `feed` are None where no server keeps them.
    """

    clock: Clock
    wall: Clock
    calendar: SessionCalendar
    sources: Mapping[str, BarSource]
    live: LiveSource
    lake: Lake
    features: FeatureStore
    online: OnlineStore
    queue: RequestQueue | None
    feed: BarFeed | None
    releases: ReleaseStore
    work: WorkFiles
    ledger: Ledger
    log: PredictionLog
    tracker: Tracker
    jobs: Jobs
    sentiment: SentimentScorer
