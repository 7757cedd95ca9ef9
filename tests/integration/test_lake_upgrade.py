"""A lake of the layout before tables of actions is taken over, with its watermarks."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from bellwether.core.ports import LakeBatch
from bellwether.core.schemas import BARS, BARS_IN, UTC_TIME, check
from bellwether.lake.delta import DeltaLake

FIRST = datetime(2024, 2, 1, 12, tzinfo=UTC)
SECOND = datetime(2024, 2, 2, 12, tzinfo=UTC)
CLOSE = datetime(2024, 1, 2, 21, tzinfo=UTC)


def old_rows() -> pl.DataFrame:
    """Two bars; the second turns out to be a split, which is taken back again."""
    rows = [
        (date(2024, 1, 2), 10.0, 1.0, 0.0, CLOSE, "session_close", FIRST, 0),
        (date(2024, 1, 3), 5.0, 1.0, 0.1, CLOSE, "session_close", FIRST, 0),
        (date(2024, 1, 3), 5.0, 2.0, 0.1, SECOND, "revised", SECOND, 1),
    ]
    frame = pl.DataFrame(
        rows,
        orient="row",
        schema={
            "session": pl.Date,
            "close": pl.Float64,
            "split_ratio": pl.Float64,
            "dividend_usd": pl.Float64,
            "knowledge_time": UTC_TIME,
            "knowledge_basis": pl.String,
            "ingested_at": UTC_TIME,
            "revision": pl.Int32,
        },
    )
    return frame.with_columns(
        *(pl.col("close").alias(c) for c in ("open", "high", "low")),
        symbol=pl.lit("ABC"),
        volume=pl.lit(100.0),
        source=pl.lit("files"),
        event_time=pl.lit(CLOSE).cast(UTC_TIME),
        content=pl.lit("0f"),
        year=pl.col("session").dt.year(),
    )


@pytest.fixture
def old(tmp_path: Path) -> Path:
    write_deltalake(str(tmp_path / "bars"), old_rows().to_arrow(), partition_by=["year"])
    words = ("source", "location", "reason", "detail", "record", "content")
    refused = pl.DataFrame({"ingested_at": [FIRST]}).select(
        *(pl.lit("x").alias(word) for word in words), pl.col("ingested_at").cast(UTC_TIME)
    )
    write_deltalake(str(tmp_path / "quarantine"), refused.to_arrow())
    return tmp_path


def test_every_revision_is_there_at_its_watermark(old: Path) -> None:
    lake = DeltaLake(str(old))

    kept = check(lake.bars(), BARS)

    shown = kept.select("session", "close", "split_ratio", "dividend_usd", "revision").rows()
    assert shown == [
        (date(2024, 1, 2), 10.0, 1.0, 0.0, 0),
        (date(2024, 1, 3), 5.0, 1.0, 0.1, 0),
        (date(2024, 1, 3), 5.0, 2.0, 0.1, 1),
    ]
    assert kept["ingested_at"].to_list() == [FIRST, FIRST, SECOND]
    assert kept["knowledge_time"].to_list() == [CLOSE, CLOSE, SECOND]
    assert lake.watermark() == SECOND
    assert lake.quarantine().height == 1


def test_it_is_taken_over_once_and_goes_on(old: Path) -> None:
    before = DeltaLake(str(old)).bars()
    told = before.tail(1).select(list(BARS_IN.columns)).with_columns(knowledge_basis=pl.lit("x"))

    again = DeltaLake(str(old)).append(LakeBatch(bars=told), SECOND)
    changed = told.with_columns(split_ratio=pl.lit(1.0))
    back = DeltaLake(str(old)).append(LakeBatch(bars=changed), SECOND)

    assert (again.added, again.revised, again.unchanged) == (0, 0, 1)
    assert (back.added, back.revised) == (0, 1)
    assert DeltaLake(str(old)).bars()["split_ratio"].to_list() == [1.0, 1.0, 2.0, 1.0]
