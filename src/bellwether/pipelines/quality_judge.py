"""From bars, flags and rejected rows to shares, counts and the verdict of the gate."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from typing import Any, Protocol

import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.ports import Ports
from bellwether.core.schemas import FLAG_KINDS
from bellwether.pipelines.quality_report import (
    Flag,
    Gate,
    QualityReport,
    RejectedRow,
    SymbolQuality,
    percent,
)
from bellwether.quality.treatments import MISSING, WORDS, Treatment, kind_of, treatment

TOLD = {"symbol": pl.String, "session": pl.Date, "source": pl.String}
FOUND = {
    **dict.fromkeys(("symbol", "kind", "field", "severity", "detail", "source"), pl.String),
    "session": pl.Date,
    "score": pl.Float64,
}
RANK = {"fault": 0, "suspect": 1, "note": 2}
DAY = ("symbol", "session")
NAMED = 3


class Asked(Protocol):
    """The part of the question that judging needs."""

    @property
    def symbols(self) -> tuple[str, ...] | None: ...  # noqa: D102
    @property
    def since(self) -> date | None: ...  # noqa: D102
    @property
    def bar(self) -> float: ...  # noqa: D102
    @property
    def watermark(self) -> datetime | None: ...  # noqa: D102
    @property
    def policy(self) -> Any: ...  # noqa: D102


def judged(
    asked: Asked, ports: Ports, bars: pl.DataFrame, flags: pl.DataFrame, refused: pl.DataFrame
) -> QualityReport:
    """Judge what was found.

    Parameters
    ----------
    asked : Asked
        The question.
    ports : Ports
        For the calendar, the clock and the watermark.
    bars : DataFrame
        symbol, session and source of every bar that was inspected.
    flags : DataFrame
        Schema FLAGS and `source`.
    refused : DataFrame
        Schema QUARANTINE, `symbol` and `session` (null where unknown), `is_bar`.
    """
    if asked.symbols is not None:
        refused = refused.filter(pl.col("symbol").is_in(list(asked.symbols)))
    whole = True
    if asked.since is not None:
        late = (pl.col("session") >= asked.since) | pl.col("session").is_null()
        whole = bars.filter(~late).height == 0
        bars, flags, refused = (frame.filter(late) for frame in (bars, flags, refused))
    told = bars.select(DAY).unique()
    flags = flags.with_columns(faulty=_faulty(flags, told))
    refused = _lost(refused, told, ports.calendar)
    symbols = _by_symbol(told, flags, refused)
    total, wrong = _sessions(told, flags, refused)
    share = 1.0 - wrong.height / total if total else 0.0
    failing = tuple(s for s in sorted(symbols, key=lambda s: s.share) if s.share < asked.bar)
    passed = total > 0 and share >= asked.bar and not failing
    return QualityReport(
        since=None if whole else asked.since,
        as_of=ports.calendar.last_closed(ports.clock.now()),
        watermark=asked.watermark or ports.lake.watermark(),
        sources=tuple(sorted({*bars["source"], *refused["source"]})),
        bars=told.height,
        judged=total,
        faulty=wrong.height,
        share=share,
        counts=_ordered(Counter([*flags["kind"], *refused["kind"]])),
        symbols=symbols,
        flags=_flags(flags),
        rejected=_rows(refused),
        policy=policy(asked.policy, asked.bar),
        gate=Gate(passed, asked.bar, share, failing, _passes_when(asked.bar, failing, total)),
    )


def policy(thresholds: object, bar: float) -> dict[str, object]:
    """Say the policy in force: thresholds, treatments, missing values, the bar of the gate."""
    plain = isinstance(thresholds, type) or not is_dataclass(thresholds)
    return {
        "bar": bar,
        "treatments": {kind: treatment(kind, "fault").value for kind in FLAG_KINDS},
        "notes": Treatment.KEEP.value,
        "rejected_rows": Treatment.QUARANTINE.value,
        "meaning": {t.value: words for t, words in WORDS.items()},
        "missing_values": dict(MISSING),
        "thresholds": {} if plain else asdict(thresholds),  # type: ignore[call-overload]
    }


def _faulty(flags: pl.DataFrame, told: pl.DataFrame) -> pl.Series:
    """Mark flags that count: faults, but for a session missing here that another source tells."""
    there = flags.join(told.with_columns(there=True), on=DAY, how="left", maintain_order="left")
    elsewhere = (pl.col("kind") == "missing_session") & pl.col("there").fill_null(value=False)
    return there.select((pl.col("severity") == "fault") & ~elsewhere).to_series()


def _lost(refused: pl.DataFrame, told: pl.DataFrame, calendar: SessionCalendar) -> pl.DataFrame:
    """Add kind, and whether a rejected row leaves a hole in a symbol that has bars.

    What is no bar does not count. A row that nobody can place counts too; one of a symbol without any bar does not: there is
    nothing to train on.
    """
    days = refused["session"].fill_null(date(1900, 1, 1)).to_numpy().astype("datetime64[D]")
    open_day = pl.Series("open_day", calendar.positions(days) >= 0)
    rows = refused.join(told.with_columns(there=True), on=DAY, how="left", maintain_order="left")
    has_bars = rows["symbol"].is_in(told["symbol"].unique().implode()).fill_null(value=True)
    lost = open_day & rows["there"].is_null() & has_bars
    unplaced = rows["session"].is_null() & has_bars
    counts = (lost | unplaced) & rows["is_bar"]
    return rows.with_columns(
        kind=pl.col("reason").replace({r: kind_of(r) for r in rows["reason"].unique()}),
        faulty=counts,
    )


def _sessions(
    told: pl.DataFrame, flags: pl.DataFrame, refused: pl.DataFrame
) -> tuple[int, pl.DataFrame]:
    """Count sessions once each: all that are judged, and those with a fault."""
    placed = pl.when(pl.col("session").is_null()).then("location").otherwise(pl.lit(""))
    wrong = pl.concat(
        [
            flags.filter("faulty").select(*DAY, place=pl.lit("")),
            refused.filter("faulty").select(*DAY, place=placed),
        ]
    ).unique()
    both = pl.concat([told.with_columns(place=pl.lit("")), wrong]).unique()
    return both.height, wrong


def _by_symbol(
    told: pl.DataFrame, flags: pl.DataFrame, refused: pl.DataFrame
) -> tuple[SymbolQuality, ...]:
    bars = dict(told.group_by("symbol").len().rows())
    every = pl.concat([f.select("symbol", "kind", "faulty") for f in (flags, refused)])
    counts: dict[str, Counter[str]] = {}
    faults: dict[str, Counter[str]] = {}
    for symbol, kind, faulty, n in every.group_by("symbol", "kind", "faulty").len().rows():
        counts.setdefault(symbol, Counter())[kind] += n
        if faulty:
            faults.setdefault(symbol, Counter())[kind] += n
    _, wrong = _sessions(told, flags, refused)
    faulty_days = dict(wrong.group_by("symbol").len().rows())
    beside = wrong.join(told, on=DAY, how="anti")
    extra = dict(beside.group_by("symbol").len().rows())
    found = []
    for symbol in sorted(s for s in {*bars, *counts} if s):
        total = bars.get(symbol, 0) + extra.get(symbol, 0)
        bad = faulty_days.get(symbol, 0)
        found.append(
            SymbolQuality(
                symbol,
                bars.get(symbol, 0),
                total,
                bad,
                1.0 - bad / total if total else 1.0,
                _ordered(counts.get(symbol, Counter())),
                _ordered(faults.get(symbol, Counter())),
            )
        )
    return tuple(found)


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _flags(flags: pl.DataFrame) -> tuple[Flag, ...]:
    names = ("symbol", "session", "kind", "field", "severity", "score", "detail", "source")
    rank = pl.col("severity").replace_strict(RANK, return_dtype=pl.Int8)
    ordered = flags.sort(
        rank, "score", "symbol", "session", "kind", descending=[False, True, False, False, False]
    )
    told = ordered.select(names).rows()
    return tuple(_flag(row) for row in told)


def _flag(row: tuple[Any, ...]) -> Flag:
    symbol, session, kind, field, severity, score, detail, source = row
    done = treatment(kind, severity).value
    return Flag(symbol, session, kind, field, severity, score, detail, source, done)


def _rows(refused: pl.DataFrame) -> tuple[RejectedRow, ...]:
    names = ("location", "reason", "kind", "symbol", "session", "detail", "source", "faulty")
    return tuple(RejectedRow(*row) for row in refused.select(names).iter_rows())


def _passes_when(bar: float, failing: Sequence[SymbolQuality], total: int) -> str:
    if total == 0:
        return "there are bars to judge"
    words = f"each symbol and all together have {percent(bar)} of their sessions without fault"
    room = [
        f"{s.symbol} at most {math.floor(s.judged * (1 - bar) + 1e-9)} faulty of {s.judged:,} (now {s.faulty:,})"
        for s in failing[:NAMED]
    ]
    return f"{words}: {', '.join(room)}" if room else words
