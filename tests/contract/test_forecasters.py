"""Every model keeps the one contract."""

import subprocess
import sys

import numpy as np
import pytest

from bellwether.core.errors import UnknownName, UnloadableArtifact
from bellwether.models.explain import contributions
from bellwether.models.factory import BASELINES, MODELS, make
from bellwether.models.packed import PackedModel

COLUMNS = ("return_1", "return_20", *(f"f{i}" for i in range(10)))
ALL = (*MODELS, *BASELINES)
TREES = tuple(name for name in MODELS if name != "linear")
HALF_A_FLOAT32_STEP = 2.0**-24


def rows(n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, len(COLUMNS))).astype(np.float32)
    y = 0.01 * X[:, 2].astype(float) + rng.normal(scale=0.02, size=n)
    X[::7, 5] = np.nan
    X[3:, 1][::11] = np.nan
    return X, y


@pytest.mark.parametrize("name", ALL)
def test_fitting_is_deterministic_and_leaves_its_input_alone(name: str) -> None:
    X, y = rows()
    before = X.tobytes(), y.tobytes()
    X.flags.writeable = y.flags.writeable = False

    packs = [make(name, COLUMNS, seed=1).fit(X, y).pack() for _ in range(2)]

    assert packs[0] == packs[1]
    assert (X.tobytes(), y.tobytes()) == before


def test_another_process_with_other_threads_packs_the_same_bytes() -> None:
    code = (
        "import hashlib, numpy as np; from bellwether.models.factory import MODELS, make;"
        "rng = np.random.default_rng(0); X = rng.normal(size=(900, 4)).astype(np.float32);"
        "y = rng.normal(size=900);"
        "packs = (make(m, 'abcd', seed=1).fit(X, y).pack() for m in MODELS);"
        "print([hashlib.sha256(p).hexdigest() for p in packs])"
    )

    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "3")
    }

    assert len(said) == 1


@pytest.mark.parametrize("name", TREES)
def test_a_seed_draws_the_rows_and_columns(name: str) -> None:
    X, y = rows()

    assert (
        make(name, COLUMNS, seed=1).fit(X, y).pack() != make(name, COLUMNS, seed=2).fit(X, y).pack()
    )


@pytest.mark.parametrize("name", ALL)
def test_a_row_scores_the_same_alone_and_in_any_company(name: str) -> None:
    X, y = rows()
    packed = PackedModel(make(name, COLUMNS, seed=1).fit(X, y).pack())

    together = packed.predict(X)
    alone = [packed.predict(X[i : i + 1]) for i in range(200)]
    some = packed.predict(X[100:107])

    for field in ("log_return", "probability_up"):
        whole = getattr(together, field)
        assert whole.shape == (len(X),)
        assert whole.dtype == np.float64
        assert np.isfinite(whole).all()
        assert whole[:200].tobytes() == b"".join(getattr(one, field).tobytes() for one in alone)
        assert whole[100:107].tobytes() == getattr(some, field).tobytes()
        assert len(getattr(packed.predict(X[:0]), field)) == 0
    assert packed.n_features == len(COLUMNS)
    assert ((together.probability_up >= 0) & (together.probability_up <= 1)).all()


@pytest.mark.parametrize("name", ALL)
def test_contributions_add_up_to_the_forecast(name: str) -> None:
    X, y = rows()
    model = make(name, COLUMNS, seed=1).fit(X, y)
    said = PackedModel(model.pack()).predict(X[:50]).log_return
    explainer = model.explainer()

    for i in range(50):
        base, shares = contributions(explainer, X[i])
        one_rounding = HALF_A_FLOAT32_STEP * abs(said[i]) + 1e-12
        assert shares.shape == (len(COLUMNS),)
        assert abs(base + shares.sum() - said[i]) < (one_rounding if name in TREES else 1e-6)


@pytest.mark.parametrize("name", ALL)
def test_the_size_of_labels_is_the_returns_and_their_sign_the_directions(name: str) -> None:
    X, y = rows()
    once, twice, against = (
        PackedModel(make(name, COLUMNS, seed=1).fit(X, labels).pack()).predict(X)
        for labels in (y, 2 * y, -y)
    )

    assert np.allclose(twice.log_return, 2 * once.log_return, rtol=1e-2, atol=1e-7)
    assert twice.probability_up.tobytes() == once.probability_up.tobytes()
    if name in MODELS:
        assert np.corrcoef(once.log_return, y)[0, 1] > 0.3
        assert np.corrcoef(once.probability_up, y)[0, 1] > 0.3
        assert np.corrcoef(once.log_return, against.log_return)[0, 1] < -0.9
        assert np.corrcoef(once.probability_up, against.probability_up)[0, 1] < -0.9


def _poor(case: str) -> tuple[np.ndarray, np.ndarray]:
    X, y = rows(600)
    labels = {"all up": abs(y), "all down": -abs(y), "no moves": 0 * y}
    labels["one move"] = np.where(np.arange(len(y)) == 3, 0.01, 0.0)
    if case in labels:
        return X, labels[case]
    if case.endswith("rows"):
        n = int(case.removesuffix(" rows"))
        return X[:n].copy(), y[:n].copy()
    X[:, 4] = {"constant column": 1.0, "missing column": np.nan}.get(case, X[:, 4])
    if case == "all constant":
        X[:] = 1
    if case == "all missing":
        X[:] = np.nan
    return X, y


POOR = (
    "all up",
    "all down",
    "no moves",
    "one move",
    "constant column",
    "missing column",
    "all constant",
    "all missing",
    "1 rows",
    "2 rows",
    "3 rows",
    "30 rows",
)


@pytest.mark.parametrize("case", POOR)
@pytest.mark.parametrize("name", ALL)
def test_poor_data_gives_a_model_that_answers(name: str, case: str) -> None:
    X, y = _poor(case)
    asked = np.vstack([rows(40)[0], np.full((1, len(COLUMNS)), np.nan, np.float32)])

    model = make(name, COLUMNS, seed=1).fit(X, y)
    said = PackedModel(model.pack()).predict(asked)
    explainer = model.explainer()

    assert np.isfinite(said.log_return).all()
    assert ((said.probability_up >= 0) & (said.probability_up <= 1)).all()
    for x, log_return in zip(asked, said.log_return, strict=True):
        base, shares = contributions(explainer, x)
        assert abs(base + shares.sum() - log_return) < 1e-8
    if name in MODELS and case in {"all up", "all down", "no moves", "1 rows"}:
        assert (said.direction() == 0).all()
    if case == "no moves":
        assert (said.log_return == 0).all()
        assert name != "historical_mean" or (said.probability_up == 0.5).all()


def test_a_name_that_is_no_model_is_answered_with_all_names() -> None:
    with pytest.raises(UnknownName, match="hist_gradient_boosting"):
        make("oracle", COLUMNS, seed=0)


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(UnloadableArtifact):
        PackedModel(b"nothing of the sort")
