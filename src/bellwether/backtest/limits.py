"""Limits on targets: each takes (n, k) weights, and row t of its answer uses rows up to t only."""

import numpy as np

from bellwether.backtest.books import Floats


def target_volatility(
    weights: Floats, returns: Floats, volatility: float, *, sessions: int, max_scale: float
) -> Floats:
    """Scale each row so that these weights had so much volatility over the last sessions.

    Parameters
    ----------
    weights, returns : array, shape (n, k)
        Weights, and simple returns to close t.
    volatility : float
        Wanted standard deviation a session (ddof 1).
    sessions : int
        How many returns the estimate uses; before there are so many, nothing is held.
    max_scale : float
        Most that a row is scaled up; also where the past had no volatility at all.
    """
    scaled = np.zeros_like(weights)
    for t in range(sessions - 1, len(weights)):
        if weights[t].any():
            past = returns[t - sessions + 1 : t + 1] @ weights[t]
            had = float(past.std(ddof=1))
            scaled[t] = weights[t] * min(max_scale, volatility / had if had > 0 else max_scale)
    return scaled


def limit_position(weights: Floats, most: float) -> Floats:
    """Cut each weight to [-most, most]."""
    return np.clip(weights, -most, most)


def limit_exposure(weights: Floats, gross: float | None, net: float | None) -> Floats:
    """Shrink the heavier side to the net limit, then everything to the gross limit."""
    long, short = np.maximum(weights, 0.0), np.minimum(weights, 0.0)
    if net is not None:
        up, down = long.sum(axis=1, keepdims=True), -short.sum(axis=1, keepdims=True)
        long *= np.minimum(1.0, _ratio(down + net, up))
        short *= np.minimum(1.0, _ratio(up + net, down))
    limited: Floats = long + short
    if gross is not None:
        limited *= np.minimum(1.0, _ratio(gross, np.abs(limited).sum(axis=1, keepdims=True)))
    return limited


def every(weights: Floats, sessions: int) -> Floats:
    """Decide in session 0 and every so many later; the rows between are NaN."""
    kept = weights.copy()
    kept[np.arange(len(kept)) % sessions != 0] = np.nan
    return kept


def limit_turnover(weights: Floats, most: float, returns: Floats | None = None) -> Floats:
    """Go from what is held towards what is wanted, both sides counted, by at most `most`.

    What is held are the last targets, drifted by the returns since, where those are given.
    """
    limited = weights.copy()
    held = np.zeros(weights.shape[1])
    for t, wanted in enumerate(weights):
        if returns is not None:
            grown = held * (1 + returns[t])
            equity = 1 + held @ returns[t]
            held = grown / equity if equity > 0 else np.zeros_like(grown)
        if np.isnan(wanted).all():
            continue
        step = np.nan_to_num(wanted) - held
        held = held + step * min(1.0, _least(most, float(np.abs(step).sum())))
        limited[t] = held
    return limited


def _least(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 1.0


def _ratio(part: Floats | float, whole: Floats) -> Floats:
    found: Floats = np.divide(part, whole, out=np.full_like(whole, np.inf), where=whole > 0)
    return found
