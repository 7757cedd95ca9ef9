"""Truncation, revisions and carried sessions: what a feature may never see."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import SchemaViolation
from bellwether.core.schemas import UTC_TIME
from bellwether.features.adjust import adjust_forward, bars_in_order, columns_of
from bellwether.features.catalog import Kind, technical
from bellwether.features.history import as_known, evaluate
from bellwether.features.labels import open_to_open
from bellwether.features.stream import StreamEngine

CALENDAR = session_calendar()


def market(n: int = 260, seed: int = 0, missing: tuple[int, ...] = ()) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    sessions = CALENDAR.between(date(2020, 1, 2), date(2022, 1, 1))[:n]
    close = 50 * np.cumprod(1 + rng.normal(0, 0.02, n))
    open_ = close * (1 + rng.normal(0, 0.005, n))
    split = np.ones(n)
    split[100] = 2.0
    raw = np.where(np.arange(n) >= 100, 0.5, 1.0)
    dividend = np.zeros(n)
    dividend[150] = 0.3
    closes = [CALENDAR.close_of(s) for s in sessions]
    frame = pl.DataFrame(
        {
            "symbol": ["ABC"] * n,
            "session": sessions,
            "open": open_ * raw,
            "high": np.maximum(open_, close) * 1.01 * raw,
            "low": np.minimum(open_, close) * 0.99 * raw,
            "close": close * raw,
            "volume": rng.integers(1000, 9000, n).astype(float),
            "split_ratio": split,
            "dividend_usd": dividend,
            "knowledge_time": pl.Series(closes, dtype=UTC_TIME),
            "ingested_at": pl.Series(closes, dtype=UTC_TIME),
            "revision": np.zeros(n, dtype=np.int32),
        },
        schema_overrides={"session": pl.Date},
    )
    return frame.filter(~pl.int_range(pl.len()).is_in(list(missing)))


def table(frame: pl.DataFrame) -> np.ndarray:
    return evaluate(technical(), columns_of(adjust_forward(frame, CALENDAR)))


@pytest.mark.parametrize("cut", [62, 99, 100, 101, 102, 149, 150, 151, 230])
def test_truncated_history_gives_the_same_bits(cut: int) -> None:
    bars = market()

    full, part = table(bars)[:cut], table(bars.head(cut))

    assert full.tobytes() == part.tobytes()


@pytest.mark.parametrize("missing", [(), (40, 41, 42), (99, 150, 200)], ids=str)
def test_the_stream_gives_the_same_bits_with_and_without_holes(missing: tuple[int, ...]) -> None:
    bars = market(missing=missing)
    series = adjust_forward(bars, CALENDAR)
    history = table(bars)[~series["carried"].to_numpy()]
    engine = StreamEngine(technical(), CALENDAR)

    streamed = np.vstack([engine.push(bar) for bar in bars_in_order(bars)])

    assert history.tobytes() == streamed.tobytes()


def test_nan_stands_in_the_warm_up_and_nowhere_else() -> None:
    view, values = technical(), table(market())

    for i, feature in enumerate(view.features):
        assert np.isnan(values[: feature.warm_up, i]).all(), feature.name
        assert np.isfinite(values[feature.warm_up :, i]).all(), feature.name


def test_there_are_enough_features_and_each_says_what_it_is() -> None:
    view = technical()

    assert len(view.model_columns) >= 30
    assert len(set(view.columns)) == len(view.columns)
    assert all(f.meaning and f.unit and str(f.expression) for f in view.features)
    assert {f.kind for f in view.features} == set(Kind)


def test_model_features_do_not_know_the_scale_of_a_price() -> None:
    view, bars = technical(), market()
    dear = bars.with_columns(
        pl.col(c) * 8 for c in ("open", "high", "low", "close", "dividend_usd")
    )

    cheap, expensive = table(bars), table(dear)

    columns = list(view.model_positions)
    assert np.allclose(cheap[60:, columns], expensive[60:, columns], rtol=1e-9, atol=1e-9)


def test_a_flat_market_is_neutral_not_missing() -> None:
    flat = market().with_columns(
        *(pl.lit(10.0).alias(c) for c in ("open", "high", "low", "close")),
        volume=pl.lit(0.0),
        split_ratio=pl.lit(1.0),
        dividend_usd=pl.lit(0.0),
    )

    assert np.isfinite(table(flat)[technical().warm_up :]).all()


def test_a_correction_changes_nothing_that_was_decided_before_it() -> None:
    bars = market()
    told = CALENDAR.close_of(bars["session"][200]) + timedelta(hours=1)
    wrong = bars.row(180, named=True)
    fixed = pl.DataFrame(
        [
            {
                **wrong,
                "close": wrong["close"] * 0.97,
                "revision": 1,
                "knowledge_time": told,
                "low": wrong["low"] * 0.9,
            }
        ],
        schema=bars.schema,
    )
    until = datetime(2022, 1, 1, tzinfo=UTC)

    before = as_known(technical(), bars, CALENDAR, until)
    after = as_known(technical(), pl.concat([bars, fixed]), CALENDAR, until)

    assert before.head(201).equals(after.head(201))
    assert not before.tail(59).equals(after.tail(59))


def test_the_label_is_what_a_decision_can_still_earn() -> None:
    opens = [100.0, 101.0, 103.0, 102.0, 106.0, 105.0]
    bars = (
        market()
        .head(6)
        .with_columns(
            open=pl.Series(opens), high=pl.lit(200.0), low=pl.lit(1.0), close=pl.Series(opens)
        )
    )

    labels = open_to_open(adjust_forward(bars, CALENDAR), 1, CALENDAR)

    got = [None if v is None else round(v, 6) for v in labels["log_return"].to_list()]
    assert got == [0.019608, -0.009756, 0.038466, -0.009479, None, None]
    assert (labels["decision_at"] < labels["label_start"]).all()
    assert (labels["label_start"] < labels["label_known_at"]).all()


def test_bars_out_of_order_are_refused() -> None:
    engine = StreamEngine(technical(), CALENDAR)
    bars = bars_in_order(market().head(5))
    engine.push(bars[2])

    with pytest.raises(SchemaViolation):
        engine.push(bars[1])
