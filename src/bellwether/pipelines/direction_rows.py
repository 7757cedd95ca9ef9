"""Features as known at each close, beside the return from that close to a later one."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.errors import InsufficientHistory
from bellwether.core.ports import Ports, Progress
from bellwether.core.types import MIXED
from bellwether.features.adjust import adjust_forward
from bellwether.features.feature import FeatureView
from bellwether.features.history import BAR_KEYS
from bellwether.features.views import Kept
from bellwether.pipelines.sections import across, own

CONTRARY = 5
"""Sessions of the past return that the contrarian rule reads."""
FRESH = "text_count_1"


def rows_of(
    symbols: Sequence[str],
    view: FeatureView,
    horizon: int,
    watermark: datetime,
    ports: Ports,
    progress: Progress,
) -> pl.DataFrame:
    """Return a row for each close of each symbol that a later close is known of.

    Returns
    -------
    DataFrame
        symbol, session (of the decision), day (that ends the label), decision_at, label_known_at,
        move (the simple return over `horizon` sessions, dividends in it), log_return, past (the log
        return of the `CONTRARY` sessions before), fresh (texts since the close before; 0 for a view
        that reads none) and the view's model features, NaN while they warm up. By decision and symbol.

    Raises
    ------
    InsufficientHistory
        If no symbol has enough closes.
    """
    whole = across(Kept(view), watermark, ports, progress) if view.across else None
    parts = []
    for done, symbol in enumerate(symbols):
        progress("Computing features", done, len(symbols))
        labels = _labels(symbol, horizon, watermark, ports)
        if labels is None:
            continue
        if whole is None:
            features = own(symbol, view, watermark, ports)
        else:
            features = whole.filter(pl.col("symbol") == symbol)
        parts.append(labels.join(features, on=BAR_KEYS, how="inner", maintain_order="left"))
    progress("Computing features", len(symbols), len(symbols))
    rows = pl.concat(parts) if parts else pl.DataFrame()
    if rows.height == 0:
        raise InsufficientHistory("An evaluation", 0, CONTRARY + horizon + 1)
    fresh = pl.col(FRESH) if FRESH in rows.columns else pl.lit(0.0)
    told = ("symbol", "session", "day", "decision_at", "label_known_at", "move", "log_return", "past")  # fmt: skip
    return rows.select(*told, fresh.alias("fresh"), *view.model_columns).sort("decision_at", "symbol")  # fmt: skip


def _labels(symbol: str, horizon: int, watermark: datetime, ports: Ports) -> pl.DataFrame | None:
    revisions = ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
    bars = as_of(revisions, ports.clock.now(), BAR_KEYS)
    if bars.height == 0:
        return None
    known = revisions.group_by("session").agg(decision_at=pl.col("knowledge_time").min())
    series = adjust_forward(bars, ports.calendar).join(
        known, on="session", how="left", maintain_order="left"
    )
    if series["adjustment"][-1] == MIXED:
        return None
    close, later = pl.col("close"), pl.col("close").shift(-horizon)
    made = series.select(
        "symbol",
        "session",
        "decision_at",
        day=pl.col("session").shift(-horizon),
        label_known_at=pl.col("decision_at").shift(-horizon),
        move=later / close - 1,
        log_return=(later / close).log(),
        past=(close / close.shift(CONTRARY)).log(),
    )
    return made.drop_nulls()  # a carried session has no decision, and nothing ends on one
