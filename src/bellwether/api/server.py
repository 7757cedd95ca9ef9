"""Serve an ASGI application on uvicorn until told to stop."""

import asyncio
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bellwether.api import problems
from bellwether.core.errors import ConfigError
from bellwether.telemetry import (
    EVENT_LOOP_LAG_SECONDS,
    HTTP_CONNECTIONS,
    HTTP_CONNECTIONS_OPENED,
    HTTP_REFUSED,
    announce,
    get_logger,
)

BACKLOG = 2_048
KEEP_ALIVE_S = 30
GRACE_S = 10
REQUEST_TIMEOUT_S = 30.0
MAX_HEADERS = 200
MAX_HEAD_BYTES = 65_536
TICK_S = 0.1  # uvicorn's

_CLOSING_HEADERS = (
    b"HTTP/1.1 %d %b\r\ncontent-type: application/problem+json\r\n"
    b"x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
)


class HeadTooLarge(Exception):
    """A request whose address and headers are larger than any real one's."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on the head and on time, and problems instead of plain text."""

    _head_bytes = 0
    _awaited_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection: it owes us a request."""
        self._awaited_since = self.loop.time()
        HTTP_CONNECTIONS_OPENED.inc()
        HTTP_CONNECTIONS.inc()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        HTTP_CONNECTIONS.dec()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._head_bytes = 0
        self._awaited_since = self.loop.time()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """End a request."""
        self._awaited_since = None
        super().on_message_complete()

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        detail = f"{msg} The head may have {MAX_HEADERS} headers and {MAX_HEAD_BYTES:,} bytes."
        self._close_with(problems.Problem(problems.MALFORMED, detail))

    def close_if_slow(self, limit_s: float) -> None:
        """Hang up on a caller whose request is not complete after `limit_s`."""
        since = self._awaited_since
        if since is None or self.loop.time() - since < limit_s or self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle.response_started:
            self.transport.close()
            return
        detail = f"The request was not complete after {limit_s:g} s."
        self._close_with(problems.Problem(problems.TIMED_OUT, detail))

    def _close_with(self, problem: problems.Problem) -> None:
        HTTP_REFUSED.labels(problem.kind.name).inc()
        body = problems.problem_body(problem, "")
        reason = HTTPStatus(problem.kind.status)
        head = _CLOSING_HEADERS % (reason.value, reason.phrase.encode(), len(body))
        self.transport.write(head + body)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS:
            raise HeadTooLarge


def listen(host: str, port: int) -> socket.socket:
    """Open the socket to serve on; port 0 takes a free one.

    Raises
    ------
    ConfigError
        If the address is taken, not ours or not allowed, saying what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigError("host", f"{host!r} is not an address: {error.strerror}.") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _unusable(host, port, error) from error
    listener.setblocking(False)
    return listener


class PatientServer(uvicorn.Server):
    """uvicorn with an end to its patience: it has no time limit for a request of its own.

    Looking at all connections now and then costs a request nothing; a timer for each would.
    """

    def __init__(self, config: uvicorn.Config, request_timeout_s: float) -> None:
        super().__init__(config)
        self._request_timeout_s = request_timeout_s
        self._ticked_at: float | None = None

    async def on_tick(self, counter: int) -> bool:
        """Hang up on slow callers, then do what uvicorn does ten times a second."""
        loop = asyncio.get_running_loop()
        if self._ticked_at is not None:
            EVENT_LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - self._ticked_at - TICK_S))
        for connection in list(self.server_state.connections):
            if isinstance(connection, Protocol):
                connection.close_if_slow(self._request_timeout_s)
        ends = await super().on_tick(counter)
        self._ticked_at = loop.time()
        return ends


def server(app: ASGIApp, request_timeout_s: float = REQUEST_TIMEOUT_S) -> uvicorn.Server:
    """Configure uvicorn for `app`: uvloop, httptools, no access log, our own log set-up."""
    return PatientServer(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        ),
        request_timeout_s,
    )


def serve(app: ASGIApp, host: str, port: int, on_ready: Callable[[], None] | None = None) -> None:
    """Serve `app` until SIGINT or SIGTERM, then finish what was begun and return.

    Parameters
    ----------
    app
        The application.
    host, port
        Where to listen; port 0 takes a free one, which the log names.
    on_ready
        Called once the address is ours and callers are queued for us.

    Raises
    ------
    ConfigError
        If the address cannot be used.
    """
    serve_on(listen(host, port), app, on_ready)


def serve_on(
    listener: socket.socket, app: ASGIApp, on_ready: Callable[[], None] | None = None
) -> None:
    """Serve `app` as `serve` does, on a socket that is open already and is closed at the end."""
    bound = listener.getsockname()
    log = get_logger(__name__)
    running = server(app)
    with _signals_stop(running):
        log.info("serving", host=bound[0], port=bound[1])
        announce()
        if on_ready is not None:
            on_ready()
        running.run(sockets=[listener])
    log.info("stopped", host=bound[0], port=bound[1])


@contextmanager
def _signals_stop(running: uvicorn.Server) -> Iterator[None]:
    """Let a signal stop the server, and nothing else, from before it runs until it has ended.

    uvicorn listens to signals only while it runs, and raises the one that stopped it again once it
    is done: by default that would end the process before the caller has closed its stores.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        running.should_exit = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _unusable(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        why = f"{port} on {host} is taken by another program; stop it or serve on another port."
        return ConfigError("port", why)
    if error.errno == errno.EACCES:
        return ConfigError("port", f"{port} needs privileges; serve on a port from 1024 upwards.")
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError("host", f"{host} is not an address of this machine.")
    return ConfigError("port", f"{port} on {host} cannot be used: {error.strerror}.")
