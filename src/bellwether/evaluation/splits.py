"""Walk-forward folds of a panel, by the times that rows carry and never by row counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InsufficientHistory, InvalidRequest

Instants = NDArray[np.datetime64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One step of a walk forward.

    Attributes
    ----------
    number : int
        Position in the walk, from 0.
    train, test : array of int64
        Row numbers into the arrays that were split, ascending.
    first, last : datetime64[us]
        First and last decision instant of the test block.
    """

    number: int
    train: Rows
    test: Rows
    first: np.datetime64
    last: np.datetime64


def walk_forward(
    decision_at: Instants,
    label_known_at: Instants,
    *,
    min_train_dates: int = 504,
    test_dates: int = 252,
    embargo_dates: int = 0,
    window_dates: int | None = None,
) -> list[Fold]:
    """Split panel rows into training and test rows that follow each other in time.

    With the unique decision instants D of labelled rows in order, fold k tests the dates
    D[s] .. D[s + test_dates - 1], s = min_train_dates + k * test_dates. A row trains for it if and
    only if it was decided before D[s] and `label_known_at <= D[s - embargo_dates]`: its outcome
    was known when the block's first decision was made (purging; Lopez de Prado 2018, chapter 7,
    stated in knowledge times). Rows of one date are never divided, so a panel splits as one of
    its symbols does.

    Parameters
    ----------
    decision_at : array of datetime64, shape (n_rows,)
        When each row's forecast was made; any order, many rows an instant.
    label_known_at : array of datetime64, shape (n_rows,)
        When each row's outcome was known. NaT means not yet: the row takes no part at all.
    min_train_dates : int
        Decision dates before the first tested one.
    test_dates : int
        Decision dates of a test block; the last block may be shorter.
    embargo_dates : int
        Further dates that must lie between the last known label and the block.
    window_dates : int or None
        Train on what was decided on the last so many dates before the block (rolling), or on all
        of the past (expanding). Purge and embargo take from its newer end.

    Returns
    -------
    list of Fold
        In order of time; test blocks are disjoint and together hold every date from
        D[min_train_dates] on.

    Raises
    ------
    InvalidRequest
        If arrays do not match, a decision is NaT, a label is known before its decision, or a size
        is out of range.
    InsufficientHistory
        If there is nothing to test after `min_train_dates` dates, or a fold has no row to train on.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2024-01-09", dtype="datetime64[D]").astype("datetime64[us]")
    >>> folds = walk_forward(days[:-1], days[1:], min_train_dates=4, test_dates=2)
    >>> [(fold.train.tolist(), fold.test.tolist()) for fold in folds]
    [([0, 1, 2, 3], [4, 5]), ([0, 1, 2, 3, 4, 5], [6])]
    """
    decided, known = checked_times(decision_at, label_known_at)
    _check_sizes(min_train_dates, test_dates, embargo_dates, window_dates)
    labelled = ~np.isnat(known)
    dates = np.unique(decided[labelled])
    if dates.size <= min_train_dates:
        raise InsufficientHistory("walk-forward", int(dates.size), min_train_dates + 1)

    folds = []
    for number, start in enumerate(range(min_train_dates, dates.size, test_dates)):
        first, last = dates[start], dates[min(start + test_dates, dates.size) - 1]
        oldest = dates[0 if window_dates is None else max(0, start - window_dates)]
        admissible = known <= dates[start - embargo_dates]
        train = labelled & admissible & (decided >= oldest) & (decided < first)
        test = labelled & (decided >= first) & (decided <= last)
        if not train.any():
            raise InsufficientHistory(f"training rows known by {first}", 0, 1)
        folds.append(Fold(number, _rows(train), _rows(test), first, last))
    return folds


def _rows(mask: NDArray[np.bool_]) -> Rows:
    return np.flatnonzero(mask).astype(np.int64, copy=False)


def checked_times(decision_at: Instants, label_known_at: Instants) -> tuple[Instants, Instants]:
    """Return both times of each row in microseconds.

    Raises
    ------
    InvalidRequest
        If they are no matching times, a decision is NaT, or a label is known before its decision.
    """
    decided, known = np.asarray(decision_at), np.asarray(label_known_at)
    if decided.dtype.kind != "M" or known.dtype.kind != "M":
        raise InvalidRequest("decision_at, label_known_at", "must be datetime64 arrays")
    if decided.ndim != 1 or decided.shape != known.shape:
        raise InvalidRequest(
            "label_known_at",
            f"has shape {known.shape}, decision_at {decided.shape}; one value a row",
        )
    decided, known = decided.astype("datetime64[us]"), known.astype("datetime64[us]")
    if np.isnat(decided).any():
        raise InvalidRequest("decision_at", "every row needs the instant of its decision")
    if (known < decided).any():
        raise InvalidRequest("label_known_at", "an outcome cannot be known before its decision")
    return decided, known


def _check_sizes(
    min_train_dates: int, test_dates: int, embargo_dates: int, window_dates: int | None
) -> None:
    if min_train_dates < 1:
        raise InvalidRequest("min_train_dates", f"is {min_train_dates}, at least 1 needed")
    if test_dates < 1:
        raise InvalidRequest("test_dates", f"is {test_dates}, at least 1 needed")
    if not 0 <= embargo_dates < min_train_dates:
        raise InvalidRequest(
            "embargo_dates", f"is {embargo_dates}, must be from 0 to {min_train_dates - 1}"
        )
    if window_dates is not None and not embargo_dates < window_dates:
        raise InvalidRequest(
            "window_dates", f"is {window_dates}, must be above the embargo of {embargo_dates}"
        )
