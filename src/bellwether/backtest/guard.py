"""Refuse a strategy that knows the future: its past targets must not move when the future does."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import fields

import numpy as np
from numpy.typing import ArrayLike

from bellwether.backtest.books import Floats
from bellwether.backtest.engine import backtest
from bellwether.backtest.market import Market
from bellwether.backtest.result import Backtest
from bellwether.backtest.rules import Rules
from bellwether.core.errors import InvalidRequest, LookAheadFound

Strategy = Callable[[Market], ArrayLike]
Producer = Callable[[int], ArrayLike]

ROWS = 6  # last rows compared at each cut
RUN = 5  # cuts in consecutive sessions; one cut alone misses a fill from the next bar
SPREAD = (0.3, 0.5, 0.7, 0.95)


def cuts_of(n: int) -> tuple[int, ...]:
    """Return where a history of n sessions is cut: four places spread over it, and five in a row.

    Examples
    --------
    >>> cuts_of(1000)
    (299, 499, 699, 795, 796, 797, 798, 799, 949)
    """
    spread = {max(0, int(n * part) - 1) for part in SPREAD}
    middle = int(n * 0.8) - RUN
    return tuple(sorted(spread | {t for t in range(middle, middle + RUN) if 0 <= t < n - 1}))


def refuse_look_ahead(
    produce: Producer,
    n_sessions: int,
    symbols: Sequence[str],
    cuts: Sequence[int] | None = None,
    sessions: Sequence[object] | None = None,
) -> Floats:
    """Compare targets from the whole history with those from history cut short; return the former.

    Parameters
    ----------
    produce : callable
        `produce(t)` gives the targets, shape (t + 1, k), from what was known after close t.
    n_sessions : int
        Length of the whole history.
    symbols : sequence of str
        Names of the k columns, for the error.
    cuts : sequence of int, optional
        Where to cut; `cuts_of(n_sessions)` by default. Short histories are asked for first.
    sessions : sequence, optional
        What the n sessions are called, for the error; their numbers by default.

    Raises
    ------
    LookAheadFound
        If a target at or before a cut differs by a bit; it names the first.
    InvalidRequest
        If what is produced has another shape than asked for.
    """
    k = len(symbols)
    chosen = sorted(cuts_of(n_sessions) if cuts is None else cuts)
    shorts = [_produced(produce, t, k) for t in chosen]  # first, so that nobody remembers more
    whole = _produced(produce, n_sessions - 1, k)
    for t, short in zip(chosen, shorts, strict=True):
        begin = max(0, t + 1 - ROWS)
        _compare(whole[begin : t + 1], short[begin:], begin, t, symbols, sessions)
    return whole


def backtest_strategy(
    strategy: Strategy,
    market: Market,
    rules: Rules | None = None,
    *,
    cuts: Sequence[int] | None = None,
    orders: bool = False,
) -> Backtest:
    """Trade a strategy, unless it knows the future.

    Besides cutting history short, the prices and volumes after each cut are replaced by others:
    that finds a strategy that depends on the length of what it gets only by failing.

    Parameters
    ----------
    strategy : callable
        Gets a Market of its own, returns targets of its shape.

    Raises
    ------
    LookAheadFound
        If its targets at t change with what comes after t.

    Examples
    --------
    >>> days = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")
    >>> prices = 100 + np.sin(np.arange(60.0)).reshape(-1, 1)
    >>> market = Market(days, ("A",), prices, prices)
    >>> def peeks(m):
    ...     return np.sign(np.roll(m.close, -1, axis=0) - m.close)
    >>> backtest_strategy(peeks, market)
    Traceback (most recent call last):
    ...
    bellwether.core.errors.LookAheadFound: ...
    """
    n, k = market.shape
    days = market.sessions.astype("datetime64[D]").tolist()
    whole = refuse_look_ahead(
        lambda t: strategy(deepcopy(market.until(t))), n, market.symbols, cuts, days
    )
    for t in cuts_of(n) if cuts is None else cuts:
        other = _produced(lambda _, t=t: strategy(deepcopy(_otherwise(market, t))), n - 1, k)  # type: ignore[misc]
        begin = max(0, t + 1 - ROWS)
        _compare(whole[begin : t + 1], other[begin : t + 1], begin, t, market.symbols, days)
    return backtest(market, whole, rules, orders=orders)


def _produced(produce: Producer, t: int, k: int) -> Floats:
    made = np.array(produce(t), dtype=np.float64)
    made = made.reshape(-1, 1) if made.ndim == 1 and k == 1 else made
    if made.shape != (t + 1, k):
        raise InvalidRequest("strategy", f"gave shape {made.shape} for {(t + 1, k)} prices")
    return made


def _compare(
    whole: Floats,
    other: Floats,
    begin: int,
    cut: int,
    symbols: Sequence[str],
    sessions: Sequence[object] | None,
) -> None:
    same = (whole == other) | (np.isnan(whole) & np.isnan(other))
    if not same.all():
        row, column = (int(v) for v in np.argwhere(~same)[0])
        known, told = float(other[row, column]), float(whole[row, column])
        raise LookAheadFound(symbols[column], begin + row, cut, known, told, sessions)


def _otherwise(market: Market, t: int) -> Market:
    """Return the market with another future after close t: waves over the prices, volume turned."""
    n, k = market.shape
    later = np.arange(n)[:, None] > t
    wave = 1 + 0.2 * np.sin(np.arange(n)[:, None] * 1.7 + np.arange(k) * 0.9)
    change = np.where(later, wave, 1.0)
    given = {f.name: getattr(market, f.name) for f in fields(Market) if f.init}
    for name in ("open", "close", "volume", "adv_usd", "volatility"):
        if given[name] is not None and given[name].shape[0] == n:
            given[name] = given[name] * change
    return Market(**given)
