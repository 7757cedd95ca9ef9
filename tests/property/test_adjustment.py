"""Laws of adjustment: actions leave no trace in returns, and never in what came before them."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import InvalidRequest, SchemaViolation
from bellwether.core.schemas import UTC_TIME
from bellwether.core.types import Adjustment
from bellwether.features.adjust import adjust_forward
from bellwether.features.export import Reinvest, adjust_backward

CALENDAR = session_calendar()
SESSIONS = CALENDAR.between(date(2014, 1, 1), date(2014, 6, 30))
PRICES = ("open", "high", "low", "close")
few = settings(max_examples=40)
RATIOS = st.sampled_from([2.0, 3.0, 1.5, 7.0, 20.0, 0.5, 0.1, 1 / 15, 1.01])


@st.composite
def markets(draw: st.DrawFn, least: int = 3) -> pl.DataFrame:
    """As-traded bars of one symbol, in which anything may have happened, gaps included."""
    n = draw(st.integers(least, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    days = np.sort(rng.choice(len(SESSIONS), n, replace=False))
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.03, n)))
    open_ = close * np.exp(rng.normal(0, 0.01, n))
    split = np.where(rng.random(n) < 0.1, rng.choice([2.0, 0.25, 1.5], n), 1.0)
    base = np.cumprod(1 / split)
    paid = np.where(rng.random(n) < 0.1, rng.uniform(0.01, 0.3, n), 0.0) * close * base
    told = pl.Series([CALENDAR.close_of(SESSIONS[i]) for i in days], dtype=UTC_TIME)
    return pl.DataFrame(
        {
            "symbol": ["ABC"] * n,
            "session": [SESSIONS[i] for i in days],
            "open": open_ * base,
            "high": np.maximum(open_, close) * 1.01 * base,
            "low": np.minimum(open_, close) * 0.99 * base,
            "close": close * base,
            "volume": rng.integers(1_000, 9_000, n) / base,
            "split_ratio": split,
            "dividend_usd": paid,
            "adjustment": ["none"] * n,
            "knowledge_time": told,
        },
        schema_overrides={"session": pl.Date},
    )


@st.composite
def markets_and_a_day(draw: st.DrawFn) -> tuple[pl.DataFrame, int]:
    bars = draw(markets())
    return bars, draw(st.integers(1, bars.height - 1))


def forward(bars: pl.DataFrame) -> pl.DataFrame:
    return adjust_forward(bars, CALENDAR)


def from_day(at: int, name: str, factor: float) -> pl.Expr:
    later = pl.int_range(pl.len()) >= at
    return pl.when(later).then(pl.col(name) * factor).otherwise(name).alias(name)


def on_day(at: int, name: str, value: pl.Expr) -> pl.Expr:
    return pl.when(pl.int_range(pl.len()) == at).then(value).otherwise(name).alias(name)


def split_at(bars: pl.DataFrame, at: int, ratio: float) -> pl.DataFrame:
    return bars.with_columns(
        *(from_day(at, c, 1 / ratio) for c in (*PRICES, "dividend_usd")),
        from_day(at, "volume", ratio),
        on_day(at, "split_ratio", pl.col("split_ratio") * ratio),
    )


@few
@given(markets_and_a_day(), RATIOS)
def test_a_told_split_leaves_no_trace(case: tuple[pl.DataFrame, int], ratio: float) -> None:
    bars, at = case

    plain, split = forward(bars), forward(split_at(bars, at, ratio))

    for column in (*PRICES, "volume"):
        assert_allclose(split[column], plain[column], rtol=1e-11)


@few
@given(markets_and_a_day(), st.floats(0.0001, 0.9))
def test_a_told_dividend_leaves_no_trace(case: tuple[pl.DataFrame, int], share: float) -> None:
    """The price falls by the share of the close before that is paid out, from the ex-date on."""
    bars, at = case
    quiet = bars.with_columns(on_day(at, "dividend_usd", pl.lit(0.0)))
    before = bars["close"][at - 1] / bars["split_ratio"][at]
    paid = quiet.with_columns(
        *(from_day(at, c, 1 - share) for c in (*PRICES, "dividend_usd")),
    ).with_columns(on_day(at, "dividend_usd", pl.lit(before * share)))

    plain, told = forward(quiet), forward(paid)

    for column in PRICES:
        assert_allclose(told[column], plain[column], rtol=1e-9)
    assert told["volume"].to_list() == plain["volume"].to_list()


@few
@given(markets_and_a_day(), RATIOS, st.floats(0.0, 0.9))
def test_a_later_action_changes_no_earlier_bit(
    case: tuple[pl.DataFrame, int], ratio: float, share: float
) -> None:
    bars, at = case
    day = bars["session"][at]
    before = bars["close"][at - 1] / ratio
    later = split_at(bars, at, ratio).with_columns(
        on_day(at, "split_ratio", pl.lit(ratio)), on_day(at, "dividend_usd", before * pl.lit(share))
    )

    first = pl.col("session") < day

    assert forward(later).filter(first).equals(forward(bars).filter(first))
    cut = forward(bars.head(at))
    assert cut.equals(forward(bars).head(cut.height))


@few
@given(markets())
def test_backward_is_forward_up_to_one_constant(bars: pl.DataFrame) -> None:
    """On any day that is taken as the last, and with volume too."""
    whole = forward(bars).filter(~pl.col("carried"))
    for last in (bars["session"][-1], bars["session"][bars.height // 2]):
        back = adjust_backward(bars, last)
        ahead = whole.filter(pl.col("session") <= last)
        for column, factor in ((c, "price_factor") for c in PRICES):
            assert_allclose(back[column], ahead[column] / ahead[factor][-1], rtol=1e-11)
        assert_allclose(back["volume"], ahead["volume"] / ahead["volume_factor"][-1], rtol=1e-11)
        assert back.row(-1, named=True)["close"] == ahead["raw_close"][-1]


@few
@given(markets(), st.sampled_from(["splits", "total"]))
def test_bars_that_arrive_adjusted_give_the_same_returns(bars: pl.DataFrame, how: str) -> None:
    """What is in the prices is not applied again, and what is not is applied on their basis."""
    last = bars["session"][-1]
    shipped = adjust_backward(bars, last, Adjustment(how)).join(
        bars.select("session", "knowledge_time"), on="session", maintain_order="left"
    )

    plain, again = forward(bars), forward(shipped)

    for column in PRICES:
        ours, theirs = plain[column] / plain[column][0], again[column] / again[column][0]
        assert_allclose(theirs, ours, rtol=1e-9)
    assert again["adjustment"].unique().to_list() == [how]


@few
@given(markets(), st.sampled_from(list(Reinvest)))
def test_exporting_what_was_exported_changes_nothing(
    bars: pl.DataFrame, reinvest: Reinvest
) -> None:
    last = bars["session"][-1]
    once = adjust_backward(bars, last, reinvest=reinvest)

    again = adjust_backward(once, last, reinvest=reinvest)

    assert again.select(*PRICES, "volume").equals(once.select(*PRICES, "volume"))


def day_of_both(split: float, paid: float) -> pl.DataFrame:
    """Three sessions at 100 before a split and a dividend on the second."""
    raw = [100.0, 40.0, 41.0]
    return pl.DataFrame(
        {
            "symbol": ["ABC"] * 3,
            "session": SESSIONS[:3],
            **dict.fromkeys(PRICES, raw),
            "volume": [1_000.0, 2_000.0, 3_000.0],
            "split_ratio": [1.0, split, 1.0],
            "dividend_usd": [0.0, paid, 0.0],
            "adjustment": ["none"] * 3,
            "knowledge_time": pl.Series(
                [CALENDAR.close_of(s) for s in SESSIONS[:3]], dtype=UTC_TIME
            ),
        }
    )


def test_split_and_dividend_on_one_day() -> None:
    """2:1 first, then 5 USD on the new share: 100 -> 50 -> factor 0.9."""
    back = adjust_backward(day_of_both(2.0, 5.0), SESSIONS[2])
    at_ex = adjust_backward(day_of_both(2.0, 5.0), SESSIONS[2], reinvest=Reinvest.EX_CLOSE)
    ahead = forward(day_of_both(2.0, 5.0))

    assert_allclose(back["close"], [45.0, 40.0, 41.0], rtol=1e-15)
    assert_allclose(at_ex["close"], [100 / 2 * 40 / 45, 40.0, 41.0], rtol=1e-15)
    assert back["volume"].to_list() == [2_000.0, 2_000.0, 3_000.0]
    assert_allclose(ahead["close"][1] / ahead["close"][0], 40 / 45, rtol=1e-15)


def test_a_reverse_split_and_a_dividend_on_one_day() -> None:
    back = adjust_backward(day_of_both(0.25, 8.0), SESSIONS[2])

    assert_allclose(back["close"], [392.0, 40.0, 41.0], rtol=1e-15)
    assert back["volume"].to_list() == [250.0, 2_000.0, 3_000.0]


def test_split_adjusted_only() -> None:
    back = adjust_backward(day_of_both(2.0, 5.0), SESSIONS[2], Adjustment.SPLITS)

    assert back["close"].to_list() == [50.0, 40.0, 41.0]
    assert back["dividend_usd"].to_list() == [0.0, 5.0, 0.0]


def test_before_the_ex_date_nothing_has_happened() -> None:
    back = adjust_backward(day_of_both(2.0, 5.0), SESSIONS[0])

    assert back["close"].to_list() == [100.0]
    assert adjust_backward(day_of_both(2.0, 5.0), date(1999, 1, 1)).height == 0


@pytest.mark.parametrize("paid", [50.0, 51.0, 1e9])
def test_a_dividend_that_leaves_nothing_is_refused_by_name(paid: float) -> None:
    bars = day_of_both(2.0, paid)

    with pytest.raises(SchemaViolation, match=r"ABC 2014-01-03: a dividend of .* worth 50"):
        adjust_backward(bars, SESSIONS[2])
    with pytest.raises(SchemaViolation, match=r"ABC 2014-01-03: a dividend of .* worth 50"):
        forward(bars)


def test_what_arrived_adjusted_does_not_go_back() -> None:
    bars = day_of_both(2.0, 5.0).with_columns(adjustment=pl.lit("total"))

    with pytest.raises(InvalidRequest, match="cannot be known"):
        adjust_backward(bars, SESSIONS[2], Adjustment.NONE)
    with pytest.raises(InvalidRequest, match="cannot go back"):
        adjust_backward(bars, SESSIONS[1])
    assert adjust_backward(bars, SESSIONS[2])["close"].to_list() == bars["close"].to_list()


def test_a_mix_of_adjustments_is_no_series() -> None:
    mixed = day_of_both(2.0, 5.0).with_columns(adjustment=pl.Series(["none", "total", "total"]))

    assert forward(mixed)["adjustment"].to_list() == ["none", "mixed", "mixed"]
    with pytest.raises(InvalidRequest, match="mixed"):
        adjust_backward(mixed, SESSIONS[2])


def test_sessions_out_of_order_are_refused() -> None:
    with pytest.raises(SchemaViolation, match="order"):
        adjust_backward(day_of_both(2.0, 5.0).reverse(), SESSIONS[2])
