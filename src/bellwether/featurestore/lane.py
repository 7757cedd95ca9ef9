"""Reads of one event loop that travel together.

While one round trip is out, whoever asks is collected; the next one takes them all. There is no
timer: after a trip with one reader the next leaves as soon as it is asked for, after one with more
at the end of that turn of the event loop. So the busier it gets, the fuller each trip.
"""

import asyncio
from asyncio import AbstractEventLoop, Future
from contextlib import suppress
from time import perf_counter

import redis

from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.types import FeatureVector
from bellwether.featurestore.codec import decode, key_of
from bellwether.links.redis import SERVER, Reader, RedisLink
from bellwether.telemetry import (
    ONLINE_CORRUPT,
    ONLINE_READ_BYTES,
    ONLINE_READ_SECONDS,
    ONLINE_READ_SYMBOLS,
    get_logger,
)

Answer = Future[FeatureVector | None]
Asked = dict[bytes, tuple[str, str, list[Answer]]]

ACCOUNT_TRIPS = 32
ACCOUNT_S = 0.1
_LOG = get_logger(__name__)
_SECONDS = ONLINE_READ_SECONDS.labels("fetch")


class ReadLane:
    """One connection to Redis and one round trip at a time, for the running event loop.

    While all is well a trip is two callbacks. The first trip, one that fails, and the one after
    it are a task that goes through the breaker, connects, and asks once more.

    It ends with the loop, or when it is closed; whoever waits then is told.
    """

    def __init__(self, link: RedisLink) -> None:
        self.loop: AbstractEventLoop = asyncio.get_running_loop()
        self.ended = False
        self._link = link
        self._reader: Reader = link.reader()
        self._well = False
        self._busy = False
        self._alone = False
        self._asked: Asked = {}
        self._since = 0.0
        self._out: Asked = {}
        self._deadline = 0.0
        self._began = 0.0
        self._trips: list[tuple[float, int]] = []
        self._bytes = 0
        self._careful: asyncio.Task[None] | None = None
        self._task = self.loop.create_task(self._until_closed(), name="online store reads")

    def ask(self, symbol: str, view: str) -> Answer:
        """Return what will be the vector of `symbol`; call it on the lane's own loop."""
        key = key_of(symbol, view)
        answer: Answer = self.loop.create_future()
        if not self._asked:
            self._since = self.loop.time()
        same = self._asked.get(key)
        if same is None:
            self._asked[key] = (symbol, view, [answer])
        else:
            same[2].append(answer)
        if not self._busy:
            self._busy = True
            if self._alone:
                self._depart()
            else:  # take along whoever else asks in this turn of the loop
                self.loop.call_soon(self._depart)
        return answer

    def close(self) -> None:
        """End the lane, from any thread."""
        with suppress(RuntimeError):  # the loop is closed, and the lane ended with it
            self.loop.call_soon_threadsafe(self._task.cancel)

    async def _until_closed(self) -> None:
        try:
            await self.loop.create_future()
        finally:
            self.ended = True
            if self._careful is not None:
                self._careful.cancel()
            for asked in (self._out, self._asked):
                _fail(asked, Unavailable(SERVER, "the online store was closed"))
            self._account()
            await self._reader.close()

    def _depart(self) -> None:
        self._out, self._asked = self._asked, {}
        self._deadline = self._since + self._link.timeout_s
        self._began = perf_counter()
        if not (
            self._well
            and self._link.breaker.away is None
            and self._reader.start([*self._out], self._deadline, self._arrive, self._stumble)
        ):
            self._stumble(None)

    def _arrive(self, values: list[bytes | None]) -> None:
        self._deliver(values)
        self._next()

    def _stumble(self, error: Exception | None) -> None:
        """Make the trip again, or for the first time, with care."""
        self._well = False
        if self.ended:
            return
        self._careful = self.loop.create_task(self._travel(error), name="online store read")

    async def _travel(self, error: Exception | None) -> None:
        try:
            with self._link.guard():
                if error is not None and not isinstance(error, redis.ConnectionError):
                    raise error  # noqa: TRY301 - in here the breaker counts it
                await self._reader.mget([*self._out], self._deadline, self._deliver)
            self._well = True
        except StorageError as told:
            _fail(self._out, told)
        except Exception as told:  # noqa: BLE001 - or all that wait would wait for ever
            _LOG.exception("online_store_read_failed")
            _fail(self._out, StorageError("online store", f"a read failed: {type(told).__name__}"))
        self._next()

    def _deliver(self, values: list[bytes | None]) -> None:
        for (symbol, view, waiting), raw in zip(self._out.values(), values, strict=True):
            vector = None
            if raw is not None:
                self._bytes += len(raw)
                vector = decode(raw, symbol, view)
                if vector is None:
                    ONLINE_CORRUPT.inc()
            for answer in waiting:
                if not answer.done():
                    answer.set_result(vector)

    def _next(self) -> None:
        trips = self._trips
        trips.append((perf_counter() - self._began, len(self._out)))
        if len(trips) == 1:
            self.loop.call_later(ACCOUNT_S, self._account)
        elif len(trips) >= ACCOUNT_TRIPS:
            self._account()
        self._alone = len(self._out) == 1
        self._out = {}
        if self._asked:
            self._depart()
        else:
            self._busy = False

    def _account(self) -> None:
        """Bring the metrics up to date: for each trip at once, they would cost a tenth of it."""
        trips, self._trips = self._trips, []
        for seconds, symbols in trips:
            _SECONDS.observe(seconds)
            ONLINE_READ_SYMBOLS.observe(symbols)
        ONLINE_READ_BYTES.inc(self._bytes)
        self._bytes = 0


def _fail(asked: Asked, error: StorageError) -> None:
    """Tell each waiter with an error of its own: one that is shared would collect tracebacks."""
    for _, _, waiting in asked.values():
        for answer in waiting:
            if not answer.done():
                answer.set_exception(_again(error))


def _again(error: StorageError) -> StorageError:
    if isinstance(error, Unavailable):
        return Unavailable(error.store, error.why, error.retry_after_s)
    return StorageError(error.store, error.why)
