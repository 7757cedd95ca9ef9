"""Sketches merge like the sets they stand for."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bellwether.core.errors import InvalidRequest
from bellwether.features.sketch import Sketch, from_arrays, merged, sketched

NAMES = ("a", "b")
VALUES = arrays.arrays(
    np.float64, st.tuples(st.integers(0, 30), st.just(2)), elements=st.floats(width=64)
)


def same(x: Sketch, y: Sketch) -> bool:
    pairs = zip(x.arrays().values(), y.arrays().values(), strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in pairs)


@given(VALUES, VALUES, VALUES)
def test_merging_is_what_it_would_be_together_in_any_order(
    x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> None:
    a, b, c = (sketched(NAMES, v) for v in (x, y, z))

    whole = sketched(NAMES, np.concatenate([x, y, z]))

    assert same(merged(merged(a, b), c), whole)
    assert same(merged(a, merged(b, c)), whole)
    assert same(merged(c, merged(b, a)), whole)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200), st.floats(0, 1))
def test_quantiles_are_within_two_percent(values: list[float], q: float) -> None:
    told = sketched(("a",), np.array(values)[:, None]).quantile("a", q)

    # the sketch rounds a value, never its place in the order
    place = np.sort(values)[round(np.floor(q * (len(values) - 1)))]
    assert abs(told - place) <= 0.02 * abs(place) + 1e-12


def test_what_is_missing_is_counted() -> None:
    told = sketched(NAMES, np.array([[1.0, np.nan], [np.inf, np.nan], [-2.0, np.nan]]))

    assert told.rows.tolist() == [3, 3]
    assert told.missing.tolist() == [1, 3]
    assert (told.low[0], told.high[0]) == (-2.0, 1.0)
    assert np.isnan(told.quantile("b", 0.5))


def test_it_is_stored_as_plain_arrays() -> None:
    told = sketched(NAMES, np.random.default_rng(0).normal(size=(500, 2)))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **told.arrays())
    buffer.seek(0)

    assert same(from_arrays(dict(np.load(buffer, allow_pickle=False))), told)


def test_what_does_not_fit_is_refused() -> None:
    told = sketched(NAMES, np.zeros((2, 2)))
    with pytest.raises(InvalidRequest):
        sketched(("a",), np.zeros((2, 2)))
    with pytest.raises(InvalidRequest):
        merged(told, sketched(("a", "c"), np.zeros((2, 2))))
    with pytest.raises(InvalidRequest):
        told.quantile("c", 0.5)
    with pytest.raises(InvalidRequest):
        told.quantile("a", 1.5)
