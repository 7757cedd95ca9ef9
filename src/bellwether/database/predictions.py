"""The prediction log: one writer, natural group commit, durable before acknowledged."""

import queue
import threading
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from bellwether.core.errors import Overloaded, StorageError
from bellwether.core.types import StoredPrediction
from bellwether.database.tables import predictions
from bellwether.telemetry import GROUP_COMMIT_ROWS, GROUP_COMMIT_SECONDS, LOG_QUEUE_LENGTH

Waiting = tuple[StoredPrediction, "Future[None]"]
CAPACITY = 10_000


class SqlPredictionLog:
    """The PredictionLog port. What queued up during one commit goes into the next.

    There is no timer: a lone prediction is written at once, and under load a commit carries as
    many as came in while the disk was busy.
    """

    def __init__(self, engine: sa.Engine, capacity: int = CAPACITY) -> None:
        self._engine = engine
        self._capacity = capacity
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._insert = sa.insert(predictions)
        self._thread = threading.Thread(target=self._work, name="prediction-log", daemon=True)
        self._start = threading.Lock()
        self._closed = False

    def append(self, prediction: StoredPrediction) -> Future[None]:
        """Queue `prediction`; the future is done once it is on disk, or carries the error."""
        if self._closed:
            raise StorageError("prediction log", "it is closed")
        waiting = self._queue.qsize()
        if waiting >= self._capacity:
            raise Overloaded("prediction log", waiting)
        if not self._thread.is_alive():
            with self._start:
                if not self._thread.is_alive():
                    self._thread.start()
        done: Future[None] = Future()
        self._queue.put((prediction, done))
        return done

    def get(self, prediction_id: str) -> StoredPrediction | None:
        """Return a stored prediction, or None."""
        found = self._select(
            sa.select(predictions).where(predictions.c.prediction_id == prediction_id)
        )
        return found[0] if found else None

    def recent(self, limit: int) -> list[StoredPrediction]:
        """Return the newest `limit` predictions, newest first."""
        newest = predictions.c.prediction_id.desc()
        return self._select(sa.select(predictions).order_by(newest).limit(limit))

    def count(self) -> int:
        """Count the stored predictions."""
        try:
            with self._engine.connect() as connection:
                query = sa.select(sa.func.count()).select_from(predictions)
                return int(connection.execute(query).scalar_one())
        except DBAPIError as error:
            raise StorageError("prediction log", str(error.orig)) from error

    def close(self) -> None:
        """Write what waits and stop."""
        self._closed = True
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _select(self, query: sa.Select[Any]) -> list[StoredPrediction]:
        try:
            with self._engine.connect() as connection:
                return [StoredPrediction(**row) for row in connection.execute(query).mappings()]
        except DBAPIError as error:
            raise StorageError("prediction log", str(error.orig)) from error

    def _work(self) -> None:
        going = True
        while going:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            going = None not in batch
            waiting = [item for item in batch if item is not None]
            if waiting:
                self._commit(waiting)

    def _commit(self, batch: list[Waiting]) -> None:
        GROUP_COMMIT_ROWS.observe(len(batch))
        LOG_QUEUE_LENGTH.set(self._queue.qsize())
        try:
            with GROUP_COMMIT_SECONDS.time(), self._engine.begin() as connection:
                connection.execute(self._insert, [asdict(p) for p, _ in batch])
        except IntegrityError as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for one in batch:  # one bad row must not take its companions with it
                self._commit([one])
        except SQLAlchemyError as error:
            _fail(batch, error)
        else:
            for _, done in batch:
                done.set_result(None)


def _fail(batch: list[Waiting], error: SQLAlchemyError) -> None:
    why = str(getattr(error, "orig", error))
    for _, done in batch:
        done.set_exception(StorageError("prediction log", f"not stored: {why}"))
