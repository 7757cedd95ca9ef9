"""Quotes as people have them: an instant each, and no silent guess about a zone."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from bellwether.core.errors import InvalidRequest, UnreadableFile
from bellwether.core.ports import SourceBatch, SourceQuery
from bellwether.sources.quotes import QuotesSource

NOW = datetime(2024, 2, 1, tzinfo=UTC)
HEADER = "symbol,time,bid,ask,bid_size,ask_size"
GOOD = "ABC,2024-01-03T15:00:00Z,10,10.02,100,200"


def read(
    place: Path, *rows: str, header: str = HEADER, name: str = "q.csv", **query: object
) -> SourceBatch:
    path = place / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return QuotesSource().read(SourceQuery(path=str(path), **query), NOW)  # type: ignore[arg-type]


def refused(batch: SourceBatch) -> list[tuple[str, str]]:
    return [(r.location, r.reason) for r in batch.rejections]


def quotes(batch: SourceBatch) -> pl.DataFrame:
    (only,) = batch.batches
    assert only.quotes is not None
    return only.quotes


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("ABC,2024-01-03T15:00:01Z,10.03,10.02,1,1", "crossed"),
        ("ABC,2024-01-03T15:00:01Z,0,10.02,1,1", "non_positive_price"),
        ("ABC,2024-01-03T15:00:01Z,10,-1,1,1", "non_positive_price"),
        ("ABC,2024-01-03T15:00:01Z,,10.02,1,1", "missing_value"),
        ("ABC,2024-01-03T15:00:01Z,ten,10.02,1,1", "not_a_number"),
        ("ABC,2024-01-03T15:00:01Z,nan,10.02,1,1", "not_a_number"),
        ("ABC,2024-01-03T15:00:01Z,10,inf,1,1", "not_a_number"),
        ("ABC,2024-01-03T15:00:01Z,10,10.02,many,1", "not_a_number"),
        ("ABC,2024-01-03T15:00:01Z,10,1e300,1,1", "out_of_range"),
        ("ABC,2024-01-03T15:00:01Z,10,10.02,1,1e300", "out_of_range"),
        ("ABC,2024-01-03T15:00:01Z,10,10.02,-1,1", "negative_size"),
        ("ABC,2024-01-03T15:00:01,10,10.02,1,1", "no_zone"),
        ("ABC,2024-01-03,10,10.02,1,1", "not_a_time"),
        ("ABC,1704294000,10,10.02,1,1", "not_a_time"),
        ("ABC,2024-01-03T25:00:01Z,10,10.02,1,1", "not_a_time"),
        ("ABC,2024-13-03T15:00:01Z,10,10.02,1,1", "not_a_time"),
        ("ABC,,10,10.02,1,1", "not_a_time"),
        ("ABC,2024-02-01T00:00:01Z,10,10.02,1,1", "not_yet_known"),
        ("a b,2024-01-03T15:00:01Z,10,10.02,1,1", "bad_symbol"),
        ("ABC,2024-01-03T15:00:01Z,10,10.02,1", "malformed_row"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_its_neighbours_kept(
    tmp_path: Path, row: str, reason: str
) -> None:
    batch = read(tmp_path, GOOD, row, "DEF,2024-01-03T15:00:00Z,10,10,,")

    assert refused(batch) == [("q.csv:3", reason)]
    assert quotes(batch).select("symbol", "bid_size").rows() == [("ABC", 100.0), ("DEF", None)]
    assert "{" not in batch.rejections[0].detail


def test_a_quote_is_known_at_its_instant_to_the_microsecond(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "ABC,2024-01-03T10:00:00.000001-05:00,10,10.02,,",
        "ABC,2024-01-03 15:00:00.25+00:00,10,10.03,,",
    )

    row = quotes(batch).row(0, named=True)
    assert row["quoted_at"] == datetime(2024, 1, 3, 15, 0, 0, 1, tzinfo=UTC)
    assert row["knowledge_time"] == row["event_time"] == row["quoted_at"]
    assert quotes(batch)["quoted_at"][1] == datetime(2024, 1, 3, 15, 0, 0, 250_000, tzinfo=UTC)


def test_a_zone_is_for_times_without_one(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "ABC,2023-11-03T10:00:00,10,10.02,,",
        "ABC,2023-11-06T10:00:00,10,10.02,,",
        "ABC,2023-11-06T16:00:00Z,10,10.02,,",
        "ABC,2023-11-05T01:30:00,10,10.02,,",
        "ABC,2023-03-12T02:30:00,10,10.02,,",
        zone="America/New_York",
    )

    assert [t.hour for t in quotes(batch)["quoted_at"]] == [14, 15, 16]
    assert refused(batch) == [("q.csv:5", "no_such_time"), ("q.csv:6", "no_such_time")]
    with pytest.raises(InvalidRequest, match="no time zone"):
        read(tmp_path, GOOD, zone="Mars/Olympus")


def test_repeats_are_kept_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    other = "ABC,2024-01-03T15:00:02Z,10,10.02,100,"
    batch = read(tmp_path, GOOD, GOOD, other, other + "1")

    assert refused(batch) == [
        ("q.csv:3", "duplicate"),
        ("q.csv:4", "conflicting_duplicate"),
        ("q.csv:5", "conflicting_duplicate"),
    ]
    assert quotes(batch).height == 1


def test_quotes_out_of_hours_are_kept_and_pointed_out(tmp_path: Path) -> None:
    batch = read(
        tmp_path, GOOD, "ABC,2024-01-03T12:00:00Z,10,10.02,,", "ABC,2024-01-06T15:00:00Z,9,9,,"
    )

    assert quotes(batch).height == 3
    assert [(r.location, r.reason) for r in batch.remarks] == [("q.csv:3", "out_of_hours")]
    assert "2 of 3 quotes" in batch.remarks[0].detail


def test_columns_by_other_names_and_typed_times_are_read(tmp_path: Path) -> None:
    path = tmp_path / "q.parquet"
    at = datetime(2024, 1, 3, 15, 0, 0, 7, tzinfo=UTC)
    pl.DataFrame(
        {"Ticker": ["abc"], "timestamp": [at], "Bid Price": [10], "Offer": [10.5]}
    ).write_parquet(path)

    batch = QuotesSource().read(SourceQuery(path=str(path)), NOW)

    assert quotes(batch).select("symbol", "quoted_at", "bid", "ask").rows() == [
        ("ABC", at, 10.0, 10.5)
    ]


def test_only_what_is_asked_for_is_told(tmp_path: Path) -> None:
    late = "ABC,2024-01-05T00:30:00Z,10,10.02,,"  # still the evening of the 4th in New York

    batch = read(
        tmp_path, GOOD, late, GOOD.replace("ABC", "DEF"), symbols=("ABC",), first=date(2024, 1, 4)
    )

    assert quotes(batch)["quoted_at"].to_list() == [datetime(2024, 1, 5, 0, 30, tzinfo=UTC)]
    assert batch.rows_read == 1


def test_a_file_without_a_bid_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no column for bid"):
        read(tmp_path, "ABC,2024-01-03T15:00:00Z,10", header="symbol,time,ask")
    with pytest.raises(InvalidRequest, match="--path"):
        QuotesSource().read(SourceQuery(), NOW)
