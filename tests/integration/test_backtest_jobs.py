"""Backtests asked for over HTTP: kept, worked on elsewhere, followed, cancelled, read."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.served import served
from tests.waiting import until

from bellwether.bootstrap import Wired, bootstrap
from bellwether.core.ports import SourceQuery
from bellwether.inference.service import PredictionService
from bellwether.pipelines import backtest_job, ingest
from bellwether.settings import Settings

ASKED = {
    "symbols": ["AAPL", "IBM"],
    "model": "linear",
    "first": "2003-01-01",
    "last": "2005-12-31",
    "what_if": False,
    "ages": 1,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    wired = bootstrap(Settings(home=home))
    ingest.run(ingest.IngestConfig("sample", SourceQuery()), wired.ports)
    wired.close()
    return home


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[httpx.Client]:
    wired = bootstrap(Settings(home=home))
    with (
        served(PredictionService(wired.ports)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client
    wired.close()


@pytest.fixture
def worker(home: Path) -> Iterator[Wired]:
    wired = bootstrap(Settings(home=home))
    wired.ports.jobs.register(backtest_job.kind(wired.ports))
    with wired.ports.jobs.working(lambda _: False):
        yield wired
    wired.close()


def state(client: httpx.Client, job: str) -> dict[str, Any]:
    answer = client.get(f"/backtest/jobs/{job}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_backtest_is_kept_done_and_read(client: httpx.Client, worker: Wired) -> None:
    answer = client.post("/backtest", json=ASKED)
    assert answer.status_code == 202, answer.text
    job = answer.json()["job_id"]
    assert answer.headers["location"] == f"/backtest/jobs/{job}"

    done = worker.ports.jobs.wait(job, 120)
    found = state(client, job)

    assert done.state == found["state"] == "done", found
    assert found["progress"] == {"what": "Trading", "done": 1, "of": 1}
    assert found["result"]["summary"]["symbols"] == 2
    backtest_id = found["result"]["backtest_id"]
    report = client.get(f"/backtests/{backtest_id}").json()
    assert report["result_hash"] == found["result"]["result_hash"]
    assert report["config"]["symbols"] == ["AAPL", "IBM"]
    page = client.get(f"/backtests/{backtest_id}/report")
    assert page.headers["content-type"].startswith("text/html")
    assert "sandbox" in page.headers["content-security-policy"]
    assert page.text.lower().startswith("<!doctype html>")
    (listed,) = client.get("/backtests").json()["backtests"]
    assert listed["backtest_id"] == backtest_id
    again = client.post("/backtest", json=ASKED).json()["job_id"]
    assert worker.ports.jobs.wait(again, 120).result["backtest_id"] == backtest_id  # type: ignore[index, call-overload]


def test_without_a_worker_it_waits_and_says_so(client: httpx.Client) -> None:
    job = client.post("/backtest", json={**ASKED, "seed": 5}).json()["job_id"]
    found = state(client, job)
    assert found["state"] == "waiting"
    assert "bellwether jobs work" in found["note"]
    gone = client.delete(f"/backtest/jobs/{job}").json()
    assert gone["state"] == "cancelled"
    assert client.delete(f"/backtest/jobs/{job}").json()["state"] == "cancelled"


def test_one_under_way_is_cancelled_between_periods(
    client: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bellwether.pipelines import folds

    reached, go_on = threading.Event(), threading.Event()
    fit = folds.fitted

    def slow(*given: Any) -> Any:
        reached.set()
        go_on.wait(60)
        return fit(*given)

    monkeypatch.setattr(folds, "fitted", slow)
    wired = bootstrap(Settings(home=home))
    wired.ports.jobs.register(backtest_job.kind(wired.ports))
    with wired.ports.jobs.working(lambda _: False):
        job = client.post("/backtest", json={**ASKED, "seed": 6}).json()["job_id"]
        assert reached.wait(60)
        assert state(client, job)["progress"]["what"] == "Walking forward"
        assert client.delete(f"/backtest/jobs/{job}").json()["state"] == "cancelled"
        go_on.set()
        until(lambda: not folds_under_way(wired, job), "it to stop", 60)
    assert state(client, job)["state"] == "cancelled"
    assert state(client, job)["result"] is None
    wired.close()


def folds_under_way(wired: Wired, job: str) -> bool:
    run = wired.ports.jobs.get(job)
    assert run is not None
    return run.state.value != "cancelled"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"symbols": ["NOPE"]}, 404),
        ({"model": "oracle"}, 404),
        ({"horizon_sessions": 0}, 422),
        ({"first": "soon"}, 422),
        ({"step": "1w"}, 422),
        ({"colour": "blue"}, 422),
        ({"workers": 8}, 422),
        ({"dask": "tcp://10.0.0.1:8786"}, 422),
        ({"capital_usd": 1e400}, 400),
        ([1], 400),
    ],
)
def test_what_cannot_be_asked_is_refused_at_the_door(
    client: httpx.Client, body: Any, status: int
) -> None:
    raw = json.dumps(body).replace("Infinity", "1e400")
    answer = client.post("/backtest", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_other_bad_requests(client: httpx.Client) -> None:
    kind = {"content-type": "application/json"}
    assert client.post("/backtest", content=b"{", headers=kind).status_code == 400
    assert client.post("/backtest", content=b"\xff", headers=kind).status_code == 400
    assert client.post("/backtest", content=b"{}").status_code == 415
    assert client.post("/backtest", content=b" " * 200_000, headers=kind).status_code == 413
    assert client.get("/backtest/jobs/nobody").status_code == 404
    assert client.delete("/backtest/jobs/nobody").status_code == 404
    assert client.get("/backtests/nobody").status_code == 404
    assert client.get("/backtests/no%2Fbody").status_code in {404, 422}
    assert client.get("/backtests/nobody/report").status_code == 404
    assert client.get("/backtests?limit=0").status_code == 422
