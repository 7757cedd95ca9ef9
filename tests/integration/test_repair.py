"""Repairs of the lake: shown, written as revisions, recorded, undone by a source, and repeated."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.faulty_bars import at as cell
from tests.faulty_bars import clean_bars, scaled
from typer.testing import CliRunner

from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.asof import as_of
from bellwether.core.clock import FixedClock
from bellwether.core.errors import MissingRecord, StorageError, UnknownName
from bellwether.core.ports import LakeBatch, Ports, SourceQuery
from bellwether.pipelines import ingest
from bellwether.pipelines.repair import RepairConfig, run
from bellwether.settings import Settings

T0, T1, T2 = (datetime(2026, 11, day, tzinfo=UTC) for day in (2, 3, 4))
KEYS = ("symbol", "session")
CLEAN = clean_bars(adjusted=False)
FAULTY = scaled(CLEAN, slice(100, 102), 100.0)
APPLY = RepairConfig(apply=True)


def at(ports: Ports, now: datetime) -> Ports:
    return replace(ports, wall=FixedClock(now))


def tell(ports: Ports, bars: pl.DataFrame, folder: Path) -> None:
    path = folder / "told.csv"
    bars.drop("adjustment").write_csv(path)
    report = ingest.run(ingest.IngestConfig("files", SourceQuery(path=str(path))), ports)
    assert report.rejected == 0


def closes(ports: Ports, known_at: datetime) -> list[float]:
    return as_of(ports.lake.bars(), known_at, KEYS)["close"].to_list()


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    wired = bootstrap(Settings(home=tmp_path / "home", clock="system"))
    yield at(wired.ports, T0)
    wired.close()


@pytest.fixture
def told(ports: Ports, tmp_path: Path) -> Ports:
    tell(ports, FAULTY, tmp_path)
    return ports


def test_a_dry_run_shows_and_writes_nothing(told: Ports) -> None:
    before = told.lake.watermark()

    report = run(RepairConfig(), at(told, T1))

    assert (report.applied, report.judged, report.revised, len(report.repairs)) == (
        False,
        250,
        0,
        8,
    )
    assert any("--apply" in line for line in report.lines())
    assert told.lake.watermark() == before
    assert told.ledger.repairs() == []


def test_a_repair_is_a_revision_known_from_when_it_was_made(told: Ports) -> None:
    report = run(APPLY, at(told, T1))

    assert (report.applied, report.revised, report.recorded) == (True, 2, 8)
    assert closes(told, T0) == FAULTY["close"].to_list()
    assert closes(told, T1) == CLEAN["close"].to_list()
    revised = told.lake.bars().filter(pl.col("revision") == 1)
    assert set(revised["knowledge_basis"]) == {"repaired"}
    assert set(revised["source"]) == {"files"}


def test_every_repair_is_kept_with_what_it_said_before_and_why(told: Ports) -> None:
    judged_on = told.lake.watermark()

    run(APPLY, at(told, T1))

    kept = told.ledger.repairs(["ABC"])
    assert {(r.field, r.kind, r.source) for r in kept} == {
        (f, "decimal_slip", "files") for f in ("open", "high", "low", "close")
    }
    assert {(r.watermark, r.applied_at) for r in kept} == {(judged_on, T1)}
    close = {r.session: (r.was, r.becomes) for r in kept if r.field == "close"}
    assert close[CLEAN["session"][100]] == (FAULTY["close"][100], CLEAN["close"][100])
    assert all(r.evidence for r in kept)
    assert told.ledger.repairs(["XYZ"]) == []


def test_a_repeated_run_changes_nothing(told: Ports) -> None:
    run(APPLY, at(told, T1))
    mark = told.lake.watermark()

    again = run(APPLY, at(told, T2))

    assert (again.applied, again.revised, len(again.repairs)) == (False, 0, 0)
    assert told.lake.watermark() == mark
    assert len(told.ledger.repairs()) == 8


def test_what_the_source_tells_later_is_just_another_revision(told: Ports, tmp_path: Path) -> None:
    run(APPLY, at(told, T1))
    corrected = scaled(FAULTY, slice(100, 102), 0.01)

    tell(at(told, T2), corrected, tmp_path)
    assert told.lake.bars()["revision"].max() == 1  # it says what the repair says

    tell(at(told, T2), FAULTY, tmp_path)
    assert closes(told, T2) == CLEAN["close"].to_list()  # it only repeats itself
    worse = scaled(CLEAN, slice(100, 102), 1000.0)
    tell(at(told, T2), worse, tmp_path)
    assert closes(told, T2) == worse["close"].to_list()
    run(APPLY, at(told, datetime(2026, 11, 5, tzinfo=UTC)))
    assert closes(told, datetime(2026, 11, 5, tzinfo=UTC)) == CLEAN["close"].to_list()
    assert len(told.ledger.repairs()) == 16


def wrong_amount(bars: pl.DataFrame) -> pl.DataFrame:
    """Tell one dividend a hundredfold."""
    row = int(np.flatnonzero(bars["dividend_usd"].to_numpy() > 0)[1])
    return cell(bars, row, dividend_usd=bars["dividend_usd"][row] * 100)


def test_an_amount_is_put_right_in_the_actions_of_its_source(ports: Ports, tmp_path: Path) -> None:
    tell(ports, wrong_amount(CLEAN), tmp_path)

    report = run(APPLY, at(ports, T1))

    assert [(r.field, r.kind) for r in report.repairs] == [("dividend_usd", "bad_dividend_amount")]
    known = as_of(ports.lake.bars(), T1, KEYS)
    assert known["dividend_usd"].to_list() == CLEAN["dividend_usd"].to_list()
    before = as_of(ports.lake.bars(), T0, KEYS)
    assert before["dividend_usd"].to_list() == wrong_amount(CLEAN)["dividend_usd"].to_list()
    assert run(APPLY, at(ports, T2)).repairs == ()


def test_an_action_that_another_source_told_stays_that_sources(
    ports: Ports, tmp_path: Path
) -> None:
    wrong = wrong_amount(CLEAN)
    bare = scaled(wrong.with_columns(dividend_usd=0.0), slice(100, 101), 100.0)
    tell(ports, bare, tmp_path)
    closed = pl.lit(T0).cast(pl.Datetime("us", "UTC"))
    paid = wrong.filter(pl.col("dividend_usd") > 0).select(
        "symbol", "session", kind=pl.lit("dividend"), value="dividend_usd", adjustment=pl.lit("none"),
        source=pl.lit("actions"), event_time=closed, knowledge_time=closed,
        knowledge_basis=pl.lit("stated"),
    )  # fmt: skip
    ports.lake.append(LakeBatch(actions=paid), T0)

    run(APPLY, at(ports, T1))

    known = as_of(ports.lake.bars(), T1, KEYS)
    assert known["dividend_usd"].to_list() == CLEAN["dividend_usd"].to_list()
    assert known["close"].to_list() == CLEAN["close"].to_list()
    acts = ports.lake.actions()
    assert set(acts["source"]) == {"actions"}
    revised = acts.filter(pl.col("revision") > 0)
    assert revised["knowledge_time"].to_list() == [T1]
    assert revised["knowledge_basis"].to_list() == ["repaired"]
    assert run(APPLY, at(ports, T2)).repairs == ()


def test_a_dividend_told_twice_is_taken_back(ports: Ports, tmp_path: Path) -> None:
    row = int(np.flatnonzero(CLEAN["dividend_usd"].to_numpy() > 0)[1])
    twice = cell(CLEAN, row - 4, dividend_usd=CLEAN["dividend_usd"][row] * 100)
    tell(ports, twice, tmp_path)

    run(APPLY, at(ports, T1))

    known = as_of(ports.lake.bars(), T1, KEYS)
    assert known["dividend_usd"].to_list() == CLEAN["dividend_usd"].to_list()


def test_sources_are_judged_apart(ports: Ports, tmp_path: Path) -> None:
    tell(ports, CLEAN, tmp_path)
    columns = ports.lake.bars().drop("ingested_at", "revision").columns
    other = as_of(ports.lake.bars(), T2, KEYS).select(columns).with_columns(source=pl.lit("second"))
    ports.lake.append(LakeBatch(bars=scaled(other, slice(50, 51), 0.01)), T0)

    run(APPLY, at(ports, T1))

    bars = ports.lake.bars(every_source=True)
    assert set(bars.filter(pl.col("revision") > 0)["source"]) == {"second"}
    newest = bars.sort("revision").unique([*KEYS, "source"], keep="last").sort("source", "session")
    assert newest["close"].to_list() == CLEAN["close"].to_list() * 2


def test_killed_between_record_and_lake_it_is_recorded_once(told: Ports) -> None:
    class Killed(BaseException):
        pass

    class Dying:
        def __init__(self) -> None:
            self.bars = told.lake.bars
            self.symbols = told.lake.symbols
            self.watermark = told.lake.watermark
            self.actions = told.lake.actions

        def append(self, *_told: object) -> object:
            raise Killed

    with pytest.raises(Killed):
        run(APPLY, replace(at(told, T1), lake=Dying()))  # type: ignore[arg-type]
    done = run(APPLY, at(told, T2))

    assert (done.revised, done.recorded) == (2, 0)
    assert len(told.ledger.repairs()) == 8


def test_bars_that_come_in_meanwhile_are_never_overwritten(told: Ports) -> None:
    class Moving:
        def __init__(self) -> None:
            self.bars, self.symbols = told.lake.bars, told.lake.symbols
            self.actions = told.lake.actions
            self.marks = iter(range(100))

        def watermark(self) -> datetime:
            mark = told.lake.watermark()
            assert mark is not None
            return mark + timedelta(seconds=next(self.marks))

    with pytest.raises(StorageError, match="run it again"):
        run(APPLY, replace(told, lake=Moving()))  # type: ignore[arg-type]
    assert closes(told, T2) == FAULTY["close"].to_list()


def test_an_empty_lake_and_unknown_names_are_refused(ports: Ports, tmp_path: Path) -> None:
    with pytest.raises(MissingRecord):
        run(RepairConfig(), ports)
    tell(ports, FAULTY, tmp_path)
    with pytest.raises(UnknownName, match="XYZ"):
        run(RepairConfig(symbols=("XYZ",)), ports)
    with pytest.raises(UnknownName, match="tea"):
        run(RepairConfig(kinds=("tea",)), ports)


def test_the_command_says_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BELLWETHER_CLOCK", "system")
    FAULTY.drop("adjustment").write_csv(tmp_path / "told.csv")
    call = CliRunner().invoke
    assert call(app, ["ingest", "files", "--path", str(tmp_path / "told.csv")]).exit_code == 0

    shown = call(app, ["repair"])
    written = call(app, ["repair", "--apply", "--symbols", "abc", "--json"])
    again = call(app, ["repair", "--apply", "--kinds", "decimal_slip"])

    assert shown.exit_code == written.exit_code == again.exit_code == 0
    assert "2 can be repaired" in shown.stdout
    assert json.loads(written.stdout)["revised"] == 2
    assert "Nothing to repair." in again.stdout
    for wrong in (["--symbols", "XYZ"], ["--kinds", "tea"], ["--symbols", ","]):
        assert call(app, ["repair", *wrong]).exit_code == 2
