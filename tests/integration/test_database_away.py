"""PostgreSQL is killed, frozen and brought back while predictions are written."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace

import pytest
import sqlalchemy as sa
import uuid_utils
from tests import servers
from tests.contract.test_database import ONE
from tests.waiting import until

from bellwether.core.errors import StorageError, Unavailable
from bellwether.database.engine import connect
from bellwether.database.ledger import SqlLedger
from bellwether.database.migrate import migrate
from bellwether.database.predictions import SqlPredictionLog

DEADLINE_S = 1.5


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Postgres]:
    with servers.postgres(durable=True) as running:
        yield running


@pytest.fixture
def engine(server: servers.Postgres) -> Iterator[sa.Engine]:
    if not server.answers():
        server.start()  # a test that failed left it dead
    url = server.fresh()
    migrate(url)
    made = connect(url, deadline_s=DEADLINE_S)
    yield made
    made.dispose()


@pytest.fixture
def log(engine: sa.Engine) -> Iterator[SqlPredictionLog]:
    made = SqlPredictionLog(engine, deadline_s=DEADLINE_S)
    yield made
    made.close()


class Writers:
    """Threads that write until stopped, and what became of each row."""

    def __init__(self, log: SqlPredictionLog, n: int = 4) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[tuple[float, StorageError]] = []
        self._log = log
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(n)]
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        while not self._stop.is_set():
            key = str(uuid_utils.uuid7())
            begun = time.monotonic()
            try:
                self._log.append(replace(ONE, prediction_id=key)).result(30)
            except StorageError as error:
                self.refused.append((time.monotonic() - begun, error))
                self._stop.wait(0.001)
            else:
                self.acknowledged.append(key)

    def more(self, n: int = 50) -> None:
        wanted = len(self.acknowledged) + n
        until(lambda: len(self.acknowledged) >= wanted, f"{n} more rows")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def stored(log: SqlPredictionLog) -> set[str]:
    until(lambda: _answers(log), "the database")
    return {p.prediction_id for p in log.recent(10**6)}


def test_a_short_absence_costs_only_time(server: servers.Postgres, engine: sa.Engine) -> None:
    log = SqlPredictionLog(engine, deadline_s=30)
    writers = Writers(log)
    for _ in range(3):
        writers.more()
        server.kill()
        server.start()
    writers.more()
    writers.stop()

    assert writers.refused == []
    assert set(writers.acknowledged) <= stored(log)
    log.close()
    assert len(writers.acknowledged) == len(set(writers.acknowledged))


def test_a_long_absence_is_told_at_once_and_ends_by_itself(
    server: servers.Postgres, log: SqlPredictionLog
) -> None:
    writers = Writers(log)
    writers.more()
    server.kill()
    until(lambda: len(writers.refused) > 200, "refusals")
    with pytest.raises(Unavailable):
        log.ping()
    server.start()
    writers.more()
    writers.stop()

    waits = [wait for wait, _ in writers.refused]
    assert all(isinstance(error, Unavailable) for _, error in writers.refused)
    assert max(waits) < DEADLINE_S + 3
    assert sorted(waits)[len(waits) // 2] < 0.05
    assert set(writers.acknowledged) <= stored(log)
    log.ping()


def test_a_frozen_server_is_not_waited_for(
    server: servers.Postgres, engine: sa.Engine, log: SqlPredictionLog
) -> None:
    log.append(ONE).result(10)
    ledger = SqlLedger(engine)
    ledger.runs()
    server.pause()
    try:
        begun = time.monotonic()
        waiting = log.append(replace(ONE, prediction_id=str(uuid_utils.uuid7())))
        with pytest.raises(Unavailable):
            ledger.runs()
        error = waiting.exception(30)
        took = time.monotonic() - begun
    finally:
        server.resume()

    assert isinstance(error, Unavailable)
    assert took < 4 * DEADLINE_S + 4
    until(lambda: not isinstance(_tried(log), Unavailable), "recovery")
    assert ledger.runs() == []


def test_a_commit_nobody_heard_of_is_not_made_twice(
    engine: sa.Engine, log: SqlPredictionLog
) -> None:
    """The server commits and freezes before it answers: the row is there, and nobody was told."""
    key = str(uuid_utils.uuid7())
    log.append(ONE).result(10)
    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        done = log.append(replace(ONE, prediction_id=key))
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

        def blocked() -> bool:
            with engine.connect() as watcher:
                return bool(watcher.exec_driver_sql(query).scalar())

        until(blocked, "the writer to wait for the table")
        insert = f"INSERT INTO predictions SELECT '{key}', recorded_at, symbol, as_of, horizon_sessions, last_price, expected_return, predicted_price, probability_up, direction, interval_lower, interval_upper, release, arm, view, watermark, features, request, sentiment_score, degraded FROM predictions LIMIT 1"  # noqa: S608
        connection.exec_driver_sql(insert)
        kill = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        )
        connection.exec_driver_sql(kill)

    done.result(10)

    assert len([p for p in log.recent(10) if p.prediction_id == key]) == 1


def test_a_pool_outlives_its_server(server: servers.Postgres, engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    ledger.runs()
    server.kill()
    until(lambda: not _reads(ledger), "the pool to notice")
    server.start()

    assert ledger.runs() == []


def test_closing_while_the_server_is_away_ends(server: servers.Postgres, engine: sa.Engine) -> None:
    log = SqlPredictionLog(engine, deadline_s=0.5)
    log.append(ONE).result(10)
    server.kill()
    waiting: list[Future[None]] = [
        log.append(replace(ONE, prediction_id=f"x{i}")) for i in range(5)
    ]
    log.close()
    server.start()

    assert all(isinstance(f.exception(1), Unavailable) for f in waiting)


def _answers(log: SqlPredictionLog) -> bool:
    try:
        log.ping()
    except Unavailable:
        return False
    return True


def _reads(ledger: SqlLedger) -> bool:
    try:
        ledger.runs()
    except Unavailable:
        return False
    return True


def _tried(log: SqlPredictionLog) -> Exception | None:
    try:
        log.append(replace(ONE, prediction_id=str(uuid_utils.uuid7()))).result(30)
    except StorageError as error:
        return error
    return None
