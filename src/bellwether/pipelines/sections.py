"""Views over the lake at one watermark, and who is in the section of those that look across it."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from bellwether.core.errors import UnknownName
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.core.sectors import newest
from bellwether.evaluation.survivorship import of_members
from bellwether.features.feature import FeatureView
from bellwether.features.history import as_known, states
from bellwether.features.panel import Section, State, compute
from bellwether.features.views import Kept
from bellwether.inference.texts import texts_of

States = dict[str, list[State]]


def newest_state(several: Sequence[Kept], ports: Ports) -> list[datetime] | None:
    """Return for each view the watermark of all that it reads; None while there are no bars.

    That is the newest bar or action, or what was told since of the universe that a view looks
    across, or of sectors or texts where it reads them. Those are looked at first, so that no bar
    lies between.
    """
    told: dict[str, datetime] = {}
    if any(k.universe is not None and k.view.across for k in several):
        newest = ports.lake.universe().group_by("universe").agg(pl.col("ingested_at").max())
        told = dict(newest.select("universe", "ingested_at").rows())
    texts = sectors = None
    if any(k.view.reads_texts for k in several):
        texts = ports.lake.texts_watermark()
    if any(k.view.reads_sectors for k in several):
        sectors = newest_told(ports.lake.sectors())
    bars = ports.lake.watermark()
    if bars is None:
        return None
    return [
        max(
            bars,
            (k.view.across and told.get(k.universe or "")) or bars,
            (k.view.reads_texts and texts) or bars,
            (k.view.reads_sectors and sectors) or bars,
        )
        for k in several
    ]


def newest_told(facts: pl.DataFrame) -> datetime | None:
    """Return the newest `ingested_at`; None where there is none."""
    return facts.select(pl.col("ingested_at").max()).item()  # type: ignore[no-any-return]


def known_states(
    symbols: Sequence[str],
    watermark: datetime,
    ports: Ports,
    progress: Progress = quiet,
    views: Sequence[FeatureView] = (),
) -> States:
    """Return each symbol's series between its corrections, as of the clock and the watermark.

    They have the columns of texts where one of `views` reads them.
    """
    reader = next((one for one in views if one.reads_texts), None)
    now = ports.clock.now()
    found: States = {}
    for done, symbol in enumerate(symbols):
        progress("Computing features", done, len(symbols))
        bars = ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
        texts = None if reader is None else texts_of(reader, symbol, watermark, ports)
        found[symbol] = list(states(bars, ports.calendar, now, texts))
    progress("Computing features", len(symbols), len(symbols))
    return {symbol: told for symbol, told in found.items() if told}


def section_of(kept: Kept, series: States, watermark: datetime, ports: Ports) -> Section:
    """Say who is in the section: members as known at each close, or all where none is named.

    With the sectors of the lake where the view reads them.

    Raises
    ------
    UnknownName
        If there is no such universe at the watermark.
    """
    universe, sectors = kept.universe, None
    if kept.view.reads_sectors:
        sectors = newest(ports.lake.sectors().filter(pl.col("ingested_at") <= watermark))
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
    series = known_states(ports.lake.symbols(), watermark, ports, progress, (kept.view,))
    section = section_of(kept, series, watermark, ports)
    return compute(kept.view, series, ports.calendar, section)


def own(symbol: str, view: FeatureView, watermark: datetime, ports: Ports) -> pl.DataFrame:
    """Compute a view over one symbol's whole history, each row as known when decided."""
    bars = ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
    texts = texts_of(view, symbol, watermark, ports)
    return as_known(view, bars, ports.calendar, ports.clock.now(), texts)


def of_symbol(symbol: str, kept: Kept, watermark: datetime, ports: Ports) -> pl.DataFrame:
    """Compute one symbol's features, over all symbols where the view looks across them."""
    if not kept.view.across:
        return own(symbol, kept.view, watermark, ports)
    return across(kept, watermark, ports).filter(pl.col("symbol") == symbol)
