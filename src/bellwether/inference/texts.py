"""What a view reads of texts: those the lake held at a watermark, and the headlines of a request."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl

from bellwether.core.errors import BellwetherError, ConfigError
from bellwether.core.ports import Ports
from bellwether.core.types import FeatureVector
from bellwether.features.feature import FeatureView, plain
from bellwether.features.history import evaluate
from bellwether.features.texts import FRAME, between, columns, gathered, scored
from bellwether.features.views import combined, view

PART = "text"
UNREAD = "headlines_not_read"


def read_view(name: str, ports: Ports) -> FeatureView:
    """Return a view by name, as it reads the scores that this platform gives.

    Raises
    ------
    UnknownName, InvalidRequest
        If there is no such view.
    """
    return as_scored(view(name), ports)


def as_scored(one: FeatureView, ports: Ports) -> FeatureView:
    """Return a view as it reads the scores that this platform gives; itself if it reads no texts."""
    return one.scored(ports.sentiment.method) if one.reads_texts else one


def scores(one: FeatureView, ports: Ports) -> bool:
    """Tell whether this platform can compute what a view reads of texts."""
    if not one.reads_texts:
        return True
    try:
        return one.scored_by == plain(ports.sentiment.method)
    except BellwetherError:  # whoever scores is away
        return False


def texts_of(
    one: FeatureView,
    symbol: str,
    watermark: datetime | None,
    ports: Ports,
    closes: tuple[datetime, datetime] | None = None,
) -> pl.DataFrame | None:
    """Return a symbol's scored texts (`features.texts.FRAME`); None for a view that reads none.

    With `closes`, only those that sessions which close from the first to the last can depend on.

    Raises
    ------
    ConfigError
        If the view reads the scores of another method than this platform's.
    """
    if not one.reads_texts:
        return None
    if not scores(one, ports):
        why = f"texts are scored by {ports.sentiment.method} here; {one.version} reads {one.scored_by}"
        raise ConfigError("sentiment", why)
    told = ports.lake.texts([symbol])
    if watermark is not None:
        told = told.filter(pl.col("ingested_at") <= watermark)
    told = told.rename({"knowledge_time": "known_at"})
    return scored(told if closes is None else between(told, *closes), ports.sentiment.score_each)


async def heard(
    vector: FeatureVector, one: FeatureView, headlines: Sequence[str], ports: Ports
) -> tuple[FeatureVector, tuple[str, ...]]:
    """Return the vector `with_headlines`; as it is, and why, where the texts cannot be read now."""
    if not headlines or not one.reads_texts:
        return vector, ()
    try:
        return await asyncio.to_thread(with_headlines, vector, one, headlines, ports), ()
    except BellwetherError:
        return vector, (UNREAD,)


def with_headlines(
    vector: FeatureVector, one: FeatureView, headlines: Sequence[str], ports: Ports
) -> FeatureVector:
    """Return the vector as it is once headlines are known too: first seen at its session's close.

    The features of texts are computed anew, by the code of every other row, from the texts at the
    vector's watermark and these; all others stay. Without headlines, or for a view that reads no
    texts, it is the vector itself. A headline that the lake holds already says nothing new.
    """
    if not headlines or not one.reads_texts:
        return vector
    part = combined(frozenset({PART}))
    position = ports.calendar.index(vector.session)
    sessions = ports.calendar.sessions[max(position - part.warm_up, 0) : position + 1]
    close = ports.calendar.close_of(vector.session)
    first = ports.calendar.close_of(sessions[0].astype(object))
    told = texts_of(one, vector.symbol, vector.watermark, ports, (first, close))
    assert told is not None  # noqa: S101 - the view reads texts
    said = pl.DataFrame(
        {"known_at": [close] * len(headlines), "text": list(headlines)},
        schema={name: FRAME[name] for name in ("known_at", "text")},
    )
    both = pl.concat([told, scored(said, ports.sentiment.score_each)])
    made = columns(gathered(both), sessions, ports.calendar)
    row = evaluate(part, made)[-1]
    values = np.frombuffer(vector.values, dtype="<f8").copy()
    for name, value in zip(part.columns, row, strict=True):
        at = one.columns.index(name)
        values[at] = np.nan if np.isnan(values[at]) else value  # a symbol that warms up still does
    return replace(vector, values=values.astype("<f8").tobytes())
