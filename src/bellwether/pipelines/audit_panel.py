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
from bellwether.features.history import BAR_KEYS

LEAST = 30
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
