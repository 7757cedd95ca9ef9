"""Judging models walk-forward, on the panel and symbol by symbol, and packing the one asked for."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from bellwether.core.errors import InsufficientHistory
from bellwether.core.ports import Ports, Progress
from bellwether.evaluation.record import figures, reading, skill
from bellwether.models.factory import BASELINES
from bellwether.pipelines import records, trials
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import Kept
from bellwether.pipelines.learning import learning_curve
from bellwether.pipelines.pack import Made, pack
from bellwether.pipelines.records import Judged
from bellwether.pipelines.selected import record_without, without
from bellwether.pipelines.train_config import TrainConfig, walk_of
from bellwether.pipelines.trials import PANEL
from bellwether.pipelines.walk import Walk, walk
from bellwether.pipelines.walked import walked

MARKET = "always_up"


def judge(
    config: TrainConfig,
    data: Dataset,
    question: dict[str, Any],
    ports: Ports,
    progress: Progress,
    bars: dict[str, Any],
) -> tuple[dict[str, Any], list[Made], Judged]:
    """Judge the models of a run and pack its release.

    Return the outcome as JSON, what was made, and what all models said. `bars` says how fit for use
    the bars are. Every model that is no baseline is counted as a trial.
    """
    models = tuple(dict.fromkeys((config.model, *config.against, *BASELINES)))
    how, horizon = walk_of(config), config.horizon_sessions
    kept = Kept(ports.work, folds_kept(question))
    found = walked(config, data, question, ports, progress, kept)
    record = found.record
    told = question | {"quality": bars}
    own_record = records.only(record, tuple(dict.fromkeys((config.model, *BASELINES))))
    made = [pack(config.model, PANEL, data, own_record, told, ports, found.making)]
    own, own_tables, books = _each(config, data, models, how, progress)
    outcome = _outcome(config, record, found.models) | {
        "own_models": own_tables,
        "own": own,
        "quality": bars,
        "releases": {m.scope: m.release_id for m in made},
        "refused": [asdict(r) | {"words": r.words()} for r in data.refused],
        "by_symbol": _by_symbol(record, models, horizon),
        **found.told,
    }
    if config.learning_curve:
        outcome["learning_curve"] = learning_curve(
            config.model, data, record, how, question, ports, progress
        )
    judged, books[PANEL] = {PANEL: outcome["table"], **own_tables}, trials.book(record, models)
    failed = sorted(own.keys() - own_tables.keys())
    trials.record_training(question, models, judged, books, failed, ports)
    if found.making.chosen is not None:
        plain = outcome["table"][without(config.model)]
        record_without(question, config.model, plain, record, ports)
    return outcome, made, records.of_walk(record, models, MARKET)


def folds_kept(question: dict[str, Any]) -> str:
    """Name where the folds of a question are kept until it is answered."""
    told = json.dumps(question, sort_keys=True)
    return f"folds-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _outcome(config: TrainConfig, record: pl.DataFrame, models: Sequence[str]) -> dict[str, Any]:
    """Say how the models did on the panel."""
    horizon = config.horizon_sessions
    table = {m: figures(record, m, horizon) for m in models}
    overall = skill(record, config.model, BASELINES, horizon)
    return {
        "rows": record.height,
        "from": str(record["session"].min()),
        "to": str(record["session"].max()),
        "model": config.model,
        "horizon_sessions": horizon,
        "table": table,
        "beats_baseline": overall.beats_baseline,
        "reading": reading(table, config.model, overall),
    }


def _each(
    config: TrainConfig, data: Dataset, models: Sequence[str], how: Walk, progress: Progress
) -> tuple[dict[str, str], dict[str, Any], dict[str, pl.DataFrame]]:
    """Judge a model of its own for every symbol that is long enough for a fold."""
    words: dict[str, str] = {}
    tables: dict[str, Any] = {}
    books: dict[str, pl.DataFrame] = {}
    horizon = config.horizon_sessions
    for symbol in sorted(data.series) if config.each and config.select is None else []:
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
    parts = record.partition_by("symbol", as_dict=True)  # once: a panel is long and wide
    return {
        str(s): {m: figures(mine, m, horizon) for m in models}
        for (s,), mine in sorted(parts.items())
    }
