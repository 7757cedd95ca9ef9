"""No row with a later knowledge time can ever be seen."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.asof import as_of, join_as_of
from bellwether.core.schemas import UTC_TIME

START = datetime(2020, 1, 1, tzinfo=UTC)
HOURS = st.integers(0, 40)
ROWS = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(0, 5), HOURS, HOURS, st.integers(0, 3)),
    max_size=25,
    unique_by=lambda r: (r[0], r[1], r[4]),
)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def facts(rows: list[tuple[str, int, int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": [r[0] for r in rows],
            "event_time": [at(r[1]) for r in rows],
            "knowledge_time": [at(r[2]) for r in rows],
            "ingested_at": [at(r[3]) for r in rows],
            "revision": [r[4] for r in rows],
        },
        schema={
            "symbol": pl.String,
            "event_time": UTC_TIME,
            "knowledge_time": UTC_TIME,
            "ingested_at": UTC_TIME,
            "revision": pl.Int32,
        },
    )


@given(ROWS, HOURS, HOURS)
def test_as_of_sees_only_what_was_known_and_ingested(
    rows: list[tuple[str, int, int, int, int]], hour: int, mark: int
) -> None:
    seen = as_of(facts(rows), at(hour), ["symbol", "event_time"], ingested_before=at(mark))

    slow: dict[tuple[str, int], int] = {}
    for symbol, event, known, ingested, revision in rows:
        if known <= hour and ingested <= mark:
            slow[symbol, event] = max(slow.get((symbol, event), -1), revision)
    fast = {
        (r["symbol"], round((r["event_time"] - START).total_seconds() / 3600)): r["revision"]
        for r in seen.iter_rows(named=True)
    }
    assert fast == slow
    assert all(k <= at(hour) for k in seen["knowledge_time"])


@given(ROWS, st.lists(st.tuples(st.sampled_from("ABC"), HOURS), min_size=1, max_size=10))
def test_a_join_gives_the_newest_event_known_and_never_a_later_one(
    rows: list[tuple[str, int, int, int, int]], asked: list[tuple[str, int]]
) -> None:
    left = pl.DataFrame(
        {"symbol": [a[0] for a in asked], "decision_at": [at(a[1]) for a in asked]},
        schema={"symbol": pl.String, "decision_at": UTC_TIME},
    )

    joined = join_as_of(left, facts(rows), by=["symbol"])

    assert joined["symbol"].to_list() == [a[0] for a in asked]
    for (symbol, hour), row in zip(asked, joined.iter_rows(named=True), strict=True):
        known = [r for r in rows if r[0] == symbol and r[2] <= hour]
        if not known:
            assert row["knowledge_time"] is None
            continue
        newest = max(r[1] for r in known)
        assert row["event_time"] == at(newest)
        assert row["knowledge_time"] <= at(hour)
