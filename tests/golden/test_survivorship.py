"""What the shared panels lack, counted a second way, and against the shares told with them."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bellwether.core.calendar import session_calendar
from bellwether.core.ports import SourceQuery
from bellwether.evaluation.survivorship import SPELL, Coverage, coverage, member_sessions
from bellwether.evaluation.survivorship_bound import bound, yearly_returns
from bellwether.sources.membership import UniverseSource

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SHARES = {1996: 0.37, 2000: 0.52, 2005: 0.63, 2008: 0.70, 2010: 0.76, 2013: 0.98}
HERE = 2 / 3  # the panels hold two thirds of the tickers that the shares were counted on
PANELS = (
    "hsmd_long_1962_2017",
    "alphavantage_sp500_raw_1999_2021",
    "yahoo_adj_sp500hist_2004_2026",
    "wiki_spy_members_2013_2018",
    "google_second_source_1987_2014",
)
SURVIVORS, INDEX = 0.201, 0.176


@pytest.fixture(scope="module")
def spells(shared_data: Path) -> pl.DataFrame:
    path = shared_data / "sp500_membership_1996_2025.csv"
    batch = UniverseSource().read(SourceQuery(path=str(path), name="sp500"), NOW)
    frame = batch.batches[-1].universe
    assert frame is not None
    return frame.select(SPELL)


@pytest.fixture(scope="module")
def held(shared_data: Path) -> pl.DataFrame:
    parts = [
        pl.scan_parquet(shared_data / f"{name}.parquet")
        .filter(pl.col("date").dt.year().is_in(list(SHARES)))
        .select(symbol=pl.col("ticker").cast(pl.String), session="date")
        .collect()
        for name in PANELS
    ]
    return pl.concat(parts).unique()


@pytest.fixture(scope="module")
def found(spells: pl.DataFrame, held: pl.DataFrame) -> Coverage:
    sessions = session_calendar().between(date(1996, 1, 2), date(2013, 12, 31))
    chosen = [s for s in sessions if s.year in SHARES]
    return coverage(spells, held, chosen)


def test_the_shares_of_members_with_prices_are_those_told_with_the_data(found: Coverage) -> None:
    here = {r["year"]: 1 - r["share_missing"] for r in found.years.iter_rows(named=True)}

    assert list(here) == list(SHARES)
    assert {y: here[y] / told for y, told in SHARES.items()} == pytest.approx(
        dict.fromkeys(SHARES, HERE), abs=0.03
    )


def test_counted_a_second_way_from_the_file_itself_the_numbers_are_the_same(
    shared_data: Path, found: Coverage, held: pl.DataFrame
) -> None:
    day = date(2008, 9, 12)
    rows = pl.read_csv(shared_data / "sp500_membership_1996_2025.csv", try_parse_dates=True)
    inside = (pl.col("start_date") <= day) & (
        pl.col("end_date").is_null() | (pl.col("end_date") > day)
    )
    there = set(rows.filter(inside)["ticker"])
    priced = set(held.filter(pl.col("session").dt.year() == 2008)["symbol"])
    year = found.years.filter(pl.col("year") == 2008).row(0, named=True)

    assert {"AIG", "MER", "WB"} <= there
    assert not {"MER", "WB"} & priced
    assert year["member_sessions"] / 253 == pytest.approx(len(there), rel=0.01)
    assert 1 - year["share_missing"] == pytest.approx(len(there & priced) / len(there), abs=0.01)


def test_survivors_of_the_eighties_beat_the_index_they_were_chosen_from(shared_data: Path) -> None:
    panel = pl.read_parquet(shared_data / "hsmd_long_1962_2017.parquet").select(
        symbol=pl.col("ticker").cast(pl.String),
        session="date",
        close=pl.col("close").cast(pl.Float64),
        split_ratio=pl.lit(1.0),
        dividend_usd=pl.lit(0.0),
        adjustment=pl.lit("total"),
    )
    panel = panel.filter(pl.col("session").dt.year().is_between(1979, 1989))
    names = panel["symbol"].unique().sort()
    blank = pl.DataFrame({"symbol": names, "first": [date(1980, 1, 1)] * len(names)})
    spells = blank.with_columns(last=pl.lit(None, dtype=pl.Date))
    sessions = session_calendar().between(date(1980, 1, 2), date(1989, 12, 29))

    returns = yearly_returns(panel, member_sessions(spells, sessions))

    yearly = returns.group_by("year").agg(pl.col("total_return").mean()).sort("year")
    growth = float(np.exp(np.log1p(yearly["total_return"].to_numpy()).mean()) - 1)
    assert yearly.height == 10
    assert growth == pytest.approx(SURVIVORS, abs=0.01)
    assert growth > INDEX + 0.02


def test_the_bound_is_wide_where_most_is_missing(
    found: Coverage, shared_data: Path, spells: pl.DataFrame
) -> None:
    path = shared_data / "hsmd_long_1962_2017.parquet"
    panel = pl.read_parquet(path).select(
        symbol=pl.col("ticker").cast(pl.String),
        session="date",
        close=pl.col("close").cast(pl.Float64),
        split_ratio=pl.lit(1.0),
        dividend_usd=pl.lit(0.0),
        adjustment=pl.lit("total"),
    )
    sessions = session_calendar().between(date(1996, 1, 2), date(1996, 12, 31))
    returns = yearly_returns(panel, member_sessions(spells, sessions))

    loss = {d: bound(found, returns, delisting_return=d).row(0, named=True) for d in (-1.0, -0.3)}

    assert loss[-1.0]["share_missing"] == pytest.approx(0.748, abs=0.001)
    assert loss[-1.0]["bias_low"] < 0 < loss[-0.3]["bias_high"] < loss[-1.0]["bias_high"]
    assert loss[-1.0]["all_high"] == loss[-0.3]["all_high"]
