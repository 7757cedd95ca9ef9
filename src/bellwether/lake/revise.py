"""What of a telling is new: rows that were not there, and rows that say something else."""

from datetime import datetime

import polars as pl

from bellwether.core.schemas import UTC_TIME
from bellwether.lake.tables import ACTED, ACTIONS, BARS, TOLD_BY, FactTable

REPAIRED = "repaired"
"""Basis of a revision that somebody else than the source made; the source repeats itself beside it."""
NEUTRAL = {"split": 1.0, "dividend": 0.0}
KINDS = {"split_ratio": "split", "dividend_usd": "dividend"}


def newest(rows: pl.DataFrame, table: FactTable) -> pl.DataFrame:
    """Return the newest revision of each fact."""
    if rows["revision"].max() in {None, 0}:
        return rows
    return rows.sort("revision").unique(list(table.keys), keep="last", maintain_order=True)


def fresh(told: pl.DataFrame, known: pl.DataFrame, table: FactTable, now: datetime) -> pl.DataFrame:
    """Return what of `told` is new or changed, as revisions.

    Parameters
    ----------
    told : DataFrame
        Keys, told columns and TOLD_BY.
    known : DataFrame
        All visible rows that may have the same keys.
    now : datetime
        When a change that does not say when it was known becomes known.

    Returns
    -------
    DataFrame
        `told` with `revision`; a revision is never known before the row that it corrects. A source
        that says again what it said before a repair has said nothing new.
    """
    first = told.with_columns(revision=pl.lit(0, dtype=pl.Int32))
    if known.height == 0:
        return first
    said = known.filter(pl.col("knowledge_basis") != REPAIRED)
    joined = _beside(_beside(first, known, table, "was_"), said, table, "said_")
    new = pl.col("was_revision").is_null()
    repaired = pl.col("knowledge_basis") == REPAIRED
    changed = _differs(table, "was_") & (repaired | _differs(table, "said_"))
    stated = pl.col("knowledge_basis") == "stated"
    learned = pl.when(stated).then("knowledge_time").otherwise(pl.lit(now).cast(UTC_TIME))
    return (
        joined.filter(new | changed)
        .with_columns(
            revision=(pl.col("was_revision").fill_null(-1) + 1).cast(pl.Int32),
            knowledge_time=pl.when(new)
            .then("knowledge_time")
            .otherwise(pl.max_horizontal(learned, "was_knowledge_time")),
            knowledge_basis=pl.when(new | stated | repaired)
            .then("knowledge_basis")
            .otherwise(pl.lit("revised")),
        )
        .select(first.columns)
    )


def _beside(rows: pl.DataFrame, known: pl.DataFrame, table: FactTable, prefix: str) -> pl.DataFrame:
    names = {c: prefix + c for c in (*table.told, "revision", "knowledge_time")}
    before = newest(known, table).select(*table.keys, *names).rename(names)
    return rows.join(before, on=list(table.keys), how="left", maintain_order="left")


def _differs(table: FactTable, prefix: str) -> pl.Expr:
    if not table.told:
        return pl.lit(value=False)
    return pl.any_horizontal(*(pl.col(c).ne_missing(pl.col(prefix + c)) for c in table.told))


def told_actions(bars: pl.DataFrame) -> pl.DataFrame:
    """Return the splits and dividends that bars (schema BARS_IN) tell, as actions."""
    parts = [
        bars.filter(pl.col(column) != NEUTRAL[kind]).select(
            "symbol",
            "session",
            pl.lit(kind).alias("kind"),
            pl.col(column).alias("value"),
            "adjustment",
            *TOLD_BY,
        )
        for column, kind in KINDS.items()
    ]
    return pl.concat(parts)


def taken_back(bars: pl.DataFrame, told: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return neutral actions for those that the source of `bars` told before and tells no more."""
    said = known.filter(pl.col("knowledge_basis") != REPAIRED)
    standing = newest(said, ACTIONS).filter(
        pl.col("value") != pl.col("kind").replace_strict(NEUTRAL, return_dtype=pl.Float64)
    )
    if standing.height == 0:
        return told.clear()
    again = bars.select("symbol", "session", "adjustment", *TOLD_BY)
    gone = standing.select(*ACTIONS.keys).join(told, on=list(ACTIONS.keys), how="anti")
    back = gone.join(again, on=list(BARS.keys), how="inner", maintain_order="left")
    neutral = pl.col("kind").replace_strict(NEUTRAL, return_dtype=pl.Float64)
    return back.with_columns(value=neutral).select(told.columns)


def without_actions(bars: pl.DataFrame) -> pl.DataFrame:
    """Return what the table of bars keeps."""
    return bars.drop(ACTED)
