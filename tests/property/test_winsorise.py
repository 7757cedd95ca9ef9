"""What drawing in extremes may do to numbers, and what it may not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bellwether.core.schemas import FLAG_KINDS
from bellwether.quality.treatments import Treatment, kind_of, treatment, winsorise

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False) | st.just(float("nan"))
VALUES = arrays(np.float64, st.integers(0, 60), elements=NUMBERS)
SCALES = st.floats(0.1, 50)


@given(VALUES, SCALES)
def test_only_what_lies_outside_is_moved_and_only_to_the_limit(
    values: np.ndarray, scales: float
) -> None:
    before = values.copy()
    done = winsorise(values, scales)

    inside = (values >= done.low) & (values <= done.high)
    assert np.array_equal(values, before, equal_nan=True)
    assert np.array_equal(done.values[inside], values[inside])
    assert np.array_equal(np.isnan(done.values), np.isnan(values))
    known = done.values[~np.isnan(done.values)]
    assert ((known >= done.low) & (known <= done.high)).all()
    assert done.drawn_in == int(np.sum(~inside & ~np.isnan(values)))


@given(VALUES, SCALES)
def test_order_is_kept(values: np.ndarray, scales: float) -> None:
    known = np.sort(values[~np.isnan(values)])
    assert (np.diff(winsorise(known, scales).values) >= 0).all()


def test_a_lone_extreme_is_drawn_in_by_hand() -> None:
    values = np.array([-2.0, -1.0, 0.0, 1.0, 2.0, 100.0])
    # median 0.5, deviations 2.5 1.5 0.5 0.5 1.5 99.5: their median is 1.5

    done = winsorise(values, 2.0)

    assert done.drawn_in == 1
    assert done.values[-1] == pytest.approx(0.5 + 2 * 1.4826 * 1.5)


def test_what_never_varies_or_is_not_there_stays() -> None:
    for values in (np.full(5, 3.0), np.array([np.nan, np.inf]), np.array([])):
        assert np.array_equal(winsorise(values, 1.0).values, values, equal_nan=True)


def test_every_kind_has_a_treatment_and_notes_are_kept() -> None:
    for kind in FLAG_KINDS:
        assert treatment(kind, "fault") in (Treatment.FLAG, Treatment.WINSORISE)
        assert treatment(kind, "note") is Treatment.KEEP
    assert kind_of("high_below_low") == "ohlc_contradiction"
    assert kind_of("bad_symbol") == "bad_symbol"
