"""Calls of a direction: by hand, beside scikit-learn, and with dates that move together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, matthews_corrcoef

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.calls import called, outcalled


def drawn(seed: int, n: int = 400, dates: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.integers(0, dates, n)), rng.random(n) > 0.45, rng.random(n) > 0.4


def test_by_hand() -> None:
    """40 + 30 of 100 right: MCC = (40 * 30 - 20 * 10) / sqrt(60 * 50 * 40 * 50)."""
    came = np.array([True] * 50 + [False] * 50)
    said = np.array([True] * 40 + [False] * 10 + [True] * 20 + [False] * 30)

    found = called(np.arange(100), came, said)

    assert found.accuracy == pytest.approx(0.7)
    assert found.mcc == pytest.approx(1000 / np.sqrt(60 * 50 * 40 * 50))
    assert (found.n, found.dates) == (100, 100)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_beside_scikit_learn(seed: int) -> None:
    dates, came, said = drawn(seed)
    other = ~said

    found, gain = called(dates, came, said), outcalled(dates, came, said, other)

    assert found.accuracy == pytest.approx(accuracy_score(came, said))
    assert found.mcc == pytest.approx(matthews_corrcoef(came, said))
    assert found.accuracy_interval is not None
    assert found.mcc_interval is not None
    assert found.accuracy_interval[0] < found.accuracy < found.accuracy_interval[1]
    assert found.mcc_interval[0] < found.mcc_interval[1]
    assert gain.accuracy == pytest.approx(accuracy_score(came, said) - accuracy_score(came, other))
    assert gain.mcc == pytest.approx(matthews_corrcoef(came, said) - matthews_corrcoef(came, other))


def test_dates_that_move_together_make_the_intervals_wider() -> None:
    rng = np.random.default_rng(3)
    dates = np.repeat(np.arange(60), 20)
    together = np.repeat(rng.random(60) > 0.5, 20)
    said = np.repeat(rng.random(60) > 0.5, 20)

    order = rng.permutation(1200)
    by_date = called(dates, together, said)
    by_row = called(np.arange(1200), together[order], said[order])

    for one, other in (
        (by_date.accuracy_interval, by_row.accuracy_interval),
        (by_date.mcc_interval, by_row.mcc_interval),
    ):
        assert one is not None
        assert other is not None
        assert one[1] - one[0] > 2 * (other[1] - other[0])


def test_who_calls_one_direction_has_no_mcc() -> None:
    dates, came, _ = drawn(1)

    found = called(dates, came, np.ones_like(came))

    assert (found.mcc, found.mcc_interval) == (None, None)
    assert found.accuracy == pytest.approx(came.mean())


def test_the_same_seed_gives_the_same_interval_and_rows_may_come_in_any_order() -> None:
    dates, came, said = drawn(5)
    order = np.random.default_rng(0).permutation(len(dates))

    one, other = called(dates, came, said), called(dates[order], came[order], said[order])

    assert one.mcc_interval == other.mcc_interval
    assert one.accuracy == other.accuracy


@pytest.mark.parametrize(
    ("dates", "up", "said", "words"),
    [
        (np.arange(3), np.ones(3, bool), np.ones(2, bool), "shape"),
        (np.arange(2), np.ones(3, bool), np.ones(3, bool), "shape"),
        (np.arange(3), np.ones(3), np.ones(3, bool), "true or false"),
        (np.arange(3), np.ones(3, bool), np.array([0.1, np.nan, 1]), "true or false"),
    ],
)
def test_what_is_no_call_is_refused(
    dates: np.ndarray, up: np.ndarray, said: np.ndarray, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        called(dates, up, said)


def test_no_rows_have_no_score() -> None:
    none = np.array([], dtype=bool)

    found = called(np.array([], dtype=int), none, none)

    assert (found.accuracy, found.mcc, found.n) == (None, None, 0)
