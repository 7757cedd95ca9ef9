"""TA-Lib's slow functions, compiled so that the processor does several sessions at once.

Each function writes its values from its first on, into arrays that hold just those, and has `spare` to work in, of `spare_size`. Each gives TA-Lib's bits, because it takes TA-Lib's steps in TA-Lib's order: what is reordered is
only what has no rounding (larger and smaller values, which session comes first). The stream stays
with TA-Lib. A process that never runs the panel engine never loads this module, nor Numba.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from bellwether.features.compiler import ZERO, compiled
from bellwether.features.kernels_windows import aroon, stochastic, williams

Array = npt.NDArray[np.float64]


def spare_size(sessions: int, longest: int) -> int:
    """Return how many values a function may need to work in, its longest parameter being given."""
    return 6 * sessions + 4 * (longest + 1)


@compiled
def _add(total: Array, x: Array) -> None:
    for i in range(len(total)):
        total[i] += x[i]


@compiled
def _add_away(total: Array, x: Array, middle: Array) -> None:
    for i in range(len(total)):
        total[i] += abs(x[i] - middle[i])


@compiled
def _start(head: Array, total: Array, away: Array) -> None:
    for i in range(len(total)):
        total[i] = head[i]
        away[i] = 0.0


@compiled
def _divide(total: Array, n: int) -> None:
    for i in range(len(total)):
        total[i] /= n


@compiled
def _index(out: Array, last: Array, middle: Array, away: Array, n: int) -> None:
    for i in range(len(out)):
        d, a, near = last[i] - middle[i], away[i] / n, abs(middle[i]) * ZERO
        a = 0.0 if near >= abs(d) or near >= a else a * 0.015
        out[i] = d / a if a != 0.0 else 0.0


@compiled
def _turned(high: Array, low: Array, close: Array, ring: Array) -> None:
    n, size = ring.shape[0], len(high)
    for turn in range(ring.shape[1] - 1):
        for j in range(min(n, size - turn * n)):
            i = turn * n + j
            ring[j, turn + 1] = (high[i] + low[i] + close[i]) / 3.0


@compiled
def _in_order(told: Array, size: int, out: Array) -> None:
    n = told.shape[0]
    out[0] = told[n - 1, 0]
    for turn in range(1, told.shape[1]):
        for p in range(min(n, size - turn * n)):
            out[turn * n + p - (n - 1)] = told[p, turn]


@compiled
def cci(high: Array, low: Array, close: Array, out: Array, n: int, spare: Array) -> None:  # noqa: ARG001
    """Commodity channel index; TA-Lib adds up its ring of `n` values from place 0 on.

    The ring is laid out once a turn, place by place: `ring[j, b + 1]` is what turn `b` wrote to
    place `j`. So all turns are added at once, each in TA-Lib's order.
    """
    size = len(high)
    turns = -(-size // n)
    ring, told = np.zeros((n, turns + 1)), np.empty((n, turns))
    head, total, away = np.empty(turns), np.empty(turns), np.empty(turns)
    for i in range(turns):
        head[i] = 0.0
    _turned(high, low, close, ring)
    for p in range(n):
        _add(head, ring[p, 1:])
        _start(head, total, away)
        for j in range(p + 1, n):
            _add(total, ring[j, :-1])
        _divide(total, n)
        for j in range(n):
            _add_away(away, ring[j, 1:] if j <= p else ring[j, :-1], total)
        _index(told[p], ring[p, 1:], total, away, n)
    _in_order(told, size, out)


@compiled
def _reach(high: float, low: float, before: float) -> float:
    return max(high - low, abs(high - before), abs(low - before))


@compiled
def _ways(rise: float, fall: float) -> tuple[float, float]:
    up = rise if rise > 0.0 and rise > fall else 0.0
    return up, (fall if fall > 0.0 and fall > rise else 0.0)


@compiled
def directional(  # noqa: PLR0913, PLR0917
    high: Array,
    low: Array,
    close: Array,
    adx: Array,
    plus: Array,
    minus: Array,
    n: int,
    spare: Array,  # noqa: ARG001  (all functions are called alike)
) -> None:
    """Average directional index and both directional indicators, from `2 n - 1` and `n` on."""
    up, down, span, sums, average = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(1, len(high)):
        rise, fall = _ways(high[t] - high[t - 1], low[t - 1] - low[t])
        reach = _reach(high[t], low[t], close[t - 1])
        if t < n:
            up, down, span = up + rise, down + fall, span + reach
            continue
        up, down, span = up - up / n + rise, down - down / n + fall, span - span / n + reach
        plus[t - n] = 100.0 * (up / span) if span > 0.0 else 0.0
        minus[t - n] = 100.0 * (down / span) if span > 0.0 else 0.0
        both = minus[t - n] + plus[t - n]
        told = not (-ZERO < both < ZERO)
        index = 100.0 * (abs(minus[t - n] - plus[t - n]) / both) if told else 0.0
        if t < 2 * n:
            sums += index
            average = sums / n
        elif told:
            average = (average * (n - 1) + index) / n
        if t >= 2 * n - 1:
            adx[t - 2 * n + 1] = average


@compiled
def money_flow(
    high: Array, low: Array, close: Array, volume: Array, out: Array, n: int, spare: Array
) -> None:
    """Money flow index; where nothing has flowed for `n` sessions the totals start at 0 again."""
    size = len(high)
    flow, gone, typical = spare[:size], spare[size : 2 * size], spare[2 * size : 3 * size]
    flow[0], gone[0] = 0.0, 0.0
    for i in range(size):
        typical[i] = (high[i] + low[i] + close[i]) / 3.0
    for i in range(1, size):
        now, before = typical[i], typical[i - 1]
        change, money = now - before, volume[i] * now
        still = (abs(now) + abs(before)) * ZERO >= abs(change)
        money = 0.0 if still else money
        flow[i] = 0.0 if change < 0.0 else money
        gone[i] = money if change < 0.0 else 0.0
    came, went, quiet = 0.0, 0.0, 0
    for i in range(1, size):
        if i > n:
            came -= flow[i - n]
            went -= gone[i - n]
        came += flow[i]
        went += gone[i]
        quiet = quiet + 1 if flow[i] + gone[i] == 0.0 else 0
        if quiet >= n:
            came, went = 0.0, 0.0
        if i >= n:
            typical[i] = came + went
            flow[i - n] = came
    for i in range(n, size):
        both, part = typical[i], flow[i - n]
        part = 0.0 if part < 0.0 else min(both, part)
        out[i - n] = 0.0 if both <= 0.0 else part / both * 100.0


@compiled
def balance(close: Array, volume: Array, out: Array, spare: Array) -> None:  # noqa: ARG001
    """On-balance volume."""
    out[0] = volume[0]
    for i in range(1, len(close)):
        c, b = close[i], close[i - 1]
        way = (1.0 if c > b else 0.0) - (1.0 if c < b else 0.0)
        out[i] = way * volume[i]
    for i in range(1, len(close)):
        out[i] += out[i - 1]


TABLE: Mapping[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "CCI": (cci, ("timeperiod",)),
    "STOCH": (stochastic, ("fastk_period", "slowk_period", "slowd_period")),
    "WILLR": (williams, ("timeperiod",)),
    "AROON": (aroon, ("timeperiod",)),
    "MFI": (money_flow, ("timeperiod",)),
    "OBV": (balance, ()),
}
