"""Walking forward by the calendar: the record that is traded and judged."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from functools import partial

import polars as pl

from bellwether.core.errors import InsufficientHistory
from bellwether.core.ports import Ports, Progress
from bellwether.evaluation.calendar_splits import Periods, by_period
from bellwether.evaluation.splits import Fold
from bellwether.evaluation.survivorship import of_members
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.inference.texts import read_view
from bellwether.models.factory import BASELINES, make
from bellwether.pipelines.backtest_question import Question
from bellwether.pipelines.dataset import Dataset, build
from bellwether.pipelines.folds import Kept, Place, Recipe, pieces, score

TRADED_AS = (
    *("strategy", "quantile", "top", "rebalance_sessions", "capital_usd", "lag_sessions"),
    "without",
)


@dataclass(frozen=True, slots=True)
class Walked:
    """The out-of-sample record of a walk-forward by the calendar.

    `record` has one row a decision (see `pipelines.walk.walk`), `aged` one a session and age.
    """

    data: Dataset
    folds: list[Fold]
    record: pl.DataFrame
    aged: pl.DataFrame


def walk_forward(
    config: BacktestConfig, question: Question, ports: Ports, progress: Progress
) -> Walked:
    """Train and score period by period."""
    chosen = read_view(config.view, ports)
    if config.model not in BASELINES:
        make(config.model, chosen.model_columns, seed=config.seed)  # refuses before any work
    members = None
    if config.universe is not None:
        told = ports.lake.universe(config.universe)
        members = partial(of_members, universe=told, name=config.universe)
    progress("Computing features", 0, 1)
    data = build(
        question.symbols,
        chosen,
        config.horizon_sessions,
        question.watermark,
        ports,
        members,
        config.universe,
    )
    progress("Computing features", 1, 1)
    folds = folds_of(config, data)
    models = tuple(dict.fromkeys((config.model, *BASELINES)))
    recipe = Recipe(models, tuple(data.view.model_columns), config.seed, ages=config.ages)
    kept = Kept(ports.work, f"folds-{_of_folds(question)}")
    place = Place(config.workers, config.dask)
    scored = score(data, folds, recipe, place, progress, "Walking forward", kept)
    record = pieces(data, folds, [s.told for s in scored]).sort("decision_at", "symbol")
    aged = pl.concat(
        [
            s.aged.with_columns(fold=pl.lit(f.number, dtype=pl.Int32))
            for f, s in zip(folds, scored, strict=True)
        ]
    )
    return Walked(data, folds, record, aged)


def folds_of(config: BacktestConfig, data: Dataset) -> list[Fold]:
    """Cut the rows of the data into periods."""
    days = data.rows["session"]
    first, last = days.min(), days.max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise InsufficientHistory("backtest", 0, config.min_train_sessions)
    periods = Periods(
        config.first or first,
        config.last or last,
        config.step,
        config.window,
        config.min_train_sessions,
        config.embargo_sessions,
    )
    return by_period(
        days.to_numpy().astype("datetime64[D]"),
        data.rows["decision_at"].dt.replace_time_zone(None).to_numpy(),
        data.rows["label_known_at"].dt.replace_time_zone(None).to_numpy(),
        periods,
    )


def _of_folds(question: Question) -> str:
    """Name the forecasts of a question, however they are traded."""
    told = {k: v for k, v in question.told.items() if k not in TRADED_AS}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
