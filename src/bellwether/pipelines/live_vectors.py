"""The newest vectors of some symbols, kept up bar by bar as the lake learns of bars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.errors import DataError
from bellwether.core.ports import Ports
from bellwether.core.types import Bar, FeatureVector
from bellwether.features.adjust import BAR_FIELDS
from bellwether.features.feature import FeatureView
from bellwether.features.history import BAR_KEYS, as_known, newest_vector, told_anew
from bellwether.features.stream import StreamEngine, resume
from bellwether.pipelines.views_read import together
from bellwether.telemetry import LIVE_VECTORS, get_logger

READ_TOGETHER = 64
FLOOR = datetime.min.replace(tzinfo=UTC)

Told = pl.DataFrame
"""Columns symbol and session: which bars messages told of."""


@dataclass(slots=True)
class _Stream:
    """A symbol's engine, its last session, and when the newest correction of its past was known."""

    engine: StreamEngine
    last: date
    corrected: datetime


class LiveVectors:
    """Streams of some views, each at the same watermark of the lake; one push feeds all views.

    A new session's bar is pushed. Whatever else changed (a correction, an action told late, bars of
    the past) has the symbol's vector computed anew from the lake, by the code of the batch build,
    and its stream resumed: the same bits either way. Views that look across symbols or read texts
    are not among them: one symbol's bars do not tell them.
    """

    def __init__(self, views: Sequence[FeatureView], ports: Ports) -> None:
        self._view = together(views)
        place = {name: i for i, name in enumerate(self._view.columns)}
        self._places = {v.version: [place[name] for name in v.columns] for v in views}
        self._ports = ports
        self._streams: dict[str, _Stream] = {}
        self._mark: datetime = FLOOR

    def drop(self, keep: Iterable[str]) -> None:
        """Forget the streams of all symbols but these."""
        kept = set(keep)
        self._streams = {s: stream for s, stream in self._streams.items() if s in kept}

    def warm(self, symbols: Sequence[str], watermark: datetime) -> None:
        """Resume the streams of symbols that have none, from the bars up to `watermark`."""
        if not self._streams:
            self._mark = watermark
        cold = [symbol for symbol in symbols if symbol not in self._streams]
        for at in range(0, len(cold), READ_TOGETHER):
            some = cold[at : at + READ_TOGETHER]
            bars = self._ports.lake.bars(some).filter(pl.col("ingested_at") <= watermark)
            for (symbol,), revisions in bars.group_by("symbol", maintain_order=True):
                self._resume(str(symbol), revisions)

    def after(self, told: Told, watermark: datetime) -> list[FeatureVector]:
        """Return the newest vectors of each symbol told of or changed, at `watermark`: one a view."""
        changed = self._ports.lake.changed(self._mark)
        changed = changed.filter(pl.col("ingested_at") <= watermark).select("symbol", "session")
        mine = changed.filter(pl.col("symbol").is_in(list(self._streams)))
        rows = (
            pl.concat([told.select("symbol", "session"), mine]).unique().sort("symbol", "session")
        )
        past = {s for s, session in mine.iter_rows() if session <= self._streams[s].last}
        for symbol in past:
            del self._streams[symbol]
        new = [
            (s, day)
            for s, day in rows.iter_rows()
            if s in self._streams and day > self._streams[s].last
        ]
        found = self._pushed(new, watermark)
        for symbol in dict.fromkeys(rows["symbol"]):
            if symbol not in found:
                vector = self._computed(symbol, watermark)
                if vector is not None:
                    found[symbol] = vector
        self._mark = watermark
        return [part for vector in found.values() for part in self._parted(vector)]

    def _parted(self, vector: FeatureVector) -> list[FeatureVector]:
        """Part a vector of all features into one a view."""
        values = np.frombuffer(vector.values, dtype="<f8")
        return [
            replace(vector, view=version, values=values[places].tobytes())
            for version, places in self._places.items()
        ]

    def _pushed(
        self, new: Sequence[tuple[str, date]], watermark: datetime
    ) -> dict[str, FeatureVector]:
        """Push bars of new sessions; a symbol is left out where that would not be the batch's bits."""
        if not new:
            return {}
        days = [day for _, day in new]
        bars = self._ports.lake.bars(
            sorted({symbol for symbol, _ in new}), first=min(days), last=max(days)
        ).filter(pl.col("ingested_at") <= watermark)
        known = as_of(bars, self._ports.clock.now(), BAR_KEYS).sort(BAR_KEYS)
        found: dict[str, FeatureVector] = {}
        for (name,), rows in known.group_by("symbol", maintain_order=True):
            symbol = str(name)
            stream = self._streams[symbol]
            late = rows.filter(pl.col("session") > stream.last)
            simple = (late["revision"] == 0) & (late["knowledge_time"] >= stream.corrected)
            if late.height == 0 or not simple.all():
                self._streams.pop(symbol)
                continue
            vector = self._push(symbol, stream, late, watermark)
            if vector is not None:
                found[symbol] = vector
        return found

    def _push(
        self, symbol: str, stream: _Stream, bars: pl.DataFrame, watermark: datetime
    ) -> FeatureVector | None:
        try:
            for row in bars.select("session", *BAR_FIELDS).iter_rows():
                values = stream.engine.push(Bar(symbol, *row))
        except DataError as error:
            self._spoilt(symbol, error)
            return None
        stream.last, close = bars["session"][-1], bars["close"][-1]
        LIVE_VECTORS.labels("pushed").inc()
        return FeatureVector(
            symbol,
            stream.last,
            self._view.version,
            watermark,
            values.astype("<f8").tobytes(),
            close,
        )

    def _computed(self, symbol: str, watermark: datetime) -> FeatureVector | None:
        """Compute a vector from the lake, and resume its stream if there is none."""
        now = self._ports.clock.now()
        revisions = self._ports.lake.bars([symbol]).filter(pl.col("ingested_at") <= watermark)
        if revisions.filter(pl.col("knowledge_time") <= now).height == 0:
            return None
        try:
            frame = as_known(self._view, revisions, self._ports.calendar, now)
        except DataError as error:
            self._spoilt(symbol, error)
            return None
        if symbol not in self._streams:
            self._resume(symbol, revisions)
        LIVE_VECTORS.labels("computed").inc()
        return newest_vector(self._view, frame, watermark)

    def _resume(self, symbol: str, revisions: pl.DataFrame) -> None:
        known = as_of(revisions, self._ports.clock.now(), BAR_KEYS).sort("session")
        if known.height == 0:
            return
        try:
            engine = resume(self._view, self._ports.calendar, known)
        except DataError as error:
            self._spoilt(symbol, error)
            return
        corrected = told_anew(revisions)["knowledge_time"].max()
        moment = corrected if isinstance(corrected, datetime) else FLOOR
        self._streams[symbol] = _Stream(engine, known["session"][-1], moment)

    def _spoilt(self, symbol: str, error: DataError) -> None:
        """Leave a symbol whose bars cannot be computed; the bars are in the lake."""
        self._streams.pop(symbol, None)
        LIVE_VECTORS.labels("failed").inc()
        get_logger(__name__).warning("live_symbol_fails", symbol=symbol, why=str(error))
