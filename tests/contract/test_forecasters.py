"""Every model keeps the one contract."""

import numpy as np
import pytest

from bellwether.core.errors import UnloadableArtifact
from bellwether.models.explain import contributions
from bellwether.models.factory import BASELINES, MODELS, make
from bellwether.models.packed import PackedModel

COLUMNS = ("return_1", "return_20", *(f"f{i}" for i in range(10)))
ALL = (*MODELS, *BASELINES)


def rows(n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, len(COLUMNS))).astype(np.float32)
    y = 0.01 * X[:, 2].astype(float) + rng.normal(scale=0.02, size=n)
    return X, y


@pytest.mark.parametrize("name", ALL)
def test_fitting_is_deterministic_and_leaves_its_input_alone(name: str) -> None:
    X, y = rows()
    before = X.tobytes(), y.tobytes()

    packs = [make(name, COLUMNS, seed=1).fit(X, y).pack() for _ in range(2)]

    assert packs[0] == packs[1]
    assert (X.tobytes(), y.tobytes()) == before


@pytest.mark.parametrize("name", ALL)
def test_a_row_scores_the_same_alone_and_in_any_company(name: str) -> None:
    X, y = rows()
    packed = PackedModel(make(name, COLUMNS, seed=1).fit(X, y).pack())

    together = packed.predict(X)
    alone = np.array([packed.predict(X[i : i + 1]).log_return[0] for i in range(200)])
    some = packed.predict(X[100:107])

    assert together.log_return[:200].tobytes() == alone.tobytes()
    assert together.probability_up[100:107].tobytes() == some.probability_up.tobytes()
    assert np.isfinite(together.log_return).all()
    assert ((together.probability_up >= 0) & (together.probability_up <= 1)).all()
    assert len(packed.predict(X[:0]).log_return) == 0


@pytest.mark.parametrize("name", ALL)
def test_contributions_add_up_to_the_forecast(name: str) -> None:
    X, y = rows()
    X[3, 4] = np.nan
    model = make(name, COLUMNS, seed=1).fit(X, y)
    said = PackedModel(model.pack()).predict(X[:50]).log_return

    for i in range(50):
        base, shares = contributions(model.explainer(), X[i])
        assert abs(base + shares.sum() - said[i]) < 1e-6


def test_tree_contributions_are_the_librarys_own() -> None:
    import lightgbm as lgb

    from bellwether.models.shap_tables import leaf_tables

    X, y = rows()
    X[::7, 5] = np.nan
    booster = lgb.train(
        {"max_depth": 4, "num_leaves": 12, "verbose": -1, "min_data_in_leaf": 20},
        lgb.Dataset(X, y),
        30,
    )
    trees = [t["tree_structure"] for t in booster.dump_model()["tree_info"]]
    tables = leaf_tables(trees, len(COLUMNS), 4)

    theirs = np.asarray(booster.predict(X[:60], pred_contrib=True))

    for i in range(60):
        base, shares = contributions(tables, X[i])
        assert np.allclose(np.append(shares, base), theirs[i], atol=1e-12)


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(UnloadableArtifact):
        PackedModel(b"nothing of the sort")
