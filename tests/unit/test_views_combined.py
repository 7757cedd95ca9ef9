"""Several views as one: names, versions, bits; and bars that became known late."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from bellwether.core.calendar import session_calendar
from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.core.schemas import UTC_TIME
from bellwether.core.types import FeatureVector
from bellwether.features.adjust import adjust_forward, bars_in_order
from bellwether.features.catalog import FeatureView
from bellwether.features.history import as_known, feature_frame
from bellwether.features.stream import StreamEngine
from bellwether.features.views import Kept, kept, view, views
from bellwether.inference.forecast import adjusted

CALENDAR = session_calendar()
KNOWN = datetime(2020, 1, 2, 21, tzinfo=UTC)


def bars(n: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    sessions = CALENDAR.between(date(2020, 1, 2), date(2023, 1, 1))[:n]
    close = np.round(50 * np.cumprod(1 + rng.normal(0, 0.02, n)), 2)
    known = pl.Series([CALENDAR.close_of(s) for s in sessions], dtype=UTC_TIME)
    return pl.DataFrame(
        {
            "symbol": ["ABC"] * n,
            "session": sessions,
            "open": close,
            "high": close * 1.01,
            "low": close * 0.99,
            "close": close,
            "volume": rng.integers(1000, 9000, n).astype(float),
            "split_ratio": np.where(np.arange(n) == 100, 2.0, 1.0),
            "dividend_usd": np.where(np.arange(n) == 150, 0.3, 0.0),
            "knowledge_time": known,
            "ingested_at": known,
            "revision": np.zeros(n, dtype=np.int32),
        },
        schema_overrides={"session": pl.Date},
    )


def table(one: FeatureView) -> pl.DataFrame:
    return feature_frame(one, adjust_forward(bars(), CALENDAR)).select(one.columns)


def test_names_of_features_are_unique_across_views() -> None:
    names = [name for one in views().values() for name in one.columns]

    assert len(names) == len(set(names))


def test_a_combination_has_one_name_and_one_version_in_whatever_order() -> None:
    one, other = view("ranges+returns+technical"), view("technical+returns+ranges")

    assert one is other
    assert one.name == "technical+returns+ranges"
    assert one.version.startswith("technical+returns+ranges@")
    assert one.columns == (*view("technical").columns, *view("returns").columns, *view("ranges").columns)  # fmt: skip
    assert len({view(f"technical+{n}").version for n in views() if n != "technical"}) == 7
    assert view("technical").version == "technical@b24ca340109f"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("", InvalidRequest, "leaves a name out"),
        ("technical+", InvalidRequest, "leaves a name out"),
        ("+returns", InvalidRequest, "leaves a name out"),
        ("returns+returns", InvalidRequest, "returns more than once"),
        ("x" * 201, InvalidRequest, "201 characters"),
        ("technical+nosuch", UnknownName, "no view 'nosuch'.*Known: technical"),
        ("Technical", UnknownName, "Technical"),
        ("technical + returns", UnknownName, "'technical '"),
    ],
)
def test_a_name_that_is_none_is_refused(name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        view(name)


def test_steps_that_views_share_are_run_once_and_give_the_same_bits() -> None:
    parts = [one for one in views().values() if not (one.across or one.reads_texts)]
    whole = view("+".join(one.name for one in parts))
    together = table(whole)
    engine = StreamEngine(whole, CALENDAR)
    streamed = np.vstack([engine.push(bar) for bar in bars_in_order(bars())])

    assert len(whole.program.steps) < sum(len(one.program.steps) for one in parts)
    assert streamed.tobytes() == np.ascontiguousarray(together.to_numpy()).tobytes()
    for one in parts:
        alone = table(one).to_numpy()
        assert together.select(one.columns).to_numpy().tobytes() == alone.tobytes()


def test_vectors_are_kept_under_the_version_and_what_they_looked_across() -> None:
    section, both = view("section"), view("technical+section")

    for one in (Kept(section), Kept(both, "sp500"), Kept(view("technical"))):
        assert kept(one.name) == one
    assert Kept(both, "a+b@c").name.endswith("+a+b@c")
    assert kept(Kept(both, "a+b@c").name) == Kept(both, "a+b@c")
    assert Kept(view("technical"), "sp500").name == view("technical").version
    for unknown in ("technical@000000000000", "technical", "", "nosuch@b24ca340109f",
                    "returns+technical@b24ca340109f", view("technical").version + "+sp500"):  # fmt: skip
        assert kept(unknown) is None


def test_holes_of_a_vector_tell_warm_up_adjustment_and_section_apart() -> None:
    both = view("technical+section")
    full = np.ones(len(both.columns))

    def without(*names: str) -> np.ndarray:
        values = full.copy()
        values[[both.columns.index(n) for n in names]] = np.nan
        return values

    assert both.adjustment_of(full) == "none"
    assert both.adjustment_of(without("sector_relative_1", "rank_return_1")) == "none"
    assert both.adjustment_of(without("beta_60")) is None
    assert both.adjustment_of(without("rsi_14")) is None
    assert both.outside(without("rank_return_1"), "none")
    assert not both.outside(without("sector_relative_1"), "none")
    refused = [both.columns[i] for i in both.refused["total"]]
    assert both.adjustment_of(without(*refused)) == "total"
    assert not both.outside(without(*refused), "total")


def test_how_bars_arrived_is_told_even_where_a_vector_does_not_show_it() -> None:
    returns = view("returns")
    values = np.ones(len(returns.columns)).tobytes()
    vector = FeatureVector("ABC", date(2020, 1, 2), returns.version, KNOWN, values, 10.0)

    assert adjusted(vector, returns) == ()
    assert adjusted(vector, returns, "total") == ("price_level_is_adjusted",)
    assert adjusted(vector, returns, "none") == ()


def test_a_bar_that_became_known_late_is_not_read_before() -> None:
    """A gap that is filled from behind: decisions in between keep what they knew."""
    told, technical = bars(), view("technical")
    late = told["session"][200]
    since = CALENDAR.close_of(told["session"][205]) + timedelta(hours=1)
    when = pl.when(pl.col("session") == late).then(pl.lit(since).cast(UTC_TIME))
    filled = told.with_columns(knowledge_time=when.otherwise("knowledge_time"))
    until = max(told["knowledge_time"].to_list())

    found = as_known(technical, filled, CALENDAR, until)
    missing = as_known(technical, told.filter(pl.col("session") != late), CALENDAR, until)
    there = as_known(technical, told, CALENDAR, until)

    def at(frame: pl.DataFrame, first: int, last: int) -> list[tuple[object, ...]]:
        days = told["session"][first:last].to_list()
        return frame.filter(pl.col("session").is_in(days)).rows()

    assert repr(at(found, 0, 206)) == repr(at(missing, 0, 206))
    assert repr(at(found, 206, 400)) == repr(at(there, 206, 400))
    assert repr(at(found, 201, 206)) != repr(at(there, 201, 206))
