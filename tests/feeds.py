"""A feed of live bars in memory, held to the same contract as the real one."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from zlib import crc32

from bellwether.core.errors import Overloaded
from bellwether.core.feed import FedBar, ShardState


class FeedRoom:
    """What all consumers of one feed share."""

    def __init__(self, shards: int, capacity: int, lease_s: float) -> None:
        self.shards, self.capacity, self.lease_s = shards, capacity, lease_s
        self.entries: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
        self.holders: dict[int, tuple[str, float]] = {}
        self.members: dict[str, float] = {}
        self.number = 0


class MemoryFeed:
    """The BarFeed port over dictionaries; one object a consumer."""

    def __init__(self, room: FeedRoom, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._monotonic = monotonic
        self._held: frozenset[int] = frozenset()

    def shard_of(self, symbol: str) -> int:
        return crc32(symbol.encode(errors="surrogatepass")) % self._room.shards

    def publish(self, bars: Sequence[tuple[str, bytes]]) -> None:
        parts: defaultdict[int, list[bytes]] = defaultdict(list)
        for symbol, body in bars:
            parts[self.shard_of(symbol)].append(body)
        for shard, bodies in sorted(parts.items()):
            waiting = self._room.entries[shard]
            if len(waiting) + len(bodies) > self._room.capacity:
                raise Overloaded("feed of live bars", len(waiting))
            for body in bodies:
                self._room.number += 1
                waiting[str(self._room.number)] = body

    def hold(self, consumer: str) -> frozenset[int]:
        self.keep(consumer)
        now = self._monotonic()
        alive = [m for m, until in self._room.members.items() if until > now]
        fair = math.ceil(self._room.shards / len(alive))
        held = [n for n in sorted(self._held) if self._holder(n) == consumer]
        for n in held[fair:]:
            del self._room.holders[n]
        held = held[:fair]
        for n in range(self._room.shards):
            if len(held) < fair and n not in held and self._holder(n) in (None, consumer):
                held.append(n)
        self._held = frozenset(held)
        self.keep(consumer)
        return self._held

    def keep(self, consumer: str) -> None:
        until = self._monotonic() + self._room.lease_s
        self._room.members[consumer] = until
        for n in self._held:
            if self._holder(n) in (None, consumer):
                self._room.holders[n] = (consumer, until)

    def leave(self, consumer: str) -> None:
        for n in self._held:
            if self._holder(n) == consumer:
                del self._room.holders[n]
        self._held = frozenset()
        self._room.members.pop(consumer, None)

    def take(self, consumer: str, limit: int, wait_s: float) -> list[FedBar]:
        del wait_s
        found = [
            FedBar(n, place, body)
            for n in sorted(self._held)
            if self._holder(n) == consumer
            for place, body in self._room.entries[n].items()
        ]
        return found[: max(limit, 0)]

    def done(self, consumer: str, bars: Sequence[FedBar]) -> frozenset[int]:
        lost = frozenset(b.shard for b in bars if self._holder(b.shard) != consumer)
        for bar in bars:
            if bar.shard not in lost:
                self._room.entries[bar.shard].pop(bar.place, None)
        self._held -= lost
        return lost

    def states(self) -> list[ShardState]:
        return [
            ShardState(n, len(self._room.entries[n]), self._holder(n))
            for n in range(self._room.shards)
        ]

    def _holder(self, shard: int) -> str | None:
        name, until = self._room.holders.get(shard, (None, 0.0))
        return name if until > self._monotonic() else None
