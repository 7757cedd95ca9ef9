"""A walk forward cuts bins where its first training rows say, and later rows have no say in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from bellwether.evaluation.splits import Fold, walk_forward
from bellwether.features.views import view
from bellwether.models.cuts import drawn_from
from bellwether.models.explain import contributions
from bellwether.models.factory import make
from bellwether.models.packed import PackedModel
from bellwether.models.table import Table
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import Kept, Place, Recipe, score

COLUMNS = ("return_1", "return_20", "a", "b")
NAMES, DAYS = 20, 160
DAY = np.timedelta64(1, "D")
DECIDED = np.datetime64("2020-01-01T21:00", "us") + np.arange(NAMES * DAYS) // NAMES * DAY
RECIPE = Recipe(("lightgbm", "momentum"), COLUMNS)


def panel(seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(len(DECIDED), len(COLUMNS))).astype(np.float32)
    X[::9, 3] = np.nan
    y = 0.01 * X[:, 2].astype(float) + rng.normal(scale=0.02, size=len(X))
    rows = pl.DataFrame(
        {
            "session": DECIDED.astype("datetime64[D]"),
            "decision_at": DECIDED,
            "label_known_at": DECIDED + DAY,
            "log_return": y,
        }
    ).with_columns(pl.col("decision_at", "label_known_at").dt.replace_time_zone("UTC"))
    return Dataset(view("technical"), rows, X, {})


def folds(first: int = 40, **how: Any) -> list[Fold]:
    return walk_forward(DECIDED, DECIDED + DAY, min_train_dates=first, test_dates=20, **how)


def said(
    data: Dataset, walk: Sequence[Fold], workers: int = 1, kept: Kept | None = None
) -> list[bytes]:
    scored = score(data, walk, RECIPE, Place(workers), lambda *_: None, "", kept)
    return [s.told.to_numpy().tobytes() for s in scored]


class Files:
    """Work files of one walk, in memory."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def keep(self, _work: str, name: str, content: bytes) -> None:
        self.held[name] = content

    def read(self, _work: str, name: str) -> bytes | None:
        return self.held.get(name)


def splits(content: bytes) -> dict[int, np.ndarray]:
    """Return the thresholds of a packed forest, by feature."""
    import onnx

    at, cut = [], []
    for node in onnx.load_from_string(content).graph.node:
        told = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if "nodes_featureids" in told:
            leaf = np.array([mode == b"LEAF" for mode in told["nodes_modes"]])
            at.append(np.array(told["nodes_featureids"])[~leaf])
            cut.append(onnx.numpy_helper.to_array(told["nodes_values_as_tensor"])[~leaf])
    feature, value = np.concatenate(at), np.concatenate(cut)
    return {int(f): value[feature == f] for f in np.unique(feature)}


# ---- No look ahead


def test_what_comes_after_a_fold_changes_nothing_in_it() -> None:
    walk, data, other = folds(), panel(), panel()
    before = walk[2].test[-1] + 1
    other.X[before:] = 50 * other.X[before:] - 7
    other.X[before::3] = np.nan

    assert said(data, walk)[:3] == said(other, walk)[:3]
    assert said(data, walk)[3:] != said(other, walk)[3:]


def test_rows_after_the_first_training_window_do_not_move_cut_points() -> None:
    walk, data = folds(), panel()
    first, last = walk[0].train, walk[-1].train
    other = data.X.copy()
    other[last[-1] + 1 :] = 1e6
    moved = data.X.copy()
    moved[len(first) : last[-1] + 1] *= 3

    packs = [
        make("lightgbm", COLUMNS, seed=0).fit(Table(X, first).part(last), data.y[last]).pack()
        for X in (data.X, other, moved)
    ]

    assert packs[0] == packs[1]
    for content in packs:
        for feature, cut in splits(content).items():
            low, high = np.nanmin(data.X[first, feature]), np.nanmax(data.X[first, feature])
            assert ((cut >= low) & (cut <= high)).all()
    least = min(cut.min() for cut in splits(packs[2]).values())
    assert least > -4  # though half of the rows reach three times as far
    anew = make("lightgbm", COLUMNS, seed=0).fit(moved[last], data.y[last]).pack()
    assert splits(anew).keys() == splits(packs[2]).keys()
    assert anew != packs[2]


def test_folds_share_cut_points_of_the_first() -> None:
    walk, data = folds(), panel()
    trains = [fold.train for fold in walk]

    found = drawn_from(data.X, trains)

    assert found[:5] == [0] * 5
    last = trains[4]
    shared = make("lightgbm", COLUMNS, seed=0).fit(
        Table(data.X, trains[0]).part(last), data.y[last]
    )
    told = PackedModel(shared.pack()).predict(data.X[walk[4].test]).log_return
    walked = score(data, walk, RECIPE, Place(), lambda *_: None, "")[4].told
    assert walked["forecast_lightgbm"].to_numpy().tobytes() == told.tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_from_where_cut_points_are_drawn_is_known_then(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data, walk = panel(seed), folds(20)
    trains = [fold.train for fold in walk]
    data.X[rng.random(data.X.shape) < rng.choice([0.0, 0.01])] = np.nan
    found = drawn_from(data.X, trains)

    for k in range(1, len(walk)):
        other = data.X.copy()
        unseen = np.setdiff1d(np.arange(len(other)), np.concatenate(trains[:k]))
        other[unseen] = rng.choice([np.nan, 0.0, 3.0], size=(len(unseen), other.shape[1]))
        assert drawn_from(other, trains[:k]) == found[:k] == drawn_from(other, trains)[:k]
    assert all(own <= at for at, own in enumerate(found))


# ---- When the first window does not serve


def test_a_short_beginning_is_left_behind() -> None:
    trains = [fold.train for fold in folds(20)]

    found = drawn_from(panel().X[:, :3], trains)

    assert len(trains) == 7
    assert found == [0, 0, 0, 0, 4, 4, 4]  # 20 sessions are a quarter of 80


def test_a_rolling_window_leaves_what_it_has_forgotten() -> None:
    trains = [fold.train for fold in folds(40, window_dates=40)]

    found = drawn_from(panel().X, trains)

    assert found == [0, 0, 2, 2, 4, 4]


@pytest.mark.parametrize("before", [np.nan, 0.0, 2.5])
def test_a_feature_that_begins_later_is_not_lost(before: float) -> None:
    walk, data = folds(), panel()
    data.X[: walk[1].test[-1] + 1, 2] = before  # the one that tells the return
    trains = [fold.train for fold in walk]

    assert drawn_from(data.X, trains)[:5] == [0, 0, 0, 3, 3]
    told = score(data, walk, RECIPE, Place(), lambda *_: None, "")[-1].told["forecast_lightgbm"]
    test = walk[-1].test
    assert np.corrcoef(told.to_numpy(), data.X[test, 2])[0, 1] > 0.7


def test_a_value_that_was_never_missing_may_be_missed_later() -> None:
    walk, data = folds(), panel()
    data.X[walk[1].test[::2], 2] = np.nan

    found = drawn_from(data.X, [fold.train for fold in walk])

    assert found[:4] == [0, 0, 2, 2]


# ---- The same whatever the way


def test_killed_or_in_other_processes_the_bits_are_the_same() -> None:
    walk, data, files = folds(20), panel(), Files()
    wanted = said(data, walk)

    assert said(data, walk, kept=Kept(files, "walk")) == wanted
    for name in [n for n in files.held if n.startswith(("fold-0001", "fold-0002", "fold-0005"))]:
        del files.held[name]
    assert said(data, walk, workers=2, kept=Kept(files, "walk")) == wanted


def test_a_model_of_shared_bins_is_explained_and_packed_as_it_is() -> None:
    walk, data = folds(), panel()
    train = walk[-1].train
    model = make("lightgbm", COLUMNS, seed=0)
    model.fit(Table(data.X, walk[0].train).part(train), data.y[train])
    asked = np.vstack([data.X[walk[-1].test], 100 * data.X[:50], np.full((1, 4), np.nan)])
    asked = asked.astype(np.float32)

    told = PackedModel(model.pack()).predict(asked).log_return

    for x, one in zip(asked[::7], told[::7], strict=True):
        base, shares = contributions(model.explainer(), x)
        assert base + shares.sum() == pytest.approx(one, abs=1e-7)
