"""From signals to targets: what share of equity is wanted in each symbol, from what is known by t."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bellwether.backtest.books import Booleans, Floats
from bellwether.backtest.costs import SESSIONS_PER_YEAR
from bellwether.backtest.limits import (
    every,
    limit_exposure,
    limit_position,
    limit_turnover,
    target_volatility,
)
from bellwether.core.errors import InvalidRequest

Kind = Literal["long_only", "long_short", "top_k", "quantile"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How signals become targets. Steps are taken in the order of the attributes.

    Attributes
    ----------
    kind : str
        `long_only`: every symbol with a signal above 0. `long_short`: those below 0 are sold short.
        `top_k`: the `k_long` highest, and the `k_short` lowest sold short. `quantile`: the highest
        `quantile` of those with a view, and the lowest if `both_sides`. Ties go by column.
    k_long, k_short, quantile, both_sides : numbers
        For `top_k` and `quantile`.
    weighting : "equal" or "signal"
        What is chosen gets the same, or in proportion to the absolute signal.
    gross : float
        Sum of absolute weights before limits. With two sides each gets half of it, unless
        `long_short`, where each symbol counts alike whatever its side.
    volatility : float, optional
        Wanted volatility a year; weights are scaled so that they had it over the last
        `volatility_sessions`, by at most `max_scale`.
    max_position, max_gross, max_net : float, optional
        Limits of each weight, of the sum of absolute weights, and of the absolute sum.
    rebalance_sessions : int
        Decide in every so many sessions; between them nothing is decided.
    max_turnover : float, optional
        Most that one decision may move, both sides, against weights drifted by returns up to t.

    Raises
    ------
    InvalidRequest
        If a number is outside its range.
    """

    kind: Kind = "long_only"
    k_long: int = 1
    k_short: int = 0
    quantile: float = 0.1
    both_sides: bool = True
    weighting: Literal["equal", "signal"] = "equal"
    gross: float = 1.0
    volatility: float | None = None
    volatility_sessions: int = 60
    max_scale: float = 1.0
    max_position: float | None = None
    max_gross: float | None = None
    max_net: float | None = None
    rebalance_sessions: int = 1
    max_turnover: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("long_only", "long_short", "top_k", "quantile"):
            raise InvalidRequest("kind", f"{self.kind!r} is no kind of plan")
        if self.weighting not in ("equal", "signal"):
            raise InvalidRequest("weighting", f"{self.weighting!r} is neither equal nor signal")
        for name in ("gross", "max_scale", "max_position", "max_gross", "max_net", "max_turnover"):
            self._check(name, 0.0, math.inf)
        self._check("volatility", 1e-6, math.inf)
        self._check("quantile", 1e-6, 0.5)
        if min(self.k_long, self.k_short) < 0 or self.k_long + self.k_short == 0:
            raise InvalidRequest("k_long", "k_long and k_short must be 0 or more, one above 0")
        if self.rebalance_sessions < 1 or self.volatility_sessions < 2:  # noqa: PLR2004
            raise InvalidRequest("rebalance_sessions", "must be 1 or more, volatility_sessions 2")

    def _check(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if (value is not None and not low <= value <= high) or value == math.inf:
            raise InvalidRequest(name, f"is {value}, must be from {low} to {high}")


def make_targets(
    signal: ArrayLike,
    plan: Plan,
    *,
    returns: ArrayLike | None = None,
    universe: ArrayLike | None = None,
) -> Floats:
    """Turn signals into targets for `engine.backtest`; row t uses rows up to t and nothing later.

    Parameters
    ----------
    signal : array, shape (n, k), or (n,) for one symbol
        Known after close t. NaN is no view: such a symbol is not chosen, so that its target is 0.
        A session without any view decides nothing: its targets are NaN.
    plan : Plan
        What to do with them.
    returns : array, shape (n, k), optional
        Simple return of each symbol to close t, NaN where unknown; needed for a volatility target,
        and for the drift of a turnover limit, which is measured without drift otherwise.
    universe : array of bool, shape (n, k), optional
        Who may be chosen at t, as known at t.

    Returns
    -------
    array, shape (n, k)
        Targets; NaN rows decide nothing.

    Raises
    ------
    InvalidRequest
        If shapes differ, a signal is infinite, or returns are missing where they are needed.

    Examples
    --------
    >>> make_targets([[1.0, 3.0, 2.0]], Plan("top_k", k_long=2)).tolist()
    [[0.0, 0.5, 0.5]]
    """
    views = _views(signal, universe)
    moves = None if returns is None else np.nan_to_num(_shaped("returns", returns, views.shape))
    decided = ~np.isnan(views).all(axis=1)
    weights = _weigh(views, _choose(views, plan), plan)
    if plan.volatility is not None:
        if moves is None:
            raise InvalidRequest("returns", "are needed for a volatility target")
        yearly = plan.volatility / math.sqrt(SESSIONS_PER_YEAR)
        weights = target_volatility(
            weights, moves, yearly, sessions=plan.volatility_sessions, max_scale=plan.max_scale
        )
    if plan.max_position is not None:
        weights = limit_position(weights, plan.max_position)
    weights = limit_exposure(weights, plan.max_gross, plan.max_net)
    weights[~decided] = np.nan
    weights = every(weights, plan.rebalance_sessions)
    if plan.max_turnover is not None:
        weights = limit_turnover(weights, plan.max_turnover, moves)
    return weights


def _views(signal: ArrayLike, universe: ArrayLike | None) -> Floats:
    views = np.array(signal, dtype=np.float64)
    views = views.reshape(-1, 1) if views.ndim == 1 else views
    if views.ndim != 2:  # noqa: PLR2004
        raise InvalidRequest("signal", f"has shape {views.shape}, sessions x symbols needed")
    if np.isinf(views).any():
        raise InvalidRequest("signal", "holds infinity; NaN is no view")
    if universe is not None:
        inside = np.asarray(universe)
        if inside.dtype != np.bool_ or inside.shape != views.shape:
            raise InvalidRequest("universe", f"must be true or false, shape {views.shape}")
        views[~inside] = np.nan
    return views


def _shaped(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    table = table.reshape(-1, 1) if table.ndim == 1 else table
    if table.shape != shape or np.isinf(table).any():
        raise InvalidRequest(name, f"must be finite or NaN, with shape {shape}")
    return table


def _choose(views: Floats, plan: Plan) -> Floats:
    """Return 1 for long, -1 for short, 0 for neither."""
    if plan.kind == "long_only":
        return (np.nan_to_num(views) > 0).astype(np.float64)
    if plan.kind == "long_short":
        return np.sign(np.nan_to_num(views))
    count = (~np.isnan(views)).sum(axis=1)
    if plan.kind == "top_k":
        high, low = np.minimum(plan.k_long, count), np.minimum(plan.k_short, count)
    else:
        high = np.floor(plan.quantile * count).astype(np.int64)
        low = high if plan.both_sides else np.zeros_like(high)
    return _ends(views, high, np.minimum(low, count - high))


def _ends(views: Floats, high: ArrayLike, low: ArrayLike) -> Floats:
    """Mark so many of the highest and lowest of each row; NaN is neither."""
    places = np.broadcast_to(np.arange(views.shape[1]), views.shape)
    chosen = np.zeros_like(views)
    for side, wanted, numbers in ((1.0, high, -views), (-1.0, low, views)):
        order = np.argsort(numbers, axis=1, kind="stable")  # NaN comes last
        picked: Booleans = places < np.asarray(wanted)[:, None]
        rows, ranks = np.nonzero(picked)
        columns = order[rows, ranks]
        free = chosen[rows, columns] == 0
        chosen[rows[free], columns[free]] = side
    return chosen


def _weigh(views: Floats, chosen: Floats, plan: Plan) -> Floats:
    sized = chosen * np.abs(np.nan_to_num(views)) if plan.weighting == "signal" else chosen
    if plan.kind in ("long_only", "long_short"):
        return plan.gross * _share(sized)
    long, short = _share(np.maximum(sized, 0)), _share(np.minimum(sized, 0))
    sides = 2 if (plan.k_short and plan.k_long if plan.kind == "top_k" else plan.both_sides) else 1
    return plan.gross / sides * (long + short)


def _share(sized: Floats) -> Floats:
    total = np.abs(sized).sum(axis=1, keepdims=True)
    share: Floats = np.divide(sized, total, out=np.zeros_like(sized), where=total > 0)
    return share
