"""Messages between processes, over Redis publish and subscribe."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis
from redis.backoff import EqualJitterBackoff

from bellwether.events.listeners import Listener
from bellwether.links.redis import AWAY, OTHER, RedisLink
from bellwether.telemetry import (
    EVENTS_CONNECTED,
    EVENTS_LINKS_LOST,
    EVENTS_PUBLISHED,
    get_logger,
)

PING_S = 1.0
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 2.0
PREFIX = b"bw:"
_LOG = get_logger(__name__)


class RedisBus:
    """The EventBus port over Redis.

    One thread listens, on a connection of its own, and one message at a time. A server from which
    nothing has come for `ping_s` seconds is pinged, and lost if it stays silent as long again. A
    lost connection is made anew after a wait that doubles, up to two seconds, with jitter.

    In a cluster a plain PUBLISH reaches every node, so listening to any one of them is enough;
    invalidations are few and small, and sharded channels would need a connection to each shard.

    Parameters
    ----------
    link
        The Redis that carries the messages.
    ping_s
        Seconds of silence after which the server is asked for a sign of life.
    """

    def __init__(self, link: RedisLink, *, ping_s: float = PING_S) -> None:
        self._link = link
        self._ping_s = ping_s
        self._changing = threading.Lock()
        self._listeners: dict[bytes, list[Listener]] = {}
        self._connection: Any = None  # the library types its commands, not its connections
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send `payload` to all subscribers of `topic`, in every process.

        Raises
        ------
        Unavailable
            If Redis is away.
        """
        with self._link.guard():
            self._link.client().publish(_channel(topic), payload)
        EVENTS_PUBLISHED.labels(topic).inc()

    def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_link: Callable[[bool], None]
    ) -> None:
        """Call `on_message` for each message from now on, from the bus's thread.

        `on_link(True)` comes once the server has confirmed the subscription.
        """
        channel = _channel(topic)
        with self._changing:
            self._listeners.setdefault(channel, []).append(Listener(topic, on_message, on_link))
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="event bus", daemon=True)
                self._thread.start()
            if self._connection is not None:
                with suppress(*AWAY):  # the thread will notice, and subscribe to all anew
                    _send(self._connection, "SUBSCRIBE", channel)

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        with self._changing:
            if self._connection is not None:
                self._connection.disconnect()  # which ends the thread's wait for a message
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(self._link.timeout_s * 4)

    def _run(self) -> None:
        backoff = EqualJitterBackoff(cap=LONGEST_WAIT_S, base=FIRST_WAIT_S)
        failures = 0
        EVENTS_CONNECTED.set(0)
        while not self._closed.is_set():
            why = self._listen_until_lost()
            if self._closed.is_set():
                break
            lost = self._lose()
            failures = 0 if lost else failures + 1
            if lost or failures == 1:
                _LOG.warning("event_bus_away", why=why)
            self._closed.wait(backoff.compute(failures))

    def _listen_until_lost(self) -> str:
        """Connect and listen; return what ended it."""
        try:
            self._listen()
        except (*AWAY, *OTHER) as error:
            return str(error) or type(error).__name__
        except Exception as error:  # noqa: BLE001 - the thread must not end before the bus does
            _LOG.exception("event_bus_failed")
            return type(error).__name__
        finally:
            with self._changing:
                connection, self._connection = self._connection, None
            if connection is not None:
                connection.disconnect()
        return "closed"

    def _listen(self) -> None:
        connection = self._link.own_connection(PREFIX)
        connection.connect()
        with self._changing:
            self._connection = connection
            _send(connection, "SUBSCRIBE", *self._listeners)
        asked = False
        while not self._closed.is_set():
            try:
                message = connection.read_response(
                    timeout=self._ping_s, disconnect_on_error=False, push_request=True
                )
            except redis.TimeoutError:
                if asked:
                    raise
                with self._changing:
                    _send(connection, "PING")
                asked = True
                continue
            asked = False
            if isinstance(message, list):  # not the answer to a ping
                self._hand_over(message)

    def _hand_over(self, message: list[Any]) -> None:
        kind, channel, payload = message
        with self._changing:
            listeners = tuple(self._listeners.get(channel, ()))
        if kind == b"subscribe":
            EVENTS_CONNECTED.set(1)
        for listener in listeners:
            if kind == b"subscribe":
                listener.link(up=True)
            elif kind == b"message" and listener.linked:
                listener.hear(payload)

    def _lose(self) -> bool:
        """Tell all listeners that the connection is gone; return whether there was one."""
        EVENTS_CONNECTED.set(0)
        with self._changing:
            linked = [one for some in self._listeners.values() for one in some if one.linked]
        for listener in linked:
            listener.link(up=False)
        EVENTS_LINKS_LOST.inc(bool(linked))
        return bool(linked)


def _channel(topic: str) -> bytes:
    return PREFIX + topic.encode()


def _send(connection: Any, *command: str | bytes) -> None:
    connection.send_command(*command, check_health=False)
