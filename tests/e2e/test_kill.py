"""The server is killed under load; what it acknowledged has to be there."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.program import Server

from bellwether.bootstrap import bootstrap
from bellwether.core.ports import SourceQuery
from bellwether.pipelines import ingest, materialize, replay, train
from bellwether.settings import Settings

ROUNDS = 20
CLIENTS = 4
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home")
    ports = bootstrap(Settings(home=place)).ports
    ingest.run(ingest.IngestConfig("sample", SourceQuery()), ports)
    materialize.run(ports)
    train.run(train.TrainConfig(model="linear", each=False, test_sessions=1500), ports)
    ports.log.close()
    return place


def ask(port: int, stop: threading.Event, acknowledged: list[str], symbols: Iterator[str]) -> None:
    """Predict over one connection until the server is gone; note what was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    while not stop.is_set():
        try:
            body = json.dumps({"symbol": next(symbols)})
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            break
        if answer.status == 200:
            acknowledged.append(content["prediction_id"])
    connection.close()


def rotating(start: int) -> Iterator[str]:
    i = start
    while True:
        yield SYMBOLS[i % len(SYMBOLS)]
        i += 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_acknowledged_prediction_is_lost(home: Path) -> None:
    rng = np.random.default_rng(0)
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        server = Server(BELLWETHER_HOME=str(home))
        stop, begun = threading.Event(), len(acknowledged)
        clients = [
            threading.Thread(target=ask, args=(server.port, stop, acknowledged, rotating(i)))
            for i in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        wanted = begun + int(rng.integers(20, 300))
        deadline = time.monotonic() + 60
        while len(acknowledged) < wanted and time.monotonic() < deadline:
            stop.wait(0.002)
        server.kill()
        stop.set()
        for client in clients:
            client.join()
        assert len(acknowledged) >= wanted

    ports = bootstrap(Settings(home=home)).ports
    lost = [p for p in acknowledged if ports.log.get(p) is None]

    assert lost == []
    assert ports.log.count() >= len(acknowledged)
    assert replay.run(ports, limit=1000).mismatches == ()
