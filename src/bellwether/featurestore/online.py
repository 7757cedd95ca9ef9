"""The newest vectors in this process."""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from bellwether.core.ports import Clock
from bellwether.core.types import FeatureVector, OnlineCensus, OnlineEntry


class InProcessOnlineStore:
    """The OnlineStore port as a dictionary; readers never wait."""

    kind = "in-process"

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._vectors: dict[tuple[str, str], tuple[FeatureVector, datetime]] = {}
        self._writing = threading.Lock()

    def put(self, vectors: Sequence[FeatureVector]) -> None:
        """Keep `vectors`; one with an older session or watermark never replaces a newer one."""
        now = self._wall.now()
        with self._writing:
            for vector in vectors:
                key = (vector.symbol, vector.view)
                known = self.held(*key)
                if known is None or rank(known) <= rank(vector):
                    self._vectors[key] = (vector, now)

    def held(self, symbol: str, view: str) -> FeatureVector | None:
        """Return the vector of `symbol`, or None."""
        kept = self._vectors.get((symbol, view))
        return None if kept is None else kept[0]

    def get_many(self, symbols: Sequence[str], view: str) -> list[FeatureVector | None]:
        """Return the vector of each symbol, in order."""
        return [self.held(symbol, view) for symbol in symbols]

    async def fetch(self, symbol: str, view: str) -> FeatureVector | None:
        """Return the vector of `symbol`, or None."""
        return self.held(symbol, view)

    def entries(self, symbol: str) -> list[OnlineEntry]:
        """Return what is kept of `symbol`, newest session first."""
        kept = [pair for (name, _), pair in tuple(self._vectors.items()) if name == symbol]
        found = [OnlineEntry(vector, at, len(vector.values)) for vector, at in kept]
        return sorted(found, key=lambda e: (*rank(e.vector), e.vector.view), reverse=True)

    def census(self) -> OnlineCensus:
        """Count what is kept."""
        kept = tuple(self._vectors.items())
        views = Counter(view for (_, view), _ in kept)
        size = sum(len(vector.values) for _, (vector, _) in kept)
        return OnlineCensus(self.kind, dict(views), size, len(kept))

    def away(self) -> str | None:
        """Nothing can come between this store and its readers."""
        return None

    def close(self) -> None:
        """Nothing is open."""


def rank(vector: FeatureVector) -> tuple[object, ...]:
    """Order vectors of one symbol and view: the later session, then the later watermark."""
    return vector.session, vector.watermark
