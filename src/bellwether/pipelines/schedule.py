"""Which sessions are due, and having each worked on once, in order, whatever happens meanwhile.

What has been worked on is read from the runs themselves: a run is named by its session, so that
neither a restart nor a second scheduler can begin it anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.jobs import JobRun, JobState
from bellwether.core.ports import Ports
from bellwether.pipelines.session_run import KIND, SessionSource, key
from bellwether.telemetry import SESSIONS_BEHIND, get_logger

LOOK_S = 0.5
MOST_WAIT_S = 60.0
ALL = 100_000

T = TypeVar("T")
Pause = Callable[[float], bool]
"""Waits so many seconds, and says whether to stop."""


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """What is run after each session: `delay` after its close, at most `catch_up` missed ones."""

    source: SessionSource
    delay: timedelta = timedelta(minutes=30)
    catch_up: int = 30
    first: date | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """Sessions to work on now, oldest first, and older ones that are past the bound."""

    sessions: tuple[date, ...]
    left_out: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class ScheduleReport:
    """The runs that ended here, oldest first, the sessions left out, and why no more are coming."""

    runs: tuple[JobRun, ...]
    left_out: tuple[date, ...]
    why: str

    def lines(self) -> list[str]:
        """Say it in words."""
        told = [f"{run.job_id}: {_outcome(run)}" for run in self.runs]
        return [*told, self.why]


def run(
    config: ScheduleConfig, ports: Ports, pause: Pause, tell: Callable[[str], None]
) -> ScheduleReport:
    """Work on what is due, then on each session as it closes, until `pause` says to stop.

    `tell` is given a line for people at each turn. Where another process has the jobs, this one
    stands by and goes on when that one has ended.
    """
    scheduler = _Scheduler(config, ports, pause, tell)
    while True:
        with ports.jobs.working(pause) as ours:
            if not ours:
                return scheduler.report("stopped")
            try:
                return scheduler.report(scheduler.work())
            except Unavailable:
                raise
            except StorageError as error:
                get_logger(__name__).warning("jobs_lost", why=str(error))
        if pause(LOOK_S):
            return scheduler.report("stopped")


def due(config: ScheduleConfig, ports: Ports, done: Sequence[date]) -> Due:
    """Return which sessions are due: closed `delay` ago and never worked on.

    With nothing worked on before, only the newest, or those since `first`. A clock that stands has
    nothing to wait for, so that there the delay does not count.
    """
    delay = timedelta() if ports.clock.standing else config.delay
    newest = ports.calendar.last_closed(ports.clock.now() - delay)
    if config.first is not None:
        begin = config.first
    elif done:
        begin = max(done) + timedelta(days=1)
    else:
        begin = newest
    known = set(done)
    missed = [s for s in ports.calendar.between(begin, newest) if s not in known]
    cut = max(len(missed) - config.catch_up, 0)
    return Due(tuple(missed[cut:]), tuple(missed[:cut]))


class _Scheduler:
    """One scheduler's memory: what ended while it worked, and what it has said."""

    def __init__(
        self, config: ScheduleConfig, ports: Ports, pause: Pause, tell: Callable[[str], None]
    ) -> None:
        self._config = config
        self._ports = ports
        self._pause = pause
        self._tell = tell
        self._ended: dict[str, JobRun] = {}
        self._left_out: tuple[date, ...] = ()

    def report(self, why: str) -> ScheduleReport:
        """Return what was done."""
        return ScheduleReport(tuple(self._ended.values()), self._left_out, why)

    def work(self) -> str:
        """Work until there is nothing to do or to wait for; return why."""
        while True:
            self._ports.clock.look()
            runs = self._patiently(lambda: self._ports.jobs.recent(KIND, ALL))
            if runs is None or not self._all(runs):
                return "stopped"
            if self._config.once:
                return "all that is due is done"
            if self._ports.clock.standing:
                return f"no session will close: {', '.join(self._ports.clock.standing)}"
            if self._pause(min(self._seconds_left(), MOST_WAIT_S)):
                return "stopped"

    def _all(self, runs: Sequence[JobRun]) -> bool:
        """Have what was begun before ended, then what is due; False if told to stop."""
        begun = sorted(_session(run) for run in runs if not run.state.ended)
        known = [_session(run) for run in runs]
        found = due(self._config, self._ports, [*known, *self._left_out])
        if found.left_out:
            self._name(found.left_out)
            self._left_out += found.left_out
        waiting = [*begun, *found.sessions]
        for i, session in enumerate(waiting):
            SESSIONS_BEHIND.set(len(waiting) - i)
            if not self._one(session):
                return False
        SESSIONS_BEHIND.set(0)
        return True

    def _name(self, left_out: Sequence[date]) -> None:
        n, first, last = len(left_out), left_out[0], left_out[-1]
        get_logger(__name__).warning("sessions_left_out", n=n, first=first, last=last)
        self._tell(
            f"left out: {n} older sessions, {first} to {last}; "
            f"--from {first} --catch-up-sessions {n + self._config.catch_up} would run them"
        )

    def _one(self, session: date) -> bool:
        """Have one session worked on; False if told to stop before it has ended."""
        argument = self._config.source.argument(session)
        jobs, name = self._ports.jobs, key(session)
        if self._patiently(lambda: jobs.start(KIND, argument, name)) is None:
            return False
        while True:
            run = self._patiently(lambda: jobs.wait(name, LOOK_S))
            if run is not None and run.state.ended:
                self._ended[name] = run
                self._tell(f"{name}: {_outcome(run)}")
                return True
            if run is None or self._pause(0):
                return False

    def _patiently(self, ask: Callable[[], T]) -> T | None:
        """Ask until the jobs' database answers; None if told to stop before."""
        while True:
            try:
                return ask()
            except Unavailable as error:
                get_logger(__name__).warning("jobs_away", why=str(error))
                if self._pause(LOOK_S):
                    return None

    def _seconds_left(self) -> float:
        """Return how long it is until the next session is due."""
        now = self._ports.clock.now()
        newest = self._ports.calendar.last_closed(now - self._config.delay)
        closes: datetime = self._ports.calendar.close_of(self._ports.calendar.shift(newest, 1))
        return max((closes + self._config.delay - now).total_seconds(), 0.0)


def _session(run: JobRun) -> date:
    return date.fromisoformat(run.job_id.removeprefix(f"{KIND}-"))


def _outcome(run: JobRun) -> str:
    if run.state is JobState.DONE and isinstance(run.result, dict):
        told = run.result
        return (
            f"done, {told['stored']} predictions stored, {told['there_already']} there already, "
            f"{told['skipped_count']} not answered"
        )
    return f"{run.state}: {run.error}" if run.error else str(run.state)
