"""Put faulty bars of the lake right, as new revisions, and keep why. A dry run unless told."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from bellwether.core.errors import MissingRecord, StorageError, UnknownName
from bellwether.core.ports import Ports, Progress, RepairRow, quiet
from bellwether.core.schemas import BARS_IN
from bellwether.quality.repair import put_right, repair
from bellwether.quality.repair_policy import KINDS, RepairPolicy

SHOWN = 12
TRIES = 3


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
        If others keep writing while this judges.
    """
    _known(config, ports)
    for _ in range(TRIES):
        watermark = ports.lake.watermark()
        if watermark is None:
            raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
        bars = _newest(ports.lake.bars(config.symbols), watermark)
        report, fresh = _judged(config, bars, watermark, ports, progress)
        if not config.apply or fresh is None:
            return report
        if ports.lake.watermark() == watermark:
            recorded = ports.ledger.record_repairs(report.repairs)
            done = ports.lake.append_bars(fresh, ports.wall.now())
            ports.clock.look()
            return replace(report, applied=True, revised=done.revised, recorded=recorded)
    raise StorageError(
        "lake", "bars came in while they were judged; nothing was written, try again"
    )


def _known(config: RepairConfig, ports: Ports) -> None:
    for kind in config.kinds:
        if kind not in KINDS:
            raise UnknownName("kind of repair", kind, KINDS)
    known = ports.lake.symbols()
    for symbol in config.symbols or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")


def _newest(bars: pl.DataFrame, watermark: datetime) -> pl.DataFrame:
    """Return of every source's bar the newest revision as of the watermark."""
    seen = bars.filter(pl.col("ingested_at") <= watermark)
    key = ["source", "symbol", "session"]
    return seen.sort(*key, "revision").unique(key, keep="last", maintain_order=True)


def _judged(
    config: RepairConfig, bars: pl.DataFrame, watermark: datetime, ports: Ports, progress: Progress
) -> tuple[RepairReport, pl.DataFrame | None]:
    """Return the report of a dry run, and the repaired bars (schema BARS_IN) if there are any."""
    now = ports.wall.now()
    policy = RepairPolicy(kinds=config.kinds)
    rows: list[RepairRow] = []
    left: list[Finding] = []
    fresh: list[pl.DataFrame] = []
    parts = bars.partition_by("source", "symbol", maintain_order=True)
    for done, part in enumerate(parts):
        progress("Judging", done, len(parts))
        source = str(part["source"][0])
        found = repair(part, ports.calendar, policy)
        rows += [_row(r, source, watermark, now) for r in found.changes.iter_rows(named=True)]
        left += [_left(f, source) for f in found.left.iter_rows(named=True)]
        if found.changes.height:
            fresh.append(_revised(part, found.changes, now))
    progress("Judging", len(parts), len(parts))
    report = RepairReport(False, bars.height, 0, 0, watermark, tuple(rows), tuple(left))
    return report, pl.concat(fresh) if fresh else None


def _revised(part: pl.DataFrame, changes: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return the repaired bars, known from now on whatever was stated of the faulty ones."""
    touched = part.join(
        changes.select("symbol", "session").unique(), on=["symbol", "session"], how="semi"
    )
    known = touched.with_columns(
        knowledge_time=pl.lit(now).cast(part.schema["knowledge_time"]),
        knowledge_basis=pl.lit("revised"),
    )
    return put_right(known, changes).select(list(BARS_IN.columns))


def _row(told: dict[str, object], source: str, watermark: datetime, now: datetime) -> RepairRow:
    cell = [told[c] for c in ("symbol", "session", "field", "was", "becomes")]
    text = repr([source, *map(str, cell), watermark.isoformat()])
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    return RepairRow(repair_id=key, applied_at=now, watermark=watermark, source=source, **told)  # type: ignore[arg-type]


def _left(told: dict[str, object], source: str) -> Finding:
    texts = {name: str(value) for name, value in told.items()}
    return Finding(source=source, **texts)
