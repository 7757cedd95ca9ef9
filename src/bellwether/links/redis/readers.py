"""Reading many values in one round trip, from an event loop.

A read costs the library's own client about twice as much, and most of that is not Redis: it
borrows a connection, starts two timers and wakes three tasks for each command. The library still
makes the connection (addresses, TLS, passwords, database); what is read from it afterwards is read
here.
"""

import asyncio
from asyncio import AbstractEventLoop, Future, TimerHandle, Transport
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

import hiredis
import redis
from redis import asyncio as aio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

Values = list[bytes | None]
Take = Callable[[Values], None]
Failed = Callable[[Exception], None]
_MORE = object()


class Reader(Protocol):
    """Reads many values in one round trip, on the event loop it was made on, one at a time.

    Deadlines are instants of the loop's clock.
    """

    def start(self, keys: Sequence[bytes], deadline: float, take: Take, failed: Failed) -> bool:
        """Ask at once, and have `take` or `failed` called with what comes of it.

        False, and neither is called, where asking needs a connection first.
        """
        ...

    async def mget(self, keys: Sequence[bytes], deadline: float, take: Take) -> None:
        """Connect if need be, and hand the value of each key to `take`."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class NodeReader:
    """One connection, held for good."""

    def __init__(self, url: str, options: dict[str, Any], timeout_s: float) -> None:
        never = Retry(NoBackoff(), 0)
        pool: Any = aio.ConnectionPool.from_url(url, **{**options, "retry": never})
        self._kind = type("Direct", (_Direct, pool.connection_class), {})
        self._options = pool.connection_kwargs
        self._loop = asyncio.get_running_loop()
        self._late = f"no answer within {timeout_s:g} s"
        self._connection: Any = None
        self._socket: _Socket | None = None

    def start(self, keys: Sequence[bytes], deadline: float, take: Take, failed: Failed) -> bool:
        """Ask at once if there is a connection."""
        if self._socket is None or self._socket.dead:
            return False
        self._socket.ask(_packed(keys), deadline, take, failed)
        return True

    async def mget(self, keys: Sequence[bytes], deadline: float, take: Take) -> None:
        """Hand the value of each key to `take`; a connection found dead is replaced once."""
        packed = _packed(keys)
        if self._socket is not None and not self._socket.dead:
            with suppress(redis.ConnectionError):
                await self._ask(self._socket, packed, deadline, take)
                return
        await self._ask(await self._connect(deadline), packed, deadline, take)

    async def _ask(self, socket: "_Socket", packed: bytes, deadline: float, take: Take) -> None:
        done: Future[None] = self._loop.create_future()

        def taken(values: Values) -> None:
            take(values)
            done.set_result(None)

        socket.ask(packed, deadline, taken, done.set_exception)
        try:
            await done
        except asyncio.CancelledError:
            socket.give_up()  # or the answer, come late, would be taken for the next one's
            raise

    async def _connect(self, deadline: float) -> "_Socket":
        await self.close()
        self._connection = self._kind(**self._options)
        try:
            async with asyncio.timeout_at(deadline):
                await self._connection.connect()
        except TimeoutError:
            raise redis.TimeoutError(self._late) from None
        self._socket = self._connection.handed_over(self._loop, self._late)
        return self._socket

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            await connection.disconnect(nowait=True)


class ClusterReader:
    """The library's cluster client; each node is asked for its slots."""

    def __init__(self, url: str, options: dict[str, Any], timeout_s: float) -> None:
        once = Retry(NoBackoff(), 1)
        self._client = aio.RedisCluster.from_url(url, **{**options, "retry": once})
        self._late = f"no answer within {timeout_s:g} s"

    def start(self, keys: Sequence[bytes], deadline: float, take: Take, failed: Failed) -> bool:  # noqa: ARG002 - the protocol's signature
        """Leave it to `mget`: only the library knows where slots lie."""
        return False

    async def mget(self, keys: Sequence[bytes], deadline: float, take: Take) -> None:
        """Hand the value of each key to `take`."""
        try:
            async with asyncio.timeout_at(deadline):
                values = await self._client.mget_nonatomic(list(keys))
        except TimeoutError:
            raise redis.TimeoutError(self._late) from None
        take(values)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _packed(keys: Sequence[bytes]) -> bytes:
    packed: bytes = hiredis.pack_command((b"MGET", *keys))  # type: ignore[arg-type]
    return packed


class _Direct:
    """Mixed into the library's kind of connection, to take its socket over once it is made."""

    _writer: asyncio.StreamWriter
    _parser: Any

    def handed_over(self, loop: AbstractEventLoop, late: str) -> "_Socket":
        """Return the socket, from which the library reads no more."""
        transport = cast("Transport", self._writer.transport)
        socket = _Socket(loop, transport, self._parser.parse_error, late)
        transport.set_protocol(socket)
        return socket


class _Socket(asyncio.Protocol):
    """Carries one question and its answer; what is heard after giving up reaches nobody."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        transport: Transport,
        to_error: Callable[[str], Exception],
        late: str,
    ) -> None:
        self.dead = transport.is_closing()
        self._loop = loop
        self._transport = transport
        self._late = late
        self._parser = hiredis.Reader(
            protocolError=redis.InvalidResponse, replyError=to_error, notEnoughData=_MORE
        )
        self._asked: tuple[Take, Failed, TimerHandle] | None = None

    def ask(self, packed: bytes, deadline: float, take: Take, failed: Failed) -> None:
        """Send a question; one of `take` and `failed` is called by the deadline."""
        self._asked = (take, failed, self._loop.call_at(deadline, self._time_out))
        self._transport.write(packed)

    def data_received(self, data: bytes) -> None:
        """Take in what came; the answer may come in many pieces."""
        self._parser.feed(data)
        try:
            value = self._parser.gets()
        except redis.InvalidResponse as error:
            self.give_up(error)
            return
        if value is _MORE or self._asked is None:
            return
        (take, failed, timer), self._asked = self._asked, None
        timer.cancel()
        if isinstance(value, Exception):  # what Redis refuses leaves the connection as it was
            failed(value)
            return
        try:
            take(value)
        except Exception as error:  # noqa: BLE001 - the loop would log it, and nobody be told
            failed(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self.give_up(redis.ConnectionError(str(exc or "connection closed by the server")))

    def give_up(self, error: Exception | None = None) -> None:
        """Close the connection, and tell who waits, if told why: the next question needs another."""
        self.dead = True
        self._transport.abort()
        asked, self._asked = self._asked, None
        if asked is not None:
            asked[2].cancel()
            if error is not None:
                asked[1](error)

    def _time_out(self) -> None:
        self.give_up(redis.TimeoutError(self._late))
