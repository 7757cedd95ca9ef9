"""Each kind of fault on made bars: put right to the cent, or left and said."""

import numpy as np
import polars as pl
import pytest
from tests.faulty_bars import CALENDAR, OHLC, at, clean_bars, scaled

from bellwether.core.errors import InvalidRequest, SchemaViolation
from bellwether.quality.repair import Repairs, put_right, repair
from bellwether.quality.repair_policy import RepairPolicy

CLEAN = clean_bars()
BASES = ("none", "splits")
FIELDS = (*OHLC, "volume", "split_ratio", "dividend_usd", "adj_close")


def fixed(faulty: pl.DataFrame, like: pl.DataFrame) -> Repairs:
    """Repair, and hold the outcome to the bars before the fault."""
    done = repair(faulty, CALENDAR)
    out = put_right(faulty, done.changes)
    for name in [f for f in FIELDS if f in like.columns]:
        within = 1e-7 if name == "adj_close" else 1e-12
        assert out[name].to_numpy() == pytest.approx(like[name].to_numpy(), rel=within), name
    assert repair(out, CALENDAR).changes.height == 0
    return done


def kinds(done: Repairs) -> set[str]:
    return set(done.changes["kind"])


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("adjusted", [True, False])
@pytest.mark.parametrize("split", [1.0, 2.0, 7.0, 0.1])
def test_clean_bars_stay(basis: str, adjusted: bool, split: float) -> None:  # noqa: FBT001
    done = repair(clean_bars(3, basis=basis, adjusted=adjusted, split=split), CALENDAR)

    assert done.changes.height == 0
    assert done.left.height == 0


@pytest.mark.parametrize("power", [-3, -2, -1, 1, 2, 3])
@pytest.mark.parametrize("rows", [slice(40, 41), slice(100, 105)])
def test_bars_off_by_a_power_of_ten_come_back(power: int, rows: slice) -> None:
    done = fixed(scaled(CLEAN, rows, 10.0**power, "adj_close"), CLEAN)

    assert kinds(done) == {"decimal_slip"}
    assert done.changes["confidence"].min() > 0.9


def test_an_adjusted_close_that_is_right_stays() -> None:
    done = fixed(scaled(CLEAN, 40, 100.0), CLEAN)

    assert set(done.changes["field"]) == set(OHLC)


@pytest.mark.parametrize(
    ("name", "by"), [("open", 100.0), ("close", 0.1), ("high", 0.01), ("low", 1000.0)]
)
def test_one_price_that_contradicts_its_bar_comes_back(name: str, by: float) -> None:
    done = fixed(at(CLEAN, 77, **{name: lambda x: np.round(x * by, 8)}), CLEAN)

    assert done.changes.select("field", "kind").rows() == [(name, "decimal_slip")]


def test_a_real_low_that_agrees_with_its_bar_stays() -> None:
    done = repair(at(CLEAN, 77, low=0.01, high=lambda x: x * 10), CALENDAR)

    assert done.changes.height == 0


def test_high_and_low_are_swapped_back() -> None:
    high, low = CLEAN["high"][50], CLEAN["low"][50]

    assert kinds(fixed(at(CLEAN, 50, high=low, low=high), CLEAN)) == {"swapped_range"}


def test_a_bar_that_contradicts_itself_twice_is_said() -> None:
    done = repair(at(CLEAN, 50, open=lambda x: x * 100, close=lambda x: x / 100), CALENDAR)

    assert done.changes.height == 0
    assert "ohlc_contradiction" in set(done.left["kind"])


def test_real_extremes_survive() -> None:
    fallen = scaled(CLEAN, slice(100, None), 0.48, "adj_close")
    doubled = scaled(CLEAN, slice(100, None), 2.0, "adj_close")

    for told in (fallen, doubled, fallen.drop("adj_close"), doubled.drop("adj_close")):
        assert repair(told, CALENDAR).changes.height == 0


@pytest.mark.parametrize("by", [100.0, 0.01])
@pytest.mark.parametrize("rows", [slice(0, 25), slice(-12, None)])
def test_a_short_stretch_in_cents_or_hundreds_comes_to_usd(by: float, rows: slice) -> None:
    done = fixed(scaled(CLEAN, rows, by, "adj_close"), CLEAN)

    assert kinds(done) == {"units_100x"}


def test_a_long_stretch_in_other_units_is_said_and_not_touched() -> None:
    done = repair(scaled(CLEAN.drop("adj_close"), slice(0, 120), 100.0), CALENDAR)

    assert done.changes.height == 0
    assert done.left["kind"].to_list() == ["units_100x"]


def test_units_that_changed_today_are_said_and_not_touched() -> None:
    done = repair(scaled(CLEAN, slice(-4, None), 100.0, "adj_close"), CALENDAR)

    assert done.changes.height == 0
    assert done.left["kind"].to_list() == ["units_100x"]


def test_units_that_go_back_and_forth_are_said_and_not_touched() -> None:
    told = scaled(scaled(CLEAN, slice(50, 90), 100.0), slice(150, 190), 100.0)

    done = repair(told.drop("adj_close"), CALENDAR)

    assert done.changes.height == 0
    assert set(done.left["kind"]) == {"units_100x"}


@pytest.mark.parametrize("split", [0.1, 0.4406, 2.0, 20.0])
@pytest.mark.parametrize("off", [-6, 0, 4])
def test_a_split_that_the_past_does_not_know_is_applied(split: float, off: int) -> None:
    like = clean_bars(7, basis="splits", split=split)
    past = slice(0, 125 + off)

    told = scaled(like, past, split, "adj_close")
    told = at(told, past, volume=lambda x: x / split)

    done = repair(told, CALENDAR)
    out = put_right(told, done.changes)
    assert kinds(done) == {"split_not_applied"}
    for name in (*OHLC, "adj_close"):
        assert out[name].to_numpy() == pytest.approx(like[name].to_numpy(), rel=1e-9)
    assert out["volume"].to_numpy() == pytest.approx(like["volume"].to_numpy(), abs=1)


def test_a_run_off_scale_beside_a_split_is_not_taken_for_the_split() -> None:
    like = clean_bars(7, basis="splits", split=10.0)

    done = repair(scaled(like.drop("adj_close"), slice(114, 121), 10.0), CALENDAR)

    assert done.changes.height == 0


@pytest.mark.parametrize("split", [2.0, 0.2])
@pytest.mark.parametrize("off", [-3, 5])
def test_a_misdated_split_moves_to_its_day(split: float, off: int) -> None:
    like = clean_bars(8, split=split, adjusted=False)

    told = at(at(like, 125, split_ratio=1.0), 125 + off, split_ratio=split)

    assert kinds(fixed(told, like)) == {"misdated_split"}


def test_a_split_that_no_price_shows_is_said() -> None:
    done = repair(at(CLEAN.drop("adj_close"), 125, split_ratio=2.0), CALENDAR)

    assert done.changes.height == 0
    assert done.left["kind"].to_list() == ["misdated_split"]


def test_a_missing_split_is_listed_where_the_adjusted_closes_know_it() -> None:
    like = clean_bars(9, split=3.0)

    assert kinds(fixed(at(like, 125, split_ratio=1.0), like)) == {"missed_split"}
    without = repair(at(like, 125, split_ratio=1.0).drop("adj_close"), CALENDAR)
    assert without.changes.height == 0


def dividends(frame: pl.DataFrame) -> list[int]:
    return np.flatnonzero(frame["dividend_usd"].to_numpy() > 0).tolist()


@pytest.mark.parametrize("by", [100.0, 0.01])
def test_amounts_in_other_units_than_the_adjusted_closes_come_back(by: float) -> None:
    told = at(CLEAN, dividends(CLEAN), dividend_usd=lambda x: np.round(x * by, 8))

    assert kinds(fixed(told, CLEAN)) == {"bad_dividend_amount"}


@pytest.mark.parametrize("wrong", [100.0, 0.01, 1400.0])
def test_adjusted_closes_that_subtract_in_other_units_come_back(wrong: float) -> None:
    paid, close = CLEAN["dividend_usd"].to_numpy(), CLEAN["close"].to_numpy()
    factor = np.ones(len(paid))
    for i in range(len(paid) - 2, -1, -1):
        factor[i] = factor[i + 1] * (1 - wrong * paid[i + 1] / close[i])

    done = fixed(CLEAN.with_columns(adj_close=pl.Series(close * factor)), CLEAN)

    assert kinds(done) == {"dividend_not_adjusted"}


def test_a_dividend_that_the_adjusted_closes_forgot_is_subtracted() -> None:
    told = CLEAN.with_columns(adj_close=pl.col("close"))

    assert kinds(fixed(told, CLEAN)) == {"dividend_not_adjusted"}


def test_a_dividend_that_is_not_listed_is_listed() -> None:
    told = at(CLEAN, dividends(CLEAN)[1], dividend_usd=0.0)

    assert kinds(fixed(told, CLEAN)) == {"missing_dividend"}


def test_a_capital_gain_is_subtracted_once() -> None:
    big = clean_bars(2)
    rows = dividends(big)
    gain = np.zeros(big.height)
    gain[rows] = np.round(big["close"].to_numpy()[rows] * 0.1, 2)
    close = big["close"].to_numpy()
    paid = big["dividend_usd"].to_numpy() + gain
    lower = close * np.cumprod(np.where(gain > 0, 1 - gain / close, 1.0))
    ratio = lower / close
    base = big.with_columns(
        *(pl.col(c) * pl.Series(ratio) for c in OHLC),
        dividend_usd=pl.Series(np.round(paid * np.roll(ratio, 1), 4)),
        capital_gains=pl.Series(np.round(gain * np.roll(ratio, 1), 4)),
    )
    once, twice = (chained(base, extra) for extra in (0.0, 1.0))

    assert kinds(fixed(twice, once)) == {"dividend_not_adjusted"}


def chained(frame: pl.DataFrame, extra: float) -> pl.DataFrame:
    """Subtract the dividend, and `extra` times the gain on top, in the adjusted closes."""
    amount = (frame["dividend_usd"] + extra * frame["capital_gains"]).to_numpy()
    close = frame["close"].to_numpy()
    factor = np.ones(len(close))
    for i in range(len(close) - 2, -1, -1):
        factor[i] = factor[i + 1] * (1 - amount[i + 1] / close[i])
    return frame.with_columns(adj_close=pl.Series(close * factor))


def test_a_dividend_told_twice_is_told_once() -> None:
    row = dividends(CLEAN)[1]
    amount = CLEAN["dividend_usd"][row]

    assert kinds(fixed(at(CLEAN, row - 4, dividend_usd=amount), CLEAN)) == {"phantom_dividend"}


def test_a_twin_of_which_nothing_says_which_is_right_is_said() -> None:
    bare = CLEAN.drop("adj_close")
    row = dividends(bare)[1]
    flat = at(bare, slice(row - 4, row + 1), **dict.fromkeys(OHLC, bare["close"][row]))

    done = repair(at(flat, row - 3, dividend_usd=bare["dividend_usd"][row]), CALENDAR)

    assert done.changes.height == 0
    assert done.left["kind"].to_list() == ["phantom_dividend"]


def test_a_real_special_dividend_stays() -> None:
    row = dividends(CLEAN)[1]
    close = CLEAN["close"].to_numpy()
    special = np.round(close[row - 1] * 0.35, 2)
    told = scaled(CLEAN.drop("adj_close"), slice(row, None), 0.65)

    assert repair(at(told, row, dividend_usd=special), CALENDAR).changes.height == 0


def test_only_the_kinds_asked_for_are_repaired() -> None:
    told = scaled(at(CLEAN, dividends(CLEAN), dividend_usd=lambda x: x * 100), 40, 100.0)

    done = repair(told, CALENDAR, RepairPolicy(kinds=("decimal_slip",)))

    assert kinds(done) == {"decimal_slip"}


def test_symbols_are_judged_apart_and_in_any_order() -> None:
    other = clean_bars(4).with_columns(symbol=pl.lit("XYZ"))
    told = scaled(CLEAN, 40, 100.0)

    done = repair(pl.concat([other, told]).sample(fraction=1, shuffle=True, seed=1), CALENDAR)

    assert done.changes.equals(repair(told, CALENDAR).changes)


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf, 0.0, -1.0, None])
def test_bars_without_a_price_are_left_as_they_are(missing: float | None) -> None:
    told = CLEAN.with_columns(
        *(
            pl.when(pl.int_range(pl.len()) == 60).then(pl.lit(missing)).otherwise(c).alias(c)
            for c in (*OHLC, "adj_close")
        )
    )

    assert repair(told, CALENDAR).changes.height == 0
    assert repair(scaled(told, 70, 10.0), CALENDAR).changes["session"].n_unique() == 1


def test_no_bars_need_no_repair() -> None:
    for told in (CLEAN.clear(), CLEAN.head(1), CLEAN.head(3)):
        assert repair(told, CALENDAR).changes.height == 0


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (CLEAN.drop("close"), "'close' is missing"),
        (CLEAN.with_columns(open=pl.lit("x")), "'open' is String"),
        (CLEAN.with_columns(session=pl.lit("2010-01-04")), "session Date"),
        (CLEAN.with_columns(symbol=pl.lit(None, pl.String)), "null"),
        (pl.concat([CLEAN, CLEAN.head(1)]), "two rows of one session"),
        (CLEAN.with_columns(adjustment=pl.lit("some")), "adjustment"),
        (CLEAN.with_columns(adjustment=pl.Series(["none"] * 249 + ["total"])), "two adjustments"),
    ],
)
def test_what_is_no_bars_is_refused(told: pl.DataFrame, words: str) -> None:
    with pytest.raises(SchemaViolation, match=words):
        repair(told, CALENDAR)


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="tea"):
        repair(CLEAN, CALENDAR, RepairPolicy(kinds=("tea",)))
