"""Ask the gates about a release or a backtest: collect the evidence, judge it, say why."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName, UnreadableFile
from bellwether.core.ports import BacktestRow, Ports, ReleaseRow, StandingRow
from bellwether.evaluation.gate_policy import Mode, Policy, policy_of
from bellwether.evaluation.gates import judge
from bellwether.pipelines import backtest, gates_backtest
from bellwether.pipelines.gates_report import GatesReport
from bellwether.pipelines.gates_stand import ask, laid

SHORTEST = 6
MOST = 1_000_000


def check(subject: str, policy: Policy, ports: Ports) -> GatesReport:
    """Judge a release or a backtest, named by its id or the beginning of it.

    Raises
    ------
    UnknownName
        If there is no such release or backtest, or several begin like that.
    MissingRecord
        If the report of the backtest is not kept any more.
    TamperedArtifact
        If a file of the release is not what was saved.
    """
    found = _named(subject, ports)
    if isinstance(found, BacktestRow):
        report = backtest.read(found.backtest_id, ports)
        if report is None:
            raise MissingRecord(
                "report", f"the backtest {found.backtest_id}", "bellwether backtest"
            )
        told = gates_backtest.evidence(found, report, policy, ports)
        return GatesReport(found.backtest_id, "backtest", judge(told, policy))
    return ask(found.release_id, study_of(found.run_id, ports), policy, ports)


def keep(report: GatesReport, policy: Policy, by: str, ports: Ports) -> StandingRow:
    """Keep what the gates said of a release as how it stands from now on.

    Raises
    ------
    InvalidRequest
        If it is a backtest, which answers for nothing.
    """
    if report.kind != "release":
        raise InvalidRequest("--keep", "a backtest answers for nothing; name a release")
    row = laid(report, policy, by, ports)
    ports.ledger.record_standings([row])
    return row


def study_of(run_id: str, ports: Ports) -> str:
    """Return the study that the trials of a training run are part of."""
    return next((run.key for run in ports.ledger.runs() if run.run_id == run_id), run_id)


def read_policy(path: Path | None, skill: Mode | None = None) -> Policy:
    """Return the policy of a TOML file, or the default; `skill` says the mode over it.

    Raises
    ------
    UnreadableFile
        If there is no such file or it is no TOML.
    InvalidRequest, UnknownName
        If a setting is unknown or out of range.
    """
    told: dict[str, Any] = {}
    if path is not None:
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UnreadableFile(str(path), str(error)) from error
    policy = policy_of(told)
    return policy if skill is None else replace(policy, skill=skill)


def declared(path: Path | None, skill: Mode | None = None) -> Policy | None:
    """Return the policy that somebody declared, by a file or a mode; None where nobody did."""
    return None if path is None and skill is None else read_policy(path, skill)


def _named(subject: str, ports: Ports) -> ReleaseRow | BacktestRow:
    releases = {r.release_id: r for r in ports.ledger.releases()}
    tests = {b.backtest_id: b for b in ports.ledger.backtests(limit=MOST)}
    known: dict[str, ReleaseRow | BacktestRow] = {**releases, **tests}
    if subject in known:
        return known[subject]
    like = [name for name in known if len(subject) >= SHORTEST and name.startswith(subject)]
    if len(like) == 1:
        return known[like[0]]
    if like:
        raise UnknownName("release or backtest", subject, like, "Several begin like that.")
    raise UnknownName("release or backtest", subject, list(known), "Train or backtest makes one.")
