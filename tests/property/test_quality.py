"""Laws of the detectors: what must not matter, does not."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.plant import FIELDS, market_panel, plant

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import SchemaViolation
from bellwether.core.schemas import FLAGS, check
from bellwether.quality import disagreements, inspect, reconciled

CALENDAR = session_calendar()
CLEAN, _ = market_panel(5, symbols=12, first=date(2011, 1, 3))
FAULTY, KEY = plant(CLEAN, 6, each=3)
FLAGGED = inspect(FAULTY, CALENDAR)
WHICH = ["symbol", "session", "kind", "field", "severity"]


@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    assert_frame_equal(
        inspect(FAULTY.sample(fraction=1, shuffle=True, seed=seed), CALENDAR), FLAGGED
    )


@settings(max_examples=5)
@given(power=st.integers(-2, 4))
def test_the_unit_of_prices_does_not_matter(power: int) -> None:
    """A power of two changes no digit of a price but its grid; kinds that judge the grid are left out."""
    grid = ["coarse_rounding", "stale_repeat", "outlier", "unexplained_jump", "missed_split"]
    scaled = FAULTY.with_columns(
        *(pl.col(c) * 10.0**power for c in FIELDS),
        dividend_usd=pl.col("dividend_usd") * 10.0**power,
    )
    seen = inspect(scaled, CALENDAR)
    left = [
        f.filter(~pl.col("kind").is_in(grid)).select(WHICH[:3]).unique().sort(WHICH[:3])
        for f in (seen, FLAGGED)
    ]

    assert_frame_equal(left[0], left[1])


def test_a_symbol_told_again_under_another_name_changes_nothing_for_the_rest() -> None:
    again = FAULTY.filter(pl.col("symbol") == "S003").with_columns(symbol=pl.lit("ZZZ"))
    seen = inspect(pl.concat([FAULTY, again]), CALENDAR)
    own = seen.filter(pl.col("symbol") == "S003").select(WHICH[1:])
    copy = seen.filter(pl.col("symbol") == "ZZZ").select(WHICH[1:])

    assert_frame_equal(own, copy)


def test_flags_fit_their_schema_and_are_sorted() -> None:
    assert_frame_equal(check(FLAGGED, FLAGS), FLAGGED)
    assert_frame_equal(FLAGGED, FLAGGED.sort("symbol", "session", "kind", "field"))
    assert FLAGGED["detail"].str.len_chars().min() > 20
    assert set(FLAGGED["symbol"]) <= set(FAULTY["symbol"])


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_little_data_raises_nothing(rows: int) -> None:
    flags = inspect(CLEAN.head(rows), CALENDAR)

    assert flags.filter(pl.col("severity") == "fault").height == 0
    assert flags.columns == list(FLAGS.columns)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
@pytest.mark.parametrize("field", ["close", "volume", "split_ratio"])
def test_numbers_that_are_none_are_refused(bad: float | None, field: str) -> None:
    broken = CLEAN.head(9).with_columns(
        pl.when(pl.int_range(pl.len()) == 4).then(pl.lit(bad)).otherwise(field).alias(field)
    )
    with pytest.raises(SchemaViolation, match=field):
        inspect(broken, CALENDAR)


def test_two_bars_in_one_session_are_refused() -> None:
    with pytest.raises(SchemaViolation, match="two bars"):
        inspect(pl.concat([CLEAN, CLEAN.head(1)]), CALENDAR)
    with pytest.raises(SchemaViolation, match="two bars"):
        disagreements(CLEAN, pl.concat([CLEAN, CLEAN.head(1)]))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(SchemaViolation, match="adjustment"):
        inspect(CLEAN.drop("adjustment"), CALENDAR)
    with pytest.raises(SchemaViolation, match="volume"):
        disagreements(CLEAN.drop("volume"), CLEAN)


def test_days_without_session_are_told_and_disturb_nobody() -> None:
    sunday = CLEAN.filter(pl.col("symbol") == "S001").head(40).tail(1)
    sunday = sunday.with_columns(session=pl.lit(date(2011, 6, 5)), close=pl.col("close") * 3)
    flags = inspect(pl.concat([CLEAN, sunday]), CALENDAR)
    odd = flags.filter(pl.col("kind") == "out_of_hours")

    assert odd.select("symbol", "session").rows() == [("S001", date(2011, 6, 5))]
    assert_frame_equal(flags.filter(pl.col("kind") != "out_of_hours"), inspect(CLEAN, CALENDAR))


def test_no_price_and_negative_prices_are_told() -> None:
    zero = CLEAN.with_columns(
        open=pl.when(pl.col("session") < date(2011, 4, 1)).then(0.0).otherwise("open")
    )
    flags = inspect(zero, CALENDAR).filter(pl.col("field") == "open")
    begun = CLEAN.filter(pl.col("session") < date(2011, 4, 1))["symbol"].n_unique()

    assert set(flags["kind"]) >= {"ohlc_contradiction"}
    assert flags.filter(pl.col("score") == 1e3).height >= begun  # one for each stretch


def test_two_sources_agree_with_themselves_in_any_unit() -> None:
    other = CLEAN.with_columns(
        *(pl.col(c) * 0.25 for c in FIELDS),
        dividend_usd=pl.col("dividend_usd") * 0.25,
        volume=pl.col("volume") * 4,
    )
    assert disagreements(CLEAN, other).height == 0


def test_the_odd_source_is_named_and_mended_from_the_other() -> None:
    row = CLEAN.filter(pl.col("symbol") == "S004").row(150, named=True)
    here = (pl.col("symbol") == "S004") & (pl.col("session") == row["session"])
    wrong = CLEAN.with_columns(
        pl.when(here).then(pl.col(c) * 1.2).otherwise(c).alias(c) for c in FIELDS
    )
    halved = CLEAN.with_columns(
        *(pl.col(c) * 0.5 for c in FIELDS),
        dividend_usd=pl.col("dividend_usd") * 0.5,
        source=pl.lit("other"),
    )
    ours = disagreements(wrong, halved).filter(pl.col("field") == "close")
    theirs = disagreements(halved, wrong).filter(pl.col("field") == "close")
    mended = reconciled(wrong, halved).filter(here).row(0, named=True)

    assert ours.select("session", "severity").rows() == [(row["session"], "fault")]
    assert theirs.select("session", "severity").rows() == [(row["session"], "note")]
    assert mended["close"] == pytest.approx(row["close"])
    assert mended["source"] == "other"


def test_a_hole_is_filled_from_the_other_source() -> None:
    row = CLEAN.filter(pl.col("symbol") == "S004").row(150, named=True)
    here = (pl.col("symbol") == "S004") & (pl.col("session") == row["session"])
    mended = reconciled(CLEAN.filter(~here), CLEAN)

    assert_frame_equal(mended, CLEAN.sort("symbol", "session"), check_exact=False)
