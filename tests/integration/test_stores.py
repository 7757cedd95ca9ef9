"""Releases, the prediction log and the ledger on real storage."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from bellwether.core.errors import MissingRecord, Overloaded, StorageError, TamperedArtifact
from bellwether.core.types import StoredPrediction
from bellwether.database.engine import connect, migrate, newest
from bellwether.database.predictions import SqlPredictionLog
from bellwether.database.tables import metadata
from bellwether.registry.folder import FolderReleases

NOW = datetime(2024, 1, 2, 21, 0, 0, 123456, tzinfo=UTC)
ONE = StoredPrediction(
    prediction_id="p-0",
    recorded_at=NOW,
    symbol="ABC",
    as_of=date(2024, 1, 2),
    horizon_sessions=1,
    last_price=10.1,
    expected_return=0.1 + 0.2,
    predicted_price=1 / 3,
    probability_up=0.5,
    direction="flat",
    interval_lower=None,
    interval_upper=2.0,
    release="r1",
    arm="champion",
    view="v@1",
    watermark=NOW,
    features=b"\x00\xff" * 8,
    request="{}",
    sentiment_score=None,
    degraded="[]",
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = connect(f"sqlite:///{tmp_path / 'b.db'}")
    migrate(made)
    yield made
    made.dispose()


def test_migrations_make_the_tables_the_code_sees(engine: sa.Engine) -> None:
    found = sa.inspect(engine)

    for name, table in metadata.tables.items():
        assert [c["name"] for c in found.get_columns(name)] == list(table.columns.keys())
    with engine.connect() as connection:
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    assert version == newest()
    migrate(engine)


def test_every_connection_syncs_fully(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_prediction_comes_back_bit_for_bit(engine: sa.Engine) -> None:
    log = SqlPredictionLog(engine)

    log.append(ONE).result(10)

    assert log.get("p-0") == ONE
    assert log.get("p-1") is None
    log.close()
    with pytest.raises(StorageError):
        log.append(ONE)


def test_one_bad_row_does_not_fail_its_batch(engine: sa.Engine) -> None:
    log = SqlPredictionLog(engine)
    log.append(ONE).result(10)
    rows = [replace(ONE, prediction_id=f"p-{i}") for i in range(200)]

    futures = [log.append(row) for row in rows]

    assert isinstance(futures[0].exception(10), StorageError)
    assert [f.exception(10) for f in futures[1:]] == [None] * 199
    assert log.count() == 200
    log.close()


def test_many_threads_lose_nothing(engine: sa.Engine) -> None:
    log = SqlPredictionLog(engine)

    def write(n: int) -> None:
        for i in range(50):
            log.append(replace(ONE, prediction_id=f"t{n}-{i}")).result(30)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert log.count() == 400
    log.close()


def test_a_full_queue_says_so(engine: sa.Engine) -> None:
    log = SqlPredictionLog(engine, capacity=0)

    with pytest.raises(Overloaded):
        log.append(ONE)


def test_a_release_is_named_by_its_content(tmp_path: Path) -> None:
    store = FolderReleases(tmp_path)

    first = store.save({"a": b"1"}, {"model": "x"})
    again = store.save({"a": b"1"}, {"model": "x"})
    other = store.save({"a": b"2"}, {"model": "x"})

    assert first == again != other
    assert store.ids() == sorted([first, other])
    assert store.load(first).files == {"a": b"1"}


@pytest.mark.parametrize("name", ["a", "manifest.json"])
def test_a_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    store = FolderReleases(tmp_path)
    release = store.save({"a": b"1"}, {"model": "x"})
    (tmp_path / release / name).write_bytes(b"{}")

    with pytest.raises(TamperedArtifact, match=name):
        store.load(release)


@pytest.mark.parametrize("name", ["nothing", "../etc", ""])
def test_a_release_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingRecord):
        FolderReleases(tmp_path).load(name)
