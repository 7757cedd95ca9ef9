"""Learning curves: the same model trained on ever shorter pasts, judged on the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.ports import Ports, Progress
from bellwether.evaluation.forecast import forecast_metrics
from bellwether.evaluation.record import PREVAILING
from bellwether.evaluation.rivals import Ground, r2_interval
from bellwether.evaluation.splits import Fold
from bellwether.pipelines import trials
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import Place, Recipe, pieces, score
from bellwether.pipelines.walk import Walk, folds_of

SHARES = (0.125, 0.25, 0.5)
Found = dict[str, Any]


def newest(data: Dataset, fold: Fold, share: float) -> Fold:
    """Return a fold that trains on the newest share of its decision dates only."""
    decided = data.rows["decision_at"].dt.replace_time_zone(None).to_numpy()[fold.train]
    dates = np.unique(decided)
    first = dates[dates.size - max(1, round(share * dates.size))]
    return replace(fold, train=fold.train[decided >= first])


def learning_curve(
    model: str,
    data: Dataset,
    record: pl.DataFrame,
    how: Walk,
    question: Mapping[str, Any],
    ports: Ports,
    progress: Progress,
) -> Found:
    """Judge a model that learnt from an eighth, a quarter, a half and all of each training set.

    `record` is of the model that learnt from all, with the prevailing mean beside it: R2 of every
    point is against the mean of all of the past. Each point is counted as a trial.

    Returns
    -------
    dict
        `model`, and `points` from the shortest past to the whole: `share`, `train_rows` (mean over
        the folds), `n`, `r2` with `r2_ci`, `accuracy` with `accuracy_ci`, `ic`.
    """
    folds, points = folds_of(data, how), []
    recipe = Recipe((model,), tuple(data.view.model_columns), how.seed, how.winsorise)
    for share in SHARES:
        short = [newest(data, fold, share) for fold in folds]
        what = f"Learning curve, newest {share:.1%}"
        scored = score(data, short, recipe, Place(how.workers), progress, what)
        told = pieces(data, short, [s.told for s in scored]).sort("decision_at", "symbol")
        point = _point(share, short, told, record, model, how)
        trials.record_point(question, model, share, point, ports)
        points.append(point)
    points.append(_point(1.0, folds, record, record, model, how))
    return {"model": model, "points": points}


def _point(
    share: float,
    folds: Sequence[Fold],
    told: pl.DataFrame,
    record: pl.DataFrame,
    model: str,
    how: Walk,
) -> Found:
    ground = Ground(
        record["decision_at"].dt.replace_time_zone(None).to_numpy(),
        record["log_return"].to_numpy(),
        record[f"forecast_{PREVAILING}"].to_numpy(),
        np.empty(0, dtype="datetime64[D]"),
        record["symbol"].n_unique(),
        how.horizon_sessions,
    )
    forecast = told[f"forecast_{model}"].to_numpy()
    found = forecast_metrics(
        dates=ground.dates,
        log_return=ground.log_return,
        forecast=forecast,
        probability_up=told[f"probability_{model}"].to_numpy(),
        direction=told[f"direction_{model}"].to_numpy(),
        prevailing_mean=ground.prevailing_mean,
        lags=how.horizon_sessions - 1,
        ic="cross_section" if ground.names > 1 else "time",
    )
    return {
        "share": share,
        "train_rows": round(float(np.mean([fold.train.size for fold in folds]))),
        "n": record.height,
        "r2": found["r2_oos"],
        "r2_ci": r2_interval(ground, forecast, how.seed),
        "accuracy": found["directional_accuracy"],
        "accuracy_ci": found["directional_accuracy_ci"],
        "ic": found["information_coefficient"],
    }
