"""The Jobs port on DBOS. Nothing is pickled: all that is kept is JSON.

Any process starts, reads and cancels runs; the one that holds the lease works on them.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from bellwether.core.errors import InvalidRequest, MissingRecord, StorageError, UnknownName
from bellwether.core.jobs import JobKind, JobRun, JobState
from bellwether.core.ports import Clock
from bellwether.jobs.form import STORE, checked_argument, checked_key, fault, run_of, step_of
from bellwether.jobs.lease import FileLease, Lease, PostgresLease
from bellwether.jobs.work import APPLICATION, EXECUTOR, POLL_S, VERSION, Bench, queue_of, quiet_logs
from bellwether.telemetry import get_logger

CONNECT_TIMEOUT_S = "2"
LOOK_S = 0.05
LOOK_MOST_S = 0.5
DOOR_S = 0.5
POOL = 5

T = TypeVar("T")


class DbosJobs:
    """The Jobs port on a SQLite file, or in the schema `dbos` of a PostgreSQL database.

    The library is loaded when it is first needed: it takes seconds, and most processes never ask.
    """

    def __init__(self, url: str, wall: Clock) -> None:
        self._url = sa.make_url(url)
        self._wall = wall
        self._kinds: dict[str, JobKind] = {}
        self._opening = threading.Lock()
        self._client: Any = None
        self._bench: Bench | None = None

    def register(self, kind: JobKind) -> None:
        """Make `kind` known; without steps it can be started here and is worked on elsewhere."""
        names = [name for name, _ in kind.steps]
        if len(set(names)) != len(names):
            raise InvalidRequest("steps", "each step of a job needs a name of its own")
        if kind.attempts < 1 or not kind.backoff_s >= 0:
            raise InvalidRequest("attempts", "at least one attempt, and no negative pause")
        if names or kind.name not in self._kinds:
            self._kinds[checked_key(kind.name)] = kind

    def start(self, kind: str, argument: Mapping[str, Any], key: str) -> JobRun:
        """Keep a run, or return the one that has the key."""
        if kind not in self._kinds:
            raise UnknownName("job", kind, sorted(self._kinds))
        given = checked_argument(argument)
        self._kinds[kind].check(given)
        found = self.get(checked_key(key))
        if found is None:
            asked_at = self._wall.now().isoformat()
            self._asked(lambda client: client.enqueue(self._options(kind, key), given, asked_at))
            found = self.get(key)
        if found is None:
            raise StorageError(STORE, f"{key} was not kept")
        if found.kind != kind:
            raise InvalidRequest("key", f"{key} names a run of {found.kind} already")
        return found

    def get(self, job_id: str) -> JobRun | None:
        """Return a run with the steps that have ended, or None."""
        found = self._asked(lambda client: client.list_workflows(workflow_ids=[job_id]))
        if not found:
            return None
        steps = self._asked(lambda client: client.list_workflow_steps(job_id))
        return run_of(found[0], tuple(step_of(s) for s in steps))

    def recent(self, kind: str | None = None, limit: int = 100) -> list[JobRun]:
        """Return the newest runs, newest first."""
        if limit < 1:
            return []
        found = self._asked(
            lambda client: client.list_workflows(
                name=kind, limit=limit, sort_desc=True, load_output=False
            )
        )
        runs = [run_of(status) for status in found]
        return sorted(runs, key=lambda run: run.created_at, reverse=True)

    def cancel(self, job_id: str) -> bool:
        """End a run before its next step."""
        found = self.get(job_id)
        if found is None or found.state.ended:
            return False
        self._asked(lambda client: client.cancel_workflow(job_id))
        found = self.get(job_id)
        return found is not None and found.state is JobState.CANCELLED

    def retry(self, job_id: str) -> bool:
        """Have a run that failed or was cancelled go on."""
        found = self.get(job_id)
        if found is None or found.state not in {JobState.FAILED, JobState.CANCELLED}:
            return False
        done = sum(step.error is None for step in found.steps)
        self._asked(
            lambda client: client.rewind_workflow(
                job_id, start_step=done + 1, queue_name=queue_of(found.kind)
            )
        )
        return True

    def wait(self, job_id: str, timeout_s: float) -> JobRun:
        """Return the run once it has ended, or as it is after `timeout_s`."""
        until, pause = time.monotonic() + timeout_s, LOOK_S
        while True:
            if self.lost():
                raise StorageError(STORE, "another process works on them now")
            found = self.get(job_id)
            if found is None:
                raise MissingRecord("job", job_id, "bellwether schedule")
            left = until - time.monotonic()
            if found.state.ended or left <= 0:
                return found
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, LOOK_MOST_S)

    @contextmanager
    def working(self, pause: Callable[[float], bool]) -> Iterator[bool]:
        """Work on runs while the context is open."""
        lease = self._lease()
        if not _let_in(lease, pause):
            yield False
            return
        bench = Bench({name: kind for name, kind in self._kinds.items() if kind.steps})
        try:
            self._asked(self._make_queues)
            config = {
                "name": APPLICATION,
                "system_database_url": self._address(),
                "sys_db_pool_size": POOL,
                "executor_id": EXECUTOR,
                "application_version": VERSION,
                "serializer": _serializer(),
                "log_level": "WARNING",
                "enable_otlp": False,
                "notification_listener_polling_interval_sec": POLL_S,
            }
            with bench.open(config, lease):
                self._bench = bench
                yield True
        finally:
            self._bench = None
            lease.release()

    def lost(self) -> bool:
        """Say whether another process took the work over since `working` began."""
        return self._bench is not None and self._bench.lost

    def close(self) -> None:
        """Let go of connections."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.destroy()

    def _options(self, kind: str, key: str) -> dict[str, Any]:
        return {
            "workflow_name": kind,
            "queue_name": queue_of(kind),
            "workflow_id": key,
            "app_version": VERSION,
        }

    def _make_queues(self, client: Any) -> None:
        """Name the queues before the library looks which there are: it does so once a second."""
        for kind in self._kinds:
            client.register_queue(queue_of(kind), worker_concurrency=1, polling_interval_sec=POLL_S)

    def _asked(self, ask: Callable[[Any], T]) -> T:
        from dbos import error as dbos_errors

        try:
            return ask(self._opened())
        except (sa.exc.SQLAlchemyError, dbos_errors.DBOSException) as error:
            raise fault(error) from error

    def _opened(self) -> Any:
        from dbos import DBOS, DBOSClient

        quiet_logs()
        with self._opening:
            if self._client is None:
                try:
                    self._prepare()
                    DBOS.migrate(self._address())
                    self._client = DBOSClient(
                        system_database_url=self._address(),
                        serializer=_serializer(),
                        application_name=APPLICATION,
                        retry_connection_errors=False,
                    )
                except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
                    raise fault(error) from error
            return self._client

    def _prepare(self) -> None:
        """Have the file written ahead, so that who reads does not wait for who writes."""
        if self._is_file:
            with sqlite3.connect(str(self._url.database)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            connection.close()

    @property
    def _is_file(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _address(self) -> str:
        url = self._url
        if not self._is_file:
            waits = {"connect_timeout": CONNECT_TIMEOUT_S, **url.query}
            url = url.set(drivername="postgresql", query=waits)
        return url.render_as_string(hide_password=False)

    def _lease(self) -> Lease:
        if self._is_file:
            return FileLease(Path(f"{self._url.database}.lock"))
        return PostgresLease(sa.make_url(self._address()))


def _let_in(lease: Lease, pause: Callable[[float], bool]) -> bool:
    """Wait for the lease; False where `pause` gives up."""
    told = False
    while True:
        try:
            if lease.take():
                return True
            if not told:
                get_logger(__name__).warning("standing_by", why="another process works on the jobs")
                told = True
        except StorageError as error:
            get_logger(__name__).warning("jobs_away", why=str(error))
        if pause(DOOR_S):
            return False


def _serializer() -> Any:
    from dbos import DBOSPortableJSONSerializer

    return DBOSPortableJSONSerializer()
