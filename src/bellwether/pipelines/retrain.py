"""Train again what answers now, where there is a reason to and nothing forbids it.

To do nothing is an answer. The same configuration on newer data is no new trial, so that training
again does not raise what a Sharpe ratio is deflated by.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

import uuid_utils

from bellwether.core.errors import Cancelled, InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import (
    Ports,
    Progress,
    ReleaseRow,
    RetrainingRow,
    RunRow,
    StandingRow,
    quiet,
)
from bellwether.evaluation.gate_policy import Policy
from bellwether.inference.standing import ADMITTED, REFUSED, UNASKED, WAITING, standings
from bellwether.pipelines import gates_stand, train
from bellwether.pipelines.retrain_duel import Duel, duel
from bellwether.pipelines.retrain_evidence import Evidence, evidence, held_up
from bellwether.pipelines.trials import PANEL
from bellwether.quality.treatments import QUALITY_BAR

SHORTEST = 6

Action = Literal["trained", "nothing", "blocked", "stopped"]


@dataclass(frozen=True, slots=True)
class RetrainConfig:
    """What is asked.

    `release` names what is trained again; None is the newest that answers at a horizon (None is any).
    `sessions` that came since are a reason. After a training or an attempt there is none for
    `cool_down`, and none goes on beyond `budget`. `anyway` needs no reason and no cool-down. `policy`
    is what the gates ask of the new release; None where nobody declared one.
    """

    release: str | None = None
    horizon_sessions: int | None = None
    sessions: int = 21
    cool_down: timedelta = timedelta(days=7)
    budget: timedelta = timedelta(minutes=60)
    anyway: bool = False
    policy: Policy | None = None
    by: str = "local"
    workers: int = 1
    quality_bar: float = QUALITY_BAR

    def __post_init__(self) -> None:
        if self.sessions < 1:
            raise InvalidRequest("sessions", f"is {self.sessions}, must be at least 1")
        if self.cool_down < timedelta():
            raise InvalidRequest("cool-down", "is negative")
        if self.budget <= timedelta():
            raise InvalidRequest("budget", "is nothing; it must be above 0")


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """What was decided and why; `again` where the same was decided before on the same grounds."""

    row: RetrainingRow
    again: bool
    standings: tuple[StandingRow, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether a gate refused the new release."""
        return any(s.state == REFUSED for s in self.standings)

    def lines(self) -> list[str]:
        """Say it in words."""
        told = json.loads(self.row.report)
        before = "Decided before: " if self.again else ""
        return [f"{before}{self.row.action}. {told['words']}", *told["reasons"], *told["notes"]]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        told = asdict(self.row) | {"report": json.loads(self.row.report)}
        return told | {"again": self.again, "refused": self.refused}


def run(config: RetrainConfig, ports: Ports, progress: Progress = quiet) -> RetrainReport:
    """Decide, train where that is the decision, and keep what was decided and why.

    The new release waits beside the old one, until the gates have been asked and the two have been
    compared; it answers from then on, unless it is refused or worse beyond chance. Asked again on the
    same grounds, the same decision is told, and nothing is trained twice.

    Raises
    ------
    MissingRecord
        If no release answers.
    UnknownName, InvalidRequest
        If the named release does not exist, or does not answer.
    QualityTooLow, LeakFound, InsufficientHistory
        As training does; the old release answers on.
    """
    started = ports.wall.now()
    release, made = _champion(config, ports)
    asked = _config(made, config)
    question, watermark, _ = train.question_of(asked, ports)
    case = _Case(config, release.release_id, asked, question, _scope(asked), watermark, started)
    if _hash(question) == made.key:
        return case.keep("nothing", "It was trained on what is known now.", (), ports)
    known = case.known(case.key("trained"), ports)
    if known is not None:
        return _settled(known, case, ports)
    found = evidence(release, made, question, config.policy, ports)
    reasons = found.reasons(config.sessions)
    if config.anyway:
        reasons = (*reasons, "It was asked for anyway.")
    if not reasons:
        return case.keep("nothing", found.quiet(config.sessions), (), ports, found)
    cool_down = timedelta() if config.anyway else config.cool_down
    last = max([made.finished_at, *case.attempts(ports)])
    why = held_up(found, last, started, cool_down, config.budget)
    if why:
        return case.keep("blocked", why, reasons, ports, found)
    return _trained(case, found, reasons, date.fromisoformat(_last(made)), ports, progress)


@dataclass(frozen=True, slots=True)
class _Case:
    """One question of training again, and how its decision is kept."""

    config: RetrainConfig
    champion: str
    asked: train.TrainConfig
    question: dict[str, Any]
    scope: str
    watermark: datetime
    started: datetime

    def key(self, action: str, words: str = "") -> str:
        """Name a decision by all that it is made from."""
        policy = None if self.config.policy is None else asdict(self.config.policy)
        return _hash([self.champion, self.question, policy, action, words])

    def known(self, key: str, ports: Ports) -> RetrainingRow | None:
        """Return the newest decision of that name."""
        rows = [row for row in ports.ledger.retrainings(self.scope) if row.key == key]
        return rows[-1] if rows else None

    def attempts(self, ports: Ports) -> list[datetime]:
        """Return when a training of this scope ended or was stopped."""
        rows = ports.ledger.retrainings(self.scope)
        return [row.finished_at for row in rows if row.action in {"trained", "stopped"}]

    def keep(
        self,
        action: Action,
        words: str,
        reasons: tuple[str, ...],
        ports: Ports,
        found: Evidence | None = None,
        **more: Any,
    ) -> RetrainReport:
        """Keep a decision; that to do nothing is kept once while its grounds are the same."""
        key = self.key(action, "" if action == "trained" else words)
        known = self.known(key, ports)
        if known is not None and action in {"nothing", "blocked"}:
            return RetrainReport(known, again=True)
        told = {"words": words, "reasons": reasons, "notes": (), "admit": False, **more}
        told |= {"evidence": None if found is None else asdict(found)}
        row = RetrainingRow(
            str(uuid_utils.uuid7()),
            key,
            self.scope,
            self.started,
            ports.wall.now(),
            self.config.by,
            action,
            self.champion,
            more.get("release"),
            json.dumps(told, default=str),
        )
        ports.ledger.record_retraining(row)
        return RetrainReport(row, again=False)


def _trained(
    case: _Case,
    found: Evidence,
    reasons: tuple[str, ...],
    after: date,
    ports: Ports,
    progress: Progress,
) -> RetrainReport:
    """Train within the budget, ask the gates, compare, and have the new one answer or not."""
    try:
        done = train.run(case.asked, ports, _within(case, ports, progress))
    except Cancelled:
        minutes = case.config.budget.total_seconds() / 60
        words = f"The budget of {minutes:g} minutes is spent; the old release answers on."
        return case.keep("stopped", words, reasons, ports, found)
    new = str(done.outcome["releases"][PANEL])
    stand = next(s for s in done.standings if s.release_id == new)
    told = duel(case.champion, new, after, case.asked, case.watermark, ports)
    words, admit = _verdict(new, stand, told)
    notes = (told.words, *gates_stand.lines([stand]))
    more = {"release": new, "notes": notes, "admit": admit, "duel": told.as_json()}
    return _settled(case.keep("trained", words, reasons, ports, found, **more).row, case, ports)


def _verdict(new: str, stand: StandingRow, told: Duel) -> tuple[str, bool]:
    if stand.state == REFUSED:
        return f"Release {new} is {stand.why} The old one answers on.", False
    if told.worse:
        return f"Release {new} is worse than the old one, which answers on.", False
    return f"Release {new} answers from now on.", True


def _settled(row: RetrainingRow, case: _Case, ports: Ports) -> RetrainReport:
    """Have the new release answer, where that was decided and not done yet."""
    rows = ports.ledger.standings(row.release_id)
    if json.loads(row.report)["admit"] and rows[-1].state == WAITING:
        why = f"it follows {case.champion} after training again."
        rows.append(gates_stand.admitted(rows[-1], case.config.by, why, ports))
        ports.ledger.record_standings(rows[-1:])
    return RetrainReport(row, row.started_at != case.started, tuple(rows[-1:]))


def _within(case: _Case, ports: Ports, progress: Progress) -> Progress:
    """Show progress, and end the work where the budget is spent."""
    until = case.started + case.config.budget

    def show(what: str, done: int, total: int) -> None:
        if ports.wall.now() > until:
            raise Cancelled("training again")
        progress(what, done, total)

    return show


def _champion(config: RetrainConfig, ports: Ports) -> tuple[ReleaseRow, RunRow]:
    """Return the release that is trained again, and the run that made it."""
    stand = standings(ports.ledger)
    rows = [r for r in ports.ledger.releases() if r.scope == PANEL]
    if config.release is not None:
        rows = [r for r in rows if r.release_id.startswith(config.release)]
        if not rows or len(config.release) < SHORTEST:
            raise UnknownName("release", config.release, (), "`bellwether releases` lists them.")
    horizon = config.horizon_sessions
    fitting = [r for r in rows if horizon is None or r.horizon_sessions == horizon]
    answering = [r for r in fitting if stand.get(r.release_id, UNASKED).state == ADMITTED]
    if not answering and config.release is not None:
        raise InvalidRequest("release", f"{config.release} does not answer, or at another horizon")
    if not answering:
        raise MissingRecord("release", "any symbol", "bellwether train")
    runs = {run.run_id: run for run in ports.ledger.runs()}
    return answering[0], runs[answering[0].run_id]


def _config(made: RunRow, config: RetrainConfig) -> train.TrainConfig:
    """Return what the run was asked, to be asked of the data that are there now."""
    question = json.loads(made.config)
    names = {f.name for f in fields(train.TrainConfig)}
    told: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in question.items() if k in names
    }
    told["view"] = question["view"].partition("@")[0]
    if question.get("universe") is not None:
        told["symbols"] = None  # who belonged to it may have changed
    asked = train.TrainConfig(**told)
    return replace(
        asked,
        workers=config.workers,
        quality_bar=config.quality_bar,
        policy=config.policy,
        by=config.by,
        waits=True,
    )


def _scope(asked: train.TrainConfig) -> str:
    plain = replace(asked, policy=None, by="", workers=1, quality_bar=QUALITY_BAR)
    return _hash(asdict(plain))


def _last(made: RunRow) -> str:
    return str(json.loads(made.config)["last_session"])


def _hash(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
