"""Train and judge models walk-forward, and pack releases of the one that is asked for."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl
import uuid_utils

from bellwether import __version__
from bellwether.core.errors import InsufficientHistory, MissingRecord, UnknownName
from bellwether.core.ports import Ports, Progress, ReleaseRow, RunRow, quiet
from bellwether.evaluation.record import figures, reading, skill
from bellwether.evaluation.survivorship import of_members, spells_known
from bellwether.features.catalog import technical
from bellwether.features.generate import candidates
from bellwether.models.factory import BASELINES, MODELS
from bellwether.pipelines import audit, coverage, generated, mirror, quality, trials
from bellwether.pipelines.dataset import Dataset, build
from bellwether.pipelines.pack import Made, pack
from bellwether.pipelines.quality_report import QualityReport
from bellwether.pipelines.walk import Walk, walk
from bellwether.quality.treatments import QUALITY_BAR
from bellwether.telemetry import (
    RELEASES_PACKED,
    TRAIN_FAILURES,
    TRAIN_RUNS,
    TRAIN_SECONDS,
)

PANEL = "panel"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What is asked of a training run; sizes in sessions.

    `each` adds a model of its own for every symbol beside the panel's. Releases are packed of
    `model`; the models `against` and all baselines are judged on the same rows. With `universe` a
    name counts only in the sessions in which it was known to be a member.

    `quality_bar` is the share of sessions without fault that each symbol and all together need;
    `ignore_quality` trains below it too. `winsorise` draws training targets in to so many robust
    deviations; what is judged is never drawn in. None leaves them as they are. `generate` tries so
    many features made by a grammar, chosen inside folds, beside the model without them.
    """

    symbols: tuple[str, ...] | None = None
    model: str = "lightgbm"
    against: tuple[str, ...] = ("linear",)
    horizon_sessions: int = 1
    seed: int = 0
    each: bool = True
    min_train_sessions: int = 504
    test_sessions: int = 252
    workers: int = 1
    universe: str | None = None
    quality_bar: float = QUALITY_BAR
    ignore_quality: bool = False
    winsorise: float | None = None
    generate: int | None = None


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a run found; `reused` where the same question on the same data was answered before."""

    run_id: str
    reused: bool
    outcome: dict[str, Any]
    notes: tuple[str, ...]

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
        left += [self.outcome[k]["reading"] for k in ("generated",) if k in self.outcome]
        return [head, self.outcome["reading"], *own, *warned, *refused, *left, *self.notes]


@TRAIN_FAILURES.count_exceptions()
@TRAIN_SECONDS.time()
def run(config: TrainConfig, ports: Ports, progress: Progress = quiet) -> TrainReport:
    """Answer the question of `config` on the lake's newest state.

    The same question on the same data is answered from the ledger.

    Raises
    ------
    UnknownName
        If a symbol or the model does not exist.
    MissingRecord
        If the lake is empty.
    InsufficientHistory
        If even all symbols together are too short for one fold.
    LeakFound
        If the view has no green leak audit at this state of the lake.
    QualityTooLow
        If too many sessions are faulty, unless that is to be ignored.
    """
    question, watermark, symbols = _question(config, ports)
    asked = quality.QualityConfig(symbols=symbols, bar=config.quality_bar, watermark=watermark)
    inspected = quality.demand(asked, ports, ignore=config.ignore_quality)
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    known = ports.ledger.run_by_key(key)
    if known is not None:
        TRAIN_RUNS.labels("reused").inc()
        notes = mirror.run(ports, progress).notes()
        return TrainReport(known.run_id, True, json.loads(known.outcome), notes)
    audited = audit.demand(symbols, config.horizon_sessions, ports, progress)
    started = ports.wall.now()
    name, members = config.universe, None
    if name is not None:
        members = partial(of_members, universe=ports.lake.universe(name), name=name)
    data = build(symbols, technical(), config.horizon_sessions, watermark, ports, members)
    outcome, made = _judge(config, data, question, ports, progress, _fit_for_use(inspected, config))
    if config.generate:
        how = walk_of(config)
        outcome["generated"] = generated.study(
            data, config.generate, config.model, how, watermark, ports, progress
        )
    years = range(int(outcome["from"][:4]), int(outcome["to"][:4]) + 1)
    outcome["survivorship"] = coverage.note(config.universe, symbols, years, ports)
    outcome["audit"] = {"audit_id": audited.audit_id, "verdict": audited.verdict}
    finished = ports.wall.now()
    run_id = str(uuid_utils.uuid7())
    row = RunRow(
        run_id, key, started, finished, watermark, json.dumps(question), json.dumps(outcome)
    )
    ports.ledger.record_run(row, [_release(m, run_id, config, finished) for m in made])
    TRAIN_RUNS.labels("trained").inc()
    RELEASES_PACKED.labels(config.model).inc(len(made))
    return TrainReport(run_id, False, outcome, mirror.run(ports, progress).notes())


def _question(
    config: TrainConfig, ports: Ports
) -> tuple[dict[str, Any], datetime, tuple[str, ...]]:
    watermark = ports.lake.watermark()
    if watermark is None:
        raise MissingRecord("bar", "any symbol", "bellwether ingest sample")
    for model in (config.model, *config.against):
        if model not in (*MODELS, *BASELINES):
            raise UnknownName("model", model, (*MODELS, *BASELINES))
    if config.generate is not None:
        candidates(technical().features, config.generate)  # refuses a number out of range
    known = ports.lake.symbols()
    for symbol in config.symbols or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    listed = _listed(config, ports, known)
    symbols = tuple(sorted(config.symbols or listed))
    left_out = {"workers", "symbols", "quality_bar"}
    optional = ("ignore_quality", "winsorise", "universe", "generate")
    left_out |= {name for name in optional if not getattr(config, name)}
    question = {k: v for k, v in asdict(config).items() if k not in left_out}
    question |= {
        "symbols": list(symbols),
        "watermark": watermark.isoformat(),
        "last_session": str(ports.calendar.last_closed(ports.clock.now())),
        "view": technical().version,
        "code": __version__,
    }
    if config.universe is not None:
        told = ports.lake.universe(config.universe)["ingested_at"].max()
        question["universe_watermark"] = str(told)
    return question, watermark, symbols


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


def walk_of(config: TrainConfig) -> Walk:
    """Return how the walk-forward of a run is cut."""
    return Walk(
        config.horizon_sessions,
        config.min_train_sessions,
        config.test_sessions,
        config.seed,
        config.workers,
        config.winsorise,
    )


def _judge(
    config: TrainConfig,
    data: Dataset,
    question: dict[str, Any],
    ports: Ports,
    progress: Progress,
    bars: dict[str, Any],
) -> tuple[dict[str, Any], list[Made]]:
    models = tuple(dict.fromkeys((config.model, *config.against, *BASELINES)))
    how = walk_of(config)
    record = walk(data, models, how, progress, "Walking forward, all symbols")
    table = {m: figures(record, m, config.horizon_sessions) for m in models}
    overall = skill(record, config.model, BASELINES, config.horizon_sessions)
    made = [pack(config.model, PANEL, data, record, question | {"quality": bars}, ports)]
    own, own_tables, books = _each(config, data, models, how, progress)
    outcome = {
        "rows": record.height,
        "from": str(record["session"].min()),
        "to": str(record["session"].max()),
        "model": config.model,
        "horizon_sessions": config.horizon_sessions,
        "table": table,
        "by_symbol": _by_symbol(record, models, config.horizon_sessions),
        "own_models": own_tables,
        "own": own,
        "skill_shown": overall.shown,
        "reading": reading(table, config.model, overall),
        "quality": bars,
        "releases": {m.scope: m.release_id for m in made},
        "refused": [asdict(r) | {"words": r.words()} for r in data.refused],
    }
    judged, books[PANEL] = {PANEL: table, **own_tables}, trials.book(record, models)
    failed = sorted(own.keys() - own_tables.keys())
    trials.record_training(question, models, judged, books, failed, ports)
    return outcome, made


def _each(
    config: TrainConfig, data: Dataset, models: Sequence[str], how: Walk, progress: Progress
) -> tuple[dict[str, str], dict[str, Any], dict[str, pl.DataFrame]]:
    """Judge a model of its own for every symbol that is long enough for a fold."""
    words: dict[str, str] = {}
    tables: dict[str, Any] = {}
    books: dict[str, pl.DataFrame] = {}
    horizon = config.horizon_sessions
    for symbol in sorted(data.series) if config.each else []:
        try:
            alone = walk(data.of(symbol), models, how, progress, f"Walking forward, {symbol} alone")
        except InsufficientHistory as error:
            words[symbol] = f"{symbol} alone is too short for a fold: {error}"
            continue
        tables[symbol] = {m: figures(alone, m, horizon) for m in models}
        books[symbol] = trials.book(alone, models)
        shown = skill(alone, config.model, BASELINES, horizon)
        words[symbol] = f"{symbol} alone: {reading(tables[symbol], config.model, shown)}"
    return words, tables, books


def _by_symbol(record: pl.DataFrame, models: Sequence[str], horizon: int) -> dict[str, Any]:
    symbols = record["symbol"].unique().sort().to_list()
    return {
        s: {m: figures(record.filter(pl.col("symbol") == s), m, horizon) for m in models}
        for s in symbols
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
