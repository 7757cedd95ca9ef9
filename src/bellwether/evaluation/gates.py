"""The gates together: from the evidence of a release or a backtest to one decision."""

from dataclasses import dataclass

from bellwether.evaluation.gate_conduct import Record, too_good
from bellwether.evaluation.gate_earned import Earned
from bellwether.evaluation.gate_fairness import Said, Served, bias, calibration
from bellwether.evaluation.gate_policy import SKILL, Decision, Policy, Verdict, decide
from bellwether.evaluation.gate_skill import skill_verdicts

NO_RECORD = "There is no out-of-sample record to judge."
WITH_RECORD = "It is assessable once a walk-forward was kept with it."
FAIR = "It passes when it is traded at the next open and pays all costs."


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that the gates look at.

    Attributes
    ----------
    conduct : tuple of Verdict
        Of audit, data, golden rows and budget, which are read and not computed.
    earned, record, said, served
        What was earned, how it looks, what was said, and of whom; None where it is not kept.
    told : tuple of Verdict
        Verdicts that stand for a gate whose evidence has another form.
    unfair : str
        Why what was earned says nothing of skill, such as costs that were switched off.
    """

    conduct: tuple[Verdict, ...]
    earned: Earned | None
    record: Record | None
    said: Said | None
    served: Served | None
    told: tuple[Verdict, ...] = ()
    unfair: str = ""


def judge(evidence: Evidence, policy: Policy) -> Decision:
    """Ask every gate that the policy does not switch off, and draw the conclusion.

    Raises
    ------
    InvalidRequest
        If the evidence holds NaN or infinity, or does not fit together.
    """
    found = [*evidence.conduct, *evidence.told]
    there = {v.gate for v in found}
    record, said, served = evidence.record, evidence.said, evidence.served
    for gate, verdict in (
        ("too_good", None if record is None else too_good(record, policy)),
        ("calibration", None if said is None else calibration(said, policy)),
        ("bias", None if served is None else bias(served, policy)),
    ):
        if gate not in there:
            found.append(verdict or _missing(gate))
    if evidence.unfair:
        found += [Verdict(g, "failed", evidence.unfair, FAIR) for g in SKILL]
    elif evidence.earned is None:
        found += [_missing(g) for g in SKILL]
    else:
        found += skill_verdicts(evidence.earned, policy)
    return decide(tuple(v for v in found if v.gate not in policy.off), policy)


def lines(decision: Decision) -> list[str]:
    """Say a decision in words, one line a gate and what would have to be true to pass."""
    marks = {"passed": "pass", "failed": "FAIL", "not assessable": "  - "}
    told = []
    for v in decision.verdicts:
        told.append(f"{marks[v.state]}  {v.gate:<16} {v.words}")
        if v.passes_when:
            told.append(f"      {'':<16} {v.passes_when}")
    if decision.off:
        told.append(f"Not asked, by the policy: {', '.join(decision.off)}.")
    told.append("Skill is shown." if decision.skill_shown else "No skill is shown.")
    told.append(
        "Allowed."
        if decision.allowed
        else f"Refused by {', '.join(decision.refusing)} (skill mode: {decision.mode})."
    )
    return told


def _missing(gate: str) -> Verdict:
    return Verdict(gate, "not assessable", NO_RECORD, WITH_RECORD, n_dates=0)
