"""Work that outlives its process, as values: what a job is, and what is known of one run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

JobAct = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
"""Called with a run's argument and what its earlier steps gave, by name; both are JSON, and so is
what it returns. It may be called again after it was killed half-way, and must then change nothing
that it has done already."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """A job as a list of named steps. `check` raises InvalidRequest on an argument it cannot use.

    Without steps it is one that this process can start, and that another works on.

    A step that raises is tried up to `attempts` times, first after `backoff_s` seconds and then
    after twice as long each time.
    """

    name: str
    steps: tuple[tuple[str, JobAct], ...]
    check: Callable[[Mapping[str, Any]], None]
    attempts: int = 3
    backoff_s: float = 1.0


class JobState(StrEnum):
    """Where a run of a job stands; the last three are final."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Say whether nothing more happens by itself."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


@dataclass(frozen=True, slots=True)
class JobStep:
    """A step of a run that has ended: what it gave, or why it failed.

    `attempts` counts the tries of the process that ended it; 0 where none was made.
    """

    name: str
    attempts: int
    started_at: datetime
    finished_at: datetime
    result: object
    error: str | None


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job. `starts` counts how often a process took it up, 0 while none has.

    `result` is what the last step gave; `steps` are those that have ended, in their order.
    """

    job_id: str
    kind: str
    state: JobState
    argument: Mapping[str, object]
    created_at: datetime
    finished_at: datetime | None
    starts: int
    result: object
    error: str | None
    steps: tuple[JobStep, ...]
