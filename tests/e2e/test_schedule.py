"""The scheduler as a process: killed, started twice, started before its database."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from tests import servers
from tests.program import Program
from tests.scheduled import SESSIONS, SYMBOLS, lake, predictions, prepare
from tests.waiting import until
from typer.testing import CliRunner

from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.jobs import JobState
from bellwether.pipelines.schedule import ScheduleConfig, ScheduleReport, run
from bellwether.pipelines.session_run import SessionSource, key, kind
from bellwether.settings import Settings

Wanted = tuple[dict[str, Any], Any]
FIRST = str(SESSIONS[0])
SOURCE = SessionSource("sample", symbols=SYMBOLS)
STEPS = 4
ENVIRONMENT = {
    "BELLWETHER_SCHEDULE_SYMBOLS": ",".join(SYMBOLS),
    "BELLWETHER_JOB_BACKOFF_S": "0.05",
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template") / "home"
    prepare(Settings(home=home))
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "home")


def begin(*options: str, **settings: str) -> subprocess.Popen[str]:
    """Start `bellwether schedule`; its lines come out together when it ends."""
    command = [sys.executable, "-m", "bellwether", "schedule", *options]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("BELLWETHER_")}
    return subprocess.Popen(
        command,
        env={**clean, **ENVIRONMENT, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def scheduled(settings: Settings, config: ScheduleConfig) -> ScheduleReport:
    """Run the schedule here, undisturbed."""
    with closing(bootstrap(settings)) as wired:
        wired.ports.jobs.register(kind(wired.ports))
        return run(config, wired.ports, threading.Event().wait, lambda _line: None)


@pytest.fixture(scope="module")
def wanted(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    home = shutil.copytree(template, tmp_path_factory.mktemp("undisturbed") / "home")
    scheduled(Settings(home=home), ScheduleConfig(SOURCE, first=SESSIONS[0], once=True))
    with closing(bootstrap(Settings(home=home))) as wired:
        return predictions(wired.ports), lake(wired.ports)


def steps_in_file(home: Path) -> int:
    try:
        with closing(sqlite3.connect(home / "jobs.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM operation_outputs").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not made yet


def kill_after(steps: int, more_s: float, count: Callable[[], int], **settings: str) -> None:
    """Start a scheduler and kill it `more_s` after it has recorded so many steps."""
    process = begin("--from", FIRST, **settings)
    until(lambda: count() >= steps or process.poll() is not None, f"{steps} steps", 60)
    then = time.monotonic() + more_s
    until(lambda: time.monotonic() >= then)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)


def assert_each_once(settings: Settings, wanted: Wanted) -> None:
    with closing(bootstrap(settings)) as wired:
        runs = {run.job_id: run for run in wired.ports.jobs.recent("session")}
        order = [run.job_id for run in sorted(runs.values(), key=lambda run: run.created_at)]
        assert order == [key(session) for session in SESSIONS]
        assert {run.state for run in runs.values()} == {JobState.DONE}
        assert predictions(wired.ports) == wanted[0]
        assert lake(wired.ports).equals(wanted[1])


def kill_and_finish(home: Path, kills: int, seed: int, wanted: Wanted) -> None:
    """Kill at random points, each later than the one before; then let two at once end it."""
    rng = np.random.default_rng(seed)
    points = np.sort(rng.integers(0, STEPS * len(SESSIONS) - 1, kills))
    for point in points.tolist():
        kill_after(
            point, rng.uniform(0, 0.15), lambda: steps_in_file(home), BELLWETHER_HOME=str(home)
        )
    both = [begin("--once", "--from", FIRST, BELLWETHER_HOME=str(home)) for _ in range(2)]
    said = "".join(finish(process) for process in both)
    ended = re.findall(r"^session-(\S+): done", said, re.MULTILINE)
    assert len(ended) == len(set(ended))
    assert_each_once(Settings(home=home), wanted)


def test_an_undisturbed_schedule_predicts_every_session(wanted: Wanted) -> None:
    asked = [(p["symbol"], str(p["as_of"])) for p in wanted[0].values()]

    assert sorted(asked) == sorted((s, str(d)) for s in SYMBOLS for d in SESSIONS)


def test_a_scheduler_killed_at_any_point_runs_each_session_once(home: Path, wanted: Wanted) -> None:
    kill_and_finish(home, kills=2, seed=0, wanted=wanted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_scheduler_killed_again_and_again_runs_each_session_once(
    home: Path, wanted: Wanted, seed: int
) -> None:
    kill_and_finish(home, kills=3, seed=seed, wanted=wanted)


@pytest.mark.slow
def test_two_schedulers_at_once_begin_each_session_once(home: Path, wanted: Wanted) -> None:
    kill_and_finish(home, kills=0, seed=0, wanted=wanted)
    with closing(bootstrap(Settings(home=home))) as wired:
        assert [r.starts for r in wired.ports.jobs.recent("session")] == [1] * len(SESSIONS)


@pytest.fixture
def postgres_url(postgres: servers.Postgres) -> Iterator[str]:
    return postgres.fresh()


def steps_in_postgres(url: str) -> int:
    at = url.replace("+psycopg", "")
    try:
        with psycopg.connect(at) as connection:
            row = connection.execute("SELECT count(*) FROM dbos.operation_outputs").fetchone()
    except psycopg.errors.UndefinedTable:
        return 0  # not made yet
    return int(row[0]) if row else 0


@pytest.mark.slow
def test_on_postgres_killed_twice_and_begun_twice(
    tmp_path: Path, postgres_url: str, wanted: Wanted
) -> None:
    settings = Settings(home=tmp_path / "home", database_url=postgres_url)
    prepare(settings)
    told = {"BELLWETHER_HOME": str(tmp_path / "home"), "BELLWETHER_DATABASE_URL": postgres_url}
    for point, more_s in ((6, 0.05), (13, 0.1)):
        kill_after(point, more_s, lambda: steps_in_postgres(postgres_url), **told)
    for process in [begin("--once", "--from", FIRST, **told) for _ in range(2)]:
        finish(process)

    with closing(bootstrap(settings)) as wired:
        asked = [(p["symbol"], p["as_of"]) for p in predictions(wired.ports).values()]
        assert len(asked) == len(set(asked)) == len(SYMBOLS) * len(SESSIONS)
        assert {p["symbol"] for p in wanted[0].values()} == set(SYMBOLS)
        assert lake(wired.ports).equals(wanted[1])
        runs = wired.ports.jobs.recent("session")
    assert [run.state for run in runs] == [JobState.DONE] * len(SESSIONS)


@pytest.mark.slow
def test_a_database_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    with servers.postgres(durable=True) as server:
        url = server.fresh()
        settings = Settings(home=tmp_path / "home", database_url=url)
        prepare(settings)
        server.kill()
        told = {"BELLWETHER_HOME": str(tmp_path / "home"), "BELLWETHER_DATABASE_URL": url}
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "bellwether", "schedule", "--once"],
                env={**os.environ, **ENVIRONMENT, **told},
                stdout=said,
                stderr=said,
            )
            until(lambda: "cannot_start_yet" in (tmp_path / "said").read_text(), "a refusal", 60)
            server.start()
            assert process.wait(120) == 0, (tmp_path / "said").read_text()
        with closing(bootstrap(settings)) as wired:
            assert len(predictions(wired.ports)) == len(SYMBOLS)


def test_downtime_over_several_sessions_is_caught_up_in_order(home: Path, wanted: Wanted) -> None:
    """A clock that stands earlier, then later: what closed in between is made up for."""
    config = ScheduleConfig(SOURCE)
    first, last = (
        scheduled(Settings(home=home, clock=f"{day}T22:00:00+00:00"), config)
        for day in (SESSIONS[0], SESSIONS[-1])
    )

    assert [r.job_id for r in first.runs] == [key(SESSIONS[0])]
    assert [r.job_id for r in last.runs] == [key(s) for s in SESSIONS[1:]]
    assert last.left_out == ()
    assert last.why == "no session will close: clock_stands_at_2013-03-01T22:00Z"
    with closing(bootstrap(Settings(home=home))) as wired:
        assert predictions(wired.ports).keys() == wanted[0].keys()


def test_jobs_are_shown_from_the_command_line(home: Path) -> None:
    config = ScheduleConfig(SessionSource("files", str(home / "nowhere")), once=True)
    scheduled(Settings(home=home), config)
    name = key(SESSIONS[-1])

    def told(*words: str) -> str:
        done = CliRunner(env={"BELLWETHER_HOME": str(home)}).invoke(app, ["jobs", *words])
        return f"{done.exit_code} {done.output}"

    assert re.match(rf"0 {name} +failed ", told("list"))
    assert "failed: ingest: " in told("show", name)
    assert "there is no such file or folder (UnreadableFile, after 3 attempts)" in told(
        "show", name
    )
    assert json.loads(told("show", name, "--json")[2:])["steps"][0]["attempts"] == 3
    assert told("cancel", name).startswith(f"2 job: {name} has ended already: failed")
    assert told("retry", name).startswith(f"0 {name} waits again")
    assert told("retry", name).startswith("2 job: ")
    assert told("cancel", name).startswith(f"0 {name} is cancelled")
    assert told("show", "nobody").startswith("2 There is no job 'nobody'.")


def test_it_ends_when_it_is_told_to(home: Path) -> None:
    settings = {**ENVIRONMENT, "BELLWETHER_HOME": str(home), "BELLWETHER_CLOCK": "system"}
    settings |= {"BELLWETHER_JOB_ATTEMPTS": "100", "BELLWETHER_JOB_BACKOFF_S": "30"}
    scheduler = Program("scheduling", "schedule", **settings)
    until(lambda: "job_step_failed" in scheduler.tail(), "the first try: nothing is told yet", 60)

    assert scheduler.stop() == 0
    with closing(bootstrap(Settings(home=home))) as wired:
        assert [run.state for run in wired.ports.jobs.recent()] == [JobState.RUNNING]
