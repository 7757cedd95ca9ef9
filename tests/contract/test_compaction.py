"""Compaction changes no row that can be read, beside whom and wherever it is killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from tests.object_servers import S3

from bellwether.core.ports import LakeBatch
from bellwether.core.schemas import BARS_IN, UTC_TIME
from bellwether.core.types import Rejection
from bellwether.lake.delta import DeltaLake
from bellwether.links.delta import DeltaTables

NOW = datetime(2024, 1, 10, 22, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""From here every attempt that was ever begun is older than any grace."""
APPENDS = 5
SYMBOLS = ("ABC", "DEF", "GHI")

CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from bellwether.lake.delta import DeltaLake
from bellwether.links.delta import DeltaTables

place, point = sys.argv[1:3]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Tables(DeltaTables):
    def _dies(self, name):
        if point == name:
            die()

    def fence(self, name):
        self._dies("before the fence")
        super().fence(name)
        self._dies("after the fence")

    def merge(self, name, part, arranged):
        def ordered(rows):
            self._dies("before the file")
            return arranged(rows)
        done = super().merge(name, part, ordered)
        if done:
            self._dies("after a merge")
        return done

    def _file(self, *told, **more):
        made = super()._file(*told, **more)
        self._dies("before the commit")
        return made

    def sweep(self, name):
        self._dies("before the sweep")
        super().sweep(name)
        self._dies("after a sweep")

print("ready", flush=True)
sys.stdin.readline()
DeltaLake(place, tables=Tables("lake", place, None)).compact(datetime(2100, 1, 1, tzinfo=UTC))
"""
USUAL = ("after the fence", "before the commit")
OTHERS = (
    "before the fence",
    "before the file",
    "after a merge",
    "before the sweep",
    "after a sweep",
)


def told(close: float, session: date, symbol: str) -> pl.DataFrame:
    at = datetime(session.year, session.month, session.day, 21, tzinfo=UTC)
    row = dict.fromkeys(("open", "close"), close) | {"high": close + 1, "low": close - 1}
    row |= {"symbol": symbol, "session": session, "volume": 100.0, "adjustment": "none"}
    row |= {"split_ratio": 1.0, "dividend_usd": 0.25 if session.day % 2 else 0.0}
    row |= {"source": "files", "event_time": at, "knowledge_time": at}
    frame = pl.DataFrame([row | {"knowledge_basis": "session_close"}])
    return frame.with_columns(pl.col("event_time", "knowledge_time").cast(UTC_TIME)).select(
        list(BARS_IN.columns)
    )


def batch(i: int) -> LakeBatch:
    """One of several small appends, each of which changes what one before it told."""
    days = [date(2024, 1, 2) + timedelta(days=i + k) for k in range(2)]
    rows = pl.concat([told(10.0 + i, day, symbol) for day in days for symbol in SYMBOLS])
    refused = Rejection("files", f"a.csv:{i}", "high_below_low", "no", "{}")
    return LakeBatch(bars=rows, rejections=(refused,))


def filled(place: str, options: dict[str, str] | None = None) -> DeltaLake:
    lake = DeltaLake(place, options)
    for i in range(APPENDS):
        lake.append(batch(i), NOW + timedelta(days=i))
    return lake


def all_of(lake: DeltaLake) -> list[pl.DataFrame]:
    return [lake.bars(), lake.actions(), lake.quarantine()]


def same(lake: DeltaLake, before: list[pl.DataFrame]) -> bool:
    return all(a.equals(b) for a, b in zip(all_of(lake), before, strict=True))


class Dies(Exception):
    """A writer ends without its commit."""


class HalfWay(DeltaTables):
    """Tables whose writer does something else after it wrote its rows and before they count."""

    def __init__(self, place: str, then: Callable[[], None]) -> None:
        super().__init__("lake", place, None)
        self._then: Callable[[], None] | None = then

    def write(self, name: str, *more: object) -> None:
        super().write(name, *more)  # type: ignore[arg-type]
        if name.endswith("quarantine") and self._then is not None:
            then, self._then = self._then, None
            then()


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "lake")


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, place: str) -> DeltaLake:
    if request.param == "folder":
        return filled(place)
    server: S3 = request.getfixturevalue("s3")
    return filled(f"{server.fresh()}/lake", server.options)


def leave_behind(place: str) -> None:
    def die() -> None:
        raise Dies

    lake = DeltaLake(place, tables=HalfWay(place, die))
    with pytest.raises(Dies):
        lake.append(batch(50), NOW)


@contextmanager
def child(place: str, point: str = "") -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, place, point],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.communicate()


def go(*children: subprocess.Popen[str]) -> list[int]:
    for one in children:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in children:
        one.communicate()
    return [one.returncode for one in children]


def test_many_files_become_few_and_every_row_stays(lake: DeltaLake) -> None:
    before, mark = all_of(lake), lake.watermark()

    done = lake.compact(NOW)
    again = lake.compact(NOW)

    assert done.files_before == 13
    assert done.files_after == again.files_after == 5
    assert done.orphans_dropped == 0
    assert same(lake, before)
    assert lake.watermark() == mark
    assert lake.append(batch(APPENDS - 1), NOW).unchanged == 6


def test_an_empty_lake_has_nothing_to_compact(place: str) -> None:
    done = DeltaLake(place).compact(NOW)

    assert (done.files_before, done.files_after, done.orphans_dropped) == (0, 0, 0)
    assert not Path(place).exists()


def test_what_a_killed_writer_left_goes_after_a_day_and_no_sooner(place: str) -> None:
    lake = filled(place)
    before = all_of(lake)
    leave_behind(place)

    soon = lake.compact(datetime.now(UTC))
    late = lake.compact(datetime.now(UTC) + timedelta(hours=25))

    assert soon.orphans_dropped == 0
    assert late.orphans_dropped == 6 + 3 + 1
    assert same(lake, before)
    assert lake.compact(LATER).orphans_dropped == 0


def test_an_attempt_that_slept_through_a_compaction_starts_again(place: str) -> None:
    """Its rows were taken for a dead writer's; it must not make a batch count that has none."""
    lake = filled(place)
    others: list[int] = []
    tables = HalfWay(place, lambda: others.append(lake.compact(LATER).orphans_dropped))

    result = DeltaLake(place, tables=tables).append(batch(50), NOW)

    assert others == [10]
    assert (result.added, result.rejected) == (6, 1)
    assert lake.bars().filter(pl.col("ingested_at") == result.watermark).height == 6
    assert lake.compact(LATER).orphans_dropped == 0


class Slow(DeltaTables):
    """Tables whose writer does something else between its first file and the commit of it."""

    def __init__(self, place: str, then: Callable[[], object]) -> None:
        super().__init__("lake", place, None)
        self._then: Callable[[], object] | None = then
        self.files: list[str] = []

    def _file(self, *told: Any, **more: Any) -> AddAction:
        made = super()._file(*told, **more)
        self.files.append(made.path)
        if self._then is not None:
            then, self._then = self._then, None
            then()
        return made


@pytest.mark.parametrize(("stale_ms", "files"), [(3_600_000, 3), (-1, 4)])
def test_files_that_a_sweep_may_have_taken_are_written_anew(
    place: str, monkeypatch: pytest.MonkeyPatch, stale_ms: int, files: int
) -> None:
    lake = filled(place)
    monkeypatch.setattr("bellwether.links.delta.STALE_MS", stale_ms)
    tables = Slow(place, lambda: DeltaTables("lake", place, None).fence("facts/bars"))

    result = DeltaLake(place, tables=tables).append(batch(50), NOW)

    assert len(tables.files) == files
    assert (result.added, result.rejected) == (6, 1)
    assert lake.bars().filter(pl.col("ingested_at") == result.watermark).height == 6


def test_compactions_at_once_leave_each_row_once(place: str) -> None:
    lake = filled(place)
    leave_behind(place)
    before = all_of(lake)

    with child(place) as one, child(place) as two:
        codes = go(one, two)

    assert codes == [0, 0]
    assert same(lake, before)


def repeated(
    work: Callable[[], object], done: threading.Event, wrong: list[object]
) -> threading.Thread:
    """Do something over and over in a thread; keep what goes wrong."""

    def run() -> None:
        try:
            while not done.is_set():
                work()
        except Exception as error:  # noqa: BLE001 - told by the test
            wrong.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_writers_and_readers_beside_compactions_see_every_row_once(place: str) -> None:
    lake = filled(place)
    before = lake.bars()
    done = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        found = DeltaLake(place).bars().filter(pl.col("ingested_at") <= before["ingested_at"].max())
        if not found.equals(before):
            wrong.append(found)

    def compact() -> None:
        DeltaLake(place).compact(NOW)

    threads = [repeated(work, done, wrong) for work in (compact, compact, read)]
    for i in range(APPENDS, 3 * APPENDS):
        lake.append(batch(i), NOW + timedelta(days=i))
    done.set()
    for thread in threads:
        thread.join()

    undisturbed = DeltaLake(f"{place}-2")
    for i in range(3 * APPENDS):
        undisturbed.append(batch(i), NOW + timedelta(days=i))
    assert wrong == []
    assert same(lake, all_of(undisturbed))


@pytest.mark.parametrize(
    "point", [*USUAL, *(pytest.param(p, marks=pytest.mark.slow) for p in OTHERS)]
)
def test_killed_anywhere_it_loses_nothing_and_the_next_one_ends_it(place: str, point: str) -> None:
    lake = filled(place)
    leave_behind(place)
    before = all_of(lake)

    with child(place, point) as process:
        codes = go(process)
    half_way = same(lake, before)
    lake.compact(LATER)

    assert codes == [-signal.SIGKILL]
    assert half_way
    assert same(lake, before)
    assert lake.append(batch(99), NOW).added == 6


def test_files_of_killed_writers_go_after_a_day_and_no_sooner(place: str) -> None:
    lake = filled(place)
    before = all_of(lake)
    kept = {Path(p).name for p in DeltaTable(f"{place}/facts/bars").file_uris()}
    lost = next(Path(place).glob("facts/bars/decade=*")) / "part-never.zstd.parquet"
    lost.write_bytes(b"half a file")

    lake.compact(NOW)
    fresh = lost.exists()
    yesterday = datetime.now(UTC).timestamp() - 25 * 3600
    for file in Path(place).rglob("*.parquet"):
        os.utime(file, (yesterday, yesterday))
    lake.compact(NOW)

    assert fresh
    assert not lost.exists()
    assert kept.isdisjoint({Path(p).name for p in DeltaTable(f"{place}/facts/bars").file_uris()})
    assert same(lake, before)
