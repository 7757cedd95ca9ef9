"""Would features made by a grammar have helped? Candidates are chosen inside each fold, and judged.

Nothing of it is packed into a release: serving reads declared views. What helps again and again,
and says why, becomes a feature of a view with a name and a source.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.ports import Ports, Progress
from bellwether.evaluation.choosing import Columns, Rule
from bellwether.evaluation.record import PREVAILING, figures
from bellwether.evaluation.selection import select
from bellwether.evaluation.splits import Fold
from bellwether.features.feature import FeatureView
from bellwether.features.generate import candidates
from bellwether.features.views import Kept
from bellwether.models.base import Column, Forecasts, Instants, Matrix
from bellwether.models.factory import make
from bellwether.models.packed import PackedModel
from bellwether.models.rows import DECIDED
from bellwether.pipelines import trials
from bellwether.pipelines.choosing import Reader, choose
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import drawn_in, pieces, times_of, told_of
from bellwether.pipelines.sections import across, own
from bellwether.pipelines.walk import Walk, folds_of, trade

MOST = 10
WITHOUT, WITH = "without", "with"


@dataclass(frozen=True, slots=True)
class Asked:
    """So many candidates beside a model; chosen by `rule`, or up to 10 by `selection.select`."""

    n: int
    model: str
    rule: Rule | None = None


def study(
    data: Dataset,
    asked: Asked,
    how: Walk,
    question: Mapping[str, Any],
    ports: Ports,
    progress: Progress,
) -> dict[str, Any]:
    """Walk forward with and without the candidates that each fold's past would have chosen.

    The model with them is counted as a trial of the run's `question`; that without is the run's own.

    Candidates made of features across symbols look across what those of `data` did.

    Returns
    -------
    dict
        candidates, view (version), chosen (names by fold), often (name and in how many folds it
        was chosen), table (figures `without` and `with`), and reading (a sentence).
    """
    view = candidates(data.view.features, asked.n).scored(data.view.scored_by)
    known = datetime.fromisoformat(question["watermark"])
    made = _computed(data, Kept(view, data.universe), known, ports)
    times, reader = times_of(data), Reader(asked.model, tuple(view.columns), how.seed)
    parts, chosen = [], []
    folds = folds_of(data, how)
    for done, fold in enumerate(folds):
        picked = chosen_in(fold, made, data.y, times, reader, asked.rule)
        chosen.append([view.columns[j] for j in picked])
        scored = _scored(data, made[:, picked], chosen[-1], fold, asked.model, how)
        parts.append(pieces(data, [fold], [told_of(scored)]))
        progress("Judging generated features", done + 1, len(folds))
    record = pl.concat(parts).sort("decision_at", "symbol")
    record = trade(record, data, (WITHOUT, WITH), how.horizon_sessions)
    table = {m: figures(record, m, how.horizon_sessions) for m in (WITHOUT, WITH)}
    net = record.group_by("session").agg(net=pl.col(f"net_{WITH}").mean()).sort("session")
    trials.record_generated(question, asked.model, table[WITH], net, ports)
    often = Counter(name for names in chosen for name in names).most_common(MOST)
    return {
        "candidates": len(view.features),
        "view": view.version,
        "chosen": chosen,
        "often": often,
        "table": table,
        "reading": _reading(view, chosen, table),
    }


def chosen_in(
    fold: Fold, made: Matrix, y: Column, times: Instants, reader: Reader, rule: Rule | None
) -> Columns:
    """Choose candidates by the training rows of one fold and by nothing else."""
    rows = fold.train
    if rule is None:
        return select(made[rows], y[rows], times[rows, DECIDED], most=MOST).chosen
    return choose(np.ascontiguousarray(made[rows]), y[rows], times[rows], reader, rule)


def _computed(data: Dataset, made: Kept, watermark: datetime, ports: Ports) -> Matrix:
    """Compute the candidates for the rows of `data`, each as known when decided: float32."""
    names, keys = made.view.columns, ["symbol", "session"]
    smaller = pl.col(names).cast(pl.Float32)
    if made.view.across:
        found = across(made, watermark, ports).with_columns(smaller)
    else:
        parts = (own(s, made.view, watermark, ports) for s in sorted(data.series))
        found = pl.concat([part.with_columns(smaller) for part in parts])
    rows = data.rows.select(keys).join(found, on=keys, how="left", maintain_order="left")
    return np.ascontiguousarray(rows.select(names).to_numpy(), dtype=np.float32)


def _scored(
    data: Dataset, extra: Matrix, names: Sequence[str], fold: Fold, model: str, how: Walk
) -> dict[str, Forecasts]:
    targets = drawn_in(data.y[fold.train], how.winsorise)
    columns = (*data.view.model_columns, *names)
    times = times_of(data)[fold.train]
    scored = {}
    wider = np.ascontiguousarray(np.hstack([data.X, extra]), dtype=np.float32)
    for which, X in ((WITHOUT, data.X), (WITH, wider)):
        chosen = make(model, columns[: X.shape[1]], seed=how.seed)
        fitted = chosen.fit(X[fold.train], targets, times=times)
        scored[which] = PackedModel(fitted.pack()).predict(X[fold.test])
    usual = make(PREVAILING, data.view.model_columns, seed=how.seed).fit(
        data.X[fold.train], targets
    )
    scored[PREVAILING] = PackedModel(usual.pack()).predict(data.X[fold.test])
    return scored


def _reading(view: FeatureView, chosen: Sequence[Sequence[str]], table: dict[str, Any]) -> str:
    counts = [len(names) for names in chosen]
    head = (
        f"Of {len(view.features)} generated features {np.mean(counts):.1f} a fold passed the test on "
        f"their past ({max(counts)} at most)"
    )
    if not any(counts):
        return f"{head}; nothing to add to the model."
    without, with_ = (table[m]["directional_accuracy"] for m in (WITHOUT, WITH))
    return f"{head}; with them the model was right {with_:.1%} of the time, without them {without:.1%}."
