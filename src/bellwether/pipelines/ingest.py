"""Bring bars from a source into the lake; what breaks a rule goes to quarantine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl
import uuid_utils

from bellwether.core.errors import UnknownName
from bellwether.core.ports import (
    IngestionRow,
    Lake,
    LakeBatch,
    Ports,
    Progress,
    SourceBatch,
    SourceQuery,
    quiet,
)
from bellwether.core.types import AppendResult, Rejection, Remark
from bellwether.pipelines import quality
from bellwether.pipelines.asked import request_of
from bellwether.pipelines.basis import unmixed
from bellwether.quality.treatments import QUALITY_BAR
from bellwether.telemetry import INGEST_FAILURES, INGEST_SECONDS, INGESTED_ROWS

SHOWN = 12
UNIVERSE = "universe"
TOLD = {
    "quoted_at": "quotes",
    "published_at": "texts",
    "known_from": "sectors",
    "session": "actions",
}
"""What a frame of facts tells of, by its column of time."""
SPELL_KEYS = ["universe", "symbol", "first", "source"]


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """Which source is asked for what; `quality_bar` is what the inspection afterwards is held to."""

    source: str
    query: SourceQuery
    quality_bar: float = QUALITY_BAR


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingestion did. `symbols` holds symbol, first and last session, and bars told.

    `quality` sums the inspection of these symbols up, None where there was none; `facts` says in
    words what was told that is no bar.
    """

    source: str
    read: int
    accepted: int
    added: int
    revised: int
    unchanged: int
    rejected: int
    reasons: dict[str, int]
    rejections: tuple[Rejection, ...]
    remarks: tuple[Remark, ...]
    symbols: tuple[tuple[str, date, date, int], ...]
    watermark: datetime | None
    facts: tuple[str, ...] = ()
    quality: str | None = None

    def lines(self) -> list[str]:
        """Say it in words, with the place of everything that was refused or is odd."""
        told = [
            (
                f"Read {self.read:,} rows from {self.source}: {self.added:,} added, "
                f"{self.revised:,} revised, {self.unchanged:,} unchanged, {self.rejected:,} rejected."
            )
        ]
        told += self.facts
        told += [
            f"{s}: {n:,} bars, {first} to {last}" for s, first, last, n in self.symbols[:SHOWN]
        ]
        if len(self.symbols) > SHOWN:
            told.append(f"... and {len(self.symbols) - SHOWN} more symbols")
        for reason, count in sorted(self.reasons.items()):
            told.append(f"rejected as {reason}: {count}")
            examples = [r for r in self.rejections if r.reason == reason][:3]
            told += [f"  {r.location}: {r.detail}" for r in examples]
        told += [f"note: {r.location}: {r.detail}" for r in self.remarks[:SHOWN]]
        if len(self.remarks) > SHOWN:
            told.append(f"... and {len(self.remarks) - SHOWN} more notes (--json shows all)")
        if self.accepted == 0:
            told.append("Nothing was accepted.")
        elif self.symbols and self.quality is None:
            told.append("Not inspected: the log says why. Try again with: bellwether quality")
        elif self.symbols:
            told.append(f"Quality: {self.quality}. See: bellwether quality{self._which()}")
        return told

    def _which(self) -> str:
        """Name the symbols where they are few."""
        names = [s for s, *_ in self.symbols]
        return f" --symbols {','.join(names)}" if len(names) <= SHOWN else ""


@INGEST_FAILURES.count_exceptions()
@INGEST_SECONDS.time()
def run(config: IngestConfig, ports: Ports, progress: Progress = quiet) -> IngestReport:
    """Read a source and append what it tells.

    Safe to repeat and to kill: an append is one commit, and what is there already is not added
    again.

    Raises
    ------
    UnknownName
        If there is no such source.
    UnreadableFile
        If a file cannot be read at all.
    """
    source = ports.sources.get(config.source)
    if source is None:
        raise UnknownName("source", config.source, sorted(ports.sources))
    started = ports.wall.now()
    progress("Reading", 0, 2)
    query = config.query
    if config.source == UNIVERSE:
        query = replace(query, spells=ports.lake.universe())
    batch = source.read(query, ports.wall.now())
    progress("Writing", 1, 2)
    bars, mixes = unmixed(batch.bars, ports)
    rejections = (*batch.rejections, *mixes)
    batch = replace(batch, bars=bars, rejections=rejections)
    result = _written(batch, ports)
    progress("Writing", 2, 2)
    report = IngestReport(
        source=config.source,
        read=batch.rows_read,
        accepted=bars.height + sum(f.height for f in _told(batch)),
        added=result.added,
        revised=result.revised,
        unchanged=result.unchanged,
        rejected=len(rejections),
        reasons=dict(Counter(r.reason for r in rejections)),
        rejections=rejections,
        remarks=batch.remarks,
        symbols=_symbols(bars),
        watermark=result.watermark,
        facts=tuple(_described(f) for f in _told(batch) if f.height),
    )
    row = _row(report, started, ports.wall.now())
    asked = request_of(config.source, config.query)
    ports.ledger.record_ingestion(replace(row, request=asked, content=batch.fingerprint))
    for outcome in ("added", "revised", "unchanged", "rejected"):
        INGESTED_ROWS.labels(outcome).inc(getattr(report, outcome))
    ports.clock.look()
    return replace(report, quality=_inspected(report, row, config, ports, progress))


def _inspected(
    report: IngestReport, row: IngestionRow, config: IngestConfig, ports: Ports, progress: Progress
) -> str | None:
    """Inspect the symbols told; whatever goes wrong there, the ingestion stands."""
    if not report.symbols:
        return None
    symbols = tuple(s for s, *_ in report.symbols)
    since = min(first for _, first, *_ in report.symbols)
    asked = quality.QualityConfig(symbols=symbols, since=since, bar=config.quality_bar)
    found = quality.after_ingestion(row.ingestion_id, asked, ports, progress)
    return None if found is None else found.brief()


def _written(batch: SourceBatch, ports: Ports) -> AppendResult:
    """Append what a source told, in its order; a fact that is told in two steps counts once."""
    parts = [LakeBatch(bars=batch.bars)] if batch.bars.height else []
    parts += _news(batch.batches, ports.lake)
    first = replace(parts[0] if parts else LakeBatch(), rejections=batch.rejections)
    *before, last = [ports.lake.append(part, ports.wall.now()) for part in (first, *parts[1:])]
    early = sum(result.added for result in before)
    return AppendResult(
        added=early + last.added,
        revised=last.revised - early,
        unchanged=last.unchanged,
        watermark=_mark(*before, last),
        rejected=sum(result.rejected for result in (*before, last)),
    )


def _mark(*results: AppendResult) -> datetime:
    """Return the mark of the last append that added something; else the newest that was there."""
    wrote = [r.watermark for r in results if r.added or r.revised or r.rejected]
    return wrote[-1] if wrote else results[-1].watermark


def _news(batches: Sequence[LakeBatch], lake: Lake) -> list[LakeBatch]:
    """Leave out of earlier batches the facts that the lake knows: a later batch tells their state."""
    news = []
    for batch in batches[:-1]:
        if batch.universe is None:
            news.append(batch)
            continue
        known = lake.universe().select(SPELL_KEYS).unique()
        fresh = batch.universe.join(known, on=SPELL_KEYS, how="anti", maintain_order="left")
        if fresh.height:
            news.append(replace(batch, universe=fresh))
    return [*news, *batches[-1:]]


def _told(batch: SourceBatch) -> list[pl.DataFrame]:
    """Return the frames that are no bars, in their last state."""
    if not batch.batches:
        return []
    last = batch.batches[-1]
    told = (last.actions, last.universe, last.quotes, last.texts, last.sectors)
    return [f for f in told if f is not None]


def _described(facts: pl.DataFrame) -> str:
    names = facts["symbol"].n_unique()
    if "universe" in facts.columns:
        which = ", ".join(facts["universe"].unique().sort())
        open_ended = facts["last"].null_count()
        return (
            f"{which}: {facts.height:,} spells of {names:,} names, {open_ended:,} of them still in"
        )
    when = next(column for column in TOLD if column in facts.columns)
    what = TOLD[when]
    days = facts[when].dt.date().sort()
    return f"{facts.height:,} {what} of {names:,} names, {days[0]} to {days[-1]}"


def _symbols(bars: pl.DataFrame) -> tuple[tuple[str, date, date, int], ...]:
    grouped = bars.group_by("symbol").agg(
        first=pl.col("session").min(), last=pl.col("session").max(), n=pl.len()
    )
    return tuple(grouped.sort("symbol").rows())


def _row(report: IngestReport, started: datetime, finished: datetime) -> IngestionRow:
    return IngestionRow(
        ingestion_id=str(uuid_utils.uuid7()),
        source=report.source,
        started_at=started,
        finished_at=finished,
        watermark=report.watermark or started,
        read=report.read,
        added=report.added,
        revised=report.revised,
        unchanged=report.unchanged,
        rejected=report.rejected,
        last_session=max((last for _, _, last, _ in report.symbols), default=None),
    )
