"""What one append is told, checked and laid out by table."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandera.polars as pa
import polars as pl

from bellwether.core import schemas, sectors, texts
from bellwether.core.ports import LakeBatch
from bellwether.core.schemas import check
from bellwether.core.types import Rejection
from bellwether.lake.revise import told_actions, without_actions
from bellwether.lake.tables import (
    ACTIONS,
    BARS,
    FACTS,
    KEPT,
    QUARANTINE_DTYPES,
    QUOTES,
    SECTORS,
    TEXTS,
    UNIVERSE,
)

WORDS = ("source", "location", "reason", "detail", "record")


@dataclass(frozen=True)
class Told:
    """The rows by table, those of bars with and without actions, and the rejections."""

    bars: pl.DataFrame | None
    actions: pl.DataFrame | None
    facts: Mapping[str, pl.DataFrame]
    rejected: pl.DataFrame

    @classmethod
    def of(cls, batch: LakeBatch) -> "Told":
        """Check every frame of a batch. Raises SchemaViolation."""
        bars = None if batch.bars is None else check(batch.bars, schemas.BARS_IN)
        actions = None if batch.actions is None else check(batch.actions, schemas.ACTIONS_IN)
        acted = [f for f in (bars is not None and told_actions(bars), actions) if f is not False]
        facts = {
            BARS.name: _rows(BARS.name, bars if bars is None else without_actions(bars)),
            ACTIONS.name: _together([f for f in acted if f is not None]),
            UNIVERSE.name: _checked(UNIVERSE.name, batch.universe, schemas.UNIVERSE_IN),
            QUOTES.name: _checked(QUOTES.name, batch.quotes, schemas.QUOTES_IN),
            TEXTS.name: _checked(TEXTS.name, batch.texts, texts.TEXTS_IN),
            SECTORS.name: _checked(SECTORS.name, batch.sectors, sectors.SECTORS_IN),
        }
        return cls(bars, actions, facts, _rejected(batch.rejections))


def _checked(name: str, frame: pl.DataFrame | None, schema: pa.DataFrameSchema) -> pl.DataFrame:
    return _rows(name, None if frame is None else check(frame, schema))


def _rows(name: str, frame: pl.DataFrame | None) -> pl.DataFrame:
    if frame is not None:
        return frame
    table = next(t for t in FACTS if t.name == name)
    return pl.DataFrame(schema={c: d for c, d in table.dtypes.items() if c not in KEPT})


def _together(acted: list[pl.DataFrame]) -> pl.DataFrame:
    """Return all actions; one that is told by itself counts before one told with a bar."""
    rows = pl.concat([_rows(ACTIONS.name, None), *acted])
    return rows.unique(list(ACTIONS.keys), keep="last", maintain_order=True)


def _rejected(rejections: Sequence[Rejection]) -> pl.DataFrame:
    rows = pl.DataFrame(
        {n: [getattr(r, n) for r in rejections] for n in WORDS},
        schema=dict.fromkeys(WORDS, pl.String),
    )
    hashes = [
        hashlib.sha256(json.dumps([r.source, r.location, r.reason, r.record]).encode()).hexdigest()
        for r in rejections
    ]
    content = pl.Series("content", hashes, dtype=QUARANTINE_DTYPES["content"])
    return rows.with_columns(content).unique("content", keep="first", maintain_order=True)


def counted(told: Told, new: Mapping[str, pl.DataFrame]) -> tuple[int, int, int]:
    """Count rows added, revised and unchanged; a bar whose action changed was revised."""
    added = revised = given = 0
    day = ["symbol", "session"]
    if told.bars is not None:
        fresh, acted = new[BARS.name], new[ACTIONS.name].select(day).unique()
        first = fresh.filter(pl.col("revision") == 0).height
        added += first
        revised += fresh.height - first
        if acted.height:
            alone = acted.join(fresh, on=day, how="anti").join(told.bars, on=day, how="semi")
            revised += alone.height
        given += told.bars.height
    explicit = {table.name: told.facts[table.name] for table in (UNIVERSE, QUOTES, TEXTS, SECTORS)}
    if told.actions is not None:
        explicit[ACTIONS.name] = told.actions
    for name, rows in explicit.items():
        table = next(t for t in FACTS if t.name == name)
        mine = new[name].join(rows.select(table.keys), on=list(table.keys), how="semi")
        first = mine.filter(pl.col("revision") == 0).height
        added, revised, given = added + first, revised + mine.height - first, given + rows.height
    return added, revised, given - added - revised
