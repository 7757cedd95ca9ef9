"""Compiled functions of the extremes of a window; see `kernels.py`."""

import numpy as np
import numpy.typing as npt

from bellwether.features.compiler import ZERO, compiled

Array = npt.NDArray[np.float64]


@compiled
def _larger(a: Array, b: Array, out: Array) -> None:
    for i in range(len(out)):
        out[i] = max(b[i], a[i])


@compiled
def _smaller(a: Array, b: Array, out: Array) -> None:
    for i in range(len(out)):
        out[i] = min(b[i], a[i])


@compiled
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


@compiled
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


@compiled
def _place_in(close: Array, top: Array, bottom: Array, out: Array) -> None:
    for i in range(len(out)):
        spread = top[i] - bottom[i]
        near = (abs(top[i]) + abs(bottom[i])) * ZERO
        told = (close[i] - bottom[i]) / spread * 100.0
        out[i] = 0.0 if near >= abs(spread) else told


@compiled
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
    newest = slow[slow_d - 1 :]
    for i in range(len(k)):
        k[i] = newest[i]


@compiled
def _below(close: Array, top: Array, bottom: Array, out: Array) -> None:
    for i in range(len(out)):
        spread = top[i] - bottom[i]
        near = (abs(top[i]) + abs(bottom[i])) * ZERO
        told = (top[i] - close[i]) / spread * -100.0
        told = 0.0 if told > 0.0 else (max(-100.0, told))
        out[i] = 0.0 if near >= abs(spread) else told


@compiled
def williams(high: Array, low: Array, close: Array, out: Array, n: int, spare: Array) -> None:
    """Williams %R."""
    top, bottom = _extremes(high, low, n, spare)
    _below(close[n - 1 :], top, bottom, out)


@compiled
def _later(a: Array, b: Array, at_a: Array, at_b: Array, out: Array, at: Array) -> None:
    for i in range(len(out)):
        newer = a[i] <= b[i]
        out[i] = a[i] if newer else b[i]
        at[i] = at_a[i] if newer else at_b[i]


@compiled
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


@compiled
def aroon(high: Array, low: Array, down: Array, up: Array, n: int, spare: Array) -> None:
    """Aroon down and up."""
    size = len(high)
    _since_low(low, down, n, spare)
    below = spare[5 * size : 6 * size]
    for i in range(size):
        below[i] = -high[i]
    _since_low(below, up, n, spare)
