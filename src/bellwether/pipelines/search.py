"""Searching the parameters of a model inside a training set: reproducible, resumable, counted.

Trials are asked for in batches of a fixed size. What a batch asks for depends on the seed, its place
and the results of the batches before it, and on nothing else: not on how many processes work, which
of them is first, or how often the search was killed. Every trial is kept as it ends.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bellwether.core.errors import BellwetherError, InsufficientHistory, InvalidRequest
from bellwether.core.ports import Progress, WorkFiles
from bellwether.evaluation.splits import Fold, walk_forward
from bellwether.models.base import Column, Instants, Matrix
from bellwether.models.factory import make
from bellwether.models.packed import PackedModel
from bellwether.models.spaces import Params, Range, grid_of, space_of
from bellwether.pipelines.folds import Place, backend, drawn_in

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
KINDS = ("grid", "random", "bayes")
BATCH = 8
LEAST_TO_PRUNE = 8
MOST_TRIALS = 10_000
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """How a model's parameters are searched.

    Attributes
    ----------
    kind : str
        `grid`, `random`, or `bayes` (a tree-structured Parzen estimator; Bergstra et al. 2011).
    trials : int
        Configurations that are tried; of a grid at most so many.
    folds : int
        Steps of the walk forward inside the training set that each trial is scored on.
    prune : bool
        Give a trial up after its first fold where it is below the median of the trials before.
    """

    kind: str
    trials: int = 50
    seed: int = 0
    folds: int = 3
    prune: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidRequest("search", f"{self.kind!r} is none of {', '.join(KINDS)}")
        if not 1 <= self.trials <= MOST_TRIALS:
            raise InvalidRequest("trials", f"is {self.trials}, must be from 1 to {MOST_TRIALS}")
        if not 1 <= self.folds <= 20:  # noqa: PLR2004
            raise InvalidRequest("folds", f"is {self.folds}, must be from 1 to 20")


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration: R2 against zero of each inner fold, and their mean, larger is better.

    `value` is None unless `state` is complete; `error` says why one failed.
    """

    number: int
    params: Params
    state: str
    scores: tuple[float, ...]
    value: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """All trials in their order, and the best complete one; None where none was."""

    trials: tuple[Trial, ...]
    best: Trial | None


@dataclass(frozen=True, slots=True)
class Inside:
    """A training set: rows, what was learned when, and which model reads which columns."""

    X: Matrix
    y: Column
    times: Instants
    model: str
    columns: tuple[str, ...]
    seed: int = 0
    winsorise: float | None = None


@dataclass(frozen=True, slots=True)
class Drawer:
    """Where the trials of one search are kept, and who counts each as it ends."""

    files: WorkFiles
    work: str
    name: str
    count: Callable[[Trial], object] | None = None

    def read(self, number: int) -> Trial | None:
        """Return a trial that has ended, or None."""
        raw = self.files.read(self.work, self._file(number))
        if raw is None:
            return None
        try:
            return msgspec.json.decode(raw, type=Trial)
        except msgspec.MsgspecError:  # left by another version
            return None

    def keep(self, trial: Trial) -> None:
        """Keep a trial; it is counted first, so that none is kept that nobody counted."""
        if self.count is not None:
            self.count(trial)
        self.files.keep(self.work, self._file(trial.number), msgspec.json.encode(trial))

    def _file(self, number: int) -> str:
        return f"{self.name}-trial-{number:05d}.json"


def search(
    inside: Inside,
    config: SearchConfig,
    place: Place,
    progress: Progress,
    drawer: Drawer | None = None,
) -> Found:
    """Try configurations on a training set, scored by walking forward inside it.

    Raises
    ------
    InvalidRequest
        If the model has nothing to search.
    InsufficientHistory
        If the training set is too short for the inner folds.
    """
    folds = inner_folds(inside.times, config.folds)
    asked = _grid(inside.model, config) if config.kind == "grid" else None
    total = config.trials if asked is None else len(asked)
    done: list[Trial] = []
    while len(done) < total:
        numbers = range(len(done), min(len(done) + BATCH, total))
        params = (
            [asked[n] for n in numbers]
            if asked is not None
            else _ask(inside.model, config, done, len(numbers))
        )
        bar = _median_of_first(done) if config.prune else None
        done += _batch(inside, folds, list(zip(numbers, params, strict=True)), bar, place, drawer)
        progress("Searching", len(done), total)
    complete = [t for t in done if t.value is not None]
    best = max(complete, key=lambda t: (t.value, -t.number)) if complete else None
    return Found(tuple(done), best)


def inner_folds(times: Instants, n: int) -> list[Fold]:
    """Cut a training set into n steps of a walk forward over the second half of its dates."""
    decided = times[:, 0]
    dates = int(np.unique(decided).size)
    half = dates // 2
    if half < n:
        raise InsufficientHistory("search", dates, 2 * n)
    return walk_forward(
        decided, times[:, 1], min_train_dates=half, test_dates=-(-(dates - half) // n)
    )


def _grid(model: str, config: SearchConfig) -> list[Params]:
    return grid_of(model, config.trials)


def _ask(model: str, config: SearchConfig, done: Sequence[Trial], n: int) -> list[Params]:
    """Return the next n configurations, given those that have ended."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = int(np.random.SeedSequence([config.seed, len(done)]).generate_state(1)[0])
    sampler: Any = (
        optuna.samplers.RandomSampler(seed=seed)
        if config.kind == "random"
        else optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    space = {name: _distribution(r) for name, r in space_of(model).items()}
    for trial in done:
        worst = min((t.value for t in done if t.value is not None), default=0.0)
        study.add_trial(
            optuna.trial.create_trial(
                params=_typed(trial.params, space_of(model)),
                distributions=space,
                # one that was given up counts as no better than the worst that was not
                value=worst if trial.value is None else trial.value,
            )
        )
    return [dict(study.ask(space).params) for _ in range(n)]


def _distribution(told: Range) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    if told.whole:
        return IntDistribution(int(told.low), int(told.high), log=told.log)
    return FloatDistribution(told.low, told.high, log=told.log)


def _typed(params: Params, space: Mapping[str, Range]) -> dict[str, float]:
    return {n: int(v) if space[n].whole else float(v) for n, v in params.items()}


def _median_of_first(done: Sequence[Trial]) -> float | None:
    first = [t.scores[0] for t in done if t.scores]
    return float(np.median(first)) if len(first) >= LEAST_TO_PRUNE else None


def _batch(
    inside: Inside,
    folds: Sequence[Fold],
    asked: Sequence[tuple[int, Params]],
    bar: float | None,
    place: Place,
    drawer: Drawer | None,
) -> list[Trial]:
    found: dict[int, Trial] = {}
    for number, params in asked:
        kept = None if drawer is None else drawer.read(number)
        if kept is not None and dict(kept.params) == dict(params):
            found[number] = kept
    todo = [(number, params) for number, params in asked if number not in found]
    for trial in _run(inside, folds, todo, bar, place):
        if drawer is not None:
            drawer.keep(trial)
        found[trial.number] = trial
    return [found[number] for number, _ in asked]


def _run(
    inside: Inside,
    folds: Sequence[Fold],
    todo: Sequence[tuple[int, Params]],
    bar: float | None,
    place: Place,
) -> Iterator[Trial]:
    from joblib import Parallel, delayed

    X, y, times = inside.X, inside.y, inside.times
    jobs = (
        delayed(_try)(n, params, X, y, times, folds, inside_of(inside), bar) for n, params in todo
    )
    with backend(place, [X, y, times]) as workers:
        yield from Parallel(n_jobs=workers, return_as="generator_unordered")(jobs)


def inside_of(inside: Inside) -> tuple[str, tuple[str, ...], int, float | None]:
    """Return what of a training set is not arrays."""
    return inside.model, inside.columns, inside.seed, inside.winsorise


def _try(  # noqa: PLR0913, PLR0917 - arrays are arguments, so that a cluster gets each once
    number: int,
    params: Params,
    X: Matrix,
    y: Column,
    times: Instants,
    folds: Sequence[Fold],
    what: tuple[str, tuple[str, ...], int, float | None],
    bar: float | None,
) -> Trial:
    """Score one configuration, fold by fold; give it up where it begins below the bar."""
    model, columns, seed, winsorise = what
    scores: list[float] = []
    try:
        for fold in folds:
            made = make(model, columns, seed=seed, params=params)
            fit = np.ascontiguousarray(X[fold.train])
            made.fit(fit, drawn_in(y[fold.train], winsorise), times=times[fold.train])
            said = PackedModel(made.pack()).predict(np.ascontiguousarray(X[fold.test])).log_return
            scores.append(_r2(y[fold.test], said))
            if bar is not None and scores[0] < bar:
                return Trial(number, params, PRUNED, tuple(scores), None)
    except (BellwetherError, ValueError, ArithmeticError) as error:
        return Trial(
            number, params, FAILED, tuple(scores), None, f"{type(error).__name__}: {error}"
        )
    return Trial(number, params, COMPLETE, tuple(scores), float(np.mean(scores)))


def _r2(y: Column, said: Column) -> float:
    """Return how much smaller squared errors are than those of no forecast (Gu, Kelly and Xiu 2020)."""
    return float(1 - np.sum((y - said) ** 2) / np.sum(y**2)) if y.any() else 0.0
