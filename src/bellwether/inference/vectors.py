"""Where the newest features of a symbol come from, and how old they are."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import date, datetime
from time import perf_counter
from typing import Any

import polars as pl

from bellwether.core.errors import MissingRecord, Unavailable
from bellwether.core.ports import Ports
from bellwether.core.types import FeatureVector
from bellwether.features.history import as_known, newest_vector
from bellwether.inference.catalogue import Catalogue, newer
from bellwether.inference.reads import Reads
from bellwether.inference.texts import texts_of
from bellwether.telemetry import FEATURE_READS, STAGE_SECONDS

STORE_AWAY = "online_store_away"
_FROM_MEMORY = FEATURE_READS.labels("memory")
_FEATURES = STAGE_SECONDS.labels("features")


class Vectors:
    """Finds vectors: in memory, online, as materialised, or computed from the bars."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._ages: tuple[datetime | None, date | None] = (None, None)

    def find(
        self, symbol: str, session: date | None, catalogue: Catalogue, reads: Reads
    ) -> Coroutine[Any, Any, tuple[FeatureVector, tuple[str, ...]]]:
        """Look for the vector of `session`, or for the newest where it is None."""
        if session is None:
            return self.newest(symbol, catalogue, reads)
        return self.of_session(symbol, session, catalogue, reads)

    async def newest(
        self, symbol: str, catalogue: Catalogue, reads: Reads
    ) -> tuple[FeatureVector, tuple[str, ...]]:
        """Return the newest vector that can be had now, and what was missing on the way.

        Memory first, then the online store, then what the last materialisation left in this
        process, then the bars themselves: where the view looks across symbols, one symbol's do
        not tell it.

        Raises
        ------
        MissingRecord
            If a view that looks across symbols was not materialised for this one.
        """
        online, view = self._ports.online, reads.name
        held = online.held(symbol, view)
        if held is not None:
            _FROM_MEMORY.inc()
            return held, () if online.away() is None else (STORE_AWAY,)
        missing: tuple[str, ...] = ()
        begun = perf_counter()
        try:
            found = await online.fetch(symbol, view)
        except Unavailable:
            found, missing = None, (STORE_AWAY,)
        kept = catalogue.vectors.get((symbol, view))
        if kept is not None and (found is None or newer(kept, found)):
            FEATURE_READS.labels("lake").inc()
            found = kept
            if not missing:
                await asyncio.to_thread(self._give, kept)
        elif found is not None:
            FEATURE_READS.labels("store").inc()
        else:
            found = await asyncio.to_thread(self._computed, symbol, reads)
            FEATURE_READS.labels("computed").inc()
            missing = (*missing, "features_computed_on_request")
        _FEATURES.observe(perf_counter() - begun)
        return found, missing

    async def of_session(
        self, symbol: str, session: date, catalogue: Catalogue, reads: Reads
    ) -> tuple[FeatureVector, tuple[str, ...]]:
        """Return the vector of one session, as it was known when that session had closed.

        Raises
        ------
        MissingRecord
            If the symbol has no features of that session.
        """
        found, missing = await self.newest(symbol, catalogue, reads)
        watermark = catalogue.watermarks.get(reads.name)
        if found.session > session and watermark is not None:
            kept = await asyncio.to_thread(self._kept, symbol, session, watermark, reads.name)
            found = kept or found
        if found.session != session:
            raise MissingRecord("bar", f"{symbol} of the session {session}", "bellwether ingest")
        return found, missing

    def _kept(
        self, symbol: str, session: date, watermark: datetime, view: str
    ) -> FeatureVector | None:
        """Read a past session's vector from the newest materialisation."""
        rows = self._ports.features.history(symbol, view, watermark)
        for row in rows.filter(pl.col("session") == session).iter_rows(named=True):
            return FeatureVector(symbol, session, view, watermark, row["values"], row["last_close"])
        return None

    def _computed(self, symbol: str, reads: Reads) -> FeatureVector:
        """Compute the newest vector from the bars, and give it to the online store."""
        if reads.view.across:
            raise MissingRecord(
                "feature vector",
                f"{symbol} of {reads.name}, which looks across symbols",
                "bellwether features materialize",
            )
        bars = self._ports.lake.bars([symbol])
        watermark = bars["ingested_at"].max()
        if not isinstance(watermark, datetime):
            raise MissingRecord("bar", symbol, "bellwether ingest")
        if reads.view.reads_texts:
            # read before the texts: any that comes between is of a later state
            watermark = max(watermark, self._ports.lake.texts_watermark() or watermark)
        texts = texts_of(reads.view, symbol, watermark, self._ports)
        frame = as_known(reads.view, bars, self._ports.calendar, self._ports.clock.now(), texts)
        computed = newest_vector(reads.view, frame, watermark)
        self._give(computed)
        return computed

    def _give(self, vector: FeatureVector) -> None:
        with suppress(Unavailable):
            self._ports.online.put([vector])

    def age(self, session: date) -> int:
        """Return how many closed sessions `session` lies behind the clock."""
        now = self._ports.clock.now()
        if (
            self._ages[0] is None
            or (now - self._ages[0]).total_seconds() > 1
            or now < self._ages[0]
        ):
            self._ages = (now, self._ports.calendar.last_closed(now))
        newest = self._ages[1]
        return (
            0
            if newest is None or newest <= session
            else self._ports.calendar.distance(session, newest)
        )
