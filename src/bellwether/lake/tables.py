"""The tables of facts: what names a fact, what a revision may change, how it is laid out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandera.polars as pa
import polars as pl

from bellwether.core import schemas, sectors, texts
from bellwether.core.schemas import UTC_TIME

TOLD_BY = ("source", "event_time", "knowledge_time", "knowledge_basis")
KEPT: Mapping[str, Any] = {"ingested_at": UTC_TIME, "revision": pl.Int32, "batch": pl.Int64}
PART = "decade"


@dataclass(frozen=True)
class FactTable:
    """One table of revised facts.

    Attributes
    ----------
    name
        Its folder.
    keys
        What names a fact, the source among them.
    told
        What a revision may change.
    time
        The column that decides in which part a row lies.
    timeless
        Whether a fact keeps its keys whatever time it is told with: then all of its symbol is
        looked through for it, and what was told first stays.
    dtypes
        Types of all columns as they lie in the table, without the part.
    """

    name: str
    keys: tuple[str, ...]
    told: tuple[str, ...]
    time: str
    dtypes: Mapping[str, Any]
    timeless: bool = False

    @property
    def address(self) -> str:
        """Where it lies under the lake."""
        return ROOT + self.name

    @property
    def order(self) -> list[str]:
        """How rows are sorted, on disk and for readers."""
        return [k for k in self.keys if k != "source"] + ["revision", "source"]


def _table(
    name: str,
    schema: pa.DataFrameSchema,
    keys: tuple[str, ...],
    time: str,
    drop: tuple[str, ...] = (),
    *,
    timeless: bool = False,
) -> FactTable:
    dtypes = {n: c.dtype.type for n, c in schema.columns.items() if n not in drop}
    told = () if timeless else tuple(n for n in dtypes if n not in (*keys, *TOLD_BY))
    return FactTable(name, (*keys, "source"), told, time, {**dtypes, **KEPT}, timeless)


ACTED = ("split_ratio", "dividend_usd")
BARS = _table("bars", schemas.BARS_IN, ("symbol", "session"), "session", ACTED)
ACTIONS = _table("corporate_actions", schemas.ACTIONS_IN, ("symbol", "session", "kind"), "session")
UNIVERSE = _table("universe", schemas.UNIVERSE_IN, ("universe", "symbol", "first"), "first")
QUOTES = _table("quotes", schemas.QUOTES_IN, ("symbol", "quoted_at"), "quoted_at")
TEXTS = _table("texts", texts.TEXTS_IN, ("symbol", "text_id"), "published_at", timeless=True)
SECTORS = _table("sectors", sectors.SECTORS_IN, ("symbol", "known_from"), "known_from")
FACTS = (BARS, ACTIONS, UNIVERSE, QUOTES, TEXTS, SECTORS)

ROOT = "facts/"
QUARANTINE = ROOT + "quarantine"
QUARANTINE_DTYPES: Mapping[str, Any] = {
    **dict.fromkeys(("source", "location", "reason", "detail", "record", "content"), pl.String),
    "ingested_at": UTC_TIME,
    "batch": pl.Int64,
}
COMMITS = ROOT + "commits"
COMMITS_DTYPES: Mapping[str, Any] = {
    "batch": pl.Int64,
    "ingested_at": UTC_TIME,
    "bars": pl.Boolean,
    "told": pl.String,
}


def part(time: str) -> pl.Expr:
    """Name the part that a row lies in."""
    return (pl.col(time).dt.year() // 10 * 10).cast(pl.Int32).alias(PART)
