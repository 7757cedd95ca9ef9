"""Planted faults are found, counted, kept, shown and held against training."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.fakes import MemoryLedger
from typer.testing import CliRunner, Result

from bellwether import telemetry
from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.calendar import session_calendar
from bellwether.core.errors import MissingRecord, QualityTooLow, StorageError, UnknownName
from bellwether.core.ports import Ports, QualityRow, RunRow, SourceQuery
from bellwether.core.types import PredictionRequest, ReleaseFiles
from bellwether.inference.gauges import RecordGauges
from bellwether.inference.service import PredictionService
from bellwether.pipelines import ingest, quality, train
from bellwether.settings import Settings

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH", "III", "JJJ")
SESSIONS = session_calendar().between(date(2020, 1, 2), date(2021, 12, 31))
SLIP, HOLE, CROSSED, TWICE = SESSIONS[100], SESSIONS[120], SESSIONS[140], SESSIONS[160]
QUICK = train.TrainConfig(
    model="historical_mean", against=(), each=False, min_train_sessions=250, test_sessions=100
)


def panel() -> pl.DataFrame:
    """Ten quiet random walks."""
    rng = np.random.default_rng(7)
    market = rng.normal(0.0003, 0.008, len(SESSIONS))
    frames = []
    for i, symbol in enumerate(SYMBOLS):
        walk = market + rng.normal(0.0, 0.01, len(SESSIONS))
        close = (40 + 10 * i) * np.exp(np.cumsum(walk))
        opened = close * np.exp(rng.normal(0, 0.004, len(close)))
        spread = np.abs(rng.normal(0, 0.004, (2, len(close)))) + 0.001
        frames.append(
            pl.DataFrame(
                {
                    "date": SESSIONS,
                    "symbol": symbol,
                    "open": opened.round(2),
                    "high": (np.maximum(opened, close) * (1 + spread[0])).round(2),
                    "low": (np.minimum(opened, close) * (1 - spread[1])).round(2),
                    "close": close.round(2),
                    "volume": np.exp(rng.normal(13, 0.2, len(close))).round(),
                }
            )
        )
    rows = pl.concat(frames)
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    return rows.with_columns(
        high=pl.max_horizontal("high", top), low=pl.min_horizontal("low", bottom)
    )


def planted() -> pl.DataFrame:
    """Plant one fault each: a decimal slip, a hole, high and low crossed, a row told twice."""
    rows = panel()

    def of(symbol: str, day: date) -> pl.Expr:
        return (pl.col("symbol") == symbol) & (pl.col("date") == day)

    prices = ("open", "high", "low", "close")
    rows = rows.with_columns(
        pl.when(of("AAA", SLIP)).then(pl.col(c) * 100).otherwise(pl.col(c)) for c in prices
    )
    rows = rows.filter(~of("BBB", HOLE))
    rows = rows.with_columns(
        high=pl.when(of("CCC", CROSSED)).then("low").otherwise("high"),
        low=pl.when(of("CCC", CROSSED)).then("high").otherwise("low"),
    )
    return pl.concat([rows, rows.filter(of("DDD", TWICE))])


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home whose lake has the planted faults."""
    place = tmp_path_factory.mktemp("faulty")
    told(place / "home", planted(), place / "planted.csv")
    return place / "home"


def told(home: Path, rows: pl.DataFrame, path: Path) -> ingest.IngestReport:
    rows.write_csv(path)
    wired = bootstrap(Settings(home=home, clock="system"))
    config = ingest.IngestConfig("files", SourceQuery(path=str(path)))
    report = ingest.run(config, wired.ports)
    wired.close()
    return report


class Unseen:
    """A tracker that takes every run and shows none."""

    remote = False

    def ping(self) -> None:
        """Give a sign of life."""

    def mirror(self, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
        """Take a run."""


@pytest.fixture
def ports(faulty: Path) -> Iterator[Ports]:
    wired = bootstrap(Settings(home=faulty, clock="system"))
    yield replace(wired.ports, tracker=Unseen())
    wired.close()


def said(home: Path, *arguments: str, **environment: str) -> Result:
    settings = {"BELLWETHER_HOME": str(home), "BELLWETHER_CLOCK": "system", **environment}
    return CliRunner().invoke(app, list(arguments), env=settings)


def test_planted_faults_are_found_with_their_places(faulty: Path) -> None:
    done = said(faulty, "quality", "--json")
    found = json.loads(done.stdout)

    assert done.exit_code == 0
    faults = {(f["symbol"], f["session"], f["kind"]) for f in found["flags"]}
    assert ("AAA", str(SLIP), "decimal_slip") in faults
    assert ("BBB", str(HOLE), "missing_session") in faults
    rejected = {(r["symbol"], r["session"], r["kind"], r["reason"]) for r in found["rejected"]}
    assert rejected == {
        ("CCC", str(CROSSED), "ohlc_contradiction", "high_below_low"),
        ("DDD", str(TWICE), "duplicate", "duplicate"),
    }
    assert {r["location"].split(":")[0] for r in found["rejected"]} == {"planted.csv"}


def test_the_json_adds_up(faulty: Path) -> None:
    found = json.loads(said(faulty, "quality", "--json").stdout)

    kinds = [f["kind"] for f in found["flags"]] + [r["kind"] for r in found["rejected"]]
    assert found["counts"] == {k: kinds.count(k) for k in found["counts"]}
    assert sum(found["counts"].values()) == len(kinds)
    assert {"symbol", "session", "kind", "field", "severity", "score", "detail"} <= set(
        found["flags"][0]
    )
    assert found["bars"] == len(SYMBOLS) * len(SESSIONS) - 2
    assert found["judged"] == len(SYMBOLS) * len(SESSIONS)
    assert found["faulty"] == sum(s["faulty"] for s in found["symbols"])
    assert found["share"] == pytest.approx(1 - found["faulty"] / found["judged"])
    assert found["verdict"] == found["gate"]["verdict"] == "passed"
    assert found["policy"]["treatments"]["missing_session"] == "flag"
    assert found["policy"]["missing_values"]["session"].startswith("carried")


def test_only_what_leaves_a_hole_counts_against_a_symbol(ports: Ports) -> None:
    report = quality.run(quality.QualityConfig(), ports)

    by_symbol = {s.symbol: s for s in report.symbols}
    assert by_symbol["CCC"].faults["ohlc_contradiction"] == 1
    assert by_symbol["CCC"].judged == by_symbol["CCC"].bars + 1
    assert "duplicate" in by_symbol["DDD"].counts
    assert "duplicate" not in by_symbol["DDD"].faults


def test_symbols_and_days_narrow_what_is_told(ports: Ports) -> None:
    one = quality.run(quality.QualityConfig(symbols=("BBB",)), ports)
    late = quality.run(quality.QualityConfig(since=SESSIONS[110]), ports)

    assert {f.symbol for f in one.flags} == {"BBB"}
    assert [s.symbol for s in one.symbols] == ["BBB"]
    assert one.rejected == ()
    assert min(f.session for f in late.flags) >= SESSIONS[110]
    assert late.since == SESSIONS[110]
    assert late.bars == len(SYMBOLS) * (len(SESSIONS) - 110) - 2


def test_a_symbol_is_judged_the_same_alone_as_in_company(ports: Ports) -> None:
    every = quality.run(quality.QualityConfig(), ports)
    alone = quality.run(quality.QualityConfig(symbols=("AAA",)), ports)

    assert alone.flags == tuple(f for f in every.flags if f.symbol == "AAA")


def test_the_words_say_the_worst_and_where_the_rest_is(faulty: Path) -> None:
    words = said(faulty, "quality").stdout
    every = said(faulty, "quality", "--all").stdout

    assert "flags (" in words
    assert "decimal_slip" in words
    assert "planted.csv:" in words
    assert "the gate at 98.00% passes" in words
    assert len(every.splitlines()) >= len(words.splitlines())


def test_the_gate_has_an_exit_code(faulty: Path) -> None:
    strict = {"BELLWETHER_QUALITY_BAR": "1"}

    assert said(faulty, "quality", "--gate").exit_code == 0
    assert said(faulty, "quality", **strict).exit_code == 0
    refused = said(faulty, "quality", "--gate", **strict)
    assert refused.exit_code == 3
    assert "The gate refuses:" in refused.stdout
    assert "BBB" in refused.stdout


def test_training_is_refused_by_name_and_says_what_would_pass(faulty: Path) -> None:
    done = said(faulty, "train", "--model", "historical_mean", BELLWETHER_QUALITY_BAR="1")

    assert done.exit_code == 3
    for words in ("AAA", "decimal_slip", "CCC", "ohlc_contradiction", "--ignore-quality"):
        assert words in done.stderr
    assert "at most 0 faulty of" in done.stderr


def test_an_ignored_gate_is_named_in_run_release_and_answers(ports: Ports) -> None:
    strict = replace(QUICK, quality_bar=1.0)
    with pytest.raises(QualityTooLow, match="decimal_slip"):
        train.run(strict, ports)
    assert ports.ledger.runs() == []

    run = train.run(replace(strict, ignore_quality=True), ports)
    (row,) = ports.ledger.runs()
    (release,) = ports.ledger.releases()
    manifest = ports.releases.load(release.release_id)
    answer = answered(ports, "AAA")

    assert json.loads(row.config)["ignore_quality"] is True
    assert manifest.manifest["quality"]["verdict"] == "refused"
    assert manifest.manifest["quality"]["ignored"] is True
    assert b"The quality gate refused and was ignored" in manifest.files["card.md"]
    assert "quality_gate_ignored_when_the_release_was_trained" in answer
    assert any("Trained below the quality bar" in line for line in run.lines())


def answered(ports: Ports, symbol: str) -> tuple[str, ...]:
    import asyncio

    return asyncio.run(PredictionService(ports).answer(PredictionRequest(symbol))).degraded


def test_a_gate_that_passes_leaves_no_mark_on_answers(tmp_path: Path) -> None:
    told(tmp_path / "home", panel(), tmp_path / "clean.csv")
    wired = bootstrap(Settings(home=tmp_path / "home", clock="system"))
    ports = replace(wired.ports, tracker=Unseen())
    train.run(QUICK, ports)
    again = train.run(replace(QUICK, quality_bar=0.5), ports)
    drawn = train.run(replace(QUICK, winsorise=3.0), ports)
    degraded = answered(wired.ports, "AAA")
    configs = [json.loads(r.config) for r in wired.ports.ledger.runs()]
    wired.close()

    assert again.reused
    assert not drawn.reused
    assert drawn.outcome["quality"]["winsorised_targets"] == 3.0
    assert not any("quality" in reason for reason in degraded)
    assert [c.get("winsorise") for c in configs] == [None, 3.0]
    assert "ignore_quality" not in configs[0]


def test_an_ingestion_keeps_what_its_inspection_found(faulty: Path, ports: Ports) -> None:
    (row,) = ports.ledger.ingestions()
    (kept,) = ports.ledger.quality_reports(row.ingestion_id)
    summary = json.loads(kept.summary)

    assert (kept.watermark, kept.verdict) == (row.watermark, "passed")
    assert summary["counts"]["decimal_slip"] >= 1
    assert summary["rejected"] == 2
    assert {s["symbol"] for s in summary["worst"]} >= {"AAA", "BBB", "CCC"}
    assert ports.ledger.newest_quality() == kept
    assert faulty.is_dir()


def test_the_server_tells_what_the_newest_inspection_found(ports: Ports) -> None:
    RecordGauges(ports).measure()
    flags = telemetry.total(telemetry.QUALITY_FLAGS)
    (share,) = telemetry.total(telemetry.QUALITY_SHARE).values()

    assert flags["missing_session",] == 2
    assert flags["out_of_hours",] == 0
    assert flags["ohlc_contradiction",] >= 1
    assert 0.99 < share < 1


def test_an_ingestion_sums_its_inspection_up_in_a_line(tmp_path: Path) -> None:
    planted().filter(pl.col("symbol") <= "DDD").write_csv(tmp_path / "p.csv")
    done = said(tmp_path, "ingest", "files", "--path", str(tmp_path / "p.csv"))

    last = done.stdout.splitlines()[-1]
    assert done.exit_code == 0
    assert last.startswith("Quality: ")
    assert last.endswith("See: bellwether quality --symbols AAA,BBB,CCC,DDD")


def test_a_later_ingestion_is_judged_by_what_it_told(tmp_path: Path) -> None:
    rows = panel().filter(pl.col("symbol") < "CCC")
    told(tmp_path / "home", rows.filter(pl.col("date") < SESSIONS[-5]), tmp_path / "a.csv")
    report = told(
        tmp_path / "home", rows.filter(pl.col("date") >= SESSIONS[-5]), tmp_path / "b.csv"
    )

    assert report.quality is not None
    assert f"in 10 bars of 2 symbols; 100.00% without fault, from {SESSIONS[-5]} on" in (
        report.quality
    )


class Refusing(MemoryLedger):
    """A ledger that keeps everything but inspections."""

    def record_quality(self, row: QualityRow) -> None:
        """Refuse."""
        raise StorageError("ledger", f"no room for {row.report_id}")


def test_a_failing_inspection_loses_no_ingestion(tmp_path: Path) -> None:
    panel().filter(pl.col("symbol") == "AAA").write_csv(tmp_path / "p.csv")
    wired = bootstrap(Settings(home=tmp_path / "home", clock="system"))
    ledger = Refusing()
    config = ingest.IngestConfig("files", SourceQuery(path=str(tmp_path / "p.csv")))
    report = ingest.run(config, replace(wired.ports, ledger=ledger))
    kept = wired.ports.lake.bars().height
    wired.close()

    assert report.quality is None
    assert report.added == kept == len(SESSIONS)
    assert len(ledger.ingestions()) == 1
    assert any("Not inspected" in line for line in report.lines())


def test_a_correction_takes_the_flag_away(tmp_path: Path) -> None:
    home = tmp_path / "home"
    told(home, planted(), tmp_path / "a.csv")
    told(home, panel(), tmp_path / "b.csv")
    found = json.loads(said(home, "quality", "--json").stdout)

    assert not [f for f in found["flags"] if f["kind"] in ("decimal_slip", "missing_session")]
    assert [r["counts"] for r in found["rejected"]] == [False, False]


def test_two_sources_of_one_symbol_are_held_against_each_other(tmp_path: Path) -> None:
    wired = bootstrap(Settings(home=tmp_path / "home", clock="system"))
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("FB",))), wired.ports)
    mine = wired.ports.lake.bars(["FB"]).rename({"session": "date"})
    off = pl.col("date") == date(2012, 9, 12)
    prices = ("open", "high", "low", "close")
    mine.select("date", "symbol", *prices, "volume").with_columns(
        pl.when(off).then(pl.col(c) * 1.2).otherwise(pl.col(c)) for c in prices
    ).write_csv(tmp_path / "second.csv")
    query = SourceQuery(path=str(tmp_path / "second.csv"), label="vendor")
    ingest.run(ingest.IngestConfig("files", query), wired.ports)
    both = quality.run(quality.QualityConfig(), wired.ports)
    one = quality.run(quality.QualityConfig(source="sample"), wired.ports)
    other = quality.run(quality.QualityConfig(source="vendor", drawn=1), wired.ports)
    wired.close()

    disagree = [f for f in both.flags if f.kind == "source_disagreement"]
    assert date(2012, 9, 12) in {f.session for f in disagree}
    wrong = {(f.source, f.session) for f in disagree if f.severity == "fault"}
    assert wrong <= {("vendor / sample", date(2012, 9, d)) for d in (12, 13)}
    assert both.bars == one.bars == other.bars == 196
    assert other.sources == ("vendor",)
    assert one.sources == ("sample",)


def test_what_cannot_be_answered_is_said(ports: Ports, tmp_path: Path, faulty: Path) -> None:
    with pytest.raises(UnknownName, match="no symbol 'NOPE'"):
        quality.run(quality.QualityConfig(symbols=("NOPE",)), ports)
    with pytest.raises(UnknownName, match="no source 'nope'"):
        quality.run(quality.QualityConfig(source="nope"), ports)
    with pytest.raises(MissingRecord, match="source sample"):
        quality.run(quality.QualityConfig(source="sample"), ports)
    empty = said(tmp_path, "quality")
    assert empty.exit_code == 2
    assert "bellwether ingest sample" in empty.stderr
    for wrong in (["--symbols", " , "], ["--html", str(tmp_path)], ["--html", "/no/such/f.html"]):
        assert said(faulty, "quality", *wrong).exit_code == 2
    none = quality.run(quality.QualityConfig(since=date(2030, 1, 2)), ports)
    assert none.brief() == "no bars to judge"
    assert not none.gate.passed


def test_a_file_of_nothing_but_bad_rows_can_be_looked_at(tmp_path: Path) -> None:
    rows = panel().filter(pl.col("symbol") == "AAA").head(30).with_columns(close=-pl.col("close"))
    report = told(tmp_path / "home", rows, tmp_path / "bad.csv")
    found = json.loads(said(tmp_path / "home", "quality", "--json").stdout)

    assert report.accepted == 0
    assert found["bars"] == 0
    assert found["counts"] == {"non_positive_price": 30}
    assert found["verdict"] == "refused"


def test_the_past_is_inspected_as_it_was(tmp_path: Path) -> None:
    first = told(tmp_path / "home", planted(), tmp_path / "a.csv")
    told(tmp_path / "home", panel(), tmp_path / "b.csv")
    wired = bootstrap(Settings(home=tmp_path / "home", clock="system"))
    now = quality.run(quality.QualityConfig(), wired.ports)
    then = quality.run(quality.QualityConfig(watermark=first.watermark), wired.ports)
    wired.close()

    assert "decimal_slip" in then.counts
    assert "decimal_slip" not in now.counts
    assert then.watermark == first.watermark
    assert now.watermark is not None
    assert now.watermark > datetime(2026, 1, 1, tzinfo=UTC)
