"""Whether called and realised directions go together by more than chance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import Floats, beside, finite

OVERLAP = (
    "labels overlap over {horizon} sessions and one row is not one observation: with persistent "
    "forecasts this test rejects a true null three times as often as it says; believe the "
    "circular shift instead"
)


@dataclass(frozen=True, slots=True)
class Directional:
    """Pesaran and Timmermann's test; None where undefined.

    `hit` and `expected` are the shares of right calls, realised and if directions were
    independent; `statistic` is normal under independence, `p` one-sided; `chi2` its square. `n`
    counts rows with a call and a move. `warning` says why not to believe `p`.
    """

    hit: float | None
    expected: float | None
    statistic: float | None
    p: float | None
    chi2: float | None
    n: int
    warning: str | None


def pesaran_timmermann(log_return: ArrayLike, forecast: ArrayLike, horizon: int = 1) -> Directional:
    """Test whether calls and outcomes are independent (Pesaran and Timmermann 1992).

    With P the share of right calls, x and y the shares called and gone up, P* = xy + (1-x)(1-y):

        S = (P - P*) / sqrt(V(P) - V(P*)),  V(P) = P* (1 - P*) / n,
        V(P*) = ((2y-1)^2 x(1-x) + (2x-1)^2 y(1-y)) / n + 4 xy (1-x)(1-y) / n^2

    Rows with no call (f = 0) or no move (y = 0) are left out, as in `forecast_metrics`. A caller
    who says one direction only cannot be tested: None. Rows are taken as independent: hand in one
    symbol, or see `shifting.shift_test`.

    Parameters
    ----------
    log_return, forecast : array, shape (n,)
        Only the signs count.
    horizon : int
        Sessions that a label spans; above 1 the result carries a warning.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, lengths differ or `horizon` is below 1.

    Examples
    --------
    >>> up, down = [1] * 50, [-1] * 50
    >>> said = [1] * 32 + [-1] * 18 + [1] * 23 + [-1] * 27
    >>> found = pesaran_timmermann(up + down, said)
    >>> round(found.hit, 2), round(found.expected, 2), round(found.statistic, 4), round(found.p, 4)
    (0.59, 0.5, 1.8182, 0.0345)
    """
    y = finite("log_return", log_return)
    f = beside("forecast", forecast, y)
    if horizon < 1:
        raise InvalidRequest("horizon", f"is {horizon}, at least 1 needed")
    judged = (y != 0) & (f != 0)
    up, said, n = y[judged] > 0, f[judged] > 0, int(judged.sum())
    warning = OVERLAP.format(horizon=horizon) if horizon > 1 else None
    if n == 0:
        return Directional(None, None, None, None, None, 0, warning)
    hit, a, b = float((up == said).mean()), float(up.mean()), float(said.mean())
    expected = a * b + (1 - a) * (1 - b)
    of_hit = expected * (1 - expected) / n
    of_expected = (
        ((2 * a - 1) ** 2 * b * (1 - b) + (2 * b - 1) ** 2 * a * (1 - a)) / n
        + 4 * a * b * (1 - a) * (1 - b) / n**2
    )  # fmt: skip
    variance = of_hit - of_expected
    if variance * n <= 1e-12 or a in {0.0, 1.0} or b in {0.0, 1.0}:  # noqa: PLR2004 - rounding
        return Directional(hit, expected, None, None, None, n, warning)
    s = (hit - expected) / math.sqrt(variance)
    return Directional(hit, expected, s, float(ndtr(-s)), s * s, n, warning)


def agreement(forecast: Floats, outcome: Floats) -> float:
    """Return the covariance of the signs of two arrays: what Pesaran and Timmermann test.

    Examples
    --------
    >>> agreement(np.array([1.0, -1.0]), np.array([0.3, -0.2]))
    1.0
    """
    a, b = np.sign(forecast), np.sign(outcome)
    return float(((a - a.mean()) * (b - b.mean())).mean())
