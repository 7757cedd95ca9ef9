"""Whatever is told in whatever order, the lake on disk and the plain one agree, and keep the past."""

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import MemoryLake

from bellwether.core.asof import as_of
from bellwether.core.ports import LakeBatch
from bellwether.core.schemas import ACTIONS_IN, BARS_IN, QUOTES_IN, UNIVERSE_IN, UTC_TIME
from bellwether.core.sectors import SECTORS_IN
from bellwether.lake.delta import DeltaLake

DAYS = [date(2023, 12, 28) + timedelta(days=i) for i in range(6)]
START = datetime(2024, 1, 10, tzinfo=UTC)
SYMBOLS = ("ABC", "DEF")
SOURCES = ("files", "actions", "vendor")

Fact = dict[str, Any]


def told_by(day: date, source: str, known: datetime, basis: str) -> Fact:
    return {
        "source": source,
        "event_time": datetime(day.year, day.month, day.day, 21, tzinfo=UTC),
        "knowledge_time": known,
        "knowledge_basis": basis,
    }


def frame(rows: list[Fact], schema: Any) -> pl.DataFrame | None:
    if not rows:
        return None
    dtypes = {n: c.dtype.type for n, c in schema.columns.items()}
    return pl.DataFrame(rows, schema=dtypes)


days = st.sampled_from(DAYS)
symbols = st.sampled_from(SYMBOLS)
hours = st.integers(0, 60).map(lambda h: START + timedelta(hours=h))
bases = st.sampled_from(["session_close", "session_close", "stated", "repaired"])
bars = st.builds(
    lambda symbol, day, close, split, paid, known, basis, source: {
        "symbol": symbol,
        "session": day,
        **dict.fromkeys(("open", "high", "low", "close"), close),
        "volume": 100.0,
        "split_ratio": split,
        "dividend_usd": paid,
        "adjustment": "total" if source == "vendor" else "none",
        **told_by(day, source, known, basis),
    },
    symbols,
    days,
    st.sampled_from([10.0, 11.0]),
    st.sampled_from([1.0, 1.0, 2.0]),
    st.sampled_from([0.0, 0.0, 0.5]),
    hours,
    bases,
    st.sampled_from(["files", "vendor"]),
)
actions = st.builds(
    lambda symbol, day, kind, size, source, known, basis: {
        "symbol": symbol,
        "session": day,
        "kind": kind,
        "value": size if kind == "split" else size - 1,
        "adjustment": "none",
        **told_by(day, source, known, basis),
    },
    symbols,
    days,
    st.sampled_from(["split", "dividend"]),
    st.sampled_from([1.0, 2.0, 3.0]),
    st.sampled_from(SOURCES),
    hours,
    bases,
)


@st.composite
def batches(draw: st.DrawFn) -> LakeBatch:
    told = draw(st.lists(bars, max_size=4, unique_by=lambda b: (b["symbol"], b["session"])))
    acted = draw(
        st.lists(actions, max_size=3, unique_by=lambda a: (a["symbol"], a["session"], a["kind"]))
    )
    return LakeBatch(bars=frame(told, BARS_IN), actions=frame(acted, ACTIONS_IN))


@settings(max_examples=15)
@given(st.lists(st.tuples(batches(), st.integers(-2, 48)), min_size=1, max_size=5))
def test_the_lake_on_disk_tells_what_the_plain_one_tells(
    telling: list[tuple[LakeBatch, int]],
) -> None:
    plain = MemoryLake()
    with tempfile.TemporaryDirectory() as folder:
        lake = DeltaLake(folder)
        seen: list[tuple[datetime, pl.DataFrame]] = []
        for batch, after in telling:
            now = START + timedelta(hours=after)
            assert lake.append(batch, now) == plain.append(batch, now)
            assert lake.bars().equals(plain.bars())
            every = lake.bars(every_source=True)
            assert every.equals(plain.bars(every_source=True))
            assert lake.actions().equals(plain.actions())
            mark = lake.watermark()
            assert mark == plain.watermark()
            if mark is not None:
                seen.append((mark, lake.bars()))
        lake.compact(START + timedelta(days=400))
        everything = lake.bars()
        for mark, then in seen:
            past = everything.filter(pl.col("ingested_at") <= mark)
            assert past.equals(then), "a watermark gives back what could be read then"


def events(rng: np.random.Generator, n: int) -> dict[str, list[Fact]]:
    """Facts that come late, are corrected, and are known at random instants."""
    found: dict[str, list[Fact]] = {name: [] for name in KEYS}
    for _ in range(n):
        day = DAYS[rng.integers(len(DAYS))]
        known = datetime(day.year, day.month, day.day, 21, tzinfo=UTC)
        known += timedelta(hours=int(rng.choice([0, 0, 0, 24, 240])))
        by = told_by(day, "files", known, "stated")
        who = {"symbol": str(rng.choice(SYMBOLS))}
        size = float(rng.integers(1, 50))
        price = dict.fromkeys(("open", "high", "low", "close"), size)
        acted = {"split_ratio": 1.0, "dividend_usd": 0.0, "adjustment": "none"}
        found["bars"].append({**who, "session": day, **price, "volume": size, **acted, **by})
        kind = str(rng.choice(["split", "dividend"]))
        found["actions"].append(
            {
                **who,
                "session": day,
                "kind": kind,
                "value": size / 10,
                "adjustment": "none",
                **by,
                "source": "actions",
            }
        )
        spell = {"universe": "u", **who, "first": day, "last": None if size < 9 else DAYS[-1]}
        found["universe"].append({**spell, "end_reason": None, "delisting_return": None, **by})
        quote = {"quoted_at": by["event_time"], "bid": size, "ask": size + 1}
        found["quotes"].append({**who, **quote, "bid_size": None, "ask_size": size, **by})
        found["sectors"].append({**who, "known_from": day, "sector": f"number {size % 9}", **by})
    return found


SCHEMAS = {
    "bars": BARS_IN,
    "actions": ACTIONS_IN,
    "universe": UNIVERSE_IN,
    "quotes": QUOTES_IN,
    "sectors": SECTORS_IN,
}
KEYS = {
    "bars": ("symbol", "session"),
    "actions": ("symbol", "session", "kind"),
    "universe": ("universe", "symbol", "first"),
    "quotes": ("symbol", "quoted_at"),
    "sectors": ("symbol", "known_from"),
}


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> tuple[DeltaLake, dict[str, list[Fact]]]:
    """Tell 60 facts of each table one after another, each with the instant it was known."""
    told = events(np.random.default_rng(7), 60)
    lake = DeltaLake(str(tmp_path_factory.mktemp("lake")))
    for i in range(60):
        parts = {name: frame([rows[i]], SCHEMAS[name]) for name, rows in told.items()}
        lake.append(LakeBatch(**parts), START + timedelta(hours=i))
    return lake, told


def known_at(rows: list[Fact], keys: tuple[str, ...], at: datetime) -> dict[Any, Fact]:
    """Replay the tellings: what each fact was last told to be by somebody who stopped at `at`.

    A correction is known no earlier than what it corrects.
    """
    state: dict[Any, Fact] = {}
    since: dict[Any, datetime] = {}
    said: dict[Any, Fact] = {}
    for row in rows:
        key = tuple(row[k] for k in keys)
        told = {k: v for k, v in row.items() if k != "knowledge_time"}
        if said.get(key) == told:
            continue
        said[key] = told
        since[key] = max(row["knowledge_time"], since.get(key, row["knowledge_time"]))
        if since[key] <= at:
            state[key] = row
    return state


def test_of_a_thousand_looks_into_the_past_none_sees_what_came_later(
    crowded: tuple[DeltaLake, dict[str, list[Fact]]],
) -> None:
    lake, told = crowded
    tables = {
        "bars": lake.bars(),
        "actions": lake.actions(),
        "universe": lake.universe(),
        "quotes": lake.quotes(),
        "sectors": lake.sectors(),
    }
    rng = np.random.default_rng(11)
    for _ in range(1_000):
        name = str(rng.choice(list(KEYS)))
        symbol = str(rng.choice(SYMBOLS))
        at = datetime(2023, 12, 27, tzinfo=UTC) + timedelta(hours=int(rng.integers(0, 24 * 20)))
        mine = tables[name].filter(pl.col("symbol") == symbol)

        found = as_of(mine, at, KEYS[name])

        expected = known_at([r for r in told[name] if r["symbol"] == symbol], KEYS[name], at)
        assert found.filter(pl.col("knowledge_time") > at).height == 0
        told_columns = [c for c in found.columns if c in told[name][0]]
        shown = [c for c in told_columns if c not in {"knowledge_time", "knowledge_basis"}]
        ignored = {"split_ratio", "dividend_usd"}
        got = {tuple(r[k] for k in KEYS[name]): r for r in found.iter_rows(named=True)}
        assert got.keys() == expected.keys()
        for key, row in got.items():
            for c in shown:
                if c not in ignored:
                    assert row[c] == expected[key][c], (name, key, at, c)


def test_an_action_is_seen_on_a_bar_only_once_it_is_known(
    crowded: tuple[DeltaLake, dict[str, list[Fact]]],
) -> None:
    lake, told = crowded
    bars = lake.bars()
    rng = np.random.default_rng(13)
    for _ in range(300):
        at = datetime(2023, 12, 27, tzinfo=UTC) + timedelta(hours=int(rng.integers(0, 24 * 20)))
        acted = known_at(told["actions"], KEYS["actions"], at)
        seen = as_of(bars, at, KEYS["bars"]).iter_rows(named=True)
        for row in seen:
            for kind, column, neutral in (
                ("split", "split_ratio", 1.0),
                ("dividend", "dividend_usd", 0.0),
            ):
                known = acted.get((row["symbol"], row["session"], kind))
                if row[column] != neutral:
                    assert known is not None, "an action that nobody knew yet"
                    assert any(
                        r["value"] == row[column]
                        for r in told["actions"]
                        if r["knowledge_time"] <= at and r["kind"] == kind
                    )


def test_a_frame_of_times_without_a_zone_is_refused() -> None:
    """The schema names the column; nothing is guessed."""
    from bellwether.core.errors import SchemaViolation

    one = events(np.random.default_rng(0), 1)["bars"]
    bare = frame(one, BARS_IN)
    assert bare is not None
    naive = bare.with_columns(pl.col("knowledge_time").dt.replace_time_zone(None))
    with tempfile.TemporaryDirectory() as folder, pytest.raises(SchemaViolation):
        DeltaLake(str(Path(folder) / "lake")).append(LakeBatch(bars=naive), START)
    assert bare.schema["knowledge_time"] == UTC_TIME
