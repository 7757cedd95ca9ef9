"""TA-Lib's slow functions, compiled so that the processor does several sessions at once.

Each function writes its values from its first on, into arrays that hold just those, and has `spare` to work in, of `spare_size`. Each gives TA-Lib's bits, because it takes TA-Lib's steps in TA-Lib's order: what is reordered is
only what has no rounding (larger and smaller values, which session comes first). The stream stays
with TA-Lib. A process that never runs the panel engine never loads this module, nor Numba.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])
_ZERO = 1e-14  # the part of a value that TA-Lib takes for nothing


def _compiled(function: Function) -> Function:
    """Compile on first use, kept on disk where there is a place for it."""
    options: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy"}
    try:
        kept: Function = njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor a home of the user can be written
        kept = njit(**options)(function)
    return kept


def spare_size(sessions: int, longest: int) -> int:
    """Return how many values a function may need to work in, its longest parameter being given."""
    return 6 * sessions + 4 * (longest + 1)


@_compiled
def _add(total: Array, x: Array) -> None:
    for i in range(len(total)):
        total[i] += x[i]


@_compiled
def _add_away(total: Array, x: Array, middle: Array) -> None:
    for i in range(len(total)):
        total[i] += abs(x[i] - middle[i])


@_compiled
def _index(out: Array, last: Array, middle: Array, away: Array, n: int) -> None:
    for i in range(len(out)):
        d, a, near = last[i] - middle[i], away[i] / n, abs(middle[i]) * _ZERO
        a = 0.0 if near >= abs(d) or near >= a else a * 0.015
        out[i] = d / a if a != 0.0 else 0.0


@_compiled
def _turned(high: Array, low: Array, close: Array, ring: Array) -> None:
    n, size = ring.shape[0], len(high)
    for turn in range(ring.shape[1] - 1):
        for j in range(min(n, size - turn * n)):
            i = turn * n + j
            ring[j, turn + 1] = (high[i] + low[i] + close[i]) / 3.0


@_compiled
def _in_order(told: Array, size: int, out: Array) -> None:
    n = told.shape[0]
    out[0] = told[n - 1, 0]
    for turn in range(1, told.shape[1]):
        for p in range(min(n, size - turn * n)):
            out[turn * n + p - (n - 1)] = told[p, turn]


@_compiled
def cci(high: Array, low: Array, close: Array, out: Array, n: int, spare: Array) -> None:  # noqa: ARG001
    """Commodity channel index; TA-Lib adds up its ring of `n` values from place 0 on.

    The ring is laid out once a turn, place by place: `ring[j, b + 1]` is what turn `b` wrote to
    place `j`. So all turns are added at once, each in TA-Lib's order.
    """
    size = len(high)
    turns = -(-size // n)
    ring, told = np.zeros((n, turns + 1)), np.empty((n, turns))
    head, total, away = np.empty(turns), np.empty(turns), np.empty(turns)
    head[:] = 0.0
    _turned(high, low, close, ring)
    for p in range(n):
        _add(head, ring[p, 1:])
        total[:] = head
        away[:] = 0.0
        for j in range(p + 1, n):
            _add(total, ring[j, :-1])
        for i in range(turns):
            total[i] /= n
        for j in range(n):
            _add_away(away, ring[j, 1:] if j <= p else ring[j, :-1], total)
        _index(told[p], ring[p, 1:], total, away, n)
    _in_order(told, size, out)


@_compiled
def directional(  # noqa: PLR0913, PLR0915, PLR0917
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
        rise, fall = high[t] - high[t - 1], low[t - 1] - low[t]
        p = rise if rise > 0.0 and rise > fall else 0.0
        m = fall if fall > 0.0 and fall > rise else 0.0
        reach = high[t] - low[t]
        reach = max(reach, abs(high[t] - close[t - 1]))
        reach = max(reach, abs(low[t] - close[t - 1]))
        if t < n:
            up += p
            down += m
            span += reach
            continue
        up = up - up / n + p
        down = down - down / n + m
        span = span - span / n + reach
        known = span > 0.0
        a = 100.0 * (up / span) if known else 0.0
        b = 100.0 * (down / span) if known else 0.0
        plus[t - n] = a
        minus[t - n] = b
        both = b + a
        told = known and not (-_ZERO < both < _ZERO)
        index = 100.0 * (abs(b - a) / both) if told else 0.0
        if t < 2 * n:
            sums += index
            average = sums / n
        elif told:
            average = (average * (n - 1) + index) / n
        if t >= 2 * n - 1:
            adx[t - 2 * n + 1] = average


@_compiled
def _larger(a: Array, b: Array, out: Array) -> None:
    for i in range(len(out)):
        out[i] = max(b[i], a[i])


@_compiled
def _smaller(a: Array, b: Array, out: Array) -> None:
    for i in range(len(out)):
        out[i] = min(b[i], a[i])


@_compiled
def _extremes(high: Array, low: Array, n: int, spare: Array) -> tuple[Array, Array]:
    """Largest high and smallest low of each `n` in a row."""
    top, bottom, have, turn = high, low, 1, 0
    while have < n:
        step = min(have, n - have)
        size = len(top) - step
        at = turn * 2 * len(high)
        more, less = spare[at : at + size], spare[at + len(high) : at + len(high) + size]
        _larger(top[step:], top[:size], more)
        _smaller(bottom[step:], bottom[:size], less)
        top, bottom = more, less
        have += step
        turn = 1 - turn
    return top, bottom


@_compiled
def _mean(x: Array, out: Array, n: int) -> None:
    """Average by TA-Lib's running total."""
    total = 0.0
    for i in range(n - 1):
        total += x[i]
    newest = x[n - 1 :]
    for i in range(len(out)):
        total += newest[i]
        out[i] = total
        total -= x[i]
    for i in range(len(out)):
        out[i] /= n


@_compiled
def _place_in(close: Array, top: Array, bottom: Array, out: Array) -> None:
    for i in range(len(out)):
        spread = top[i] - bottom[i]
        near = (abs(top[i]) + abs(bottom[i])) * _ZERO
        told = (close[i] - bottom[i]) / spread * 100.0
        out[i] = 0.0 if near >= abs(spread) else told


@_compiled
def stochastic(  # noqa: PLR0913, PLR0917
    high: Array,
    low: Array,
    close: Array,
    k: Array,
    d: Array,
    n: int,
    slow_k: int,
    slow_d: int,
    spare: Array,
) -> None:
    """Slow stochastic, both lines."""
    size = len(high)
    top, bottom = _extremes(high, low, n, spare)
    fast = spare[4 * size : 4 * size + len(top)]
    _place_in(close[n - 1 :], top, bottom, fast)
    slow = spare[5 * size : 5 * size + len(fast) - slow_k + 1]
    _mean(fast, slow, slow_k)
    _mean(slow, d, slow_d)
    k[:] = slow[slow_d - 1 :]


@_compiled
def _below(close: Array, top: Array, bottom: Array, out: Array) -> None:
    for i in range(len(out)):
        spread = top[i] - bottom[i]
        near = (abs(top[i]) + abs(bottom[i])) * _ZERO
        told = (top[i] - close[i]) / spread * -100.0
        told = 0.0 if told > 0.0 else (max(-100.0, told))
        out[i] = 0.0 if near >= abs(spread) else told


@_compiled
def williams(high: Array, low: Array, close: Array, out: Array, n: int, spare: Array) -> None:
    """Williams %R."""
    top, bottom = _extremes(high, low, n, spare)
    _below(close[n - 1 :], top, bottom, out)


@_compiled
def _later(a: Array, b: Array, at_a: Array, at_b: Array, out: Array, at: Array) -> None:
    for i in range(len(out)):
        newer = a[i] <= b[i]
        out[i] = a[i] if newer else b[i]
        at[i] = at_a[i] if newer else at_b[i]


@_compiled
def _since_low(x: Array, out: Array, n: int, spare: Array) -> None:
    """Tell Aroon of a low: how near the smallest of `n + 1` is, the latest of equals."""
    whole, have, turn = len(x), 1, 0
    place = spare[4 * whole : 5 * whole]
    for i in range(whole):
        place[i] = float(i)
    value = x
    while have < n + 1:
        step = min(have, n + 1 - have)
        size, at = len(value) - step, turn * 2 * whole
        less, newest = spare[at : at + size], spare[at + whole : at + whole + size]
        _later(value[step:], value[:size], place[step:], place[:size], less, newest)
        value, place = less, newest
        have += step
        turn = 1 - turn
    factor = 100.0 / n
    for i in range(len(out)):
        out[i] = factor * (n - (i + n - place[i]))


@_compiled
def aroon(high: Array, low: Array, down: Array, up: Array, n: int, spare: Array) -> None:
    """Aroon down and up."""
    size = len(high)
    _since_low(low, down, n, spare)
    below = spare[5 * size : 6 * size]
    for i in range(size):
        below[i] = -high[i]
    _since_low(below, up, n, spare)


@_compiled
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
        still = (abs(now) + abs(before)) * _ZERO >= abs(change)
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


@_compiled
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
