"""Put faulty bars of the lake right, as new revisions, and keep why. A dry run unless told."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from bellwether.core.errors import MissingRecord, StorageError, UnknownName
from bellwether.core.ports import Ports, Progress, RepairRow, quiet
from bellwether.pipelines.repair_batches import batches
from bellwether.quality.repair import repair
from bellwether.quality.repair_policy import KINDS, RepairPolicy

SHOWN = 12


@dataclass(frozen=True, slots=True)
class RepairConfig:
    """What is looked at (None means all), which kinds are repaired, and whether to write."""

    symbols: tuple[str, ...] | None = None
    kinds: tuple[str, ...] = KINDS
    apply: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What looks wrong and is left as it is."""

    source: str
    symbol: str
    session: str
    kind: str
    evidence: str


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was judged and proposed; `revised` bars were written, none in a dry run."""

    applied: bool
    judged: int
    revised: int
    recorded: int
    watermark: datetime
    repairs: tuple[RepairRow, ...]
    left: tuple[Finding, ...]

    def lines(self) -> list[str]:
        """Say it in words."""
        bars = len({(r.source, r.symbol, r.session) for r in self.repairs})
        told = [
            f"{self.judged:,} bars judged: {bars} can be repaired, {len(self.left)} findings left."
        ]
        for kind, n in sorted(Counter(r.kind for r in self.repairs).items()):
            told.append(f"{kind}: {n} values")
        for r in self.repairs[:SHOWN]:
            was = "nothing" if r.was is None else f"{r.was:g}"
            told.append(
                f"  {r.symbol} {r.session} {r.field}: {was} becomes {r.becomes:g} ({r.evidence})"
            )
        if len(self.repairs) > SHOWN:
            told.append(f"  ... and {len(self.repairs) - SHOWN} more values (--json shows all)")
        told += [f"left: {f.symbol} {f.session}: {f.kind}: {f.evidence}" for f in self.left[:SHOWN]]
        if len(self.left) > SHOWN:
            told.append(f"... and {len(self.left) - SHOWN} more left (--json shows all)")
        return [*told, self._end()]

    def _end(self) -> str:
        if not self.repairs:
            return "Nothing to repair."
        if not self.applied:
            return "Nothing was written; --apply writes these as new revisions."
        return f"{self.revised} bars revised, known from now on; {self.recorded} repairs recorded."


def run(config: RepairConfig, ports: Ports, progress: Progress = quiet) -> RepairReport:
    """Judge the newest revision of every bar, and write what can be put right.

    A repair is recorded before it is written, under an id made of what it says: killed in between
    and run again, it is recorded once and written. What is repaired already is not repaired again.

    Raises
    ------
    MissingRecord
        If the lake holds no bars.
    UnknownName
        If a symbol has no bars, or a kind does not exist.
    StorageError
        If others write meanwhile: run it again, and theirs is judged too.
    """
    _known(config, ports)
    watermark = ports.lake.watermark()
    if watermark is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    bars = _newest(ports.lake.bars(config.symbols, every_source=True), watermark)
    report, judged = _judged(config, bars, watermark, ports, progress)
    if not config.apply or not judged:
        return report
    actions = _newest(ports.lake.actions(config.symbols), watermark, "kind")
    recorded = ports.ledger.record_repairs(report.repairs)
    revised = _write(judged, actions, watermark, ports)
    ports.clock.look()
    return replace(report, applied=True, revised=revised, recorded=recorded)


Judged = list[tuple[pl.DataFrame, pl.DataFrame]]


def _write(judged: Judged, actions: pl.DataFrame, seen: datetime, ports: Ports) -> int:
    """Append source by source, and stop where others wrote meanwhile: theirs may be better."""
    revised = 0
    now = ports.wall.now()
    for batch in batches(judged, actions, now):
        if ports.lake.watermark() != seen:
            raise StorageError("lake", "others wrote while bars were judged; run it again")
        done = ports.lake.append(batch, now)
        seen, revised = done.watermark, revised + done.revised + done.added
    return revised


def _known(config: RepairConfig, ports: Ports) -> None:
    for kind in config.kinds:
        if kind not in KINDS:
            raise UnknownName("kind of repair", kind, KINDS)
    known = ports.lake.symbols()
    for symbol in config.symbols or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")


def _newest(rows: pl.DataFrame, watermark: datetime, *also: str) -> pl.DataFrame:
    """Return the newest revision, as of the watermark, of what every source tells."""
    key = ["source", "symbol", "session", *also]
    seen = rows.filter(pl.col("ingested_at") <= watermark)
    return seen.sort(*key, "revision").unique(key, keep="last", maintain_order=True)


def _judged(
    config: RepairConfig, bars: pl.DataFrame, watermark: datetime, ports: Ports, progress: Progress
) -> tuple[RepairReport, Judged]:
    """Return the report of a dry run, and what was judged together with its repairs."""
    now = ports.wall.now()
    policy = RepairPolicy(kinds=config.kinds)
    rows: list[RepairRow] = []
    left: list[Finding] = []
    judged: Judged = []
    parts = bars.partition_by("source", "symbol", "adjustment", maintain_order=True)
    for done, part in enumerate(parts):
        progress("Judging", done, len(parts))
        found = repair(part, ports.calendar, policy)
        rows += _rows(part, found.changes, watermark, now)
        left += [_left(f, str(part["source"][0])) for f in found.left.iter_rows(named=True)]
        if found.changes.height:
            judged.append((part, found.changes))
    progress("Judging", len(parts), len(parts))
    report = RepairReport(False, bars.height, 0, 0, watermark, tuple(rows), tuple(left))
    return report, judged


def _rows(
    part: pl.DataFrame, changes: pl.DataFrame, watermark: datetime, now: datetime
) -> list[RepairRow]:
    """Lay repairs out as they are kept; the id names the cell of one revision of the bar."""
    known = part.select("symbol", "session", "source", "ingested_at")
    joined = changes.join(known, on=["symbol", "session"], how="left", maintain_order="left")
    rows = []
    for told in joined.iter_rows(named=True):
        text = "|".join(str(told[c]) for c in ("source", *changes.columns[:5], "ingested_at"))
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        cell = {c: told[c] for c in ("source", *changes.columns)}
        rows.append(RepairRow(repair_id=key, applied_at=now, watermark=watermark, **cell))
    return rows


def _left(told: dict[str, object], source: str) -> Finding:
    texts = {name: str(value) for name, value in told.items()}
    return Finding(source=source, **texts)
