"""Every keeper of jobs keeps the one contract."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.fake_jobs import MemoryJobs
from tests.servers import Postgres

from bellwether.core.clock import SystemClock
from bellwether.core.errors import InvalidRequest, MissingRecord, StorageError, UnknownName
from bellwether.core.jobs import JobAct, JobKind, JobState
from bellwether.core.ports import Jobs
from bellwether.jobs.dbos_jobs import DbosJobs

WAIT_S = 30.0
Rows = list[dict[str, object]]


def anything(_argument: Mapping[str, Any]) -> None:
    """Refuse nothing."""


def never(_seconds: float) -> bool:
    """Never give up at the door."""
    return False


def a_kind(name: str = "count", attempts: int = 3, **acts: JobAct) -> JobKind:
    return JobKind(name, tuple(acts.items()), anything, attempts, backoff_s=0.0)


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Jobs]]:
    """Build keepers over one store; the plain one is its own store."""
    if request.param == "memory":
        plain = MemoryJobs()
        yield lambda: plain
        return
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh()
    made: list[DbosJobs] = []

    def real() -> Jobs:
        made.append(DbosJobs(url, SystemClock()))
        return made[-1]

    yield real
    for jobs in made:
        jobs.close()


@pytest.fixture
def jobs(make: Callable[[], Jobs]) -> Jobs:
    return make()


def test_steps_run_in_order_and_are_given_what_came_before(jobs: Jobs) -> None:
    jobs.register(
        a_kind(
            first=lambda argument, _: {"n": argument["n"] + 1},
            second=lambda argument, results: [argument["n"], results["first"]["n"]],
            third=lambda _, results: {"all": dict(results), "text": "ünïcode"},
        )
    )
    started = jobs.start("count", {"n": 1}, "run-1")
    with jobs.working(never) as ours:
        run = jobs.wait("run-1", WAIT_S)

    assert ours
    assert (started.job_id, started.kind, started.argument) == ("run-1", "count", {"n": 1})
    assert started.state is JobState.WAITING
    assert run.state is JobState.DONE
    assert [(s.name, s.attempts, s.error) for s in run.steps] == [
        ("first", 1, None),
        ("second", 1, None),
        ("third", 1, None),
    ]
    assert run.steps[1].result == [1, 2]
    assert run.result == {"all": {"first": {"n": 2}, "second": [1, 2]}, "text": "ünïcode"}
    assert run.starts == 1
    assert run.finished_at is not None
    assert run.error is None
    assert jobs.get("run-1") == run


def test_the_same_key_is_the_same_run(jobs: Jobs) -> None:
    done: list[int] = []
    jobs.register(a_kind(only=lambda argument, _: done.append(argument["n"])))
    jobs.register(a_kind("other", only=lambda _, __: None))
    with jobs.working(never):
        jobs.start("count", {"n": 1}, "k")
        jobs.wait("k", WAIT_S)
        again = jobs.start("count", {"n": 2}, "k")
        jobs.wait("k", WAIT_S)

    assert done == [1]
    assert (again.argument, again.state) == ({"n": 1}, JobState.DONE)
    with pytest.raises(InvalidRequest, match="run of count"):
        jobs.start("other", {}, "k")


def test_a_step_that_fails_is_tried_again(jobs: Jobs) -> None:
    tries: list[int] = []

    def shaky(_argument: Mapping[str, Any], _results: Mapping[str, Any]) -> int:
        tries.append(1)
        if len(tries) < 3:
            raise StorageError("lake", "it hiccuped")
        return 7

    jobs.register(a_kind(shaky=shaky))
    jobs.start("count", {}, "k")
    with jobs.working(never):
        run = jobs.wait("k", WAIT_S)

    assert (run.state, run.result, run.steps[0].attempts) == (JobState.DONE, 7, 3)


def test_a_run_that_fails_says_why_and_goes_on_when_it_is_retried(jobs: Jobs) -> None:
    broken = [True]
    firsts: list[int] = []

    def second(_argument: Mapping[str, Any], results: Mapping[str, Any]) -> int:
        if broken[0]:
            raise StorageError("lake", "the disk is full")
        return int(results["first"])

    jobs.register(a_kind(attempts=2, first=lambda _, __: firsts.append(1) or 5, second=second))
    jobs.start("count", {}, "k")
    with jobs.working(never):
        failed = jobs.wait("k", WAIT_S)
        broken[0] = False
        retried = jobs.retry("k")
        done = jobs.wait("k", WAIT_S)
        again = jobs.retry("k")

    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert "second: lake: the disk is full (StorageError, after 2 attempts)" in failed.error
    assert [(s.name, s.attempts) for s in failed.steps] == [("first", 1), ("second", 2)]
    assert failed.steps[1].error == failed.error
    assert (retried, again) == (True, False)
    assert (done.state, done.result, firsts) == (JobState.DONE, 5, [1])


def test_what_trying_again_does_not_mend_is_not_tried_again(jobs: Jobs) -> None:
    def wrong(_argument: Mapping[str, Any], _results: Mapping[str, Any]) -> None:
        raise UnknownName("source", "nowhere")

    jobs.register(a_kind(wrong=wrong))
    jobs.start("count", {}, "k")
    with jobs.working(never):
        run = jobs.wait("k", WAIT_S)

    assert (run.state, run.steps[0].attempts) == (JobState.FAILED, 1)


def test_a_result_that_json_cannot_say_fails_the_step(jobs: Jobs) -> None:
    results: list[object] = [float("nan"), {1, 2}, b"bytes", object()]
    jobs.register(a_kind(attempts=1, only=lambda argument, _: results[argument["i"]]))
    with jobs.working(never):
        for i in range(len(results)):
            jobs.start("count", {"i": i}, f"k{i}")
        states = [jobs.wait(f"k{i}", WAIT_S).state for i in range(len(results))]

    assert states == [JobState.FAILED] * len(results)


def test_an_argument_that_cannot_be_kept_is_refused(jobs: Jobs) -> None:
    jobs.register(a_kind(only=lambda _, __: None))
    bad: list[Any] = [{"x": float("inf")}, {"x": {1}}, {"x": "y" * 100_001}, ["no"], "text", None]

    for argument in bad:
        with pytest.raises(InvalidRequest, match="argument"):
            jobs.start("count", argument, "k")
    assert jobs.get("k") is None


def test_a_key_that_cannot_be_used_is_refused(jobs: Jobs) -> None:
    jobs.register(a_kind(only=lambda _, __: None))

    for key in ("", "a b", "-a", "x" * 201, "a/b", "a\n", "a\x00"):
        with pytest.raises(InvalidRequest, match="key"):
            jobs.start("count", {}, key)
    assert jobs.recent() == []


def test_an_unknown_job_is_named_with_those_that_are_known(jobs: Jobs) -> None:
    jobs.register(a_kind(only=lambda _, __: None))

    with pytest.raises(UnknownName, match=r"no job 'nothing'.*Known: count"):
        jobs.start("nothing", {}, "k")


def test_a_kind_may_refuse_an_argument(jobs: Jobs) -> None:
    def check(argument: Mapping[str, Any]) -> None:
        if "n" not in argument:
            raise InvalidRequest("n", "say how many")

    jobs.register(JobKind("picky", (("only", lambda _, __: None),), check))

    with pytest.raises(InvalidRequest, match="say how many"):
        jobs.start("picky", {}, "k")


def test_a_kind_with_two_steps_of_a_name_is_refused(jobs: Jobs) -> None:
    step: tuple[str, JobAct] = ("one", lambda _, __: None)
    for steps, attempts, pause in (((step, step), 1, 0.0), ((step,), 0, 0.0), ((step,), 1, -1.0)):
        with pytest.raises(InvalidRequest):
            jobs.register(JobKind("count", steps, anything, attempts, pause))


def test_a_kind_without_steps_is_started_here_and_worked_on_elsewhere(
    make: Callable[[], Jobs],
) -> None:
    door, worker = make(), make()
    door.register(JobKind("count", (), anything))
    door.start("count", {"n": 2}, "k")
    with worker.working(never):
        assert door.wait("k", 0.0).state is JobState.WAITING
    worker.register(a_kind(double=lambda given, _: 2 * given["n"]))
    worker.register(JobKind("count", (), anything))  # changes nothing: its steps are known
    with worker.working(never):
        assert not worker.lost()
        run = worker.wait("k", WAIT_S)
    assert (run.state, run.result) == (JobState.DONE, 4)
    assert door.wait("k", WAIT_S).result == 4


def test_what_does_not_exist_is_none_and_false(jobs: Jobs) -> None:
    assert jobs.get("nobody") is None
    assert not jobs.cancel("nobody")
    assert not jobs.retry("nobody")
    assert jobs.recent() == jobs.recent("count") == []
    with pytest.raises(MissingRecord):
        jobs.wait("nobody", 0)


def test_a_cancelled_run_ends_before_its_next_step(jobs: Jobs) -> None:
    seconds: list[int] = []
    jobs.register(
        a_kind(first=lambda _, __: jobs.cancel("k"), second=lambda _, __: seconds.append(1))
    )
    jobs.start("count", {}, "k")
    jobs.start("count", {}, "next")
    with jobs.working(never):
        run = jobs.wait("k", WAIT_S)
        jobs.cancel("next")
        later = jobs.wait("next", WAIT_S)

    assert run.state is JobState.CANCELLED
    assert later.state in {JobState.CANCELLED, JobState.DONE}
    assert not jobs.cancel("k")
    assert len(seconds) <= 1  # none of "k"


def test_runs_are_listed_newest_first(jobs: Jobs) -> None:
    jobs.register(a_kind(only=lambda _, __: None))
    jobs.register(a_kind("other", only=lambda _, __: None))
    for i in range(4):
        jobs.start("count" if i % 2 else "other", {"i": i}, f"k{i}")

    assert [run.job_id for run in jobs.recent(limit=3)] == ["k3", "k2", "k1"]
    assert [run.argument["i"] for run in jobs.recent("count")] == [3, 1]
    assert jobs.recent(limit=0) == []


def test_nothing_is_worked_on_until_somebody_works(jobs: Jobs) -> None:
    jobs.register(a_kind(only=lambda _, __: 1))
    jobs.start("count", {}, "k")

    assert jobs.wait("k", 0).state is JobState.WAITING
    with jobs.working(never):
        assert jobs.wait("k", WAIT_S).state is JobState.DONE


def test_runs_of_a_kind_are_worked_on_one_after_another(jobs: Jobs) -> None:
    running, most, order = [0], [0], []

    def alone(argument: Mapping[str, Any], _results: Mapping[str, Any]) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        order.append(argument["i"])
        running[0] -= 1

    jobs.register(a_kind(one=alone, two=alone))
    for i in range(5):
        jobs.start("count", {"i": i}, f"k{i}")
    with jobs.working(never):
        for i in range(5):
            jobs.wait(f"k{i}", WAIT_S)

    assert most == [1]
    assert order == [i for i in range(5) for _ in range(2)]


# What only a store outside the process can show.


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


@pytest.fixture
def real(url: str) -> Iterator[DbosJobs]:
    jobs = DbosJobs(url, SystemClock())
    yield jobs
    jobs.close()


def test_what_was_left_when_work_stopped_is_taken_up_by_whoever_works_next(
    real: DbosJobs, url: str
) -> None:
    """A step under way when work stops is finished; the next is left, and the first not repeated."""
    first_begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def slow(_argument: Mapping[str, Any], _results: Mapping[str, Any]) -> str:
        first_begun.set()
        go_on.wait(WAIT_S)
        done.append("first")
        return "one"

    real.register(a_kind(first=slow, second=lambda _, results: done.append("second") or results))
    real.start("count", {}, "k")
    with real.working(never):
        assert first_begun.wait(WAIT_S)
        threading.Timer(0.2, go_on.set).start()
    left = real.get("k")

    other = DbosJobs(url, SystemClock())
    other.register(a_kind(first=slow, second=lambda _, results: done.append("second") or results))
    with other.working(never):
        run = other.wait("k", WAIT_S)
    other.close()

    assert left is not None
    assert left.state is JobState.RUNNING
    assert done == ["first", "second"]
    assert (run.state, run.result, run.starts) == (JobState.DONE, {"first": "one"}, 2)


def test_one_works_and_the_others_stand_by(real: DbosJobs, url: str) -> None:
    real.register(a_kind(only=lambda _, __: 1))
    other = DbosJobs(url, SystemClock())
    asked: list[float] = []
    with real.working(never), other.working(lambda s: asked.append(s) or len(asked) > 2) as ours:
        assert not ours
        assert len(asked) == 3
    with other.working(never) as ours:
        assert ours
    other.close()


def rows(url: str) -> dict[str, Rows]:
    """Read every table of the library."""
    engine = sa.create_engine(url)
    schema = None if url.startswith("sqlite") else "dbos"
    quoted = "" if schema is None else "dbos."
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names(schema=schema)
        found = {
            name: [
                dict(row)
                for row in connection.exec_driver_sql(f"SELECT * FROM {quoted}{name}").mappings()  # noqa: S608
            ]
            for name in names
        }
    engine.dispose()
    return found


def test_no_row_is_pickled(real: DbosJobs, url: str) -> None:
    """What is kept is JSON: arguments, results, and errors of every kind."""

    def fails(argument: Mapping[str, Any], _results: Mapping[str, Any]) -> None:
        if argument["fail"]:
            raise UnknownName("thing", "it", hint=str(argument))

    real.register(a_kind(attempts=2, first=lambda argument, _: argument, second=fails))
    with real.working(never):
        for key, fail in (("good", False), ("bad", True), ("cancelled", True)):
            real.start("count", {"fail": fail, "text": "x"}, key)
        real.cancel("cancelled")
        for key in ("good", "bad", "cancelled"):
            real.wait(key, WAIT_S)
    found = rows(url)
    kept = [row for table in found.values() for row in table]
    texts = [str(value) for row in kept for value in row.values() if value is not None]

    assert len(found["workflow_status"]) == 3
    assert len(found["operation_outputs"]) >= 4
    told = {row["serialization"] for row in kept if row.get("serialization") is not None}
    assert told == {"portable_json"}
    assert [text for text in texts if text.startswith(("gAS", "gAV", "gAN", "\\x80"))] == []
    assert not any(isinstance(value, bytes) for row in kept for value in row.values())


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    jobs = DbosJobs(f"sqlite:///{tmp_path / 'file' / 'jobs.db'}", SystemClock())

    with pytest.raises(StorageError, match="jobs: unable to open"):
        jobs.recent()


def test_the_file_is_written_ahead(tmp_path: Path) -> None:
    jobs = DbosJobs(f"sqlite:///{tmp_path / 'jobs.db'}", SystemClock())
    assert jobs.recent() == []
    jobs.close()

    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    assert mode == ("wal",)


def test_the_library_is_loaded_only_where_jobs_are_asked_for() -> None:
    """It takes long: neither `--help` nor a server's start may wait for it."""
    code = (
        "import sys, bellwether.bootstrap, bellwether.cli.main, bellwether.api.app;"
        "sys.exit('dbos' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
