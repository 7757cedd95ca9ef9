"""What a repair writes: revisions of bars, and of the corporate actions that their sources told."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl

from bellwether.core.ports import LakeBatch
from bellwether.core.schemas import ACTIONS_IN, BARS_IN, UTC_TIME
from bellwether.quality.repair import put_right

KEY = ["symbol", "session"]
ACTED = {"split_ratio": ("split", 1.0), "dividend_usd": ("dividend", 0.0)}
BASIS = "repaired"


def batches(
    judged: Sequence[tuple[pl.DataFrame, pl.DataFrame]], actions: pl.DataFrame, now: datetime
) -> Iterator[LakeBatch]:
    """Yield one batch a source with what is to be written, all of it known from `now` on.

    Parameters
    ----------
    judged : sequence of (DataFrame, DataFrame)
        Newest revisions of one source's bars of one symbol (schema BARS), and their repairs
        (schema REPAIRS).
    actions : DataFrame
        Newest revisions of all corporate actions (schema ACTIONS).
    now : datetime
        When the repair is made; a basis `stated` of the faulty row does not carry over.
    """
    told = pl.concat([_actions(bars, changes, actions, now) for bars, changes in judged])
    told = told.unique([*KEY, "kind", "source"], keep="first", maintain_order=True)
    revised = pl.concat([_bars(bars, changes, actions, now) for bars, changes in judged])
    for source in sorted({*told["source"], *revised["source"]}):
        mine = [frame.filter(pl.col("source") == source) for frame in (revised, told)]
        rows, acts = (frame if frame.height else None for frame in mine)
        yield LakeBatch(bars=rows, actions=acts)


def _bars(
    bars: pl.DataFrame, changes: pl.DataFrame, actions: pl.DataFrame, now: datetime
) -> pl.DataFrame:
    """Return the bars whose prices or volume change, with the actions that their source told."""
    cells = changes.filter(~pl.col("field").is_in(list(ACTED)))
    touched = bars.join(cells.select(KEY).unique(), on=KEY, how="semi", maintain_order="left")
    rows = put_right(touched, cells)
    for column, (kind, neutral) in ACTED.items():
        mine = actions.filter(pl.col("kind") == kind).select(*KEY, "source", _told="value")
        joined = rows.join(mine, on=[*KEY, "source"], how="left", maintain_order="left")
        rows = joined.with_columns(pl.col("_told").fill_null(neutral).alias(column)).drop("_told")
    return _known(rows, now).select(list(BARS_IN.columns))


def _actions(
    bars: pl.DataFrame, changes: pl.DataFrame, actions: pl.DataFrame, now: datetime
) -> pl.DataFrame:
    """Return the actions that change, each under the source whose word counts for the bar."""
    parts = []
    for column, (kind, neutral) in ACTED.items():
        cells = changes.filter(pl.col("field") == column).select(*KEY, value="becomes")
        rows = cells.join(
            bars.select(*KEY, "event_time", mine="source", base="adjustment"),
            on=KEY,
            how="left",
            maintain_order="left",
        )
        told = actions.filter((pl.col("kind") == kind) & (pl.col("value") != neutral))
        told = told.select(
            *KEY, "ingested_at", theirs="source", at="event_time", basis="adjustment"
        )
        fits = (pl.col("theirs") == pl.col("mine")) | (pl.col("basis") == "none")
        fitting = rows.join(told, on=KEY, how="inner").filter(fits).select(*KEY, "theirs")
        told = told.join(fitting, on=[*KEY, "theirs"], how="semi")
        joined = rows.join(told, on=KEY, how="left", maintain_order="left").sort(
            *KEY, pl.col("theirs").eq_missing(pl.col("mine")), "ingested_at", nulls_last=False
        )
        counted = joined.unique(KEY, keep="last", maintain_order=True)
        parts.append(
            counted.with_columns(
                kind=pl.lit(kind),
                source=pl.coalesce("theirs", "mine"),
                event_time=pl.coalesce("at", "event_time"),
                adjustment=pl.coalesce("basis", "base"),
            )
        )
    return _known(pl.concat(parts), now).select(list(ACTIONS_IN.columns))


def _known(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    return rows.with_columns(
        knowledge_time=pl.lit(now).cast(UTC_TIME), knowledge_basis=pl.lit(BASIS)
    )
