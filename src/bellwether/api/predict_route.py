"""POST /predict: the hot path, without a framework on it.

Read the body, decode, ask the service, wait until the prediction is on disk, encode. Everything
else about a request (its id, host, origin, headers, measurements) is done by the edge around it.
"""

import asyncio
import re
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from bellwether.api import problems
from bellwether.api.problems import FieldProblem, Problem, ProblemResponse
from bellwether.api.schemas import PredictBody, answer_of, request_of
from bellwether.core.errors import BellwetherError, InputError, InvalidRequest, Overloaded
from bellwether.core.types import WAITING, Direction, Prediction, PredictionRequest
from bellwether.telemetry import DIRECTIONS, PREDICTIONS

PATH = "/predict"
MAX_BODY_BYTES = 1_048_576
# A caller that is still sending would not read an answer sent before it has finished, so what is
# too large is read and dropped up to here; beyond, the connection is closed.
MAX_DROPPED_BYTES = 16 * MAX_BODY_BYTES
STARTED_IN_SCOPE = "bellwether.started"

_ANSWERED = PREDICTIONS.labels("answered")
_DEGRADED = PREDICTIONS.labels("degraded")
_ACCEPTED = PREDICTIONS.labels("accepted")
_DIRECTIONS = {direction: DIRECTIONS.labels(direction.value) for direction in Direction}


class Predictor(Protocol):
    """What answers a question; the prediction is on disk before it is returned."""

    async def answer(self, request: PredictionRequest) -> Prediction:
        """Answer `request`."""
        ...

    def submit(self, request: PredictionRequest) -> str | None:
        """Queue `request` and return its prediction's id; None where nothing is queued. Blocks."""
        ...


class Refusal(Exception):
    """A request that is answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail)


class CallerGone(Exception):
    """The caller hung up before the request was complete."""


def predict_route(service: Predictor) -> ASGIApp:
    """Return the ASGI handler of POST /predict."""
    decode = msgspec.json.Decoder(PredictBody).decode
    encode = msgspec.json.Encoder().encode

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        later = _check_head(scope)
        request = request_of(_decoded(decode, await _read_body(receive)))
        if later and (queued := await asyncio.to_thread(service.submit, request)):
            await _accepted(queued, send)
            return
        prediction = await service.answer(request)
        elapsed_ms = (perf_counter() - scope[STARTED_IN_SCOPE]) * 1e3
        content = encode(answer_of(prediction, round(elapsed_ms, 3)))
        (_DEGRADED if prediction.degraded else _ANSWERED).inc()
        _DIRECTIONS[prediction.direction].inc()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def predict(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await respond(scope, receive, send)
        except CallerGone:
            PREDICTIONS.labels("gone").inc()
        except Refusal as refusal:
            PREDICTIONS.labels("refused").inc()
            await ProblemResponse(refusal.problem, scope["path"])(scope, receive, send)
        except BellwetherError as error:
            PREDICTIONS.labels(_outcome(error)).inc()
            await ProblemResponse(problems.problem_of(error), scope["path"])(scope, receive, send)

    return predict


async def _accepted(prediction_id: str, send: Send) -> None:
    """Answer that the request is kept, and where its prediction will be."""
    _ACCEPTED.inc()
    content = msgspec.json.encode({"prediction_id": prediction_id, "status": WAITING})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
        (b"location", f"/predictions/{prediction_id}".encode()),
        (b"preference-applied", b"respond-async"),
        (b"retry-after", b"1"),
    ]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _check_head(scope: Scope) -> bool:
    """Refuse what cannot be read; say whether the caller would rather not wait (RFC 7240)."""
    if scope["method"] != "POST":
        detail = f"{PATH} takes POST, not {scope['method']}."
        raise Refusal(Problem(problems.WRONG_METHOD, detail, headers=(("allow", "POST"),)))
    media_type = b""
    later = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value.partition(b";")[0].strip().lower()
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            raise Refusal(Problem(problems.WRONG_MEDIA_TYPE, "Compressed bodies are not taken."))
        elif name == b"prefer":
            later = later or b"respond-async" in value.lower()
    if media_type != b"application/json":
        sent = media_type.decode("latin-1")[:80] or "none"
        detail = f"{PATH} takes application/json; the media type sent was {sent!r}."
        raise Refusal(Problem(problems.WRONG_MEDIA_TYPE, detail))
    return later


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    dropped = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise CallerGone
        part: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if dropped or len(body) + len(part) > MAX_BODY_BYTES:
            dropped += len(part)
        else:
            body += part
        if dropped > MAX_DROPPED_BYTES or (dropped and not more):
            raise Refusal(_too_large(closing=more))
        if not more:
            return bytes(body)


def _too_large(*, closing: bool) -> Problem:
    headers = (("connection", "close"),) if closing else ()
    detail = f"The body is larger than {MAX_BODY_BYTES:,} bytes."
    return Problem(problems.TOO_LARGE, detail, headers=headers)


def _decoded(decode: Callable[[bytes], PredictBody], body: bytes) -> PredictBody:
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        _check_well_formed(body)
        raise Refusal(problems.invalid_fields((_field_problem(str(error)),))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(_malformed(body, error)) from None


def _check_well_formed(body: bytes) -> None:
    """Tell JSON that says the wrong thing from what is not JSON: the decoder stops at the first."""
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        return
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(_malformed(body, error)) from None


def _malformed(body: bytes, error: Exception) -> Problem:
    if not body.strip():
        return Problem(problems.MALFORMED, "The body is empty; send a JSON object.")
    if isinstance(error, RecursionError):
        return Problem(problems.MALFORMED, "The body is nested too deeply.")
    if isinstance(error, UnicodeDecodeError):
        return Problem(problems.MALFORMED, "The body is not UTF-8.")
    return Problem(problems.MALFORMED, f"The body is not JSON: {error}.")


_AT = re.compile(r" - at `\$\.?(?P<field>.*)`$", re.DOTALL)
_NAMED = re.compile(r"(?P<why>unknown|missing required) field `(?P<field>.*)`", re.DOTALL)


def _field_problem(sentence: str) -> FieldProblem:
    """Split the decoder's sentence into the field it is about and what is wrong with it."""
    named = _NAMED.search(sentence)
    if named:
        why = "unknown field" if named["why"] == "unknown" else "required"
        return FieldProblem(named["field"][:100], why)
    at = _AT.search(sentence)
    if at:
        return FieldProblem(at["field"][:100], sentence[: at.start()].replace("`", ""))
    return FieldProblem("body", sentence.replace("`", ""))


def _outcome(error: BellwetherError) -> str:
    if isinstance(error, InvalidRequest):
        return "refused"
    if isinstance(error, InputError):
        return "missing"
    return "overloaded" if isinstance(error, Overloaded) else "failed"
