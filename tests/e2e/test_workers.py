"""Several processes behind one port: what they count together, and what happens when they die."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bellwether.bootstrap import bootstrap
from bellwether.core.ports import Ports, ReleaseRow, RunRow, SourceQuery
from bellwether.features.catalog import technical
from bellwether.pipelines import ingest, materialize, train
from bellwether.pipelines.dataset import build
from bellwether.pipelines.pack import pack
from bellwether.settings import Settings

WORKERS = 3
CLIENTS = 8
EACH = 40
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
WAIT_S = 60.0


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    waiting = threading.Event()
    for _ in range(int(WAIT_S / 0.02)):
        if true():
            return
        waiting.wait(0.02)
    pytest.fail("it did not come about")


def lives(pid: int) -> bool:
    """Say whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def release(ports: Ports) -> None:
    """Release a model that needs no training."""
    mark, symbols = ports.lake.watermark(), tuple(ports.lake.symbols())
    assert mark is not None
    question = {**asdict(train.TrainConfig()), "watermark": mark.isoformat()}
    data = build(symbols, technical(), 1, mark, ports)
    made = pack("historical_mean", "panel", data, None, question, ports)
    now = ports.wall.now()
    row = ReleaseRow(made.release_id, "run", now, "historical_mean", "panel", 1, symbols)
    ports.ledger.record_run(RunRow("run", "key", now, now, mark, "{}", "{}"), [row])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home")
    wired = bootstrap(Settings(home=place))
    ingest.run(ingest.IngestConfig("sample", SourceQuery()), wired.ports)
    materialize.run(wired.ports)
    release(wired.ports)
    wired.close()
    return place


@dataclass
class Server:
    """A server of several workers, and where its log goes."""

    process: "subprocess.Popen[str]"
    port: int
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def scrape(self) -> str:
        return httpx.get(f"{self.address}/metrics", timeout=30).text

    def value(self, sample: str, **labels: str) -> float:
        return sum(
            found.value
            for family in text_string_to_metric_families(self.scrape())
            for found in family.samples
            if found.name == sample and labels.items() <= found.labels.items()
        )

    def answered(self) -> float:
        return self.value("bellwether_http_requests_total", route="/predict", status="2xx")

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[Server]:
    """Start a server; it has to say where it serves."""
    with log.open("w") as err:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=-1, stderr=err, text=True
        )
    try:
        assert process.stdout is not None
        told = re.search(r":(\d+)$", process.stdout.readline().strip())
        assert told, log.read_text()
        yield Server(process, int(told[1]), log)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "bellwether", "serve", "--port", "0"]
    environment = {
        "BELLWETHER_HOME": str(home),
        "BELLWETHER_LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "",
    }
    with running([*command, "--server-workers", str(WORKERS)], environment, home / "log") as found:
        yield found
        found.process.send_signal(signal.SIGTERM)
        assert found.process.wait(WAIT_S) == 0
        assert not list(home.glob("run/*"))


def load(server: Server) -> list[int]:
    """Ask from several clients at once, each over connections of its own; return the statuses."""
    statuses: list[int] = []

    def ask() -> None:
        for i in range(EACH // 10):
            with httpx.Client(base_url=server.address, timeout=30) as client:
                for n in range(10):
                    body = {"symbol": SYMBOLS[(i + n) % len(SYMBOLS)]}
                    statuses.append(client.post("/predict", json=body).status_code)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return statuses


@pytest.mark.timeout(120)
def test_workers_count_together_what_each_of_them_answered(server: Server) -> None:
    before = server.answered()
    statuses = load(server)

    assert statuses == [200] * CLIENTS * EACH
    until(lambda: server.answered() - before >= len(statuses))
    assert server.answered() - before == len(statuses)
    assert server.value("bellwether_server_workers") == WORKERS
    assert server.value("bellwether_served_symbols") == len(SYMBOLS)
    assert server.value("bellwether_build_info") == 1
    assert server.value("bellwether_http_requests_in_flight") == 1  # the scrape itself
    shares = {
        found.labels["worker"]
        for family in text_string_to_metric_families(server.scrape())
        for found in family.samples
        if found.name == "process_cpu_seconds_total"
    }
    assert shares == {"supervisor", *(f"worker-{n + 1}" for n in range(WORKERS))}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_no_complaint(server: Server) -> None:
    text = server.scrape()
    found = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert len(re.findall(r"^# TYPE bellwether_", text, re.MULTILINE)) >= 48


@pytest.mark.timeout(120)
def test_a_killed_worker_is_replaced_and_no_count_goes_back(server: Server) -> None:
    before = server.answered()
    victim = children(server.process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: server.value("bellwether_worker_restarts_total", cause="signal") == 1)

    assert server.answered() == before
    until(lambda: server.value("bellwether_server_workers") == WORKERS)
    assert victim not in children(server.process.pid)
    assert server.answered() == before
    statuses = load(server)
    until(lambda: server.answered() == before + statuses.count(200))
    died = [line for line in server.lines() if line["event"] == "worker_died"]
    assert [(line["worker_pid"], line["why"]) for line in died] == [(victim, "SIGKILL")]


def test_each_line_of_a_request_names_it_and_its_process(server: Server) -> None:
    ids = [f"wanted-{n}" for n in range(30)]
    for name in ids:  # a connection each, so that several workers take part
        httpx.post(
            f"{server.address}/predict", json={"symbol": "NOPE"}, headers={"x-request-id": name}
        )
    until(lambda: len([x for x in server.lines() if x.get("request_id") in ids]) == len(ids))

    told = [line for line in server.lines() if line.get("request_id") in ids]
    assert {line["status"] for line in told} == {404}
    assert {line["pid"] for line in told} <= set(children(server.process.pid))


SUPERVISE = """
import os, sys
from pathlib import Path
from bellwether import telemetry
from bellwether.api.server import listen
from bellwether.api.workers import Supervisor
folder, count, program = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
telemetry.configure("json")
listener = listen("127.0.0.1", 0)
def command(fd, link):
    return (sys.executable, "-c", program, str(fd), str(link), str(folder))
folder_of_metrics = folder / "run" / f"metrics-{os.getpid()}"
supervisor = Supervisor(listener, count, command, dict(os.environ), folder_of_metrics)
port = listener.getsockname()[1]
sys.exit(supervisor.run(lambda: print(f"serving on :{port}", flush=True)))
"""
FAKE = """
import sys
from bellwether import telemetry
from bellwether.api.app import create_app
from bellwether.api.workers import Worker
from tests.fake_service import FakeService
telemetry.configure("json")
Worker(int(sys.argv[1]), int(sys.argv[2])).run(create_app(FakeService()))
"""
FALLING = """
import socket, sys, time
from pathlib import Path
starts = Path(sys.argv[3], "starts")
with starts.open("a") as file:
    file.write(f"{time.monotonic()}\\n")
link = socket.socket(fileno=int(sys.argv[2]))
link.sendall(b"ready\\n")
sys.exit(3)
"""
DEAF = """
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
link = socket.socket(fileno=int(sys.argv[2]))
link.sendall(b"ready\\n")
link.recv(1)
"""


def supervised(folder: Path, program: str, count: int = 2) -> list[str]:
    return [sys.executable, "-c", SUPERVISE, str(folder), str(count), program]


@pytest.mark.timeout(60)
def test_without_their_supervisor_workers_end_and_free_the_port(tmp_path: Path) -> None:
    with running(supervised(tmp_path, FAKE), {}, tmp_path / "log") as server:
        workers = children(server.process.pid)
        assert httpx.get(f"{server.address}/health").status_code == 200
        server.process.kill()
        until(lambda: not any(lives(pid) for pid in workers))

    with socket.create_server(("127.0.0.1", server.port)):
        pass


@pytest.mark.timeout(60)
def test_a_worker_that_falls_again_and_again_is_replaced_ever_later(tmp_path: Path) -> None:
    with running(supervised(tmp_path, FALLING, 1), {}, tmp_path / "log"):
        until(lambda: len((tmp_path / "starts").read_text().splitlines()) >= 5)

    starts = [float(line) for line in (tmp_path / "starts").read_text().splitlines()[:5]]
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert all(pause >= 0.1 * 2**n for n, pause in enumerate(pauses))


@pytest.mark.timeout(60)
def test_workers_that_cannot_start_end_the_server_with_their_status(tmp_path: Path) -> None:
    found = subprocess.run(
        supervised(tmp_path, "raise SystemExit(2)"), capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stdout) == (2, "")
    assert "worker_did_not_start" in found.stderr


@pytest.mark.timeout(60)
def test_a_second_signal_ends_workers_that_do_not_listen(tmp_path: Path) -> None:
    with running(supervised(tmp_path, DEAF), {}, tmp_path / "log") as server:
        workers = children(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: any(line["event"] == "stopping" for line in server.lines()))
        server.process.send_signal(signal.SIGINT)

        assert server.process.wait(WAIT_S) == 1
        assert not any(lives(pid) for pid in workers)
