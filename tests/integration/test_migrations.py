"""Every released version of the tables can be brought up and down with data in them."""

from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import uuid_utils
from tests.servers import Postgres

from bellwether.core.errors import StorageError
from bellwether.core.types import StoredPrediction
from bellwether.database import migrate as migrations
from bellwether.database.engine import connect
from bellwether.database.ledger import SqlLedger
from bellwether.database.partitions import bound, month_of
from bellwether.database.tables import predictions

RELEASED = migrations.versions()
NOW = datetime(2024, 1, 2, 21, tzinfo=UTC)


def keys() -> list[str]:
    """Keys made in several months, at the edges of them, now, and some that are no UUIDv7."""
    told = [
        datetime(2023, 11, 30, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(2023, 12, 1, tzinfo=UTC),
    ]
    told += [datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)]
    made = []
    for at in told:
        digits = f"{int(at.timestamp() * 1000):012x}"
        made.append(f"{digits[:8]}-{digits[8:]}-7abc-8def-0123456789ab")
    return [*made, str(uuid_utils.uuid7()), "odd", "zz", "00000000-0000-4000-8000-000000000000"]


def row(key: str) -> StoredPrediction:
    numbers = (10.1, 0.3, 1 / 3, 0.5)
    return StoredPrediction(
        key, NOW, "ABC", date(2024, 1, 2), 1, *numbers, "up", None, 2.0, "r1", "champion", "v@1",
        NOW, b"\x00\xff" * 8, "{}", None, "[]",
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'b.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


def write(engine: sa.Engine, told: list[str]) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(predictions), [asdict(row(k)) for k in told])


def stored(engine: sa.Engine) -> list[StoredPrediction]:
    query = sa.select(predictions)
    with engine.connect() as connection:
        found = [StoredPrediction(**r) for r in connection.execute(query).mappings()]
    return sorted(found, key=lambda p: p.prediction_id)


@pytest.mark.parametrize("version", RELEASED)
def test_data_of_a_released_version_goes_up_and_down_unchanged(url: str, version: str) -> None:
    told = keys()
    migrations.migrate(url, version)
    engine = connect(url)
    write(engine, told)
    before = stored(engine)

    migrations.migrate(url)
    newest = stored(engine)
    migrations.migrate(url, version)
    down = stored(engine)
    migrations.migrate(url)
    write(engine, ["added"])

    assert before == newest == down == sorted(map(row, told), key=lambda p: p.prediction_id)
    assert stored(engine) == sorted([*before, row("added")], key=lambda p: p.prediction_id)
    engine.dispose()


def test_ingestions_go_up_and_down_with_what_they_say(url: str) -> None:
    old = "0002"
    names = ("started_at", "finished_at", "watermark", "read", "added", "revised", "unchanged")
    values = {"ingestion_id": "i1", "source": "files", "rejected": 0, **dict.fromkeys(names, 1)}
    migrations.migrate(url, old)
    engine = connect(url)
    with engine.begin() as connection:
        columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        told = sa.text(f"INSERT INTO ingestions ({columns}) VALUES ({marks})")  # noqa: S608
        connection.execute(told, values)

    migrations.migrate(url)
    ledger = SqlLedger(engine)
    (before,) = ledger.ingestions()
    ledger.record_ingestion(replace(before, ingestion_id="i2", request='{"a": 1}', content="0f"))
    up = ledger.ingestions()
    migrations.migrate(url, old)
    with engine.connect() as connection:
        down = connection.execute(sa.text("SELECT * FROM ingestions")).mappings().all()
    migrations.migrate(url)

    assert (before.request, before.content) == ("{}", None)
    assert [(row.request, row.content) for row in up] == [("{}", None), ('{"a": 1}', "0f")]
    assert [len(row) for row in down] == [len(values) + 1] * 2
    assert [(row.request, row.content) for row in ledger.ingestions()] == [("{}", None)] * 2
    engine.dispose()


def test_the_oldest_version_can_be_taken_down_to_nothing(url: str) -> None:
    migrations.migrate(url)
    migrations.migrate(url, RELEASED[0])
    migrations.migrate(url, "base")

    engine = connect(url)
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()


def test_what_waited_in_the_rest_moves_into_its_month(postgres: Postgres) -> None:
    url = postgres.fresh()
    migrations.migrate(url)
    engine = connect(url)
    with engine.begin() as connection:
        month = month_of(str(uuid_utils.uuid7()))
        assert month is not None
        name = f"predictions_{month[0]:04d}_{month[1]:02d}"
        connection.exec_driver_sql(f"DROP TABLE {name}")
    key = str(uuid_utils.uuid7())
    write(engine, [key])

    migrations.migrate(url)

    with engine.connect() as connection:
        query = f"SELECT prediction_id FROM {name}"  # noqa: S608
        assert connection.exec_driver_sql(query).scalars().all() == [key]
    engine.dispose()


def test_a_failed_migration_changes_nothing(postgres: Postgres) -> None:
    url = postgres.fresh()
    migrations.migrate(url, "0001")
    engine = connect(url)
    write(engine, keys())
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE predictions_rest (x int)")

    with pytest.raises(StorageError):
        migrations.migrate(url)

    assert len(stored(engine)) == len(keys())
    with engine.connect() as connection:
        assert migrations.present(connection) == "0001"
    engine.dispose()


def test_bounds_are_the_first_instants_of_months() -> None:
    edge = datetime(2024, 2, 1, tzinfo=UTC)
    before, after = (
        f"{int(t.timestamp() * 1000):012x}" for t in (edge - timedelta(milliseconds=1), edge)
    )

    first = f"{after[:8]}-{after[8:]}-7000-8000-000000000000"
    last = f"{before[:8]}-{before[8:]}-7fff-bfff-ffffffffffff"

    assert last < bound(2024, 2) < first
    assert bound(2023, 14) == bound(2024, 2)
    assert (month_of(last), month_of(first)) == ((2024, 1), (2024, 2))
    assert month_of(replace(row("odd")).prediction_id) is None
