"""Fitting and scoring folds: in this process, in others, or on a Dask cluster; resumably."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.errors import Unavailable
from bellwether.core.ports import Progress, WorkFiles
from bellwether.evaluation.importance import Weighed
from bellwether.evaluation.splits import Fold
from bellwether.models.base import Column, Forecaster, Forecasts, Instants, Matrix
from bellwether.models.ensemble import Ensemble
from bellwether.models.factory import BASELINES, READ_BY_BASELINES, make
from bellwether.models.packed import PackedModel
from bellwether.models.selected import reading
from bellwether.models.spaces import Params
from bellwether.models.table import Table
from bellwether.pipelines.ageing import aged_by_session
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.shelf import Drawn, Shelf, drawn_for
from bellwether.pipelines.weighing import packed, unpacked, weigh
from bellwether.quality.treatments import winsorise

CLUSTER_S = 10


@dataclass(frozen=True, slots=True)
class Recipe:
    """How models of a fold are made.

    `models[0]` is the one whose ageing is followed: it also forecasts the next `ages` periods.
    `winsorise` draws training targets in to so many robust deviations; `params` are what models are
    made with, by name, where that is not their own. `chosen` are the columns that a model reads, by
    name, where those are not all. About `weighed_rows` of each test set say what moves the first.
    """

    models: tuple[str, ...]
    columns: tuple[str, ...]
    seed: int = 0
    winsorise: float | None = None
    ages: int = 0
    params: Mapping[str, Params] = field(default_factory=dict)
    chosen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    weighed_rows: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where folds are worked on: so many processes here, or the workers of a Dask scheduler."""

    workers: int = 1
    dask: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Where folds that are done are kept, so that a killed run goes on with the others."""

    files: WorkFiles
    work: str

    def read(self, fold: Fold) -> "Scored | None":
        """Return a fold that is done, or None."""
        told = self.files.read(self.work, f"{_name(fold)}.arrow")
        aged = self.files.read(self.work, f"{_name(fold)}.aged.arrow")
        if told is None or aged is None:
            return None
        try:
            weighed = unpacked(self.files.read(self.work, f"{_name(fold)}.weighed.npz"))
            return Scored(pl.read_ipc(io.BytesIO(told)), pl.read_ipc(io.BytesIO(aged)), weighed)
        except (pl.exceptions.PolarsError, OSError, ValueError, KeyError):  # of another version
            return None

    def keep(self, fold: Fold, scored: "Scored") -> None:
        """Keep a fold."""
        if scored.weighed is not None:
            self.files.keep(self.work, f"{_name(fold)}.weighed.npz", packed(scored.weighed))
        self.files.keep(self.work, f"{_name(fold)}.aged.arrow", _bytes(scored.aged))
        self.files.keep(self.work, f"{_name(fold)}.arrow", _bytes(scored.told))


@dataclass(frozen=True, slots=True)
class Scored:
    """What the models of one fold said.

    `told` has `forecast_m` and `probability_m` of each model m, one row a test row; `aged` one row
    a session of the periods after it: what the main model of this fold was worth then. `weighed` says
    what moved it, where that was asked.
    """

    told: pl.DataFrame
    aged: pl.DataFrame
    weighed: Weighed | None = None


def score(
    data: Dataset,
    folds: Sequence[Fold],
    recipe: Recipe,
    place: Place,
    progress: Progress,
    what: str,
    kept: Kept | None = None,
) -> list[Scored]:
    """Fit and score every fold; the same numbers wherever that is done, and in whatever order.

    Raises
    ------
    Unavailable
        If the Dask scheduler cannot be reached.
    """
    found: dict[int, Scored] = {}
    for at, fold in enumerate(folds):
        done = kept.read(fold) if kept is not None else None
        if done is not None:
            found[at] = done
    progress(what, len(found), len(folds))
    todo = [at for at in range(len(folds)) if at not in found]
    for at, scored in _run(data, folds, todo, recipe, place):
        if kept is not None:
            kept.keep(folds[at], scored)
        found[at] = scored
        progress(what, len(found), len(folds))
    return [found[at] for at in range(len(folds))]


def _run(
    data: Dataset, folds: Sequence[Fold], todo: Sequence[int], recipe: Recipe, place: Place
) -> Iterator[tuple[int, Scored]]:
    from joblib import Parallel, delayed

    if not todo:
        return
    X, aside, y = data.X, data.aside, data.y
    dates = data.rows["session"].to_numpy().astype("datetime64[D]")
    times = times_of(data)
    drawn, shelf = drawn_for(X, [fold.train for fold in folds]), Shelf()
    jobs = (
        delayed(_one)(
            at,
            X,
            aside,
            y,
            dates,
            times,
            folds[at],
            [f.test for f in _after(folds, at, recipe)],
            recipe,
            (shelf, drawn[at]),
        )
        for at in todo
    )
    with backend(place, [a for a in (X, aside, y, dates, times) if a is not None]) as workers:
        yield from Parallel(n_jobs=workers, return_as="generator_unordered")(jobs)


@contextmanager
def backend(place: Place, shared: list[Any]) -> Iterator[int]:
    """Choose where joblib runs; what is shared is sent to a cluster once."""
    if place.dask is None:
        yield place.workers
        return
    from distributed import Client
    from joblib import parallel_config

    try:
        client = Client(place.dask, timeout=f"{CLUSTER_S}s", set_as_default=False)
        client.wait_for_workers(1, timeout=CLUSTER_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise Unavailable("dask", f"{place.dask}: {error}") from error
    with client, parallel_config(backend="dask", client=client, scatter=shared):
        yield -1


def _after(folds: Sequence[Fold], at: int, recipe: Recipe) -> Sequence[Fold]:
    return folds[at + 1 : at + 1 + recipe.ages]


def _one(  # noqa: PLR0913, PLR0917 - arrays are arguments, so that a cluster gets each once
    at: int,
    X: Matrix,
    aside: Matrix | None,
    y: Column,
    dates: npt.NDArray[np.datetime64],
    times: Instants,
    fold: Fold,
    later: Sequence[npt.NDArray[np.int64]],
    recipe: Recipe,
    lies: tuple[Shelf, Drawn],
) -> tuple[int, Scored]:
    shelf, drawn = lies
    models = fitted((shelf.table(X, drawn), aside), y, times, fold.train, recipe)
    ready = {name: PackedModel(model.pack()) for name, model in models.items()}

    def read(name: str, rows: npt.NDArray[np.int64]) -> Matrix:
        return (X if aside is None or name not in BASELINES else aside)[rows]

    def said(name: str, rows: npt.NDArray[np.int64]) -> Forecasts:
        return ready[name].predict(read(name, rows))

    told = {name: said(name, fold.test) for name in ready}
    main = recipe.models[0]
    aged = [
        aged_by_session(age, said(main, rows), y[rows], dates[rows])
        for age, rows in enumerate((fold.test, *later))
    ]
    weighed = None
    if recipe.weighed_rows and main not in BASELINES:
        out = (read(main, fold.test), y[fold.test], times[fold.test, 0])
        weighed = weigh(models[main], *out, rows=recipe.weighed_rows, seed=recipe.seed)
    return at, Scored(told_of(told), pl.concat(aged), weighed)


def fitted(
    read: tuple[Table, Matrix | None],
    y: Column,
    times: Instants,
    train: npt.NDArray[np.int64],
    recipe: Recipe,
) -> dict[str, Forecaster]:
    """Fit each model on some rows.

    `read` is what models learn from, and READ_BY_BASELINES where that has none of them.
    """
    table, aside = read
    targets = drawn_in(y[train], recipe.winsorise)
    found: dict[str, Forecaster] = {}
    learnt: dict[str, Forecaster] = {}  # what ensembles are made of is fitted once
    for name in recipe.models:
        if aside is not None and name in BASELINES:
            model = make(name, READ_BY_BASELINES, seed=recipe.seed)
            found[name] = model.fit(aside[train], targets, times=times[train])
            continue
        params, chosen = recipe.params.get(name), recipe.chosen.get(name)
        learner = reading(name, recipe.columns, chosen, seed=recipe.seed, params=params)
        usual = params is None and chosen is None
        if usual and name in learnt:
            found[name] = learnt[name]
        elif usual and isinstance(learner, Ensemble):
            found[name] = learner.over(learnt, table.part(train), targets, times[train])
        else:
            found[name] = learner.fit(table.part(train), targets, times=times[train])
            learnt |= {name: found[name]} if usual else {}
    return found


def times_of(data: Dataset) -> Instants:
    """Return when each row was decided and its label known, of shape (n, 2), in UTC."""
    columns = data.rows.select(pl.col("decision_at", "label_known_at").dt.replace_time_zone(None))
    return np.column_stack([column.to_numpy() for column in columns]).astype("datetime64[us]")


def drawn_in(y: Column, scales: float | None) -> Column:
    """Return training targets as models see them: as they are, unless a run asks otherwise."""
    return y if scales is None else winsorise(y, scales).values


def told_of(told: Mapping[str, Forecasts]) -> pl.DataFrame:
    """Return what models said of some rows as columns `forecast_m` and `probability_m`."""
    columns: dict[str, Column] = {}
    for name, said in told.items():
        columns[f"forecast_{name}"] = said.log_return
        columns[f"probability_{name}"] = said.probability_up
    return pl.DataFrame(columns)


def pieces(data: Dataset, folds: Sequence[Fold], told: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Put what was said of each fold's test rows beside them: `fold`, and three columns a model."""
    parts = []
    for fold, said in zip(folds, told, strict=True):
        number = pl.lit(fold.number, dtype=pl.Int32)
        names = [c.removeprefix("probability_") for c in said.columns if c.startswith("p")]
        calls = [
            (pl.col(f"probability_{n}") - 0.5).sign().cast(pl.Int8).alias(f"direction_{n}")
            for n in names
        ]
        order = [f"{kind}_{n}" for n in names for kind in ("forecast", "probability", "direction")]
        columns = said.with_columns(calls).select(order)
        parts.append(data.rows[fold.test].with_columns(fold=number).hstack(columns))
    return pl.concat(parts)


def _name(fold: Fold) -> str:
    return f"fold-{fold.number:04d}"


def _bytes(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_ipc(out, compression="zstd")
    return out.getvalue()
