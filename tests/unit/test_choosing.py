"""Choosing features: what tells something is found, luck is not, and only training rows are seen."""

import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.metrics import mutual_info_score

from bellwether.core.errors import InsufficientHistory, InvalidRequest
from bellwether.evaluation.choosing import METHODS, Rule, Scores, over_blocks, picked, rule
from bellwether.evaluation.information import mutual_information, redundancy
from bellwether.evaluation.splits import walk_forward
from bellwether.evaluation.stability import each_for, false_ones, frequencies
from bellwether.models.packed import PackedModel
from bellwether.models.selected import reading
from bellwether.pipelines.choosing import Reader, choose

DATES, NAMES, COLUMNS = 400, 4, 30
ROWS = np.arange(1000).astype("datetime64[D]")
READER = Reader("ridge", tuple(f"c{j}" for j in range(COLUMNS)))


def panel(seed: int, dates: int = DATES) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return noise of which all symbols of a day share a part, in outcomes and in features."""
    rng = np.random.default_rng(seed)
    days = np.repeat(np.arange(dates), NAMES).astype("datetime64[D]").astype("datetime64[us]")
    times = np.column_stack([days, days + np.timedelta64(1, "D")])

    def drawn(width: int) -> np.ndarray:
        shared = np.repeat(rng.normal(size=(dates, width)), NAMES, axis=0)
        return shared + rng.normal(size=(dates * NAMES, width))

    return drawn(COLUMNS).astype(np.float32), 0.01 * drawn(1)[:, 0], times


@pytest.mark.parametrize("method", METHODS)
def test_what_tells_something_is_found_and_its_copy_is_not(method: str) -> None:
    X, y, times = panel(0)
    X[:, 7] += (60 * y).astype(np.float32)
    X[:, 8] = 2 * X[:, 7] + 1
    X[:, 9] = 3.0
    X[::3, 10] = np.nan

    found = choose(X, y, times, READER, rule(f"{method}:1"))
    passed = choose(X, y, times, READER, rule(method))

    assert len(found) == 1
    assert found[0] in {7, 8}
    assert len({7, 8} & set(passed.tolist())) == 1
    assert 9 not in passed


@pytest.mark.parametrize("method", METHODS)
def test_luck_is_rarely_chosen(method: str) -> None:
    chosen = [len(choose(*panel(seed, 200), READER, rule(method))) for seed in range(8)]

    assert sum(n > 0 for n in chosen) <= 3  # a tenth of false ones is allowed


def test_what_bends_is_seen_by_information_alone() -> None:
    X, y, times = panel(3)
    X[:, 5] = np.abs(y) * 60 + 0.3 * X[:, 5]

    assert choose(X, y, times, READER, rule("mi")).tolist() == [5]
    assert 5 not in choose(X, y, times, READER, rule("ic"))


def test_relevance_is_set_against_what_is_already_there() -> None:
    """Of two tellers and a near copy of the first, the two that differ are taken."""
    X, y, times = panel(4)
    rng = np.random.default_rng(9)
    y = 0.01 * (X[:, 0] + 0.7 * X[:, 1]).astype(np.float64)
    X[:, 2] = X[:, 0] + 0.6 * rng.normal(size=len(y))

    assert set(choose(X, y, times, READER, rule("mi:2")).tolist()) == {0, 2}
    assert set(choose(X, y, times, READER, rule("mrmr:2")).tolist()) == {0, 1}


def test_choosing_on_all_rows_finds_skill_in_noise_and_inside_folds_none() -> None:
    """The planted leak: the same choice, once with the rows that are tested in sight."""
    rng = np.random.default_rng(5)
    days = np.arange(600).astype("datetime64[D]").astype("datetime64[us]")
    times = np.column_stack([days, days + np.timedelta64(1, "D")])
    X = rng.normal(size=(600, 400)).astype(np.float32)
    y = rng.normal(0, 0.01, 600)
    reader, asked = Reader("ridge", tuple(f"c{j}" for j in range(400))), rule("ic:20")
    folds = walk_forward(times[:, 0], times[:, 1], min_train_dates=200, test_dates=50)
    on_all = choose(X, y, times, reader, asked)

    def right(*, inside: bool) -> float:
        hits = []
        for fold in folds:
            train, test = fold.train, fold.test
            seen = choose(X[train], y[train], times[train], reader, asked) if inside else on_all
            model = reading("ridge", reader.columns, seen, seed=0)
            model.fit(X[train], y[train], times=times[train])
            said = PackedModel(model.pack()).predict(X[test]).log_return - y[train].mean()
            hits.append(np.sign(said) == np.sign(y[test]))
        return float(np.concatenate(hits).mean())

    assert right(inside=False) > 0.57
    assert abs(right(inside=True) - 0.5) < 3 * 0.5 / np.sqrt(400)


def test_information_is_that_of_the_table() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(500, 3))
    X[:, 1] += X[:, 0]
    bins = [np.searchsorted(np.quantile(x, np.arange(1, 8) / 8), x, side="right") for x in X.T]

    told = redundancy(X)

    for i in range(3):
        for j in range(3):
            assert told[i, j] == pytest.approx(mutual_info_score(bins[i], bins[j]), abs=1e-12)
    assert told[0, 0] == pytest.approx(np.log(8), abs=1e-3)


def test_information_less_chance_and_its_p() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=800)
    X = np.column_stack([y, rng.normal(size=800), np.full(800, 2.0), np.full(800, np.nan)])

    told, p = mutual_information(X, y, ROWS[:800], seed=0)

    assert np.log(8) - 0.1 < told[0] < np.log(8)
    assert p[0] < 1e-6
    assert told[1] < 0.05
    assert np.isnan(told[2:]).all()
    assert np.isnan(p[2:]).all()
    with pytest.raises(InvalidRequest, match="200 rows"):
        mutual_information(X[:100], y[:100], ROWS[:100], seed=0)
    with pytest.raises(InvalidRequest, match="10 needed"):
        mutual_information(X, y, np.sort(np.resize(ROWS[:5], 800)), seed=0)


def test_what_moves_slowly_is_not_taken_for_information() -> None:
    """Outcomes over 5 days beside slow features: drawing rows anew would find most of them."""
    rng = np.random.default_rng(3)
    X = lfilter([1.0], [1.0, -0.9], rng.normal(size=(1000, 200)), axis=0)
    y = np.convolve(rng.normal(size=1004), np.ones(5), "valid")

    p = mutual_information(X, y, ROWS, seed=0)[1]

    assert (p < 0.05).mean() < 0.12


def test_symbols_of_a_day_are_one_day_and_not_many() -> None:
    """Forty names move together: moves that cut days apart would find most of the noise."""
    rng = np.random.default_rng(8)
    dates = np.repeat(np.arange(100), 40).astype("datetime64[D]")
    X = np.repeat(rng.normal(size=(100, 200)), 40, axis=0) + 0.3 * rng.normal(size=(4000, 200))
    y = np.repeat(rng.normal(size=100), 40) + 0.3 * rng.normal(size=4000)

    p = mutual_information(X, y, dates, seed=0)[1]

    assert (p < 0.05).mean() < 0.1


def test_stability_by_hand() -> None:
    X, y, times = panel(6)
    X[:, 2] += (60 * y).astype(np.float32)
    X[:, 3] = 1.0

    share = frequencies(X, y, times[:, 0], each=2, seed=0)

    assert share[2] == 1.0
    assert np.isnan(share[3])
    assert np.nansum(share) <= 2 + 1e-12
    assert false_ones(np.array([0.9, 0.75, 0.5, *np.zeros(7)]), 2)[:3].tolist() == pytest.approx(
        [0.5, 0.8, np.inf]
    )
    assert each_for(0.1, 100) == 2
    with pytest.raises(InvalidRequest, match="each"):
        frequencies(X, y, times[:, 0], each=0, seed=0)
    with pytest.raises(InvalidRequest, match="40 needed"):
        frequencies(X[:80], y[:80], times[:80, 0], each=2, seed=0)


def test_means_are_tested_over_blocks_of_dates() -> None:
    """Two columns over three dates by hand: t = 2 / (1 / sqrt 3), one-sided with 2 degrees."""
    found = over_blocks(np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]))

    assert found.score.tolist() == [2.0, 0.0]
    assert found.p.tolist() == pytest.approx([0.0370899, 1.0], abs=1e-6)
    assert np.isnan(over_blocks(np.ones((2, 1))).p).all()


def test_a_false_share_is_kept_by_benjamini_and_hochberg() -> None:
    X = np.random.default_rng(0).normal(size=(50, 6))
    p = np.array([0.001, 0.008, 0.039, 0.041, 0.27, np.nan])
    score = np.array([1.0, 3.0, 2.0, 4.0, 5.0, 6.0])

    found = picked(X, Scores(score, p), Rule("ic", false_share=0.05))

    assert found.tolist() == [1, 0]  # adjusted .005, .020, then .051


@pytest.mark.parametrize(
    "text", ["", "luck", "mi:", "mi:x", "mi:0", "mi:1001", "mi:0%", "mi:100%", "mi:nan%", "mi:-3"]
)
def test_what_cannot_be_asked(text: str) -> None:
    with pytest.raises(InvalidRequest, match="select"):
        rule(text)


def test_a_rule_needs_one_of_both() -> None:
    for given in ({}, {"most": 3, "false_share": 0.1}):
        with pytest.raises(InvalidRequest, match="either"):
            Rule("ic", **given)


def test_a_short_past_is_refused() -> None:
    X, y, times = panel(7, 20)
    with pytest.raises(InvalidRequest, match="30 needed"):
        choose(X, y, times, READER, rule("ic"))
    with pytest.raises(InsufficientHistory):
        choose(X[:12], y[:12], times[:12], READER, rule("permutation"))
