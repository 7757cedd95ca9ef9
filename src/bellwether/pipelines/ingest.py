"""Bring bars from a source into the lake; what breaks a rule goes to quarantine."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import uuid_utils

from bellwether.core.errors import UnknownName
from bellwether.core.ports import IngestionRow, LakeBatch, Ports, Progress, SourceQuery, quiet
from bellwether.core.types import Rejection, Remark
from bellwether.pipelines.basis import unmixed
from bellwether.telemetry import INGEST_FAILURES, INGEST_SECONDS, INGESTED_ROWS

SHOWN = 12


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """Which source is asked for what."""

    source: str
    query: SourceQuery


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingestion did. `symbols` holds symbol, first and last session, and bars told."""

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
        return told


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
    bars, mixes = unmixed(batch.bars, ports)
    rejections = (*batch.rejections, *mixes)
    told = LakeBatch(bars=bars if bars.height else None, rejections=rejections)
    result = ports.lake.append(told, ports.wall.now())
    progress("Writing", 2, 2)
    report = IngestReport(
        source=config.source,
        read=batch.rows_read,
        accepted=bars.height,
        added=result.added,
        revised=result.revised,
        unchanged=result.unchanged,
        rejected=len(rejections),
        reasons=dict(Counter(r.reason for r in rejections)),
        rejections=rejections,
        remarks=batch.remarks,
        symbols=_symbols(bars),
        watermark=result.watermark,
    )
    ports.ledger.record_ingestion(_row(report, started, ports.wall.now()))
    for outcome in ("added", "revised", "unchanged", "rejected"):
        INGESTED_ROWS.labels(outcome).inc(getattr(report, outcome))
    ports.clock.look()
    return report


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
