"""From a file to who was in on a day, and to what is missing, through the lake."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.clock import FixedClock
from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.core.ports import Ports, SourceQuery
from bellwether.pipelines import coverage, train
from bellwether.pipelines.ingest import IngestConfig, IngestReport, run
from bellwether.settings import Settings

NOW = datetime(2024, 2, 1, tzinfo=UTC)
MEMBERSHIP = """ticker,start_date,last,end_reason,delisting_return
OLD,2023-12-20,2024-01-05,delisted,-0.9
GONE,2024-01-02,2024-01-10,,
ABC,2024-01-02,,,
DEF,2024-01-08,,,
"""
DAYS = ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09")


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    made = bootstrap(Settings(home=tmp_path / "home", clock="system")).ports
    yield replace(made, clock=FixedClock(NOW), wall=FixedClock(NOW))
    made.log.close()


def ingest(ports: Ports, place: Path, text: str, source: str = "universe") -> IngestReport:
    path = place / f"{source}.csv"
    path.write_text(text)
    return run(IngestConfig(source, SourceQuery(path=str(path), name="u")), ports)


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.added, report.revised, report.unchanged, report.rejected


def test_a_file_told_twice_changes_nothing(ports: Ports, tmp_path: Path) -> None:
    first = ingest(ports, tmp_path, MEMBERSHIP)
    before = ports.lake.universe()
    again = ingest(ports, tmp_path, MEMBERSHIP)

    assert counts(first) == (4, 0, 0, 0)
    assert counts(again) == (0, 0, 4, 0)
    assert "u: 4 spells of 4 names, 2 of them still in" in first.lines()
    assert ports.lake.universe().equals(before)
    assert before.filter(pl.col("symbol") == "OLD").select("last", "revision").rows() == [
        (None, 0),
        (date(2024, 1, 5), 1),
    ]


def test_an_end_is_unknown_before_its_day_and_known_after(ports: Ports, tmp_path: Path) -> None:
    ingest(ports, tmp_path, MEMBERSHIP)

    assert coverage.on("u", date(2024, 1, 5), ports) == ["ABC", "GONE", "OLD"]
    assert coverage.on("u", date(2024, 1, 8), ports) == ["ABC", "DEF", "GONE"]
    assert coverage.on("u", date(2024, 1, 31), ports) == ["ABC", "DEF"]


def test_an_ingestion_killed_between_start_and_end_is_finished_by_the_next(
    ports: Ports, tmp_path: Path
) -> None:
    path = tmp_path / "m.csv"
    path.write_text(MEMBERSHIP)
    batch = ports.sources["universe"].read(SourceQuery(path=str(path), name="u"), NOW)
    ports.lake.append(batch.batches[0], NOW)

    report = ingest(ports, tmp_path, MEMBERSHIP)

    assert counts(report) == (2, 2, 0, 0)
    assert coverage.on("u", date(2024, 1, 31), ports) == ["ABC", "DEF"]


def test_a_corrected_end_is_a_revision_and_the_past_is_not_rewritten(
    ports: Ports, tmp_path: Path
) -> None:
    ingest(ports, tmp_path, MEMBERSHIP)

    back = ingest(ports, tmp_path, MEMBERSHIP.replace("2024-01-10", ""))

    assert counts(back) == (0, 1, 3, 0)
    assert coverage.on("u", date(2024, 1, 31), ports) == ["ABC", "DEF"]  # as known on that day
    assert coverage.listed(ports)[0]["members"] == 3  # as known now


def test_a_list_of_changes_goes_on_from_the_lake(ports: Ports, tmp_path: Path) -> None:
    ingest(ports, tmp_path, MEMBERSHIP)

    told = ingest(ports, tmp_path, "date,add,remove\n2024-01-16,NEW,ABC\n2024-01-16,,XYZ\n")
    again = ingest(ports, tmp_path, "date,add,remove\n2024-01-16,NEW,ABC\n")

    assert counts(told) == (1, 1, 0, 1)
    assert counts(again) == (0, 0, 2, 0)
    assert coverage.on("u", date(2024, 1, 16), ports) == ["DEF", "NEW"]
    assert ports.lake.quarantine()["reason"].to_list() == ["not_a_member"]


def test_the_missing_are_counted_and_their_harm_is_bounded(ports: Ports, tmp_path: Path) -> None:
    ingest(ports, tmp_path, MEMBERSHIP)
    header = "Date,Symbol,Open,High,Low,Close,Volume\n"
    rows = [f"{day},ABC,10,20,9,{10 + i},100" for i, day in enumerate(DAYS)]
    ingest(ports, tmp_path, header + "\n".join(rows) + "\n", "files")

    report = coverage.run(coverage.CoverageConfig("u", "nyse", 2024, 2024), ports)

    (year,) = report.years
    sessions = {"OLD": 4, "GONE": 7, "ABC": 21, "DEF": 17}  # 2 to 31 January
    assert year["members"] == 4
    assert year["member_sessions"] == sum(sessions.values())
    assert year["held_sessions"] == len(DAYS)
    assert (year["never"], year["ended_early"]) == (4 + 7 + 17, 21 - len(DAYS))
    assert year["present_return"] == pytest.approx(0.5)
    worst = (4 * (1.5 * 0.1 - 1) + 7 * (1.5 * 0.7 - 1) + (17 + 15) * 0.5) / 43
    assert year["missing_low"] == pytest.approx(worst)
    words = "\n".join(report.lines())
    assert "In 2024 88% of the member-sessions have no bars here: 3 of 4 members" in words
    assert "each 10 points they did worse are 8.8 points of bias" in words
    assert "lost at worst 30% on top" in words


def test_a_universe_without_any_bars_says_that_nothing_can_be_said(
    ports: Ports, tmp_path: Path
) -> None:
    ingest(ports, tmp_path, MEMBERSHIP)

    words = "\n".join(coverage.run(coverage.CoverageConfig("u"), ports).lines())

    assert "In 2023 100% of the member-sessions have no bars here" in words
    assert "nothing can be said about that year" in words


def test_what_is_asked_wrongly_is_told(ports: Ports, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="ingest universe --path"):
        coverage.run(coverage.CoverageConfig("u"), ports)
    ingest(ports, tmp_path, MEMBERSHIP)
    with pytest.raises(UnknownName, match=r"no universe 'v'\. Known: u"):
        coverage.run(coverage.CoverageConfig("v"), ports)
    with pytest.raises(InvalidRequest, match="--delisting"):
        coverage.run(coverage.CoverageConfig("u", "half"), ports)
    with pytest.raises(InvalidRequest, match="runs from 2023-12-20 to 2024-01-31"):
        coverage.run(coverage.CoverageConfig("u", first_year=2030), ports)
    for day in (date(2023, 12, 19), date(2024, 2, 1), date(1900, 1, 1)):
        with pytest.raises(InvalidRequest, match="lies outside u, which runs from 2023-12-20"):
            coverage.on("u", day, ports)
    with pytest.raises(InvalidRequest, match="closed on 2024-01-06"):
        coverage.on("u", date(2024, 1, 6), ports)


def test_a_note_for_a_report(ports: Ports, tmp_path: Path) -> None:
    ingest(ports, tmp_path, MEMBERSHIP)

    assert "nothing is known about names that left" in coverage.note(None, ["ABC"], [2024], ports)
    assert "Of 4 names that were members" in coverage.note("u", ["ABC"], [2024], ports)


def test_actions_and_quotes_reach_the_lake(ports: Ports, tmp_path: Path) -> None:
    acted = ingest(
        ports,
        tmp_path,
        "symbol,ex_date,kind,value\nABC,2024-01-04,split,2\nABC,x,split,2\n",
        "actions",
    )
    quoted = ingest(
        ports, tmp_path, "symbol,time,bid,ask\nABC,2024-01-04T15:00:00Z,10,10.1\n", "quotes"
    )
    again = ingest(
        ports, tmp_path, "symbol,time,bid,ask\nABC,2024-01-04T15:00:00Z,10,10.1\n", "quotes"
    )

    assert (counts(acted), counts(quoted), counts(again)) == (
        (1, 0, 0, 1),
        (1, 0, 0, 0),
        (0, 0, 1, 0),
    )
    assert ports.lake.actions()["value"].to_list() == [2.0]
    assert ports.lake.quotes()["ask"].to_list() == [10.1]
    assert "1 actions of 1 names, 2024-01-04 to 2024-01-04" in acted.lines()


def test_a_universe_does_not_move_the_clock_off_the_sample(tmp_path: Path) -> None:
    made = bootstrap(Settings(home=tmp_path / "home")).ports
    before = made.clock.now()
    ingest(made, tmp_path, MEMBERSHIP.replace("2024", "2012").replace("2023", "2011"))
    made.log.close()

    assert made.clock.now() == before
    assert before.date() == date(2013, 3, 1)


def test_the_commands(tmp_path: Path) -> None:
    path = tmp_path / "sp500.csv"
    path.write_text(MEMBERSHIP.replace("2024", "2012").replace("2023", "2011"))

    def told(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, words, env={"BELLWETHER_HOME": str(tmp_path / "home")})
        return done.exit_code, done.output

    assert told("ingest", "universe", "--path", str(path))[0] == 0
    assert "sp500" in told("universe", "list")[1]
    code, text = told("universe", "members", "sp500", "--on", "2012-01-09", "--json")
    assert (code, json.loads(text)["members"]) == (0, ["ABC", "DEF", "GONE"])
    code, text = told("universe", "coverage", "sp500", "--json")
    assert (code, [row["year"] for row in json.loads(text)["years"]]) == (0, [2011, 2012, 2013])
    assert told("universe", "coverage", "nyse")[0] == 2
    assert "Known: sp500" in told("universe", "members", "nyse", "--on", "2012-01-09")[1]
    assert told("universe", "members", "sp500", "--on", "2050-01-03")[0] == 2


def test_training_counts_a_name_only_while_it_was_known_to_be_a_member(
    ports: Ports, tmp_path: Path
) -> None:
    run(IngestConfig("sample", SourceQuery(symbols=("AAPL", "IBM", "MSFT"))), ports)
    spells = "ticker,start_date,last\nAAPL,2000-01-03,2008-12-31\nMSFT,2000-01-03,\n"
    ingest(ports, tmp_path, spells + "ZZZ,2000-01-03,\n")
    asked = train.TrainConfig(
        universe="u", model="linear", against=(), each=False, test_sessions=1000
    )

    report = train.run(asked, ports)

    by_symbol = report.outcome["by_symbol"]
    assert sorted(by_symbol) == ["AAPL", "MSFT"]
    assert by_symbol["AAPL"]["linear"]["n"] < by_symbol["MSFT"]["linear"]["n"]
    assert report.outcome["survivorship"].startswith("Of 3 names")
    assert report.outcome["survivorship"] in report.lines()
    with pytest.raises(UnknownName, match="nobody"):
        train.run(replace(asked, universe="nobody"), ports)
