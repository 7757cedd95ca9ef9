"""Splits and dividends as people have them, and when each could be known."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from bellwether.core.errors import UnreadableFile
from bellwether.core.ports import SourceBatch, SourceQuery
from bellwether.sources.corporate_actions import ActionsSource

NOW = datetime(2024, 2, 1, tzinfo=UTC)
LONG = "symbol,ex_date,kind,value,announced"
GOOD = "ABC,2024-01-03,split,2,"


def read(
    place: Path, *rows: str, header: str = LONG, name: str = "a.csv", **query: object
) -> SourceBatch:
    path = place / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return ActionsSource().read(SourceQuery(path=str(path), **query), NOW)  # type: ignore[arg-type]


def refused(batch: SourceBatch) -> list[tuple[str, str]]:
    return [(r.location, r.reason) for r in batch.rejections]


def actions(batch: SourceBatch) -> pl.DataFrame:
    (only,) = batch.batches
    assert only.actions is not None
    return only.actions


def told(batch: SourceBatch) -> list[tuple[object, ...]]:
    return actions(batch).select("symbol", "session", "kind", "value").rows()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a b,2024-01-04,split,2,", "bad_symbol"),
        ("XYZ,2024-01-06,split,2,", "not_a_session"),
        ("XYZ,soon,split,2,", "not_a_date"),
        ("XYZ,2024-01-04T10:00:00,split,2,", "no_zone"),
        ("XYZ,2024-01-04,merger,2,", "bad_kind"),
        ("XYZ,2024-01-04,,2,", "bad_kind"),
        ("XYZ,2024-01-04,split,,", "missing_value"),
        ("XYZ,2024-01-04,split,two,", "not_a_number"),
        ("XYZ,2024-01-04,dividend,2:1,", "not_a_number"),
        ("XYZ,2024-01-04,split,2:0,", "not_a_number"),
        ("XYZ,2024-01-04,dividend,nan,", "not_a_number"),
        ("XYZ,2024-01-04,dividend,inf,", "not_a_number"),
        ("XYZ,2024-01-04,split,0,", "bad_split"),
        ("XYZ,2024-01-04,split,-2,", "bad_split"),
        ("XYZ,2024-01-04,split,1,", "bad_split"),
        ("XYZ,2024-01-04,split,1e9,", "bad_split"),
        ("XYZ,2024-01-04,dividend,0,", "bad_dividend"),
        ("XYZ,2024-01-04,dividend,-0.5,", "bad_dividend"),
        ("XYZ,2024-01-04,dividend,1e300,", "bad_dividend"),
        ("XYZ,2024-01-04,split,2,someday", "bad_announcement"),
        ("XYZ,2024-01-04,split,2,2024-01-05", "announced_late"),
        ("XYZ,2024-03-04,split,2,", "not_yet_known"),
        ("XYZ,2024-03-04,split,2,2024-02-20", "not_yet_announced"),
        ("XYZ,2024-01-04,split,2", "malformed_row"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_its_neighbours_kept(
    tmp_path: Path, row: str, reason: str
) -> None:
    batch = read(tmp_path, GOOD, row, "DEF,2024-01-03,dividend,0.5,")

    assert refused(batch) == [("a.csv:3", reason)]
    assert told(batch) == [
        ("ABC", date(2024, 1, 3), "split", 2.0),
        ("DEF", date(2024, 1, 3), "dividend", 0.5),
    ]
    assert "{" not in batch.rejections[0].detail


def test_an_action_is_known_when_announced_or_else_when_it_takes_effect(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "ABC,2024-01-10,split,2,",
        "DEF,2024-01-10,split,2,2024-01-03",
        "GHI,2024-01-10,split,2,2024-01-06",
        "JKL,2024-03-04,split,2,2024-01-03",
        "MNO,2024-01-10,split,2,2024-01-10",
    )

    opened = datetime(2024, 1, 10, 14, 30, tzinfo=UTC)
    closed = datetime(2024, 1, 3, 21, tzinfo=UTC)
    assert batch.rejections == ()
    assert actions(batch)["event_time"].to_list()[:3] == [opened] * 3
    assert actions(batch).select("symbol", "knowledge_time", "knowledge_basis").rows() == [
        ("ABC", opened, "effective_session_open"),
        ("DEF", closed, "stated"),
        ("GHI", datetime(2024, 1, 8, 21, tzinfo=UTC), "stated"),
        ("JKL", closed, "stated"),
        ("MNO", opened, "stated"),
    ]


@pytest.mark.parametrize(("written", "value"), [("3:2", 1.5), ("1/10", 0.1), ("2 for 1", 2.0)])
def test_a_split_may_be_written_as_a_ratio(tmp_path: Path, written: str, value: float) -> None:
    batch = read(tmp_path, f"ABC,2024-01-03,split,{written},")

    assert told(batch) == [("ABC", date(2024, 1, 3), "split", value)]


def test_a_row_a_day_may_tell_both_or_nothing(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "ABC,2024-01-03,1,0",
        "ABC,2024-01-04,2,0.25",
        "ABC,2024-01-05,,",
        "ABC,2024-01-08,0,0",
        "ABC,2024-01-09,1,x",
        "ABC,2024-01-06,1,0",
        header="ticker,date,split_coefficient,dividend_amount",
    )

    assert told(batch) == [
        ("ABC", date(2024, 1, 4), "dividend", 0.25),
        ("ABC", date(2024, 1, 4), "split", 2.0),
    ]
    assert refused(batch) == [("a.csv:6", "not_a_number"), ("a.csv:7", "not_a_session")]
    assert batch.rows_read == 6


def test_repeats_are_kept_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        GOOD,
        GOOD,
        "ABC,2024-01-04,dividend,0.5,",
        "ABC,2024-01-04,dividend,0.7,",
    )

    assert refused(batch) == [
        ("a.csv:3", "duplicate"),
        ("a.csv:4", "conflicting_duplicate"),
        ("a.csv:5", "conflicting_duplicate"),
    ]
    assert "tell the sum" in batch.rejections[1].detail


def test_splits_the_wrong_way_round_are_suspected(tmp_path: Path) -> None:
    batch = read(tmp_path, "ABC,2024-01-03,split,0.5,", "DEF,2024-01-03,split,0.25,")

    assert [r.reason for r in batch.remarks] == ["splits_look_inverted"]


def test_a_file_that_tells_no_action_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="kind and value"):
        read(tmp_path, "ABC,2024-01-03", header="symbol,date")
    with pytest.raises(UnreadableFile, match="no column for ex_date"):
        read(tmp_path, "ABC,split,2", header="symbol,kind,value")


def test_the_actions_of_a_real_panel_are_read(shared_data: Path) -> None:
    path = shared_data / "alphavantage_sp500_raw_1999_2021.parquet"
    query = SourceQuery(path=str(path), symbols=("AAPL", "IBM"))

    batch = ActionsSource().read(query, NOW)

    splits = actions(batch).filter(pl.col("kind") == "split", pl.col("symbol") == "AAPL")
    assert batch.rejections == ()
    days = [date(2000, 6, 21), date(2005, 2, 28), date(2014, 6, 9)]
    assert splits["session"].to_list() == days
    assert splits["value"].to_list() == pytest.approx([2, 2, 7], rel=1e-5)
