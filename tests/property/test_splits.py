"""Laws of the walk forward, on panels with holes and labels known late."""

import runpy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.errors import InsufficientHistory, InvalidRequest
from bellwether.evaluation.splits import Fold, walk_forward

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "methods_ref.py"
DAY = np.timedelta64(1, "D")
START = np.datetime64("2020-01-01T21:00:00", "us")
SIZES = {"min_train_dates": 6, "test_dates": 4}

Panel = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """Rows (decided, known, symbol), shuffled: symbol 0 has every date, others have holes."""
    n_dates = draw(st.integers(14, 40))
    n_symbols = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = rng.random((n_symbols, n_dates)) < 0.7
    kept[0] = True
    symbol, day = np.nonzero(kept)
    decided = START + day * DAY
    known = decided + rng.integers(0, 4, day.size) * DAY
    known[(symbol > 0) & (rng.random(day.size) < 0.1)] = np.datetime64("NaT")
    order = rng.permutation(day.size)
    return decided[order], known[order], symbol[order]


def options() -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {
            "min_train_dates": st.integers(5, 10),
            "test_dates": st.integers(1, 9),
            "embargo_dates": st.integers(0, 1),
            "window_dates": st.sampled_from([None, 6, 100]),
        }
    )


def as_sets(folds: list[Fold], names: np.ndarray) -> list[tuple[set[int], set[int]]]:
    return [(set(names[fold.train].tolist()), set(names[fold.test].tolist())) for fold in folds]


@given(panels(), options())
def test_nothing_is_trained_on_that_was_not_known(panel: Panel, how: dict[str, object]) -> None:
    decided, known, _ = panel
    for fold in walk_forward(decided, known, **how):
        assert known[fold.train].max() <= fold.first - how["embargo_dates"] * DAY
        assert fold.first == decided[fold.test].min()
        assert fold.last == decided[fold.test].max()
        assert set(decided[fold.train]).isdisjoint(decided[fold.test])


@given(panels(), options())
def test_blocks_follow_each_other_and_miss_no_date(panel: Panel, how: dict[str, object]) -> None:
    decided, known, _ = panel
    folds = walk_forward(decided, known, **how)
    labelled = ~np.isnat(known)
    dates = np.unique(decided[labelled])
    tested = np.concatenate([fold.test for fold in folds])
    later = np.flatnonzero(labelled & (decided >= dates[how["min_train_dates"]]))

    assert [fold.number for fold in folds] == list(range(len(folds)))
    assert all(a.last < b.first for a, b in pairwise(folds))
    assert sorted(tested) == later.tolist()


@given(panels(), options(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(panel: Panel, how: dict[str, object], seed: int) -> None:
    decided, known, _ = panel
    order = np.random.default_rng(seed).permutation(decided.size)

    shuffled = walk_forward(decided[order], known[order], **how)

    names = np.arange(decided.size)
    assert as_sets(shuffled, order) == as_sets(walk_forward(decided, known, **how), names)


@given(panels(), options(), st.integers(1, 3))
def test_dropping_a_symbol_leaves_the_others_alone(
    panel: Panel, how: dict[str, object], gone: int
) -> None:
    decided, known, symbol = panel
    stays = np.flatnonzero(symbol != gone)

    without = as_sets(walk_forward(decided[stays], known[stays], **how), stays)

    names = np.arange(decided.size)
    whole = as_sets(walk_forward(decided, known, **how), names)
    assert without == [(train & set(stays), test & set(stays)) for train, test in whole]


@given(panels(), options())
def test_a_row_without_an_outcome_takes_no_part(panel: Panel, how: dict[str, object]) -> None:
    decided, known, _ = panel
    rows = np.flatnonzero(~np.isnat(known))

    alone = walk_forward(decided[rows], known[rows], **how)

    names = np.arange(decided.size)
    assert as_sets(alone, rows) == as_sets(walk_forward(decided, known, **how), names)


@pytest.fixture(scope="module")
def reference() -> dict[str, object]:
    pytest.importorskip("pandas")
    if not REFERENCE.is_file():
        pytest.skip("the reference implementations lie in ../shared, which this machine lacks")
    return runpy.run_path(str(REFERENCE))


@pytest.mark.parametrize("expanding", [True, False])
@pytest.mark.parametrize("embargo", [0, 3])
@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_agrees_with_the_reference(
    reference: dict[str, object], *, horizon: int, embargo: int, expanding: bool
) -> None:
    rng = np.random.default_rng(horizon)
    day = np.sort(rng.integers(0, 200, 900))
    decided = START + day * DAY
    known = decided + horizon * DAY

    ours = walk_forward(
        decided,
        known,
        min_train_dates=60,
        test_dates=25,
        embargo_dates=embargo,
        window_dates=None if expanding else 60,
    )
    theirs = list(
        reference["walk_forward_dates"](
            decided, known, 60, 25, expand=expanding, embargo=embargo, reduce_test=True
        )
    )

    assert len(ours) == len(theirs)
    for fold, (train, test) in zip(ours, theirs, strict=True):
        assert fold.train.tolist() == train.tolist()
        assert fold.test.tolist() == test.tolist()
        assert fold.train.dtype == fold.test.dtype == np.int64


def test_too_few_dates_are_refused_with_both_numbers() -> None:
    days = START + np.arange(6) * DAY
    with pytest.raises(InsufficientHistory, match="6 sessions of history, at least 7") as refused:
        walk_forward(days, days + DAY, **SIZES)
    assert (refused.value.have, refused.value.need) == (6, 7)


def test_a_fold_that_could_not_train_is_refused() -> None:
    days = START + np.arange(12) * DAY
    with pytest.raises(InsufficientHistory, match="training rows"):
        walk_forward(days, days + 30 * DAY, **SIZES)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"min_train_dates": 0}, "min_train_dates"),
        ({"test_dates": 0}, "test_dates"),
        ({"embargo_dates": -1}, "embargo_dates"),
        ({"embargo_dates": 6}, "embargo_dates"),
        ({"window_dates": 0}, "window_dates"),
        ({"window_dates": 2, "embargo_dates": 2}, "window_dates"),
    ],
)
def test_sizes_out_of_range_are_refused(change: dict[str, int], field: str) -> None:
    days = START + np.arange(12) * DAY
    with pytest.raises(InvalidRequest) as refused:
        walk_forward(days, days + DAY, **{**SIZES, **change})
    assert refused.value.field == field


def test_times_that_make_no_sense_are_refused() -> None:
    days = START + np.arange(12) * DAY
    missing = days.copy()
    missing[3] = np.datetime64("NaT")
    with pytest.raises(InvalidRequest, match="before its decision"):
        walk_forward(days, days - DAY, **SIZES)
    with pytest.raises(InvalidRequest, match="every row"):
        walk_forward(missing, days + DAY, **SIZES)
    with pytest.raises(InvalidRequest, match="one value a row"):
        walk_forward(days, days[:-1], **SIZES)
    with pytest.raises(InvalidRequest, match="datetime64"):
        walk_forward(np.arange(12), days, **SIZES)
