"""The walk forward that a training run asks for: plain, searched, or with chosen features."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from bellwether.core.ports import Ports, Progress
from bellwether.evaluation.importance import Weighed, importance, words
from bellwether.models.factory import BASELINES
from bellwether.pipelines import trials
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import Kept
from bellwether.pipelines.pack import Making
from bellwether.pipelines.search import SearchConfig
from bellwether.pipelines.selected import selected_walk, without
from bellwether.pipelines.train_config import TrainConfig, rule_of, walk_of
from bellwether.pipelines.tuned import tuned_walk
from bellwether.pipelines.walk import weighed_walk

WHAT = "Walking forward, all symbols"


@dataclass(frozen=True, slots=True)
class Walked:
    """What came of a walk forward.

    Attributes
    ----------
    record : DataFrame
        As `walk` gives it.
    models : tuple of str
        Whose forecasts it holds, the one that is released first.
    making : Making
        How the release is made, and what it remembers of this.
    told : dict
        What the outcome of the run says of it.
    """

    record: pl.DataFrame
    models: tuple[str, ...]
    making: Making
    told: dict[str, Any] = field(default_factory=dict)


def walked(
    config: TrainConfig,
    data: Dataset,
    question: dict[str, Any],
    ports: Ports,
    progress: Progress,
    kept: Kept,
) -> Walked:
    """Walk forward over all symbols as the run asks, and count every trial of a search.

    Folds of a plain walk are `kept` while it goes on, so that a killed run goes on with the others.
    """
    models = tuple(dict.fromkeys((config.model, *config.against, *BASELINES)))
    how, rule = walk_of(config), rule_of(config)
    if rule is not None:
        found = selected_walk(data, models, how, rule, progress)
        told = {"selection": found.told(), **_weighed(config, data, found.weighed)}
        named = (*models, without(config.model))
        making = Making(chosen=found.of_release, told=_kept(told))
        return Walked(found.record, named, making, told)
    if config.search is not None:
        asked = SearchConfig(config.search, config.trials, config.seed)
        tuned = tuned_walk(data, models, how, asked, question, ports, progress)
        trials.record_search(question, config.model, tuned.searches, ports)
        told = {"search": tuned.told(), **_weighed(config, data, tuned.weighed)}
        return Walked(tuned.record, models, Making(tuned.params, told=_kept(told)), told)
    record, weighed = weighed_walk(data, models, how, progress, WHAT, kept)
    told = _weighed(config, data, weighed)
    return Walked(record, models, Making(told=_kept(told)), told)


def _kept(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a release says of its making: features chosen in each fold, and what moved it."""
    return {"selection": told.get("selection"), "importance_over_time": told.get("importance")}


def _weighed(config: TrainConfig, data: Dataset, weighed: Sequence[Weighed]) -> dict[str, Any]:
    if not weighed:
        return {}
    found = importance(data.view.model_columns, weighed, config.horizon_sessions)
    return {"importance": found | {"reading": words(found, config.model)}}
