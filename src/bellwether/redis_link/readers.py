"""Reading many values in one round trip, from an event loop.

A read costs the library's own client about twice as much, and most of that is not Redis: it
borrows a connection, starts two timers and wakes three tasks for each command. The library still
makes the connection (addresses, TLS, passwords, database); what is read from it afterwards is read
here.
"""

import asyncio
from asyncio import AbstractEventLoop, Future, Transport
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import hiredis
import redis
from redis import asyncio as aio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

Values = list[bytes | None]
Take = Callable[[Values], None]
_MORE = object()


class Reader(Protocol):
    """Reads many values in one round trip, on the event loop it was made on."""

    async def mget(self, keys: Sequence[bytes], deadline: float, take: Take) -> None:
        """Hand the value of each key to `take`, once; `deadline` is an instant of the loop's clock.

        `take` is called as soon as the values are there, before whoever awaits this is woken.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class NodeReader:
    """One connection, held for good; one question at a time."""

    def __init__(self, url: str, options: dict[str, Any], timeout_s: float) -> None:
        never = Retry(NoBackoff(), 0)
        pool: Any = aio.ConnectionPool.from_url(url, **{**options, "retry": never})
        self._kind = type("Direct", (_Direct, pool.connection_class), {})
        self._options = pool.connection_kwargs
        self._loop = asyncio.get_running_loop()
        self._late = f"no answer within {timeout_s:g} s"
        self._connection: Any = None
        self._socket: _Socket | None = None

    async def mget(self, keys: Sequence[bytes], deadline: float, take: Take) -> None:
        """Hand the value of each key to `take`; a connection found dead is replaced once."""
        packed = hiredis.pack_command((b"MGET", *keys))  # type: ignore[arg-type]
        try:
            await self._ask(packed, deadline, take)
        except redis.ConnectionError:
            await self._ask(packed, deadline, take)

    async def _ask(self, packed: bytes, deadline: float, take: Take) -> None:
        socket = self._socket
        if socket is None or socket.dead:
            socket = await self._connect(deadline)
        answer = socket.ask(packed, take)
        timer = self._loop.call_at(deadline, socket.time_out, self._late)
        try:
            refusal = await answer
        except BaseException:
            socket.give_up()  # or the answer, come late, would be taken for the next one's
            raise
        finally:
            timer.cancel()
        if refusal is not None:
            raise refusal

    async def _connect(self, deadline: float) -> "_Socket":
        await self.close()
        self._connection = self._kind(**self._options)
        try:
            async with asyncio.timeout_at(deadline):
                await self._connection.connect()
        except TimeoutError:
            raise redis.TimeoutError(self._late) from None
        self._socket = self._connection.handed_over(self._loop)
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


class _Direct:
    """Mixed into the library's kind of connection, to take its socket over once it is made."""

    _writer: asyncio.StreamWriter
    _parser: Any

    def handed_over(self, loop: AbstractEventLoop) -> "_Socket":
        """Return the socket, from which the library reads no more."""
        transport = cast("Transport", self._writer.transport)
        socket = _Socket(loop, transport, self._parser.parse_error)
        transport.set_protocol(socket)
        return socket


class _Socket(asyncio.Protocol):
    """Carries one question and its answer."""

    def __init__(
        self, loop: AbstractEventLoop, transport: Transport, to_error: Callable[[str], Exception]
    ) -> None:
        self.dead = transport.is_closing()
        self._loop = loop
        self._transport = transport
        self._parser = hiredis.Reader(
            protocolError=redis.InvalidResponse, replyError=to_error, notEnoughData=_MORE
        )
        self._answer: Future[Exception | None] | None = None
        self._take: Take = list

    def ask(self, packed: bytes, take: Take) -> "Future[Exception | None]":
        """Send a question; the future's value is the error that Redis answers, if it is one."""
        self._answer = answer = self._loop.create_future()
        self._take = take
        self._transport.write(packed)
        return answer

    def data_received(self, data: bytes) -> None:
        """Take in what came; the answer may come in many pieces."""
        self._parser.feed(data)
        try:
            value = self._parser.gets()
            answer = self._answer
            if value is _MORE or answer is None or answer.done():
                return
            if isinstance(value, Exception):
                answer.set_result(value)
            else:
                self._take(value)
                answer.set_result(None)
        except Exception as error:  # noqa: BLE001 - the loop would log it and nobody be told
            self._fail(error)

    def time_out(self, why: str) -> None:
        """Let no more be waited for."""
        self._fail(redis.TimeoutError(why))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self.dead = True
        self._fail(redis.ConnectionError(str(exc or "connection closed by the server")))

    def give_up(self) -> None:
        """Close the connection; the next question needs another."""
        self.dead = True
        self._transport.abort()

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
