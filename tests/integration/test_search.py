"""A search finds the same trials in the same order, wherever and however often it is run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.clusters import dask_cluster

from bellwether.bootstrap import bootstrap
from bellwether.core.errors import InsufficientHistory, InvalidRequest
from bellwether.core.ports import SourceQuery
from bellwether.models.factory import make
from bellwether.models.spaces import SPACES, grid_of
from bellwether.pipelines import ingest, train
from bellwether.pipelines import search as use
from bellwether.pipelines.folds import Place
from bellwether.pipelines.search import Drawer, Inside, SearchConfig, search
from bellwether.registry.work import ObjectWorkFiles
from bellwether.settings import Settings

BAYES = SearchConfig("bayes", trials=20, seed=3)


def quiet(_what: str, _done: int, _of: int) -> None:
    """Show nothing."""


def inside(model: str = "ridge", dates: int = 240, names: int = 3, seed: int = 0) -> Inside:
    rng = np.random.default_rng(seed)
    n = dates * names
    X = rng.normal(size=(n, 4)).astype(np.float32)
    y = 0.002 * X[:, 0].astype(np.float64) + rng.normal(0, 0.01, n)
    days = np.repeat(np.arange(dates), names).astype("datetime64[D]").astype("datetime64[us]")
    times = np.column_stack([days, days + np.timedelta64(2, "D")])
    return Inside(X, y, times, model, ("a", "b", "c", "d"))


@pytest.fixture
def drawer(tmp_path: Path) -> Drawer:
    return Drawer(ObjectWorkFiles(str(tmp_path)), "search", "fold")


def test_it_finds_what_was_planted() -> None:
    found = search(inside(), BAYES, Place(), quiet)
    assert [t.number for t in found.trials] == list(range(20))
    assert found.best is not None
    assert found.best.value == max(t.value for t in found.trials if t.value is not None)
    assert found.best.value > 0
    assert found.best.params["alpha"] < 10_000
    assert {t.state for t in found.trials} <= {"complete", "pruned"}


@pytest.mark.parametrize("kind", ["bayes", "random", "grid"])
def test_processes_change_nothing(kind: str) -> None:
    config = replace(BAYES, kind=kind, trials=12)
    assert search(inside(), config, Place(2), quiet) == search(inside(), config, Place(1), quiet)


def test_a_cluster_changes_nothing() -> None:
    alone = search(inside(), BAYES, Place(), quiet)
    with dask_cluster() as address:
        assert search(inside(), BAYES, Place(dask=address), quiet) == alone


class Stopped(Exception):
    pass


def stop_at(trials: int) -> Callable[[str, int, int], None]:
    def progress(_what: str, done: int, _of: int) -> None:
        if done >= trials:
            raise Stopped

    return progress


def test_one_that_was_stopped_goes_on(drawer: Drawer) -> None:
    whole = search(inside(), BAYES, Place(), quiet)
    with pytest.raises(Stopped):
        search(inside(), BAYES, Place(), stop_at(8), drawer)
    assert len(drawer.files.names("search")) == 8
    drawer.files.keep("search", "fold-trial-00003.json", b'{"damaged"')
    assert search(inside(), BAYES, Place(2), quiet, drawer) == whole
    assert search(inside(), BAYES, Place(), quiet, drawer) == whole  # nothing is fitted again


def test_another_seed_asks_for_others() -> None:
    one, two = (search(inside(), replace(BAYES, trials=4, seed=s), Place(), quiet) for s in (1, 2))
    assert [t.params for t in one.trials] != [t.params for t in two.trials]


def test_hopeless_ones_are_given_up() -> None:
    found = search(inside(), replace(BAYES, kind="random", trials=24), Place(), quiet)
    kept = search(inside(), replace(BAYES, kind="random", trials=24, prune=False), Place(), quiet)
    pruned = [t for t in found.trials if t.state == "pruned"]
    assert pruned
    assert all(len(t.scores) == 1 and t.value is None and t.number >= 8 for t in pruned)
    assert {t.state for t in kept.trials} == {"complete"}
    assert [t.params for t in found.trials] == [t.params for t in kept.trials]


def test_a_trial_that_fails_is_told_and_does_not_end_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*args: object, **kwargs: object) -> object:
        if kwargs["params"]["alpha"] > 1_000:  # type: ignore[index]
            raise ValueError("too strong")
        return make(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(use, "make", fails)
    found = search(inside(), replace(BAYES, kind="grid", trials=6), Place(), quiet)
    failed = [t for t in found.trials if t.state == "failed"]
    assert failed
    assert all(t.error == "ValueError: too strong" for t in failed)
    assert found.best is not None
    assert found.best.params["alpha"] <= 1_000


def test_inner_folds_stay_inside_and_purged() -> None:
    data = inside()
    for fold in use.inner_folds(data.times, 3):
        assert data.times[fold.train, 1].max() <= data.times[fold.test, 0].min()


@pytest.mark.parametrize("model", sorted(SPACES))
def test_every_space_makes_models(model: str) -> None:
    corner = [
        {n: r.low for n, r in SPACES[model].items()},
        {n: r.high for n, r in SPACES[model].items()},
    ]
    for params in (*grid_of(model, 1), *corner):
        rows = inside(model)
        made = make(model, rows.columns, seed=0, params=params, rounds=None)
        if "learning_rate" not in params:
            made.fit(rows.X, rows.y, times=rows.times)
    with pytest.raises(InvalidRequest, match="has no"):
        make(model, ("a",), seed=0, params={"colour": 1.0})


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "guess"},
        {"kind": "bayes", "trials": 0},
        {"kind": "bayes", "trials": 10**6},
        {"kind": "bayes", "folds": 0},
    ],
)
def test_what_cannot_be_searched(told: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        SearchConfig(**told)  # type: ignore[arg-type]


def test_a_model_without_a_space_and_a_short_past() -> None:
    with pytest.raises(InvalidRequest, match="nothing to search"):
        search(inside("stacking"), BAYES, Place(), quiet)
    with pytest.raises(InsufficientHistory):
        search(inside(dates=4), BAYES, Place(), quiet)


def test_training_searches_inside_each_fold_and_counts_all(tmp_path: Path) -> None:
    wired = bootstrap(Settings(home=tmp_path))
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("AAPL", "IBM"))), wired.ports)
    asked = train.TrainConfig(
        model="ridge", against=(), each=False, test_sessions=1500, search="random", trials=5
    )
    done = train.run(asked, wired.ports)
    told = done.outcome["search"]
    assert set(told["chosen"]) == {"fold-0", "fold-1", "all"}
    release = wired.ports.releases.load(done.outcome["releases"]["panel"])
    assert release.manifest["params"] == told["chosen"]["all"]["params"]
    rows = wired.ports.ledger.trials("open_to_open h=1")
    assert len([r for r in rows if r.scope != "panel"]) == 15
    assert len([r for r in rows if r.scope == "panel"]) == 1
    again = train.run(replace(asked, trials=6), wired.ports)
    assert not again.reused
    assert train.run(asked, wired.ports).reused
    for bad in ({"search": "guess"}, {"trials": 0}, {"model": "stacking"}):
        with pytest.raises(InvalidRequest):
            train.run(replace(asked, **bad), wired.ports)
    wired.close()
