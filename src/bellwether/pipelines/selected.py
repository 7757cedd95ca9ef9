"""A walk forward in which the model reads only what the rows of each training set would choose."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.ports import Ports, Progress
from bellwether.evaluation.choosing import Rule
from bellwether.evaluation.comparison import diebold_mariano
from bellwether.evaluation.forecast import paired_accuracy
from bellwether.evaluation.importance import Weighed
from bellwether.evaluation.losses import date_losses
from bellwether.models.base import Column, Instants, Matrix
from bellwether.pipelines import trials
from bellwether.pipelines.choosing import Reader, choose
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import (
    Place,
    Recipe,
    backend,
    drawn_in,
    pieces,
    score,
    times_of,
)
from bellwether.pipelines.trials import PANEL
from bellwether.pipelines.walk import WEIGHED_ROWS, Walk, folds_of, trade

WHOLE = "all"
SHOWN = 5


def without(model: str) -> str:
    """Name the model that reads all features, as it stands in records beside the one that does not.

    >>> without("ridge")
    'ridge_all_features'
    """
    return f"{model}_all_features"


@dataclass(frozen=True, slots=True)
class Selected:
    """What came of it: the record, the columns of each training set and of all rows, what weighed."""

    record: pl.DataFrame
    chosen: Mapping[str, tuple[int, ...]]
    weighed: Sequence[Weighed]
    columns: tuple[str, ...]
    rule: Rule
    model: str
    horizon_sessions: int

    @property
    def of_release(self) -> tuple[int, ...]:
        """Return the columns that all rows choose."""
        return self.chosen[WHOLE]

    def told(self) -> dict[str, Any]:
        """Return it as JSON, with what the choice was worth."""
        names = {scope: [self.columns[j] for j in told] for scope, told in self.chosen.items()}
        inside = [told for scope, told in names.items() if scope != WHOLE]
        found = {
            "rule": asdict(self.rule),
            "features": len(self.columns),
            "chosen": names,
            "often": Counter(n for told in inside for n in told).most_common(),
            "without": without(self.model),
            "difference": _difference(self.record, self.model, self.horizon_sessions),
        }
        return found | {"reading": _reading(found, self.model, inside)}


def selected_walk(
    data: Dataset, models: Sequence[str], how: Walk, rule: Rule, progress: Progress
) -> Selected:
    """Choose features by each training set, fit the first model on them, and score it once.

    Beside it stands the same model with all features (`without`); the others are as they are. For
    the release the columns are chosen once more, by all rows that it learns from.
    """
    model, columns = models[0], tuple(data.view.model_columns)
    folds = folds_of(data, how)
    place = Place(how.workers)
    training = [fold.train for fold in folds] + [data.newest_rows(how.window_dates)]
    told = _choose_all(data, training, Reader(model, columns, how.seed), rule, how, place, progress)
    scopes = [*(f"fold-{fold.number}" for fold in folds), WHOLE]
    chosen = dict(zip(scopes, told, strict=True))
    recipe = Recipe(tuple(models), columns, how.seed, how.winsorise)
    what, said, weighed = "Walking forward, with chosen features", [], []
    plain = replace(recipe, models=(model,))
    beside = score(data, folds, plain, place, progress, "Walking forward, with all features")
    for fold, columns_of_fold, whole in zip(folds, told, beside, strict=False):
        mine = replace(recipe, chosen={model: columns_of_fold}, weighed_rows=WEIGHED_ROWS)
        (scored,) = score(data, [fold], mine, place, progress, what)
        said.append(scored.told.hstack(_renamed(whole.told, model)))
        weighed += [scored.weighed] if scored.weighed is not None else []
    record = pieces(data, folds, said).sort("decision_at", "symbol")
    record = trade(record, data, (*models, without(model)), how.horizon_sessions)
    return Selected(record, chosen, weighed, columns, rule, model, how.horizon_sessions)


def _choose_all(
    data: Dataset,
    training: Sequence[npt.NDArray[np.int64]],
    reader: Reader,
    rule: Rule,
    how: Walk,
    place: Place,
    progress: Progress,
) -> list[tuple[int, ...]]:
    from joblib import Parallel, delayed

    X, y, times = data.X, data.y, times_of(data)
    jobs = (delayed(_choose)(X, y, times, rows, reader, rule, how.winsorise) for rows in training)
    found = []
    progress("Choosing features", 0, len(training))
    with backend(place, [X, y, times]) as workers:
        for told in Parallel(n_jobs=workers, return_as="generator")(jobs):
            found.append(told)
            progress("Choosing features", len(found), len(training))
    return found


def _choose(
    X: Matrix,
    y: Column,
    times: Instants,
    rows: npt.NDArray[np.int64],
    reader: Reader,
    rule: Rule,
    winsorise: float | None,
) -> tuple[int, ...]:
    targets = drawn_in(y[rows], winsorise)
    found = choose(np.ascontiguousarray(X[rows]), targets, times[rows], reader, rule)
    return tuple(int(j) for j in found)


def _renamed(told: pl.DataFrame, model: str) -> pl.DataFrame:
    return told.rename({c: c.replace(f"_{model}", f"_{without(model)}") for c in told.columns})


def _difference(record: pl.DataFrame, model: str, horizon: int) -> dict[str, Any]:
    """Set the model with chosen features beside that with all of them, by decision date."""
    calls = paired_accuracy(
        record["decision_at"].dt.replace_time_zone(None).to_numpy(),
        record["log_return"].to_numpy(),
        record[f"direction_{model}"].to_numpy(),
        record[f"direction_{without(model)}"].to_numpy(),
        lags=horizon - 1,
    )
    losses = date_losses(record, [model, without(model)], "squared")
    less = losses.of(without(model)) - losses.of(model)
    return {
        "accuracy": {"mean": calls.mean, "low": calls.low, "high": calls.high, "n": calls.n},
        "diebold_mariano": asdict(diebold_mariano(less, horizon)),
    }


def _reading(found: Mapping[str, Any], model: str, inside: Sequence[Sequence[str]]) -> str:
    rule, counts = found["rule"], [len(told) for told in inside]
    asked = (
        f"the best {rule['most']}"
        if rule["most"] is not None
        else f"at most {rule['false_share']:.0%} false ones expected"
    )
    often = ", ".join(f"{name} ({n})" for name, n in found["often"][:SHOWN]) or "none"
    head = (
        f"Chosen inside each of {len(inside)} training sets by {rule['method']} ({asked}): "
        f"{np.mean(counts):.1f} of {found['features']} features ({min(counts)} to {max(counts)}), "
        f"most often {often}."
    )
    if not any(counts):
        return f"{head} Without any feature the forecast is the mean."
    calls = found["difference"]["accuracy"]
    if calls["low"] is None:
        return head
    beyond = "beyond chance" if calls["low"] > 0 or calls["high"] < 0 else "no more than chance"
    p = found["difference"]["diebold_mariano"]["p"]
    errors = "" if p is None else f"; of squared errors p = {p:.2f}"
    return (
        f"{head} {model} with these instead of all features is right {calls['mean']:+.2%} more often "
        f"(95 %: {calls['low']:+.2%} to {calls['high']:+.2%}): {beyond}{errors}."
    )


def record_without(
    question: Mapping[str, Any],
    model: str,
    figures: Mapping[str, Any],
    record: pl.DataFrame,
    ports: Ports,
) -> int:
    """Count the model with all features as what it is: the same configuration without a choice."""
    plain = {k: v for k, v in question.items() if k != "select"}
    book = trials.book(record, [without(model)]).rename({f"net_{without(model)}": f"net_{model}"})
    return trials.record_training(
        plain, (model,), {PANEL: {model: figures}}, {PANEL: book}, (), ports
    )
