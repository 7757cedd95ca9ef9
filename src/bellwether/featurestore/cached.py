"""Vectors of a far online store, held in this process until it is told that they were replaced."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bellwether.core.ports import EventBus, OnlineStore
from bellwether.core.types import FeatureVector, OnlineCensus, OnlineEntry
from bellwether.featurestore.codec import TOPIC, decode_symbols
from bellwether.telemetry import (
    ONLINE_MEMORY_CLEARED,
    ONLINE_MEMORY_ENTRIES,
    ONLINE_MEMORY_INVALIDATED,
    ONLINE_MEMORY_MISSES,
)

CAPACITY = 100_000
OLDEST_S = 300.0
DEAF = "event bus: connection lost; vectors held in memory may have been replaced"


class CachedOnlineStore:
    """The OnlineStore port in memory, over another one.

    A vector is held only if nothing said, from before it was asked for until it came, that it was
    replaced: each read carries a ticket of its symbol, and an invalidation voids the ticket. While
    the bus is not heard, what is held stays and may be old, `away` says so, and nothing is added;
    once it is heard again, all is dropped.

    Parameters
    ----------
    far
        The store that is shared.
    bus
        What tells whose vectors were replaced, on topic `features`.
    capacity
        Vectors held at most; beyond it those held longest go first.
    oldest_s
        Seconds after which a vector is read again, should nobody have told that it was replaced
        (by hand, or by a writer killed before it could say so).
    monotonic
        Seconds that only grow.
    """

    kind: str

    def __init__(
        self,
        far: OnlineStore,
        bus: EventBus,
        *,
        capacity: int = CAPACITY,
        oldest_s: float = OLDEST_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._far = far
        self.kind = far.kind
        self._bus = bus
        self._capacity = capacity
        self._oldest_s = oldest_s
        self._monotonic = monotonic
        self._changing = threading.Lock()
        self._held: dict[str, dict[str, tuple[FeatureVector, float]]] = {}
        self._count = 0
        self._tickets: dict[str, object] = {}
        self._heard = False
        self._why: str | None = None
        bus.subscribe(TOPIC, self._on_message, self._on_link)

    def put(self, vectors: Sequence[FeatureVector]) -> None:
        """Keep `vectors` in the far store, and hold their old ones no longer."""
        self._far.put(vectors)
        self._drop({vector.symbol for vector in vectors})

    def held(self, symbol: str, view: str) -> FeatureVector | None:
        """Return the vector of `symbol` if it is in memory."""
        views = self._held.get(symbol)
        kept = None if views is None else views.get(view)
        if kept is None:
            return None
        # While the bus is not heard the far store may be away too: an old vector beats none.
        return kept[0] if self._why is not None or self._monotonic() < kept[1] else None

    def get_many(self, symbols: Sequence[str], view: str) -> list[FeatureVector | None]:
        """Return the vector of each symbol, in order; only those not held are asked for."""
        found = {symbol: self.held(symbol, view) for symbol in symbols}
        missing = [symbol for symbol, vector in found.items() if vector is None]
        if missing:
            tickets = self._ask(missing)
            try:
                vectors = self._far.get_many(missing, view)
                self._keep(vectors, tickets)
            finally:
                self._return(tickets)
            found.update(zip(missing, vectors, strict=True))
        return [found[symbol] for symbol in symbols]

    async def fetch(self, symbol: str, view: str) -> FeatureVector | None:
        """Return the vector of `symbol`, from memory if it is there."""
        kept = self.held(symbol, view)
        if kept is not None:
            return kept
        tickets = self._ask((symbol,))
        try:
            vector = await self._far.fetch(symbol, view)
            self._keep((vector,), tickets)
        finally:
            self._return(tickets)
        return vector

    def entries(self, symbol: str) -> list[OnlineEntry]:
        """Return what the far store keeps of `symbol`, newest session first."""
        return self._far.entries(symbol)

    def census(self) -> OnlineCensus:
        """Count what the far store keeps, and what is held here."""
        return replace(self._far.census(), held=self._count)

    def away(self) -> str | None:
        """Say why what is held may have been replaced; None while every replacement is heard of."""
        return self._why or self._far.away()

    def close(self) -> None:
        """Stop listening, and close the far store."""
        self._bus.close()
        self._far.close()

    def _ask(self, symbols: Iterable[str]) -> dict[str, object]:
        with self._changing:
            tickets = {symbol: self._tickets.setdefault(symbol, object()) for symbol in symbols}
        ONLINE_MEMORY_MISSES.inc(len(tickets))
        return tickets

    def _keep(self, vectors: Iterable[FeatureVector | None], tickets: dict[str, object]) -> None:
        """Hold what was read, unless its ticket was voided meanwhile."""
        until = self._monotonic() + self._oldest_s
        with self._changing:
            for vector in vectors:
                if vector is None or not self._heard:
                    continue
                if self._tickets.get(vector.symbol) is tickets[vector.symbol]:
                    self._hold(vector, until)
            ONLINE_MEMORY_ENTRIES.set(self._count)

    def _hold(self, vector: FeatureVector, until: float) -> None:
        views = self._held.setdefault(vector.symbol, {})
        self._count += vector.view not in views
        views[vector.view] = (vector, until)
        while self._count > self._capacity:
            self._count -= len(self._held.pop(next(iter(self._held))))

    def _return(self, tickets: dict[str, object]) -> None:
        with self._changing:
            for symbol, ticket in tickets.items():
                if self._tickets.get(symbol) is ticket:
                    del self._tickets[symbol]

    def _drop(self, symbols: Iterable[str]) -> None:
        dropped = 0
        with self._changing:
            for symbol in symbols:
                self._tickets.pop(symbol, None)
                views = self._held.pop(symbol, {})
                dropped += bool(views)
                self._count -= len(views)
            ONLINE_MEMORY_ENTRIES.set(self._count)
        ONLINE_MEMORY_INVALIDATED.inc(dropped)

    def _clear(self) -> None:
        with self._changing:
            self._tickets = {}
            self._held = {}
            self._count = 0
            ONLINE_MEMORY_ENTRIES.set(0)
        ONLINE_MEMORY_CLEARED.inc()

    def _on_message(self, payload: bytes) -> None:
        symbols = decode_symbols(payload)
        if symbols is None:  # it told of somebody
            self._clear()
        else:
            self._drop(symbols)

    def _on_link(self, up: bool) -> None:  # noqa: FBT001 - the port's signature
        if up:
            self._clear()
        self._heard = up
        self._why = None if up else DEAF
