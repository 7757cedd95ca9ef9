"""Laws of cross-validation by date, on panels with holes and labels known late."""

import math
import runpy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import KFold

from bellwether.core.errors import InsufficientHistory, InvalidRequest
from bellwether.evaluation.purged import Combination, combinatorial_folds, paths, purged_folds
from bellwether.evaluation.splits import walk_forward

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
DAY = np.timedelta64(1, "D")
START = np.datetime64("2020-01-01T21:00:00", "us")
NAT = np.datetime64("NaT")

Panel = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """Rows (decided, known, symbol), shuffled: symbol 0 has every date, others have holes."""
    n_dates = draw(st.integers(40, 60))
    n_symbols = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    there = rng.random((n_symbols, n_dates)) < 0.7
    there[0] = True
    symbol, day = np.nonzero(there)
    decided = START + day * DAY
    known = decided + rng.integers(0, 4, day.size) * DAY + np.timedelta64(3, "h")
    known[(symbol > 0) & (rng.random(day.size) < 0.1)] = NAT
    order = rng.permutation(day.size)
    return decided[order], known[order], symbol[order]


def options() -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries({"n_folds": st.integers(2, 5), "embargo_dates": st.integers(0, 3)})


def blocks_of(split: Combination) -> list[np.ndarray]:
    """Return the rows of each run of tested folds that adjoin."""
    found: list[list[np.ndarray]] = []
    for i, rows in enumerate(split.tests):
        if i and split.folds[i] == split.folds[i - 1] + 1:
            found[-1].append(rows)
        else:
            found.append([rows])
    return [np.concatenate(rows) for rows in found]


def check_apart(panel: Panel, train: np.ndarray, block: np.ndarray, embargo: int) -> None:
    decided, known, _ = panel
    first, last = decided[block].min(), known[block].max()
    dates = np.unique(decided[~np.isnat(known)])
    after = dates[dates > last]
    barred = set(after[:embargo])

    assert not ((decided[train] <= last) & (known[train] >= first)).any()
    assert barred.isdisjoint(set(decided[train]))


@given(panels(), options())
def test_no_label_reaches_into_a_test_fold(panel: Panel, how: dict[str, int]) -> None:
    for fold in purged_folds(*panel[:2], **how):
        check_apart(panel, fold.train, fold.test, how["embargo_dates"])
        assert set(panel[0][fold.train]).isdisjoint(panel[0][fold.test])
        assert not np.isnat(panel[1][fold.train]).any()


@given(panels(), options())
def test_folds_are_disjoint_ordered_and_complete(panel: Panel, how: dict[str, int]) -> None:
    folds = purged_folds(*panel[:2], **how)
    tested = np.concatenate([fold.test for fold in folds])
    sizes = [np.unique(panel[0][fold.test]).size for fold in folds]

    assert all(a.last < b.first for a, b in pairwise(folds))
    assert sorted(tested) == np.flatnonzero(~np.isnat(panel[1])).tolist()
    assert max(sizes) - min(sizes) <= 1


@given(panels(), options())
def test_nothing_is_purged_without_cause(panel: Panel, how: dict[str, int]) -> None:
    """Every labelled row far enough from the block trains."""
    decided, known, _ = panel
    for fold in purged_folds(decided, known, **how):
        far = (known < fold.first) | (decided > known[fold.test].max() + how["embargo_dates"] * DAY)
        assert set(np.flatnonzero(far & ~np.isnat(known))) <= set(fold.train)


@given(panels(), st.integers(4, 6), st.integers(1, 2), st.integers(0, 2))
def test_every_combination_is_clean(panel: Panel, k: int, t: int, embargo: int) -> None:
    splits = combinatorial_folds(*panel[:2], n_folds=k, n_test_folds=t, embargo_dates=embargo)

    assert [split.number for split in splits] == list(range(math.comb(k, t)))
    for split in splits:
        for block in blocks_of(split):
            check_apart(panel, split.train, block, embargo)


@given(panels(), options())
def test_one_tested_fold_is_a_purged_fold(panel: Panel, how: dict[str, int]) -> None:
    folds = purged_folds(*panel[:2], **how)
    splits = combinatorial_folds(*panel[:2], n_test_folds=1, **how)

    for fold, split in zip(folds, splits, strict=True):
        assert fold.train.tolist() == split.train.tolist()
        assert fold.test.tolist() == split.tests[0].tolist()


@given(panels(), options(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(panel: Panel, how: dict[str, int], seed: int) -> None:
    decided, known, _ = panel
    order = np.random.default_rng(seed).permutation(decided.size)
    plain = purged_folds(decided, known, **how)
    moved = purged_folds(decided[order], known[order], **how)

    for a, b in zip(plain, moved, strict=True):
        assert set(a.train) == set(order[b.train])
        assert set(a.test) == set(order[b.test])


@given(panels(), options())
def test_a_missing_symbol_changes_no_others_dates(panel: Panel, how: dict[str, int]) -> None:
    decided, known, symbol = panel
    rest = np.flatnonzero(symbol != symbol.max())
    if rest.size == 0:
        return
    full = purged_folds(decided, known, **how)
    less = purged_folds(decided[rest], known[rest], **how)

    for a, b in zip(full, less, strict=True):
        assert set(rest[b.test]) == set(a.test) & set(rest)
        assert set(rest[b.train]) >= set(a.train) & set(rest)  # its labels may have reached further


@given(st.integers(2, 9), st.integers(1, 8))
def test_paths_use_every_pair_of_split_and_fold_once(k: int, t: int) -> None:
    if t >= k:
        return
    found = paths(k, t)
    used = {(int(split), fold) for path in found for fold, split in enumerate(path)}

    assert found.shape == (math.comb(k - 1, t - 1), k)
    assert len(used) == found.size == math.comb(k, t) * t


@given(panels(), st.integers(6, 12), st.integers(1, 9))
def test_a_rolling_window_keeps_its_length(panel: Panel, window: int, block: int) -> None:
    decided, known, _ = panel
    dates = np.unique(decided[~np.isnat(known)])
    for fold in walk_forward(
        decided, known, min_train_dates=6, test_dates=block, window_dates=window
    ):
        start = int(np.searchsorted(dates, fold.first))
        assert decided[fold.train].min() >= dates[max(0, start - window)]
        assert known[fold.train].max() <= fold.first


@pytest.mark.parametrize(
    ("k", "t", "splits", "histories"), [(6, 2, 15, 5), (10, 2, 45, 9), (10, 8, 45, 36)]
)
def test_published_numbers_of_splits_and_paths(k: int, t: int, splits: int, histories: int) -> None:
    found = paths(k, t)

    assert (found.max() + 1, len(found)) == (splits, histories)


def test_worked_combination() -> None:
    """Twenty dates in four folds, labels of one day, one date of embargo: tests 0 and 3."""
    decided = START + np.arange(20) * DAY
    found = combinatorial_folds(decided, decided + DAY, n_folds=4, n_test_folds=2, embargo_dates=1)

    # fold 0 is known on day 5, so 5 goes by purge and 6 by embargo; 15 is decided as 14 is known
    assert found[2].folds == (0, 3)
    assert found[2].train.tolist() == [7, 8, 9, 10, 11, 12, 13]


def test_one_symbol_with_labels_known_at_once_splits_as_scikit_learn_does() -> None:
    decided = START + np.arange(23) * DAY
    wanted = list(KFold(4).split(np.zeros((23, 1))))

    for fold, (train, test) in zip(purged_folds(decided, decided, n_folds=4), wanted, strict=True):
        assert fold.train.tolist() == train.tolist()
        assert fold.test.tolist() == test.tolist()


@pytest.mark.parametrize("horizon", [1, 2, 5])
@pytest.mark.parametrize("embargo", [0, 3])
def test_agrees_with_the_reference(horizon: int, embargo: int) -> None:
    if not REFERENCE.is_file():
        pytest.skip("the reference implementations lie in ../shared, which this machine lacks")
    reference = runpy.run_path(str(REFERENCE))["cpcv_dates"]
    day = np.concatenate([np.arange(120), np.random.default_rng(horizon).integers(0, 120, 300)])
    decided = START + day * DAY
    known = decided + horizon * DAY
    ours = combinatorial_folds(decided, known, n_folds=6, n_test_folds=2, embargo_dates=embargo)

    for split, (train, tests) in zip(ours, reference(decided, known, 6, 2, embargo), strict=True):
        assert split.train.tolist() == train.tolist()
        assert [rows.tolist() for rows in split.tests] == [rows.tolist() for rows in tests]


class Spy(TransformerMixin, BaseEstimator):
    """Remembers which rows it was fitted on."""

    def fit(self, X: np.ndarray, _: object = None) -> "Spy":
        self.seen_ = set(X[:, 0].astype(int))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return X


def test_what_is_fitted_sees_training_rows_only() -> None:
    decided = np.repeat(START + np.arange(30) * DAY, 3)
    X = np.arange(90.0)[:, None]
    for fold in purged_folds(decided, decided + 2 * DAY, n_folds=5, embargo_dates=1):
        spy = Spy().fit(X[fold.train])
        spy.transform(X[fold.test])

        assert spy.seen_ == set(fold.train.tolist())
        assert spy.seen_.isdisjoint(fold.test.tolist())


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"n_folds": 1}, "n_folds"),
        ({"n_folds": 4, "embargo_dates": -1}, "embargo_dates"),
        ({"n_folds": 4, "n_test_folds": 0}, "n_test_folds"),
        ({"n_folds": 4, "n_test_folds": 4}, "n_test_folds"),
        ({"n_folds": 60, "n_test_folds": 30}, "n_folds"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int], field: str) -> None:
    decided = START + np.arange(100) * DAY
    split = combinatorial_folds if "n_test_folds" in options else purged_folds

    with pytest.raises(InvalidRequest) as refused:
        split(decided, decided + DAY, **options)

    assert refused.value.field == field


def test_rows_that_cannot_be_split_are_refused() -> None:
    decided = START + np.arange(10) * DAY

    with pytest.raises(InvalidRequest, match="before its decision"):
        purged_folds(decided, decided - DAY)
    with pytest.raises(InvalidRequest, match="datetime64"):
        purged_folds(np.arange(10), decided)
    with pytest.raises(InvalidRequest, match="instant of its decision"):
        purged_folds(np.append(decided[:-1], NAT), decided + 20 * DAY)
    with pytest.raises(InsufficientHistory):
        purged_folds(decided[:0], decided[:0])
    with pytest.raises(InsufficientHistory):
        purged_folds(decided, np.full(10, NAT))
    with pytest.raises(InsufficientHistory, match="training rows"):
        purged_folds(decided, decided + 30 * DAY, n_folds=2)
