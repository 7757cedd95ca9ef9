"""The prediction log: one writer, natural group commit, durable before acknowledged."""

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bellwether.core.errors import Overloaded, StorageError, Unavailable
from bellwether.core.types import StoredPrediction
from bellwether.database.engine import fault
from bellwether.database.tables import predictions
from bellwether.database.writers import BadRow, Row, Writer, row_of, writer_for
from bellwether.telemetry import (
    BREAKER_STATE,
    GROUP_COMMIT_ROWS,
    GROUP_COMMIT_SECONDS,
    LOG_COMMIT_RETRIES,
    LOG_QUEUE_LENGTH,
    LOG_RECOVERY_SECONDS,
    LOG_REFUSED,
    LOG_ROWS,
    get_logger,
)

CAPACITY = 10_000
DEADLINE_S = 5.0
PROBE_S = 0.05
PROBE_MOST_S = 0.25
MOST_ROWS = 2_000
LAST = chr(0x10FFFF)


class _Waiting:
    """A row on its way to the disk, who waits for it, and until when."""

    __slots__ = ("expires", "row", "waiter")

    def __init__(self, row: Row, waiter: Any, expires: float) -> None:
        self.row = row
        self.waiter = waiter
        self.expires = expires


FORECASTS: dict[str, Any] = {
    "prediction_id": pl.String,
    "recorded_at": pl.Datetime("us", "UTC"),
    "symbol": pl.String,
    "as_of": pl.Date,
    "expected_return": pl.Float64,
    "probability_up": pl.Float64,
    "direction": pl.String,
    "release": pl.String,
    "arm": pl.String,
    "degraded": pl.String,
}


class SqlPredictionLog:
    """The PredictionLog port. What queued up during one commit goes into the next.

    There is no timer: a lone prediction is written at once, and under load a commit carries as
    many as came in while the disk was busy. When the database goes away, rows wait up to
    `deadline_s` for it to come back; once one has waited that long, all are refused at once until
    a probe finds the database again.
    """

    def __init__(
        self, engine: sa.Engine, capacity: int = CAPACITY, deadline_s: float = DEADLINE_S
    ) -> None:
        self._engine = engine
        self._writer: Writer = writer_for(engine, deadline_s)
        self._capacity = capacity
        self._deadline_s = deadline_s
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="prediction-log", daemon=True)
        self._start = threading.Lock()
        self._closed = threading.Event()
        self._refusing = ""

    def append(self, prediction: StoredPrediction) -> Future[None]:
        """Queue `prediction`; the future is done once it is on disk, or carries the error."""
        done: Future[None] = Future()
        self._take(prediction, done)
        return done

    def enlist(self, prediction: StoredPrediction) -> "asyncio.Future[None]":
        """Do as `append` does, with a future of the running event loop."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._take(prediction, done)
        return done

    def _take(self, prediction: StoredPrediction, done: Any) -> None:
        if self._closed.is_set():
            LOG_REFUSED.labels("closed").inc()
            raise StorageError("prediction log", "it is closed")
        if self._refusing:
            LOG_REFUSED.labels("unavailable").inc()
            raise Unavailable("database", self._refusing)
        waiting = self._queue.qsize()
        if waiting >= self._capacity:
            LOG_REFUSED.labels("overloaded").inc()
            raise Overloaded("prediction log", waiting)
        if not self._thread.is_alive():
            with self._start:
                if not self._thread.is_alive():
                    self._thread.start()
        self._queue.put(_Waiting(row_of(prediction), done, time.monotonic() + self._deadline_s))

    def get(self, prediction_id: str) -> StoredPrediction | None:
        """Return a stored prediction, or None."""
        found = self._select(
            sa.select(predictions).where(predictions.c.prediction_id == prediction_id)
        )
        return found[0] if found else None

    def beginning(self, prefix: str, limit: int) -> list[str]:
        """Return the ids of up to `limit` predictions that begin with `prefix`, in order."""
        key = predictions.c.prediction_id
        span = (key >= prefix) & (key < prefix + LAST)  # a range of the key, in both databases
        query = sa.select(key).where(span).order_by(key).limit(limit)
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query).scalars())
        except SQLAlchemyError as error:
            raise fault(error) from error

    def recent(self, limit: int) -> list[StoredPrediction]:
        """Return the newest `limit` predictions, newest first."""
        newest = predictions.c.prediction_id.desc()
        return self._select(sa.select(predictions).order_by(newest).limit(limit))

    def forecasts(
        self, horizon_sessions: int, symbols: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Return what was predicted over a horizon, in the order it was made."""
        columns = [predictions.c[name] for name in FORECASTS]
        query = sa.select(*columns).where(predictions.c.horizon_sessions == horizon_sessions)
        if symbols is not None:
            query = query.where(predictions.c.symbol.in_(list(symbols)))
        ordered = query.order_by(predictions.c.recorded_at, predictions.c.prediction_id)
        try:
            with self._engine.connect() as connection:
                rows = [tuple(row) for row in connection.execute(ordered)]
        except SQLAlchemyError as error:
            raise fault(error) from error
        frame = pl.DataFrame(rows, schema=FORECASTS, orient="row")
        return frame.rename({"as_of": "session"})

    def count(self) -> int:
        """Count the stored predictions."""
        return int(self._ask(sa.select(sa.func.count()).select_from(predictions)))

    def ping(self) -> None:
        """Ask the database for a sign of life."""
        if self._refusing:
            raise Unavailable("database", self._refusing)
        self._ask(sa.select(1))

    def close(self) -> None:
        """Write what waits and stop."""
        self._closed.set()
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _ask(self, query: sa.Select[Any]) -> Any:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).scalar_one()
        except SQLAlchemyError as error:
            raise fault(error) from error

    def _select(self, query: sa.Select[Any]) -> list[StoredPrediction]:
        try:
            with self._engine.connect() as connection:
                return [StoredPrediction(**row) for row in connection.execute(query).mappings()]
        except SQLAlchemyError as error:
            raise fault(error) from error

    def _work(self) -> None:
        while not (self._closed.is_set() and self._queue.empty()):
            first = self._queue.get()
            batch = self._drained([] if first is None else [first])
            try:
                self._commit(batch)
            except Exception as error:  # noqa: BLE001 - those who wait must hear of it, whatever it is
                get_logger(__name__).exception("commit_failed")
                _settle(batch, StorageError("prediction log", f"not stored: {error}"))
        self._writer.close()

    def _drained(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Add what waits to `batch`."""
        while len(batch) < MOST_ROWS:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is not None:  # the end, which `_closed` tells as well
                batch.append(item)
        return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        while batch:
            GROUP_COMMIT_ROWS.observe(len(batch))
            LOG_QUEUE_LENGTH.set(self._queue.qsize())
            try:
                with GROUP_COMMIT_SECONDS.time():
                    self._writer.write([w.row for w in batch])
            except BadRow as error:
                if len(batch) > 1:  # one bad row must not take its companions with it
                    for one in batch:
                        self._commit([one])
                else:
                    LOG_REFUSED.labels("bad_row").inc()
                    _settle(batch, error)
                return
            except Unavailable as error:
                batch = self._outlast(batch, error)
            except StorageError as error:
                _settle(batch, error)
                return
            else:
                LOG_ROWS.inc(len(batch))
                _settle(batch, None)
                return

    def _outlast(self, batch: list[_Waiting], lost: Unavailable) -> list[_Waiting]:
        """Wait until the database is back; return what is still to be written then.

        Rows whose deadline passes are refused. A commit that was under way when the connection
        broke may have happened: what is found on disk is acknowledged and not written again.
        """
        begun, pause = time.monotonic(), 0.0
        get_logger(__name__).warning("database_away", why=lost.why, rows_waiting=len(batch))
        BREAKER_STATE.labels("database").set(2)
        while True:
            batch = self._refuse_expired(batch, lost)
            if self._closed.is_set() and not batch:
                return []
            time.sleep(pause)
            pause = min(max(pause * 2, PROBE_S), PROBE_MOST_S)
            LOG_COMMIT_RETRIES.inc()
            try:
                there = self._writer.present([w.row[0] for w in batch])
            except StorageError:
                continue
            break
        self._refusing = ""
        BREAKER_STATE.labels("database").set(0)
        LOG_RECOVERY_SECONDS.observe(time.monotonic() - begun)
        get_logger(__name__).warning("database_back", away_s=round(time.monotonic() - begun, 3))
        _settle([w for w in batch if w.row[0] in there], None)
        return [w for w in batch if w.row[0] not in there]

    def _refuse_expired(self, batch: list[_Waiting], lost: Unavailable) -> list[_Waiting]:
        batch = self._drained(batch)
        now = time.monotonic()
        expired = [w for w in batch if w.expires <= now]
        if expired:
            self._refusing = lost.why
            LOG_REFUSED.labels("unavailable").inc(len(expired))
            _settle(expired, Unavailable("database", lost.why))
        return [w for w in batch if w.expires > now]


def _settle(batch: list[_Waiting], error: StorageError | None) -> None:
    """Tell all who wait; those of one event loop are woken together."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiting in batch:
        if isinstance(waiting.waiter, Future):
            _wake([waiting.waiter], error)
        else:
            loops.setdefault(waiting.waiter.get_loop(), []).append(waiting.waiter)
    for loop, waiters in loops.items():
        try:
            loop.call_soon_threadsafe(_wake, waiters, error)
        except RuntimeError:
            continue  # the loop has ended, and nobody waits


def _wake(waiters: list[Any], error: StorageError | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
