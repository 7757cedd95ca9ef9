"""Every feature of every view, by enumeration: what it may see, when it starts, what it says."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import InvalidRequest, SchemaViolation, StateMismatch, UnknownName
from bellwether.core.schemas import UTC_TIME
from bellwether.features import expr
from bellwether.features.adjust import ForwardAdjuster, adjust_forward, bars_in_order
from bellwether.features.catalog import CLOSE, FeatureView, technical
from bellwether.features.expr import Across, Ta, children, ordered
from bellwether.features.history import feature_frame
from bellwether.features.stream import StreamEngine, resume
from bellwether.features.texts import FRAME, Texts, beside, gathered
from bellwether.features.views import view, views

CALENDAR = session_calendar()
OWN = [v for v in views().values() if v.name != "section"]
ALL = list(views().values())
N = 400


def market(n: int = N, seed: int = 0, missing: tuple[int, ...] = ()) -> pl.DataFrame:
    """One symbol with a split, a dividend, days without volume and days that stand still."""
    rng = np.random.default_rng(seed)
    sessions = CALENDAR.between(date(2020, 1, 2), date(2023, 1, 1))[:n]
    close = np.round(50 * np.cumprod(1 + rng.normal(0, 0.02, n)), 2)
    open_ = np.round(close * (1 + rng.normal(0, 0.005, n)), 2)
    raw = np.where(np.arange(n) >= 100, 0.5, 1.0)
    volume = rng.integers(1000, 9000, n).astype(float)
    volume[60:64] = 0.0
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
    still = slice(200, 204)
    for x in (open_, high, low, close):
        x[still] = close[min(200, n - 1)]
    frame = pl.DataFrame(
        {
            "symbol": ["ABC"] * n,
            "session": sessions,
            **{c: x * raw for c, x in (("open", open_), ("high", high), ("low", low))},
            "close": close * raw,
            "volume": volume,
            "split_ratio": np.where(np.arange(n) == 100, 2.0, 1.0),
            "dividend_usd": np.where(np.arange(n) == 150, 0.3, 0.0),
            "knowledge_time": pl.Series([CALENDAR.close_of(s) for s in sessions], dtype=UTC_TIME),
        },
        schema_overrides={"session": pl.Date},
    )
    return frame.filter(~pl.int_range(pl.len()).is_in(list(missing)))


def texts(bars: pl.DataFrame, seed: int = 1) -> Texts:
    """Texts before, at and after the closes of the market's sessions, copies among them."""
    rng = np.random.default_rng(seed)
    sessions = market()["session"].to_list()
    closes = [CALENDAR.close_of(sessions[i]) for i in rng.integers(0, N, 3 * N)]
    known = [
        c + timedelta(hours=int(h)) for c, h in zip(closes, rng.integers(-9, 9, 3 * N), strict=True)
    ]
    last = CALENDAR.close_of(bars["session"][-1]) + timedelta(hours=9)
    words = ["profit", "rises", "falls", "loss", "abc", "deal", "court", "new", "chief"]
    said = [" ".join(rng.choice(words, 5)) for _ in known]
    frame = pl.DataFrame(
        {"known_at": known, "text": said, "score": rng.choice([-1.0, 0, 1], 3 * N)}
    )
    return gathered(frame.filter(pl.col("known_at") <= last).cast(FRAME))  # type: ignore[arg-type]


def told(view: FeatureView, bars: pl.DataFrame) -> Callable[[], Texts] | None:
    if not view.reads_texts:
        return None
    found = texts(bars)
    return lambda: found


def table(view: FeatureView, bars: pl.DataFrame) -> np.ndarray:
    series = adjust_forward(bars, CALENDAR)
    if view.reads_texts:
        series = beside(series, texts(bars), CALENDAR)
    frame = feature_frame(view, series)
    return np.ascontiguousarray(frame.select(view.columns).to_numpy())


@pytest.mark.parametrize("view", OWN, ids=lambda v: v.name)
def test_truncated_history_gives_the_same_bits(view: FeatureView) -> None:
    bars = market()
    full = table(view, bars)

    for cut in (1, 2, 5, 63, 100, 101, 150, 151, 203, 204, 253, 254, 331, 332, 399):
        assert full[:cut].tobytes() == table(view, bars.head(cut)).tobytes(), cut


@pytest.mark.parametrize("missing", [(), (40, 41, 42, 150, 390)], ids=str)
@pytest.mark.parametrize("view", OWN, ids=lambda v: v.name)
def test_the_stream_gives_the_same_bits(view: FeatureView, missing: tuple[int, ...]) -> None:
    bars = market(missing=missing)
    series = adjust_forward(bars, CALENDAR)
    engine = StreamEngine(view, CALENDAR, told(view, bars))

    streamed = np.vstack([engine.push(bar) for bar in bars_in_order(bars)])

    assert table(view, bars)[~series["carried"].to_numpy()].tobytes() == streamed.tobytes()


@pytest.mark.parametrize("view", OWN, ids=lambda v: v.name)
def test_nan_stands_in_the_warm_up_and_nowhere_else(view: FeatureView) -> None:
    values = table(view, market())

    for i, feature in enumerate(view.features):
        assert np.isnan(values[: feature.warm_up, i]).all(), feature.name
        assert np.isfinite(values[feature.warm_up :, i]).all(), feature.name


@pytest.mark.parametrize("view", OWN, ids=lambda v: v.name)
def test_a_feature_knows_no_scale_or_says_so(view: FeatureView) -> None:
    bars = market()
    prices = [pl.col(c) * 8 for c in ("open", "high", "low", "close", "dividend_usd")]
    cheap = table(view, bars)
    dear = table(view, bars.with_columns(prices, volume=pl.col("volume") * 4))

    for i, feature in enumerate(view.features):
        if feature.scale_free:
            assert np.allclose(cheap[:, i], dear[:, i], 1e-9, 1e-9, equal_nan=True), feature.name
        else:
            assert not np.allclose(cheap[:, i], dear[:, i], equal_nan=True), feature.name


@pytest.mark.parametrize("view", OWN, ids=lambda v: v.name)
def test_a_dead_market_is_neutral_not_missing(view: FeatureView) -> None:
    flat = market().with_columns(
        *(pl.lit(10.0).alias(c) for c in ("open", "high", "low", "close")),
        volume=pl.lit(0.0),
        split_ratio=pl.lit(1.0),
        dividend_usd=pl.lit(0.0),
    )

    assert np.isfinite(table(view, flat)[view.warm_up :]).all()


def test_there_are_sixty_new_features_and_each_says_what_it_is() -> None:
    new = [f for v in ALL if v.name != "technical" for f in v.features]
    named = [f for v in ALL for f in v.features]

    assert len(new) >= 60
    assert len({f.name for f in named}) == len(named)
    for f in named:
        assert f.meaning, f.name
        assert f.unit, f.name
        assert f.source, f.name
        assert f.reads, f.name
    assert len({v.version for v in ALL}) == len(ALL)


def test_the_view_of_the_models_keeps_its_formulas() -> None:
    """Another version would orphan every stored vector, release and prediction."""
    formulas = "\n".join(f"{f.name}={f.expression}" for f in technical().features)

    assert len(formulas) == 3001
    assert "language" not in formulas


def test_no_talib_function_reads_a_look_across_symbols() -> None:
    """Such a look may have holes, which a window forgets and a recursive function does not."""
    roots = tuple(f.expression for v in ALL for f in v.features)
    for e in ordered(roots):
        if isinstance(e, Ta):
            assert not any(isinstance(i, Across) for i in ordered(children(e)))


@pytest.mark.parametrize("view", OWN, ids=lambda v: v.name)
def test_a_resumed_stream_goes_on_with_the_same_bits(view: FeatureView) -> None:
    bars = market(missing=(40, 41))
    for cut in (1, 30, 120, 350):
        known, later = bars.head(cut), bars_in_order(bars.slice(cut, 40))
        lived = StreamEngine(view, CALENDAR, told(view, bars))
        for bar in bars_in_order(known):
            lived.push(bar)
        risen = resume(view, CALENDAR, known, lived.mark(), told(view, bars))

        assert risen.mark() == lived.mark()
        for bar in later:
            assert risen.push(bar).tobytes() == lived.push(bar).tobytes()


def test_a_state_that_cannot_be_rebuilt_is_refused() -> None:
    bars, view = market(), views()["returns"]
    mark = resume(view, CALENDAR, bars.head(300)).mark()
    corrected = bars.with_columns(
        close=pl.when(pl.int_range(pl.len()) == 299)
        .then(pl.col("close") * 1.001)
        .otherwise("close")
    )

    with pytest.raises(StateMismatch, match="do not lead to the state"):
        resume(view, CALENDAR, corrected, mark)
    with pytest.raises(StateMismatch, match="the view is"):
        resume(views()["regime"], CALENDAR, bars, mark)
    with pytest.raises(StateMismatch):
        resume(view, CALENDAR, bars.head(0), mark)
    with pytest.raises(InvalidRequest, match="no bar was pushed"):
        StreamEngine(view, CALENDAR).mark()
    assert resume(view, CALENDAR, bars.head(310), mark).mark().sessions == 310


def test_forward_adjustment_is_the_loop_to_the_bit() -> None:
    bars = market(missing=(1, 99, 100, 149))
    adjuster = ForwardAdjuster(CALENDAR)
    rows = [row for bar in bars_in_order(bars) for row in adjuster.push(bar)]

    series = adjust_forward(bars, CALENDAR)

    for column in ("session", "open", "high", "low", "close", "volume", "carried"):
        assert series[column].to_list() == [getattr(row, column) for row in rows], column
    for column in ("raw_close", "price_factor", "volume_factor", "adjustment"):
        assert series[column].to_list() == [getattr(row, column) for row in rows], column


def test_bars_out_of_order_or_off_the_calendar_are_refused() -> None:
    bars = market(20)
    with pytest.raises(SchemaViolation, match="after"):
        adjust_forward(bars.reverse(), CALENDAR)
    with pytest.raises(SchemaViolation, match="after"):
        adjust_forward(pl.concat([bars, bars.tail(1)]), CALENDAR)
    with pytest.raises(SchemaViolation, match="no session"):
        adjust_forward(bars.with_columns(session=pl.col("session") + pl.duration(days=2)), CALENDAR)
    greedy = bars.with_columns(dividend_usd=pl.lit(1e6))
    with pytest.raises(SchemaViolation, match="dividend of"):
        adjust_forward(greedy, CALENDAR)
    assert adjust_forward(bars.head(0), CALENDAR).height == 0


def test_what_the_language_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownName):
        expr.window("median", CLOSE, 3)
    with pytest.raises(UnknownName):
        expr.unary("exp", CLOSE)
    with pytest.raises(UnknownName):
        expr.pair("modulo", CLOSE, 2)
    with pytest.raises(UnknownName):
        expr.across("median", CLOSE)
    for size in (0, -1, 2.5, True):
        with pytest.raises(InvalidRequest, match="whole number"):
            expr.lag(CLOSE, size)  # type: ignore[arg-type]
    with pytest.raises(UnknownName):
        view("weather")
    odd = FeatureView(
        "odd", (technical().features[0].__class__("x", expr.Column("bid") + 0, "g", "u", "m"),), 1
    )
    with pytest.raises(UnknownName):
        StreamEngine(odd, CALENDAR)
    with pytest.raises(UnknownName):
        table(odd, market(5))
