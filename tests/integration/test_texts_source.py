"""Texts as people have them: each with its instant, copies once, and what is wrong told by its line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.fakes import MemoryLake

from bellwether.core.errors import UnreadableFile
from bellwether.core.ports import LakeBatch, SourceBatch, SourceQuery
from bellwether.core.texts import text_id
from bellwether.sources.texts import TextsSource

NOW = datetime(2024, 2, 1, tzinfo=UTC)
HEADER = "symbol,published_at,headline,first_seen"
GOOD = "ABC,2024-01-03T15:00:00Z,Profit rises,"


def read(place: Path, *rows: str, header: str = HEADER, **query: object) -> SourceBatch:
    path = place / "t.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return TextsSource().read(SourceQuery(path=str(path), **query), NOW)  # type: ignore[arg-type]


def told(batch: SourceBatch) -> pl.DataFrame:
    (only,) = batch.batches
    assert only.texts is not None
    return only.texts


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a b,2024-01-03T15:00:00Z,Profit,", "bad_symbol"),
        (",2024-01-03T15:00:00Z,Profit,", "bad_symbol"),
        ("ABC,2024-01-03,Profit,", "not_a_time"),
        ("ABC,,Profit,", "not_a_time"),
        ("ABC,2024-01-03T15:00:00,Profit,", "no_zone"),
        ("ABC,2024-02-01T00:00:01Z,Profit,", "not_yet_known"),
        ("ABC,2024-01-03T15:00:00Z,Profit,2024-02-01T00:00:01Z", "not_yet_known"),
        ("ABC,2024-01-03T15:00:00Z,Profit,yesterday", "not_a_time"),
        ("ABC,2024-01-03T15:00:00Z,  ,", "missing_value"),
        ("ABC,2024-01-03T15:00:00Z," + "x" * 10_001 + ",", "out_of_range"),
        ("ABC,2024-01-03T15:00:00Z,Profit", "malformed_row"),
    ],
)
def test_a_row_that_breaks_a_rule_is_told_with_its_line(
    tmp_path: Path, row: str, reason: str
) -> None:
    batch = read(tmp_path, GOOD, row)

    assert [(r.location, r.reason) for r in batch.rejections] == [("t.csv:3", reason)]
    assert told(batch)["text"].to_list() == ["Profit rises"]


def test_a_text_is_known_when_it_was_first_seen_and_never_before_it_was_published(
    tmp_path: Path,
) -> None:
    seen = "2024-01-03T16:30:00Z"
    late_one = f"ABC,2024-01-03T15:00:00Z,Late,{seen}"
    rows = told(read(tmp_path, GOOD, late_one, f"ABC,{seen},Early,2024-01-03T10:00:00Z"))
    by = {r["text"]: (r["knowledge_time"], r["knowledge_basis"]) for r in rows.to_dicts()}

    published, late = (datetime(2024, 1, 3, h, m, tzinfo=UTC) for h, m in ((15, 0), (16, 30)))
    assert by["Profit rises"] == (published, "published")
    assert by["Late"] == (late, "first_seen")
    assert by["Early"] == (late, "first_seen")


def test_of_copies_the_one_known_first_stands(tmp_path: Path) -> None:
    batch = read(
        tmp_path, GOOD, "ABC,2024-01-03T14:00:00Z,PROFIT  rises!,", "XYZ,2024-01-04T14:00:00Z,profit rises,"
    )  # fmt: skip

    rows = told(batch)
    assert rows.select("symbol", "text").rows() == [("ABC", "PROFIT  rises!"), ("XYZ", "profit rises")]  # fmt: skip
    assert set(rows["text_id"]) == {text_id("profit rises")}
    assert [r.detail for r in batch.remarks] == [
        "1 of 3 texts have the words of one known before; that stands"
    ]
    assert batch.rejections == ()


def test_a_copy_that_comes_later_changes_nothing_in_the_lake(tmp_path: Path) -> None:
    lake = MemoryLake()
    first = told(read(tmp_path, GOOD))
    lake.append(LakeBatch(texts=first), NOW)
    again = told(read(tmp_path, "ABC,2024-01-02T15:00:00Z,profit RISES,"))

    result = lake.append(LakeBatch(texts=again), NOW)

    assert (result.added, result.revised, result.unchanged) == (0, 0, 1)
    assert lake.texts()["knowledge_time"].to_list() == first["knowledge_time"].to_list()


def test_a_table_without_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"no column for time.*--map time=NAME"):
        read(tmp_path, "ABC,Profit", header="symbol,text")


def archived(place: Path, *lines: str) -> Path:
    folder = place / "tweets" / "abc"
    folder.mkdir(parents=True)
    (folder / "2024-01-03").write_text("\n".join(lines) + "\n")
    (folder / ".hidden").write_text("no post")
    return folder.parent


def post(text: object, at: str = "Wed Jan 03 15:00:00 +0000 2024") -> str:
    return json.dumps({"text": text, "created_at": at, "user_id_str": "7"})


def test_an_archive_of_posts_is_read_line_by_line(tmp_path: Path) -> None:
    path = archived(
        tmp_path, post(["profit", "rises"]), "", "{not json", '{"text": "no time"}', "[]", "7",
        post("A deal", "Wed Jan 03 16:00:00 +0100 2024"), post("When?", "yesterday"), post([]), post("half \ud83d"),
    )  # fmt: skip

    batch = TextsSource().read(SourceQuery(path=str(path)), NOW)

    at = datetime(2024, 1, 3, 15, tzinfo=UTC)
    assert told(batch).sort("text").select("symbol", "text", "knowledge_time", "publisher").rows() == [
        ("ABC", "A deal", at, "7"), ("ABC", "half ?", at, "7"), ("ABC", "profit rises", at, "7"),
    ]  # fmt: skip
    assert [(r.location, r.reason) for r in batch.rejections] == [
        *((f"abc/2024-01-03:{i}", "malformed_row") for i in (3, 4, 5, 6)),
        ("abc/2024-01-03:8", "not_a_time"),
        ("abc/2024-01-03:9", "missing_value"),
    ]


def test_an_archive_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tweets" / "ABC").mkdir(parents=True)

    with pytest.raises(UnreadableFile, match="hold no file"):
        TextsSource().read(SourceQuery(path=str(tmp_path / "tweets")), NOW)
