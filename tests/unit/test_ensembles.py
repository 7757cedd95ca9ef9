"""Weights of ensembles: by hand, and from forecasts out of sample alone."""

from typing import Any

import numpy as np
import pytest

from bellwether.models.baselines import HistoricalMean, LastValue
from bellwether.models.ensemble import (
    Ensemble,
    MeanEnsemble,
    MedianEnsemble,
    Stacking,
    TrimmedEnsemble,
    convex,
)
from bellwether.models.explain import contributions
from bellwether.models.factory import make
from bellwether.models.forest import RandomForest
from bellwether.models.inner import blocks
from bellwether.models.linear import Linear
from bellwether.models.packed import PackedModel

DAY = np.timedelta64(1, "D")


class Says(HistoricalMean):
    """A member that says two numbers, whatever it learns from."""

    name = "says"

    def __init__(self, log_return: float, probability_up: float) -> None:
        super().__init__()
        self._says = log_return, probability_up

    def learn(self, _rows: Any) -> None:
        self.log_return, self.probability_up = self._says


def days(n: int, names: int, horizon: int = 1) -> np.ndarray:
    decided = np.datetime64("2020-01-01", "us") + np.arange(n) // names * DAY
    return np.column_stack([decided, decided + horizon * DAY])


@pytest.mark.parametrize(
    ("kind", "log_return", "probability_up"),
    [
        (MeanEnsemble, (0.01 + 0.02 - 0.05 + 0.04 + 0.08) / 5, (0.1 + 0.9 + 0.5 + 0.6 + 0.7) / 5),
        (MedianEnsemble, 0.02, 0.6),
        (TrimmedEnsemble, (0.01 + 0.02 + 0.04) / 3, (0.5 + 0.6 + 0.7) / 3),
    ],
)
def test_averages_are_those_by_hand(kind: Any, log_return: float, probability_up: float) -> None:
    chances = (0.1, 0.9, 0.5, 0.6, 0.7)
    members = [Says(r, p) for r, p in zip((0.01, 0.02, -0.05, 0.04, 0.08), chances, strict=True)]
    X, y = np.zeros((4, 2), np.float32), np.arange(4.0)

    model = kind(members).fit(X, y)
    said = PackedModel(model.pack()).predict(X)
    base, shares = contributions(model.explainer(), X[0])

    assert said.log_return == pytest.approx([log_return] * 4, rel=1e-6)
    assert said.probability_up == pytest.approx([probability_up] * 4, rel=1e-6)
    assert base + shares.sum() == pytest.approx(log_return)


def test_the_median_of_an_even_number_is_the_mean_of_the_two_in_the_middle() -> None:
    members = [Says(r, 0.5) for r in (0.01, 0.03, -0.5, 9.0)]
    X = np.zeros((3, 2), np.float32)

    model = MedianEnsemble(members).fit(X, np.arange(3.0))

    said = PackedModel(model.pack()).predict(X).log_return
    assert said == pytest.approx([0.02] * 3, rel=1e-6)


def test_a_block_is_forecast_from_what_was_known_when_it_began() -> None:
    rng = np.random.default_rng(0)
    times = days(600, 3, horizon=7)[rng.permutation(600)]

    found = blocks(times)

    assert len(found) == 3
    seen: list[int] = []
    for learnt, asked in found:
        begins = times[asked, 0].min()
        assert (times[learnt, 1] <= begins).all()
        assert (times[learnt, 0] < begins).all()
        assert times[learnt, 0].max() == begins - 7 * DAY  # no more is purged than must be
        seen += asked.tolist()
    assert len(set(seen)) == len(seen)
    assert set(seen) == set(np.flatnonzero(times[:, 0] >= times[:, 0].min() + 80 * DAY).tolist())


def test_labels_known_too_late_and_few_dates_leave_no_block() -> None:
    assert blocks(days(40, 5)) == []
    assert blocks(days(60, 3, horizon=900)) == []


def test_what_only_remembers_gets_no_weight_from_rows_that_it_saw() -> None:
    """A forest of leaves of one row fits noise; out of sample it is worth less than the mean."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(900, 6)).astype(np.float32)
    y = rng.normal(scale=0.02, size=900)
    wild = RandomForest(min_rows_per_leaf=1, n_trees=5)
    members = [wild, LastValue()]

    stacked = Stacking(members).fit(X, y, None, days(900, 3))
    inside = np.column_stack([PackedModel(m.pack()).predict(X).log_return for m in members])
    even = np.array([0.5, 0.5])

    assert convex(inside, y, None, even)[0] > 0.6
    assert stacked.explainer()["weights"][0] < 0.4


def test_the_better_member_gets_more_weight() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(3000, 2)).astype(np.float32)
    y = 0.02 * X[:, 0] + rng.normal(scale=0.005, size=3000)

    stacked = Stacking([Linear(alpha=1.0), LastValue()]).fit(X, y, None, days(3000, 3))

    weights = stacked.explainer()["weights"]
    assert weights[0] > 0.95
    assert weights.sum() == pytest.approx(1)


def test_what_comes_after_a_block_does_not_move_what_was_said_of_it() -> None:
    """Weights read forecasts of blocks; labels of the last block train no forecast at all."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 3)).astype(np.float32)
    y = rng.normal(scale=0.02, size=300)
    times = days(300, 3)
    seen = []

    class Noting(Linear):
        """Notes the rows it learns from."""

        name = "noting"

        def learn(self, rows: Any) -> None:
            seen.append(rows.times[:, 1].max())
            super().learn(rows)

    Stacking([Noting(), LastValue()]).fit(X, y, None, times)

    begins = [times[asked, 0].min() for _, asked in blocks(times)]
    assert [known <= begun for known, begun in zip(seen[:3], begins, strict=True)] == [True] * 3
    assert seen[3] == times[:, 1].max()  # and at last from all


@pytest.mark.parametrize("n", [1, 2, 5])
def test_weights_are_a_mixture_and_even_where_nothing_tells_members_apart(n: int) -> None:
    rng = np.random.default_rng(8)
    said = rng.normal(scale=0.001, size=(50, n))
    y = rng.normal(scale=0.02, size=50)
    even = np.full(n, 1 / n)

    found = convex(said, y, rng.uniform(0.1, 2, 50), even)

    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1)
    same = convex(np.repeat(said[:, :1], n, axis=1), y, None, even)
    assert same == pytest.approx(even, abs=1e-9)
    assert convex(said, 0 * y, None, even).tolist() == even.tolist()
    assert convex(said[:0], y[:0], None, even).tolist() == even.tolist()


def test_weights_are_those_of_a_general_solver() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(9)
    said = rng.normal(size=(200, 4))
    y = said @ [0.5, 0.1, 0.4, -0.3] + rng.normal(size=200)
    w = rng.uniform(0.2, 3, 200)
    even = np.full(4, 0.25)
    varied = np.sum(w * (y - np.average(y, weights=w)) ** 2)

    def lost(v: np.ndarray) -> float:
        return float(np.sum(w * (y - said @ v) ** 2) / varied + 0.02 * np.sum((v - even) ** 2))

    theirs = minimize(
        lost,
        even,
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda v: v.sum() - 1},
        tol=1e-12,
    ).x

    assert convex(said, y, w, even) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize(
    "kind", ["mean_ensemble", "median_ensemble", "trimmed_ensemble", "stacking"]
)
def test_members_that_learnt_already_give_the_same_bytes(kind: str) -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(400, 3)).astype(np.float32)
    y = 0.01 * X[:, 0].astype(np.float64) + rng.normal(0, 0.01, 400)
    times, names = days(400, 2), ("a", "b", "c")
    alone = make(kind, names, seed=5).fit(X, y, times=times).pack()
    linear = make("linear", names, seed=5).fit(X, y, times=times)
    learnt = {"linear": linear}
    again, fresh = make(kind, names, seed=5), make(kind, names, seed=5)
    assert isinstance(again, Ensemble)
    assert isinstance(fresh, Ensemble)
    assert again.over(learnt, X, y, times).pack() == alone
    assert set(learnt) == {
        "linear",
        "random_forest",
        "hist_gradient_boosting",
        "xgboost",
        "lightgbm",
    }
    assert learnt["linear"] is linear
    assert fresh.over(learnt, X, y, times).pack() == alone
