"""An ingestion killed anywhere leaves nothing half done, and the next one completes it."""

import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bellwether.lake.delta import DeltaLake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 20
CHILD = """
import sys
from pathlib import Path
from bellwether.bootstrap import bootstrap
from bellwether.core.ports import SourceQuery
from bellwether.pipelines.ingest import IngestConfig, run
from bellwether.settings import Settings

wired = bootstrap(Settings(home=Path(sys.argv[1]), clock="system"))
print("ready", flush=True)
sys.stdin.readline()
run(IngestConfig("files", SourceQuery(path=sys.argv[2])), wired.ports)
wired.close()
"""


def child(home: Path, path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str], kill_after_s: float | None = None) -> int:
    """Let a child begin, perhaps to be killed, and wait for its end."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    killer = None
    if kill_after_s is not None:
        killer = threading.Timer(kill_after_s, process.send_signal, [signal.SIGKILL])
        killer.start()
    process.wait()
    if killer is not None:
        killer.cancel()
    process.communicate()
    return process.returncode


def tables(home: Path) -> list[pl.DataFrame]:
    """Everything that the lake tells, without the instants at which it was brought in."""
    lake = DeltaLake(str(home / "lake"))
    found = (lake.bars(), lake.actions(), lake.universe(), lake.quotes(), lake.quarantine())
    return [frame.drop("ingested_at") for frame in found]


def written(place: Path) -> Path:
    """Write bars of forty symbols over twenty-five years, splits and faulty rows among them."""
    lines = ["Date,Symbol,Open,High,Low,Close,Volume,Split,Dividend"]
    start = datetime(1999, 1, 4, tzinfo=UTC).date()
    for s in range(40):
        for week in range(1_300):
            day = start + timedelta(weeks=week)
            low = 8 if (s + week) % 97 else 12
            split = 2 if week % 500 == 499 else 1
            paid = 0.25 if week % 13 == 12 else 0
            lines.append(f"{day},S{s:02d},10,11,{low},10.5,{1000 + week},{split},{paid}")
    path = place / "prices.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_ingestions_killed_at_random_points_end_as_an_undisturbed_one(tmp_path: Path) -> None:
    path = written(tmp_path)
    undisturbed = tmp_path / "undisturbed"
    process = child(undisturbed, path)
    begun = time.monotonic()
    assert go(process) == 0
    whole_s = time.monotonic() - begun
    expected = tables(undisturbed)
    assert [frame.height > 0 for frame in expected] == [True, True, False, False, True]
    dice = np.random.default_rng(20)
    killed = 0
    for i in range(KILLS):
        home = tmp_path / f"home{i}"
        killed += go(child(home, path), float(dice.uniform(0, whole_s))) == -signal.SIGKILL
        half_way = tables(home)
        assert all(
            now.height == 0 or now.equals(then)
            for now, then in zip(half_way, expected, strict=True)
        ), "all of it or nothing, in every table"
        assert go(child(home, path)) == 0
        assert all(now.equals(then) for now, then in zip(tables(home), expected, strict=True))
        lake = DeltaLake(str(home / "lake"))
        lake.compact(datetime.now(UTC) + timedelta(days=2))
        assert all(now.equals(then) for now, then in zip(tables(home), expected, strict=True))
    assert killed >= KILLS // 2
