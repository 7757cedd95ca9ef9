"""A walk forward whose model is searched anew inside each training set."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.ports import Ports, Progress
from bellwether.evaluation.importance import Weighed
from bellwether.models.spaces import Params
from bellwether.pipelines import trials
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import Place, Recipe, pieces, score, times_of
from bellwether.pipelines.search import Drawer, Found, Inside, SearchConfig, Trial, search
from bellwether.pipelines.walk import WEIGHED_ROWS, Walk, folds_of, trade

WHOLE = "all"


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it: the record, what was found in each training set, and in all rows at the end."""

    record: pl.DataFrame
    searches: Mapping[str, Found]
    weighed: Sequence[Weighed] = field(default=())

    @property
    def params(self) -> Params:
        """Return what the model is made with in the end; nothing where no trial was complete."""
        best = self.searches[WHOLE].best
        return {} if best is None else best.params

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        states = Counter(t.state for found in self.searches.values() for t in found.trials)
        return {
            "states": dict(states),
            "chosen": {
                scope: None
                if found.best is None
                else {"params": dict(found.best.params), "r2_inside": found.best.value}
                for scope, found in self.searches.items()
            },
        }


def tuned_walk(
    data: Dataset,
    models: tuple[str, ...],
    how: Walk,
    config: SearchConfig,
    question: Mapping[str, Any],
    ports: Ports,
    progress: Progress,
) -> Tuned:
    """Search the first model inside each training set, refit it with what was found, score it once.

    The others are as they are. Trials are counted and kept as they end, so that a killed run goes on,
    and those of one that never does are in the ledger.
    """
    folds = folds_of(data, how)
    recipe = Recipe(tuple(models), tuple(data.view.model_columns), how.seed, how.winsorise)
    recipe = replace(recipe, weighed_rows=WEIGHED_ROWS)
    told = json.dumps(dict(question), sort_keys=True, default=str).encode()
    work, place = f"search-{hashlib.sha256(told).hexdigest()[:32]}", Place(how.workers)

    def look(rows: npt.NDArray[np.int64], scope: str) -> Found:
        inside = Inside(
            np.ascontiguousarray(data.X[rows]),
            data.y[rows],
            times_of(data)[rows],
            models[0],
            recipe.columns,
            how.seed,
            how.winsorise,
        )
        count = partial(_count, question, models[0], scope, ports)
        return search(inside, config, place, progress, Drawer(ports.work, work, scope, count))

    searches: dict[str, Found] = {}
    scored = []
    for fold in folds:
        found = searches[f"fold-{fold.number}"] = look(fold.train, f"fold-{fold.number}")
        params = {} if found.best is None else {models[0]: found.best.params}
        tried = replace(recipe, params=params)
        scored += score(data, [fold], tried, place, progress, "Walking forward, searched")
    searches[WHOLE] = look(data.newest_rows(how.window_dates), WHOLE)
    record = pieces(data, folds, [s.told for s in scored]).sort("decision_at", "symbol")
    weighed = [s.weighed for s in scored if s.weighed is not None]
    return Tuned(trade(record, data, models, how.horizon_sessions), searches, weighed)


def _count(question: Mapping[str, Any], model: str, scope: str, ports: Ports, one: Trial) -> None:
    trials.record_search(question, model, {scope: Found((one,), None)}, ports)
