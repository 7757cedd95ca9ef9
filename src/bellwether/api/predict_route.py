"""POST /predict: the hot path, without a framework on it.

Read the body, decode, ask the service, wait until the prediction is on disk, encode. Everything
else about a request (its id, host, origin, headers, measurements) is done by the edge around it.
"""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Future
from time import perf_counter
from typing import Protocol

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from bellwether.api import problems
from bellwether.api.problems import FieldProblem, Problem, ProblemResponse
from bellwether.api.schemas import PredictBody, answer_of, request_of
from bellwether.core.errors import BellwetherError, InputError, InvalidRequest, Overloaded
from bellwether.core.types import Prediction, PredictionRequest
from bellwether.telemetry import DURABLE_WAIT_SECONDS, PREDICTIONS

PATH = "/predict"
MAX_BODY_BYTES = 1_048_576
# A caller that is still sending would not read an answer sent before it has finished, so what is
# too large is read and dropped up to here; beyond, the connection is closed.
MAX_DROPPED_BYTES = 16 * MAX_BODY_BYTES
STARTED_IN_SCOPE = "bellwether.started"

_ANSWERED = PREDICTIONS.labels("answered")
_DEGRADED = PREDICTIONS.labels("degraded")


class Answered(Protocol):
    """A prediction and the promise that it is on disk."""

    @property
    def prediction(self) -> Prediction:
        """The prediction."""
        ...

    @property
    def durable(self) -> Future[None]:
        """Done once the prediction is on disk."""
        ...


class Predictor(Protocol):
    """What answers a question, in microseconds, on the event loop."""

    def answer(self, request: PredictionRequest) -> Answered:
        """Answer `request`."""
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
        _check_head(scope)
        body = await _read_body(receive)
        answer = service.answer(request_of(_decoded(decode, body)))
        await _on_disk(answer.durable)
        prediction = answer.prediction
        elapsed_ms = (perf_counter() - scope[STARTED_IN_SCOPE]) * 1e3
        content = encode(answer_of(prediction, round(elapsed_ms, 3)))
        (_DEGRADED if prediction.degraded else _ANSWERED).inc()
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


def _check_head(scope: Scope) -> None:
    if scope["method"] != "POST":
        detail = f"{PATH} takes POST, not {scope['method']}."
        raise Refusal(Problem(problems.WRONG_METHOD, detail, headers=(("allow", "POST"),)))
    media_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value.partition(b";")[0].strip().lower()
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            raise Refusal(Problem(problems.WRONG_MEDIA_TYPE, "Compressed bodies are not taken."))
    if media_type != b"application/json":
        sent = media_type.decode("latin-1")[:80] or "none"
        detail = f"{PATH} takes application/json; the media type sent was {sent!r}."
        raise Refusal(Problem(problems.WRONG_MEDIA_TYPE, detail))


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


async def _on_disk(durable: Future[None]) -> None:
    """Wait until the prediction is on disk, or raise what kept it from there."""
    if durable.done():
        durable.result()
        return
    begun = perf_counter()
    # Shielded: a caller who is dropped must not cancel a write that others share.
    await asyncio.shield(asyncio.wrap_future(durable))
    DURABLE_WAIT_SECONDS.observe(perf_counter() - begun)


def _outcome(error: BellwetherError) -> str:
    if isinstance(error, InvalidRequest):
        return "refused"
    if isinstance(error, InputError):
        return "missing"
    return "overloaded" if isinstance(error, Overloaded) else "failed"
