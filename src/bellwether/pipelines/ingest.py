"""Bring bars from a source into the lake; what breaks a rule goes to quarantine."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl
import uuid_utils

from bellwether.core.errors import UnknownName
from bellwether.core.ports import IngestionRow, LakeBatch, Ports, Progress, SourceQuery, quiet
from bellwether.core.types import Rejection, Remark
from bellwether.pipelines import quality
from bellwether.quality.treatments import QUALITY_BAR
from bellwether.telemetry import INGEST_FAILURES, INGEST_SECONDS, INGESTED_ROWS

SHOWN = 12


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """Which source is asked for what; `quality_bar` is what the inspection afterwards is held to."""

    source: str
    query: SourceQuery
    quality_bar: float = QUALITY_BAR


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingestion did. `symbols` holds symbol, first and last session, and bars told.

    `quality` sums the inspection of these symbols up; None where there was none.
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
    quality: str | None = None

    def lines(self) -> list[str]:
        """Say it in words, with the place of everything that was refused or is odd."""
        told = [
            (
                f"Read {self.read:,} rows from {self.source}: {self.added:,} added, "
                f"{self.revised:,} revised, {self.unchanged:,} unchanged, {self.rejected:,} rejected."
            )
        ]
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
        elif self.quality is None:
            told.append("Not inspected: the log says why. Try again with: bellwether quality")
        else:
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
    batch = source.read(config.query, ports.wall.now())
    progress("Writing", 1, 2)
    bars = batch.bars if batch.bars.height else None
    result = ports.lake.append(LakeBatch(bars=bars, rejections=batch.rejections), ports.wall.now())
    progress("Writing", 2, 2)
    report = IngestReport(
        source=config.source,
        read=batch.rows_read,
        accepted=batch.bars.height,
        added=result.added,
        revised=result.revised,
        unchanged=result.unchanged,
        rejected=len(batch.rejections),
        reasons=dict(Counter(r.reason for r in batch.rejections)),
        rejections=batch.rejections,
        remarks=batch.remarks,
        symbols=_symbols(batch.bars),
        watermark=result.watermark,
    )
    row = _row(report, started, ports.wall.now())
    ports.ledger.record_ingestion(row)
    for told in ("added", "revised", "unchanged", "rejected"):
        INGESTED_ROWS.labels(told).inc(getattr(report, told))
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
