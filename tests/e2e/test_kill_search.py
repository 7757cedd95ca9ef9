"""A search of 50 trials is killed and goes on: the same trials, the same best, the same release."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRAIN = ["train", "--model", "ridge", "--no-each", "--search", "bayes", "--trials", "50", "--json"]
COMMAND = [sys.executable, "-m", "bellwether"]


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"BELLWETHER_HOME": str(home), "PATH": "/usr/bin:/bin", **more}


def bellwether(home: Path, *arguments: str, **more: str) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def trained(home: Path, **more: str) -> tuple[dict[str, Any], bytes, object]:
    """Return what was searched, the model and its record; a release's name holds its watermark."""
    told = json.loads(bellwether(home, *TRAIN, **more))["outcome"]
    release = home / "releases" / told["releases"]["panel"]
    return told["search"], (release / "model.onnx").read_bytes(), told["table"]


def test_a_killed_search_ends_the_same(tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    for home in (alone, killed):
        bellwether(home, "ingest", "sample")
    wanted = trained(alone, BELLWETHER_WORKERS="2")

    def ended() -> int:
        return len(list((killed / "work").glob("search-*/*-trial-*.json")))

    for goal in (20, 130, 300):
        process = subprocess.Popen(
            [*COMMAND, *TRAIN],
            env=environment(killed),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda goal=goal: ended() >= goal, "trials to end", 150)
        process.kill()
        process.wait(30)
    assert ended() < 450

    assert trained(killed) == wanted
    scopes = wanted[0]["chosen"]  # each training set, and all rows
    told = json.loads(bellwether(killed, "trials", "list", "--limit", "1000", "--json"))
    assert told["trials"] == 50 * len(scopes) + 2  # and ridge and linear on the panel
