"""Folds by the calendar hold what a walk forward has to hold."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.errors import InsufficientHistory, InvalidRequest
from bellwether.evaluation.calendar_splits import Periods, by_period, later, months_of

DAYS = np.arange("2000-01-03", "2006-01-01", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]


def panel(horizon: int, symbols: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    session = np.repeat(DAYS, symbols)
    decided = session.astype("datetime64[us]") + np.timedelta64(21, "h")
    known = np.full(len(DAYS), np.datetime64("NaT"), dtype="datetime64[us]")
    ahead = DAYS[horizon + 1 :].astype("datetime64[us]") + np.timedelta64(14, "h")
    known[: len(ahead)] = ahead
    return session, decided, np.repeat(known, symbols)


@given(
    st.sampled_from(["1y", "6m", "1q", "1m", "2y"]),
    st.sampled_from([None, "1y", "18m"]),
    st.integers(1, 30),
)
def test_folds_never_see_what_comes(step: str, window: str | None, horizon: int) -> None:
    session, decided, known = panel(horizon)
    periods = Periods(date(2002, 1, 1), date(2005, 6, 30), step, window, 100)
    folds = by_period(session, decided, known, periods)
    tested = np.concatenate([fold.test for fold in folds])
    labelled = ~np.isnat(known)
    wanted = (
        labelled
        & (session >= np.datetime64("2002-01-01"))
        & (session <= np.datetime64("2005-06-30"))
    )
    assert np.array_equal(tested, np.flatnonzero(wanted))  # each once, in order
    for fold in folds:
        assert known[fold.train].max() <= decided[fold.test].min()
        assert decided[fold.train].max() < decided[fold.test].min()
        assert len(np.unique(decided[fold.train])) >= 100
        if window is not None:
            oldest = later(
                later(date(2002, 1, 1), fold.number * months_of(step)), -months_of(window)
            )
            assert session[fold.train].min() >= np.datetime64(oldest)


def test_periods_without_a_past_are_left_out() -> None:
    session, decided, known = panel(1)
    folds = by_period(session, decided, known, Periods(date(2000, 1, 1), date(2005, 12, 31), "1y"))
    assert [fold.number for fold in folds] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("periods", "error"),
    [
        (Periods(date(2000, 1, 1), date(2001, 1, 1)), InsufficientHistory),
        (Periods(date(2010, 1, 1), date(2011, 1, 1)), InsufficientHistory),
        (Periods(date(2004, 1, 1), date(2003, 1, 1)), InvalidRequest),
        (Periods(date(2004, 1, 1), date(2005, 1, 1), "1w"), InvalidRequest),
        (Periods(date(2004, 1, 1), date(2005, 1, 1), "0y"), InvalidRequest),
        (Periods(date(2004, 1, 1), date(2005, 1, 1), "9999y"), InvalidRequest),
        (Periods(date(2004, 1, 1), date(2005, 1, 1), "1y", "x"), InvalidRequest),
        (Periods(date(2004, 1, 1), date(2005, 1, 1), min_train_dates=0), InvalidRequest),
    ],
)
def test_what_cannot_be_cut(periods: Periods, error: type[Exception]) -> None:
    with pytest.raises(error):
        by_period(*panel(1), periods)


def test_a_month_has_a_last_day() -> None:
    assert later(date(2023, 12, 31), 2) == date(2024, 2, 29)
    assert later(date(2024, 3, 31), -1) == date(2024, 2, 29)
    assert months_of(" 2Q ") == 6
