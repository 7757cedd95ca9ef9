"""Probabilities and calls of a rise beside what happened: loss, order, and agreement."""

import numpy as np
from numpy.typing import ArrayLike

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.probabilities import said_and_seen
from bellwether.evaluation.series import beside, finite

LEAST_PROBABILITY = 1e-6


def log_loss(up: ArrayLike, probability_up: ArrayLike) -> float | None:
    """Return the mean of -log of the probability that was given to what happened, in nats.

    -mean(y log p + (1 - y) log(1 - p)) (Good 1952), p kept in [1e-6, 1 - 1e-6]; None for no rows.

    Raises
    ------
    InvalidRequest
        If `up` is not 0 or 1, a probability is out of range or NaN, or lengths differ.

    Examples
    --------
    >>> round(log_loss([1, 0], [0.8, 0.4]), 6)
    0.366985
    """
    y, p = said_and_seen(up, probability_up)
    kept = np.clip(p, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return float(-np.log(np.where(y == 1, kept, 1 - kept)).mean()) if y.size else None


def auc(up: ArrayLike, probability_up: ArrayLike) -> float | None:
    """Return the chance that a rise was given a higher probability than a fall, ties counting half.

    (R - n1 (n1 + 1) / 2) / (n1 n0) with R the sum of the mid-ranks of the n1 rises (Mann and
    Whitney 1947; Hanley and McNeil 1982); None without both classes. All rows together: a value
    away from 1/2 needs dates for its error, not rows.

    Raises
    ------
    InvalidRequest
        As `log_loss`.

    Examples
    --------
    >>> auc([1, 0, 1, 0], [0.9, 0.1, 0.4, 0.4])
    0.875
    """
    y, p = said_and_seen(up, probability_up)
    n1 = int(y.sum())
    n0 = y.size - n1
    if n1 == 0 or n0 == 0:
        return None
    _, place, times = np.unique(p, return_inverse=True, return_counts=True)
    mid = np.cumsum(times) - (times - 1) / 2
    return float((mid[place][y == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def brier_skill(up: ArrayLike, probability_up: ArrayLike) -> float | None:
    """Return 1 - Brier / Brier of the share of rises in these rows (Murphy 1973).

    That share was not known beforehand, so 0 is hard to reach. None without both classes.

    Raises
    ------
    InvalidRequest
        As `log_loss`.

    Examples
    --------
    >>> round(brier_skill([1, 0, 1, 0], [0.9, 0.1, 0.4, 0.4]), 3)
    0.46
    """
    y, p = said_and_seen(up, probability_up)
    if y.size == 0 or y.min() == y.max():
        return None
    return float(1 - ((p - y) ** 2).mean() / ((y - y.mean()) ** 2).mean())


def matthews(up: ArrayLike, called_up: ArrayLike) -> float | None:
    """Return the correlation of calls and rises, both 0 or 1 (Matthews 1975).

    (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)); None where calls or outcomes are
    all the same.

    Raises
    ------
    InvalidRequest
        If a value is not 0 or 1, or lengths differ.

    Examples
    --------
    >>> matthews([1, 1, 0, 0], [1, 0, 0, 0])
    0.5773502691896258
    """
    y = finite("up", up)
    c = beside("called_up", called_up, y)
    if not (np.isin(y, (0.0, 1.0)).all() and np.isin(c, (0.0, 1.0)).all()):
        raise InvalidRequest("up, called_up", "must be 0 or 1")
    if y.size == 0 or y.min() == y.max() or c.min() == c.max():
        return None
    both = (y * c).mean() - y.mean() * c.mean()
    return float(both / np.sqrt(y.mean() * (1 - y.mean()) * c.mean() * (1 - c.mean())))
