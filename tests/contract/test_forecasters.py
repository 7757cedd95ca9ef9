"""Every model keeps the one contract."""

import io
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pytest

from bellwether.core.errors import (
    InvalidRequest,
    MissingExtra,
    Unfitted,
    UnknownName,
    UnloadableArtifact,
)
from bellwether.models.base import Forecaster, Forecasts
from bellwether.models.explain import contributions
from bellwether.models.factory import BASELINES, MODELS, available, make
from bellwether.models.packed import PackedModel
from bellwether.models.table import Table

COLUMNS = ("return_1", "return_20", *(f"f{i}" for i in range(10)))
ROUNDS = 8
NAMES_A_DAY = 5
ENSEMBLES = ("mean_ensemble", "median_ensemble", "trimmed_ensemble", "stacking")
TREES = (
    "lightgbm",
    "xgboost",
    "random_forest",
    "hist_gradient_boosting",
    "lightgbm_quantile",
    "lightgbm_rank",
)
HALF_A_FLOAT32_STEP = 2.0**-24
FIELDS = ("log_return", "probability_up")


def _listed(names: tuple[str, ...]) -> list[Any]:
    absent = pytest.mark.skipif(
        find_spec("torch") is None, reason="PyTorch (the extra 'deep') is not installed here"
    )
    return [pytest.param(name, marks=absent if name == "lstm" else ()) for name in names]


every_model = pytest.mark.parametrize("name", _listed((*MODELS, *BASELINES)))
every_learner = pytest.mark.parametrize("name", _listed(MODELS))


class Data(NamedTuple):
    """Rows, labels, and when each was decided and known."""

    X: np.ndarray
    y: np.ndarray
    times: np.ndarray

    def coarse(self) -> "Data":
        """Return the same with one decimal: scikit-learn bins few values faster by weight."""
        return self._replace(X=self.X.round(1))

    def first(self, n: int) -> "Data":
        return Data(self.X[:n].copy(), self.y[:n].copy(), self.times[:n].copy())


def rows(n: int = 1000, seed: int = 0) -> Data:
    """Return rows of which the third column tells the return, and two have holes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, len(COLUMNS))).astype(np.float32)
    y = 0.01 * X[:, 2].astype(float) + rng.normal(scale=0.02, size=n)
    X[::7, 5] = np.nan
    X[3:, 1][::11] = np.nan
    day = np.datetime64("2020-01-01T21:00", "us") + np.arange(n) // NAMES_A_DAY * np.timedelta64(
        1, "D"
    )
    return Data(X, y, np.column_stack([day, day + np.timedelta64(1, "D")]))


def fresh(name: str, seed: int = 1, rounds: int | None = ROUNDS) -> Forecaster:
    return make(name, COLUMNS, seed=seed, rounds=rounds)


def fit(name: str, data: Data, weights: np.ndarray | None = None, **how: Any) -> Forecaster:
    return fresh(name, **how).fit(data.X, data.y, weights, data.times)


def told(name: str, data: Data, weights: np.ndarray | None = None, **how: Any) -> PackedModel:
    return PackedModel(fit(name, data, weights, **how).pack())


@cache
def usual(name: str) -> tuple[Forecaster, bytes, PackedModel]:
    """Return the model that learnt from the usual rows, once for all tests."""
    model = fit(name, rows())
    content = model.pack()
    return model, content, PackedModel(content)


def bits(said: Forecasts) -> bytes:
    more = b"" if said.quantiles is None else said.quantiles.tobytes()
    return said.log_return.tobytes() + said.probability_up.tobytes() + more


def forecast_by_parts(explainer: Any, x: np.ndarray) -> float:
    base, shares = contributions(explainer, x)
    assert shares.shape == x.shape
    assert np.isfinite(shares).all()
    return float(base + shares.sum())


# ---- What a model is


def test_names_are_unique_and_all_can_be_made() -> None:
    assert len({*MODELS, *BASELINES}) == len(MODELS) + len(BASELINES)
    assert set(available()) | {"lstm"} == set(MODELS)


@every_model
def test_a_model_says_what_it_is_before_and_after_it_learnt(name: str) -> None:
    model = fresh(name)
    card = model.describe()

    assert model.name == card.name == name
    for said in (card.library, card.what, card.missing, card.explanation, card.use):
        assert said
    assert usual(name)[0].describe() == card
    assert sorted(card.levels) == list(card.levels)


def test_a_name_that_is_no_model_is_answered_with_all_names() -> None:
    with pytest.raises(UnknownName, match="hist_gradient_boosting"):
        make("oracle", COLUMNS, seed=0)


def test_without_its_library_a_model_says_which_part_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingExtra, match=r"lstm needs .* pip install 'bellwether\[deep\]'"):
        make("lstm", COLUMNS, seed=0)
    assert "lstm" not in available()


@every_model
def test_a_model_is_as_small_and_as_quick_as_it_promises(name: str) -> None:
    model = fit(name, rows(), rounds=None) if name in {"lightgbm", "lstm"} else usual(name)[0]
    content = model.pack()
    packed, one, card = PackedModel(content), rows(1).X, model.describe()
    least = np.inf
    for _ in range(50):
        begun = time.perf_counter()
        packed.predict(one)
        least = min(least, time.perf_counter() - begun)

    assert len(content) <= card.size_kb * 1000
    assert least * 1e6 <= card.latency_us


# ---- Same in, same out


@every_model
def test_two_fits_give_the_same_bytes(name: str) -> None:
    model, content, _ = usual(name)
    again = fit(name, rows())

    assert again.pack() == content
    first, second = model.explainer(), again.explainer()
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in second.items()}


@every_model
def test_another_seed_gives_another_model_where_the_card_says_so(name: str) -> None:
    other = fit(name, rows(), seed=2)

    assert (other.pack() != usual(name)[1]) == other.describe().seeded


def test_another_process_with_other_threads_packs_the_same_bytes() -> None:
    code = (
        "import hashlib, numpy as np; from bellwether.models.factory import available, make;"
        "rng = np.random.default_rng(0); X = rng.normal(size=(900, 4)).astype(np.float32);"
        "y = rng.normal(size=900); day = np.arange(900).astype('datetime64[D]');"
        "t = np.column_stack([day, day + 1]); c = ('return_5', 'return_1', 'a', 'b');"
        "packs = (make(m, c, seed=1, rounds=8).fit(X, y, None, t).pack() for m in available());"
        "print([hashlib.sha256(p).hexdigest() for p in packs])"
    )
    here = io.StringIO()
    with redirect_stdout(here):
        exec(code, {})  # noqa: S102 - the same words in both places

    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        env={"OMP_NUM_THREADS": "3", "PYTHONHASHSEED": "3"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert elsewhere.stdout == here.getvalue()


@every_model
def test_fitting_leaves_its_inputs_alone_and_takes_what_cannot_be_written(name: str) -> None:
    data = rows().coarse()
    weights = np.linspace(0.5, 2, len(data.y))
    given = (*data, weights)
    before = [array.tobytes() for array in given]
    for array in given:
        array.flags.writeable = False

    fit(name, data, weights).pack()

    assert [array.tobytes() for array in given] == before


@every_model
def test_a_second_fit_forgets_the_first(name: str) -> None:
    other = rows(700, seed=5)
    model = fit(name, Data(other.X[:, ::-1].copy(), -other.y, other.times))
    data = rows()

    assert model.fit(data.X, data.y, None, data.times).pack() == usual(name)[1]


@every_model
def test_part_of_a_table_is_learnt_from_as_its_rows_are(name: str) -> None:
    data = rows()
    others = np.full((5, len(COLUMNS)), 1e6, np.float32)
    table = np.vstack([others, data.X, others])
    mine = np.arange(len(data.X)) + len(others)

    part = Table(table, drawn=mine).part(mine)
    model = fresh(name).fit(part, data.y, None, data.times)

    assert model.pack() == usual(name)[1]


@every_model
def test_fitting_moves_no_state_that_others_share(name: str) -> None:
    before = _shared_state()

    fit(name, rows(300))

    assert _shared_state() == before


def _shared_state() -> list[bytes]:
    drawn = [np.random.get_state()[1].tobytes()]  # noqa: NPY002 - the one that is not ours to move
    if find_spec("torch") is not None:
        import torch

        drawn += [torch.get_rng_state().numpy().tobytes(), bytes(torch.get_num_threads())]
    return drawn


# ---- Packed


@every_model
def test_very_many_rows_are_scored_as_few_are(name: str) -> None:
    packed, X = usual(name)[2], np.tile(rows().X, (66, 1))[: (1 << 16) + 1]

    told = packed.predict(X)

    few = packed.predict(X[:1000])
    assert told.log_return.tobytes() == np.resize(few.log_return, len(X)).tobytes()
    assert told.probability_up.tobytes() == np.resize(few.probability_up, len(X)).tobytes()


@every_model
def test_packed_bytes_load_any_number_of_times_to_the_same_bits(name: str) -> None:
    _, content, packed = usual(name)
    X = rows().X

    assert bits(PackedModel(bytes(content)).predict(X)) == bits(packed.predict(X))
    assert packed.n_features == len(COLUMNS)


@every_model
def test_forecasts_have_their_shapes_types_and_ranges(name: str) -> None:
    said = usual(name)[2].predict(rows().X)

    for field in FIELDS:
        values = getattr(said, field)
        assert values.shape == (1000,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        assert (values == values.astype(np.float32)).all()
    assert ((said.probability_up >= 0) & (said.probability_up <= 1)).all()
    assert said.direction().dtype == np.int8
    assert (said.direction() == np.sign(said.probability_up - 0.5)).all()


@every_model
def test_a_row_scores_the_same_alone_and_in_any_company(name: str) -> None:
    packed, X = usual(name)[2], rows().X
    whole = packed.predict(X)

    alone = [packed.predict(X[i : i + 1]) for i in range(100)]
    for field in FIELDS:
        together = getattr(whole, field)
        assert together[:100].tobytes() == b"".join(getattr(a, field).tobytes() for a in alone)
    for start, n in ((100, 2), (7, 3), (40, 7), (3, 16), (1, 31), (500, 97), (2, 998)):
        some = packed.predict(X[start : start + n])
        for field in FIELDS:
            assert getattr(some, field).tobytes() == getattr(whole, field)[start:][:n].tobytes()


@every_model
def test_rows_in_another_order_get_the_same_bits(name: str) -> None:
    packed, X = usual(name)[2], rows().X
    order = np.random.default_rng(3).permutation(len(X))
    straight, mixed = packed.predict(X), packed.predict(X[order])

    for field in FIELDS:
        assert getattr(mixed, field).tobytes() == getattr(straight, field)[order].tobytes()


@every_model
def test_many_threads_may_ask_at_once(name: str) -> None:
    packed, X = usual(name)[2], rows().X

    with ThreadPoolExecutor(4) as pool:
        said = set(pool.map(lambda _: bits(packed.predict(X)), range(12)))

    assert said == {bits(packed.predict(X))}


@every_model
def test_no_rows_give_no_forecasts(name: str) -> None:
    said = usual(name)[2].predict(rows().X[:0])

    assert said.log_return.shape == said.probability_up.shape == (0,)
    levels = usual(name)[0].describe().levels
    assert (said.quantiles is None) == (not levels)
    assert said.quantiles is None or said.quantiles.shape == (0, len(levels))


@every_model
def test_what_is_asked_may_be_float64_and_lie_in_any_order(name: str) -> None:
    packed, X = usual(name)[2], rows().X
    straight = bits(packed.predict(X))
    wide = np.repeat(X, 2, axis=1)

    assert bits(packed.predict(X.astype(np.float64))) == straight
    assert bits(packed.predict(np.asfortranarray(X))) == straight
    assert bits(packed.predict(wide[:, ::2])) == straight


@every_model
def test_asking_for_other_columns_or_infinite_ones_is_refused(name: str) -> None:
    packed, X = usual(name)[2], rows(4).X
    endless = X.copy()
    endless[2, 3] = np.inf

    for wrong in (
        X[:, :-1],
        np.hstack([X, X]),
        X[0],
        np.ones((4, 12), int),
        X.astype(str),
        endless,
    ):
        with pytest.raises(InvalidRequest, match="X"):
            packed.predict(wrong)
    with pytest.raises(InvalidRequest, match="column 3 is infinite"):
        packed.predict(np.where(np.isinf(endless), 1e300, endless.astype(np.float64)))


@pytest.mark.parametrize("content", [b"", b"nothing of the sort", b"\x80\x04K\x01."])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(UnloadableArtifact):
        PackedModel(content)


def test_the_server_needs_no_library_that_fitted_a_model(tmp_path: Any) -> None:
    said = {}
    for name in available():
        model, content, packed = usual(name)
        (tmp_path / f"{name}.onnx").write_bytes(content)
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, **model.explainer())
        said[name] = packed.predict(rows(3).X).log_return
    np.savez(tmp_path / "asked.npz", X=rows(3).X, **said)
    code = (
        "import sys, pathlib, numpy as np; from bellwether.models.packed import PackedModel;"
        "from bellwether.models.explain import contributions;"
        f"home = pathlib.Path({str(tmp_path)!r}); asked = np.load(home / 'asked.npz')\n"
        "for name in asked.files:\n"
        "    if name == 'X': continue\n"
        "    packed = PackedModel((home / f'{name}.onnx').read_bytes())\n"
        "    assert packed.predict(asked['X']).log_return.tobytes() == asked[name].tobytes(), name\n"
        "    told = dict(np.load(home / f'{name}.npz', allow_pickle=False))\n"
        "    base, shares = contributions(told, asked['X'][0])\n"
        "    assert abs(base + shares.sum() - asked[name][0]) < 1e-7, name\n"
        "heavy = {'sklearn', 'lightgbm', 'xgboost', 'torch', 'onnx', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


# ---- What is learnt


@every_learner
def test_the_size_of_labels_is_the_returns_and_their_sign_the_directions(name: str) -> None:
    data = rows()
    once, twice, against = (
        told(name, data._replace(y=labels), rounds=30).predict(data.X)
        for labels in (data.y, 2 * data.y, -data.y)
    )

    assert np.allclose(twice.log_return, 2 * once.log_return, rtol=1e-2, atol=1e-7)
    assert np.allclose(twice.probability_up, once.probability_up, rtol=0, atol=1e-6)
    assert np.corrcoef(once.log_return, data.y)[0, 1] > 0.3
    assert np.corrcoef(once.probability_up, data.y)[0, 1] > 0.3
    assert np.corrcoef(once.log_return, against.log_return)[0, 1] < -0.8
    assert np.corrcoef(once.probability_up, against.probability_up)[0, 1] < -0.8


@every_model
def test_the_packed_model_says_what_its_library_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    native, packed = _native(name, rows(), monkeypatch)
    said = packed.predict(rows().X)

    assert np.allclose(said.log_return, native[:, 0], rtol=1e-6, atol=2e-8)
    assert np.allclose(said.probability_up, native[:, 1], rtol=1e-6, atol=1e-6)


def _native(
    name: str, data: Data, monkeypatch: pytest.MonkeyPatch
) -> tuple[np.ndarray, PackedModel]:
    """Fit, catch what the libraries made on its way to the neutral form, and ask them."""
    from bellwether.models import forest, hist, lgbm, linear, xgb

    caught: list[Any] = []

    def catch(module: Any, attribute: str) -> None:
        real = getattr(module, attribute)

        def through(*given: Any) -> Any:
            made = real(*given)
            caught.append((module.__name__.rpartition(".")[2], attribute, given, made))
            return made

        monkeypatch.setattr(module, attribute, through)

    for module in (forest, hist, lgbm, xgb):
        catch(module, "neutral")
    for attribute in ("regress", "classify"):
        catch(linear, attribute)
    model = fresh(name, rounds=ROUNDS)
    packed = PackedModel(model.fit(data.X, data.y, None, data.times).pack())
    return _asked(name, model, caught, data), packed


def _asked(name: str, model: Forecaster, caught: list[Any], data: Data) -> np.ndarray:
    if name in ENSEMBLES:
        return _of_members(name, model, data)
    if name in TREES and name != "lightgbm_rank":
        returns, direction = (_library(*caught[i]) for i in (0, 1))
        return np.column_stack([returns(data.X), direction(data.X)])
    # Lines over one score, constants and the network: computed afresh from what the model explains.
    by_parts = [forecast_by_parts(model.explainer(), x) for x in data.X]
    chance = PackedModel(model.pack()).predict(data.X).probability_up
    return np.column_stack([by_parts, chance])


def _library(kind: str, _: str, given: tuple[Any, ...], __: Any) -> Any:
    if kind == "lgbm":
        return given[0].predict
    if kind == "xgb":
        import xgboost

        return lambda X: given[0].predict(xgboost.DMatrix(X))
    if hasattr(given[0], "predict_proba"):
        return lambda X: given[0].predict_proba(X)[:, 1]
    return given[0].predict


def _of_members(name: str, model: Any, data: Data) -> np.ndarray:
    said = [PackedModel(m.pack()).predict(data.X) for m in model._members]
    columns = []
    weights = (model._weights, model._direction_weights)
    for field, w in zip(FIELDS, weights, strict=True):
        members = np.column_stack([getattr(one, field) for one in said])
        combined = {
            "mean_ensemble": members.mean(axis=1),
            "median_ensemble": np.median(members, axis=1),
            "trimmed_ensemble": np.sort(members, axis=1)[:, 1:-1].mean(axis=1),
            "stacking": members @ w,
        }
        columns.append(combined[name])
    return np.column_stack(columns)


def test_linear_models_are_the_librarys_own() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.linear_model import Ridge as TheirRidge

    data = rows()
    wide = data.X.astype(np.float64)
    z = np.nan_to_num((wide - np.nanmean(wide, axis=0)) / np.nanstd(wide, axis=0)).clip(-5, 5)
    ridge = TheirRidge(alpha=5000.0).fit(z, data.y)
    logistic = LogisticRegression(C=1 / 5000.0, max_iter=1000).fit(z, data.y > 0)

    for name in ("linear", "ridge"):
        said = usual(name)[2].predict(data.X)
        assert np.allclose(said.log_return, ridge.predict(z), rtol=1e-6, atol=2e-8)
    for name in ("linear", "logistic"):
        chance = usual(name)[2].predict(data.X).probability_up
        assert np.allclose(chance, logistic.predict_proba(z)[:, 1], rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed here")
def test_the_network_is_the_librarys_own() -> None:
    import torch

    data, told_of = rows(), usual("lstm")[0].explainer()
    z = np.nan_to_num((data.X - told_of["mean"]) / told_of["scale"]).clip(-5, 5)
    core = torch.nn.LSTM(1, told_of["recurrent"].shape[1], batch_first=True).double()
    parts = [told_of[k] for k in ("input", "recurrent", "bias")]
    for parameter, value in zip(core.parameters(), [*parts, 0 * parts[2]], strict=True):
        parameter.data = torch.from_numpy(np.ascontiguousarray(value))
    with torch.no_grad():
        state = core(torch.from_numpy(z[:, told_of["window"]]))[1][0][0].numpy()
    theirs = np.hstack([state, z[:, told_of["static"]]]) @ told_of["head"] + told_of["level"][0]

    assert told_of["window"].tolist() == [[1], [0]]  # return_20, then return_1
    said = usual("lstm")[2].predict(data.X).log_return
    assert np.allclose(said, theirs, rtol=1e-6, atol=2e-8)


# ---- Contributions


@every_model
def test_contributions_add_up_to_the_forecast(name: str) -> None:
    model, _, packed = usual(name)
    X = rows().X[:40].copy()
    X[-1] = np.nan
    said = packed.predict(X).log_return
    explainer = model.explainer()

    for x, log_return in zip(X, said, strict=True):
        one_rounding = HALF_A_FLOAT32_STEP * abs(log_return) + 1e-12
        off = abs(forecast_by_parts(explainer, x) - log_return)
        assert off < (one_rounding if name in TREES else 1e-7)


@every_model
def test_a_column_that_never_moved_contributes_nothing(name: str) -> None:
    data = rows()
    data.X[:, 4] = 3.0
    explainer = fit(name, data).explainer()

    assert all(contributions(explainer, x)[1][4] == 0 for x in data.X[:20])


@every_model
def test_explanations_are_arrays_that_need_no_pickle(name: str) -> None:
    explainer = usual(name)[0].explainer()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **explainer)
    buffer.seek(0)
    back = dict(np.load(buffer, allow_pickle=False))

    x = rows().X[11]
    assert forecast_by_parts(back, x) == forecast_by_parts(explainer, x)


# ---- Before it learnt


@every_model
def test_a_model_that_learnt_nothing_says_so(name: str) -> None:
    model = fresh(name)

    with pytest.raises(Unfitted, match=name):
        model.pack()
    with pytest.raises(Unfitted, match="fit it first"):
        model.explainer()


@every_model
def test_a_fit_that_was_refused_leaves_nothing_of_the_one_before(name: str) -> None:
    data = rows(50)
    model = fit(name, data)
    with pytest.raises(InvalidRequest):
        model.fit(data.X, data.y * np.nan, None, data.times)

    with pytest.raises(Unfitted):
        model.pack()


# ---- What is refused


@every_model
@pytest.mark.parametrize(
    "wrong", ["no rows", "no columns", "infinite", "one row of numbers", "int"]
)
def test_features_that_teach_nothing_are_refused(name: str, wrong: str) -> None:
    data = rows(30)
    X = {
        "no rows": data.X[:0],
        "no columns": data.X[:, :0],
        "infinite": np.where(np.isnan(data.X), -np.inf, data.X),
        "one row of numbers": data.X[0],
        "int": np.ones((30, 12), dtype=int),
    }[wrong]
    n = len(X)

    with pytest.raises(InvalidRequest, match="X"):
        fresh(name).fit(X, data.y[:n], None, data.times[:n])


@every_model
def test_labels_that_are_no_numbers_are_refused(name: str) -> None:
    data = rows(30)
    hole, endless = data.y.copy(), data.y.copy()
    hole[7], endless[8] = np.nan, np.inf

    with pytest.raises(InvalidRequest, match="y: row 7"):
        fresh(name).fit(data.X, hole, None, data.times)
    for wrong in (endless, data.y[:-1], data.y[:, np.newaxis], data.y.astype(str)):
        with pytest.raises(InvalidRequest, match="y"):
            fresh(name).fit(data.X, wrong, None, data.times)


@every_model
def test_weights_that_weigh_nothing_are_refused(name: str) -> None:
    data = rows(30)
    one = np.ones(30)
    minus, hole = one.copy(), one.copy()
    minus[4], hole[4] = -1, np.nan

    for wrong in (minus, hole, 0 * one, one[:-1], np.ones((30, 1))):
        with pytest.raises(InvalidRequest, match="weights"):
            fresh(name).fit(data.X, data.y, wrong, data.times)


@every_model
def test_times_that_cannot_be_are_refused_and_missing_ones_where_they_matter(name: str) -> None:
    data = rows(30)
    never = data.times.copy()
    never[2, 1] = "NaT"

    for wrong in (data.times[:, 0], data.times[:-1], never, data.times[:, ::-1], data.X[:, :2]):
        with pytest.raises(InvalidRequest, match="times"):
            fresh(name).fit(data.X, data.y, None, wrong)
    model = fresh(name)
    if model.describe().needs_times:
        with pytest.raises(InvalidRequest, match=f"times: {name} needs"):
            model.fit(data.X, data.y)
    else:
        assert model.fit(data.X, data.y).pack() == fit(name, data).pack()


# ---- Weights


@every_model
def test_weights_of_one_are_no_weights(name: str) -> None:
    assert fit(name, rows(), np.ones(1000)).pack() == usual(name)[1]


@every_model
def test_a_row_of_no_weight_is_not_there(name: str) -> None:
    data = rows()
    some = np.arange(1000) % 4 != 1
    left = Data(*(array[some] for array in data))

    assert fit(name, data, some.astype(float)).pack() == fit(name, left).pack()


@every_model
def test_weights_matter(name: str) -> None:
    data = rows().coarse()
    weights = np.where(data.y > 0, 3.0, 0.3)
    heavier, even = (told(name, data, w).predict(data.X) for w in (weights, None))

    if name == "last_value":
        assert bits(heavier) == bits(even)
    elif name in {"lightgbm_rank", "momentum"}:  # what these learn has no side to be moved to
        assert bits(heavier) != bits(even)
    else:
        assert np.mean(heavier.probability_up) > np.mean(even.probability_up)


@every_model
def test_weight_two_is_the_row_twice_where_the_card_promises_it(name: str) -> None:
    data = rows().coarse()
    twice = np.arange(1000) % 3 == 0
    order = np.sort(np.concatenate([np.arange(1000), np.flatnonzero(twice)]))
    doubled = Data(*(array[order] for array in data))
    weighed = told(name, data, 1.0 + twice).predict(data.X)
    repeated = told(name, doubled).predict(data.X)

    if fresh(name).describe().doubles:
        assert np.allclose(weighed.log_return, repeated.log_return, rtol=1e-4, atol=1e-7)
        assert np.allclose(weighed.probability_up, repeated.probability_up, rtol=0, atol=1e-4)
    else:
        assert np.corrcoef(weighed.log_return, repeated.log_return)[0, 1] > 0.6


# ---- Poor data


def _poor(case: str) -> Data:
    data = rows(600)
    X, y, _ = data
    labels = {"all up": abs(y), "all down": -abs(y), "no moves": 0 * y, "one label": 0 * y + 0.02}
    labels["one move"] = np.where(np.arange(len(y)) == 3, 0.01, 0.0)
    if case in labels:
        return data._replace(y=labels[case])
    if case.endswith("rows"):
        return data.first(int(case.removesuffix(" rows")))
    X[:, 4] = {"constant column": 1.0, "missing column": np.nan}.get(case, X[:, 4])
    if case == "one day":
        data.times[:] = data.times[0]
    if case == "all constant":
        X[:] = 1
    if case == "all missing":
        X[:] = np.nan
    if case == "rows missing":
        X[::3] = np.nan
    if case == "duplicate columns":
        X[:, 3:6] = X[:, 2:3]
    return data


POOR = (
    "all up",
    "all down",
    "no moves",
    "one move",
    "one label",
    "one day",
    "constant column",
    "missing column",
    "duplicate columns",
    "all constant",
    "all missing",
    "rows missing",
    "1 rows",
    "2 rows",
    "3 rows",
    "30 rows",
)


@pytest.mark.parametrize("case", POOR)
@every_model
def test_poor_data_gives_a_model_that_answers(name: str, case: str) -> None:
    data = _poor(case)
    asked = np.vstack([rows(9).X, np.full((1, len(COLUMNS)), np.nan, np.float32)])

    model = fit(name, data)
    said = PackedModel(model.pack()).predict(asked)
    explainer = model.explainer()

    assert np.isfinite(said.log_return).all()
    assert ((said.probability_up >= 0) & (said.probability_up <= 1)).all()
    for x, log_return in zip(asked, said.log_return, strict=True):
        assert abs(forecast_by_parts(explainer, x) - log_return) < 1e-7
    if name in MODELS and case in {"all up", "all down", "no moves", "one label", "1 rows"}:
        assert (said.direction() == 0).all()
    if name in MODELS and case in {"no moves", "one label"}:
        assert np.allclose(said.log_return, data.y[0], rtol=1e-6, atol=0)
    if case == "no moves":
        assert (said.log_return == 0).all()
        assert name != "historical_mean" or (said.probability_up == 0.5).all()


@every_model
@pytest.mark.parametrize("factor", [2.0**-40, 2.0**40])
def test_features_of_any_size_give_the_same_forecasts(name: str, factor: float) -> None:
    data = rows()
    scaled = data._replace(X=(data.X * np.float32(factor)).astype(np.float32))
    said = told(name, scaled).predict(scaled.X)
    straight = usual(name)[2].predict(data.X)

    assert np.isfinite(said.log_return).all()
    if factor < 1 and name in {"random_forest", *ENSEMBLES}:
        return  # to scikit-learn's forests values within 1e-7 are the same: docs/models.md says so
    assert np.allclose(said.log_return, straight.log_return, rtol=1e-3, atol=1e-6)
    assert np.allclose(said.probability_up, straight.probability_up, rtol=0, atol=1e-4)


@every_model
@pytest.mark.parametrize("factor", [1e-9, 1e3])
def test_labels_of_any_size_give_finite_forecasts(name: str, factor: float) -> None:
    data = rows(500)
    said = told(name, data._replace(y=data.y * factor)).predict(data.X)

    assert np.isfinite(said.log_return).all()
    assert ((said.probability_up >= 0) & (said.probability_up <= 1)).all()
    assert np.abs(said.log_return).max() <= np.abs(data.y * factor).max()


@every_model
def test_rows_may_come_in_any_order(name: str) -> None:
    data = rows()
    order = np.random.default_rng(4).permutation(1000)
    mixed = told(name, Data(*(array[order] for array in data))).predict(data.X)
    straight = usual(name)[2].predict(data.X)

    if fresh(name).describe().seeded or name in ENSEMBLES:  # what is drawn is drawn by position
        assert np.corrcoef(mixed.log_return, straight.log_return)[0, 1] > 0.6
    else:
        assert np.allclose(mixed.log_return, straight.log_return, rtol=1e-4, atol=1e-7)
        assert np.allclose(mixed.probability_up, straight.probability_up, rtol=0, atol=1e-4)


@every_model
def test_what_is_learnt_from_may_be_float64_and_lie_in_any_order(name: str) -> None:
    data = rows()
    other = data._replace(
        X=np.asfortranarray(data.X.astype(np.float64)), y=np.repeat(data.y, 2)[::2]
    )

    assert fit(name, other).pack() == usual(name)[1]


# ---- Missing values


@every_model
def test_a_missing_value_means_what_the_card_says(name: str) -> None:
    data = rows()
    gone = np.random.default_rng(6).random(1000) < 0.4
    data.X[gone, 2] = np.nan
    data.y[gone] += 0.03
    model = fit(name, data, rounds=60)
    packed, card = PackedModel(model.pack()), model.describe()
    X = data.X[~gone]
    missing, at_mean = X.copy(), X.copy()
    missing[:, 2] = np.nan
    at_mean[:, 2] = np.nanmean(data.X[:, 2], dtype=np.float64)
    said, usual_there = packed.predict(missing).log_return, packed.predict(at_mean).log_return

    if "mean" in card.missing:
        assert np.allclose(said, usual_there, rtol=1e-4, atol=1e-7)
    elif name in TREES:
        assert said.mean() > packed.predict(X).log_return.mean() + 1e-4
    elif name in BASELINES:
        assert said.tobytes() == packed.predict(X).log_return.tobytes()
    else:
        assert name in ENSEMBLES
        assert card.missing == "as each member does"


# ---- Quantiles


@every_model
def test_quantiles_rise_and_cover_where_a_model_tells_them(name: str) -> None:
    model, _, packed = usual(name)
    levels = model.describe().levels
    data = rows()
    said = packed.predict(data.X)

    assert packed.levels == levels
    if not levels:
        assert said.quantiles is None
        return
    assert said.quantiles is not None
    assert said.quantiles.shape == (1000, len(levels))
    assert (np.diff(said.quantiles, axis=1) >= 0).all()
    below = (data.y[:, np.newaxis] <= said.quantiles).mean(axis=0)
    assert np.abs(below - levels).max() < 0.03
    alone = packed.predict(data.X[17:18])
    assert alone.quantiles is not None
    assert alone.quantiles.tobytes() == said.quantiles[17:18].tobytes()


def test_quantiles_are_the_librarys_own_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from bellwether.models import lgbm

    grown: list[Any] = []
    real = lgbm.neutral
    monkeypatch.setattr(lgbm, "neutral", lambda booster: grown.append(booster) or real(booster))
    data = rows()
    said = told("lightgbm_quantile", data, rounds=60).predict(data.X).quantiles

    theirs = np.column_stack([booster.predict(data.X) for booster in grown[2:]])
    assert [booster.params["alpha"] for booster in grown[2:]] == [0.05, 0.25, 0.5, 0.75, 0.95]
    assert said is not None
    assert np.allclose(said, np.sort(theirs, axis=1), rtol=1e-6, atol=2e-8)
