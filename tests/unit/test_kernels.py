"""Our compiled functions give TA-Lib's bits, whatever the market does; so do its own, in place."""

import numpy as np
import polars as pl
import pytest

from bellwether.core.errors import InvalidRequest
from bellwether.features.arrays import Workspace, run
from bellwether.features.catalog import technical
from bellwether.features.expr import Column, Expr, lag, ta
from bellwether.features.program import compiled
from bellwether.features.talib_call import compiled_call, direct

N = 700
HIGH, LOW, CLOSE, VOLUME = (Column(c) for c in ("high", "low", "close", "volume"))
HLC = (HIGH, LOW, CLOSE)


def markets() -> dict[str, dict[str, np.ndarray]]:
    """Cents, ties, days that stand still, days without volume, tiny and huge prices, one ulp apart."""
    rng = np.random.default_rng(5)
    walk = np.round(40 * np.exp(np.cumsum(rng.normal(0, 0.02, N))), 2)
    volume = rng.integers(0, 5, N) * 1000.0
    ends = {"wide": 0.03, "narrow": 0.0003}
    found = {}
    for name, reach in ends.items():
        high = np.round(walk * (1 + reach * rng.random(N)), 2)
        low = np.round(walk * (1 - reach * rng.random(N)), 2)
        found[name] = {"high": np.maximum(high, walk), "low": np.minimum(low, walk)}
        found[name] |= {"close": walk, "volume": volume}
    still = {c: x.copy() for c, x in found["wide"].items()}
    for c in ("high", "low", "close"):
        still[c][100:200] = still[c][100]
        still[c][300:420] = walk[300]
    still["volume"][350:500] = 0.0
    ties = {c: np.round(x / 4) * 4 for c, x in found["wide"].items()}
    hair = 40 * (1 + rng.integers(-3, 4, N) * 2.0**-52)
    one_ulp = {"high": np.nextafter(hair, 1e9), "low": hair, "close": hair, "volume": volume + 1}
    bound = 40 * (1 + rng.integers(-9, 10, N) * 1e-15)
    near = {"high": bound * (1 + 1.5e-14), "low": bound, "close": bound, "volume": volume + 1}
    scaled = {
        f"{k:g}": {c: x * (k if c != "volume" else 1.0) for c, x in found["wide"].items()}
        for k in (1e-9, 1e9, 0.1 / 3)
    }
    extra = {"still": still, "ties": ties, "one_ulp": one_ulp, "near": near}
    return found | extra | scaled


MARKETS = markets()


def formulas(n: int) -> list[Expr]:
    slow = {"fastk_period": n, "slowk_period": 3, "slowd_period": 2 + n // 9}
    alone = [
        ta(name, *HLC, timeperiod=n) for name in ("CCI", "WILLR", "ADX", "PLUS_DI", "MINUS_DI")
    ]
    pairs = [ta("STOCH", *HLC, output=i, outputs=2, **slow) for i in range(2)]
    pairs += [ta("AROON", HIGH, LOW, output=i, outputs=2, timeperiod=n) for i in range(2)]
    return [*alone, *pairs, ta("MFI", *HLC, VOLUME, timeperiod=n), ta("OBV", CLOSE, VOLUME)]


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("n", [2, 3, 14, 25, 60])
def test_compiled_functions_give_the_bits_of_talib(market: str, n: int) -> None:
    program = compiled(formulas(n))
    for size in (N, 1, n, n + 1, 2 * n, 2 * n + 1):
        columns = {c: x[:size].copy() for c, x in MARKETS[market].items()}
        plain, fast = np.empty((2, len(program.outputs), size))

        run(program, columns, plain)
        run(program, columns, fast, Workspace(kernels=True))

        for at, formula in enumerate(formulas(n)):
            assert plain[at].tobytes() == fast[at].tobytes(), (str(formula), size)


@pytest.mark.parametrize("market", ["wide", "still", "one_ulp"])
def test_whole_views_give_the_same_bits_in_batches(market: str) -> None:
    program = technical().program
    for size in (N, 1, 20, 30):
        columns = {c: x[:size] for c, x in MARKETS[market].items()} | {"open": np.full(size, 40.0)}
        plain, fast = np.empty((2, len(program.outputs), size))
        space = Workspace(kernels=True)

        run(program, columns, plain)
        run(program, columns, fast, space)
        run(program, columns, fast, space)

        assert plain.tobytes() == fast.tobytes()


def test_a_call_that_talib_refuses_is_told() -> None:
    from dataclasses import replace

    from bellwether.features import batch

    bound = direct("SMA", (("timeperiod", 5),), 1)
    assert bound is not None
    assert bound.native is not None
    call = ([MARKETS["wide"]["close"]], [np.empty(N - 4)])

    with pytest.raises(InvalidRequest, match="refused SMA"):
        batch.run([(replace(bound.native, whole=(-7,)), call)])
    with pytest.raises(InvalidRequest, match="refused SMA"):
        batch.run([(replace(bound.native, whole=(6,)), call)])


def test_the_package_gives_the_same_bits() -> None:
    import talib

    columns = MARKETS["wide"]
    out = np.empty((3, N))
    bands = [ta("BBANDS", CLOSE, output=i, outputs=3, timeperiod=20) for i in range(3)]

    run(compiled(bands), columns, out)

    for mine, theirs in zip(out, talib.BBANDS(columns["close"], timeperiod=20), strict=True):
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("kernels", [False, True])
def test_inputs_that_warm_up_and_outputs_that_nobody_reads(*, kernels: bool) -> None:
    import talib

    columns = MARKETS["wide"]
    late = ta("AROON", lag(HIGH, 9), lag(LOW, 9), output=1, outputs=2, timeperiod=5)
    other = ta("ADX", *(lag(x, 9) for x in HLC), timeperiod=5)
    out = np.empty((2, N))

    run(compiled([late, other]), columns, out, Workspace(kernels=kernels))

    high, low, close = (columns[c][:-9] for c in ("high", "low", "close"))
    assert out[0, 9:].tobytes() == talib.AROON(high, low, 5)[1].tobytes()
    assert out[1, 9:].tobytes() == talib.ADX(high, low, close, 5).tobytes()
    assert np.isnan(out[:, :9]).all()


def test_what_gives_whole_numbers_is_left_to_the_package() -> None:
    assert direct("HT_TRENDMODE", (), 1) is None
    out = np.empty((1, N))

    run(compiled([ta("HT_TRENDMODE", CLOSE)]), MARKETS["wide"], out)

    assert set(out[0, 63:]) <= {0.0, 1.0}


def test_parameters_that_are_not_ours_are_left_to_talib() -> None:
    assert compiled_call("PLUS_DI", (("timeperiod", 1),)) is None
    assert compiled_call("STOCH", (("fastk_period", 5), ("slowk_matype", 1))) is None
    assert compiled_call("SMA", (("timeperiod", 5),)) is None


def test_rows_that_are_not_contiguous_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="contiguous"):
        run(compiled([ta("SMA", CLOSE, timeperiod=3)]), MARKETS["wide"], np.empty((N, 2)).T[:1])


def test_history_needs_no_compiler() -> None:
    """The server computes a vector now and then; it should not carry one for that."""
    import subprocess
    import sys

    code = (
        "import sys; from bellwether.features import history, panel, stream, views\n"
        "views.views(); sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_column_of_the_frame_is_the_array_that_was_computed() -> None:
    from bellwether.features.panel import _adopted

    array = np.arange(10.0)
    column = _adopted("x", array)

    assert column.to_numpy().ctypes.data == array.ctypes.data
    assert column.dtype == pl.Float64
    assert column.null_count() == 0


def test_what_cannot_be_kept_on_disk_is_compiled_all_the_same() -> None:
    """Numba finds no place for a function without a file; so it is where nothing can be written."""
    import subprocess
    import sys

    code = (
        "from bellwether.features.compiler import compiled\n"
        "def twice(x): return x + x\n"
        "assert compiled(twice)(2.0) == 4.0"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
