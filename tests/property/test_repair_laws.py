"""Laws of the repair step: clean bars stay, no third value, once is enough."""

from collections.abc import Callable

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faulty_bars import CALENDAR, OHLC, at, clean_bars, scaled

from bellwether.quality.repair import put_right, repair

FIELDS = (*OHLC, "volume", "split_ratio", "dividend_usd", "adj_close")
Draw = st.DrawFn


@st.composite
def panels(draw: Draw, least: int = 2) -> pl.DataFrame:
    basis = draw(st.sampled_from(["none", "splits"]))
    split = draw(st.sampled_from([1.0, 1.5, 2.0, 4.0, 20.0, 0.1]))
    n, adjusted = draw(st.integers(least, 160)), draw(st.booleans())
    return clean_bars(draw(st.integers(0, 2**31)), n, basis=basis, split=split, adjusted=adjusted)


def slip(bars: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    row, long = draw(st.integers(0, bars.height - 1)), draw(st.integers(1, 8))
    by = 10.0 ** draw(st.sampled_from([-3, -2, -1, 1, 2, 3]))
    also = ("adj_close",) if draw(st.booleans()) else ()
    return scaled(bars, slice(row, row + long), by, *also)


def field_slip(bars: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    by = 10.0 ** draw(st.sampled_from([-2, -1, 1, 2]))
    name = draw(st.sampled_from(OHLC))
    return at(bars, draw(st.integers(0, bars.height - 1)), **{name: lambda x: np.round(x * by, 12)})


def swap(bars: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    row = draw(st.integers(0, bars.height - 1))
    return at(bars, row, high=bars["low"][row], low=bars["high"][row])


def units(bars: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    return scaled(
        bars, slice(0, draw(st.integers(1, bars.height))), draw(st.sampled_from([100.0, 0.01]))
    )


def dividend(bars: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    rows = np.flatnonzero(bars["dividend_usd"].to_numpy() > 0)
    if len(rows) == 0:
        return bars
    some = rows if draw(st.booleans()) else rows[draw(st.integers(0, len(rows) - 1)) :][:1]
    by = draw(st.sampled_from([100.0, 0.01, 0.0]))
    return at(bars, some, dividend_usd=lambda x: np.round(x * by, 12))


def forgotten(bars: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    if "adj_close" not in bars.columns or draw(st.booleans()) or bars["adjustment"][0] == "none":
        return bars
    return bars.with_columns(adj_close=pl.col("close"))


def splits(bars: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    rows = np.flatnonzero(bars["split_ratio"].to_numpy() != 1)
    if len(rows) == 0:
        return bars
    row, ratio = int(rows[0]), float(bars["split_ratio"][int(rows[0])])
    if bars["adjustment"][0] == "splits":
        past = slice(0, max(0, row + draw(st.integers(-9, 9))))
        return at(scaled(bars, past, ratio, "adj_close"), past, volume=lambda x: x / ratio)
    moved = min(max(0, row + draw(st.integers(-9, 9))), bars.height - 1)
    return at(at(bars, row, split_ratio=1.0), moved, split_ratio=ratio)


FAULTS: list[Callable[[pl.DataFrame, Draw], pl.DataFrame]] = [
    slip, field_slip, swap, units, dividend, forgotten, splits,
]  # fmt: skip


@st.composite
def faulty(draw: Draw) -> tuple[pl.DataFrame, pl.DataFrame]:
    clean = draw(panels(30))
    return clean, draw(st.sampled_from(FAULTS))(clean, draw)


@settings(max_examples=25, deadline=None)
@given(panels())
def test_clean_bars_are_not_touched(bars: pl.DataFrame) -> None:
    assert repair(bars, CALENDAR).changes.height == 0


@settings(max_examples=100, deadline=None)
@given(faulty())
def test_a_planted_fault_is_undone_or_left_and_never_made_a_third_value(
    pair: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    clean, told = pair

    done = repair(told, CALENDAR)

    out = put_right(told, done.changes)
    for name in [f for f in FIELDS if f in clean.columns]:
        right, was, now = (f[name].to_numpy() for f in (clean, told, out))
        within = {"adj_close": 1e-6}.get(name, 1e-9)
        undone = np.abs(now - right) <= within * np.abs(right) + 0.5 * (name == "volume")
        assert (undone | (now == was)).all(), (name, done.changes.head(3).rows())
    assert repair(out, CALENDAR).changes.height == 0


@settings(max_examples=25, deadline=None)
@given(faulty(), faulty())
def test_symbols_and_the_order_of_rows_do_not_matter(
    one: tuple[pl.DataFrame, pl.DataFrame], two: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    frames = [one[1].drop("adj_close", strict=False), two[1].drop("adj_close", strict=False)]
    frames[1] = frames[1].with_columns(symbol=pl.lit("XYZ"))

    together = repair(pl.concat(frames).sample(fraction=1, shuffle=True, seed=1), CALENDAR)

    alone = [repair(frame, CALENDAR) for frame in frames]
    assert together.changes.equals(pl.concat([a.changes for a in alone]))
    assert together.left.equals(pl.concat([a.left for a in alone]))
