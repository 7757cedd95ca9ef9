"""Reads of one event loop that travel together.

While one round trip is out, whoever asks is collected; the next one takes them all. Nobody waits
for company: a lone reader leaves at once, and the busier it gets the fuller each trip.
"""

import asyncio
from asyncio import AbstractEventLoop, Future
from contextlib import suppress
from functools import partial
from time import perf_counter

from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.types import FeatureVector
from bellwether.featurestore.codec import decode, key_of
from bellwether.redis_link import SERVER, Reader, RedisLink
from bellwether.telemetry import (
    ONLINE_CORRUPT,
    ONLINE_READ_BYTES,
    ONLINE_READ_SECONDS,
    ONLINE_READ_SYMBOLS,
    get_logger,
)

Key = tuple[str, str]
Asked = dict[Key, list["Future[FeatureVector | None]"]]

_LOG = get_logger(__name__)
_SECONDS = ONLINE_READ_SECONDS.labels("fetch")


class ReadLane:
    """One connection to Redis and one round trip at a time, for the running event loop.

    It ends with the loop, or when it is closed; whoever waits then is told.
    """

    def __init__(self, link: RedisLink) -> None:
        self.loop: AbstractEventLoop = asyncio.get_running_loop()
        self.ended = False
        self._link = link
        self._reader: Reader = link.reader()
        self._asked: Asked = {}
        self._since = 0.0
        self._idle: Future[None] | None = None
        self._task = self.loop.create_task(self._run(), name="online store reads")

    def ask(self, symbol: str, view: str) -> "Future[FeatureVector | None]":
        """Return what will be the vector of `symbol`; call it on the lane's own loop."""
        asked = self._asked
        if not asked:
            self._since = self.loop.time()
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)
        future: Future[FeatureVector | None] = self.loop.create_future()
        waiting = asked.get((symbol, view))
        if waiting is None:
            asked[symbol, view] = [future]
        else:
            waiting.append(future)
        return future

    def close(self) -> None:
        """End the lane, from any thread."""
        with suppress(RuntimeError):  # the loop is closed, and the lane ended with it
            self.loop.call_soon_threadsafe(self._task.cancel)

    async def _run(self) -> None:
        out: Asked = {}
        try:
            while True:
                if not self._asked:
                    self._idle = self.loop.create_future()
                    await self._idle
                out, self._asked = self._asked, {}
                await self._travel(out)
        finally:
            self.ended = True
            for asked in (out, self._asked):
                _fail(asked, Unavailable(SERVER, "the online store was closed"))
            await self._reader.close()

    async def _travel(self, out: Asked) -> None:
        began = perf_counter()
        try:
            with self._link.guard():
                keys = [key_of(symbol, view) for symbol, view in out]
                deadline = self._since + self._link.timeout_s
                await self._reader.mget(keys, deadline, partial(_deliver, out))
            ONLINE_READ_SYMBOLS.observe(len(out))
        except StorageError as error:
            _fail(out, error)
        except Exception as error:  # noqa: BLE001 - or all that wait would wait for ever
            _LOG.exception("online_store_read_failed")
            _fail(out, StorageError("online store", f"a read failed: {type(error).__name__}"))
        _SECONDS.observe(perf_counter() - began)


def _deliver(out: Asked, values: list[bytes | None]) -> None:
    size = 0
    for (key, waiting), raw in zip(out.items(), values, strict=True):
        vector = None
        if raw is not None:
            size += len(raw)
            vector = decode(raw, *key)
            if vector is None:
                ONLINE_CORRUPT.inc()
        for future in waiting:
            if not future.done():
                future.set_result(vector)
    ONLINE_READ_BYTES.inc(size)


def _fail(asked: Asked, error: StorageError) -> None:
    """Tell each waiter with an error of its own: one that is shared would collect tracebacks."""
    for waiting in asked.values():
        for future in waiting:
            if not future.done():
                future.set_exception(_again(error))


def _again(error: StorageError) -> StorageError:
    if isinstance(error, Unavailable):
        return Unavailable(error.store, error.why, error.retry_after_s)
    return StorageError(error.store, error.why)
