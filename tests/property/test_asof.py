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


@given(ROWS, HOURS, HOURS)
def test_what_comes_in_later_does_not_change_a_past_state(
    rows: list[tuple[str, int, int, int, int]], hour: int, mark: int
) -> None:
    early = facts([r for r in rows if r[3] <= mark])
    keys = ["symbol", "event_time"]

    then = as_of(early, at(hour), keys)
    rebuilt = as_of(facts(rows), at(hour), keys, ingested_before=at(mark))

    assert rebuilt.equals(then)


@given(ROWS, st.tuples(st.sampled_from("AB"), HOURS))
def test_a_join_never_sees_what_becomes_known_later(
    rows: list[tuple[str, int, int, int, int]], asked: tuple[str, int]
) -> None:
    symbol, hour = asked
    left = pl.DataFrame({"symbol": [symbol], "decision_at": [at(hour)]}).cast(
        {"decision_at": UTC_TIME}
    )

    whole = join_as_of(left, facts(rows), by=["symbol"])
    blind = join_as_of(left, facts([r for r in rows if r[2] <= hour]), by=["symbol"])

    assert whole.equals(blind)


def test_a_late_correction_of_an_old_event_hides_no_newer_one() -> None:
    told = facts([("A", 1, 1, 1, 0), ("A", 2, 2, 2, 0), ("A", 1, 9, 9, 1)])
    left = pl.DataFrame({"symbol": ["A"], "decision_at": [at(10)]}).cast({"decision_at": UTC_TIME})

    joined = join_as_of(left, told, by=["symbol"])

    assert joined.select("event_time", "revision").rows() == [(at(2), 0)]
