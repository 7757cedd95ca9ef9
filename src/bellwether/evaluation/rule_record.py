"""What followed a trading rule's signals, as Brock, Lakonishok and LeBaron (1992) report it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.rules import Rule, events, stance

Floats = NDArray[np.float64]
Signs = NDArray[np.int8]

LAGS = 5
BASIS_POINT = 1e-4
SIDES = ("both", "long")


@dataclass(frozen=True, slots=True)
class Trial:
    """A rule and how it is followed.

    `hold`: rows that each signal is held, during which others are ignored; None: until the rule
    changes its mind. `delay`: further rows between the close that gave a signal and the first
    return earned. `cost_bps`: what trading the whole capital one way costs. `side`: ``both``, or
    ``long`` for out of the market where the rule says down.
    """

    rule: Rule
    hold: int | None = None
    delay: int = 0
    cost_bps: float = 0.0
    side: str = "both"

    def __post_init__(self) -> None:
        if self.hold is not None and self.hold < 1:
            raise InvalidRequest("hold", f"is {self.hold}, at least 1 needed")
        if self.delay < 0:
            raise InvalidRequest("delay", f"is {self.delay}, must not be negative")
        if not 0 <= self.cost_bps <= 1 / BASIS_POINT:
            raise InvalidRequest("cost_bps", f"is {self.cost_bps}, must be from 0 to 10000")
        if self.side not in SIDES:
            raise InvalidRequest("side", f"{self.side!r} is none of {', '.join(SIDES)}")


@dataclass(frozen=True, slots=True)
class Group:
    """Log returns after one kind of signal; None where there are too few."""

    n: int
    mean: float | None
    sd: float | None
    positive: float | None
    t: float | None


@dataclass(frozen=True, slots=True)
class Base:
    """Log returns of all rows: moments, plain kurtosis (3 for a normal), autocorrelations 1 to 5."""

    n: int
    mean: float
    sd: float
    skew: float | None
    kurtosis: float | None
    rho: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """The rule followed with money, in log returns a row, from the first row it can speak.

    `turnover` is capital traded in all, entries and the last exit counted: 2 to turn from long to
    short. `break_even_bps` is the cost one way at which the mean is 0; None where nothing is
    earned or traded. `hold_mean` is what holding made over the same `n` rows.
    """

    n: int
    mean: float
    net_mean: float
    sd: float | None
    turnover: float
    cost_bps: float
    break_even_bps: float | None
    hold_mean: float


@dataclass(frozen=True, slots=True)
class Record:
    """Buys, sells, their difference, all rows, and the rule followed with money.

    `diff` = mean of buys - mean of sells. With v and N of the rows compared with (all of them, or
    for a fixed holding period all periods of that length end to end):
    t = (mean_b - mean) / sqrt(v / N + v / N_b), t_diff = diff / sqrt(v / N_b + v / N_s).
    """

    buy: Group
    sell: Group
    diff: float | None
    t_diff: float | None
    base: Base
    followed: Followed


def log_returns(prices: Floats) -> Floats:
    """Return ln(p[t+1] / p[t])."""
    return np.diff(np.log(prices))


def record(prices: Floats, trial: Trial, begin: int = 0) -> Record:
    """Follow a rule over prices.

    Parameters
    ----------
    prices : ndarray of float64, shape (n,)
        Closes in the order of time; positive and finite.
    begin : int
        Rows before it serve the rule's averages only.

    Raises
    ------
    InvalidRequest
        If a price is not positive and finite, or there are too few for the rule.
    """
    _check(prices, trial, begin)
    r = log_returns(prices)
    path, ups, downs, every = (_variable if trial.hold is None else _fixed)(prices, r, trial, begin)
    base = _base(r[begin:])
    v = float(every.var(ddof=1))
    buy, sell = (_group(x, float(every.mean()), v, every.size) for x in (ups, downs))
    diff = t_diff = None
    if buy.mean is not None and sell.mean is not None:
        diff = buy.mean - sell.mean
        t_diff = _ratio(diff, math.sqrt(v / buy.n + v / sell.n))
    speaks = min(max(begin, trial.rule.warm_up) + trial.delay, r.size)
    followed = _followed(path[speaks:], r[speaks:], trial)
    return Record(buy, sell, diff, t_diff, base, followed)


def groups(prices: Floats, trial: Trial, begin: int = 0) -> tuple[Floats, Floats]:
    """Return the log returns after buys and after sells: all that a resampling needs."""
    follow = _variable if trial.hold is None else _fixed
    _, ups, downs, _ = follow(prices, log_returns(prices), trial, begin)
    return ups, downs


def _variable(
    prices: Floats, r: Floats, trial: Trial, begin: int
) -> tuple[Signs, Floats, Floats, Floats]:
    path = _late(stance(prices, trial.rule)[:-1], trial.delay)
    path[:begin] = 0
    return path, r[path > 0], r[path < 0], r[begin:]


def _fixed(
    prices: Floats, r: Floats, trial: Trial, begin: int
) -> tuple[Signs, Floats, Floats, Floats]:
    hold = trial.hold or 1
    logs = np.log(prices)
    path = np.zeros(r.size, dtype=np.int8)
    found: dict[int, list[float]] = {1: [], -1: []}
    signals = events(prices, trial.rule)
    free = begin
    for row in np.flatnonzero(signals).tolist():
        start = row + trial.delay
        if row < free or start + hold > r.size:
            continue
        sign = int(signals[row])
        found[sign].append(float(logs[start + hold] - logs[start]))
        path[start : start + hold] = sign
        free = row + hold
    every = logs[begin + hold :: hold] - logs[begin:-hold:hold][: len(logs[begin + hold :: hold])]
    return path, np.array(found[1]), np.array(found[-1]), every


def _late(path: Signs, delay: int) -> Signs:
    late = np.zeros_like(path)
    late[delay:] = path[: path.size - delay]
    return late


def _group(returns: Floats, mean: float, v: float, n: int) -> Group:
    if not returns.size:
        return Group(0, None, None, None, None)
    own = float(returns.mean())
    return Group(
        n=int(returns.size),
        mean=own,
        sd=float(returns.std(ddof=1)) if returns.size > 1 else None,
        positive=float((returns > 0).mean()),
        t=_ratio(own - mean, math.sqrt(v / n + v / returns.size)),
    )


def _base(r: Floats) -> Base:
    away = r - r.mean()
    squares = float(away @ away)
    moments: list[float | None] = [None, None]
    if squares > 0:
        z = away / math.sqrt(squares / r.size)
        moments = [float(np.mean(z**3)), float(np.mean(z**4))]
    rho = tuple(
        float(away[lag:] @ away[:-lag]) / squares if squares > 0 and lag < r.size else None
        for lag in range(1, LAGS + 1)
    )
    return Base(r.size, float(r.mean()), float(r.std(ddof=1)), moments[0], moments[1], rho)


def _followed(path: Signs, r: Floats, trial: Trial) -> Followed:
    held = np.maximum(path, 0) if trial.side == "long" else path
    earned = held * r
    traded = np.abs(np.diff(held, prepend=0, append=0)).astype(np.float64)
    costs = trial.cost_bps * BASIS_POINT * traded
    net = earned - costs[:-1]
    net[-1] -= costs[-1]
    total, turnover = float(earned.sum()), float(traded.sum())
    return Followed(
        n=int(r.size),
        mean=float(earned.mean()),
        net_mean=float(net.mean()),
        sd=float(net.std(ddof=1)) if r.size > 1 else None,
        turnover=turnover,
        cost_bps=trial.cost_bps,
        break_even_bps=total / turnover / BASIS_POINT if turnover and total > 0 else None,
        hold_mean=float(r.mean()),
    )


def _ratio(a: float, b: float) -> float | None:
    return a / b if b > 0 else None


def _check(prices: Floats, trial: Trial, begin: int) -> None:
    if prices.ndim != 1 or not (np.isfinite(prices) & (prices > 0)).all():
        raise InvalidRequest("price", "must be positive and finite")
    need = max(begin, trial.rule.warm_up) + trial.delay + (trial.hold or 1) + 2
    need = max(need, begin + 2 * (trial.hold or 1) + 1)
    if prices.size < need:
        why = f"{prices.size} rows are too few for {trial.rule.text}; at least {need} needed"
        raise InvalidRequest("price", why)
