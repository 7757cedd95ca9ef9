"""What moves a model: by hand, beside SciPy, and for models that read a part of their features."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.importance import Weighed, importance, words
from bellwether.evaluation.splits import Fold
from bellwether.models.explain import contributions
from bellwether.models.factory import make
from bellwether.models.packed import PackedModel
from bellwether.models.selected import reading
from bellwether.pipelines.folds import Kept, Scored
from bellwether.pipelines.weighing import spread, weigh
from bellwether.registry.work import ObjectWorkFiles

NAMES = ("a", "b", "c", "d")


def learnt(seed: int = 0, n: int = 1200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).astype(np.float32)
    y = 0.01 * X[:, 1].astype(np.float64) + rng.normal(0, 0.01, n)
    days = np.repeat(np.arange(n // 4), 4).astype("datetime64[D]").astype("datetime64[us]")
    return X, y, np.column_stack([days, days + np.timedelta64(1, "D")])


def weighed(moved: list[float], lost: list[list[float]], first: str = "2020-01-01") -> Weighed:
    days = np.datetime64(first) + np.arange(len(lost))
    far = np.array(moved, dtype=np.float64)
    return Weighed(far, days, np.array(lost), np.full(len(lost), 2.0), np.zeros((len(lost), 2)))


def test_by_hand() -> None:
    """Losses .2, .4, .6 over outcomes of 2: R2 lost .2 with error .1 / sqrt 3, t 3.4641."""
    told = importance(
        ["x", "z"],
        [
            weighed([3.0, 1.0], [[0.2, 0.0], [0.4, 0.0]]),
            weighed([1.0, 1.0], [[0.6, 0.0]], "2021-01-01"),
        ],
        1,
    )
    x, z = told["features"]["x"], told["features"]["z"]

    assert x["by_fold"] == [0.75, 0.5]
    assert x["share"] == 0.625
    assert x["r2_lost"] == pytest.approx(0.2)
    assert x["p"] == pytest.approx(2 * stats.t.sf(2 * np.sqrt(3), 2))
    assert x["p_adjusted"] == pytest.approx(2 * 1.5 * x["p"])
    assert (z["r2_lost"], z["p"]) == (0.0, 1.0)
    assert told["folds"][0] == {"from": "2020-01-01", "to": "2020-01-02", "dates": 2, "size": 4.0}


@settings(max_examples=30)
@given(st.lists(st.permutations(range(5)), min_size=2, max_size=6))
def test_agreement_of_folds_is_that_of_scipy(order: list[list[int]]) -> None:
    told = importance(
        list("abcde"),
        [weighed([float(v + 1) for v in ranks], [[0.0] * 5, [0.0] * 5]) for ranks in order],
        1,
    )["stability"]
    table = np.array(order, dtype=np.float64)
    m, k = table.shape
    around = ((table.sum(axis=0) - table.sum(axis=0).mean()) ** 2).sum()

    assert told["kendall_w"] == pytest.approx(12 * around / (m**2 * (k**3 - k)), abs=1e-9)
    assert told["kendall_next"] == pytest.approx(
        [stats.kendalltau(a, b).statistic for a, b in pairwise(table)]
    )


def test_one_fold_agrees_with_nothing() -> None:
    told = importance(["x", "z"], [weighed([1.0, 1.0], [[0.0, 0.0]])], 1)

    assert told["stability"]["kendall_tau"] is None
    assert "ridge is moved most by x (50%), z (50%)" in words(told, "ridge")
    nothing = importance(["x", "z"], [weighed([0.0, 0.0], [[0.0, 0.0]])], 1)
    assert words(nothing, "ridge") == "Nothing moves the forecasts of ridge."
    with pytest.raises(InvalidRequest):
        importance(["x"], [weighed([1.0, 1.0], [[0.0, 0.0]])], 1)
    with pytest.raises(InvalidRequest):
        importance(["x"], [], 1)


@pytest.mark.parametrize("model", ["ridge", "lightgbm", "mean_ensemble"])
def test_what_helps_weighs_most(model: str) -> None:
    X, y, times = learnt()
    fitted = make(model, NAMES, seed=0).fit(X[:800], y[:800], times=times[:800])

    found = weigh(fitted, X[800:], y[800:], times[800:, 0], rows=400, seed=0)
    told = importance(NAMES, [found], 1)
    first = next(iter(told["features"]))

    assert first == "b"
    assert told["features"]["b"]["r2_lost"] > 0.1
    assert told["features"]["b"]["p_adjusted"] < 0.001
    assert found.gained[:, 1].mean() > 0
    assert "the values of b helped beyond chance, of 4 tested" in words(told, model)


def test_the_loss_of_a_line_is_known() -> None:
    """Mixing what adds c to a forecast f of y costs 2 (var c + cov(c, y - f))."""
    X, y, times = learnt(n=20_000)
    fitted = make("linear", NAMES, seed=0).fit(X, y, times=times)
    added = np.array([contributions(fitted.explainer(), x)[1][1] for x in X])
    missed = y - PackedModel(fitted.pack()).predict(X).log_return

    found = weigh(fitted, X, y, times[:, 0], rows=20_000, seed=1)

    expected = 2 * (added.var() + np.cov(added, missed)[0, 1])
    assert found.lost[:, 1].mean() == pytest.approx(expected, rel=0.03)


def test_the_same_seed_weighs_the_same() -> None:
    X, y, times = learnt()
    fitted = make("ridge", NAMES, seed=0).fit(X, y, times=times)
    one, two = (weigh(fitted, X, y, times[:, 0], rows=200, seed=4) for _ in range(2))

    assert one.lost.tobytes() == two.lost.tobytes()


def test_a_fold_that_is_kept_still_says_what_moved_it(tmp_path: Path) -> None:
    X, y, times = learnt()
    fitted = make("ridge", NAMES, seed=0).fit(X, y, times=times)
    one = weigh(fitted, X, y, times[:, 0], rows=200, seed=4)
    kept = Kept(ObjectWorkFiles(str(tmp_path)), "walk")
    rows = np.arange(3)
    fold = Fold(0, rows, rows, times[0, 0], times[2, 0])
    frame = pl.DataFrame({"a": [1]})

    kept.keep(fold, Scored(frame, frame, one))
    back = kept.read(fold)

    assert back is not None
    assert back.weighed is not None
    assert importance(NAMES, [back.weighed], 1) == importance(NAMES, [one], 1)
    kept.files.keep("walk", "fold-0000.weighed.npz", b"no array")
    assert kept.read(fold) is None


def test_whole_dates_are_looked_at() -> None:
    dates = np.repeat(np.arange(100), 7).astype("datetime64[D]")

    kept = spread(dates, 70)

    assert np.unique(dates[kept]).size == 10
    assert kept.size == 70
    assert (dates[kept[:7]] == dates[0]).all()
    assert (dates[kept[-7:]] == dates[-1]).all()
    assert spread(dates, 700).size == 700


@pytest.mark.parametrize("model", ["ridge", "lightgbm", "hist_gradient_boosting", "mean_ensemble"])
def test_a_model_that_reads_some_features_is_its_member(model: str) -> None:
    X, y, times = learnt()
    chosen = (3, 1)
    whole = reading(model, NAMES, chosen, seed=0).fit(X, y, times=times)
    member = make(model, ["d", "b"], seed=0).fit(X[:, chosen].copy(), y, times=times)
    packed = PackedModel(whole.pack())
    other = X.copy()
    other[:, [0, 2]] = np.nan

    said = packed.predict(X)

    alone = PackedModel(member.pack()).predict(np.ascontiguousarray(X[:, chosen]))
    assert said.log_return.tobytes() == alone.log_return.tobytes()
    assert said.probability_up.tobytes() == alone.probability_up.tobytes()
    assert packed.predict(other).log_return.tobytes() == said.log_return.tobytes()
    base, shares = contributions(whole.explainer(), X[5])
    assert shares[[0, 2]].tolist() == [0.0, 0.0]
    assert base + shares.sum() == pytest.approx(said.log_return[5], abs=2e-6)


def test_without_a_feature_the_mean_is_left() -> None:
    X, y, times = learnt()
    none = reading("lightgbm", NAMES, (), seed=0).fit(X, y, times=times)

    assert PackedModel(none.pack()).predict(X).log_return == pytest.approx(y.mean(), abs=1e-8)
