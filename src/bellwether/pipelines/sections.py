"""Views over the lake at one watermark, and who is in the section of those that look across it."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from bellwether.core.errors import UnknownName
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.evaluation.survivorship import of_members
from bellwether.features.feature import FeatureView
from bellwether.features.history import as_known, states
from bellwether.features.panel import Section, State, compute
from bellwether.features.views import Kept

States = dict[str, list[State]]


def newest_state(several: Sequence[Kept], ports: Ports) -> list[datetime] | None:
    """Return for each view the watermark of all that it reads; None while there are no bars.

    That is the newest bar or action, or for a view that looks across a universe what was told of
    that since. The universe is read first, so that no bar lies between the two.
    """
    told: dict[str, datetime] = {}
    if any(k.universe is not None and k.view.across for k in several):
        newest = ports.lake.universe().group_by("universe").agg(pl.col("ingested_at").max())
        told = dict(newest.select("universe", "ingested_at").rows())
    bars = ports.lake.watermark()
    if bars is None:
        return None
    marks = (told.get(k.universe or "", bars) if k.view.across else bars for k in several)
    return [max(bars, mark) for mark in marks]


def known_states(
    symbols: Sequence[str], watermark: datetime, ports: Ports, progress: Progress = quiet
) -> States:
    """Return each symbol's series between its corrections, as of the clock and the watermark."""
    now = ports.clock.now()
    found: States = {}
    for done, symbol in enumerate(symbols):
        progress("Computing features", done, len(symbols))
        bars = ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
        found[symbol] = list(states(bars, ports.calendar, now))
    progress("Computing features", len(symbols), len(symbols))
    return {symbol: told for symbol, told in found.items() if told}


def section_of(
    universe: str | None,
    series: States,
    watermark: datetime,
    ports: Ports,
    sectors: pl.DataFrame | None = None,
) -> Section:
    """Say who is in the section: members as known at each close, or all where none is named.

    Raises
    ------
    UnknownName
        If there is no such universe at the watermark.
    """
    if universe is None:
        return Section(None, sectors)
    told = ports.lake.universe().filter(pl.col("ingested_at") <= watermark)
    names = told["universe"].unique().sort().to_list()
    if universe not in names:
        raise UnknownName("universe", universe, names, "bellwether ingest universe")
    rows = pl.concat([s.select("symbol", "session") for many in series.values() for s, _ in many])
    rows = rows.unique()
    at = ports.calendar.positions(rows["session"].to_numpy())
    closes = pl.Series("decision_at", ports.calendar.closes[at].astype("datetime64[us]"))
    decided = rows.with_columns(closes.dt.replace_time_zone("UTC"))
    return Section(of_members(decided, told, universe).select("symbol", "session"), sectors)


def across(
    kept: Kept, watermark: datetime, ports: Ports, progress: Progress = quiet
) -> pl.DataFrame:
    """Compute a view over all symbols that the lake held at the watermark, as `panel.compute`."""
    series = known_states(ports.lake.symbols(), watermark, ports, progress)
    section = section_of(kept.universe, series, watermark, ports)
    return compute(kept.view, series, ports.calendar, section)


def own(symbol: str, view: FeatureView, watermark: datetime, ports: Ports) -> pl.DataFrame:
    """Compute a view over one symbol's whole history, each row as known when decided."""
    bars = ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
    return as_known(view, bars, ports.calendar, ports.clock.now())


def of_symbol(symbol: str, kept: Kept, watermark: datetime, ports: Ports) -> pl.DataFrame:
    """Compute one symbol's features, over all symbols where the view looks across them."""
    if not kept.view.across:
        return own(symbol, kept.view, watermark, ports)
    return across(kept, watermark, ports).filter(pl.col("symbol") == symbol)
