"""Look for faults in the bars that are known now, and say whether they may be trained on."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import permutations
from typing import NoReturn

import numpy as np
import polars as pl
import uuid_utils

from bellwether.core.asof import as_of
from bellwether.core.errors import MissingRecord, QualityTooLow, UnknownName
from bellwether.core.ports import Ports, Progress, QualityRow, quiet
from bellwether.pipelines.quality_judge import FOUND, TOLD, judged
from bellwether.pipelines.quality_report import SHOWN, Drawn, QualityReport
from bellwether.quality.inspect import inspect
from bellwether.quality.policy import QualityPolicy
from bellwether.quality.reconcile import disagreements
from bellwether.quality.treatments import QUALITY_BAR
from bellwether.telemetry import (
    QUALITY_BARS,
    QUALITY_FAILURES,
    QUALITY_REFUSALS,
    QUALITY_SECONDS,
    get_logger,
)

__all__ = ["SHOWN", "QualityConfig", "after_ingestion", "demand", "row_of", "run"]

CHUNK = 250
COMPANY = 24
CONTEXT = 520
SHORT = re.compile(r"(?P<symbol>\S+) (?P<session>\d{4}-\d\d-\d\d) (none|splits|total)")
OVERRIDE = (
    "See what is wrong with `bellwether quality`; train all the same with --ignore-quality, "
    "which the release and its answers will name."
)
KEYS = ("symbol", "session", "source")


@dataclass(frozen=True, slots=True)
class QualityConfig:
    """What is inspected: these symbols (None: all), this source (None: all), from a day on.

    Of `every_source`, or of those only that make the series that models see.

    `bar` is the share of sessions without fault that each symbol and all together need. Only rows
    ingested by `watermark` are seen. `context` sessions before `since` are looked at to judge by
    (None: all). `drawn` of the worst symbols get the closes for a picture.
    """

    symbols: tuple[str, ...] | None = None
    source: str | None = None
    every_source: bool = True
    since: date | None = None
    context: int | None = None
    bar: float = QUALITY_BAR
    watermark: datetime | None = None
    policy: QualityPolicy = field(default_factory=QualityPolicy)
    drawn: int = 0


@QUALITY_SECONDS.time()
def run(config: QualityConfig, ports: Ports, progress: Progress = quiet) -> QualityReport:
    """Inspect the newest revisions known at the clock, source by source, and what was rejected.

    Raises
    ------
    UnknownName
        If a symbol or the source is not known here.
    MissingRecord
        If nothing was ever ingested, or nothing from that source.
    """
    refused = _quarantine(config, ports)
    symbols = _symbols(config, ports, refused)
    told: list[pl.DataFrame] = []
    found: list[pl.DataFrame] = []
    chunks = [symbols[i : i + CHUNK] for i in range(0, len(symbols), CHUNK)]
    for done, chunk in enumerate(chunks):
        bars = _known(_in_company(chunk, ports), config, ports)
        asked = pl.col("symbol").is_in(chunk)
        told.append(bars.filter(asked).select(KEYS))
        found += [flags.filter(asked) for flags in _found(bars, config, ports)]
        QUALITY_BARS.inc(told[-1].height)
        progress("Inspecting", done + 1, len(chunks))
    bars = pl.concat(told) if told else pl.DataFrame(schema=TOLD)
    if config.source is not None and bars.height == 0 and refused.height == 0:
        _nothing_from(config.source, ports)
    flags = pl.concat(found) if found else pl.DataFrame(schema=FOUND)
    report = judged(config, ports, bars, flags, refused)
    return replace(report, drawn=_drawn(report, config, ports)) if config.drawn else report


def _nothing_from(source: str, ports: Ports) -> NoReturn:
    if source in ports.sources:
        raise MissingRecord("bar", f"source {source}", f"bellwether ingest {source}")
    told = ports.lake.bars(every_source=True)["source"].unique().to_list()
    raise UnknownName("source", source, sorted({*told, *ports.sources}))


def demand(config: QualityConfig, ports: Ports, *, ignore: bool) -> QualityReport:
    """Inspect what models would see; go on where the gate lets pass or its refusal is ignored.

    Raises
    ------
    QualityTooLow
        If too many sessions are faulty.
    """
    report = run(replace(config, every_source=False), ports)
    if not report.gate.passed:
        QUALITY_REFUSALS.inc()
        if not ignore:
            raise QualityTooLow(report.gate.lines(), report.gate.passes_when, OVERRIDE)
    return report


def after_ingestion(
    ingestion_id: str, config: QualityConfig, ports: Ports, progress: Progress = quiet
) -> QualityReport | None:
    """Inspect what an ingestion told, beside two years before it, and keep the summary.

    None where the inspection failed: that is logged and counted, and the ingestion stands.
    """
    try:
        report = run(replace(config, context=CONTEXT), ports, progress)
        ports.ledger.record_quality(row_of(report, ingestion_id, ports.wall.now()))
    except Exception as error:  # noqa: BLE001 - whatever it is, the bars are in the lake
        QUALITY_FAILURES.inc()
        get_logger(__name__).warning("not_inspected", ingestion=ingestion_id, why=str(error))
        return None
    return report


def row_of(report: QualityReport, ingestion_id: str | None, at: datetime) -> QualityRow:
    """Turn a report into the row that the ledger keeps."""
    return QualityRow(
        str(uuid_utils.uuid7()),
        ingestion_id,
        at,
        report.watermark or at,
        report.gate.verdict,
        json.dumps(report.summary()),
    )


def _symbols(config: QualityConfig, ports: Ports, refused: pl.DataFrame) -> list[str]:
    kept = ports.lake.symbols()
    known = sorted({*kept, *refused["symbol"].drop_nulls().to_list()})
    if not known and refused.height == 0:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    for symbol in config.symbols or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    return [s for s in kept if config.symbols is None or s in config.symbols]


def _in_company(symbols: list[str], ports: Ports) -> list[str]:
    """Add others, so that a day on which everything moves can be told from a fault."""
    others = [s for s in ports.lake.symbols() if s not in set(symbols)]
    wanted = COMPANY - len(symbols)
    if wanted <= 0 or not others:
        return symbols
    step = max(len(others) / wanted, 1.0)
    picked = [others[int(i * step)] for i in range(min(wanted, len(others)))]
    return sorted([*symbols, *picked])


def _known(symbols: Sequence[str], config: QualityConfig, ports: Ports) -> pl.DataFrame:
    """Return the newest revision of each source's bar."""
    first = None
    if config.since is not None and config.context is not None:
        first = _context(config.since, config.context, ports)
    revisions = ports.lake.bars(symbols, first=first, every_source=config.every_source)
    bars = as_of(revisions, ports.clock.now(), KEYS, ingested_before=config.watermark)
    return bars if config.source is None else bars.filter(pl.col("source") == config.source)


def _context(since: date, sessions: int, ports: Ports) -> date:
    """Return the session that lies so many before the first one from `since` on."""
    days = ports.calendar.sessions
    at = int(np.searchsorted(days, np.datetime64(since, "D"))) - sessions
    first: date = days[max(at, 0)].astype(object)
    return first


def _found(bars: pl.DataFrame, config: QualityConfig, ports: Ports) -> Iterator[pl.DataFrame]:
    """Inspect each source by itself, and each two against one another."""
    by_source = {str(k[0]): b for k, b in bars.group_by("source", maintain_order=True)}
    for source, mine in sorted(by_source.items()):
        flags = inspect(mine, ports.calendar, config.policy)
        yield flags.with_columns(source=pl.lit(source))
    for first, second in permutations(sorted(by_source), 2):
        both = set(by_source[first]["symbol"]) & set(by_source[second]["symbol"])
        if not both:
            continue
        shared = pl.col("symbol").is_in(both)
        flags = disagreements(
            by_source[first].filter(shared), by_source[second].filter(shared), config.policy
        )
        yield _once(flags, again=first > second).with_columns(source=pl.lit(f"{first} / {second}"))


def _once(flags: pl.DataFrame, *, again: bool) -> pl.DataFrame:
    """Of two looks at one pair, keep each disagreement once.

    What the first look notes of the other source, the second calls its fault; what neither can
    tell, both call suspect. A session that only the other source tells is told by one look only.
    """
    lone = pl.col("field") == ""
    open_question = (pl.col("severity") == "suspect") & (not again)
    return flags.filter((pl.col("severity") == "fault") | lone | open_question)


def _quarantine(config: QualityConfig, ports: Ports) -> pl.DataFrame:
    """Return rejected rows with the symbol and session they were about, null where unknown."""
    kept = ports.lake.quarantine()
    if config.source is not None:
        kept = kept.filter(pl.col("source") == config.source)
    about = [_about(record) for record in kept["record"].to_list()]
    return kept.with_columns(
        symbol=pl.Series([a[0] for a in about], dtype=pl.String),
        session=pl.Series([a[1] for a in about], dtype=pl.Date),
        is_bar=pl.Series([a[2] for a in about], dtype=pl.Boolean),
    )


def _about(record: str) -> tuple[str | None, date | None, bool]:
    """Return the symbol and session of a rejected record, and whether it is a bar."""
    try:
        told = json.loads(record)
    except ValueError:
        named = SHORT.fullmatch(record)
        if named is None:
            return None, None, False
        return named["symbol"], _day(named["session"]), True
    if not isinstance(told, dict):
        return None, None, False
    day = _day(str(told.get("session") or told.get("told_date")))
    symbol = told.get("symbol")
    return (str(symbol) if symbol else None), day, "close" in told


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _drawn(report: QualityReport, config: QualityConfig, ports: Ports) -> tuple[Drawn, ...]:
    """Give the symbols with most faults their closes, on the share basis of the last session."""
    flagged = Counter(f.symbol for f in report.flags if f.severity != "note")
    faulty = {s.symbol: s.faulty for s in report.symbols}
    worst = sorted(flagged, key=lambda s: (-faulty.get(s, 0), -flagged[s], s))[: config.drawn]
    drawn = []
    seen = replace(config, every_source=config.source is not None)
    for symbol in worst:
        bars = _known([symbol], seen, ports).sort("session", "ingested_at")
        bars = bars.unique("session", keep="last", maintain_order=True)
        raw = pl.when(pl.col("adjustment") == "none").then("split_ratio").otherwise(1.0)
        ratios = bars.select(raw).to_series().to_numpy()
        after = np.append(np.cumprod(ratios[::-1])[::-1][1:], 1.0)
        closes = (bars["close"].to_numpy() / after).tolist()
        drawn.append(Drawn(symbol, tuple(bars["session"].to_list()), tuple(closes)))
    return tuple(drawn)
