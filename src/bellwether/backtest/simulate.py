"""What one forecast is worth a session: a fraction of capital in one symbol, after costs.

No account is kept here: the fraction is held as it was told, without shares, cash or drift, so that
the return of a session depends on that session's decision alone and can stand beside the forecast
in the record. What a portfolio earns, with shares, cash and everything that the market refuses, is
`engine.backtest`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.backtest.costs import BPS, SESSIONS_PER_YEAR, Costs
from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What happened in each session; arrays of shape (n_sessions,), returns as fractions.

    Attributes
    ----------
    position : array
        Share of capital held from this session's open on, in [-1, 1].
    gross, net : array
        Simple return of the session before and after costs.
    turnover : array
        Share of capital traded at this session's open.
    cost_commission, cost_spread, cost_impact, cost_borrow : array
        What was charged; net = gross - their sum.
    switched_off : tuple of str
        Costs that were not charged: set to 0, or impact without the data it needs.
    """

    position: Floats
    gross: Floats
    net: Floats
    turnover: Floats
    cost_commission: Floats
    cost_spread: Floats
    cost_impact: Floats
    cost_borrow: Floats
    switched_off: tuple[str, ...]


def simulate(
    open_: ArrayLike,
    close: ArrayLike,
    target: ArrayLike,
    costs: Costs,
    *,
    volatility: ArrayLike | None = None,
    dollar_volume: ArrayLike | None = None,
) -> Simulation:
    """Hold, from each open on, what was decided after the close before.

    target[t], decided after close t, is filled at open t + 1 and never sooner, so position[t] =
    target[t - 1] and position[0] = 0. The session's return is made overnight with the old
    position and intraday with the new one:

        gross[t] = (1 + position[t-1] (open[t] / close[t-1] - 1))
                 * (1 + position[t] (close[t] / open[t] - 1)) - 1

    Costs are charged on traded = abs(position[t] - position[t-1]), in fractions of capital:
    traded * commission, traded * half spread, borrow a session on what is short, and impact by
    the square-root law, traded * c * volatility * sqrt(traded * capital_usd / dollar_volume)
    (Almgren et al. 2005), with volatility and dollar volume of session t - 1, when the trade was
    decided. The drift of a fractional position between two decisions is not traded.

    Parameters
    ----------
    open_, close : array, shape (n,)
        Total-return prices, adjusted forward: who is short pays the dividends.
    target : array, shape (n,)
        Wanted share of capital, in [-1, 1]; what is decided after the last close is not filled.
    costs : Costs
        What trading costs.
    volatility : array, shape (n,), optional
        Daily volatility as a fraction, known after each close.
    dollar_volume : array, shape (n,), optional
        USD traded a day (an average of days), known after each close. NaN is allowed in both
        where no trade follows; without both no impact is charged, which `switched_off` says.

    Returns
    -------
    Simulation
        One entry a session.

    Raises
    ------
    InvalidRequest
        If a price is not positive, a target is NaN or outside [-1, 1], volatility or dollar
        volume is missing where a trade follows, or shapes differ.

    Examples
    --------
    >>> done = simulate([100.0, 101.0, 99.0], [100.5, 100.0, 101.0], [0.0, 1.0, 1.0], Costs())
    >>> done.position.tolist(), done.net.round(6).tolist(), done.switched_off
    ([0.0, 0.0, 1.0], [0.0, 0.0, 0.019902], ('impact',))
    """
    opens, closes, wanted = _checked(open_, close, target)
    position = _delayed(wanted)
    before = _delayed(position)
    traded = np.abs(position - before)

    overnight = np.zeros_like(opens)
    overnight[1:] = opens[1:] / closes[:-1] - 1
    gross = (1 + before * overnight) * (1 + position * (closes / opens - 1)) - 1

    off = costs.switched_off()
    rate = np.zeros_like(opens)
    if volatility is None or dollar_volume is None:
        off = off if "impact" in off else (*off, "impact")
    elif costs.impact_coefficient > 0:
        rate = _impact_rate(traded, volatility, dollar_volume, costs)
    commission = traded * (costs.commission_bps * BPS)
    spread = traded * (costs.half_spread_bps * BPS)
    impact = traded * rate
    borrow = np.maximum(-position, 0.0) * (costs.borrow_bps_per_year * BPS / SESSIONS_PER_YEAR)
    net = gross - (commission + spread + impact + borrow)
    return Simulation(position, gross, net, traded, commission, spread, impact, borrow, off)


def targets_from_directions(direction: ArrayLike, horizon_sessions: int) -> Floats:
    """Turn calls over h sessions into targets: the mean of the last h calls.

    Each call gets 1/h of the capital and keeps it for h sessions (overlapping portfolios;
    Jegadeesh and Titman 1993). The first h - 1 targets count the calls not yet made as none.

    Parameters
    ----------
    direction : array of int, shape (n,)
        1 up, -1 down, 0 no call, one a session.
    horizon_sessions : int
        h, at least 1.

    Returns
    -------
    array of float64, shape (n,)
        Targets in [-1, 1].

    Raises
    ------
    InvalidRequest
        If a direction is none of these (NaN included), or h is below 1.

    Examples
    --------
    >>> targets_from_directions([1, 1, -1, -1], 2).tolist()
    [0.5, 1.0, 0.0, -1.0]
    """
    calls = np.asarray(direction)
    if calls.ndim != 1 or not np.isin(calls, (-1, 0, 1)).all():
        raise InvalidRequest("direction", "must be 1 (up), -1 (down) or 0 (no call), one a session")
    if horizon_sessions < 1:
        raise InvalidRequest("horizon_sessions", f"is {horizon_sessions}, at least 1 needed")
    # whole numbers, so that the running sum is exact however long the history
    total = np.cumsum(calls.astype(np.int64))
    total[horizon_sessions:] -= total[:-horizon_sessions].copy()
    return total / horizon_sessions


def _delayed(x: Floats) -> Floats:
    later = np.zeros_like(x)
    later[1:] = x[:-1]
    return later


def _impact_rate(
    traded: Floats, volatility: ArrayLike, dollar_volume: ArrayLike, costs: Costs
) -> Floats:
    """Price concession as a fraction of what is traded, 0 where nothing is."""
    sigma, volume = (np.asarray(v, dtype=np.float64) for v in (volatility, dollar_volume))
    for name, column in (("volatility", sigma), ("dollar_volume", volume)):
        if column.shape != traded.shape:
            raise InvalidRequest(name, f"has shape {column.shape}, the prices {traded.shape}")
    filled = np.flatnonzero(traded)
    sigma, volume = sigma[filled - 1], volume[filled - 1]
    if not (np.isfinite(sigma) & (sigma >= 0)).all():
        raise InvalidRequest("volatility", "must be finite and not negative where a trade follows")
    if not (np.isfinite(volume) & (volume > 0)).all():
        raise InvalidRequest("dollar_volume", "must be finite and above 0 where a trade follows")
    rate = np.zeros_like(traded)
    share_of_day = traded[filled] * costs.capital_usd / volume
    rate[filled] = costs.impact_coefficient * sigma * np.sqrt(share_of_day)
    return rate


def _checked(
    open_: ArrayLike, close: ArrayLike, target: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    opens, closes, wanted = (np.asarray(v, dtype=np.float64) for v in (open_, close, target))
    if opens.ndim != 1 or not opens.shape == closes.shape == wanted.shape:
        raise InvalidRequest(
            "target",
            f"shapes differ: open {opens.shape}, close {closes.shape}, target {wanted.shape}",
        )
    for name, prices in (("open", opens), ("close", closes)):
        if not (np.isfinite(prices) & (prices > 0)).all():
            raise InvalidRequest(name, "every price must be finite and above 0")
    if not (np.abs(wanted) <= 1).all():
        raise InvalidRequest("target", "must lie in [-1, 1]; NaN is no position, say 0")
    return opens, closes, wanted
