"""Live bars in Redis streams; as durable as that Redis writes its file.

A symbol's bars lie in one of a fixed number of streams, in the order in which they were sent. A
stream has one consumer at a time, whose hold on it expires unless renewed; an entry stays until it
is done, so that what a killed consumer left behind is simply what the next one reads first.

    bw:{bars:N}:stream   field bar, one entry a message
    bw:{bars:N}:holder   the consumer that works on it; expires
    bw:{bars}:members    consumers, scored by the millisecond until which they count as alive
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from zlib import crc32

from bellwether.core.errors import Overloaded, StorageError
from bellwether.core.feed import FedBar, ShardState
from bellwether.core.ports import EventBus
from bellwether.events import feed_scripts as scripts
from bellwether.links.redis import RedisLink
from bellwether.telemetry import LIVE_PUBLISHED, LIVE_REFUSED, LIVE_WAITING

NAME = "feed of live bars"
TOPIC = "bars"
MEMBERS = b"bw:{bars}:members"
SHARDS = 16
SENT_TOGETHER = 500
LOOK_AGAIN_S = 1.0


class RedisBarFeed:
    """The BarFeed port over Redis streams.

    Parameters
    ----------
    link
        The Redis that keeps the bars.
    bus
        What wakes consumers, on topic `bars`; without it they look once a second.
    shards
        Streams; all who share a Redis have to agree.
    capacity
        Bars that may wait in one stream.
    lease_s
        Seconds after which a consumer that said nothing counts as dead.
    monotonic
        Seconds that only grow.
    """

    def __init__(
        self,
        link: RedisLink,
        bus: EventBus,
        *,
        shards: int = SHARDS,
        capacity: int = 1_000_000,
        lease_s: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._bus = bus
        self._shards = range(shards)
        self._capacity = capacity
        self._lease_ms = max(1, round(lease_s * 1000))
        self._monotonic = monotonic
        self._news = threading.Event()
        self._listening = False
        self._held: frozenset[int] = frozenset()

    def shard_of(self, symbol: str) -> int:
        """Return the shard that the bars of `symbol` go through."""
        return crc32(symbol.encode(errors="surrogatepass")) % len(self._shards)

    def publish(self, bars: Sequence[tuple[str, bytes]]) -> None:
        """Send (symbol, message) pairs.

        Raises
        ------
        Overloaded
            If too many wait already; nothing of that shard's remaining bars was sent then.
        """
        parts: defaultdict[int, list[bytes]] = defaultdict(list)
        for symbol, body in bars:
            parts[self.shard_of(symbol)].append(body)
        for shard, bodies in sorted(parts.items()):
            for some in _together(bodies):
                sent = self._run(scripts.PUBLISH, _keys(shard)[:1], self._capacity, *some)
                if sent < 0:
                    LIVE_REFUSED.inc(len(some))
                    raise Overloaded(NAME, -sent)
                LIVE_PUBLISHED.inc(sent)
        if bars:
            with suppress(StorageError):  # they are sent, and found at the next look
                self._bus.publish(TOPIC, b"")

    def hold(self, consumer: str) -> frozenset[int]:
        """Go on holding shards, take free ones up to a fair share, give up what is more than it."""
        alive = self._run(scripts.JOIN, [MEMBERS], consumer.encode(), self._lease_ms)
        fair = math.ceil(len(self._shards) / alive)
        held = [n for n in self._shards if n in self._held and self._holds(n, consumer)]
        for n in held[fair:]:
            self._run(scripts.RELEASE, [_keys(n)[1]], consumer.encode())
        held = held[:fair]
        for n in self._shards:
            if len(held) >= fair:
                break
            if n not in held and self._holds(n, consumer, take=True):
                held.append(n)
        self._held = frozenset(held)
        return self._held

    def keep(self, consumer: str) -> None:
        """Say that `consumer` lives, and is still at work on the shards it holds."""
        self._run(scripts.JOIN, [MEMBERS], consumer.encode(), self._lease_ms)
        for n in self._held:
            self._holds(n, consumer)

    def leave(self, consumer: str) -> None:
        """Let go of all shards."""
        held, self._held = self._held, frozenset()
        for n in held:
            self._run(scripts.RELEASE, [_keys(n)[1]], consumer.encode())
        with self._link.guard():
            self._link.client().zrem(MEMBERS, consumer)

    def take(self, consumer: str, limit: int, wait_s: float) -> list[FedBar]:
        """Return the oldest bars that are not done of the shards held."""
        self._listen()
        until = self._monotonic() + wait_s
        while True:
            self._news.clear()
            found = self._take(consumer, limit)
            rest_s = until - self._monotonic()
            if found or rest_s <= 0:
                return found
            self._news.wait(min(rest_s, LOOK_AGAIN_S))

    def _take(self, consumer: str, limit: int) -> list[FedBar]:
        found: list[FedBar] = []
        for n in sorted(self._held):
            if len(found) >= limit:
                break
            rows = self._run(scripts.TAKE, _keys(n), consumer.encode(), limit - len(found))
            found += [_bar(n, row) for row in rows or ()]
        return found

    def done(self, consumer: str, bars: Sequence[FedBar]) -> frozenset[int]:
        """Take bars off the feed; return the shards that were lost to another consumer meanwhile."""
        parts: defaultdict[int, list[bytes]] = defaultdict(list)
        for bar in bars:
            parts[bar.shard].append(bar.place.encode())
        lost = set()
        for n, places in parts.items():
            for some in _together(places):
                if self._run(scripts.DONE, _keys(n), consumer.encode(), *some) < 0:
                    lost.add(n)
        self._held -= lost
        return frozenset(lost)

    def states(self) -> list[ShardState]:
        """Count what waits, shard by shard."""
        found = []
        for n in self._shards:
            waiting, holder = self._run(scripts.STATE, _keys(n))
            found.append(ShardState(n, waiting, None if holder is None else holder.decode()))
        LIVE_WAITING.set(sum(state.waiting for state in found))
        return found

    def _holds(self, shard: int, consumer: str, *, take: bool = False) -> bool:
        key = [_keys(shard)[1]]
        return bool(self._run(scripts.HOLD, key, consumer.encode(), self._lease_ms, int(take)))

    def _listen(self) -> None:
        if not self._listening:
            self._listening = True
            self._bus.subscribe(TOPIC, lambda _: self._news.set(), lambda _: self._news.set())

    def _run(self, script: Any, keys: Sequence[bytes], *values: bytes | float) -> Any:
        with self._link.guard():
            return self._link.run(script, keys, *values)


def _together(values: list[bytes]) -> list[list[bytes]]:
    return [values[i : i + SENT_TOGETHER] for i in range(0, len(values), SENT_TOGETHER)]


def _keys(shard: int) -> list[bytes]:
    return [f"bw:{{bars:{shard}}}:{part}".encode() for part in ("stream", "holder")]


def _bar(shard: int, row: Any) -> FedBar:
    """Read an entry; one that is no bar, which nobody here writes, has an empty body."""
    place, fields = row
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    return FedBar(shard, place.decode(), named.get(b"bar", b""))
