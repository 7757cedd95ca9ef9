"""A long walk-forward is killed again and again; it ends with the result of one that was left alone."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.program import Program, Server
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ASKED = ["--model", "lightgbm", "--from", "2003-01-01", "--to", "2012-12-31", "--step", "6m"]
PERIODS = 20
KILLS = 4


def bellwether(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bellwether", *arguments],
        env={"BELLWETHER_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )


def folds_done(home: Path) -> int:
    return len(list((home / "work").glob("folds-*/fold-????.arrow")))


def left_alone(home: Path) -> str:
    bellwether(home, "ingest", "sample")
    told = bellwether(home, "backtest", *ASKED, "--no-what-if", "--json")
    return str(json.loads(told.stdout)["result_hash"])


def test_a_killed_backtest_ends_the_same(tmp_path: Path) -> None:
    wanted = left_alone(tmp_path / "alone")
    home = tmp_path / "killed"
    bellwether(home, "ingest", "sample")
    command = [sys.executable, "-m", "bellwether", "backtest", *ASKED, "--no-what-if", "--json"]
    seen = []
    for kill in range(KILLS):
        process = subprocess.Popen(
            command,
            env={"BELLWETHER_HOME": str(home), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        goal = (kill + 1) * PERIODS // (KILLS + 1)
        until(lambda goal=goal: folds_done(home) >= goal, "periods to be done", 120)
        process.kill()
        process.wait(30)
        seen.append(folds_done(home))
    assert seen == sorted(seen)
    assert seen[-1] < PERIODS

    told = json.loads(bellwether(home, *command[3:]).stdout)
    assert told["result_hash"] == wanted
    assert len(told["folds"]) == PERIODS == folds_done(home)


def test_a_job_outlives_its_worker_and_the_server(tmp_path: Path) -> None:
    wanted = left_alone(tmp_path / "alone")
    home = tmp_path / "home"
    bellwether(home, "ingest", "sample")
    environment = {"BELLWETHER_HOME": str(home)}
    body = {
        "model": "lightgbm",
        "first": "2003-01-01",
        "last": "2012-12-31",
        "step": "6m",
        "what_if": False,
    }
    with httpx.Client(trust_env=False) as client:
        server = Server(**environment)
        job = client.post(f"{server.url}/backtest", json=body).json()["job_id"]
        server.kill()
        worker = Program("working on jobs", "jobs", "work", **environment)
        until(lambda: folds_done(home) >= PERIODS // 3, "periods to be done", 120)
        worker.kill()
        worker = Program("working on jobs", "jobs", "work", **environment)
        server = Server(**environment)
        where = f"{server.url}/backtest/jobs/{job}"
        until(lambda: client.get(where).json()["state"] == "done", "the job to end", 180)
        found = client.get(where).json()
        worker.stop()
        server.stop()
    assert found["result"]["result_hash"] == wanted
