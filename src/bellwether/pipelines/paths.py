"""How far the figures of models spread over histories: combinatorial purged cross-validation.

Every split trains on the future of what it tests. It serves the spread of a figure, and no model is
chosen or released by it; how good one is, the walk forward says.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.ports import Ports, Progress, quiet
from bellwether.evaluation.purged import Combination, combinatorial_folds, paths
from bellwether.evaluation.record import figures
from bellwether.evaluation.splits import Fold
from bellwether.evaluation.spread import Spread, spread_of
from bellwether.evaluation.survivorship import of_members
from bellwether.features.views import Kept
from bellwether.inference.texts import read_view
from bellwether.models.factory import BASELINES
from bellwether.pipelines import audit, quality, train, trials
from bellwether.pipelines.dataset import Dataset, build
from bellwether.pipelines.folds import Place, Recipe, Scored, pieces, score, times_of
from bellwether.pipelines.train_config import TrainConfig
from bellwether.pipelines.walk import trade

LEVELS = {
    "directional_accuracy": 0.5,
    "r2_oos": 0.0,
    "brier": 0.25,
    "sharpe": 0.0,
    "max_drawdown": -0.2,
}
"""Figures that are laid out, and the value that each is counted above."""


@dataclass(frozen=True, slots=True)
class PathsConfig:
    """What is asked: models and rows as for training, and how dates are cut.

    The dates are cut into `n_folds` runs, and every choice of `n_tested` of them is tested by
    models of the others. After each tested run so many dates do not train: `embargo_dates`, or 1 %
    of all, as Lopez de Prado (2018) advises.
    """

    asked: TrainConfig
    n_folds: int = 6
    n_tested: int = 2
    embargo_dates: int | None = None

    def embargo(self, dates: int) -> int:
        """Return the embargo where there are so many dates."""
        return math.ceil(dates / 100) if self.embargo_dates is None else self.embargo_dates


@dataclass(frozen=True, slots=True)
class PathsReport:
    """The spread of each figure by model, over so many paths made of so many splits."""

    splits: int
    paths: int
    rows: int
    first: str
    last: str
    spreads: dict[str, dict[str, Spread | None]]
    beats: dict[str, float]
    baseline: str
    watermark: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        told = {f: getattr(self, f) for f in ("splits", "paths", "rows", "first", "last")}
        told |= {"baseline": self.baseline, "beats": self.beats, "watermark": self.watermark}
        spreads = {
            model: {name: None if s is None else asdict(s) for name, s in found.items()}
            for model, found in self.spreads.items()
        }
        return told | {"spreads": spreads, "reading": self.lines()}

    def lines(self) -> list[str]:
        """Say it in words."""
        head = (
            f"{self.splits} splits of {self.rows:,} decisions, {self.first} to {self.last}, make "
            f"{self.paths} histories."
        )
        each = [
            f"The Sharpe ratio of {model} is above that of {self.baseline} in {share:.0%} of them."
            for model, share in self.beats.items()
        ]
        warning = (
            "Every split trains on the future of what it tests, and histories share rows: this "
            "says how far figures spread, not how good a model is. See: bellwether train"
        )
        return [head, *each, warning]


def run(config: PathsConfig, ports: Ports, progress: Progress = quiet) -> PathsReport:
    """Test models on every history that the splits make, and count each model as tried.

    Raises
    ------
    InvalidRequest
        If the numbers of folds do not go together.
    UnknownName, MissingRecord, InsufficientHistory, LeakFound, QualityTooLow
        As `train.run`.
    """
    asked = config.asked
    paths(config.n_folds, config.n_tested)  # refuses before anything is read
    question, watermark, symbols = train.question_of(asked, ports)
    judged = quality.QualityConfig(symbols=symbols, bar=asked.quality_bar, watermark=watermark)
    quality.demand(judged, ports, ignore=asked.ignore_quality)
    reads, name = Kept(read_view(asked.view, ports), asked.universe), asked.universe
    audit.demand(symbols, asked.horizon_sessions, ports, progress, reads)
    members = None
    if name is not None:
        members = partial(of_members, universe=ports.lake.universe(name), name=name)
    data = build(symbols, reads.view, asked.horizon_sessions, watermark, ports, members, name)
    report = _report(config, data, str(watermark), progress)
    _count(config, question, report, ports)
    return report


def _report(config: PathsConfig, data: Dataset, watermark: str, progress: Progress) -> PathsReport:
    asked = config.asked
    models = tuple(dict.fromkeys((asked.model, *asked.against, *BASELINES)))
    records, splits = walked_paths(config, data, models, progress)
    tables = [{m: figures(r, m, asked.horizon_sessions) for m in models} for r in records]
    spreads = {
        m: {f: spread_of([t[m].get(f) for t in tables], level) for f, level in LEVELS.items()}
        for m in models
    }
    baseline = max(BASELINES, key=lambda m: _middle(spreads[m]["sharpe"]))
    beats = {m: _share(tables, m, baseline) for m in models if m not in BASELINES}
    first, last = (str(data.rows["session"].min()), str(data.rows["session"].max()))
    size = (splits, len(records), records[0].height)
    return PathsReport(*size, first, last, spreads, beats, baseline, watermark)


def _middle(found: Spread | None) -> float:
    return -np.inf if found is None else found.quantiles[2]


def _share(tables: Sequence[dict[str, Any]], model: str, baseline: str) -> float:
    """Return in what share of paths a model's Sharpe ratio is above a baseline's."""
    pairs = [(t[model]["sharpe"], t[baseline]["sharpe"]) for t in tables]
    return float(np.mean([a is not None and (b is None or a > b) for a, b in pairs]))


def walked_paths(
    config: PathsConfig, data: Dataset, models: Sequence[str], progress: Progress
) -> tuple[list[pl.DataFrame], int]:
    """Return a traded record of all labelled rows for each path, and the number of splits."""
    asked, times = config.asked, times_of(data)
    splits = combinatorial_folds(
        times[:, 0],
        times[:, 1],
        n_folds=config.n_folds,
        n_test_folds=config.n_tested,
        embargo_dates=config.embargo(np.unique(times[:, 0]).size),
    )
    recipe = Recipe(tuple(models), tuple(data.view.model_columns), asked.seed, asked.winsorise)
    folds = [_fold(one, times[:, 0]) for one in splits]
    what = f"Testing {config.n_tested} of {config.n_folds} runs of dates"
    scored = score(data, folds, recipe, Place(asked.workers), progress, what)
    found = [_record(data, splits, scored, path) for path in paths(config.n_folds, config.n_tested)]
    return [trade(one, data, models, asked.horizon_sessions) for one in found], len(splits)


def _fold(one: Combination, decided: np.ndarray[Any, Any]) -> Fold:
    test = np.concatenate(one.tests)
    return Fold(one.number, one.train, test, decided[test].min(), decided[test].max())


def _record(
    data: Dataset,
    splits: Sequence[Combination],
    scored: Sequence[Scored],
    path: np.ndarray[Any, Any],
) -> pl.DataFrame:
    """Put together what each fold's split of one path said of that fold."""
    parts = []
    for fold, number in enumerate(path):
        split, told = splits[number], scored[number].told
        place = split.folds.index(fold)
        start = sum(len(rows) for rows in split.tests[:place])
        rows = split.tests[place]
        cut = Fold(fold, split.train, rows, np.datetime64("NaT"), np.datetime64("NaT"))
        parts.append(pieces(data, [cut], [told.slice(start, len(rows))]))
    return pl.concat(parts).sort("decision_at", "symbol")


def _count(config: PathsConfig, question: dict[str, Any], report: PathsReport, ports: Ports) -> int:
    """Count each model: of a configuration that was tried before, N stays as it is.

    Returns of paths know the future and stay out of the ledger, so that nothing is deflated by them.
    """
    cut = {"n_folds": config.n_folds, "n_tested": config.n_tested}
    cut |= {} if config.embargo_dates is None else {"embargo_dates": config.embargo_dates}
    study = trials.of_question("paths", question, cut, ports)
    rows = [
        trials.trial(study, model, trials.PANEL, {"paths": report.paths, **cut}, None)
        for model in report.beats
    ]
    return ports.ledger.record_trials(rows)
