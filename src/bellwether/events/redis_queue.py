"""Requests that wait for a worker, in a Redis stream; as durable as that Redis writes its file.

All keys share a slot. Every step is one Lua script, so that a crash of anybody leaves a request
in exactly one place:

    bw:{requests}:stream   fields id and body, one entry a request, until it is done or buried
    bw:{requests}:state    request id -> its entry in the stream
    bw:{requests}:dead     request id, scored by the microsecond it was given up
    bw:{requests}:bodies   request id -> body of a dead letter
    bw:{requests}:reasons  request id -> why it died
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from bellwether.core.errors import Overloaded
from bellwether.core.types import DeadLetter, QueueCounts, QueuedRequest
from bellwether.events import queue_scripts as scripts
from bellwether.links.redis import RedisLink
from bellwether.telemetry import (
    QUEUE_DEAD,
    QUEUE_DONE,
    QUEUE_LENGTH,
    QUEUE_REDELIVERED,
    QUEUE_REFUSED,
    QUEUE_REVIVED,
    QUEUE_SUBMITTED,
    QUEUE_TAKEN,
)

NAME = "request queue"
GROUP = b"workers"
STREAM, STATE, DEAD, BODIES, REASONS = KEYS = tuple(
    b"bw:{requests}:" + part for part in (b"stream", b"state", b"dead", b"bodies", b"reasons")
)
LOOK_AGAIN_S = 1.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RedisRequestQueue:
    """The RequestQueue port over a Redis stream and one consumer group.

    Parameters
    ----------
    link
        The Redis that keeps the requests.
    capacity
        Requests that may be in the queue, taken ones included.
    visibility_s
        Seconds after which a request that was taken and is neither done nor buried goes to the
        next worker; longer than any answer takes.
    monotonic
        Seconds that only grow.
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        capacity: int = 10_000,
        visibility_s: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._capacity = capacity
        self._visible_ms = max(1, round(visibility_s * 1000))
        self._look_again_s = min(visibility_s, LOOK_AGAIN_S)
        self._vanished_s = 2 * visibility_s
        self._monotonic = monotonic
        self._swept = monotonic()

    def submit(self, request_id: str, body: bytes) -> None:
        """Keep a request; one that is in the queue already, or dead, stays as it is.

        Raises
        ------
        Overloaded
            If the queue is full.
        """
        reply = self._run(scripts.SUBMIT, request_id.encode(), body, self._capacity)
        if reply < 0:
            QUEUE_REFUSED.inc()
            raise Overloaded(NAME, -reply)
        QUEUE_SUBMITTED.inc(reply)

    def take(self, consumer: str, limit: int, wait_s: float) -> list[QueuedRequest]:
        """Take up to `limit` requests; wait up to `wait_s` seconds for the first."""
        if limit < 1:
            return []
        until = self._monotonic() + wait_s
        self._sweep()
        while True:
            found = self._take(consumer, limit)
            rest_s = until - self._monotonic()
            if found or rest_s <= 0:
                return found
            # In slices, because what others left behind makes no sound when its time has come.
            found = self._wait(consumer, limit, min(rest_s, self._look_again_s))
            if found:
                return found

    def _take(self, consumer: str, limit: int) -> list[QueuedRequest]:
        rows = self._run(scripts.TAKE, GROUP, consumer.encode(), self._visible_ms, limit)
        return _taken(rows)

    def _wait(self, consumer: str, limit: int, wait_s: float) -> list[QueuedRequest]:
        milliseconds = max(1, round(wait_s * 1000))
        command = ["XREADGROUP", "GROUP", GROUP, consumer, "COUNT", limit, "BLOCK", milliseconds]
        with self._link.guard():
            pool = self._link.pool(STREAM)
            connection: Any = pool.get_connection()
            try:
                connection.send_command(*command, "STREAMS", STREAM, ">")
                reply = connection.read_response(timeout=wait_s + self._link.timeout_s)
            except redis.ResponseError as error:
                if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    raise
                reply = None  # flushed meanwhile: the next look makes the group anew
            finally:
                pool.release(connection)
        entries = (reply or {}).get(STREAM, [])
        return _taken([_new(entry, fields) for entry, fields in entries])

    def done(self, request: QueuedRequest) -> None:
        """Take an answered request off the queue."""
        reply = self._run(scripts.DONE, request.request_id.encode(), request.token.encode(), GROUP)
        QUEUE_DONE.inc(reply)

    def bury(self, request: QueuedRequest, why: str, now: datetime) -> None:
        """Give a request up: it becomes a dead letter and is not delivered again."""
        micros = (now - _EPOCH) // timedelta(microseconds=1)
        ids = request.request_id.encode(), request.token.encode()
        reply = self._run(scripts.BURY, *ids, GROUP, request.body, why.encode(), micros)
        QUEUE_DEAD.inc(reply)

    def is_waiting(self, request_id: str) -> bool:
        """Say whether a request waits or is being worked on."""
        with self._link.guard():
            return bool(self._link.client().hexists(STATE, request_id))

    def dead(self, request_id: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """Return dead letters, newest first, or the one of `request_id`."""
        if request_id is not None:
            rows = self._run(scripts.DEAD_ONE, request_id.encode())
        else:
            rows = self._run(scripts.DEAD_NEWEST, limit) if limit > 0 else []
        return [
            DeadLetter(
                name.decode(), body, why.decode(), _EPOCH + timedelta(microseconds=int(micros))
            )
            for name, body, why, micros in rows
        ]

    def revive(self, request_id: str) -> bool:
        """Put a dead letter back into the queue, full or not; False if there is none."""
        reply = self._run(scripts.REVIVE, request_id.encode())
        QUEUE_REVIVED.inc(reply)
        return bool(reply)

    def counts(self) -> QueueCounts:
        """Count."""
        length, taken, dead = self._run(scripts.COUNT, GROUP)
        waiting = max(0, length - taken)
        for state, number in (("waiting", waiting), ("taken", taken), ("dead", dead)):
            QUEUE_LENGTH.labels(state).set(number)
        return QueueCounts(waiting, taken, dead)

    def _sweep(self) -> None:
        """Forget consumers that vanished; a live one that is forgotten comes back by asking."""
        if self._monotonic() - self._swept >= self._vanished_s:
            self._swept = self._monotonic()
            self._run(scripts.SWEEP, GROUP, round(self._vanished_s * 1000))

    def _run(self, script: Any, *values: bytes | float) -> Any:
        with self._link.guard():
            return self._link.run(script, KEYS, *values)


def _new(entry: bytes, fields: list[bytes]) -> tuple[bytes, bytes, bytes, int]:
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    return entry, named.get(b"id", entry), named.get(b"body", b""), 1


def _taken(rows: list[Any]) -> list[QueuedRequest]:
    found = [
        QueuedRequest(name.decode(errors="replace"), body, deliveries, entry.decode())
        for entry, name, body, deliveries in rows
    ]
    QUEUE_TAKEN.inc(len(found))
    QUEUE_REDELIVERED.inc(sum(request.deliveries > 1 for request in found))
    return found
