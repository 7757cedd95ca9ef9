"""The lake keeps every revision once, whoever writes and however often."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tests.fakes import MemoryLake
from tests.object_servers import S3

from bellwether.core.ports import Lake, LakeBatch
from bellwether.core.schemas import BARS, BARS_IN, QUARANTINE, UTC_TIME, check
from bellwether.core.texts import TEXTS_IN, text_id
from bellwether.core.types import Rejection
from bellwether.lake.delta import DeltaLake

NOW = datetime(2024, 1, 10, 22, tzinfo=UTC)
DAYS = (date(2024, 1, 8), date(2024, 1, 9), date(2023, 12, 29))

WRITER = """
import json
import sys
from datetime import UTC, datetime
import polars as pl
from bellwether.core.ports import LakeBatch, SourceQuery
from bellwether.lake.delta import DeltaLake
from bellwether.sources.sample import SampleSource
batch = SampleSource().read(SourceQuery(), datetime(2020, 1, 1, tzinfo=UTC))
place, options, times, year = [*sys.argv[1:], *["1", ""][len(sys.argv) - 3 :]]
bars = batch.bars.with_columns(volume=(pl.col("volume") + 1) * int(times))
if year:
    bars = bars.filter(pl.col("session").dt.year() == int(year))
print("ready", flush=True)
sys.stdin.readline()
DeltaLake(place, json.loads(options)).append(LakeBatch(bars=bars), datetime(2024, 1, 1, tzinfo=UTC))
"""


@dataclass(frozen=True)
class Place:
    """Where a Delta lake lies, and how it is reached."""

    url: str
    options: dict[str, str] | None = None

    @property
    def lake(self) -> DeltaLake:
        return DeltaLake(self.url, self.options)

    @property
    def arguments(self) -> list[str]:
        return [self.url, json.dumps(self.options)]


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
        adjustment=pl.lit("none"),
        source=pl.lit("files"),
        event_time=pl.col("event_time").cast(UTC_TIME),
        knowledge_time=pl.col("event_time").cast(UTC_TIME),
        knowledge_basis=pl.lit("session_close"),
    ).select(list(BARS_IN.columns))


def place_of(kind: str, request: pytest.FixtureRequest) -> Place:
    if kind == "folder":
        folder: Path = request.getfixturevalue("tmp_path")
        return Place(str(folder / "lake"))
    server: S3 = request.getfixturevalue("s3")
    return Place(f"{server.fresh()}/lake", server.options)


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest) -> Place:
    return place_of(request.param, request)


@pytest.fixture(params=["folder", "s3", "memory"])
def lake(request: pytest.FixtureRequest) -> Lake:
    return MemoryLake() if request.param == "memory" else place_of(request.param, request).lake


def test_nothing_is_there_before_the_first_append(lake: Lake) -> None:
    assert lake.bars().height == 0
    assert lake.symbols() == []
    assert lake.watermark() is None
    assert lake.quarantine().height == 0


def test_a_repeated_append_adds_nothing(lake: Lake) -> None:
    first = lake.append(LakeBatch(bars=bars()), NOW)

    again = lake.append(LakeBatch(bars=bars().sample(fraction=1, shuffle=True, seed=1)), NOW)

    assert (first.added, first.revised, first.unchanged) == (3, 0, 0)
    assert (again.added, again.revised, again.unchanged) == (0, 0, 3)
    assert lake.watermark() == first.watermark == again.watermark


def test_a_changed_bar_becomes_a_revision_known_from_now(lake: Lake) -> None:
    lake.append(LakeBatch(bars=bars()), NOW)
    later = NOW + timedelta(days=1)

    result = lake.append(LakeBatch(bars=bars(11.0)), later)

    revised = lake.bars().filter(pl.col("revision") == 1)
    assert (result.added, result.revised) == (0, 3)
    assert revised["knowledge_time"].unique().to_list() == [later]
    assert revised["knowledge_basis"].unique().to_list() == ["revised"]
    assert lake.bars().filter(pl.col("revision") == 0)["close"].unique().to_list() == [10.0]


def test_another_adjustment_of_the_same_numbers_is_another_fact(lake: Lake) -> None:
    lake.append(LakeBatch(bars=bars()), NOW)
    shipped = bars().with_columns(adjustment=pl.lit("total"))

    result = lake.append(LakeBatch(bars=shipped), NOW)

    assert (result.added, result.revised, result.unchanged) == (0, 3, 0)
    assert lake.bars()["adjustment"].to_list() == ["none", "total"] * 3


def test_the_watermark_grows_even_where_the_clock_stands(lake: Lake) -> None:
    first = lake.append(LakeBatch(bars=bars()), NOW).watermark

    second = lake.append(LakeBatch(bars=bars(symbol="DEF")), NOW).watermark

    assert second > first


def test_what_changed_after_a_watermark_is_told(lake: Lake) -> None:
    nothing = lake.changed(NOW - timedelta(days=1))
    first = lake.append(LakeBatch(bars=bars()), NOW).watermark
    second = lake.append(LakeBatch(bars=bars(symbol="DEF")), NOW).watermark
    lake.append(LakeBatch(bars=bars()), NOW)  # a repeat
    acted = bars().with_columns(split_ratio=pl.lit(2.0)).head(1)
    third = lake.append(LakeBatch(bars=acted), NOW).watermark

    assert nothing.rows() == []
    since_first = lake.changed(first)
    assert set(since_first["symbol"]) == {"ABC", "DEF"}
    assert lake.changed(second).rows() == [("ABC", DAYS[0], third)]
    assert lake.changed(third).height == 0
    assert lake.changed(NOW - timedelta(days=1)).height == 3 + since_first.height


def test_a_rejection_is_kept_once(lake: Lake) -> None:
    rejection = Rejection("files", "a.csv:3", "high_below_low", "high 1 is below low 2", "{}")

    batch = LakeBatch(rejections=(rejection, rejection))

    counts = [lake.append(batch, NOW).rejected for _ in range(2)]

    assert counts == [1, 0]
    assert lake.quarantine()["location"].to_list() == ["a.csv:3"]


def test_what_is_read_fits_its_schema_in_order_of_symbol_session_revision(lake: Lake) -> None:
    lake.append(LakeBatch(bars=bars(symbol="DEF")), NOW)
    lake.append(LakeBatch(bars=bars()), NOW)
    lake.append(LakeBatch(bars=bars(12.0)), NOW)
    lake.append(
        LakeBatch(rejections=(Rejection("files", "a.csv:3", "bad_split", "no", "{}"),)), NOW
    )

    kept = lake.bars()

    assert check(kept, BARS).rows() == kept.sort("symbol", "session", "revision").rows()
    assert lake.bars(["DEF", "XYZ"]).rows() == kept.filter(pl.col("symbol") == "DEF").rows()
    assert lake.symbols() == ["ABC", "DEF"]
    assert check(lake.quarantine(), QUARANTINE).height == 1


def test_a_bar_that_changes_back_is_a_third_revision(lake: Lake) -> None:
    for close in (10.0, 11.0, 10.0):
        lake.append(LakeBatch(bars=bars(close)), NOW)

    kept = lake.bars().filter(pl.col("session") == DAYS[0])

    assert kept.select("revision", "close").rows() == [(0, 10.0), (1, 11.0), (2, 10.0)]


def test_a_revision_is_never_known_before_the_bar_it_corrects(lake: Lake) -> None:
    lake.append(LakeBatch(bars=bars()), NOW)
    lake.append(LakeBatch(bars=bars(11.0)), NOW)

    lake.append(LakeBatch(bars=bars(12.0)), NOW - timedelta(days=30))

    newest = lake.bars().filter(pl.col("revision") == 2)
    assert newest["knowledge_time"].unique().to_list() == [NOW]


def test_a_source_that_repeats_itself_does_not_undo_a_repair(lake: Lake) -> None:
    lake.append(LakeBatch(bars=bars(100.0)), NOW)
    mended = bars(10.0).with_columns(knowledge_basis=pl.lit("repaired"))
    lake.append(LakeBatch(bars=mended), NOW + timedelta(days=1))

    again = lake.append(LakeBatch(bars=bars(100.0)), NOW + timedelta(days=2))
    told = lake.append(LakeBatch(bars=bars(10.0)), NOW + timedelta(days=2))
    other = lake.append(LakeBatch(bars=bars(12.0)), NOW + timedelta(days=3))

    newest = lake.bars().filter(pl.col("session") == DAYS[0])
    assert (again.unchanged, told.unchanged, other.revised) == (3, 3, 3)
    assert newest.select("close", "knowledge_basis").rows() == [
        (100.0, "session_close"),
        (10.0, "repaired"),
        (12.0, "revised"),
    ]


def test_a_repaired_dividend_stays_while_its_source_repeats_itself(lake: Lake) -> None:
    paid = bars().with_columns(dividend_usd=pl.lit(50.0))
    lake.append(LakeBatch(bars=paid), NOW)
    mended = bars().with_columns(dividend_usd=pl.lit(0.5), knowledge_basis=pl.lit("repaired"))
    lake.append(LakeBatch(bars=mended), NOW + timedelta(days=1))

    again = lake.append(LakeBatch(bars=paid), NOW + timedelta(days=2))
    none = lake.append(LakeBatch(bars=bars()), NOW + timedelta(days=3))

    assert (again.unchanged, none.revised) == (3, 3)
    newest = lake.bars().filter(pl.col("session") == DAYS[0])
    assert newest["dividend_usd"].to_list() == [50.0, 0.5, 0.0]


def test_the_smallest_change_of_one_bit_is_a_change(lake: Lake) -> None:
    lake.append(LakeBatch(bars=bars(0.1 + 0.2 + 5)), NOW)
    nudged = bars(0.1 + 0.2 + 5).with_columns(
        volume=pl.lit(float.fromhex("0x1.9000000000001p+6"))  # one bit above 100
    )

    assert lake.append(LakeBatch(bars=nudged), NOW).revised == 3


def run_together(code: str, arguments: list[list[str]]) -> list[int]:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for more in arguments
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
    return [writer.returncode for writer in writers]


def test_two_first_writers_that_disagree_lose_nothing(place: Place) -> None:
    codes = run_together(WRITER, [[*place.arguments, "1"], [*place.arguments, "2"]])

    kept = place.lake.bars()
    told = kept.filter(pl.col("session") == kept["session"].max(), pl.col("symbol") == "IBM")
    assert codes == [0, 0]
    assert kept.height == 2 * 12_154
    assert told["revision"].to_list() == [0, 1]
    assert told["volume"][0] / told["volume"][1] in (0.5, 2.0)


def test_writers_of_different_years_get_different_watermarks(place: Place) -> None:
    place.lake.append(LakeBatch(bars=bars()), NOW - timedelta(days=5000))

    codes = run_together(WRITER, [[*place.arguments, "1", year] for year in ("2003", "2008")])

    kept = place.lake.bars().with_columns(year=pl.col("session").dt.year())
    marks = kept.group_by("year").agg(pl.col("ingested_at").unique())
    first, second = (
        marks.filter(pl.col("year") == year)["ingested_at"][0].to_list() for year in (2003, 2008)
    )
    assert codes == [0, 0]
    assert len(first) == len(second) == 1
    assert first != second


def test_two_processes_that_write_the_same_leave_each_bar_once(place: Place) -> None:
    codes = run_together(WRITER, [place.arguments, place.arguments])

    kept = place.lake.bars()

    assert codes == [0, 0]
    assert kept.height == 12_154
    assert kept.n_unique(["symbol", "session"]) == 12_154


def said(text: str, known: datetime, symbol: str = "ABC") -> pl.DataFrame:
    told = {
        "symbol": symbol, "text_id": text_id(text), "published_at": known, "text": text,
        "publisher": None, "source": "texts", "event_time": known, "knowledge_time": known,
        "knowledge_basis": "published",
    }  # fmt: skip
    types = {name: column.dtype.type for name, column in TEXTS_IN.columns.items()}
    return check(pl.DataFrame([told], schema=types), TEXTS_IN)


def test_a_text_is_told_once_and_has_a_mark_of_its_own(lake: Lake) -> None:
    assert (lake.texts().height, lake.texts_watermark()) == (0, None)
    bars_mark = lake.append(LakeBatch(bars=bars()), NOW).watermark
    first = lake.append(LakeBatch(texts=said("Profit rises", NOW)), NOW)

    later = NOW + timedelta(days=40)
    copy = said("PROFIT rises!", later)
    again = lake.append(LakeBatch(texts=copy), later)
    other = lake.append(LakeBatch(texts=said("Profit falls", later)), later)

    assert (first.added, again.added, again.revised, again.unchanged, other.added) == (
        1,
        0,
        0,
        1,
        1,
    )
    assert lake.texts(["ABC"]).sort("knowledge_time")["text"].to_list() == [
        "Profit rises",
        "Profit falls",
    ]
    assert lake.texts(["XYZ"]).height == 0
    assert lake.texts_watermark() == other.watermark
    assert lake.watermark() == bars_mark  # of bars and actions
