"""Cross-validation by date, cleaned of rows whose labels reach into a test block."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InsufficientHistory, InvalidRequest
from bellwether.evaluation.splits import Fold, Instants, Rows, checked_times

MIN_FOLDS = 2
MOST_SPLITS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """One split of a combinatorial cross-validation.

    Attributes
    ----------
    number : int
        Position among the splits, from 0.
    folds : tuple of int
        Which folds of dates are tested, ascending.
    train : array of int64
        Row numbers to train on, ascending.
    tests : tuple of array of int64
        Row numbers of each tested fold.
    """

    number: int
    folds: tuple[int, ...]
    train: Rows
    tests: tuple[Rows, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """Labelled rows by their times: `fold` is -1 for a row without label."""

    decided: Instants
    known: Instants
    dates: Instants
    fold: NDArray[np.int64]

    def rows_of(self, fold: int) -> Rows:
        return np.flatnonzero(self.fold == fold).astype(np.int64, copy=False)

    def train_of(self, tested: tuple[int, ...], embargo: int) -> Rows:
        kept = (self.fold >= 0) & ~np.isin(self.fold, tested)
        for low, high in _runs(tested):
            block = (self.fold >= low) & (self.fold <= high)
            start, end = self.decided[block].min(), self.known[block].max()
            last = int(np.searchsorted(self.dates, end, side="right")) - 1 + embargo
            until = max(end, self.dates[min(last, self.dates.size - 1)])
            kept &= (self.known < start) | (self.decided > until)
        train = np.flatnonzero(kept).astype(np.int64, copy=False)
        if train.size == 0:
            raise InsufficientHistory(f"training rows apart from folds {tested}", 0, 1)
        return train


def purged_folds(
    decision_at: Instants,
    label_known_at: Instants,
    *,
    n_folds: int = 5,
    embargo_dates: int = 0,
) -> list[Fold]:
    """Split panel rows into k folds of dates; each is tested by a model of the others, purged.

    The unique decision instants of labelled rows are cut into k runs whose lengths differ by one
    at most, the longer ones first. For a tested run with first decision s and last known label e, a
    row of the other runs does not train if its span from decision to known label meets [s, e]
    (purge), or if it was decided on one of the `embargo_dates` dates that follow e: slow features
    still carry the block there (Lopez de Prado 2018, chapter 7).

    Such folds train on the future of what they test. They serve distributions and comparisons of
    settings inside a training window; how good a model is, `walk_forward` says.

    Parameters
    ----------
    decision_at : array of datetime64, shape (n_rows,)
        When each row's forecast was made; any order, many rows an instant.
    label_known_at : array of datetime64, shape (n_rows,)
        When each row's outcome was known. NaT means not yet: the row takes no part at all.
    n_folds : int
        k, from 2 to the number of dates.
    embargo_dates : int
        Dates after the block, beyond its last label; 1 % of all dates is usual.

    Returns
    -------
    list of Fold
        In order of time; test rows are disjoint and together all labelled rows.

    Raises
    ------
    InvalidRequest
        If arrays do not match, a decision is NaT, a label is known before its decision, or a
        number is out of range.
    InsufficientHistory
        If there are fewer dates than folds, or purging leaves a fold nothing to train on.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2024-01-14", dtype="datetime64[D]").astype("datetime64[us]")
    >>> folds = purged_folds(days[:-1], days[1:], n_folds=3, embargo_dates=1)
    >>> [(fold.test.tolist(), fold.train.tolist()) for fold in folds]  # doctest: +NORMALIZE_WHITESPACE
    [([0, 1, 2, 3], [6, 7, 8, 9, 10, 11]), ([4, 5, 6, 7], [0, 1, 2, 10, 11]),
     ([8, 9, 10, 11], [0, 1, 2, 3, 4, 5, 6])]
    """
    panel = _panel(decision_at, label_known_at, n_folds, embargo_dates)
    folds = []
    for number in range(n_folds):
        test = panel.rows_of(number)
        when = panel.decided[test]
        train = panel.train_of((number,), embargo_dates)
        folds.append(Fold(number, train, test, when.min(), when.max()))
    return folds


def combinatorial_folds(
    decision_at: Instants,
    label_known_at: Instants,
    *,
    n_folds: int = 6,
    n_test_folds: int = 2,
    embargo_dates: int = 0,
) -> list[Combination]:
    """Split panel rows in every way that tests so many of k folds of dates, purged.

    Folds, purge and embargo as in `purged_folds`; tested folds that adjoin are one block. C(k, t)
    splits test each fold C(k - 1, t - 1) times, which makes as many histories without a gap
    (`paths`): a distribution of a figure instead of one value (Lopez de Prado 2018, chapter 12).

    Parameters
    ----------
    decision_at, label_known_at : array of datetime64, shape (n_rows,)
        As in `purged_folds`.
    n_folds, n_test_folds : int
        k, and t from 1 to k - 1; at most 10,000 splits.
    embargo_dates : int
        Dates after each block, beyond its last label.

    Returns
    -------
    list of Combination
        In lexical order of the tested folds.

    Raises
    ------
    InvalidRequest, InsufficientHistory
        As `purged_folds`.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2024-01-14", dtype="datetime64[D]").astype("datetime64[us]")
    >>> splits = combinatorial_folds(days[:-1], days[1:], n_folds=4, n_test_folds=2)
    >>> len(splits), splits[2].folds, splits[2].train.tolist()
    (6, (0, 3), [4, 5, 6, 7])
    """
    _check_tested(n_folds, n_test_folds)
    panel = _panel(decision_at, label_known_at, n_folds, embargo_dates)
    rows = [panel.rows_of(fold) for fold in range(n_folds)]
    return [
        Combination(
            number, tested, panel.train_of(tested, embargo_dates), tuple(rows[i] for i in tested)
        )
        for number, tested in enumerate(itertools.combinations(range(n_folds), n_test_folds))
    ]


def paths(n_folds: int, n_test_folds: int) -> NDArray[np.int64]:
    """Return which split tests each fold on each path, shape (C(k - 1, t - 1), k).

    The j-th path takes, for each fold, the j-th of the splits that test it, in their order; each
    pair of split and tested fold is used once.

    Raises
    ------
    InvalidRequest
        If a number is out of range.

    Examples
    --------
    >>> paths(4, 2).tolist()
    [[0, 0, 1, 2], [1, 3, 3, 4], [2, 4, 5, 5]]
    """
    _check_tested(n_folds, n_test_folds)
    by_fold: list[list[int]] = [[] for _ in range(n_folds)]
    for number, tested in enumerate(itertools.combinations(range(n_folds), n_test_folds)):
        for fold in tested:
            by_fold[fold].append(number)
    return np.array(by_fold, dtype=np.int64).T


def _panel(decision_at: Instants, label_known_at: Instants, n_folds: int, embargo: int) -> _Panel:
    decided, known = checked_times(decision_at, label_known_at)
    if n_folds < MIN_FOLDS:
        raise InvalidRequest("n_folds", f"is {n_folds}, at least {MIN_FOLDS} needed")
    if embargo < 0:
        raise InvalidRequest("embargo_dates", f"is {embargo}, must not be negative")
    labelled = ~np.isnat(known)
    dates = np.unique(decided[labelled])
    if dates.size < n_folds:
        raise InsufficientHistory("purged folds", int(dates.size), n_folds)
    sizes = dates.size // n_folds + (np.arange(n_folds) < dates.size % n_folds)
    fold_of_date = np.repeat(np.arange(n_folds), sizes)
    fold = np.full(decided.size, -1, dtype=np.int64)
    fold[labelled] = fold_of_date[np.searchsorted(dates, decided[labelled])]
    return _Panel(decided, known, dates, fold)


def _runs(tested: tuple[int, ...]) -> list[tuple[int, int]]:
    """Join numbers that follow each other.

    Examples
    --------
    >>> _runs((0, 1, 4))
    [(0, 1), (4, 4)]
    """
    found: list[tuple[int, int]] = []
    for fold in tested:
        if found and found[-1][1] == fold - 1:
            found[-1] = (found[-1][0], fold)
        else:
            found.append((fold, fold))
    return found


def _check_tested(n_folds: int, n_test_folds: int) -> None:
    if not 1 <= n_test_folds < n_folds:
        raise InvalidRequest("n_test_folds", f"is {n_test_folds}, must be from 1 to {n_folds - 1}")
    count = 1
    for i in range(min(n_test_folds, n_folds - n_test_folds)):
        count = count * (n_folds - i) // (i + 1)
        if count > MOST_SPLITS:
            raise InvalidRequest("n_folds", f"{n_folds} gives more than {MOST_SPLITS} splits")
