"""The lake keeps every revision once, whoever writes and however often."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from bellwether.core.schemas import BARS_IN, UTC_TIME
from bellwether.core.types import Rejection
from bellwether.lake.delta import DeltaLake

NOW = datetime(2024, 1, 10, 22, tzinfo=UTC)
DAYS = (date(2024, 1, 8), date(2024, 1, 9), date(2023, 12, 29))

WRITER = """
import sys
from datetime import UTC, datetime
from bellwether.core.ports import SourceQuery
from bellwether.lake.delta import DeltaLake
from bellwether.sources.sample import SampleSource
batch = SampleSource().read(SourceQuery(), datetime(2020, 1, 1, tzinfo=UTC))
print("ready", flush=True)
sys.stdin.readline()
DeltaLake(sys.argv[1]).append_bars(batch.bars, datetime(2024, 1, 1, tzinfo=UTC))
"""


def bars(close: float = 10.0, symbol: str = "ABC") -> pl.DataFrame:
    closed = [datetime(d.year, d.month, d.day, 21, tzinfo=UTC) for d in DAYS]
    frame = pl.DataFrame({"symbol": [symbol] * 3, "session": list(DAYS), "event_time": closed})
    return frame.select(
        "symbol",
        "session",
        open=pl.lit(close),
        high=pl.lit(close + 1),
        low=pl.lit(close - 1),
        close=pl.lit(close),
        volume=pl.lit(100.0),
        split_ratio=pl.lit(1.0),
        dividend_usd=pl.lit(0.0),
        source=pl.lit("files"),
        event_time=pl.col("event_time").cast(UTC_TIME),
        knowledge_time=pl.col("event_time").cast(UTC_TIME),
        knowledge_basis=pl.lit("session_close"),
    ).select(list(BARS_IN.columns))


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(str(tmp_path / "lake"))


def test_nothing_is_there_before_the_first_append(lake: DeltaLake) -> None:
    assert lake.bars().height == 0
    assert lake.symbols() == []
    assert lake.watermark() is None
    assert lake.quarantine().height == 0


def test_a_repeated_append_adds_nothing(lake: DeltaLake) -> None:
    first = lake.append_bars(bars(), NOW)

    again = lake.append_bars(bars().sample(fraction=1, shuffle=True, seed=1), NOW)

    assert (first.added, first.revised, first.unchanged) == (3, 0, 0)
    assert (again.added, again.revised, again.unchanged) == (0, 0, 3)
    assert lake.watermark() == first.watermark == again.watermark


def test_a_changed_bar_becomes_a_revision_known_from_now(lake: DeltaLake) -> None:
    lake.append_bars(bars(), NOW)
    later = NOW + timedelta(days=1)

    result = lake.append_bars(bars(11.0), later)

    revised = lake.bars().filter(pl.col("revision") == 1)
    assert (result.added, result.revised) == (0, 3)
    assert revised["knowledge_time"].unique().to_list() == [later]
    assert revised["knowledge_basis"].unique().to_list() == ["revised"]
    assert lake.bars().filter(pl.col("revision") == 0)["close"].unique().to_list() == [10.0]


def test_the_watermark_grows_even_where_the_clock_stands(lake: DeltaLake) -> None:
    first = lake.append_bars(bars(), NOW).watermark

    second = lake.append_bars(bars(symbol="DEF"), NOW).watermark

    assert second > first


def test_a_rejection_is_kept_once(lake: DeltaLake) -> None:
    rejection = Rejection("files", "a.csv:3", "high_below_low", "high 1 is below low 2", "{}")

    counts = [lake.append_rejections([rejection, rejection], NOW) for _ in range(2)]

    assert counts == [1, 0]
    assert lake.quarantine()["location"].to_list() == ["a.csv:3"]


def test_two_processes_that_write_the_same_leave_each_bar_once(tmp_path: Path) -> None:
    place = str(tmp_path / "lake")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    codes = []
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        codes.append(writer.returncode)

    kept = DeltaLake(place).bars()

    assert codes == [0, 0]
    assert kept.height == 12_154
    assert kept.n_unique(["symbol", "session"]) == 12_154
