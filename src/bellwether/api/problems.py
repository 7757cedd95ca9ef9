"""Errors as answers: one table from error to status, and RFC 9457 bodies."""

import re
from dataclasses import dataclass

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bellwether.core.errors import (
    ArtifactError,
    BellwetherError,
    InputError,
    InsufficientHistory,
    InvalidRequest,
    MissingRecord,
    Overloaded,
    StorageError,
    Unavailable,
    UnknownName,
)

MEDIA_TYPE = "application/problem+json"
PROBLEM_IN_SCOPE = "bellwether.problem"


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of problem: its status, its short name in `type`, its title and what to do."""

    status: int
    name: str
    title: str
    remedy: str


class FieldProblem(msgspec.Struct, frozen=True):
    """One field of the request that breaks its rule."""

    field: str
    why: str


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every answer that is not a success (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: tuple[FieldProblem, ...] = ()


MALFORMED = Kind(400, "malformed-request", "Malformed request", "Send well-formed JSON in UTF-8.")
NO_HOST = Kind(400, "missing-host", "Missing host", "Send one Host header.")
FOREIGN_ORIGIN = Kind(
    403,
    "foreign-origin",
    "Request from another site",
    "Call from a page of this server, or from a program that sends no Origin header.",
)
NO_ROUTE = Kind(404, "no-such-route", "No such route", "The routes are listed on /docs.")
UNKNOWN_NAME = Kind(404, "unknown-name", "Unknown name", "Use one of the names the detail lists.")
MISSING_RECORD = Kind(
    404, "missing-record", "Missing record", "Run the command that the detail names."
)
WRONG_METHOD = Kind(405, "wrong-method", "Wrong method", "Use a method of the Allow header.")
TIMED_OUT = Kind(408, "request-timeout", "Request too slow", "Send the whole body at once.")
TOO_LARGE = Kind(413, "body-too-large", "Body too large", "Send a smaller body.")
WRONG_MEDIA_TYPE = Kind(
    415,
    "wrong-media-type",
    "Wrong media type",
    "Send Content-Type: application/json, uncompressed.",
)
WRONG_HOST = Kind(
    421, "wrong-host", "Unknown host", "Call the server by the name or address it listens on."
)
INVALID_REQUEST = Kind(
    422, "invalid-request", "Invalid request", "Correct the fields listed under errors."
)
INSUFFICIENT_HISTORY = Kind(
    422, "insufficient-history", "Too little history", "Ask for less, or ingest more history."
)
INTERNAL = Kind(500, "internal-error", "Internal error", "Look for the id in the server's log.")
OVERLOADED = Kind(503, "overloaded", "Overloaded", "Wait as long as Retry-After says.")
STORAGE = Kind(503, "storage-error", "Storage unavailable", "See the components on /health.")
UNAVAILABLE = Kind(
    503,
    "unavailable",
    "Server away",
    "Wait as long as Retry-After says; /health tells which part is away and why.",
)
ARTIFACT = Kind(
    503, "artifact-error", "Model unavailable", "Restore the release from a backup or train again."
)

KIND_OF_ERROR: dict[type[Exception], Kind] = {
    InvalidRequest: INVALID_REQUEST,
    UnknownName: UNKNOWN_NAME,
    MissingRecord: MISSING_RECORD,
    InputError: INVALID_REQUEST,
    InsufficientHistory: INSUFFICIENT_HISTORY,
    Overloaded: OVERLOADED,
    Unavailable: UNAVAILABLE,
    StorageError: STORAGE,
    ArtifactError: ARTIFACT,
    BellwetherError: INTERNAL,
}

KINDS: tuple[Kind, ...] = (
    MALFORMED,
    NO_HOST,
    FOREIGN_ORIGIN,
    NO_ROUTE,
    UNKNOWN_NAME,
    MISSING_RECORD,
    WRONG_METHOD,
    TIMED_OUT,
    TOO_LARGE,
    WRONG_MEDIA_TYPE,
    WRONG_HOST,
    INVALID_REQUEST,
    INSUFFICIENT_HISTORY,
    INTERNAL,
    OVERLOADED,
    UNAVAILABLE,
    STORAGE,
    ARTIFACT,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with one request, ready to be sent."""

    kind: Kind
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


def invalid_fields(errors: tuple[FieldProblem, ...]) -> Problem:
    """Describe fields that break their rules."""
    detail = "; ".join(f"{error.field}: {error.why}" for error in errors)
    return Problem(INVALID_REQUEST, detail, errors)


def problem_of(error: BellwetherError) -> Problem:
    """Describe one of our own errors."""
    kind = next(KIND_OF_ERROR[base] for base in type(error).__mro__ if base in KIND_OF_ERROR)
    if isinstance(error, InvalidRequest):
        return Problem(kind, str(error), (FieldProblem(error.field, error.why),))
    if isinstance(error, UnknownName):
        return Problem(kind, str(error), (FieldProblem(error.kind, "does not exist here"),))
    if isinstance(error, Overloaded | Unavailable):
        return Problem(kind, str(error), headers=(("retry-after", str(error.retry_after_s)),))
    return Problem(kind, str(error))


def internal_problem(request_id: str) -> Problem:
    """Describe an error nobody foresaw: the log has the rest under `request_id`."""
    return Problem(INTERNAL, f"Internal error. The server's log has it under request {request_id}.")


def problem_body(problem: Problem, path: str) -> bytes:
    """Encode `problem`, met at `path`."""
    kind = problem.kind
    body = ProblemBody(
        type=f"/docs#problem-{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=_clean(problem.detail),
        instance=_clean(path[:200]),
        errors=tuple(FieldProblem(_clean(e.field), _clean(e.why)) for e in problem.errors),
    )
    return msgspec.json.encode(body)


class ProblemResponse(Response):
    """A problem as an answer; it leaves its sentence in the scope for the log."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, path: str) -> None:
        self.problem = problem
        super().__init__(
            problem_body(problem, path), problem.kind.status, headers=dict(problem.headers)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        scope[PROBLEM_IN_SCOPE] = self.problem
        await super().__call__(scope, receive, send)


_SURROGATES = re.compile("[\ud800-\udfff]")


def _clean(text: str) -> str:
    """Replace what cannot be UTF-8."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
