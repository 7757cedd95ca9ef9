"""PostgreSQL, Redis and the worker are killed under load; what was acknowledged has to be there."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import httpx
import pytest
from tests import servers
from tests.program import Program, Server
from tests.waiting import until

from bellwether.bootstrap import Wired, bootstrap
from bellwether.core.ports import SourceQuery
from bellwether.pipelines import ingest, materialize, replay, train
from bellwether.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
CLIENTS = 6
JSON_TYPE = {"Content-Type": "application/json"}


@dataclass
class Stack:
    """PostgreSQL and Redis with fsync on, and a home trained on them."""

    postgres: servers.Postgres
    redis: servers.Redis
    environment: dict[str, str]
    settings: Settings


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("home")
    with (
        servers.postgres(durable=True) as postgres,
        servers.redis_server(durable=True) as redis,
    ):
        settings = Settings(home=home, database_url=postgres.fresh(), redis_url=redis.url)
        wired = bootstrap(settings)
        ingest.run(ingest.IngestConfig("sample", SourceQuery()), wired.ports)
        materialize.run(wired.ports)
        asked = train.TrainConfig(model="linear", each=False, test_sessions=1500)
        train.run(asked, wired.ports)
        wired.close()
        environment = {
            "BELLWETHER_HOME": str(home),
            "BELLWETHER_DATABASE_URL": settings.database_url,
            "BELLWETHER_REDIS_URL": settings.redis_url,
            "BELLWETHER_REFRESH_S": "0.5",
        }
        yield Stack(postgres, redis, environment, settings)


@dataclass
class Load:
    """Clients that ask until stopped, and what each of them saw."""

    port: int
    later: bool = False
    acknowledged: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._numbers = count()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {**JSON_TYPE, **({"Prefer": "respond-async"} if self.later else {})}
        while not self.stop.is_set():
            body = json.dumps({"symbol": SYMBOLS[next(self._numbers) % len(SYMBOLS)]})
            begun = time.monotonic()
            connection.request("POST", "/predict", body, headers)
            answer = connection.getresponse()
            content = json.loads(answer.read())
            self.waits.append(time.monotonic() - begun)
            if answer.status in (200, 202):
                self.acknowledged.append(content["prediction_id"])
                away = "online_store_away" in content.get("degraded", ())
                self.seen[f"{answer.status}{' degraded' if away else ''}"] += 1
            else:
                kind = content["type"].rpartition("-")[2]
                after = answer.headers.get("retry-after")
                self.seen[f"{answer.status} {kind}, retry after {after}"] += 1
                self.stop.wait(0.01)
        connection.close()

    def more(self, outcome: str, n: int = 30) -> None:
        """Wait for `n` more outcomes of a kind."""
        wanted = self.seen[outcome] + n
        until(lambda: self.seen[outcome] >= wanted, f"{n} more of {outcome!r}: {self.seen}")

    def end(self) -> None:
        """Stop the clients."""
        self.stop.set()
        for thread in self._threads:
            thread.join()


def lost(wired: Wired, acknowledged: list[str]) -> list[str]:
    return [p for p in acknowledged if wired.ports.log.get(p) is None]


def report(name: str, load: Load, recoveries: list[float]) -> None:
    waits = sorted(load.waits)
    print(  # noqa: T201 - shown with -s: these are the figures of the docs
        f"\n{name}: {len(load.acknowledged)} acknowledged, seen {dict(load.seen)}, "
        f"recovered after {[round(s, 2) for s in recoveries]} s, "
        f"longest wait {waits[-1]:.2f} s, median {waits[len(waits) // 2] * 1e3:.1f} ms"
    )


def test_killing_postgresql_loses_nothing_acknowledged(stack: Stack) -> None:
    server = Server(**stack.environment, BELLWETHER_WRITE_DEADLINE_S="1.5")
    load = Load(server.port)
    recoveries = []
    for _ in range(5):
        load.more("200")
        stack.postgres.kill()
        load.more("503 unavailable, retry after 2", 10)
        assert httpx.get(f"{server.url}/health").status_code == 503
        stack.postgres.start()
        begun = time.monotonic()
        load.more("200", 1)
        recoveries.append(time.monotonic() - begun)
    load.more("200")
    load.end()
    server.stop()

    wired = bootstrap(stack.settings)
    assert set(load.seen) == {"200", "503 unavailable, retry after 2"}
    assert lost(wired, load.acknowledged) == []
    assert replay.run(wired.ports, limit=300).mismatches == ()
    assert max(recoveries) < 10
    report("PostgreSQL killed 5 times", load, recoveries)
    wired.close()


def test_killing_redis_is_told_and_stops_nothing(stack: Stack) -> None:
    server = Server(**stack.environment)
    load = Load(server.port)
    recoveries = []
    for _ in range(5):
        load.more("200")
        stack.redis.kill()
        load.more("200 degraded")
        told = httpx.get(f"{server.url}/health").json()
        assert (told["status"], told["components"]["redis"]["status"]) == ("degraded", "down")
        stack.redis.start()
        begun = time.monotonic()
        load.more("200", 1)
        recoveries.append(time.monotonic() - begun)
    load.end()
    until(lambda: httpx.get(f"{server.url}/health").json()["status"] == "healthy", "health")
    server.stop()

    wired = bootstrap(stack.settings)
    assert set(load.seen) == {"200", "200 degraded"}
    assert lost(wired, load.acknowledged) == []
    assert max(recoveries) < 10
    report("Redis killed 5 times", load, recoveries)
    wired.close()


def test_requests_that_were_accepted_are_answered_whoever_dies(stack: Stack) -> None:
    server = Server(**stack.environment)
    worker = Program("working as", "worker", "--name", "w", **stack.environment)
    load = Load(server.port, later=True)
    for victim in (stack.redis, stack.postgres, stack.redis):
        load.more("202")
        worker.kill()
        victim.kill()
        load.stop.wait(0.2)
        victim.start()
        worker = Program("working as", "worker", "--name", "w", **stack.environment)
    load.more("202")
    load.end()

    wired = bootstrap(stack.settings)
    queue = wired.ports.queue
    assert queue is not None
    until(lambda: queue.counts().waiting + queue.counts().taken == 0, "the queue", wait_s=120)
    answer = httpx.get(f"{server.url}/predictions/{load.acknowledged[0]}")
    status = worker.stop()
    server.stop()

    assert status == 0
    assert queue.dead() == []
    assert lost(wired, load.acknowledged) == []
    assert answer.json()["prediction_id"] == load.acknowledged[0]
    report("worker killed 3 times, with Redis or PostgreSQL", load, [])
    wired.close()


def test_a_server_started_before_its_database_waits_for_it(stack: Stack) -> None:
    stack.postgres.kill()
    stack.redis.kill()
    server = Server(**stack.environment)
    told = httpx.get(f"{server.url}/health")
    refused = httpx.post(f"{server.url}/predict", json={"symbol": "AAPL"})
    stack.postgres.start()
    degraded = until_answered(server)
    stack.redis.start()
    until(lambda: httpx.get(f"{server.url}/health").json()["status"] == "healthy", "health")
    server.stop()

    assert told.status_code == 503
    assert told.json()["components"]["database"]["status"] == "down"
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert "online_store_away" in degraded


def until_answered(server: Server) -> list[str]:
    found: list[httpx.Response] = []

    def answered() -> bool:
        found.append(httpx.post(f"{server.url}/predict", json={"symbol": "AAPL"}))
        return found[-1].status_code == 200

    until(answered, "an answer")
    degraded: list[str] = found[-1].json()["degraded"]
    return degraded
