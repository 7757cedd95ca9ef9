"""A bound holds the truth whenever its assumption does, and an as-of universe never looks ahead."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.core.schemas import UNIVERSE, UTC_TIME, check
from bellwether.evaluation.survivorship import (
    NO_UNIVERSE,
    REASONS,
    Coverage,
    coverage,
    member_sessions,
    members,
    of_members,
    spells_known,
    survivorship_note,
)
from bellwether.evaluation.survivorship_bound import bound, yearly_returns

DAY0 = date(2020, 11, 2)
DAYS = [DAY0 + timedelta(days=i) for i in range(120)]
SPANS = st.tuples(
    st.sampled_from(["A", "B", "C", "D"]),
    st.integers(0, 119),
    st.none() | st.integers(0, 60),
    st.sampled_from([None, "removed", "delisted"]),
)
SPELLS = st.lists(SPANS, min_size=1, max_size=6, unique_by=lambda s: (s[0], s[1]))
RETURN = st.floats(-0.99, 5)
Span = tuple[str, int, int | None, str | None]


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def universe(spans: list[Span], source: str = "universe") -> pl.DataFrame:
    """Tell each start on its day, and each end by a revision on the day after it."""
    rows = []
    for symbol, start, length, reason in spans:
        first = DAYS[start]
        row = {"universe": "u", "symbol": symbol, "first": first, "last": None, "end_reason": None}
        row |= {"delisting_return": None, "source": source, "event_time": noon(first)}
        row |= {"knowledge_time": noon(first), "knowledge_basis": "b", "ingested_at": noon(DAY0)}
        rows.append({**row, "revision": 0})
        if length is not None:
            last = first + timedelta(days=length)
            known = {"knowledge_time": noon(last + timedelta(days=1)), "revision": 1}
            rows.append({**rows[-1], **known, "last": last, "end_reason": reason})
    times = ("event_time", "knowledge_time", "ingested_at")
    dtypes = dict.fromkeys(UNIVERSE.columns, pl.String) | dict.fromkeys(times, UTC_TIME)
    dtypes |= {"first": pl.Date, "last": pl.Date, "revision": pl.Int32}
    return pl.DataFrame(rows, schema={**dtypes, "delisting_return": pl.Float64})


@given(SPELLS, st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(0, 118)), max_size=12))
def test_decisions_are_kept_on_names_that_were_known_to_be_members(
    spans: list[Span], asked: list[tuple[str, int]]
) -> None:
    told = universe(spans)
    rows = pl.DataFrame(
        {
            "symbol": [s for s, _ in asked],
            "session": [DAYS[i] for _, i in asked],
            "decision_at": [noon(DAYS[i]) + timedelta(hours=9) for _, i in asked],
        },
        schema={"symbol": pl.String, "session": pl.Date, "decision_at": UTC_TIME},
    )

    kept = of_members(rows, told, "u")

    expected = [
        row
        for row in rows.iter_rows(named=True)
        if row["symbol"] in members(told, "u", row["decision_at"], row["session"])
    ]
    assert kept.rows(named=True) == expected


@given(SPELLS, st.integers(0, 119), st.integers(0, 119))
def test_members_never_use_an_end_that_became_known_later(
    spans: list[Span], known: int, asked: int
) -> None:
    at, session = noon(DAYS[known]), DAYS[asked]

    found = members(universe(spans), "u", at, session)

    slow = set()
    for symbol, start, length, _ in spans:
        began = start <= known and start <= asked
        heard = length is not None and start + length + 1 <= known
        gone = heard and length is not None and asked > start + length
        if began and not gone:
            slow.add(symbol)
    assert found == sorted(slow)


@given(SPELLS, st.integers(0, 119))
def test_what_becomes_known_later_changes_no_past_list(spans: list[Span], known: int) -> None:
    whole = universe(spans)
    at = noon(DAYS[known])
    blind = whole.filter(pl.col("knowledge_time") <= at)
    assume(blind.height > 0)

    assert members(whole, "u", at, DAYS[known]) == members(blind, "u", at, DAYS[known])


@given(SPELLS, st.sets(st.tuples(st.sampled_from("ABCD"), st.integers(0, 119)), max_size=80))
def test_every_member_session_has_a_bar_or_one_reason(
    spans: list[Span], bars: set[tuple[str, int]]
) -> None:
    spells = spells_known(universe(spans), "u", noon(DAYS[-1] + timedelta(days=99)))
    held = pl.DataFrame(
        {"symbol": [b[0] for b in bars], "session": [DAYS[b[1]] for b in bars]},
        schema={"symbol": pl.String, "session": pl.Date},
    )

    years = coverage(spells, held, DAYS).years

    slow: dict[int, set[tuple[str, date]]] = {}
    for symbol, start, length, _ in spans:
        for i in range(start, 120 if length is None else min(start + length + 1, 120)):
            slow.setdefault(DAYS[i].year, set()).add((symbol, DAYS[i]))
    has = {(s, DAYS[i]) for s, i in bars}
    told = {row["year"]: row for row in years.iter_rows(named=True)}
    assert set(told) == set(slow)
    for year, wanted in slow.items():
        row = told[year]
        assert row["member_sessions"] == len(wanted)
        assert row["held_sessions"] == len(wanted & has)
        assert sum(row[r] for r in REASONS) == len(wanted - has)
        assert row["share_missing"] == pytest.approx(len(wanted - has) / len(wanted))
        without = {s for s, _ in wanted} - {s for s, _ in wanted & has}
        assert (row["members"], row["names_missing"]) == (len({s for s, _ in wanted}), len(without))


def covered(
    held: list[int], total: int, left: list[bool], told: list[float | None] | None = None
) -> Coverage:
    """One year of names with `total` member-sessions each, of which `held` have bars."""
    n = len(held)
    names = pl.DataFrame(
        {
            "year": [2020] * n,
            "symbol": [f"S{i}" for i in range(n)],
            "member_sessions": [total] * n,
            "held_sessions": held,
            "left": left,
            "delisting_return": told or [None] * n,
        },
        schema_overrides={"delisting_return": pl.Float64},
    )
    share = 1 - sum(held) / (n * total)
    years = pl.DataFrame({"year": [2020], "share_missing": [share]})
    return Coverage(years, names)


def returns(values: dict[str, float]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "year": [2020] * len(values),
            "symbol": list(values),
            "total_return": list(values.values()),
        },
        schema={"year": pl.Int64, "symbol": pl.String, "total_return": pl.Float64},
    )


@given(
    st.lists(st.tuples(RETURN, st.integers(1, 10)), min_size=1, max_size=8),
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0, 1)), max_size=8),
    st.sampled_from([-1.0, -0.55, -0.30, 0.0]),
    st.sampled_from([(0.05, 0.95), (0.0, 1.0), (0.5, 0.5)]),
)
def test_the_limits_hold_the_truth_where_the_assumption_holds(
    present: list[tuple[float, int]],
    missing: list[tuple[float, bool, float]],
    delisting: float,
    quantiles: tuple[float, float],
) -> None:
    held = [sessions for _, sessions in present] + [0] * len(missing)
    told = {f"S{i}": value for i, (value, _) in enumerate(present)}
    given_as = covered(held, 10, [False] * len(present) + [left for _, left, _ in missing])

    row = bound(
        given_as, returns(told), delisting_return=delisting, low=quantiles[0], high=quantiles[1]
    ).row(0, named=True)

    values = np.array(list(told.values()))
    weights = np.array([sessions for _, sessions in present], dtype=float)
    mean = float(np.average(values, weights=weights))
    low = min(float(np.quantile(values, quantiles[0])), mean)
    high = max(float(np.quantile(values, quantiles[1])), mean)
    gaps = [
        (low + u * (high - low), 10 - s) for (u, _, _), s in zip(missing, [0] * 8, strict=False)
    ]
    earned = [
        ((1 + value) * (1 + delisting * loss) - 1 if left else value, sessions)
        for (value, sessions), (_, left, loss) in zip(gaps, missing, strict=True)
    ]
    rest = [(low + 0.5 * (high - low), 10 - s) for _, s in present]
    parts = [*zip(values, weights, strict=True), *earned, *rest]
    truth = sum(v * w for v, w in parts) / sum(w for _, w in parts)
    assert row["present_return"] == pytest.approx(mean)
    assert row["all_low"] - 1e-9 <= truth <= row["all_high"] + 1e-9
    assert row["bias_low"] - 1e-9 <= mean - truth <= row["bias_high"] + 1e-9
    assert row["all_low"] >= -1 - 1e-9


@given(st.lists(RETURN, min_size=1, max_size=8), st.floats(-1, 0))
def test_without_missing_names_there_is_no_doubt(values: list[float], delisting: float) -> None:
    told = {f"S{i}": value for i, value in enumerate(values)}
    given_as = covered([10] * len(values), 10, [True] * len(values))

    row = bound(given_as, returns(told), delisting_return=delisting).row(0, named=True)

    assert row["all_low"] == row["all_high"] == row["present_return"]
    assert row["bias_low"] == row["bias_high"] == 0


@given(
    st.lists(RETURN, min_size=2, max_size=6),
    st.integers(0, 6),
    st.integers(0, 6),
    st.booleans(),
)
def test_the_doubt_grows_with_the_share_that_is_missing(
    values: list[float],
    few: int,
    more: int,
    left: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    few, more = sorted((few, more))
    told = returns({f"S{i}": value for i, value in enumerate(values)})
    rows = []
    for absent in (few, more):
        held = [10] * len(values) + [0] * absent
        flags = [False] * len(values) + [left] * absent
        rows.append(bound(covered(held, 10, flags), told).row(0, named=True))

    narrow, wide = rows
    assert wide["bias_high"] >= narrow["bias_high"] - 1e-9
    assert wide["bias_low"] <= narrow["bias_low"] + 1e-9


@pytest.mark.parametrize(("adjustment", "total"), [("none", 0.21), ("total", -0.4)])
def test_returns_count_splits_and_dividends_unless_the_prices_hold_them(
    adjustment: str, total: float
) -> None:
    sessions = [date(2020, 12, 30), date(2020, 12, 31), date(2021, 1, 4)]
    bars = pl.DataFrame(
        {
            "symbol": ["A"] * 3,
            "session": sessions,
            "close": [100.0, 55.0, 60.0],
            "split_ratio": [1.0, 2.0, 1.0],
            "dividend_usd": [0.0, 0.0, 0.0 if adjustment == "total" else 0.45],
            "adjustment": [adjustment] * 3,
        }
    )
    spells = spells_known(universe([("A", 0, None, None)]), "u", noon(DAYS[-1]))

    found = yearly_returns(bars, member_sessions(spells, sessions))

    both = float(np.prod([1 + r for r in found["total_return"]])) - 1
    assert found["year"].to_list() == [2020, 2021]
    assert both == pytest.approx(total, abs=0.001)


def test_a_delisting_return_that_is_told_takes_the_place_of_the_assumption() -> None:
    told = returns({"S0": 0.1, "S1": 0.1})
    bankrupt = covered([10, 10, 0], 10, [False, False, True], [None, None, -0.9])
    bought = covered([10, 10, 0], 10, [False, False, True], [None, None, 0.2])

    worse = bound(bankrupt, told, delisting_return=-0.3).row(0, named=True)
    better = bound(bought, told).row(0, named=True)

    assert worse["missing_low"] == worse["missing_high"] == pytest.approx(1.1 * 0.1 - 1)
    assert better["missing_low"] == better["missing_high"] == pytest.approx(1.1 * 1.2 - 1)
    assert better["bias_low"] == pytest.approx((0.1 - 0.32) / 3)


def test_a_year_without_any_bars_says_nothing() -> None:
    row = bound(covered([0, 0], 10, [False, True]), returns({})).row(0, named=True)

    assert (row["share_missing"], row["names_present"]) == (1.0, 0)
    assert {row[c] for c in ("present_return", "all_low", "all_high", "bias_high")} == {None}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.5])
def test_a_return_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(InvalidRequest, match="S0 in 2020"):
        bound(covered([10], 10, [False]), returns({"S0": value}))


@pytest.mark.parametrize("options", [{"delisting_return": -1.1}, {"low": 0.9, "high": 0.1}])
def test_an_assumption_out_of_range_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidRequest):
        bound(covered([10], 10, [False]), returns({"S0": 0.1}), **options)


def test_two_returns_of_one_name_are_refused() -> None:
    twice = pl.concat([returns({"S0": 0.1}), returns({"S0": 0.2})])

    with pytest.raises(InvalidRequest, match="two returns"):
        bound(covered([10], 10, [False]), twice)


def test_the_made_universe_is_one() -> None:
    assert check(universe([("A", 0, 3, "delisted"), ("B", 1, None, None)]), UNIVERSE).height == 3


def test_an_unknown_universe_names_the_known() -> None:
    with pytest.raises(UnknownName, match=r"no universe 'v'. Known: u"):
        spells_known(universe([("A", 0, None, None)]), "v", noon(DAY0))


def test_of_two_sources_the_one_ingested_last_is_used() -> None:
    one = universe([("A", 0, 10, None)])
    other = universe([("A", 0, 20, None)], "other").with_columns(
        pl.col("ingested_at") + pl.duration(days=1)
    )
    late = noon(DAYS[-1])

    spells = spells_known(pl.concat([one, other]), "u", late)

    assert spells["last"].to_list() == [DAYS[20]]
    assert member_sessions(spells, DAYS).height == 21


def test_the_note_says_what_is_left_out() -> None:
    spells = spells_known(
        universe([("A", 0, None, None), ("B", 0, 10, None), ("C", 5, None, None)]),
        "u",
        noon(DAYS[-1]),
    )

    note = survivorship_note(spells, ["A", "X"], [2020])

    assert note.startswith("Of 3 names that were members in 2020 to 2020, 2 (67%) are not in this")
    assert "1 of them left by 2020" in note
    assert "1 names in it were never members" in note
    assert survivorship_note(None, ["A"], [2020]) == NO_UNIVERSE
    assert NO_UNIVERSE in survivorship_note(spells, ["A"], [1990])
    assert "too good" not in survivorship_note(spells, ["A", "B", "C"], [2020])
