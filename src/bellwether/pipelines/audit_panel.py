"""The bars that an audit is made on: of the lake, of a file, or of the sample."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from bellwether.audit.found import BARS, KEYS, Panel
from bellwether.core.asof import as_of
from bellwether.core.errors import InsufficientHistory, MissingRecord, UnknownName
from bellwether.core.ports import Ports, SourceQuery
from bellwether.features.feature import FeatureView
from bellwether.features.history import BAR_KEYS
from bellwether.inference.texts import texts_of

LEAST = 30
SHARE = 0.6
"""Texts a bar among those that are invented."""
WORDS = ("profit", "loss", "deal", "court", "shares", "rise", "fall", "chief", "sales", "outlook")
SPELL = ("universe", "symbol", "first", "last", "end_reason", "delisting_return")


@dataclass(frozen=True, slots=True)
class Bars:
    """The panel, in words, and the lake's state it was taken from."""

    panel: Panel
    words: str
    watermark: datetime | None = None


def of_lake(asked: tuple[str, ...] | None, seed: int, ports: Ports, most: int) -> Bars:
    """Take what is known now of some of the lake's symbols, drawn by the seed.

    Raises
    ------
    MissingRecord, UnknownName
        If the lake is empty or a symbol has no bars.
    """
    known = ports.lake.symbols()
    if not known:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    for symbol in asked or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    symbols = list(asked) if asked else drawn(known, seed, most)
    revisions = ports.lake.bars(symbols)
    # a corrected bar was decided on when it was first known, as the training set has it
    since = revisions.group_by(BAR_KEYS).agg(pl.col("knowledge_time").min())
    bars = as_of(revisions, ports.clock.now(), BAR_KEYS).update(since, on=list(BAR_KEYS))
    universe = ports.lake.universe()
    return _bars(bars, universe, "the lake", ports.lake.watermark())


def of_source(
    path: Path | None, asked: tuple[str, ...] | None, seed: int, ports: Ports, most: int
) -> Bars:
    """Take the bars of a file or a folder, or the sample, without keeping them.

    Raises
    ------
    UnreadableFile, MissingRecord
        If there is no file, or no bar in it.
    """
    name = "sample" if path is None else "files"
    query = SourceQuery(symbols=asked, path=None if path is None else str(path))
    batch = ports.sources[name].read(query, ports.wall.now())
    bars = batch.bars
    if bars.height == 0:
        raise MissingRecord("bar", str(path or name), "bellwether ingest files --path FILE")
    symbols = bars["symbol"].unique().sort().to_list()
    kept = symbols if asked else drawn(symbols, seed, most)
    chosen = bars.filter(pl.col("symbol").is_in(list(kept)))
    return _bars(chosen, None, path.name if path else "the sample", None)


def with_texts(bars: Bars, view: FeatureView, seed: int, ports: Ports) -> Bars:
    """Return the bars with their symbols' texts, for a view that reads them.

    Of the lake's, as they are scored here; where it has none of these symbols, invented ones
    around the closes, so that something can be found out.
    """
    if not view.reads_texts:
        return bars
    names = bars.panel.bars["symbol"].unique().sort().to_list()
    told = [texts_of(view, name, None, ports) for name in names]
    parts = [
        t.with_columns(symbol=pl.lit(s)) for s, t in zip(names, told, strict=True) if t is not None
    ]
    texts = pl.concat(parts)
    words = f"{bars.words}; {texts.height:,} texts"
    if texts.height == 0:
        texts, words = _invented(bars.panel.bars, seed), f"{bars.words}; invented texts"
    return replace(bars, panel=replace(bars.panel, texts=texts), words=words)


def _invented(bars: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Invent texts: some an hour before or after a close, some hours away, some the same words."""
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    some = bars.select("symbol", "session", "knowledge_time").filter(
        rng.random(bars.height) < SHARE
    )
    n = some.height
    away_us = pl.Series(rng.choice([-20, -5, -1, 1, 5, 14], n) * 3_600_000_000)
    words = rng.choice(WORDS, (n, 4))
    return some.select(
        "symbol",
        known_at=pl.col("knowledge_time") + away_us.cast(pl.Duration("us")),
        text=pl.Series([" ".join(row) for row in words], dtype=pl.String),
        score=pl.Series(rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], n)),
    )


def drawn(symbols: Sequence[str], seed: int, most: int) -> tuple[str, ...]:
    """Draw at most so many symbols by the seed."""
    if len(symbols) <= most:
        return tuple(symbols)
    order = np.random.default_rng(seed).permutation(len(symbols))  # noqa: TID251 - of the run's seed
    return tuple(sorted(symbols[i] for i in order[:most]))


def _bars(
    bars: pl.DataFrame, universe: pl.DataFrame | None, place: str, mark: datetime | None
) -> Bars:
    bars = bars.select([*BARS, "adjustment"]).unique(KEYS, keep="last").sort(KEYS)
    longest = int(bars.group_by("symbol").len()["len"].max() or 0)  # type: ignore[arg-type]
    if longest < LEAST:
        raise InsufficientHistory("a leak audit", longest, LEAST)
    told = _spells(bars, universe)
    days = bars["session"].sort()
    names = bars["symbol"].unique().sort().to_list()
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")  # noqa: PLR2004
    words = f"{len(names)} symbols of {place} ({shown}), {days[0]} to {days[-1]}"
    return Bars(Panel(bars, told), words, mark)


def _spells(bars: pl.DataFrame, universe: pl.DataFrame | None) -> pl.DataFrame:
    """Return the newest state of a universe, or one in which everybody is from the first bar on."""
    symbols = bars["symbol"].unique()
    if universe is not None and universe.height:
        newest = universe.sort("revision").unique(("universe", "symbol", "first"), keep="last")
        mine = newest.filter(pl.col("symbol").is_in(symbols.implode())).select(SPELL)
        if mine.height:
            return mine.sort("symbol", "first", "universe")
    return (
        bars.group_by("symbol")
        .agg(first=pl.col("session").min())
        .select(
            universe=pl.lit("all"),
            symbol="symbol",
            first="first",
            last=pl.lit(None, dtype=pl.Date),
            end_reason=pl.lit(None, dtype=pl.String),
            delisting_return=pl.lit(None, dtype=pl.Float64),
        )
        .sort("symbol")
    )


def without_adjustment(panel: Panel) -> Panel:
    """Return the panel as a user's view gets it."""
    return replace(panel, bars=panel.bars.select(BARS))


def last_sessions(panel: Panel, n: int) -> Panel:
    """Return the newest `n` sessions of a panel."""
    days = panel.bars["session"].unique().sort()
    first: date = days[max(0, len(days) - n)]
    return replace(panel, bars=panel.bars.filter(pl.col("session") >= first))
