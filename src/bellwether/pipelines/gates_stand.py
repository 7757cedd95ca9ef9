"""How a release stands: the gates are asked, and what they said is kept beside it.

A release is named by the hash of its content, and what the gates say depends on what else was tried,
on the machine and on the policy: so it is a row of the ledger, and the release stays as it is.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import uuid_utils

from bellwether.core.ports import Ports, StandingRow
from bellwether.evaluation.gate_policy import Policy
from bellwether.evaluation.gates import judge
from bellwether.inference.standing import ADMITTED, REFUSED, WAITING
from bellwether.pipelines import gates_release
from bellwether.pipelines.gates_report import GatesReport

UNDECLARED = Policy(skill="report")
"""What is asked where nobody declared a policy; it then tells, and refuses nothing."""


def ask(release_id: str, study: str, policy: Policy, ports: Ports) -> GatesReport:
    """Ask every gate about a release; `study` is the key of the run that made it.

    Raises
    ------
    TamperedArtifact
        If a file of the release is not what was saved.
    """
    files = ports.releases.load(release_id)
    found = gates_release.evidence(files, study, policy, ports)
    return GatesReport(release_id, "release", judge(found, policy))


def stand(release_id: str, study: str, policy: Policy | None, by: str, ports: Ports) -> StandingRow:
    """Ask the gates about a release, and lay out how it stands then; None is no declared policy."""
    return laid(ask(release_id, study, policy or UNDECLARED, ports), policy, by, ports)


def laid(report: GatesReport, policy: Policy | None, by: str, ports: Ports) -> StandingRow:
    """Lay out how a release stands after a decision."""
    decision = report.decision
    refused = policy is not None and not decision.allowed
    asked = {"declared": policy is not None, "policy": asdict(policy or UNDECLARED)}
    return StandingRow(
        str(uuid_utils.uuid7()),
        report.subject,
        ports.wall.now(),
        REFUSED if refused else ADMITTED,
        decision.skill_shown,
        by,
        _why(report, declared=policy is not None),
        json.dumps(asked | report.as_json(), default=str),
    )


def known(release_id: str, policy: Policy | None, ports: Ports) -> StandingRow | None:
    """Return the newest standing of a release, if this policy was asked then."""
    rows = ports.ledger.standings(release_id)
    if not rows:
        return None
    asked = json.loads(rows[-1].report)
    wanted = json.loads(json.dumps(asdict(policy or UNDECLARED)))
    same = (asked["declared"], asked["policy"]) == (policy is not None, wanted)
    return rows[-1] if same else None


def waiting(row: StandingRow, why: str) -> StandingRow:
    """Have an admitted release wait beside the one that answers; a refused one stays refused."""
    return row if row.state == REFUSED else replace(row, state=WAITING, why=why)


def admitted(row: StandingRow, by: str, why: str, ports: Ports) -> StandingRow:
    """Have a release that waits answer from now on."""
    return replace(
        row,
        standing_id=str(uuid_utils.uuid7()),
        created_at=ports.wall.now(),
        state=ADMITTED,
        by=by,
        why=why,
    )


def told(row: StandingRow) -> dict[str, Any]:
    """Return how a release stands as JSON can hold it."""
    return asdict(row) | {"report": json.loads(row.report)}


def lines(rows: Iterable[StandingRow]) -> list[str]:
    """Say how releases stand, with each gate that did not pass and what would make it pass."""
    said = []
    for row in rows:
        report = json.loads(row.report)
        said.append(f"Release {row.release_id} is {row.state}: {row.why}")
        said += [_line(v) for v in report["verdicts"] if v["state"] != "passed"]
        if not report["declared"]:
            said.append(
                "No policy is declared, so the gates tell and refuse nothing (docs/gates.md): "
                "--skill require, or a policy file, makes them refuse."
            )
    return said


def _line(verdict: dict[str, Any]) -> str:
    return (
        f"  {verdict['state']:<14} {verdict['gate']}: {verdict['words']} {verdict['passes_when']}"
    )


def _why(report: GatesReport, *, declared: bool) -> str:
    decision = report.decision
    shown = "skill is shown" if decision.skill_shown else "no skill is shown"
    mode = f"skill mode {decision.mode}" if declared else "no policy declared"
    if decision.allowed:
        return f"{shown} ({mode})."
    verb = "refused by" if declared else "it fails"
    return f"{verb} {', '.join(decision.refusing)}; {shown} ({mode})."
