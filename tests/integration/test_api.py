"""The HTTP door over real sockets: the contract, bad input, durability, guards and pages."""

import copy
import io
import json
import logging
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future

import httpx
import pytest
import structlog
from tests.fake_service import PREDICTION, WAITS, FakeService
from tests.served import served

from bellwether import telemetry
from bellwether.api import pages
from bellwether.api.server import listen
from bellwether.core.errors import (
    BellwetherError,
    ConfigError,
    InsufficientHistory,
    Overloaded,
    StorageError,
    TamperedArtifact,
    Unavailable,
)

CONTRACT = [
    "prediction_id",
    "symbol",
    "as_of",
    "horizon_sessions",
    "last_price",
    "expected_return",
    "predicted_price",
    "probability_up",
    "direction",
    "interval",
    "release",
    "arm",
    "sentiment",
    "features",
    "feature_ages_sessions",
    "skill",
    "explanation",
    "degraded",
    "latency_ms",
]
QUESTION = {"symbol": "AAPL", "news_headlines": ["Strong earnings"], "user_id": "test"}
JSON_TYPE = {"content-type": "application/json"}
MEBIBYTE = 1_048_576


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with (
        served(FakeService()) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


@pytest.fixture
def port(client: httpx.Client) -> int:
    return client.base_url.port or 0


def raw(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are and read one answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(request)
        return read_answer(sock)


def read_answer(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        part = sock.recv(65536)
        assert part, f"the connection ended early: {received!r}"
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += sock.recv(65536)
    return int(first.split()[1]), headers, body


def assert_problem(
    status: int, media_type: str, content: bytes, expected: int
) -> dict[str, object]:
    assert (status, media_type) == (expected, "application/problem+json")
    body: dict[str, object] = json.loads(content)
    assert list(body)[:5] == ["type", "title", "status", "detail", "instance"]
    assert body["status"] == expected
    assert body["title"]
    assert body["detail"]
    return body


def problem(response: httpx.Response, expected: int) -> dict[str, object]:
    media_type = response.headers["content-type"]
    return assert_problem(response.status_code, media_type, response.content, expected)


def ask(client: httpx.Client, body: bytes | str) -> httpx.Response:
    return client.post("/predict", content=body, headers=JSON_TYPE)


def test_a_prediction_has_the_fields_of_the_contract_in_order(client: httpx.Client) -> None:
    answer = client.post("/predict", json=QUESTION)

    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(body) == CONTRACT
    assert list(body["interval"])[:3] == ["lower", "upper", "coverage"]
    assert list(body["sentiment"]) == ["score", "method", "n_headlines", "used_by_model"]
    assert list(body["skill"]) == [
        "directional_accuracy",
        "ci_low",
        "ci_high",
        "n",
        "baseline",
        "baseline_accuracy",
        "shown",
    ]
    assert body["features"]["not_known"] is None
    assert body["as_of"] == "2013-03-01"
    assert body["latency_ms"] > 0


def test_symbols_are_taken_in_either_case_and_explanations_on_request(client: httpx.Client) -> None:
    body = client.post("/predict", json={"symbol": "aapl", "explain": True}).json()

    assert body["symbol"] == "AAPL"
    assert body["explanation"] == {"rsi_14": 0.0003, "bias": 0.00012}


def question(**changes: object) -> bytes:
    return json.dumps({**QUESTION, **changes}).encode()


BAD_BODIES = {
    "empty": (b"", 400),
    "blank": (b"  \n", 400),
    "not JSON": (b"symbol=AAPL", 400),
    "cut off": (b'{"symbol": "AAPL"', 400),
    "trailing": (b'{"symbol": "AAPL"} {}', 400),
    "NaN": (b'{"symbol": "AAPL", "horizon_sessions": NaN}', 400),
    "infinity": (b'{"symbol": "AAPL", "horizon_sessions": -Infinity}', 400),
    "huge number": (b'{"symbol": "AAPL", "horizon_sessions": 1e999}', 422),
    "huge integer": (b'{"symbol": "AAPL", "horizon_sessions": ' + b"9" * 5000 + b"}", 422),
    "invalid UTF-8": (b'{"symbol": "\xff\xfe"}', 400),
    "invalid UTF-8 in a key": (b'{"\xff": 1}', 400),
    "invalid UTF-8 after a wrong type": (b'{"symbol": 1, "user_id": "\xff"}', 400),
    "lone surrogate": (b'{"symbol": "AAPL", "user_id": "\\ud800"}', 400),
    "lone surrogate in a key": (b'{"\\udfff": 1}', 400),
    "UTF-16": (question().decode().encode("utf-16"), 400),
    "deep list": (b"[" * 200_000, 400),
    "deep object": (b'{"a":' * 100_000, 400),
    "deep in a field": (b'{"symbol": ' + b"[" * 100_000, 400),
    "deep and closed": (b'{"symbol": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
    "list": (b"[]", 422),
    "null": (b"null", 422),
    "no symbol": (b"{}", 422),
    "unknown field": (question(horizon=3), 422),
    "symbol a number": (question(symbol=7), 422),
    "symbol null": (question(symbol=None), 422),
    "symbol empty": (question(symbol=""), 422),
    "symbol too long": (question(symbol="A" * 17), 422),
    "symbol with a newline": (question(symbol="AAPL\n"), 422),
    "symbol a path": (question(symbol="../../etc"), 422),
    "symbol in other digits": (question(symbol="\N{FULLWIDTH LATIN CAPITAL LETTER A}"), 422),
    "symbol with markup": (question(symbol="<script>"), 422),
    "symbol unknown": (question(symbol="NOPE"), 404),
    "horizon without a release": (question(horizon_sessions=21), 404),
    "horizon zero": (question(horizon_sessions=0), 422),
    "horizon too far": (question(horizon_sessions=253), 422),
    "horizon a fraction": (question(horizon_sessions=1.5), 422),
    "horizon a truth": (question(horizon_sessions=True), 422),
    "headlines a text": (question(news_headlines="up"), 422),
    "headline a number": (question(news_headlines=["up", 3]), 422),
    "headline null": (question(news_headlines=[None]), 422),
    "101 headlines": (question(news_headlines=["up"] * 101), 422),
    "10,000 headlines": (question(news_headlines=["up"] * 10_000), 422),
    "headline too long": (question(news_headlines=["x" * 1001]), 422),
    "headline of 1 MB": (question(news_headlines=["x" * 1_000_000]), 422),
    "headline with NUL": (question(news_headlines=["a\x00b"]), 422),
    "headline with a newline": (question(news_headlines=["a\nb"]), 422),
    "headline with C1": (question(news_headlines=["a\x85b"]), 422),
    "raw control character": (b'{"symbol": "AAPL", "news_headlines": ["a\x01"]}', 400),
    "user too long": (question(user_id="u" * 129), 422),
    "user not printable": (question(user_id="a\u2028b"), 422),
    "explain a text": (question(explain="yes"), 422),
    "one byte too large": (b'{"symbol":"AAPL"}'.ljust(MEBIBYTE + 1), 413),
    "much too large": (b" " * (20 * MEBIBYTE), 413),
}


@pytest.mark.parametrize(("body", "status"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_bad_body_is_refused_with_a_problem(
    client: httpx.Client, body: bytes, status: int
) -> None:
    try:
        answer = ask(client, body)
    except (httpx.ReadError, httpx.WriteError):
        assert len(body) > 16 * MEBIBYTE  # a caller who never stops sending is cut off
        return

    problem(answer, status)


def test_the_field_at_fault_is_named(client: httpx.Client) -> None:
    named = {
        name: problem(ask(client, BAD_BODIES[name][0]), 422)["errors"]
        for name in ("no symbol", "unknown field", "headline a number", "horizon zero")
    }

    assert named == {
        "no symbol": [{"field": "symbol", "why": "required"}],
        "unknown field": [{"field": "horizon", "why": "unknown field"}],
        "headline a number": [{"field": "news_headlines[1]", "why": "Expected str, got int"}],
        "horizon zero": [{"field": "horizon_sessions", "why": "Expected int >= 1"}],
    }


def test_the_largest_body_that_is_allowed_is_taken(client: httpx.Client) -> None:
    assert ask(client, b'{"symbol":"AAPL"}'.ljust(MEBIBYTE)).status_code == 200
    assert ask(client, question(news_headlines=["x" * 1000] * 100)).status_code == 200


def test_of_a_repeated_key_the_last_counts(client: httpx.Client) -> None:
    assert ask(client, b'{"symbol": "IBM", "symbol": "AAPL"}').json()["symbol"] == "AAPL"


def test_a_chunked_body_without_length_is_measured_while_it_is_read(client: httpx.Client) -> None:
    answer = client.post("/predict", content=(b" " * 65536 for _ in range(32)), headers=JSON_TYPE)

    problem(answer, 413)
    assert client.post("/predict", json=QUESTION).status_code == 200


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "multipart/form-data",
        "",
    ],
)
def test_another_media_type_is_refused(client: httpx.Client, media_type: str) -> None:
    headers = {"content-type": media_type}
    problem(client.post("/predict", content=question(), headers=headers), 415)


def test_compressed_bodies_are_refused_and_charsets_are_not(client: httpx.Client) -> None:
    packed = {**JSON_TYPE, "content-encoding": "gzip"}
    problem(client.post("/predict", content=question(), headers=packed), 415)
    named = {"content-type": "Application/JSON; charset=utf-8"}
    assert client.post("/predict", content=question(), headers=named).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_a_wrong_method_names_the_right_one(client: httpx.Client, method: str) -> None:
    answer = client.request(method, "/predict")
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"

    if method != "GET":
        elsewhere = client.request(method, "/health")
        problem(elsewhere, 405)
        assert elsewhere.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("//predict", 404),
        ("/predict/", 404),
        ("/Predict", 404),
        ("/predict%00", 404),
        ("/static/../app.py", 404),
        ("/static/..%2Fapp.py", 404),
        ("/static/%2e%2e%2fapp.py", 404),
        ("/backtest/..%2F..%2Fetc", 404),
        ("/backtest/../../etc/passwd", 404),
        ("/backtest/", 404),
        ("/backtest/%00", 422),
        ("/backtest/%FF%FE", 422),
        ("/backtest/AAPL%0A", 422),
        ("/backtest/NOPE", 404),
        ("/backtest/AAPL?days=0", 422),
        ("/backtest/AAPL?days=5001", 422),
        ("/backtest/AAPL?days=many", 422),
        ("/backtest/AAPL?days=1e3", 422),
        ("/backtest/AAPL?days=" + "9" * 6000, 422),
        ("/backtest/AAPL?days=%00", 422),
        ("/predictions/none", 404),
        ("/predictions/a%20b", 422),
        ("/predictions/" + "a" * 65, 422),
    ],
)
def test_a_bad_path_is_refused_with_a_problem(port: int, path: str, status: int) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    found, headers, body = raw(port, request)
    assert_problem(found, headers["content-type"], body, status)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NOT HTTP AT ALL\r\n\r\n",
        b"GET /health HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: b\r\n" * 300 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_with_a_problem(port: int, request_bytes: bytes) -> None:
    status, headers, body = raw(port, request_bytes)

    assert_problem(status, headers["content-type"], body, 400)


def test_a_hundred_headers_are_nothing_special(client: httpx.Client) -> None:
    headers = {f"x-header-{i}": "v" for i in range(100)}

    assert client.post("/predict", json=QUESTION, headers=headers).status_code == 200


def test_head_answers_like_get_without_the_body(client: httpx.Client) -> None:
    head, get = client.head("/health"), client.get("/health")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(get.content))
    assert client.head("/predict").status_code == 405


def test_a_caller_who_hangs_up_half_way_disturbs_nobody(client: httpx.Client, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )

    assert client.post("/predict", json=QUESTION).status_code == 200


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        (
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b'Content-Length: 100\r\n\r\n{"symbol'
        ),
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_caller_who_never_finishes_is_told_and_dropped(begun: bytes) -> None:
    with (
        served(FakeService(), request_timeout_s=0.05) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as sock,
    ):
        sock.sendall(begun)
        status, headers, body = read_answer(sock)
        assert_problem(status, headers["content-type"], body, 408)
        assert sock.recv(1) == b""


def test_the_answer_waits_until_the_prediction_is_on_disk() -> None:
    written: Future[None] = Future()
    service = FakeService(durable=lambda: written)
    body = json.dumps(QUESTION).encode()
    request = (
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    ) + body
    with (
        served(service) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as sock,
    ):
        sock.sendall(request)
        # The server has done all it can once it has answered somebody who came later.
        while not service.asked:
            raw(port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        raw(port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.settimeout(20)

        written.set_result(None)

        assert read_answer(sock)[0] == 200


def test_a_caller_who_hangs_up_does_not_cancel_the_write() -> None:
    written: Future[None] = Future()
    service = FakeService(durable=lambda: written)
    with served(service) as port:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            body = json.dumps(QUESTION).encode()
            sock.sendall(
                b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            while not service.asked:
                raw(port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        raw(port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

        assert not written.cancelled()
        written.set_result(None)


def failing(error: Exception) -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(error)
    return future


def test_a_prediction_that_did_not_reach_the_disk_is_not_acknowledged() -> None:
    service = FakeService(durable=lambda: failing(StorageError("database", "disk full")))
    with served(service) as port:
        body = problem(httpx.post(f"http://127.0.0.1:{port}/predict", json=QUESTION), 503)

    assert body["detail"] == "database: disk full"
    assert "prediction_id" not in body


def test_who_would_rather_not_wait_is_told_where_the_answer_will_be() -> None:
    service = FakeService(queues=True)
    with served(service) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        later = client.post("/predict", json=QUESTION, headers={"prefer": "respond-async"})
        place = later.headers["location"]
        waiting = client.get(place)
        now = client.post("/predict", json=QUESTION, headers={"prefer": "return=minimal"})
        unknown = {**QUESTION, "symbol": "NOSUCH"}
        refused = client.post("/predict", json=unknown, headers={"prefer": "respond-async"})

    assert later.status_code == waiting.status_code == 202
    assert later.headers["preference-applied"] == "respond-async"
    assert later.json() == {"prediction_id": WAITS, "status": "waiting"} == waiting.json()
    assert waiting.headers["retry-after"] == "1"
    assert now.status_code == 200
    problem(refused, 404)


def test_without_a_queue_a_request_is_answered_at_once(client: httpx.Client) -> None:
    answer = client.post("/predict", json=QUESTION, headers={"prefer": "respond-async"})

    assert answer.status_code == 200
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize("what", ["metadata", "features"])
def test_the_feature_store_is_asked_for_a_symbol(client: httpx.Client, what: str) -> None:
    found = client.get(f"/feature-store/{what}/aapl")

    assert found.status_code == 200
    assert found.json()["symbol"] == "AAPL"
    assert "NaN" not in found.text
    problem(client.get(f"/feature-store/{what}/NOSUCH"), 404)
    problem(client.get(f"/feature-store/{what}/a%20b"), 422)


def test_the_feature_store_says_how_it_is_read(client: httpx.Client) -> None:
    found = client.get("/feature-store/stats").json()

    assert found["reads"] == {"memory": 3}
    assert found["memory_hit_ratio"] is None


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (Overloaded("prediction log", 5000, retry_after_s=2), 503, {"retry-after": "2"}),
        (StorageError("database", "gone"), 503, {}),
        (Unavailable("database", "it is away", retry_after_s=7), 503, {"retry-after": "7"}),
        (TamperedArtifact("model.onnx", "a" * 64, "b" * 64), 503, {}),
        (InsufficientHistory("AAPL", 20, 60), 422, {}),
        (BellwetherError("A rule of our own was broken."), 500, {}),
    ],
)
def test_our_errors_become_problems(error: Exception, status: int, headers: dict[str, str]) -> None:
    with served(FakeService(error=error)) as port:
        for answer in (
            httpx.post(f"http://127.0.0.1:{port}/predict", json=QUESTION),
            httpx.get(f"http://127.0.0.1:{port}/"),
        ):
            body = problem(answer, status)
            assert body["detail"] == str(error)
            assert headers.items() <= dict(answer.headers).items()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Catch the log of the process, as JSON lines."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    telemetry.configure("json", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def ours(log: io.StringIO) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["logger"].startswith("bellwether.")]


def test_the_unforeseen_tells_the_caller_an_id_and_the_log_the_rest(log: io.StringIO) -> None:
    with served(FakeService(error=ZeroDivisionError("secret detail"))) as port:
        answers = [
            httpx.post(f"http://127.0.0.1:{port}/predict", json=QUESTION),
            httpx.get(f"http://127.0.0.1:{port}/"),
        ]

    for answer in answers:
        body = problem(answer, 500)
        request_id = answer.headers["x-request-id"]
        failed, request = [line for line in ours(log) if line["request_id"] == request_id]
        assert request_id in str(body["detail"])
        assert "secret" not in answer.text
        assert (failed["event"], request["event"]) == ("request_failed", "request")
        assert "Traceback" in failed["exception"]
        assert "ZeroDivisionError: secret detail" in failed["exception"]


def test_the_log_has_one_line_for_each_refusal_and_none_for_success(log: io.StringIO) -> None:
    with served(FakeService()) as port:
        httpx.post(f"http://127.0.0.1:{port}/predict", json=QUESTION)
        httpx.get(f"http://127.0.0.1:{port}/health")
        httpx.get(f"http://127.0.0.1:{port}/nothing%0Aelse")

    (line,) = ours(log)
    assert (line["event"], line["level"], line["status"]) == ("request", "info", 404)
    assert line["path"] == "/nothing\nelse"


def test_every_answer_has_an_id_and_safe_headers(client: httpx.Client) -> None:
    for path in (
        "/",
        "/docs",
        "/health",
        "/nothing",
        "/predict",
        "/static/app.css",
        "/favicon.ico",
    ):
        given = client.get(path, headers={"x-request-id": "trace-1.a_B"})
        made = client.get(path, headers={"x-request-id": "a b<script>"})
        assert given.headers["x-request-id"] == "trace-1.a_B"
        assert re.fullmatch(r"[0-9a-f-]{36}", made.headers["x-request-id"])
        assert given.headers["x-content-type-options"] == "nosniff"
        assert given.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in given.headers["content-security-policy"]
        assert "unsafe" not in given.headers["content-security-policy"]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "[::2]", "localhost@evil", ""]
)
def test_a_name_that_is_not_ours_is_refused(client: httpx.Client, host: str) -> None:
    problem(client.get("/health", headers={"host": host}), 421)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "LOCALHOST", "[::1]:8000"])
def test_our_own_names_are_taken_with_any_port(client: httpx.Client, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


def test_without_named_hosts_even_a_strange_host_gets_an_answer() -> None:
    with served(FakeService(), hosts=None) as port:
        for path in ("/", "/docs", "/nothing", "/health"):
            for host in ("[bad", "<b>", "a:b:c"):
                url = f"http://127.0.0.1:{port}{path}"
                answer = httpx.get(url, headers={"host": host})
                assert answer.status_code in {200, 404}
                assert "<b>:" not in answer.text


def test_orders_from_pages_of_other_hosts_are_refused(client: httpx.Client, port: int) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://[", "file://"):
        problem(client.post("/predict", json=QUESTION, headers={"origin": origin}), 403)

    own = {"origin": f"http://127.0.0.1:{port}"}
    assert client.post("/predict", json=QUESTION, headers=own).status_code == 200


def test_records_are_json_without_nan(client: httpx.Client) -> None:
    record = client.get("/backtest/aapl").json()
    stored = client.get(f"/predictions/{PREDICTION.prediction_id}").json()

    assert (record["symbol"], record["n"], record["metrics"]["sharpe"]) == ("AAPL", 30, None)
    assert client.get("/backtest/AAPL?days=7").json()["n"] == 7
    assert stored["symbol"] == "AAPL"


@pytest.mark.parametrize(("status", "code"), [("healthy", 200), ("degraded", 200), ("down", 503)])
def test_health_is_an_error_only_when_down(status: str, code: int) -> None:
    with served(FakeService(status=status)) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/health")

    assert answer.status_code == code
    assert answer.json()["status"] == status


def test_metrics_count_routes_by_template(client: httpx.Client) -> None:
    for path in ("/backtest/AAPL", "/backtest/IBM", "/made-up-by-a-caller"):
        client.get(path)
    client.request("PROPFIND", "/health")

    text = client.get("/metrics").text

    assert 'route="/backtest/{symbol}"' in text
    assert 'method="OTHER"' in text
    assert "made-up-by-a-caller" not in text
    assert "bellwether_build_info{" in text


def test_the_document_names_every_route_and_every_reference_resolves(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    assert {(m, p) for p, item in document["paths"].items() for m in item} == {
        ("post", "/predict"),
        ("get", "/backtest/{symbol}"),
        ("post", "/backtest"),
        ("get", "/backtest/jobs/{job_id}"),
        ("delete", "/backtest/jobs/{job_id}"),
        ("get", "/backtests"),
        ("get", "/backtests/{backtest_id}"),
        ("get", "/backtests/{backtest_id}/report"),
        ("get", "/predictions/{prediction_id}"),
        ("get", "/feature-store/stats"),
        ("get", "/feature-store/metadata/{symbol}"),
        ("get", "/feature-store/features/{symbol}"),
        ("get", "/health"),
        ("get", "/metrics"),
        ("get", "/openapi.json"),
        ("get", "/"),
        ("get", "/docs"),
    }
    schemas = document["components"]["schemas"]
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)))
    assert references
    assert references <= set(schemas)
    assert list(schemas["PredictAnswer"]["properties"]) == CONTRACT
    ids = [o["operationId"] for item in document["paths"].values() for o in item.values()]
    assert len(ids) == len(set(ids))
    example = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert client.post("/predict", json=example["example"]).status_code == 200


def test_the_manual_explains_each_problem_that_is_sent(client: httpx.Client) -> None:
    manual = client.get("/docs").text

    for body in (b"", b"{}", question(symbol="NOPE")):
        kind = str(ask(client, body).json()["type"]).removeprefix("/docs#")
        assert f'id="{kind}"' in manual


def test_pages_escape_what_they_show() -> None:
    evil = '<img src=x onerror="alert(1)">'
    with served(FakeService(symbols=(evil, "A&B"))) as port:
        page = httpx.get(f"http://127.0.0.1:{port}/").text

    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;" in page
    assert "A&amp;B" in page


def test_pages_name_no_other_host(client: httpx.Client) -> None:
    for path in ("/", "/docs", "/static/app.css", "/static/app.js"):
        text = client.get(path).text.replace(str(client.base_url).rstrip("/"), "")
        assert re.findall(r"https?://[^\s\"']+|(?:src|href)=\"//", text) == []


def test_an_empty_platform_still_has_a_front_page() -> None:
    class Empty(FakeService):
        def overview(self) -> dict[str, object]:
            nothing: dict[str, object] = {"symbols": [], "recent": [], "walk_forward": None}
            return {**super().overview(), **nothing, "as_of": None, "degraded": []}

    with served(Empty()) as port:
        page = httpx.get(f"http://127.0.0.1:{port}/")

    assert page.status_code == 200
    assert "bellwether demo" in page.text


SERVE_AND_CLOSE = """
from bellwether.api.app import create_app
from bellwether.api.server import serve
from tests.fake_service import FakeService
try:
    serve(create_app(FakeService()), "127.0.0.1", 0, on_ready=lambda: print("ready", flush=True))
finally:
    print("closed", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_and_lets_its_owner_close(number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE_AND_CLOSE], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while "ready" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        rest = process.stdout.read()

    assert rest.strip().endswith("closed")
    assert process.returncode == 0


def places(node: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Name where each number of `node` stands, once for each place in the first row of a list."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from places(value, (*path, name))
    elif isinstance(node, list):
        yield from places(node[0], (*path, 0))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path


OVERVIEW = json.loads(json.dumps(FakeService().overview()))


@pytest.mark.parametrize("place", list(places(OVERVIEW)), ids=str)
def test_any_number_of_the_front_page_may_be_unknown(place: tuple[str | int, ...]) -> None:
    overview = copy.deepcopy(OVERVIEW)
    node = overview
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = None

    page = pages.dashboard(overview)

    assert ">None" not in page


def test_a_port_that_is_taken_is_named(port: int) -> None:
    with pytest.raises(ConfigError, match=f"{port} on 127.0.0.1 is taken"):
        listen("127.0.0.1", port)
