"""The outermost edge: what every request meets first and every answer passes last.

Ids, the Host and Origin checks, safe headers, measurements, one log line for what was slow or went
wrong, and the one place where an error that nobody foresaw ends.
"""

import re
from collections.abc import Callable, Collection
from time import perf_counter
from urllib.parse import urlsplit

import structlog
import uuid_utils
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bellwether.api import problems
from bellwether.api.predict_route import PATH as PREDICT_PATH
from bellwether.api.predict_route import STARTED_IN_SCOPE
from bellwether.api.problems import PROBLEM_IN_SCOPE, Problem, ProblemResponse
from bellwether.telemetry import (
    HTTP_IN_FLIGHT,
    HTTP_REFUSED,
    HTTP_REQUEST_BYTES,
    HTTP_REQUESTS,
    HTTP_RESPONSE_BYTES,
    HTTP_SECONDS,
    get_logger,
)

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
ID_IN_SCOPE = "bellwether.request_id"
SLOW_S = 1.0

CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
CSP = b"content-security-policy"
SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (CSP, CONTENT_SECURITY_POLICY),
)
KEPT_BY_CALLERS = (b"cache-control", b"no-store")

_SAFE_ID = re.compile(rb"[A-Za-z0-9._\-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITHOUT_EFFECT = frozenset({"GET", "HEAD", "OPTIONS"})
_IN_TIME = 400

for _kind in problems.KINDS:  # each is told from the first scrape on, as zero
    HTTP_REFUSED.labels(_kind.name)


class _Meters:
    """The metrics of one route, bound to its name once."""

    def __init__(self, route: str) -> None:
        self.seconds = HTTP_SECONDS.labels(route).observe
        self.received = HTTP_REQUEST_BYTES.labels(route).observe
        self.sent = HTTP_RESPONSE_BYTES.labels(route).observe


# Both know only templates, methods of the list and status classes, so they stay small.
_METERS: dict[str, _Meters] = {}
_ANSWERED: dict[tuple[str, str, int], Callable[[], None]] = {}


class _Exchange:
    """One request on its way through the edge."""

    __slots__ = ("_send", "declared", "head_only", "host", "origin", "request_id", "sent", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self.head_only = scope["method"] == "HEAD"
        self.status = 0
        self.sent = 0
        self.declared = b""
        self.host: list[bytes] = []
        self.origin = b""
        given = b""
        for name, value in scope["headers"]:
            if name == b"host":
                self.host.append(value)
            elif name == b"origin":
                self.origin = value
            elif name == b"x-request-id":
                given = value
            elif name == b"content-length":
                self.declared = value
        self.request_id = given if _SAFE_ID.fullmatch(given) else str(uuid_utils.uuid7()).encode()

    async def send(self, message: Message) -> None:
        """Pass `message` on, with the headers that every answer carries."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name for name, _ in message["headers"]}
            safe = SAFE_HEADERS if CSP not in own else [h for h in SAFE_HEADERS if h[0] != CSP]
            headers = [*message["headers"], *safe, (b"x-request-id", self.request_id)]
            if b"cache-control" not in own:
                headers.append(KEPT_BY_CALLERS)
            message = {**message, "headers": headers}
        elif self.head_only:
            message = {**message, "body": b""}
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)


def edge(predict: ASGIApp, rest: ASGIApp, allowed_hosts: Collection[str] | None) -> ASGIApp:
    """Put the edge around the application.

    Parameters
    ----------
    predict
        Answers the path `/predict`.
    rest
        Answers everything else. It never sees HEAD, only GET.
    allowed_hosts
        Names and addresses, without port, that a Host header may carry; None for any.
    """
    hosts = None if allowed_hosts is None else frozenset(_as_sent(h) for h in allowed_hosts)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await rest(scope, receive, send)
            return
        started = perf_counter()
        exchange = _Exchange(scope, send)
        scope = {
            **scope,
            STARTED_IN_SCOPE: started,
            ID_IN_SCOPE: exchange.request_id.decode(),
        }
        inner = predict if scope["path"] == PREDICT_PATH else rest
        if exchange.head_only and inner is rest:
            scope["method"] = "GET"
        HTTP_IN_FLIGHT.inc()
        try:
            await _guarded(inner, scope, receive, exchange, hosts)
        finally:
            HTTP_IN_FLIGHT.dec()
            _measure(scope, exchange, perf_counter() - started)

    return app


async def _guarded(
    inner: ASGIApp,
    scope: Scope,
    receive: Receive,
    exchange: _Exchange,
    hosts: frozenset[bytes] | None,
) -> None:
    problem = _foreign(scope, exchange, hosts)
    if problem is not None:
        await ProblemResponse(problem, scope["path"])(scope, receive, exchange.send)
        return
    structlog.contextvars.bind_contextvars(request_id=scope[ID_IN_SCOPE])
    try:
        await inner(scope, receive, exchange.send)
    except Exception:  # noqa: BLE001 - the one place where the unforeseen ends, logged whole
        get_logger(__name__).exception("request_failed", path=scope["path"][:200])
        if not exchange.status:
            unforeseen = problems.internal_problem(scope[ID_IN_SCOPE])
            await ProblemResponse(unforeseen, scope["path"])(scope, receive, exchange.send)


def _foreign(scope: Scope, exchange: _Exchange, hosts: frozenset[bytes] | None) -> Problem | None:
    """Refuse names that are not ours (DNS rebinding) and orders from other sites' pages."""
    if hosts is not None:
        if len(exchange.host) != 1:
            return Problem(problems.NO_HOST, f"{len(exchange.host)} Host headers were sent.")
        if _without_port(exchange.host[0]) not in hosts:
            shown = exchange.host[0].decode("latin-1")[:100]
            return Problem(problems.WRONG_HOST, f"This server does not answer for {shown!r}.")
    if exchange.origin and scope["method"] not in _WITHOUT_EFFECT:
        host = exchange.host[0].decode("latin-1") if exchange.host else ""
        if not _same_host(exchange.origin.decode("latin-1"), host):
            return Problem(
                problems.FOREIGN_ORIGIN, "The Origin header names a page of another host."
            )
    return None


def _as_sent(host: str) -> bytes:
    """Write `host` as a Host header does: IPv6 addresses in brackets."""
    bare = ":" in host and not host.startswith("[")
    return (f"[{host}]" if bare else host).lower().encode()


def _without_port(host: bytes) -> bytes:
    if host.startswith(b"["):
        return host.partition(b"]")[0].lower() + b"]"
    return host.partition(b":")[0].lower()


def _same_host(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def _measure(scope: Scope, exchange: _Exchange, elapsed_s: float) -> None:
    route = _route(scope)
    method = "HEAD" if exchange.head_only else scope["method"]
    _count(route, method if method in _METHODS else "OTHER", exchange, elapsed_s)
    if exchange.status < _IN_TIME and elapsed_s < SLOW_S:
        return
    problem: Problem | None = scope.get(PROBLEM_IN_SCOPE)
    if problem is not None:
        HTTP_REFUSED.labels(problem.kind.name).inc()
    log = get_logger(__name__)
    write = log.error if exchange.status >= problems.INTERNAL.status else log.info
    write(
        "request",
        method=method[:20],
        path=scope["path"][:200],
        status=exchange.status,
        elapsed_ms=round(elapsed_s * 1e3, 3),
        request_id=scope[ID_IN_SCOPE],
        problem=None if problem is None else problem.detail[:500],
    )


def _count(route: str, method: str, exchange: _Exchange, elapsed_s: float) -> None:
    key = (route, method, exchange.status // 100)
    answered = _ANSWERED.get(key)
    if answered is None:
        status = f"{key[2]}xx" if key[2] else "gone"
        answered = _ANSWERED[key] = HTTP_REQUESTS.labels(route, method, status).inc
    meters = _METERS.get(route)
    if meters is None:
        meters = _METERS[route] = _Meters(route)
    answered()
    meters.seconds(elapsed_s)
    meters.sent(exchange.sent)
    if exchange.declared:
        meters.received(int(exchange.declared))


def _route(scope: Scope) -> str:
    """Name the route by its template, so that callers cannot invent label values."""
    if scope["path"] == PREDICT_PATH:
        return PREDICT_PATH
    return getattr(scope.get("route"), "path", "unmatched")
