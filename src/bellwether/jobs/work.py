"""Working on runs: DBOS launched in this process, our steps inside its workflows."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bellwether.core.errors import ConfigError, InvalidRequest, StorageError, UnknownName
from bellwether.core.jobs import JobAct, JobKind
from bellwether.jobs.form import plain
from bellwether.jobs.lease import Lease
from bellwether.telemetry import (
    JOB_STEP_FAILURES,
    JOB_STEP_SECONDS,
    JOBS_FINISHED,
    JOBS_STARTED,
    get_logger,
)

APPLICATION = "bellwether"
VERSION = "1"  # of the way runs are kept, not of the program: new code goes on with old runs
EXECUTOR = "bellwether"  # one process works at a time, and each takes up what the last one left
POLL_S = 0.1
LEASE_S = 1.0
MOST_STARTS = 10
GRACE_S = 25.0
USELESS = (InvalidRequest, UnknownName, ConfigError)
"""What trying again does not mend."""


class Halted(BaseException):
    """Work stops here: no error of the run, which stays for whoever works next."""


class StepFailed(Exception):
    """A step was given up; `data` is kept beside the message."""

    def __init__(self, step: str, attempts: int, why: Exception) -> None:
        self.data = {"step": step, "attempts": attempts}
        said = str(why) or type(why).__name__
        name = type(why).__name__
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(f"{step}: {said} ({name}, after {tries})")


class Bench:
    """Where runs are worked on: the registered kinds, and the wish to stop."""

    def __init__(self, kinds: Mapping[str, JobKind]) -> None:
        self._kinds = dict(kinds)
        self._halt = threading.Event()
        self._idle = threading.Condition()
        self._busy = 0
        self.lost = False

    @contextmanager
    def open(self, config: Any, lease: Lease) -> Iterator[None]:
        """Work while the context is open; on leaving, a step under way is waited for."""
        from dbos import DBOS

        quiet_logs()
        DBOS(config=config)
        keeper = threading.Thread(target=self._keep, args=(lease,), name="jobs-lease", daemon=True)
        try:
            for kind in self._kinds.values():
                workflow = DBOS.workflow(name=kind.name, max_recovery_attempts=MOST_STARTS)
                workflow(self._workflow(kind))
            DBOS.launch()
            keeper.start()
            yield
        finally:
            self._halt.set()
            with self._idle:
                self._idle.wait_for(lambda: self._busy == 0, GRACE_S)
            if keeper.is_alive():
                keeper.join()
            DBOS.destroy(destroy_registry=True)

    def _keep(self, lease: Lease) -> None:
        """See that the lease stays ours; where another process has it, stop."""
        while not self._halt.wait(LEASE_S):
            try:
                ours = lease.take()
            except StorageError as error:
                get_logger(__name__).warning("jobs_away", why=str(error))
                continue
            if not ours:
                get_logger(__name__).error("jobs_taken_over")
                self.lost = True
                self._halt.set()

    def _workflow(self, kind: JobKind) -> Callable[[dict[str, Any], str], None]:
        def run(argument: dict[str, Any], _asked_at: str) -> None:
            from dbos import DBOS

            JOBS_STARTED.labels(kind.name).inc()
            get_logger(__name__).info("job_started", kind=kind.name, job=DBOS.workflow_id)
            results: dict[str, Any] = {}
            try:
                for name, act in kind.steps:
                    given = DBOS.run_step(
                        {"name": name}, self._step, kind, name, act, argument, dict(results)
                    )
                    results[name] = given["result"]
            except StepFailed:
                JOBS_FINISHED.labels(kind.name, "failed").inc()
                raise
            JOBS_FINISHED.labels(kind.name, "done").inc()
            get_logger(__name__).info("job_done", kind=kind.name, job=DBOS.workflow_id)

        run.__qualname__ = run.__name__ = kind.name
        return run

    def _step(
        self,
        kind: JobKind,
        name: str,
        act: JobAct,
        argument: Mapping[str, Any],
        results: Mapping[str, Any],
    ) -> dict[str, Any]:
        with self._idle:
            if self._halt.is_set():
                raise Halted
            self._busy += 1
        try:
            return self._tried(kind, name, lambda: act(argument, results))
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def _tried(self, kind: JobKind, name: str, act: Callable[[], Any]) -> dict[str, Any]:
        pause = kind.backoff_s
        for attempt in range(1, kind.attempts + 1):
            begun = time.perf_counter()
            try:
                result = plain(act(), f"result of {name}")
            except Exception as error:
                JOB_STEP_FAILURES.labels(kind.name, name).inc()
                get_logger(__name__).warning(
                    "job_step_failed", kind=kind.name, step=name, attempt=attempt, why=str(error)
                )
                if attempt == kind.attempts or isinstance(error, USELESS):
                    raise StepFailed(name, attempt, error) from error
            else:
                return {"attempts": attempt, "result": result}
            finally:
                JOB_STEP_SECONDS.labels(kind.name, name).observe(time.perf_counter() - begun)
            if self._halt.wait(pause):
                raise Halted
            pause *= 2
        raise Halted  # a kind that allows no attempt is refused when it is registered


def queue_of(kind: str) -> str:
    """Return the queue that runs of a kind wait in."""
    return f"{APPLICATION}-{kind}"


def quiet_logs() -> None:
    """Have the library's lines go where ours go, and not to a stream of its own."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
