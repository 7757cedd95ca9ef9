"""Which ingestions the bars of some symbols come from, up to a watermark and since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from bellwether.core.ports import IngestionRow, Ports
from bellwether.pipelines.asked import in_words, request_in

NEUTRAL = {"split": 1.0, "dividend": 0.0}
SHOWN = 12
BARS = ["symbol", "session", "source", "adjustment", "revision", "ingested_at"]


@dataclass(frozen=True, slots=True)
class Ingested:
    """An ingestion as the ledger knows it, its counts over all that it told.

    `request` is None where it was not kept; `asked` is the same in words. `content` is the
    fingerprint of what was read.
    """

    ingestion_id: str
    source: str
    finished_at: datetime
    request: dict[str, Any] | None
    asked: str
    content: str | None
    added: int
    revised: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one append told of the symbols concerned, and the ingestion that it belongs to.

    `ingestion` is None where the ledger knows of none: the process was killed before it could
    record it, or another command than `ingest` wrote.

    Attributes
    ----------
    mark
        The `ingested_at` of the rows.
    bars, changed, actions
        Bars that were new, bars that were told before, and splits and dividends told.
    """

    mark: datetime
    bars: int
    changed: int
    actions: int
    ingestion: Ingested | None

    def words(self) -> str:
        """Say it in a line."""
        gave = f"{self.bars:,} bars, {self.changed:,} changes, {self.actions:,} actions of these"
        made = self.ingestion
        if made is None:
            return (
                f"{self.mark.isoformat()}: {gave}, recorded by no ingestion (killed before it was, or "
                "written by another command)"
            )
        read = f"; read sha256 {made.content[:12]}" if made.content else ""
        return (
            f"{self.mark.isoformat()}: {gave}, from {made.source} ({made.asked}{read}); in all "
            f"{made.added:,} added, {made.revised:,} revised, {made.rejected:,} rejected; "
            f"ingestion {made.ingestion_id}"
        )


@dataclass(frozen=True, slots=True)
class SymbolFacts:
    """What was in the lake of one symbol at the watermark, and how much came since.

    `first` and `last` are None where there was no bar. `revisions` counts changes of bars, those
    by a split or dividend that was told later among them. `splits` and `dividends` are those that
    stood. `adjustments` are normally one. `later_bars` and `later_changes` came after the watermark.
    """

    symbol: str
    sources: tuple[str, ...]
    first: date | None
    last: date | None
    bars: int
    revisions: int
    splits: int
    dividends: int
    adjustments: tuple[str, ...]
    later_bars: int
    later_changes: int

    def words(self) -> str:
        """Say it in a line."""
        if self.first is None:
            return f"{self.symbol}: no bars at this watermark"
        later = (
            f"; since then {self.later_bars:,} new, {self.later_changes:,} changed"
            if self.later_bars or self.later_changes
            else ""
        )
        return (
            f"{self.symbol}: {self.bars:,} bars of {', '.join(self.sources)}, {self.first} to "
            f"{self.last}, adjustment {', '.join(self.adjustments)}, {self.revisions:,} revisions, "
            f"{self.splits} splits, {self.dividends} dividends{later}"
        )


@dataclass(frozen=True, slots=True)
class DataUsed:
    """The state of the lake that something was computed from."""

    purpose: str
    watermark: datetime
    symbols: tuple[SymbolFacts, ...]
    contributed: tuple[Contribution, ...]
    later: tuple[Contribution, ...]

    def lines(self) -> list[str]:
        """Say it in words."""
        told = [f"Data of {self.purpose}, watermark {self.watermark.isoformat()}:"]
        told += [f"  {s.words()}" for s in self.symbols[:SHOWN]]
        if len(self.symbols) > SHOWN:
            told.append(f"  ... and {len(self.symbols) - SHOWN} more symbols (--json shows all)")
        told.append(
            "  ingested by:" if self.contributed else "  ingested by: nothing that is there"
        )
        told += [f"    {c.words()}" for c in self.contributed]
        if not self.later:
            return [*told, "  Nothing changed these symbols since."]
        told.append(
            "  Changed since by the following; a replay reads the state at the watermark all the same, "
            "a fresh computation would read these too:"
        )
        return told + [f"    {c.words()}" for c in self.later]


def traced(purpose: str, symbols: Sequence[str], watermark: datetime, ports: Ports) -> DataUsed:
    """Find what the lake held of `symbols` at `watermark`, who told it, and what came since."""
    bars = ports.lake.bars(symbols).select(BARS)
    actions = ports.lake.actions(symbols)
    counts = _by_mark(bars, actions)
    made = _made(ports.ledger.ingestions())
    told = [_contribution(row, made.get(row["mark"])) for row in counts]
    facts = _facts(bars, actions, watermark)
    return DataUsed(
        purpose,
        watermark,
        tuple(facts.get(s) or _nothing(s) for s in sorted(set(symbols))),
        tuple(c for c in told if c.mark <= watermark),
        tuple(c for c in told if c.mark > watermark),
    )


def _by_mark(bars: pl.DataFrame, actions: pl.DataFrame) -> list[dict[str, Any]]:
    """Count, of every append, its new bars, changes of bars, and actions."""
    of_bars = bars.group_by("ingested_at").agg(
        bars=(pl.col("revision") == 0).sum(), changed=(pl.col("revision") > 0).sum()
    )
    of_actions = actions.group_by("ingested_at").agg(actions=pl.len())
    joined = of_bars.join(of_actions, on="ingested_at", how="full", coalesce=True)
    counted = joined.rename({"ingested_at": "mark"}).fill_null(0)
    return counted.select("mark", "bars", "changed", "actions").sort("mark").rows(named=True)


def _made(rows: Sequence[IngestionRow]) -> dict[datetime, IngestionRow]:
    """Return the ingestions that changed facts by their mark.

    One that changed nothing has the mark of another, whose place it must not take.
    """
    made: dict[datetime, IngestionRow] = {}
    for row in rows:
        if row.added or row.revised:
            made.setdefault(row.watermark, row)
    return made


def _contribution(counted: dict[str, Any], row: IngestionRow | None) -> Contribution:
    made = None if row is None else _ingested(row)
    return Contribution(**counted, ingestion=made)


def _ingested(row: IngestionRow) -> Ingested:
    """Return an ingestion with its request read."""
    return Ingested(
        row.ingestion_id,
        row.source,
        row.finished_at,
        request_in(row),
        in_words(row),
        row.content,
        row.added,
        row.revised,
        row.rejected,
    )


def _facts(
    bars: pl.DataFrame, actions: pl.DataFrame, watermark: datetime
) -> dict[str, SymbolFacts]:
    then, first_told = pl.col("ingested_at") <= watermark, pl.col("revision") == 0
    seen = bars.group_by("symbol").agg(
        sources=pl.col("source").filter(then).unique().sort(),
        first=pl.col("session").filter(then).min(),
        last=pl.col("session").filter(then).max(),
        bars=(then & first_told).sum(),
        revisions=(then & ~first_told).sum(),
        adjustments=pl.col("adjustment").filter(then).unique().sort(),
        later_bars=(~then & first_told).sum(),
        later_changes=(~then & ~first_told).sum(),
    )
    standing = (
        actions.filter(then)
        .sort("ingested_at", "revision")
        .unique(["symbol", "session", "kind"], keep="last", maintain_order=True)
        .filter(pl.col("value") != pl.col("kind").replace_strict(NEUTRAL, return_dtype=pl.Float64))
        .group_by("symbol")
        .agg(
            splits=(pl.col("kind") == "split").sum(),
            dividends=(pl.col("kind") == "dividend").sum(),
        )
    )
    joined = seen.join(standing, on="symbol", how="left").with_columns(
        pl.col("splits", "dividends").fill_null(0)
    )
    found = {}
    for row in joined.iter_rows(named=True):
        lists = {name: tuple(row[name]) for name in ("sources", "adjustments")}
        found[row["symbol"]] = SymbolFacts(**{**row, **lists})
    return found


def _nothing(symbol: str) -> SymbolFacts:
    return SymbolFacts(symbol, (), None, None, 0, 0, 0, 0, (), 0, 0)
