"""Could prices without the rule's pattern have looked as good? Simulated series say how often."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.rule_record import Trial, groups, log_returns

Floats = NDArray[np.float64]

NULLS = ("random-walk", "ar1", "block")
FEW = 3


@dataclass(frozen=True, slots=True)
class Chances:
    """Shares of simulated series that did at least as well, (1 + count) / (1 + reps).

    Buys with a mean as high, sells with one as low, a difference as high, and a standard deviation
    of the buys as low; None where the real series has no such signals.
    """

    null: str
    reps: int
    seed: int
    buy: float | None
    sell: float | None
    diff: float | None
    sd_buy: float | None


def chances(
    prices: Floats, trial: Trial, *, null: str, reps: int, seed: int, begin: int = 0
) -> Chances:
    """Follow the rule on series simulated from the real one's returns.

    ``random-walk``: returns drawn with replacement. ``ar1``: r_t = a + b r_t-1 + e_t fitted by
    least squares, residuals drawn with replacement. ``block``: the stationary bootstrap (Politis
    and Romano 1994), mean block n^(1/3), which keeps short dependence. A simulated series without
    signals of a kind counts as having done as well.

    Raises
    ------
    InvalidRequest
        If the null is unknown or `reps` is not from 1 to 100,000.
    """
    if null not in NULLS:
        raise InvalidRequest("bootstrap", f"{null!r} is none of {', '.join(NULLS)}")
    if not 1 <= reps <= 100_000:  # noqa: PLR2004 - a bound against a slip of the keyboard
        raise InvalidRequest("reps", f"is {reps}, must be from 1 to 100000")
    if seed < 0:
        raise InvalidRequest("seed", f"is {seed}, must not be negative")
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    r = log_returns(prices)
    draw = _drawer(null, r, rng)
    real = _summary(*groups(prices, trial, begin))
    count = np.zeros(4)
    for _ in range(reps):
        path = prices[0] * np.exp(np.concatenate(([0.0], np.cumsum(draw()))))
        simulated = _summary(*groups(path, trial, begin))
        with np.errstate(invalid="ignore"):
            count += ~(simulated < real)
    shares = [
        None if np.isnan(x) else float((1 + c) / (1 + reps))
        for x, c in zip(real, count, strict=True)
    ]
    return Chances(null, reps, seed, *shares)


def _summary(ups: Floats, downs: Floats) -> Floats:
    """Return numbers of which more is better: mean of buys, -mean of sells, difference, -sd."""
    up = float(ups.mean()) if ups.size else np.nan
    down = float(downs.mean()) if downs.size else np.nan
    spread = float(ups.std(ddof=1)) if ups.size > 1 else np.nan
    return np.array([up, -down, up - down, -spread])


def _drawer(null: str, r: Floats, rng: np.random.Generator) -> Callable[[], Floats]:
    n = r.size
    if null == "random-walk":
        return lambda: r[rng.integers(n, size=n)]
    if null == "block":
        return lambda: r[_stationary(n, rng)]
    if n <= FEW:
        raise InvalidRequest("bootstrap", f"an AR(1) needs more than {n} returns")
    before, after = r[:-1] - r[:-1].mean(), r[1:] - r[1:].mean()
    squares = float(before @ before)
    b = float(before @ after) / squares if squares > 0 else 0.0
    a = float(r[1:].mean() - b * r[:-1].mean())
    rest = r[1:] - a - b * r[:-1]

    def draw() -> Floats:
        steps = a + rest[rng.integers(n - 1, size=n)]
        start = r[int(rng.integers(n))]
        path, _ = lfilter([1.0], [1.0, -b], steps, zi=[b * start])
        return np.asarray(path, dtype=np.float64)

    return draw


def _stationary(n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return positions of blocks that begin anywhere and end with probability n^(-1/3)."""
    begins = rng.random(n) < n ** (-1 / 3)
    begins[0] = True
    block = np.cumsum(begins) - 1
    first = np.flatnonzero(begins)
    start = rng.integers(n, size=first.size)
    return np.asarray((start[block] + np.arange(n) - first[block]) % n, dtype=np.intp)
