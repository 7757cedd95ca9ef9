"""The prediction log and the ledger say the same on SQLite and on PostgreSQL."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import uuid_utils
from tests.fakes import MemoryLedger
from tests.servers import Postgres

from bellwether.core.errors import ConfigError, Overloaded, StorageError, Unavailable
from bellwether.core.ports import (
    AuditRow,
    BacktestRow,
    IngestionRow,
    Ledger,
    MaterialisationRow,
    QualityRow,
    ReleaseRow,
    RepairRow,
    RetrainingRow,
    RunRow,
    StandingRow,
    TrialRow,
)
from bellwether.core.types import StoredPrediction
from bellwether.database.engine import connect
from bellwether.database.ledger import SqlLedger
from bellwether.database.migrate import migrate, newest, present
from bellwether.database.predictions import SqlPredictionLog
from bellwether.database.tables import metadata

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
RUN = RunRow("run-1", "key", NOW, NOW + timedelta(minutes=1), NOW, "{}", '{"a": 1}')


def named(i: int) -> StoredPrediction:
    return replace(ONE, prediction_id=f"p-{i}")


def address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'b.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return address(request.param, request, tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    migrate(url)
    made = connect(url)
    yield made
    made.dispose()


@pytest.fixture
def log(engine: sa.Engine) -> Iterator[SqlPredictionLog]:
    made = SqlPredictionLog(engine)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    place = address(request.param, request, tmp_path)
    migrate(place)
    made = connect(place)
    yield SqlLedger(made)
    made.dispose()


def test_migrations_make_the_tables_the_code_sees(url: str, engine: sa.Engine) -> None:
    found = sa.inspect(engine)

    for name, table in metadata.tables.items():
        assert [c["name"] for c in found.get_columns(name)] == list(table.columns.keys())
    with engine.connect() as connection:
        assert present(connection) == newest()
    migrate(url)


def test_processes_that_migrate_at_once_do_it_once(url: str) -> None:
    threads = [threading.Thread(target=migrate, args=(url,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    made = connect(url)
    with made.connect() as connection:
        assert present(connection) == newest()
    made.dispose()


def test_a_prediction_comes_back_bit_for_bit(log: SqlPredictionLog) -> None:
    log.append(ONE).result(10)

    assert log.get("p-0") == ONE
    assert log.get("p-1") is None
    assert log.get("") is None
    log.close()
    with pytest.raises(StorageError):
        log.append(ONE)


def test_a_batch_comes_back_bit_for_bit(log: SqlPredictionLog) -> None:
    rows = [
        replace(ONE, prediction_id=f"{i:04d}", last_price=i / 7, request='{"é": "\\n\t𝄞"}')
        for i in range(500)
    ]

    for future in [log.append(row) for row in rows]:
        future.result(10)

    assert log.recent(500) == rows[::-1]
    assert log.recent(3) == rows[:-4:-1]


def test_extreme_numbers_come_back(log: SqlPredictionLog) -> None:
    odd = [0.0, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf")]
    rows = [replace(named(i), last_price=x) for i, x in enumerate(odd)]

    for future in [log.append(row) for row in rows]:
        future.result(10)

    assert [repr(p.last_price) for p in reversed(log.recent(10))] == [repr(x) for x in odd]


def test_one_bad_row_does_not_fail_its_batch(log: SqlPredictionLog) -> None:
    log.append(ONE).result(10)

    futures = [log.append(named(i)) for i in range(200)]

    assert isinstance(futures[0].exception(10), StorageError)
    assert [f.exception(10) for f in futures[1:]] == [None] * 199
    assert log.count() == 200


def test_a_row_the_table_refuses_is_told_why(log: SqlPredictionLog) -> None:
    broken = replace(ONE, symbol=None)  # type: ignore[arg-type]

    assert "not stored" in str(log.append(broken).exception(10))
    log.append(ONE).result(10)


def test_many_threads_lose_nothing(log: SqlPredictionLog) -> None:
    def write(n: int) -> None:
        for i in range(50):
            log.append(replace(ONE, prediction_id=f"t{n}-{i}")).result(30)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert log.count() == 400


def test_callers_on_an_event_loop_are_woken_together(log: SqlPredictionLog) -> None:
    async def many() -> list[object]:
        waits = [log.enlist(named(i)) for i in range(300)]
        waits[7].cancel()
        return await asyncio.gather(*waits, log.enlist(ONE), return_exceptions=True)

    said = asyncio.run(many())

    assert isinstance(said[7], asyncio.CancelledError)
    assert isinstance(said[300], StorageError)
    assert [e for i, e in enumerate(said) if i not in (7, 300)] == [None] * 299
    assert log.count() == 300


def test_a_full_queue_says_so(engine: sa.Engine) -> None:
    log = SqlPredictionLog(engine, capacity=0)

    with pytest.raises(Overloaded):
        log.append(ONE)


def test_closing_writes_what_waits(engine: sa.Engine) -> None:
    log = SqlPredictionLog(engine)

    futures = [log.append(named(i)) for i in range(1000)]
    log.close()

    assert all(f.done() and f.exception() is None for f in futures)
    assert log.count() == 1000


def test_an_ingestion_comes_back(ledger: Ledger) -> None:
    row = IngestionRow("i1", "files", NOW, NOW, NOW, 2**40, 1, 2, 3, 4, date(2024, 1, 2))

    ledger.record_ingestion(row)
    more = {"request": '{"path": "é.csv", "symbols": ["A"]}', "content": "0f" * 32}
    full = replace(row, ingestion_id="i2", last_session=None, **more)
    ledger.record_ingestion(full)

    assert ledger.ingestions() == [row, full]
    assert (row.request, row.content) == ("{}", None)


def test_ids_are_found_by_their_beginning(log: SqlPredictionLog) -> None:
    ids = ("01a2-b", "01a2-a", "01a2", "01a3", "01A2", "01a%", "01a_", "01b", "é1", "\U0010fffe")
    for future in [log.append(replace(ONE, prediction_id=one)) for one in ids]:
        future.result(10)

    assert log.beginning("01a2", 10) == ["01a2", "01a2-a", "01a2-b"]
    assert log.beginning("01a2", 2) == ["01a2", "01a2-a"]
    assert log.beginning("01a%", 10) == ["01a%"]
    assert log.beginning("01a_", 10) == ["01a_"]
    assert log.beginning("é", 10) == ["é1"]
    assert log.beginning("nothing", 10) == []
    assert len(log.beginning("", 100)) == len(ids)


def test_the_same_materialisation_is_kept_once(ledger: Ledger) -> None:
    old = MaterialisationRow("v@1", NOW, NOW, 5, 100)
    new = replace(old, watermark=NOW + timedelta(days=1))

    for row in (new, old, replace(old, rows=7), replace(new, view="v@2")):
        ledger.record_materialisation(row)

    assert ledger.newest_materialisation("v@1") == new
    assert ledger.newest_materialisation("v@3") is None


def test_inspections_come_back_in_order(ledger: Ledger) -> None:
    old = QualityRow("q1", "i1", NOW, NOW, "passed", '{"é": [1.5, null]}')
    new = replace(old, report_id="q0", created_at=NOW + timedelta(1), verdict="refused")
    alone = replace(old, report_id="q2", ingestion_id=None, created_at=NOW - timedelta(1))
    assert ledger.newest_quality() is None

    for row in (new, old, alone):
        ledger.record_quality(row)

    assert ledger.quality_reports() == [alone, old, new]
    assert ledger.quality_reports("i1") == [old, new]
    assert ledger.quality_reports("i2") == []
    assert ledger.newest_quality() == new


def test_an_inspection_is_kept_once(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    row = QualityRow("q1", None, NOW, NOW, "passed", "{}")
    ledger.record_quality(row)

    with pytest.raises(StorageError):
        ledger.record_quality(row)

    assert ledger.quality_reports() == [row]


def test_a_repair_is_kept_once_and_comes_back_exactly(ledger: Ledger) -> None:
    cell = (
        "files",
        "ABC",
        date(2024, 1, 2),
        "close",
        0.1 + 0.2,
        1 / 3,
        "decimal_slip",
        "why",
        0.98,
    )
    one = RepairRow("r1", NOW, NOW, *cell)
    two = replace(one, repair_id="r2", applied_at=NOW + timedelta(1), symbol="DEF", was=None)

    assert ledger.record_repairs([two, one]) == 2
    assert ledger.record_repairs([one, replace(two, becomes=7.0)]) == 0
    assert ledger.record_repairs([]) == 0

    assert ledger.repairs() == [one, two]
    assert ledger.repairs(["DEF"]) == [two]
    assert ledger.repairs([]) == []
    many = [replace(one, repair_id=f"m{i}", symbol="MANY") for i in range(1200)]
    assert ledger.record_repairs(many) == 1200
    assert len(ledger.repairs(["MANY"])) == 1200


def test_a_run_and_its_releases_come_back_together(ledger: Ledger) -> None:
    release = ReleaseRow("r1", "run-1", NOW, "linear", "panel", 1, ("ABC", "DEF"))
    later = replace(RUN, run_id="run-2", finished_at=RUN.finished_at + timedelta(1), started_at=NOW)

    ledger.record_run(RUN, [release])
    ledger.record_run(later, [replace(release, run_id="run-2", created_at=NOW + timedelta(1))])
    ledger.mark_mirrored("run-1")

    assert ledger.runs() == [replace(RUN, mirrored=True), later]
    assert ledger.runs(unmirrored=True) == [later]
    assert ledger.run_by_key("key") == later
    assert ledger.run_by_key("none") is None
    assert [r.run_id for r in ledger.releases()] == ["run-2", "run-1"]
    assert ledger.releases()[1] == release


def test_a_run_is_recorded_whole_or_not_at_all(engine: sa.Engine) -> None:
    ledger = SqlLedger(engine)
    release = ReleaseRow("r1", "run-1", NOW, "linear", "panel", 1, ("ABC",))

    with pytest.raises(StorageError):
        ledger.record_run(RUN, [release, release])

    assert ledger.runs() == []


@pytest.mark.parametrize(
    "wrong", ["", "nonsense", "mysql://x/y", "postgresql+asyncpg://x/y", "sqlite+aiosqlite:///x"]
)
def test_an_address_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError):
        connect(wrong)


def test_nobody_at_the_address_is_said_quickly() -> None:
    with pytest.raises(Unavailable, match="database"):
        migrate("postgresql+psycopg://nobody@127.0.0.1:9/none")


def test_every_connection_to_sqlite_syncs_fully(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'b.db'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


def test_predictions_lie_in_the_month_of_their_key(postgres: Postgres) -> None:
    url = postgres.fresh()
    migrate(url)
    engine = connect(url)
    log = SqlPredictionLog(engine)
    keys = [str(uuid_utils.uuid7()) for _ in range(20)]

    for future in [log.append(replace(ONE, prediction_id=key)) for key in (*keys, "odd")]:
        future.result(10)
    log.close()

    query = "SELECT DISTINCT tableoid::regclass::text FROM predictions ORDER BY 1"
    with engine.connect() as connection:
        tables = connection.exec_driver_sql(query).scalars().all()
        plan = "\n".join(
            connection.exec_driver_sql(
                f"EXPLAIN SELECT * FROM predictions WHERE prediction_id = '{keys[0]}'"  # noqa: S608
            ).scalars()
        )
    engine.dispose()
    assert len(tables) == 2
    assert tables[1] == "predictions_rest"
    assert tables[0] in plan
    assert "predictions_rest" not in plan


def test_trials_are_counted_once_and_found(ledger: Ledger) -> None:
    def row(n: int, study: str, label: str, returns: bytes | None) -> TrialRow:
        at = NOW + timedelta(minutes=n)
        told = ("complete", "train", "linear", "panel", label, "d" * 64, NOW, "{}", "{}")
        return TrialRow(f"t{n}", study, "c" * 64, at, *told, returns)

    rows = [
        row(2, "s1", "h=1", bytes(range(256))),
        row(1, "s1", "h=5", None),
        row(3, "s2", "h=1", b""),
    ]
    assert ledger.record_trials(rows[:2]) == 2
    assert ledger.record_trials(rows) == 1
    assert ledger.record_trials([]) == 0

    assert ledger.trials() == [rows[1], rows[0], rows[2]]
    assert ledger.trials(label="h=1") == [rows[0], rows[2]]
    assert ledger.trials(study_id="s1") == [rows[1], rows[0]]
    assert ledger.trials("h=5", "s2") == []


def test_trials_of_many_writers_are_each_counted_once(url: str) -> None:
    """Eight writers with connections of their own, half of each one's trials also told by another."""
    migrate(url)
    engines = [connect(url) for _ in range(8)]

    def rows(writer: int) -> list[TrialRow]:
        told = ("complete", "search", "linear", "panel", "h=1", "d" * 64, NOW, "{}", "{}", None)
        names = [f"t{(writer * 20 + n) % 160}" for n in range(40)]
        return [TrialRow(name, "s", name, NOW, *told) for name in names]

    def write(writer: int) -> int:
        ledger = SqlLedger(engines[writer])
        return sum(ledger.record_trials(rows(writer)[i : i + 5]) for i in range(0, 40, 5))

    with ThreadPoolExecutor(8) as pool:
        new = list(pool.map(write, range(8)))
    found = SqlLedger(engines[0]).trials()
    for engine in engines:
        engine.dispose()

    assert sum(new) == 160
    assert sorted(row.trial_id for row in found) == sorted(f"t{n}" for n in range(160))


def test_the_newest_standing_of_each_release_stands(ledger: Ledger) -> None:
    def row(n: int, release: str, state: str) -> StandingRow:
        at = NOW + timedelta(minutes=n)
        return StandingRow(f"g{n}", release, at, state, n == 2, "ann", "because", '{"a": 1}')

    rows = [row(1, "r1", "refused"), row(2, "r1", "admitted"), row(3, "r2", "waiting")]
    run = replace(RUN, run_id="run-9")
    release = ReleaseRow("r1", "run-9", NOW, "linear", "panel", 1, ("ABC",))
    ledger.record_run(run, [release], rows[:1])

    assert ledger.record_standings(rows) == 2
    assert ledger.record_standings(rows) == 0
    assert ledger.standings() == rows[1:]
    assert ledger.standings("r1") == rows[:2]
    assert ledger.standings("r3") == []


def test_decisions_on_training_again_are_kept(ledger: Ledger) -> None:
    def row(n: int, scope: str, release: str | None) -> RetrainingRow:
        at = NOW + timedelta(minutes=n)
        return RetrainingRow(
            f"w{n}", "k" * 64, scope, NOW, at, "ann", "nothing", "r1", release, "{}"
        )

    rows = [row(1, "a", None), row(2, "b", "r2"), row(3, "a", None)]
    for one in rows[::-1]:
        ledger.record_retraining(one)

    assert ledger.retrainings() == rows
    assert ledger.retrainings("a") == [rows[0], rows[2]]
    assert ledger.retrainings("c") == []


def test_backtests_are_found_newest_first(ledger: Ledger) -> None:
    def row(n: int, key: str) -> BacktestRow:
        at = NOW + timedelta(minutes=n)
        return BacktestRow(f"b{n}", key, at, at, NOW, ("A", "B"), "{}", '{"n": 1}', "f" * 64)

    rows = [row(1, "k1"), row(2, "k2"), row(3, "k1")]
    for one in rows:
        ledger.record_backtest(one)

    assert ledger.backtests() == rows[::-1]
    assert ledger.backtests(limit=1) == rows[2:]
    assert ledger.backtests("k1") == [rows[2], rows[0]]
    assert ledger.backtests("k3") == []


def test_audits_are_found_by_subject_and_state(ledger: Ledger) -> None:
    early, late = NOW, NOW + timedelta(days=1)
    rows = [
        AuditRow("a1", "v@1", NOW, early, "leak", "{}"),
        AuditRow("a2", "v@1", NOW + timedelta(hours=1), early, "green", '{"alarms": []}'),
        AuditRow("a3", "v@1", NOW, late, "leak", "{}"),
        AuditRow("a4", "mine.py@2", NOW, None, "green", "{}"),
    ]
    for row in rows:
        ledger.record_audit(row)

    assert ledger.newest_audit("v@1", early) == rows[1]
    assert ledger.newest_audit("v@1", late) == rows[2]
    assert ledger.newest_audit("v@2", early) is None
    assert ledger.newest_audit("mine.py@2", early) is None
