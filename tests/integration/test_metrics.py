"""What the program measures and logs: named by the rules, recorded, bounded, and told correctly."""

import ast
import asyncio
import io
import json
import logging
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from tests.fake_service import FakeService
from tests.served import served
from typer.testing import CliRunner

from bellwether import telemetry
from bellwether.cli.main import app
from bellwether.settings import Settings
from bellwether.telemetry.exposition import METRICS

ROOT = Path(__file__).parents[2]
HEAD = "| name | type | labels |"
PRIVATE = {"symbol", "user", "user_id", "path", "id", "request_id", "prediction_id", "release"}
UNITS = ("_seconds", "_bytes", "_ratio", "_sessions", "_rows", "_symbols", "_info")
QUESTION = {"symbol": "AAPL", "news_headlines": ["Strong earnings"]}


OF_TELEMETRY = {"METRICS_SECONDS", "LOG_LINES", "BUILD", "SERVER_WORKERS"}


def names_used() -> set[str]:
    """Return every name that code outside telemetry reads, imports not counted."""
    rooms = [p for p in (ROOT / "src").rglob("*.py") if "telemetry" not in p.parts]
    nodes = [node for p in rooms for node in ast.walk(ast.parse(p.read_text()))]
    return {n.id for n in nodes if isinstance(n, ast.Name)} | {
        n.attr for n in nodes if isinstance(n, ast.Attribute)
    }


def test_every_metric_is_recorded_somewhere() -> None:
    assert set(METRICS) - names_used() - OF_TELEMETRY == set()


def test_all_metrics_are_importable_by_one_name() -> None:
    assert {n for n in METRICS if getattr(telemetry, n, None) is not METRICS[n]} == set()


def test_there_are_enough_families() -> None:
    assert len([f for f in telemetry.families() if f.name.startswith("bellwether_")]) >= 48


@pytest.mark.parametrize("family", telemetry.families(), ids=lambda f: f.name)
def test_families_follow_the_rules(family: telemetry.Family) -> None:
    assert re.fullmatch(r"(bellwether|process|python)_[a-z_]+", family.name)
    assert (family.kind == "counter") == family.name.endswith("_total")
    assert family.kind != "histogram" or family.name.endswith(UNITS)
    assert set(family.labels).isdisjoint(PRIVATE)
    assert not family.name.startswith("bellwether") or re.fullmatch(r"[^\n]+\.", family.meaning)


def test_every_gauge_says_how_workers_come_together() -> None:
    gauges = [f for f in telemetry.families() if f.name.startswith("bell") and f.kind == "gauge"]

    assert {f.workers for f in gauges} <= {"sum", "smallest", "largest", "latest"}


def test_the_documented_table_is_what_the_code_says() -> None:
    document = (ROOT / "docs" / "metrics.md").read_text()
    rows = [line for line in document.splitlines() if line.startswith("|")]

    assert "\n".join(rows) + "\n" == telemetry.markdown()
    assert CliRunner().invoke(app, ["metrics", "list", "--markdown"]).stdout == telemetry.markdown()


def test_families_are_listed_as_json() -> None:
    told = json.loads(CliRunner().invoke(app, ["metrics", "list", "--json"]).stdout)

    assert [f["name"] for f in told] == [f.name for f in telemetry.families()]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(FakeService()) as port:
        yield port


def scrape(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/metrics").text


def value(port: int, sample: str, **labels: str) -> float:
    """Return one sample of a scrape; 0 where there is none."""
    return sum(
        found.value
        for family in text_string_to_metric_families(scrape(port))
        for found in family.samples
        if found.name == sample and labels.items() <= found.labels.items()
    )


def until(port: int, expected: float, sample: str, **labels: str) -> None:
    """Wait until a sample has a value: what a request did is counted after its answer has left."""
    waiting = threading.Event()
    for _ in range(200):
        if value(port, sample, **labels) == expected:
            return
        waiting.wait(0.01)
    assert value(port, sample, **labels) == expected


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_no_complaint(port: int) -> None:
    httpx.post(f"http://127.0.0.1:{port}/predict", json=QUESTION)
    found = subprocess.run(
        ["promtool", "check", "metrics"],
        input=scrape(port),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_callers_cannot_invent_label_values(port: int) -> None:
    for i in range(20):
        httpx.get(f"http://127.0.0.1:{port}/nowhere/{i}")
        httpx.request(f"BREW{i}", f"http://127.0.0.1:{port}/health")
    text = scrape(port)

    assert "nowhere" not in text
    assert "BREW" not in text
    assert value(port, "bellwether_http_requests_total", route="unmatched") >= 20


def test_a_request_is_measured_once(port: int) -> None:
    names = {
        "bellwether_http_requests_total": {"route": "/predict", "status": "2xx"},
        "bellwether_http_request_seconds_count": {"route": "/predict"},
        "bellwether_http_request_size_bytes_count": {"route": "/predict"},
        "bellwether_http_response_size_bytes_count": {"route": "/predict"},
        "bellwether_predicted_directions_total": {"direction": "up"},
        "bellwether_predictions_total": {"outcome": "degraded"},
    }
    before = {name: value(port, name, **labels) for name, labels in names.items()}
    size = value(port, "bellwether_http_response_size_bytes_sum", route="/predict")
    sizes = [
        len(httpx.post(f"http://127.0.0.1:{port}/predict", json=QUESTION).content) for _ in range(3)
    ]

    for name, labels in names.items():
        until(port, before[name] + 3, name, **labels)
    until(port, size + sum(sizes), "bellwether_http_response_size_bytes_sum", route="/predict")


def test_refusals_are_counted_by_reason(port: int) -> None:
    address = f"http://127.0.0.1:{port}"
    before = {
        reason: value(port, "bellwether_http_refused_total", reason=reason)
        for reason in ("wrong-host", "malformed-request", "no-such-route")
    }
    httpx.get(f"{address}/health", headers={"host": "elsewhere"})
    httpx.post(f"{address}/predict", content=b"{", headers={"content-type": "application/json"})
    httpx.get(f"{address}/nowhere")

    for reason, count in before.items():
        until(port, count + 1, "bellwether_http_refused_total", reason=reason)


def test_open_connections_are_counted(port: int) -> None:
    with httpx.Client() as first, httpx.Client() as second:
        for client in (first, second):
            client.get(f"http://127.0.0.1:{port}/health")
        until(port, 3.0, "bellwether_http_connections_open")  # the scrape's own is one
    until(port, 1.0, "bellwether_http_connections_open")


def test_a_total_is_told_by_label_values() -> None:
    before = telemetry.total(telemetry.INGESTED_ROWS).get(("added",), 0.0)
    telemetry.INGESTED_ROWS.labels("added").inc(3)

    assert telemetry.total(telemetry.INGESTED_ROWS)[("added",)] == before + 3
    assert set(telemetry.total(telemetry.LOG_ROWS)) == {()}


SHARING = """
import subprocess, sys
from bellwether import telemetry
telemetry.LOG_ROWS.inc(float(sys.argv[1]))
telemetry.SERVED_SYMBOLS.set(float(sys.argv[1]))
telemetry.announce()
if len(sys.argv) > 2:
    subprocess.run([sys.executable, "-c", sys.argv[2], "1000"], check=True)
print(telemetry.total(telemetry.LOG_ROWS)[()])
"""


def sharing(folder: Path, amount: int, *child: str) -> float:
    """Count in a process whose files lie in `folder`; return what it says all counted."""
    folder.mkdir(exist_ok=True, parents=True)
    found = subprocess.run(
        [sys.executable, "-c", SHARING, str(amount), *child],
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(found.stdout.split()[-1])


def test_a_replaced_worker_goes_on_counting_in_the_same_files(tmp_path: Path) -> None:
    totals = [sharing(tmp_path / name, 1) for name in ("a", "b", "a", "a")]

    assert totals == [1, 2, 3, 4]
    assert len(list(tmp_path.glob("*/counter_*.db"))) == 2


def test_what_a_worker_starts_does_not_write_over_its_numbers(tmp_path: Path) -> None:
    assert sharing(tmp_path / "a", 1, SHARING) == 1001


SETTINGS = Settings(database_url="postgresql://us:hunt%21er@db/x", s3_secret_key='k3y"s')  # noqa: S106


@pytest.mark.parametrize(
    ("setting", "address", "hidden"),
    [
        ("database_url", "postgresql+psycopg://user:p%40ss@host/name", {"p%40ss", "p@ss"}),
        ("database_url", "postgresql://host/name?user=u&password=a%21b", {"a%21b", "a!b"}),
        ("database_url", "sqlite:////tmp/file.db", set()),
        ("redis_url", "rediss://:word@host:6379/0", {"word"}),
        ("mlflow_uri", "https://user:word@host", {"word"}),
        ("database_url", "postgresql://[broken:word@host", {"postgresql://[broken:word@host"}),
        ("s3_access_key", "AKIA", {"AKIA"}),
        ("s3_secret_key", "abc/def", {"abc/def"}),
    ],
)
def test_settings_say_what_must_not_be_shown(setting: str, address: str, hidden: set[str]) -> None:
    told = set(Settings(**{setting: address}).secrets)

    assert hidden <= told
    assert bool(told) == bool(hidden)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Catch the log of the process, as JSON lines without these secrets."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    telemetry.configure("json", stream=stream, secrets=SETTINGS.secrets)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(log: io.StringIO) -> list[dict[str, object]]:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return [json.loads(line, parse_constant=refuse) for line in log.getvalue().splitlines()]


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=8)
    | st.text(st.characters(exclude_categories=()), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)


@contextmanager
def alone() -> Iterator[io.StringIO]:
    """Give a logger called `alone` the handler that `configure` makes, and nobody else."""
    stream, root, logger = io.StringIO(), logging.getLogger(), logging.getLogger("alone")
    handlers, level = list(root.handlers), root.level
    telemetry.configure("json", stream=stream)
    logger.handlers[:] = root.handlers
    logger.propagate = False
    root.handlers[:] = handlers
    yield stream
    logger.handlers.clear()
    root.setLevel(level)
    structlog.reset_defaults()


@given(value=ANYTHING, text=st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_value_makes_one_valid_line(value: object, text: str) -> None:
    with alone() as stream:
        telemetry.get_logger("alone").info(text, value=value)

    (line,) = lines(stream)
    stream.getvalue().encode()
    assert {"event", "value", "pid"} <= set(line)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError


def test_lines_survive_what_cannot_be_shown() -> None:
    circle: list[object] = []
    circle.append(circle)
    with alone() as stream:
        logger = telemetry.get_logger("alone")
        logger.info("odd", value=Hostile(), circle=circle, big=10**5000, text="a\nb\u2028c\ud800d")
        logging.getLogger("alone").info("not %d", "a number")

    odd, failed = lines(stream)
    assert odd["value"] == "<Hostile that cannot be shown>"
    assert odd["text"] == "a\nb\u2028c\N{REPLACEMENT CHARACTER}d"
    assert (failed["event"], failed["logger"]) == ("log_line_failed", "alone")


def test_secrets_never_reach_the_log(log: io.StringIO) -> None:
    logger = telemetry.get_logger("bellwether.tests")
    logging.getLogger("library").warning("connect postgresql://us:hunt%%21er@db/x as %s", "hunt!er")
    logger.info("nested", value={"a": ["hunt!er", {'k3y"s': 'k3y"s'}]})
    try:
        int("hunt!er")
    except ValueError:
        logger.exception("failed")

    text = log.getvalue()
    assert len(lines(log)) == 3
    assert "hunt!er" not in text
    assert "hunt%21er" not in text
    assert "k3y" not in text
    assert "[hidden]" in text


class Chatty(FakeService):
    """Logs from wherever it is called: the event loop, or a thread of the pool."""

    def health(self) -> dict[str, object]:
        telemetry.get_logger("bellwether.tests").info("in_thread")
        return super().health()

    async def answer(self, request):  # noqa: ANN001, ANN201
        await asyncio.sleep(0)
        telemetry.get_logger("bellwether.tests").info("on_loop")
        return await super().answer(request)


def test_each_line_of_a_request_carries_its_id_and_the_process(log: io.StringIO) -> None:
    with served(Chatty()) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for i in range(5):
            client.get("/health", headers={"x-request-id": f"thread-{i}"})
            client.post("/predict", json=QUESTION, headers={"x-request-id": f"loop-{i}"})

    told = [line for line in lines(log) if line["event"] in {"in_thread", "on_loop"}]
    assert [line["request_id"] for line in told] == [
        name for i in range(5) for name in (f"thread-{i}", f"loop-{i}")
    ]
    assert len({line["pid"] for line in told}) == 1


def test_lines_are_counted_by_level(log: io.StringIO) -> None:
    before = telemetry.total(telemetry.LOG_LINES)
    telemetry.get_logger("bellwether.tests").error("wrong")
    after = telemetry.total(telemetry.LOG_LINES)

    assert len(lines(log)) == 1
    assert {k for k in after if after[k] != before[k]} == {("error",)}
