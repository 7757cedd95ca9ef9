"""How bad the bad periods were."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import finite, known, shape_of, spread

TAIL = 0.05


@dataclass(frozen=True, slots=True)
class Risk:
    """The distribution of returns in figures; None where undefined.

    Attributes
    ----------
    value_at_risk, shortfall : float
        The `level` quantile, and the mean of returns at or below it; negative is a loss.
    profit_factor : float
        Sum of gains / sum of losses; None without a loss.
    tail_ratio : float
        abs(95 % quantile) / abs(5 % quantile); None where the latter is 0.
    skewness, kurtosis : float
        Standardised third and fourth moments over n; kurtosis is 3 for a normal. None for a
        constant series.
    best, worst : float
        Largest and smallest return.
    n : int
        Periods.
    """

    value_at_risk: float | None
    shortfall: float | None
    profit_factor: float | None
    tail_ratio: float | None
    skewness: float | None
    kurtosis: float | None
    best: float | None
    worst: float | None
    n: int


def risk(returns: ArrayLike, level: float = TAIL) -> Risk:
    """Describe the distribution of per-period returns, as it was and without a model.

    Value at risk is the empirical quantile, linear between order statistics, with the sign of a
    return; the shortfall (CVaR) is mean r over r <= that (Rockafellar and Uryasev 2000, historical
    form). Nothing is annualised.

    Parameters
    ----------
    returns : array, shape (n,)
        Simple net returns as fractions.
    level : float
        Of the lower tail, between 0 and 1.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite or the level is out of range.

    Examples
    --------
    >>> found = risk([-0.04, -0.01, 0.0, 0.02, 0.03], level=0.25)
    >>> found.value_at_risk, found.shortfall, round(found.profit_factor, 6)
    (-0.01, -0.025, 1.0)
    """
    r = finite("returns", returns)
    if not 0 < level < 1:
        raise InvalidRequest("level", f"is {level}, must lie between 0 and 1")
    if r.size == 0:
        return Risk(None, None, None, None, None, None, None, None, 0)
    low, bottom, top = (float(q) for q in np.quantile(r, [level, TAIL, 1 - TAIL]))
    losses = -float(r[r < 0].sum())
    skewness, kurtosis = (None, None) if spread(r) is None else shape_of(r)
    # the smallest return is never above the quantile but by a rounding
    tail = r[r <= max(low, float(r.min()))]
    return Risk(
        value_at_risk=low,
        shortfall=max(float(tail.mean()), float(tail.min())),  # rounding may put it below them all
        profit_factor=known(float(r[r > 0].sum()) / losses) if losses > 0 else None,
        tail_ratio=known(abs(top) / abs(bottom)) if bottom != 0 else None,
        skewness=skewness,
        kurtosis=kurtosis,
        best=float(r.max()),
        worst=float(r.min()),
        n=r.size,
    )
