"""Exact arithmetic gives a float and an array the same bits, and windows forget what left them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwether.features import exact, tape
from bellwether.features.arrays import run, run_all
from bellwether.features.expr import Column, lag, ta, window
from bellwether.features.machine import Machine
from bellwether.features.program import compiled

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
X = Column("close")


def bits(x: float) -> bytes:
    return np.float64(exact.NAN if math.isnan(x) else x).tobytes()


@settings(deadline=None)
@given(st.lists(ANY, min_size=1, max_size=40))
def test_functions_of_one_value_agree(values: list[float]) -> None:
    with np.errstate(all="ignore"):
        for name, of_array in exact.ARRAY_UNARY.items():
            together = of_array(np.array(values))
            alone = [tape.of_one(tape.CODES[name], x) for x in values]
            assert [bits(x) for x in together] == [bits(x) for x in alone], name


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=40))
def test_functions_of_two_values_agree(pairs: list[tuple[float, float]]) -> None:
    left, right = (np.array(side) for side in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        for name, of_arrays in exact.ARRAY_PAIRS.items():
            together = of_arrays(left, right)
            alone = [tape.of_two(tape.CODES[name], a, b) for a, b in pairs]
            assert [bits(x) for x in together] == [bits(x) for x in alone], name


@given(st.floats(min_value=5e-324, max_value=1.7e308))
@settings(max_examples=500, deadline=None)
def test_the_logarithm_is_within_two_units_in_the_last_place(x: float) -> None:
    assert abs(tape.of_one(tape.LOG, x) - math.log(x)) <= 2 * math.ulp(math.log(x))


@given(st.floats(min_value=0.5, max_value=2.0))
@settings(max_examples=500, deadline=None)
def test_the_logarithm_is_as_good_around_one(x: float) -> None:
    assert abs(tape.of_one(tape.LOG, x) - math.log(x)) <= 2 * math.ulp(math.log(x))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20, 33, 64])
@pytest.mark.parametrize("function", ["sum", "mean", "var", "std", "max", "min"])
def test_windows_see_their_window_and_nothing_else(function: str, n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(0, 1, 150)
    x[10] = 1e12  # leaves no rounding behind once it has left
    program = compiled([window(function, X, n)])
    out, clean = np.empty((1, 150)), np.empty((1, 150))

    run(program, {"close": x}, out)
    run(program, {"close": np.where(np.arange(150) == 10, 0.0, x)}, clean)

    numpy_too = {
        "mean": np.mean,
        "sum": np.sum,
        "var": np.var,
        "std": np.std,
        "max": max,
        "min": min,
    }
    plain = [numpy_too[function](x[i - n + 1 : i + 1]) for i in range(10 + n, 150)]
    assert np.allclose(out[0, 10 + n :], plain, rtol=1e-10, atol=1e-10)
    assert out[0, 10 + n :].tobytes() == clean[0, 10 + n :].tobytes()
    assert np.isnan(out[0, : n - 1]).all()


@given(
    st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60), st.integers(1, 25), st.integers(1, 9)
)
@settings(deadline=None, max_examples=50)
def test_a_machine_gives_what_history_gives(values: list[float], n: int, back: int) -> None:
    x = np.array(values)
    roots = [window(f, lag(X, back) / X, n) for f in ("sum", "std", "max")]
    program = compiled(roots)
    out = np.empty((3, len(x)))

    run(program, {"close": x}, out)
    machine = Machine(program)
    told = np.vstack([machine.advance([value]) for value in values])

    assert np.ascontiguousarray(out.T).tobytes() == told.tobytes()


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40), st.integers(1, 9))
@settings(deadline=None, max_examples=50)
def test_what_is_lifted_out_of_talib_gives_its_bits(values: list[float], n: int) -> None:
    x = np.array(values)
    roots = [ta(f, X, timeperiod=n) for f in ("ROCP", "MOM")]
    roots.append(ta("TYPPRICE", X * X, X, X / 3.0))
    program = compiled([*roots, ta("MOM", roots[2], timeperiod=n)])
    out = np.empty((4, len(x)))

    run(program, {"close": x}, out)
    machine = Machine(program)
    told = np.vstack([machine.advance([value]) for value in values])

    assert np.ascontiguousarray(out.T).tobytes() == told.tobytes()
    loaded = Machine(program)
    loaded.load(run_all(program, {"close": x}), len(x))
    assert loaded.state() == machine.state()
