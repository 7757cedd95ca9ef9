"""The section: who is in, what is said of it, and that history and stream say the same."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import SchemaViolation
from bellwether.core.schemas import UTC_TIME
from bellwether.features.adjust import adjust_forward, bars_in_order
from bellwether.features.history import as_known
from bellwether.features.panel import Section, compute, split
from bellwether.features.section import look
from bellwether.features.section_stream import SectionStream
from bellwether.features.views import views

CALENDAR = session_calendar()
VIEW = views()["section"]
NAMES = ("AAA", "BBB", "CCC", "DDD")
SECTORS = pl.DataFrame(
    {
        "symbol": ["AAA", "BBB", "CCC", "CCC"],
        "sector": ["soft", "soft", "soft", "hard"],
        "known_from": [date(2020, 1, 1), date(2020, 6, 1), date(2020, 1, 1), date(2021, 1, 4)],
    }
)


def bars(name: str, n: int = 340, first: int = 0, missing: tuple[int, ...] = ()) -> pl.DataFrame:
    rng = np.random.default_rng([ord(c) for c in name])
    sessions = CALENDAR.between(date(2020, 1, 2), date(2023, 1, 1))[first : first + n]
    close = 50 * np.cumprod(1 + rng.normal(0, 0.02, n))
    closes = pl.Series([CALENDAR.close_of(s) for s in sessions], dtype=UTC_TIME)
    frame = pl.DataFrame(
        {
            "symbol": [name] * n,
            "session": sessions,
            "open": close,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "volume": rng.integers(1000, 9000, n).astype(float),
            "split_ratio": np.ones(n),
            "dividend_usd": np.zeros(n),
            "knowledge_time": closes,
            "ingested_at": closes,
            "revision": np.zeros(n, dtype=np.int32),
        },
        schema_overrides={"session": pl.Date},
    )
    return frame.filter(~pl.int_range(pl.len()).is_in(list(missing)))


def lake() -> dict[str, pl.DataFrame]:
    gaps = {"BBB": (5, 6, 300), "CCC": ()}
    late = {"DDD": 40}
    return {s: bars(s, 340 - late.get(s, 0), late.get(s, 0), gaps.get(s, ())) for s in NAMES}


def history(market: dict[str, pl.DataFrame], section: Section | None = None) -> pl.DataFrame:
    series = pl.concat([adjust_forward(market[s], CALENDAR) for s in sorted(market)])
    return compute(VIEW, split(series), CALENDAR, section)


def test_the_stream_gives_the_same_bits() -> None:
    market, section = lake(), Section(sectors=SECTORS)
    told = {(r[0], r[1]): np.array(r[3:]) for r in history(market, section).rows()}
    by_name = {s: {b.session: b for b in bars_in_order(f)} for s, f in market.items()}
    stream = SectionStream(VIEW, CALENDAR)

    for session in CALENDAR.between(date(2020, 1, 2), date(2023, 1, 1))[:340]:
        here = {s: b[session] for s, b in by_name.items() if session in b}
        known = SECTORS.filter(pl.col("known_from") <= session).sort("known_from")
        sectors = dict(known.select("symbol", "sector").rows())
        for symbol, vector in stream.push(session, here, sectors=sectors).items():
            assert vector.tobytes() == told[symbol, session].tobytes(), (symbol, session)


@pytest.mark.parametrize("cut", [1, 40, 41, 300, 301, 302, 339])
def test_what_comes_later_changes_nothing(cut: int) -> None:
    market = lake()
    day = CALENDAR.between(date(2020, 1, 2), date(2023, 1, 1))[cut]
    known = {s: f.filter(pl.col("session") < day) for s, f in market.items()}

    full = history(market).filter(pl.col("session") < day)
    part = history({s: f for s, f in known.items() if f.height})

    # a symbol without a bar on the last days is carried only once it has come back
    both = full.join(part.select("symbol", "session"), on=["symbol", "session"])
    assert both.equals(part)


def test_warm_ups_hold_and_nothing_else_is_missing() -> None:
    frame = history({s: bars(s) for s in NAMES}, Section(sectors=SECTORS))
    mine = frame.filter(pl.col("symbol") == "AAA")

    for f in VIEW.features:
        values = mine[f.name].to_numpy()
        assert np.isnan(values[: f.warm_up]).all(), f.name
        assert np.isfinite(values[f.warm_up :]).all(), f.name
    unknown = frame.filter(pl.col("symbol") == "DDD")
    assert np.isnan(unknown["sector_relative_1"].to_numpy()).all()


def test_only_members_with_a_bar_known_at_the_close_are_in() -> None:
    market = {s: bars(s, 30) for s in NAMES}
    day = market["AAA"]["session"][20]
    late = pl.when(pl.col("session") == day).then(pl.col("knowledge_time") + timedelta(hours=2))
    market["BBB"] = market["BBB"].with_columns(
        late.otherwise("knowledge_time").alias("knowledge_time")
    )
    rows = pl.concat([f.select("symbol", "session") for f in market.values()])
    members = rows.filter(pl.col("symbol") != "CCC")

    found = history(market, Section(members=members)).filter(pl.col("session") == day)

    ranks = dict(found.select("symbol", "rank_return_1").rows())
    own = dict(
        history(market).filter(pl.col("session") == day).select("symbol", "z_return_1").rows()
    )
    assert {s for s, r in ranks.items() if not np.isnan(r)} == {"AAA", "DDD"}
    assert sorted([ranks["AAA"], ranks["DDD"]]) == [0.0, 1.0]
    assert np.isnan(own["BBB"])
    assert not np.isnan(own["CCC"])
    assert found["market_return_1"].n_unique() == 1
    steps = {s: market[s]["close"][20] / market[s]["close"][19] - 1 for s in ("AAA", "DDD")}
    assert np.isclose(found["market_return_1"][0], np.mean(list(steps.values())))


def test_a_correction_changes_nothing_that_was_decided_before_it() -> None:
    market = {s: bars(s) for s in NAMES}
    told = CALENDAR.close_of(market["AAA"]["session"][300]) + timedelta(hours=1)
    wrong = market["AAA"].slice(280, 1)
    fixed = wrong.with_columns(
        pl.col("close") * 0.97, revision=pl.lit(1, pl.Int32), knowledge_time=pl.lit(told, UTC_TIME)
    )
    until = datetime(2023, 1, 1, tzinfo=told.tzinfo)

    from bellwether.features.history import states

    def whole(revisions: dict[str, pl.DataFrame]) -> pl.DataFrame:
        pieces = {s: list(states(f, CALENDAR, until)) for s, f in revisions.items()}
        return compute(VIEW, pieces, CALENDAR)

    before, after = whole(market), whole(market | {"AAA": pl.concat([market["AAA"], fixed])})
    decided = CALENDAR.between(date(2020, 1, 2), date(2023, 1, 1))[300]

    early = pl.col("session") <= decided
    assert before.filter(early).equals(after.filter(early))
    assert not before.filter(~early).equals(after.filter(~early))


def test_a_panel_of_a_plain_view_is_what_each_symbol_gives_alone() -> None:
    market = lake()
    view = views()["technical"]
    until = datetime(2023, 1, 1, tzinfo=CALENDAR.close_of(date(2020, 1, 2)).tzinfo)
    series = pl.concat([adjust_forward(market[s], CALENDAR) for s in NAMES])

    alone = pl.concat([as_known(view, market[s], CALENDAR, until) for s in NAMES])

    assert compute(view, split(series), CALENDAR).equals(alone)


def test_figures_across_by_hand() -> None:
    nan = float("nan")
    values = np.array([[1.0, nan], [3.0, 5.0], [3.0, nan], [nan, nan]])
    none = np.full(values.shape, -1)
    sectors = np.array([[0, 0], [0, 0], [1, 1], [1, 1]])

    assert look("mean", values, none)[:, 0].tolist() == [7 / 3] * 4
    assert look("rank", values, none)[:3, 0].tolist() == [0.0, 0.75, 0.75]
    assert look("rank", values, none)[1, 1] == 0.5
    assert look("std", values, none)[0, 1] == 0.0
    assert look("z", values, none)[1, 1] == 0.0
    assert look("sector_mean", values, sectors)[:3, 0].tolist() == [2.0, 2.0, 3.0]
    assert np.isnan(look("rank", values, none)[3]).all()
    assert np.isnan(look("mean", np.full((2, 1), nan), none[:2, :1])).all()


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=30))
def test_who_is_not_there_leaves_no_trace(values: list[float]) -> None:
    column = np.array(values)[:, None]
    here = ~np.isnan(column[:, 0])
    none = np.full(column.shape, -1)

    for function in ("mean", "std", "rank", "z"):
        with_holes = look(function, column, none)[here]
        assert (
            with_holes.tobytes() == look(function, column[here], none[here])[: here.sum()].tobytes()
        )


def test_sessions_out_of_order_are_refused() -> None:
    market = {s: {b.session: b for b in bars_in_order(bars(s, 5))} for s in NAMES}
    days = sorted(market["AAA"])
    stream = SectionStream(VIEW, CALENDAR)
    stream.push(days[1], {s: m[days[1]] for s, m in market.items()})

    with pytest.raises(SchemaViolation, match="after"):
        stream.push(days[1], {s: m[days[1]] for s, m in market.items()})
    with pytest.raises(SchemaViolation, match="among those"):
        stream.push(days[3], {"AAA": market["AAA"][days[2]]})
    assert stream.push(days[4], {}) == {}
