"""Faults planted at known places are found, and what is true is left alone."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from tests.plant import FAULTS, adjusted, market_panel, plant
from tests.planted import score

from bellwether.core.calendar import session_calendar
from bellwether.quality import inspect

CALENDAR = session_calendar()
LEAST = 0.8


@pytest.mark.parametrize(("seed", "total"), [(11, False), (12, True)])
def test_planted_faults_are_found_and_little_else(seed: int, total: bool) -> None:  # noqa: FBT001
    bars, _ = market_panel(seed)
    bars, key = plant(adjusted(bars) if total else bars, seed + 1)
    scores = score(inspect(bars, CALENDAR), key)

    assert set(FAULTS) - {p.kind for p in key} <= {"misdated_split", "bad_dividend"}
    assert scores["all"].recall >= 0.9, scores
    assert scores["all"].precision >= 0.9, scores
    planted = {kind: scores[kind] for kind in {p.kind for p in key}}
    assert [k for k, s in planted.items() if s.recall < LEAST] == [], scores
    assert [k for k, s in planted.items() if s.precision < 0.75] == [], scores


@pytest.mark.parametrize("seed", [21, 22])
def test_real_extremes_are_notes_at_most(seed: int) -> None:
    bars, extremes = market_panel(seed)
    flags = inspect(bars, CALENDAR)
    blamed = flags.filter(pl.col("severity") != "note")
    key = pl.DataFrame(extremes, schema={"symbol": pl.String, "session": pl.Date}, orient="row")

    assert len(extremes) > 10
    assert blamed.join(key, on=["symbol", "session"]).height == 0
    assert flags.join(key, on=["symbol", "session"]).height > 0.8 * key.height
    assert blamed.height < 20  # of more than 50,000 clean bars


EXTREMES = [
    ("google_second_source_1987_2014", "AAPL", date(2000, 9, 29)),
    ("alphavantage_sp500_raw_1999_2021", "STT", date(2009, 1, 20)),
    ("alphavantage_sp500_raw_1999_2021", "MS", date(2008, 10, 13)),
    ("alphavantage_sp500_raw_1999_2021", "AAPL", date(2000, 9, 29)),
    ("alphavantage_sp500_raw_1999_2021", "C", date(2008, 11, 24)),
    ("alphavantage_sp500_raw_1999_2021", "FITB", date(2009, 2, 6)),
    ("alphavantage_sp500_raw_1999_2021", "UAL", date(2008, 7, 22)),
    ("wiki_spy_members_2013_2018", "GNW", date(2014, 11, 6)),
    ("wiki_spy_members_2013_2018", "BBY", date(2014, 1, 16)),
    ("wiki_spy_members_2013_2018", "FSLR", date(2013, 4, 9)),
]


def test_real_extremes_of_real_panels_survive(shared_data: Path) -> None:
    """The largest moves that several vendors tell (-59 % to +87 % in a day) are no price faults."""
    for file in {file for file, _, _ in EXTREMES}:
        days = [(symbol, day) for f, symbol, day in EXTREMES if f == file]
        frame = pl.read_parquet(shared_data / f"{file}.parquet")
        frame = frame.filter(pl.col("date") >= date(1999, 1, 1))
        keep = sorted({s for s, _ in days} | set(frame["ticker"].unique().sort()[:25]))
        frame = frame.filter(pl.col("ticker").cast(pl.String).is_in(keep))
        bars = frame.select(
            pl.col("ticker").cast(pl.String).alias("symbol"),
            pl.col("date").alias("session"),
            *(pl.col(c).cast(pl.Float64) for c in ("open", "high", "low", "close", "volume")),
            split_ratio=pl.col("split_coefficient").cast(pl.Float64)
            if "split_coefficient" in frame.columns
            else pl.lit(1.0),
            dividend_usd=pl.col("dividend_amount").cast(pl.Float64)
            if "dividend_amount" in frame.columns
            else pl.lit(0.0),
            adjustment=pl.lit("none" if "split_coefficient" in frame.columns else "total"),
        )
        assert set(days) <= set(bars.select("symbol", "session").iter_rows())
        blamed = inspect(bars, CALENDAR).filter(
            (pl.col("severity") != "note") & ~pl.col("field").is_in(["volume", "open"])
        )
        told = {(s, d) for s, d in blamed.select("symbol", "session").iter_rows()}

        assert [day for day in days if day in told] == []


def test_judged_flags_of_a_real_panel_still_stand(shared_data: Path) -> None:
    """What was judged right by hand and by other vendors stays flagged."""
    verdicts = pl.read_csv(Path(__file__).parent / "quality_verdicts.csv", try_parse_dates=True)
    right = verdicts.filter((pl.col("panel") == "wiki") & (pl.col("verdict") == "right"))
    bars = pl.read_parquet(shared_data / "wiki_spy_members_2013_2018.parquet").select(
        pl.col("ticker").cast(pl.String).alias("symbol"),
        pl.col("date").alias("session"),
        *(pl.col(c).cast(pl.Float64) for c in ("open", "high", "low", "close", "volume")),
        split_ratio=pl.lit(1.0),
        dividend_usd=pl.lit(0.0),
        adjustment=pl.lit("total"),
    )
    flags = inspect(bars, CALENDAR).filter(pl.col("severity") != "note")
    lost = right.join(flags, on=["symbol", "session", "kind"], how="anti")

    assert right.height > 10
    assert lost["symbol"].to_list() == []
