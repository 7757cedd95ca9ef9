"""Train and judge models walk-forward, and pack releases of the one that is asked for."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl
import uuid_utils

from bellwether import __version__
from bellwether.core.errors import MissingRecord, UnknownName
from bellwether.core.ports import Ports, Progress, ReleaseRow, RunRow, StandingRow, quiet
from bellwether.evaluation.survivorship import of_members, spells_known
from bellwether.features.feature import FeatureView
from bellwether.features.generate import candidates
from bellwether.features.views import Kept
from bellwether.inference.standing import REFUSED
from bellwether.inference.texts import read_view
from bellwether.models.factory import BASELINES, MODELS, make
from bellwether.models.spaces import space_of
from bellwether.pipelines import (
    audit,
    coverage,
    gates_stand,
    generated,
    mirror,
    quality,
    records,
    trials,
)
from bellwether.pipelines.dataset import Dataset, build
from bellwether.pipelines.judging import folds_kept, judge
from bellwether.pipelines.pack import Made
from bellwether.pipelines.quality_report import QualityReport
from bellwether.pipelines.search import SearchConfig
from bellwether.pipelines.sections import newest_state
from bellwether.pipelines.train_config import TrainConfig, rule_of, walk_of
from bellwether.telemetry import (
    RELEASES_PACKED,
    TRAIN_FAILURES,
    TRAIN_RUNS,
    TRAIN_SECONDS,
)

SPARED = (
    *("window_sessions", "embargo_sessions", "select"),
    *("first", "step", "window", "learning_curve"),
)
"""What a question does not mention where it is not asked for."""
__all__ = ["TrainConfig", "TrainReport", "dataset_of", "question_of", "run"]


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a run found; `reused` where the same question on the same data was answered before."""

    run_id: str
    reused: bool
    outcome: dict[str, Any]
    notes: tuple[str, ...]
    standings: tuple[StandingRow, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether a gate of a declared policy refused a release."""
        return any(row.state == REFUSED for row in self.standings)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        stand = [gates_stand.told(row) for row in self.standings]
        return asdict(self) | {"standings": stand, "refused": self.refused}

    def lines(self) -> list[str]:
        """Say it in words."""
        head = (
            "The same question was answered before; its releases stand."
            if self.reused
            else (
                f"Trained and judged {len(self.outcome['table'])} models on "
                f"{self.outcome['rows']:,} decisions, {self.outcome['from']} to {self.outcome['to']}."
            )
        )
        told = self.outcome.get("quality", {})
        below = [f"Trained below the quality bar, as asked: {'; '.join(told['failing'])}"]
        warned = below if told.get("ignored") else []
        refused = [r["words"] for r in self.outcome.get("refused", ())]
        own = self.outcome["own"].values()
        left = [self.outcome[k] for k in ("survivorship",) if k in self.outcome]
        parts = ("generated", "selection", "importance")
        left += [self.outcome[k]["reading"] for k in parts if k in self.outcome]
        stand = gates_stand.lines(self.standings)
        return [head, self.outcome["reading"], *own, *warned, *refused, *left, *stand, *self.notes]


@TRAIN_FAILURES.count_exceptions()
@TRAIN_SECONDS.time()
def run(config: TrainConfig, ports: Ports, progress: Progress = quiet) -> TrainReport:
    """Answer the question of `config` on the lake's newest state.

    The same question on the same data is answered from the ledger.

    Raises
    ------
    UnknownName
        If a symbol, the model or the view does not exist.
    MissingRecord
        If the lake is empty.
    InsufficientHistory
        If even all symbols together are too short for one fold.
    LeakFound
        If the view has no green leak audit at this state of the lake.
    QualityTooLow
        If too many sessions are faulty, unless that is to be ignored.
    """
    question, watermark, symbols = question_of(config, ports)
    asked = quality.QualityConfig(symbols=symbols, bar=config.quality_bar, watermark=watermark)
    inspected = quality.demand(asked, ports, ignore=config.ignore_quality)
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    known = ports.ledger.run_by_key(key)
    if known is not None:
        TRAIN_RUNS.labels("reused").inc()
        notes = mirror.run(ports, progress).notes()
        outcome = json.loads(known.outcome)
        return TrainReport(known.run_id, True, outcome, notes, _again(outcome, key, config, ports))
    reads = Kept(read_view(config.view, ports), config.universe)
    audited = audit.demand(symbols, config.horizon_sessions, ports, progress, reads)
    started, data = ports.wall.now(), dataset_of(config, symbols, watermark, ports)
    with _counted(config, question, ports):
        bars = _fit_for_use(inspected, config)
        outcome, made, judged = judge(config, data, question, ports, progress, bars)
        outcome |= _generated(config, data, question, ports, progress)
    years = range(int(outcome["from"][:4]), int(outcome["to"][:4]) + 1)
    outcome["survivorship"] = coverage.note(config.universe, symbols, years, ports)
    outcome["audit"] = {"audit_id": audited.audit_id, "verdict": audited.verdict}
    stand = tuple(_stand(m.release_id, key, config, ports) for m in made)
    outcome["skill_shown"] = all(row.skill_shown for row in stand)
    run_id = str(uuid_utils.uuid7())
    records.keep(run_id, judged, ports.work)
    row = RunRow(
        *(run_id, key, started, ports.wall.now(), watermark),
        json.dumps(question),
        json.dumps(outcome),
    )
    releases = [_release(m, run_id, config, row.finished_at) for m in made]
    ports.ledger.record_run(row, releases, stand)
    ports.work.drop(folds_kept(question))
    TRAIN_RUNS.labels("trained").inc()
    RELEASES_PACKED.labels(config.model).inc(len(made))
    return TrainReport(run_id, False, outcome, mirror.run(ports, progress).notes(), stand)


def dataset_of(
    config: TrainConfig, symbols: tuple[str, ...], watermark: datetime, ports: Ports
) -> Dataset:
    """Assemble what a run trains on and judges; raises as `dataset.build` does."""
    view, members = read_view(config.view, ports), _members(config, ports)
    return build(symbols, view, config.horizon_sessions, watermark, ports, members, config.universe)


@contextmanager
def _counted(config: TrainConfig, question: dict[str, Any], ports: Ports) -> Iterator[None]:
    """Count the models as failed trials where the work ends before its end."""
    ended = False
    try:
        yield
        ended = True
    finally:
        if not ended:
            trials.record_broken(question, (config.model, *config.against), ports)


def _generated(
    config: TrainConfig,
    data: Dataset,
    question: dict[str, Any],
    ports: Ports,
    progress: Progress,
) -> dict[str, Any]:
    """Return the study of generated features, where that was asked for."""
    if not config.generate:
        return {}
    asked = generated.Asked(config.generate, config.model, rule_of(config))
    study = generated.study(data, asked, walk_of(config), question, ports, progress)
    return {"generated": study}


def _stand(release_id: str, key: str, config: TrainConfig, ports: Ports) -> StandingRow:
    row = gates_stand.stand(release_id, key, config.asked, config.by, ports)
    return (
        gates_stand.waiting(row, "it was made beside the one that answers.")
        if config.waits
        else row
    )


def _again(
    outcome: dict[str, Any], key: str, config: TrainConfig, ports: Ports
) -> tuple[StandingRow, ...]:
    """Return how the releases of an earlier run stand; under another policy gates are asked anew."""
    found = []
    for release_id in outcome["releases"].values():
        row = gates_stand.known(release_id, config.asked, ports)
        if row is None:
            row = _stand(release_id, key, config, ports)
            ports.ledger.record_standings([row])
        found.append(row)
    return tuple(found)


def question_of(
    config: TrainConfig, ports: Ports
) -> tuple[dict[str, Any], datetime, tuple[str, ...]]:
    """Return what is asked, as JSON can hold it, the state of the lake and the symbols.

    Raises
    ------
    UnknownName, MissingRecord
        As `run` says.
    """
    for model in (config.model, *config.against):
        if model not in (*MODELS, *BASELINES):
            raise UnknownName("model", model, (*MODELS, *BASELINES))
    chosen = _view(config, ports)
    states = newest_state([Kept(chosen, config.universe)], ports)
    if states is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    (watermark,) = states
    known = ports.lake.symbols()
    for symbol in config.symbols or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    listed = _listed(config, ports, known)
    symbols = tuple(sorted(config.symbols or listed))
    left_out = {"workers", "symbols", "quality_bar", "policy", "by", "waits"}
    optional = ("ignore_quality", "winsorise", "universe", "generate", "search", *SPARED)
    left_out |= {name for name in optional if not getattr(config, name)}
    left_out |= set() if config.search else {"trials"}
    question = {k: v for k, v in asdict(config).items() if k not in left_out}
    question |= {
        "symbols": list(symbols),
        "watermark": watermark.isoformat(),
        "last_session": str(ports.calendar.last_closed(ports.clock.now())),
        "view": chosen.version,
        "code": __version__,
    }
    if config.first is not None:
        question["first"] = str(config.first)
    if config.universe is not None:
        told = ports.lake.universe(config.universe)["ingested_at"].max()
        question["universe_watermark"] = str(told)
    return question, watermark, symbols


def _view(config: TrainConfig, ports: Ports) -> FeatureView:
    """Return the view that is read; refuse one that a model cannot read, or bad candidates."""
    chosen = read_view(config.view, ports)
    for model in (config.model, *(m for m in config.against if m not in BASELINES)):
        make(model, chosen.model_columns, seed=config.seed)
    if config.search is not None:
        SearchConfig(config.search, config.trials)  # refuses what cannot be searched
        space_of(config.model)
    rule_of(config)
    if config.generate is not None:
        candidates(chosen.features, config.generate)
    return chosen


def _members(config: TrainConfig, ports: Ports) -> partial[pl.DataFrame] | None:
    """Return what keeps members of the universe only, or None without one."""
    name = config.universe
    if name is None:
        return None
    return partial(of_members, universe=ports.lake.universe(name), name=name)


def _listed(config: TrainConfig, ports: Ports, known: list[str]) -> list[str]:
    """Return the symbols with bars that ever were in the universe, or all."""
    if config.universe is None:
        return known
    told = ports.lake.universe()
    spells = spells_known(told, config.universe, ports.clock.now())
    listed = sorted(set(known) & set(spells["symbol"]))
    if not listed:
        raise MissingRecord("bar", f"any member of {config.universe}", "bellwether ingest files")
    return listed


def _fit_for_use(report: QualityReport, config: TrainConfig) -> dict[str, Any]:
    """Return what a release says of the bars it was made from."""
    return {
        "verdict": report.gate.verdict,
        "ignored": config.ignore_quality and not report.gate.passed,
        "bar": report.gate.bar,
        "share": report.share,
        "failing": report.gate.lines(),
        "severities": report.severities,
        "winsorised_targets": config.winsorise,
    }


def _release(made: Made, run_id: str, config: TrainConfig, at: datetime) -> ReleaseRow:
    return ReleaseRow(
        made.release_id,
        run_id,
        at,
        config.model,
        made.scope,
        config.horizon_sessions,
        made.symbols,
    )
