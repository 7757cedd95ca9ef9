"""The Jobs port in memory, held to the same contract as the real one."""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.jobs import JobKind, JobRun, JobState, JobStep


class MemoryJobs:
    """The Jobs port in a dictionary: a run is worked on where somebody waits for it."""

    def __init__(self) -> None:
        self._kinds: dict[str, JobKind] = {}
        self._runs: dict[str, JobRun] = {}
        self._open = False
        self._now = datetime(2024, 1, 2, tzinfo=UTC)

    def register(self, kind: JobKind) -> None:
        """Make `kind` known."""
        names = [name for name, _ in kind.steps]
        if len(set(names)) != len(names) or kind.attempts < 1 or kind.backoff_s < 0:
            raise InvalidRequest("steps", "no such job can be worked on")
        if names or kind.name not in self._kinds:
            self._kinds[kind.name] = kind

    def start(self, kind: str, argument: Mapping[str, Any], key: str) -> JobRun:
        """Keep a run, or return the one that has the key."""
        if kind not in self._kinds:
            raise UnknownName("job", kind, sorted(self._kinds))
        if not isinstance(argument, Mapping):
            raise InvalidRequest("argument", "a JSON object is needed")
        try:
            text = json.dumps(argument, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InvalidRequest("argument", str(error)) from error
        if len(text) > 100_000:
            raise InvalidRequest("argument", "too much")
        self._kinds[kind].check(json.loads(text))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}", key):
            raise InvalidRequest("key", "it cannot be used")
        self._now += timedelta(seconds=1)
        given = json.loads(text)
        new = JobRun(key, kind, JobState.WAITING, given, self._now, None, 0, None, None, ())
        found = self._runs.setdefault(key, new)
        if found.kind != kind:
            raise InvalidRequest("key", f"{key} names a run of {found.kind}")
        return found

    def get(self, job_id: str) -> JobRun | None:
        """Return a run with the steps that have ended, or None."""
        return self._runs.get(job_id)

    def recent(self, kind: str | None = None, limit: int = 100) -> list[JobRun]:
        """Return the newest runs, newest first."""
        mine = [run for run in self._runs.values() if kind is None or run.kind == kind]
        mine.sort(key=lambda run: run.created_at, reverse=True)
        return [replace(run, steps=(), result=None) for run in mine[: max(limit, 0)]]

    def cancel(self, job_id: str) -> bool:
        """End a run before its next step."""
        run = self._runs.get(job_id)
        if run is None or run.state.ended:
            return False
        self._runs[job_id] = replace(run, state=JobState.CANCELLED, finished_at=self._now)
        return True

    def retry(self, job_id: str) -> bool:
        """Have a run that failed or was cancelled go on."""
        run = self._runs.get(job_id)
        if run is None or run.state not in {JobState.FAILED, JobState.CANCELLED}:
            return False
        done = tuple(step for step in run.steps if step.error is None)
        self._runs[job_id] = replace(
            run, state=JobState.WAITING, steps=done, error=None, finished_at=None
        )
        return True

    def wait(self, job_id: str, timeout_s: float) -> JobRun:  # noqa: ARG002 - nothing is waited for
        """Return the run once it has ended, or as it is."""
        if self._open:
            waiting = [
                r for r in self._runs.values() if not r.state.ended and self._kinds[r.kind].steps
            ]
            for run in sorted(waiting, key=lambda run: run.created_at):
                self._work(run.job_id)
        if job_id not in self._runs:
            raise MissingRecord("job", job_id, "bellwether schedule")
        return self._runs[job_id]

    @contextmanager
    def working(self, pause: Callable[[float], bool]) -> Iterator[bool]:  # noqa: ARG002 - nobody else
        """Work on runs while the context is open."""
        self._open = True
        yield True
        self._open = False

    def lost(self) -> bool:
        """Nobody else is there."""
        return False

    def _work(self, job_id: str) -> None:
        run = self._runs[job_id]
        self._runs[job_id] = replace(run, state=JobState.RUNNING, starts=run.starts + 1)
        for name, act in self._kinds[run.kind].steps[len(run.steps) :]:
            if self._runs[job_id].state is JobState.CANCELLED:
                return
            step = self._step(name, act, self._runs[job_id])
            run = self._runs[job_id]
            self._runs[job_id] = run = replace(run, steps=(*run.steps, step))
            if step.error is not None:
                self._runs[job_id] = replace(run, state=JobState.FAILED, error=step.error)
                return
        done = replace(run, state=JobState.DONE, result=run.steps[-1].result)
        self._runs[job_id] = replace(done, finished_at=self._now)

    def _step(self, name: str, act: Callable[..., Any], run: JobRun) -> JobStep:
        for attempt in itertools.count(1):
            try:
                result = act(run.argument, {step.name: step.result for step in run.steps})
                kept = json.loads(json.dumps(result, allow_nan=False))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                useless = isinstance(error, InvalidRequest | UnknownName)
                if attempt < self._kinds[run.kind].attempts and not useless:
                    continue
                why = f"{name}: {error} ({type(error).__name__}, after {attempt} attempts)"
                return JobStep(name, attempt, self._now, self._now, None, why)
            return JobStep(name, attempt, self._now, self._now, kept, None)
        raise AssertionError("it never ends this way")
