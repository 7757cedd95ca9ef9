"""The newest vectors in Redis, for every process: one value a symbol and view version."""

import asyncio
import threading
import time
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError

from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.ports import Clock, EventBus
from bellwether.core.types import FeatureVector, OnlineCensus, OnlineEntry
from bellwether.featurestore import codec
from bellwether.featurestore.lane import ReadLane
from bellwether.featurestore.online import rank
from bellwether.links.redis import SERVER, RedisLink, Script
from bellwether.telemetry import (
    ONLINE_CORRUPT,
    ONLINE_READ_BYTES,
    ONLINE_READ_SECONDS,
    ONLINE_READ_SYMBOLS,
    ONLINE_REFUSED_OLDER,
    ONLINE_WRITTEN,
)

WRITTEN_TOGETHER = 500
READ_TOGETHER = 1000
SCANNED_TOGETHER = 1000
CENSUS_KEPT_S = 5.0
DAY_S = 86_400

# KEYS: the vector's key. ARGV: the new value, seconds to live, a value known to be damaged.
# Numbers are compared as numbers, and a watermark in two halves: Lua's would lose its last bits.
PUT = Script("""\
local old = redis.pcall('GET', KEYS[1])
if type(old) == 'string' and #old >= 15 and string.sub(old, 1, 2) == 'BW' and old ~= ARGV[3] then
  local day, low, high = struct.unpack('<i4I4i4', old, 4)
  local new_day, new_low, new_high = struct.unpack('<i4I4i4', ARGV[1], 4)
  if day ~= new_day then
    if day > new_day then return 0 end
  elseif high ~= new_high then
    if high > new_high then return 0 end
  elseif low > new_low then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
""")


@dataclass(frozen=True, slots=True)
class _Write:
    symbol: str
    key: bytes
    value: bytes
    damaged: bytes = b""


class RedisOnlineStore:
    """The OnlineStore port over Redis. It holds nothing in the process.

    Parameters
    ----------
    link
        The Redis that keeps the vectors.
    bus
        Where it is told whose vectors were replaced, on topic `features`.
    wall
        The machine's clock, for when a vector was written.
    expire_days
        Days after which a vector that nobody renewed is gone.
    monotonic
        Seconds that only grow; the census is counted again once it is five seconds old.
    """

    kind = "redis"

    def __init__(
        self,
        link: RedisLink,
        bus: EventBus,
        wall: Clock,
        *,
        expire_days: int = 30,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._bus = bus
        self._wall = wall
        self._expire_s = expire_days * DAY_S
        self._monotonic = monotonic
        self._binding = threading.Lock()
        self._lanes: dict[AbstractEventLoop, ReadLane] = {}
        self._lane: ReadLane | None = None
        self._closed = False
        self._counting = threading.Lock()
        self._counted: tuple[float, OnlineCensus] | None = None

    def put(self, vectors: Sequence[FeatureVector]) -> None:
        """Keep `vectors`; one with an older session or watermark never replaces a newer one."""
        now = self._wall.now()
        writes = [
            _Write(v.symbol, codec.key_of(v.symbol, v.view), codec.encode(v, now)) for v in vectors
        ]
        for start in range(0, len(writes), WRITTEN_TOGETHER):
            self._put(writes[start : start + WRITTEN_TOGETHER])

    def _put(self, writes: list[_Write]) -> None:
        try:
            with self._link.guard():
                refused = self._write(writes)
                refused = self._repair(refused)
        except StorageError:
            with suppress(StorageError):  # what did arrive nobody can say
                self._announce(writes)
            raise
        ONLINE_WRITTEN.inc(len(writes) - len(refused))
        ONLINE_REFUSED_OLDER.inc(len(refused))
        older = set(refused)
        self._announce([write for write in writes if write not in older])

    def _announce(self, writes: list[_Write]) -> None:
        if writes:
            symbols = dict.fromkeys(write.symbol for write in writes)
            self._bus.publish(codec.TOPIC, codec.encode_symbols(symbols))

    def _write(self, writes: list[_Write]) -> list[_Write]:
        """Send `writes` in one go; return those that lost against a newer vector."""
        replies = self._send("EVALSHA", PUT.sha, writes)
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        again = self._send("EVAL", PUT.source, [writes[i] for i in unknown])
        for i, reply in zip(unknown, again, strict=True):
            replies[i] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return [write for write, reply in zip(writes, replies, strict=True) if not reply]

    def _send(self, command: str, script: str, writes: list[_Write]) -> list[Any]:
        if not writes:
            return []
        pipeline: Any = self._link.client().pipeline(transaction=False)
        for w in writes:
            # By name, because a cluster's pipeline has no method for it.
            pipeline.execute_command(command, script, 1, w.key, w.value, self._expire_s, w.damaged)
        return list(pipeline.execute(raise_on_error=False))

    def _repair(self, refused: list[_Write]) -> list[_Write]:
        """Write over values whose bytes were damaged; return the writes that still lost."""
        if not refused:
            return []
        kept = self._values([write.key for write in refused])
        broken = {w: raw for w, raw in zip(refused, kept, strict=True) if codec.is_damaged(raw)}
        renewed = [_Write(w.symbol, w.key, w.value, raw or b"") for w, raw in broken.items()]
        return [w for w in refused if w not in broken] + self._write(renewed)

    def held(self, symbol: str, view: str) -> FeatureVector | None:  # noqa: ARG002 - the port's signature
        """Return None: nothing is held in the process."""
        return None

    def get_many(self, symbols: Sequence[str], view: str) -> list[FeatureVector | None]:
        """Return the vector of each symbol, in order."""
        found: list[FeatureVector | None] = []
        for start in range(0, len(symbols), READ_TOGETHER):
            some = symbols[start : start + READ_TOGETHER]
            keys = [codec.key_of(symbol, view) for symbol in some]
            with self._reading("get_many"):
                values = self._values(keys)
            found += [_vector(raw, symbol, view) for raw, symbol in zip(values, some, strict=True)]
            ONLINE_READ_SYMBOLS.observe(len(some))
            ONLINE_READ_BYTES.inc(sum(len(raw) for raw in values if raw))
        return found

    async def fetch(self, symbol: str, view: str) -> FeatureVector | None:
        """Return the vector of `symbol`; reads asked for while one is out travel together."""
        lane = self._lane
        if lane is None or lane.ended or lane.loop is not asyncio.get_running_loop():
            lane = self._bound()
        return await lane.ask(symbol, view)

    def _bound(self) -> ReadLane:
        """Return the lane of the running loop; a process has one loop, a test suite many."""
        loop = asyncio.get_running_loop()
        with self._binding:
            if self._closed:
                raise Unavailable(SERVER, "the online store was closed")
            lanes = {k: v for k, v in self._lanes.items() if not (v.ended or k.is_closed())}
            lane = lanes.get(loop) or ReadLane(self._link)
            self._lanes = {**lanes, loop: lane}
            self._lane = lane
        return lane

    def entries(self, symbol: str) -> list[OnlineEntry]:
        """Return what is kept of `symbol`, newest session first."""
        with self._reading("entries"):
            keys = sorted(set(self._scan(codec.pattern_of(symbol), codec.key_of(symbol, ""))))
            values = self._values(keys) if keys else []
        found: list[OnlineEntry] = []
        for key, raw in zip(keys, values, strict=True):
            vector = _vector(raw, symbol, codec.view_of(key))
            if raw is not None and vector is not None:
                found.append(OnlineEntry(vector, codec.written_at(raw), len(raw)))
        return sorted(found, key=lambda e: (*rank(e.vector), e.vector.view), reverse=True)

    def census(self) -> OnlineCensus:
        """Count what is kept; the count is at most five seconds old."""
        with self._counting:
            if self._counted is None or self._monotonic() - self._counted[0] >= CENSUS_KEPT_S:
                self._counted = (self._monotonic(), self._count())
            return self._counted[1]

    def _count(self) -> OnlineCensus:
        views: Counter[str] = Counter()
        size = 0
        with self._reading("census"):
            keys = sorted(set(self._scan(codec.PATTERN_OF_ALL)))
            for start in range(0, len(keys), READ_TOGETHER):
                some = keys[start : start + READ_TOGETHER]
                pipeline = self._link.client().pipeline(transaction=False)
                for key in some:
                    pipeline.strlen(key)
                for key, length in zip(some, pipeline.execute(raise_on_error=False), strict=True):
                    if isinstance(length, int):  # not what somebody else keeps by such a name
                        views[codec.view_of(key)] += 1
                        size += length
        return OnlineCensus("redis", dict(views), size, 0)

    def away(self) -> str | None:
        """Say why Redis counts as away; None while it answers."""
        why = self._link.breaker.away
        return None if why is None else f"{SERVER}: {why}"

    def close(self) -> None:
        """End the lanes; the link stays open for whoever shares it."""
        with self._binding:
            self._closed = True
            lanes, self._lanes, self._lane = self._lanes, {}, None
        for lane in lanes.values():
            lane.close()

    def _values(self, keys: list[bytes]) -> list[bytes | None]:
        client: Any = self._link.client()
        read = client.mget_nonatomic if self._link.cluster else client.mget
        return list(read(keys))

    def _scan(self, pattern: bytes, near: bytes | None = None) -> Iterator[bytes]:
        """Find keys on all servers, or on the one that keeps `near`."""
        client: Any = self._link.client()
        where: dict[str, Any] = {}
        if self._link.cluster and near is not None:
            where["target_nodes"] = client.get_node_from_key(near)
        yield from client.scan_iter(match=pattern, count=SCANNED_TOGETHER, **where)

    @contextmanager
    def _reading(self, operation: str) -> Iterator[None]:
        with ONLINE_READ_SECONDS.labels(operation).time(), self._link.guard():
            yield


def _vector(raw: bytes | None, symbol: str, view: str) -> FeatureVector | None:
    if raw is None:
        return None
    vector = codec.decode(raw, symbol, view)
    if vector is None:
        ONLINE_CORRUPT.inc()
    return vector
