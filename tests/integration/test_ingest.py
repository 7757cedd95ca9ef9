"""An ingestion can be repeated, shuffled, raced and killed, and the tables are the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.fakes import MemoryLake, MemoryLedger

from bellwether.bootstrap import bootstrap
from bellwether.core.clock import FixedClock
from bellwether.core.errors import UnknownName, UnreadableFile
from bellwether.core.ports import Ports, SourceQuery
from bellwether.lake.delta import DeltaLake
from bellwether.pipelines.ingest import IngestConfig, IngestReport, run
from bellwether.settings import Settings

NOW = datetime(2026, 11, 2, tzinfo=UTC)
SAMPLE = IngestConfig("sample", SourceQuery())
HEADER = "Date,Symbol,Open,High,Low,Close,Volume"
ROWS = (
    "2024-01-02,ABC,10,11,9,10,100",
    "2024-01-03,ABC,10,9,11,10,100",
    "2024-01-04,ABC,10,11,9,10.5,100",
    "2024-01-02,DEF,20,21,19,20,100",
    "2024-01-06,DEF,20,21,19,20,100",
)

CHILD = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from bellwether.bootstrap import bootstrap
from bellwether.core.ports import SourceQuery
from bellwether.lake.delta import DeltaLake
from bellwether.links.delta import DeltaTables
from bellwether.pipelines.ingest import IngestConfig, run
from bellwether.settings import Settings

home, path, point = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
config = IngestConfig("files", SourceQuery(path=path)) if path else IngestConfig("sample", SourceQuery())

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Tables(DeltaTables):
    def write(self, name, *more):
        if point == "between the tables" and name.endswith("quarantine"):
            die()
        return super().write(name, *more)

class Lake(DeltaLake):
    def __init__(self, url):
        super().__init__(url, tables=Tables("lake", url, None))

def progress(what, done, total):
    if (point, what, done) in {("before the bars", "Writing", 1), ("before the ledger", "Writing", 2)}:
        die()

ports = replace(bootstrap(Settings(home=home, clock="system")).ports, lake=Lake(str(home / "lake")))
print("ready", flush=True)
sys.stdin.readline()
run(config, ports, progress)
ports.log.close()
"""


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    made = bootstrap(Settings(home=tmp_path / "home", clock="system")).ports
    yield replace(made, clock=FixedClock(NOW), lake=DeltaLake(str(tmp_path / "lake")))
    made.log.close()


def child(home: Path, path: str = "", point: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), path, point],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(*children: subprocess.Popen[str]) -> list[int]:
    for one in children:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in children:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in children:
        one.communicate()
    return [one.returncode for one in children]


def written(place: Path, rows: tuple[str, ...] = ROWS, name: str = "p.csv") -> IngestConfig:
    path = place / name
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return IngestConfig("files", SourceQuery(path=str(path)))


def tables(lake: DeltaLake | MemoryLake) -> tuple[list[tuple[object, ...]], ...]:
    return tuple(t.drop("ingested_at").rows() for t in (lake.bars(), lake.quarantine()))


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.added, report.revised, report.unchanged, report.rejected


def test_the_sample_goes_in_whole_and_a_second_time_changes_nothing(ports: Ports) -> None:
    first = run(SAMPLE, ports)
    before = ports.lake.bars()
    again = run(SAMPLE, ports)

    assert first.read == first.accepted == 12_154
    assert counts(first) == (12_154, 0, 0, 0)
    assert {s: n for s, _, _, n in first.symbols} == {
        "AAPL": 3270,
        "FB": 196,
        "GOOG": 2148,
        "IBM": 3270,
        "MSFT": 3270,
    }
    assert counts(again) == (0, 0, 12_154, 0)
    assert again.watermark == first.watermark
    assert ports.lake.bars().equals(before)


def test_the_splits_of_the_sample_lie_on_their_days(ports: Ports) -> None:
    run(SAMPLE, ports)

    splits = ports.lake.bars().filter(pl.col("split_ratio") != 1)

    assert splits.select("symbol", "session", "split_ratio").rows() == [
        ("AAPL", date(2000, 6, 21), 2.0),
        ("AAPL", date(2005, 2, 28), 2.0),
        ("MSFT", date(2003, 2, 18), 2.0),
    ]


def test_the_ledger_and_the_report_tell_the_same(ports: Ports, tmp_path: Path) -> None:
    ledger = MemoryLedger()

    report = run(written(tmp_path), replace(ports, ledger=ledger, lake=MemoryLake()))

    (row,) = ledger.ingestions()
    assert counts(report) == (row.added, row.revised, row.unchanged, row.rejected) == (3, 0, 0, 2)
    assert report.reasons == {"high_below_low": 1, "not_a_session": 1}
    assert row.last_session == date(2024, 1, 4)
    assert row.watermark == report.watermark
    words = "\n".join(report.lines())
    assert "Read 5 rows from files: 3 added" in words
    assert "p.csv:3: high 9.0 is below low 11.0" in words


def test_shuffled_rows_change_nothing(ports: Ports, tmp_path: Path) -> None:
    good = tuple(ROWS[i] for i in (0, 2, 3))
    first = run(written(tmp_path, good), ports)
    before = ports.lake.bars()

    again = run(written(tmp_path, good[::-1]), ports)

    assert (first.added, again.added, again.revised, again.unchanged) == (3, 0, 0, 3)
    assert ports.lake.bars().equals(before)


def test_a_corrected_file_revises_only_what_it_corrects(ports: Ports, tmp_path: Path) -> None:
    run(written(tmp_path), ports)

    report = run(written(tmp_path, ("2024-01-02,ABC,10,11,9,10.25,100", *ROWS[1:])), ports)

    assert counts(report) == (0, 1, 2, 2)
    assert ports.lake.quarantine().height == 2


@pytest.mark.parametrize("point", ["before the bars", "between the tables", "before the ledger"])
def test_an_ingestion_that_was_killed_is_finished_by_the_next(
    ports: Ports, tmp_path: Path, point: str
) -> None:
    config = written(tmp_path)
    assert config.query.path is not None
    run(config, ports)
    home = tmp_path / "killed"

    codes = finish(child(home, config.query.path, point))
    codes += finish(child(home, config.query.path))

    assert codes == [-signal.SIGKILL, 0]
    assert tables(DeltaLake(str(home / "lake"))) == tables(DeltaLake(str(tmp_path / "lake")))


def test_two_ingestions_at_once_leave_each_bar_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = bootstrap(Settings(home=home, clock="system")).ports
    made.log.close()

    codes = finish(child(home), child(home))

    told = [(r.added, r.revised, r.unchanged) for r in made.ledger.ingestions()]
    assert codes == [0, 0]
    assert made.lake.bars().height == 12_154
    assert sorted(told) == [(0, 0, 12_154), (12_154, 0, 0)]


def test_the_lake_on_disk_and_the_one_in_memory_agree(ports: Ports, tmp_path: Path) -> None:
    memory = MemoryLake()
    for rows in (ROWS, ROWS[::-1], ("2024-01-02,ABC,10,11,9,10.25,100", *ROWS[1:])):
        config = written(tmp_path, rows)
        wall = FixedClock(NOW)
        told = [
            counts(run(config, replace(ports, lake=lake, wall=wall, ledger=MemoryLedger())))
            for lake in (ports.lake, memory)
        ]
        assert told[0] == told[1]

    on_disk, in_memory = ports.lake.bars(), memory.bars()
    assert on_disk.equals(in_memory)


def test_what_cannot_be_read_leaves_no_trace(ports: Ports, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no source 'fils'"):
        run(IngestConfig("fils", SourceQuery()), ports)
    with pytest.raises(UnreadableFile, match="no such file"):
        run(IngestConfig("files", SourceQuery(path=str(tmp_path / "none.csv"))), ports)

    assert ports.ledger.ingestions() == []
    assert ports.lake.bars().height == 0


def test_a_real_panel_goes_in_and_again_changes_nothing(ports: Ports, shared_data: Path) -> None:
    path = shared_data / "yahoo_etf46_1995_2026.parquet"
    config = IngestConfig("files", SourceQuery(path=os.fspath(path)))

    first, again = run(config, ports), run(config, ports)

    assert len(first.symbols) == 46
    assert first.added == first.accepted == again.unchanged
    assert first.accepted + first.rejected == first.read
    assert (again.added, again.revised) == (0, 0)


def test_the_clock_leaves_the_sample_when_real_bars_come(tmp_path: Path) -> None:
    made = bootstrap(Settings(home=tmp_path / "home")).ports
    run(SAMPLE, made)
    standing, then = made.clock.standing, made.clock.now()
    report = run(written(tmp_path, (ROWS[0],)), made)
    made.log.close()

    assert standing == ("sample_data_ends_2013-03-01",)
    assert then.date() == date(2013, 3, 1)
    assert counts(report) == (1, 0, 0, 0)
    assert made.clock.standing == ()
    assert made.clock.now() > then
