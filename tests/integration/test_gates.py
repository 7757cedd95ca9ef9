"""The gates through the command line: of a backtest, of a release, and of themselves."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import SourceQuery
from bellwether.evaluation.gate_policy import GATES, SKILL, Policy
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.inference.backtests import REPORT
from bellwether.pipelines import audit, backtest, gates, gates_calibrate, ingest, train
from bellwether.pipelines.gates_cases import CASES
from bellwether.pipelines.trials import Study, trial
from bellwether.pipelines.tried import beside
from bellwether.settings import Settings

ASKED = BacktestConfig(
    symbols=("AAPL", "IBM"),
    model="linear",
    first=date(2003, 1, 1),
    last=date(2004, 12, 31),
    ages=0,
    what_if=False,
)
NOW = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def wired(home: Path) -> Iterator[Wired]:
    built = bootstrap(Settings(home=home))
    ingest.run(ingest.IngestConfig("sample", SourceQuery()), built.ports)
    yield built
    built.close()


@pytest.fixture(scope="module")
def tested(wired: Wired) -> str:
    return backtest.run(ASKED, wired.ports).backtest_id


@pytest.fixture(scope="module")
def released(wired: Wired) -> str:
    asked = train.TrainConfig(
        symbols=("AAPL", "IBM"), model="linear", against=(), each=False, test_sessions=1000
    )
    return str(train.run(asked, wired.ports).outcome["releases"]["panel"])


@pytest.fixture
def asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BELLWETHER_HOME", str(home))
    return lambda *words: CliRunner().invoke(app, ["gates", *words])


def test_a_backtest_is_judged_by_every_gate(asked: Any, tested: str, released: str) -> None:
    del released  # its training made the audit that the backtest's gate reads
    result = asked("check", tested, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 3
    assert sorted(v["gate"] for v in told["verdicts"]) == sorted(GATES)
    states = {v["gate"]: v["state"] for v in told["verdicts"]}
    assert (states["leak_audit"], states["data_quality"]) == ("passed", "passed")
    assert states["golden_rows"] == "not assessable"
    assert not told["skill_shown"]
    assert set(told["refusing"]) >= {g for g in SKILL if states[g] != "passed"}
    failed = [v for v in told["verdicts"] if v["state"] == "failed"]
    assert failed
    assert all(v["passes_when"] for v in failed)


def test_a_release_is_judged_and_report_only_tells_skill(asked: Any, released: str) -> None:
    strict = json.loads(asked("check", released, "--json").stdout)
    states = {v["gate"]: v["state"] for v in strict["verdicts"]}
    assert {states[g] for g in ("leak_audit", "data_quality", "golden_rows", "budget")} == {
        "passed"
    }
    assert set(strict["refusing"]) & set(SKILL)
    loose = asked("check", released[:8], "--skill", "report")
    assert "No skill is shown." in loose.stdout
    assert not any(f"Refused by {g}" in loose.stdout for g in SKILL)


def test_a_policy_of_ones_own(asked: Any, tested: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('skill = "report"\noff = ["bias", "calibration"]\n[too_good]\nsharpe = 9.0\n')
    result = asked("check", tested, "--policy", str(path))
    assert result.exit_code == 0
    assert "Not asked, by the policy: bias, calibration." in result.stdout
    path.write_text("skil = 1")
    assert asked("check", tested, "--policy", str(path)).exit_code == 2
    path.write_text("skill = ")
    assert asked("check", tested, "--policy", str(path)).exit_code == 2
    assert asked("check", tested, "--policy", str(tmp_path / "none.toml")).exit_code == 2
    assert asked("check", tested, "--skill", "maybe").exit_code == 2


def test_who_is_not_there_is_refused(asked: Any, tested: str, wired: Wired) -> None:
    assert asked("check", "nothing-like-it").exit_code == 2
    assert asked("check", tested[:2]).exit_code == 2
    row = wired.ports.ledger.backtests()[0]
    wired.ports.ledger.record_backtest(replace(row, backtest_id="lost-report", key="k"))
    with pytest.raises(MissingRecord):
        gates.check("lost-report", Policy(), wired.ports)
    with pytest.raises(UnknownName):
        gates.check("", Policy(), wired.ports)


def test_costs_that_were_switched_off_and_orders_before_their_time(wired: Wired) -> None:
    free = backtest.run(
        replace(ASKED, without=("commission",), last=date(2003, 12, 31)), wired.ports
    )
    told = gates.check(free.backtest_id, Policy(), wired.ports).decision
    words = {v.gate: v for v in told.verdicts}
    assert "commission" in words["beats_baselines"].words
    assert set(SKILL) <= set(told.refusing)
    early = backtest.run(replace(ASKED, lag_sessions=0, last=date(2003, 12, 31)), wired.ports)
    told = gates.check(early.backtest_id, Policy(skill="report"), wired.ports).decision
    assert "leak_audit" in told.refusing


def test_a_leak_found_later_refuses(wired: Wired, tested: str, released: str) -> None:
    del released  # its training made the audit that the backtest's gate reads
    report = json.loads(wired.ports.work.read(tested, REPORT) or b"{}")
    subject = f"{report['config']['view']} h=1"
    known = wired.ports.ledger.newest_audit(subject, datetime.fromisoformat(report["watermark"]))
    assert known is not None
    told = json.dumps(json.loads(known.report) | {"alarms": [{"sentence": "it leaks"}]})
    row = replace(known, audit_id="later", created_at=NOW, verdict="leak", report=told)
    wired.ports.ledger.record_audit(replace(row, created_at=datetime(2100, 1, 1, tzinfo=UTC)))
    decision = gates.check(tested, Policy(skill="report"), wired.ports).decision
    assert "leak_audit" in decision.refusing
    wired.ports.ledger.record_audit(
        replace(known, audit_id="last", created_at=datetime(2101, 1, 1, tzinfo=UTC))
    )
    assert audit.demand(("AAPL",), 1, wired.ports).verdict == "green"


def test_trials_are_counted_whatever_they_left(wired: Wired) -> None:
    days = [date(2010, 1, 4 + i) for i in range(20)]
    net = np.linspace(-0.01, 0.01, 20)
    label = "open_to_open h=9"

    def nobody(_row: Any) -> bool:
        return False

    assert beside(label, nobody, days, net, wired.ports).counted is None

    def row(name: str, values: Any, sessions: Any, state: str = "complete") -> Any:
        study = Study(name, "search", {"symbols": []}, 9, NOW, NOW)
        told = None
        if values is not None:
            told = pl.DataFrame({"session": sessions, "net": values})
        return trial(study, name, "panel", {}, told, state=state)

    rows = [row("itself", net, days), row("other", -net, days), row("failed", None, None, "failed")]
    rows += [row("short", net[:5], days[:5]), row("holed", net[:19] / 2, days[:19])]
    wired.ports.ledger.record_trials(rows)
    found = beside(label, lambda r: r.study_id == "itself", days, net, wired.ports)
    assert found.counted == 5
    assert found.returns.shape == (19, 2)
    unknown = beside(label, nobody, days, net + 0.001, wired.ports)
    assert unknown.counted == 6


def test_the_quick_calibration_holds_and_repeats(wired: Wired) -> None:
    config = gates_calibrate.CalibrateConfig(quick=True)
    report = gates_calibrate.run(config, wired.ports)
    assert report.holds, "\n".join(report.lines())
    assert len(report.rows) == len([c for c in CASES if c.quick])
    assert "| best of 200 | false pass | at most 5% |" in "\n".join(report.lines())


def test_a_level_that_is_exceeded_is_told(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = replace(CASES[1], stated=1e-9, n=1, quick=40)
    monkeypatch.setattr(gates_calibrate, "CASES", (noise,))
    monkeypatch.setattr(gates_calibrate, "sample", lambda _ports: None)
    result = asked("calibrate", "--quick", "--workers", "1", "--json")
    told = json.loads(result.stdout)
    one = asked("calibrate", "--quick", "--workers", "1", "--json")
    assert json.loads(one.stdout)["rows"] == told["rows"]
    assert result.exit_code == (0 if told["rows"][0]["rate"] == 0 else 1)
    assert told["holds"] is (told["rows"][0]["rate"] == 0)


def test_the_page_tells_every_case_and_none_that_is_exceeded() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gates.md").read_text()
    for case in CASES:
        (line,) = [row for row in page.splitlines() if row.startswith(f"| {case.name} |")]
        assert case.stated is None or line.endswith("| holds |")
        assert f"| {case.n:,} |" in line


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_stated_levels_hold(wired: Wired) -> None:
    config = gates_calibrate.CalibrateConfig(workers=2, share=0.2)
    report = gates_calibrate.run(config, wired.ports)
    assert report.holds, "\n".join(report.lines())
    assert {row.name for row in report.rows} == {c.name for c in CASES if c.stated is not None}


def test_gates_that_pass_too_much_are_found_out(wired: Wired) -> None:
    lax = gates_calibrate.CalibrateConfig(policy=Policy(level=0.4, reps=100), share=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates_calibrate, "CASES", (CASES[1],))
        report = gates_calibrate.run(lax, wired.ports)
    (row,) = report.rows
    assert row.n == 200
    assert row.low > row.stated
    assert not report.holds
    assert "EXCEEDED" in "\n".join(report.lines())


def test_a_short_sample_is_refused() -> None:
    from bellwether.evaluation.gate_shifted import Real, moved

    short = Real(np.zeros((100, 2, 3)), np.zeros((100, 2)))
    with pytest.raises(InvalidRequest):
        moved(short, 3)
    with pytest.raises(InvalidRequest):
        moved(short, 100)
    with pytest.raises(InvalidRequest):
        gates_calibrate.CalibrateConfig(workers=0)
    for share in (0.0, 1.1, float("nan")):
        with pytest.raises(InvalidRequest):
            gates_calibrate.CalibrateConfig(share=share)
