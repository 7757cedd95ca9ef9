"""Files as people have them: every fault is named by line, and the good rows are kept."""

import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.errors import InvalidRequest, UnreadableFile
from bellwether.core.ports import SourceBatch, SourceQuery
from bellwether.sources.files import FilesSource

NOW = datetime(2024, 2, 1, tzinfo=UTC)
HEADER = "Date,Symbol,Open,High,Low,Close,Volume"
GOOD = "2024-01-02,ABC,10,11,9,10,100"


def read(
    place: Path, *rows: str, header: str = HEADER, name: str = "p.csv", **query: object
) -> SourceBatch:
    path = place / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return FilesSource().read(SourceQuery(path=str(path), **query), NOW)  # type: ignore[arg-type]


def refused(batch: SourceBatch) -> list[tuple[str, str]]:
    return [(r.location, r.reason) for r in batch.rejections]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2024-01-03,ABC,10,9,11,10,100", "high_below_low"),
        ("2024-01-03,ABC,20,11,9,10,100", "open_or_close_outside_range"),
        ("2024-01-03,ABC,-10,11,-11,10,100", "non_positive_price"),
        ("2024-01-03,ABC,0,11,9,10,100", "non_positive_price"),
        ("2024-01-03,ABC,ten,11,9,10,100", "not_a_number"),
        ("2024-01-03,ABC,nan,11,9,10,100", "not_a_number"),
        ("2024-01-03,ABC,10,inf,9,10,100", "not_a_number"),
        ("2024-01-03,ABC,,11,9,10,100", "missing_value"),
        ("2024-01-03,ABC,10,11,9,10,-1", "negative_volume"),
        ("2024-01-03,ABC,10,1e300,9,10,100", "out_of_range"),
        ("2024-01-06,ABC,10,11,9,10,100", "not_a_session"),
        ("2024-01-15,ABC,10,11,9,10,100", "not_a_session"),
        ("2024-12-02,ABC,10,11,9,10,100", "not_yet_known"),
        ("yesterday,ABC,10,11,9,10,100", "not_a_date"),
        ("2024-01-03T09:30:00,ABC,10,11,9,10,100", "no_zone"),
        ("2024-01-03T23:30:00Z,ABC,10,11,9,10,100", "wrong_zone"),
        ("2024-01-03,../etc,10,11,9,10,100", "bad_symbol"),
        ("2024-01-03,ABC,10,11,9,10", "malformed_row"),
        ("2024-01-03,ABC,10,11,9,10,100,7", "malformed_row"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_its_neighbours_kept(
    tmp_path: Path, row: str, reason: str
) -> None:
    batch = read(tmp_path, GOOD, row, "2024-01-04,ABC,10,11,9,10,100")

    assert refused(batch) == [("p.csv:3", reason)]
    assert batch.bars["session"].to_list() == [date(2024, 1, 2), date(2024, 1, 4)]
    assert json.loads(batch.rejections[0].record)
    assert "{" not in batch.rejections[0].detail


def test_repeats_are_kept_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    batch = read(
        tmp_path, GOOD, GOOD, "2024-01-03,ABC,10,11,9,10,100", "2024-01-03,ABC,10,11,9,10.5,100"
    )

    assert refused(batch) == [
        ("p.csv:3", "duplicate"),
        ("p.csv:4", "conflicting_duplicate"),
        ("p.csv:5", "conflicting_duplicate"),
    ]
    assert batch.bars["session"].to_list() == [date(2024, 1, 2)]


def test_swapped_columns_are_suspected(tmp_path: Path) -> None:
    rows = [f"2024-01-{d:02d},ABC,10,9,11,10,100" for d in (2, 3, 4, 5, 8, 9, 10, 11, 12, 16)]

    batch = read(tmp_path, *rows)

    assert len(batch.rejections) == 10
    assert [r.reason for r in batch.remarks] == ["columns_look_swapped"]


def test_a_gap_and_a_split_without_a_column_are_pointed_out(tmp_path: Path) -> None:
    batch = read(tmp_path, "2024-01-02,ABC,100,101,99,100,10", "2024-01-05,ABC,50,51,49,50,20")

    assert [(r.location, r.reason) for r in batch.remarks] == [
        ("p.csv:3", "gap"),
        ("p.csv:3", "unexplained_jump"),
    ]
    assert "2 sessions" in batch.remarks[0].detail
    assert "2:1 split" in batch.remarks[1].detail


def test_a_split_with_its_column_is_taken(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "2024-01-02,ABC,100,101,99,100,10,0",
        "2024-01-03,ABC,50,51,49,50,20,2",
        header=HEADER + ",Stock Splits",
    )

    assert batch.bars["split_ratio"].to_list() == [1.0, 2.0]
    assert batch.remarks == ()


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("2024-01-03", None),
        ("20240103", None),
        ("2024-01-03 00:00:00", None),
        ("2024-01-03T00:00:00Z", None),
        ("2024-01-03 00:00:00-05:00", None),
        ("2024-01-03T14:30:00Z", None),
        ("2024-01-03T09:30:00", "America/New_York"),
        ("2024-01-03 16:00", "America/New_York"),
    ],
)
def test_a_date_labels_its_session_however_it_is_written(
    tmp_path: Path, written: str, zone: str | None
) -> None:
    batch = read(tmp_path, f"{written},ABC,10,11,9,10,100", zone=zone)

    assert batch.rejections == ()
    assert batch.bars["session"].to_list() == [date(2024, 1, 3)]


def test_lines_stay_right_with_blank_lines_and_odd_endings(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    text = "\ufeff" + HEADER + "\r\n\r\n" + GOOD + "\r\n\r\n2024-01-03,ABC,x,11,9,10,100\r\n"
    path.write_bytes(text.encode())

    batch = FilesSource().read(SourceQuery(path=str(path)), NOW)

    assert refused(batch) == [("p.csv:5", "not_a_number")]
    assert batch.bars.height == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (HEADER.encode() + b"\n", "no row"),
        (b"a,b\n1,2\n", "--map"),
        (HEADER.encode() + b"\n\xff\xfe,ABC,1,1,1,1,1\n", "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(content)

    with pytest.raises(UnreadableFile, match=why):
        FilesSource().read(SourceQuery(path=str(path)), NOW)


def test_columns_can_be_named(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "2024-01-02,10,11,9,10,100",
        header="Date,Open,High,Low,Last,Volume",
        name="abc.csv",
        columns={"close": "Last"},
    )

    assert batch.bars.select("symbol", "close").rows() == [("ABC", 10.0)]


def test_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no time zone"):
        read(tmp_path, GOOD, zone="Mars/Base")


def test_what_is_no_number_is_quoted_as_it_was_written(tmp_path: Path) -> None:
    batch = read(tmp_path, GOOD, "2024-01-03,ABC,ten,11,9,10,100")

    (rejection,) = batch.rejections
    assert json.loads(json.loads(rejection.record)["told"])["Open"] == "ten"


@pytest.mark.parametrize("name", ["why", "location", "told", "order", "session_note"])
def test_a_column_of_any_name_may_stand_beside_ours(tmp_path: Path, name: str) -> None:
    table = {
        "date": [date(2024, 1, 2)],
        "symbol": ["ABC"],
        **{c: [10.0] for c in ("open", "high", "low", "close")},
        "volume": [100],
        name: ["because"],
    }
    pl.DataFrame(table).write_parquet(tmp_path / "p.parquet")
    tabular = FilesSource().read(SourceQuery(path=str(tmp_path / "p.parquet")), NOW)
    plain = read(tmp_path, GOOD + ",because", header=f"{HEADER},{name}")

    assert (tabular.bars.height, tabular.rejections) == (1, ())
    assert (plain.bars.height, plain.rejections) == (1, ())


def test_a_parquet_row_is_named_by_its_number(tmp_path: Path) -> None:
    table = {
        "date": [date(2024, 1, 2), date(2024, 1, 3)],
        **{c: [10.0, 10.0] for c in ("open", "high", "low")},
        "close": [10.0, float("nan")],
        "volume": [1, 1],
    }
    pl.DataFrame(table).write_parquet(tmp_path / "abc.parquet")

    batch = FilesSource().read(SourceQuery(path=str(tmp_path / "abc.parquet")), NOW)

    assert refused(batch) == [("abc.parquet:row 2", "not_a_number")]
    assert batch.bars["symbol"].to_list() == ["ABC"]


def test_a_folder_holds_a_file_a_symbol(tmp_path: Path) -> None:
    header = "Date,Open,High,Low,Close,Volume"
    for name in ("abc.csv", "def.csv"):
        (tmp_path / name).write_text(f"{header}\n2024-01-02,10,11,9,10,100\n")

    both = FilesSource().read(SourceQuery(path=str(tmp_path)), NOW)
    one = FilesSource().read(SourceQuery(path=str(tmp_path), symbols=("DEF",)), NOW)
    none = FilesSource().read(SourceQuery(path=str(tmp_path), first=date(2024, 1, 3)), NOW)

    assert both.bars["symbol"].to_list() == ["ABC", "DEF"]
    assert one.bars["symbol"].to_list() == ["DEF"]
    assert none.bars.height == 0


def test_actions_are_read_out_of_an_adjusted_close_in_cents(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "2024-01-02,ABC,100,101,99,100,10,49.13",
        "2024-01-03,ABC,101,102,100,101,10,49.62",
        "2024-01-04,ABC,50.5,51,50,50.5,20,49.62",
        header=HEADER + ",Adj Close",
    )

    assert batch.bars["split_ratio"].to_list() == [1.0, 1.0, 2.0]
    assert batch.bars["dividend_usd"].to_list() == [0.0, 0.0, 0.0]


def test_real_panels_are_read(shared_data: Path) -> None:
    path = shared_data / "yahoo_etf46_1995_2026.parquet"

    batch = FilesSource().read(SourceQuery(path=str(path)), datetime(2026, 6, 1, tzinfo=UTC))

    assert batch.bars["symbol"].n_unique() == 46
    assert batch.bars.height > 0.99 * batch.rows_read


CELLS = st.sampled_from(
    ["10", " 11 ", "9", "ten", "", "nan", "1e3", "-1", "ü", "2024-01-02", "ABC"]
)
LINES = st.lists(CELLS, min_size=6, max_size=8).map(",".join) | st.sampled_from(["", " ", GOOD])


@given(st.lists(LINES, min_size=1, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_plain_text_is_read_as_the_careful_way_reads_it(rows: list[str], end: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for header in (HEADER, HEADER.replace("Date", '"Date"')):
            path = Path(folder) / "p.csv"
            path.write_bytes(end.join([header, GOOD, *rows, ""]).encode())
            found.append(FilesSource().read(SourceQuery(path=str(path)), NOW))

    plain, careful = found
    assert plain.bars.equals(careful.bars)
    assert plain.rejections == careful.rejections
    assert plain.rows_read == careful.rows_read
