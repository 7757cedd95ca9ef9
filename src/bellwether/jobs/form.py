"""How runs look from outside: what may be asked, and what DBOS keeps, as ours."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bellwether.core.errors import InvalidRequest, StorageError, Unavailable
from bellwether.core.jobs import JobRun, JobState, JobStep

STORE = "jobs"
MOST_BYTES = 100_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
STATES = {
    "DELAYED": JobState.WAITING,
    "ENQUEUED": JobState.WAITING,
    "PENDING": JobState.RUNNING,
    "SUCCESS": JobState.DONE,
    "CANCELLED": JobState.CANCELLED,
}
GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"


def checked_key(key: str) -> str:
    """Return a key that can be used, or raise InvalidRequest."""
    if not KEY.fullmatch(key):
        why = "1 to 200 letters, digits and . _ : - are needed, the first a letter or digit"
        raise InvalidRequest("key", f"{key[:60]!r}: {why}")
    return key


def checked_argument(argument: object) -> dict[str, Any]:
    """Return `argument` as it will be read back, or raise InvalidRequest."""
    if not isinstance(argument, Mapping):
        raise InvalidRequest("argument", "a JSON object is needed")
    return dict(plain(argument, "argument"))


def plain(value: object, field: str) -> Any:
    """Return `value` as JSON keeps it.

    Raises
    ------
    InvalidRequest
        If it holds what JSON cannot say (NaN among it), or more than 100 kB.
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(field, f"it is no JSON: {error}") from error
    if len(text) > MOST_BYTES:
        raise InvalidRequest(
            field, f"{len(text)} characters of JSON; at most {MOST_BYTES} are kept"
        )
    return json.loads(text)


def run_of(status: Any, steps: tuple[JobStep, ...] = ()) -> JobRun:
    """Lay out what DBOS says of a workflow."""
    state = STATES.get(status.status, JobState.FAILED)
    given, asked_at = status.input["args"]  # the library tells the second only, in a file
    error = None if status.error is None else str(status.error)
    if status.status == GIVEN_UP:
        error = f"its process ended {status.recovery_attempts} times while it ran"
    done = steps[-1].result if steps and state is JobState.DONE else None
    ended = status.completed_at or (status.updated_at if state.ended else None)
    return JobRun(
        job_id=status.workflow_id,
        kind=status.name,
        state=state,
        argument=given,
        created_at=datetime.fromisoformat(asked_at),
        finished_at=None if ended is None else _instant(ended),
        starts=status.recovery_attempts or 0,
        result=done,
        error=error,
        steps=steps,
    )


def step_of(told: Any) -> JobStep:
    """Lay out what DBOS says of a step."""
    error, output = told["error"], told["output"] or {}
    more = getattr(error, "data", None) or {}
    return JobStep(
        name=told["function_name"],
        attempts=int(output.get("attempts") or more.get("attempts") or 0),
        started_at=_instant(told["started_at_epoch_ms"]),
        finished_at=_instant(told["completed_at_epoch_ms"]),
        result=output.get("result"),
        error=None if error is None else str(error),
    )


def _instant(millis: int | None) -> datetime:
    return EPOCH + timedelta(milliseconds=millis or 0)


def fault(error: Exception) -> StorageError:
    """Turn an error of the database under DBOS into ours."""
    said = getattr(error, "orig", None) or error
    lines = str(said).strip().splitlines() or [type(said).__name__]
    away = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)
    if away and "unable to open" not in lines[0]:
        return Unavailable(STORE, lines[0])
    return StorageError(STORE, lines[0])
