"""Train and judge models walk-forward, and pack releases of the one that is asked for."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl
import uuid_utils

from bellwether import __version__
from bellwether.core.errors import InsufficientHistory, MissingRecord, UnknownName
from bellwether.core.ports import Ports, Progress, ReleaseRow, RunRow, quiet
from bellwether.evaluation.record import figures, reading, skill
from bellwether.features.catalog import technical
from bellwether.models.factory import BASELINES, MODELS
from bellwether.pipelines import mirror
from bellwether.pipelines.dataset import Dataset, build
from bellwether.pipelines.pack import Made, pack
from bellwether.pipelines.walk import Walk, walk
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
    `model`; the models `against` and all baselines are judged on the same rows.
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
        refused = [r["words"] for r in self.outcome.get("refused", ())]
        own = self.outcome["own"].values()
        return [head, self.outcome["reading"], *own, *refused, *self.notes]


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
    """
    question, watermark, symbols = _question(config, ports)
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    known = ports.ledger.run_by_key(key)
    if known is not None:
        TRAIN_RUNS.labels("reused").inc()
        notes = mirror.run(ports, progress).notes()
        return TrainReport(known.run_id, True, json.loads(known.outcome), notes)
    started = ports.wall.now()
    data = build(symbols, technical(), config.horizon_sessions, watermark, ports)
    outcome, made = _judge(config, data, question, ports, progress)
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
    known = ports.lake.symbols()
    for symbol in config.symbols or ():
        if symbol not in known:
            raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
    symbols = tuple(sorted(config.symbols or known))
    question = {k: v for k, v in asdict(config).items() if k not in ("workers", "symbols")}
    question |= {
        "symbols": list(symbols),
        "watermark": watermark.isoformat(),
        "last_session": str(ports.calendar.last_closed(ports.clock.now())),
        "view": technical().version,
        "code": __version__,
    }
    return question, watermark, symbols


def _judge(
    config: TrainConfig,
    data: Dataset,
    question: dict[str, Any],
    ports: Ports,
    progress: Progress,
) -> tuple[dict[str, Any], list[Made]]:
    models = tuple(dict.fromkeys((config.model, *config.against, *BASELINES)))
    how = Walk(
        config.horizon_sessions,
        config.min_train_sessions,
        config.test_sessions,
        config.seed,
        config.workers,
    )
    record = walk(data, models, how, progress, "Walking forward, all symbols")
    table = {m: figures(record, m, config.horizon_sessions) for m in models}
    overall = skill(record, config.model, BASELINES, config.horizon_sessions)
    made = [pack(config.model, PANEL, data, record, question, ports)]
    own, own_tables = _each(config, data, models, how, progress)
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
        "releases": {m.scope: m.release_id for m in made},
        "refused": [asdict(r) | {"words": r.words()} for r in data.refused],
    }
    return outcome, made


def _each(
    config: TrainConfig, data: Dataset, models: Sequence[str], how: Walk, progress: Progress
) -> tuple[dict[str, str], dict[str, Any]]:
    """Judge a model of its own for every symbol that is long enough for a fold."""
    words: dict[str, str] = {}
    tables: dict[str, Any] = {}
    horizon = config.horizon_sessions
    for symbol in sorted(data.series) if config.each else []:
        try:
            alone = walk(data.of(symbol), models, how, progress, f"Walking forward, {symbol} alone")
        except InsufficientHistory as error:
            words[symbol] = f"{symbol} alone is too short for a fold: {error}"
            continue
        tables[symbol] = {m: figures(alone, m, horizon) for m in models}
        shown = skill(alone, config.model, BASELINES, horizon)
        words[symbol] = f"{symbol} alone: {reading(tables[symbol], config.model, shown)}"
    return words, tables


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
