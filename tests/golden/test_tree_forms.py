"""The neutral tree form says what the libraries say, to the threshold and to the missing value."""

from collections.abc import Callable
from itertools import combinations
from math import factorial
from typing import Any, NamedTuple

import numpy as np
import pytest

from bellwether.models import forest, hist, lgbm, xgb
from bellwether.models.explain import contributions
from bellwether.models.packed import PackedModel
from bellwether.models.shap_tables import leaf_tables
from bellwether.models.tree_form import LEAF, Forest, Tree
from bellwether.models.trees import TreeModel

FEATURES = 5
ROUNDS = 25


class Grown(NamedTuple):
    """What a library grew for the return and the direction, and what it says of rows itself."""

    returns: Forest
    direction: Forest
    logistic: bool
    predict: Callable[[np.ndarray], np.ndarray]
    contributions: Callable[[np.ndarray], np.ndarray] | None = None


Grow = Callable[[np.ndarray, np.ndarray], Grown]


class Given(TreeModel):
    """A model of forests that were grown elsewhere."""

    name = "given"
    card = lgbm.LightGBM.card

    def __init__(self, grown: Grown) -> None:
        self.logistic = grown.logistic
        self._grown = grown

    def grow_returns(self, *_: Any) -> Forest:
        return self._grown.returns

    def grow_direction(self, *_: Any) -> Forest:
        return self._grown.direction


def rows(*, missing: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of few distinct values, so that many lie exactly at a threshold."""
    rng = np.random.default_rng(3)
    X = np.round(rng.normal(size=(1200, FEATURES)), 1).astype(np.float32)
    X[:, 1] = rng.normal(size=len(X))
    X[:, 2] *= np.float32(1e-3)
    y = 0.02 * np.sign(X[:, 0]) + 0.01 * X[:, 1] * (X[:, 3] > 0) + rng.normal(0, 0.02, len(X))
    if missing:
        X[rng.random(X.shape) < 0.15] = np.nan
        y += 0.02 * np.isnan(X[:, 0]) - 0.01 * np.isnan(X[:, 4])
    return X, y.astype(np.float64)


def grow_lightgbm(X: np.ndarray, y: np.ndarray) -> Grown:
    import lightgbm as lgb

    params = {"max_depth": 4, "num_leaves": 12, "verbose": -1, "min_data_in_leaf": 10}
    a = lgb.train(params, lgb.Dataset(X, y), ROUNDS)
    b = lgb.train({**params, "objective": "binary"}, lgb.Dataset(X, y > 0), ROUNDS)
    return Grown(
        lgbm.neutral(a),
        lgbm.neutral(b),
        logistic=True,
        predict=lambda Z: np.column_stack([a.predict(Z), b.predict(Z)]),
        contributions=lambda Z: np.asarray(a.predict(Z, pred_contrib=True)),
    )


def grow_xgboost(X: np.ndarray, y: np.ndarray) -> Grown:
    import xgboost

    params = {"max_depth": 4, "nthread": 1, "verbosity": 0}
    a = xgboost.train(params, xgboost.DMatrix(X, y), ROUNDS)
    b = xgboost.train({**params, "objective": "binary:logistic"}, xgboost.DMatrix(X, y > 0), ROUNDS)
    return Grown(
        xgb.neutral(a),
        xgb.neutral(b),
        logistic=True,
        predict=lambda Z: np.column_stack([m.predict(xgboost.DMatrix(Z)) for m in (a, b)]),
        contributions=lambda Z: a.predict(xgboost.DMatrix(Z), pred_contribs=True),
    )


def grow_random_forest(X: np.ndarray, y: np.ndarray) -> Grown:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    params = {"max_depth": 5, "n_estimators": ROUNDS, "random_state": 0}
    a = RandomForestRegressor(**params).fit(X, y)
    b = RandomForestClassifier(**params).fit(X, y > 0)
    return Grown(
        forest.neutral(a),
        forest.neutral(b),
        logistic=False,
        predict=lambda Z: np.column_stack([a.predict(Z), b.predict_proba(Z)[:, 1]]),
    )


def grow_hist_gradient_boosting(X: np.ndarray, y: np.ndarray) -> Grown:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    params = {"max_depth": 4, "max_iter": ROUNDS, "early_stopping": False, "random_state": 0}
    a = HistGradientBoostingRegressor(**params).fit(X, y)
    b = HistGradientBoostingClassifier(**params).fit(X, y > 0)
    return Grown(
        hist.neutral(a),
        hist.neutral(b),
        logistic=True,
        predict=lambda Z: np.column_stack([a.predict(Z), b.predict_proba(Z)[:, 1]]),
    )


LIBRARIES = (grow_lightgbm, grow_xgboost, grow_random_forest, grow_hist_gradient_boosting)
library = pytest.mark.parametrize("grow", LIBRARIES, ids=lambda grow: grow.__name__)


def at_the_thresholds(grown: Grown, X: np.ndarray) -> np.ndarray:
    """Return rows that lie on every threshold, and one float32 step to either side of it."""
    rng = np.random.default_rng(4)
    found = []
    for tree in (*grown.returns.trees, *grown.direction.trees):
        split = (tree.feature != LEAF) & np.isfinite(tree.threshold)
        for feature, threshold in zip(tree.feature[split], tree.threshold[split], strict=True):
            at = np.float32(threshold)
            for value in (np.nextafter(at, np.float32(-9)), at, np.nextafter(at, np.float32(9))):
                row = X[rng.integers(len(X))].copy()
                row[feature] = value
                found.append(row)
    return np.array(found)


@library
@pytest.mark.parametrize("trained_on_missing", [True, False])
def test_the_packed_form_forecasts_what_the_library_does(
    grow: Grow, *, trained_on_missing: bool
) -> None:
    X, y = rows(missing=trained_on_missing)
    grown = grow(X, y)
    asked = at_the_thresholds(grown, rows(missing=True)[0])
    asked = np.vstack([asked, X, rows(missing=True)[0], np.full((1, FEATURES), np.nan)]).astype(
        "f4"
    )

    said = PackedModel(Given(grown).fit(X, y).pack()).predict(asked)
    theirs = grown.predict(asked)

    assert len(asked) > 2000
    assert np.isnan(asked).any()
    assert np.abs(said.log_return - theirs[:, 0]).max() < 1e-7
    assert np.abs(said.probability_up - theirs[:, 1]).max() < 1e-6


@library
def test_cover_is_the_weight_of_the_rows_below(grow: Grow) -> None:
    X, y = rows(missing=True)
    grown = grow(X, y)

    for tree in grown.returns.trees:
        split = tree.feature != LEAF
        below = tree.cover[tree.left[split]] + tree.cover[tree.right[split]]
        assert split.any()
        assert tree.cover[0] == len(X)  # a row that a forest drew twice weighs two
        assert np.allclose(tree.cover[split], below, rtol=1e-6)


@pytest.mark.parametrize("grow", [g for g in LIBRARIES if g in (grow_lightgbm, grow_xgboost)])
def test_contributions_are_the_librarys_own(grow: Grow) -> None:
    X, y = rows(missing=True)
    grown = grow(X, y)
    tables = leaf_tables(grown.returns, FEATURES)

    assert grown.contributions is not None
    theirs = grown.contributions(X[:80])

    precision = 1e-12 if grow is grow_lightgbm else 1e-7  # XGBoost adds up in float32
    for x, told in zip(X[:80], theirs, strict=True):
        base, shares = contributions(tables, x)
        assert np.abs(np.append(shares, base) - told).max() < precision


def expected(tree: Tree, x: np.ndarray, known: frozenset[int], node: int = 0) -> float:
    """Return what a tree says where only some features are known: Lundberg's algorithm 1."""
    feature = int(tree.feature[node])
    if feature == LEAF:
        return float(tree.value[node])
    left, right = int(tree.left[node]), int(tree.right[node])
    if feature in known:
        goes_left = (
            tree.missing_left[node] if np.isnan(x[feature]) else x[feature] <= tree.threshold[node]
        )
        return expected(tree, x, known, left if goes_left else right)
    parts = (tree.cover[child] * expected(tree, x, known, child) for child in (left, right))
    return float(sum(parts) / tree.cover[node])


def shapley(tree: Tree, x: np.ndarray) -> np.ndarray:
    """Return Shapley values by their definition, over every set of features."""
    shares = np.zeros(FEATURES)
    for j in range(FEATURES):
        others = [k for k in range(FEATURES) if k != j]
        for size in range(FEATURES):
            weight = factorial(size) * factorial(FEATURES - size - 1) / factorial(FEATURES)
            for inside in map(frozenset, combinations(others, size)):
                shares[j] += weight * (expected(tree, x, inside | {j}) - expected(tree, x, inside))
    return shares


@library
def test_contributions_are_shapley_values_by_definition(grow: Grow) -> None:
    X, y = rows(missing=True)
    grown = grow(X, y)
    some = Forest.of(grown.returns.trees[:4], grown.returns.base)
    tables = leaf_tables(some, FEATURES)

    for x in (*X[:6], np.full(FEATURES, np.nan, np.float32)):
        base, shares = contributions(tables, x)
        slow = sum(shapley(tree, x.astype(np.float64)) for tree in some.trees)
        alone = some.base + sum(expected(tree, x, frozenset()) for tree in some.trees)
        assert np.abs(shares - slow).max() < 1e-12
        assert abs(base - alone) < 1e-12


def test_a_threshold_is_compared_without_rounding() -> None:
    """A float64 threshold just below a float32 value sends that value right."""
    value = np.float32(0.1)
    none = [0, 0, 0]
    tree = Tree.of(
        ([1, 0, 0], [2, 0, 0]),
        feature=none,
        threshold=[np.nextafter(float(value), 0.0), 0, 0],
        missing_left=none,
        value=[0, 1, 2],
        cover=[2, 1, 1],
    )
    grown = Grown(Forest.of([tree]), Forest.constant(0.5), logistic=False, predict=lambda Z: Z)
    X, y = np.array([[value], [0.0], [np.nan]], dtype=np.float32), np.array([0.1, -0.1, 0.0])

    said = PackedModel(Given(grown).fit(X, y).pack()).predict(X)

    assert said.log_return.tolist() == [2.0, 1.0, 2.0]
    assert said.probability_up.tolist() == [0.5, 0.5, 0.5]
