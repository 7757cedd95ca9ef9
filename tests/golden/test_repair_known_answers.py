"""The repair step on faulty price files whose right answers are known, and on clean ones."""

import runpy
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.core.ports import SourceQuery
from bellwether.quality.repair import repair
from bellwether.sources.sample import SampleSource

MEASURED = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/repair_known_answers.py"))
CALENDAR = session_calendar()
LEAST_SHARE = 0.999


def test_known_faults_are_repaired_exactly_and_clean_files_stay(shared_data: Path) -> None:
    table, clean = MEASURED["pairs"](shared_data)

    assert len(table) == 22
    assert sum(row["faulty"] for row in table) == 13_597
    assert sum(row["repaired"] for row in table) / 13_597 >= LEAST_SHARE
    assert [row["symbol"] for row in table if row["wrong"] or row["again"]] == []
    assert clean == {"files": 24, "rows": 18_036, "touched": 0}


def test_the_clean_sample_stays() -> None:
    bars = SampleSource().read(SourceQuery(), datetime(2014, 1, 1, tzinfo=UTC)).bars

    done = repair(bars, CALENDAR)

    assert (done.changes.height, done.left.height) == (0, 0)


def test_nearly_clean_etfs_stay_but_for_a_dividend_told_twice(shared_data: Path) -> None:
    told = pl.read_parquet(shared_data / "yahoo_etf46_1995_2026.parquet")

    done = repair(MEASURED["as_etf"](told), CALENDAR).changes

    listed = done.filter(pl.col("field") != "adj_close").select("symbol", "session", "kind")
    assert [(s, str(d), k) for s, d, k in listed.rows()] == [
        ("QQQ", "2010-06-25", "phantom_dividend")  # the fund goes ex on third Fridays: June 18
    ]
