"""Intervals for means and shares, where rows of one date are not independent."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from bellwether.core.errors import InvalidRequest

MIN_CLUSTERS = 2


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean with its interval, standard error and sample sizes.

    `mean` is None for no rows; `low`, `high` and `se` are None for fewer than two clusters, or
    fewer than two stretches of lags + 1 clusters.
    """

    mean: float | None
    low: float | None
    high: float | None
    se: float | None
    n: int
    n_clusters: int


def clustered_mean(
    x: ArrayLike, clusters: NDArray[Any], confidence: float = 0.95, lags: int = 0
) -> MeanInterval:
    """Estimate the mean of `x` with an interval that treats a cluster as one observation.

    With cluster sums u_g = sum over rows of g of (x - mean), in the order of the clusters, and
    G clusters in n rows:

        se^2 = G / (G - 1) / n^2 * (sum u_g^2 + 2 sum_l w_l sum u_g u_{g-l}),  l = 1 .. lags

    with w_l = 1 (Hansen and Hodrick 1980), or w_l = 1 - l / (lags + 1) where that is the larger
    (Newey and West 1987), and mean -+ t(G / (lags + 1) - 1) se: overlapping labels hold that many
    separate ones. With one row a cluster and no lags this is the t interval of the mean.
    Clustering: Liang and Zeger (1986). Over few separate labels it still covers less than it says.

    Parameters
    ----------
    x : array, shape (n,)
        Finite values.
    clusters : array, shape (n,)
        What each row belongs to, in practice its decision date; sorts in the order of time.
    confidence : float
        Nominal coverage, in (0, 1).
    lags : int
        Consecutive clusters that may correlate: horizon - 1 for overlapping labels.

    Returns
    -------
    MeanInterval
        All values in the unit of `x`. Where all of `x` is one value, se is 0.

    Raises
    ------
    InvalidRequest
        If `x` holds NaN or infinity, a cluster is NaN or NaT, shapes differ, or an option is out
        of range.

    Examples
    --------
    >>> found = clustered_mean([1.0, 1.0, 0.0, 1.0], np.array([1, 1, 2, 3]))
    >>> found.mean, round(found.se, 6), found.n, found.n_clusters
    (0.75, 0.286411, 4, 3)
    """
    values, groups = np.asarray(x, dtype=np.float64), np.asarray(clusters)
    _check_confidence(confidence)
    if lags < 0:
        raise InvalidRequest("lags", f"is {lags}, must not be negative")
    if values.ndim != 1 or values.shape != groups.shape:
        raise InvalidRequest("clusters", f"has shape {groups.shape}, the values {values.shape}")
    if not np.isfinite(values).all():
        raise InvalidRequest("x", "holds NaN or infinity; leave such rows out by a stated rule")
    if (groups != groups).any():  # noqa: PLR0124 - so says NaN and NaT of any type
        raise InvalidRequest("clusters", "holds NaN or NaT; every row belongs somewhere")
    if values.size == 0:
        return MeanInterval(None, None, None, None, 0, 0)

    names, member = np.unique(groups, return_inverse=True)
    n, n_clusters, separate = int(values.size), int(names.size), names.size / (lags + 1)
    # the mean of equal values can be off by a rounding, and then nothing would be constant
    mean = float(np.clip(values.mean(), values.min(), values.max()))
    if separate < MIN_CLUSTERS:
        return MeanInterval(mean, None, None, None, n, n_clusters)
    sums = np.bincount(member, weights=values - mean, minlength=n_clusters).astype(np.float64)
    variance = _long_run(sums, lags) * n_clusters / (n_clusters - 1) / n**2
    se = math.sqrt(max(variance, 0.0))  # zero by algebra can be -1e-20 by rounding
    reach = float(stdtrit(separate - 1, 0.5 + confidence / 2)) * se
    return MeanInterval(mean, mean - reach, mean + reach, se, n, n_clusters)


def wilson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the score interval of a share (Wilson 1927); None for n = 0.

    With p = successes / n and z the normal quantile, the ends are

        (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    It supposes independent trials: for a panel hand in effective numbers, which need not be whole.

    Raises
    ------
    InvalidRequest
        If not 0 <= successes <= n.

    Examples
    --------
    >>> low, high = wilson(130, 250)
    >>> round(low, 3), round(high, 3)
    (0.458, 0.581)
    """
    _check_confidence(confidence)
    if not (0 <= successes <= n and math.isfinite(n)):
        raise InvalidRequest("successes", f"is {successes} of {n}, must be from 0 to n")
    if n == 0:
        return None
    share, z2 = successes / n, float(ndtri(0.5 + confidence / 2)) ** 2
    centre = share + z2 / (2 * n)
    reach = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
    low, high = (centre - reach) / (1 + z2 / n), (centre + reach) / (1 + z2 / n)
    return max(0.0, low), min(1.0, high)


def rows_needed(share: float | None, power: float = 0.8, level: float = 0.05) -> float | None:
    """Return how many independent calls would tell a hit rate from one half.

    ((z(1 - level/2) / 2 + z(power) sqrt(p (1 - p))) / (p - 1/2))^2, rounded up: a two-sided test
    of p = 1/2 that finds p with that power. Rows of one date are worth far fewer. None for a share
    of None or one half.

    Raises
    ------
    InvalidRequest
        If a share, power or level is out of range.

    Examples
    --------
    >>> rows_needed(0.53), rows_needed(0.55)
    (2178.0, 783.0)
    """
    for name, value in (("power", power), ("level", level)):
        if not 0 < value < 1:
            raise InvalidRequest(name, f"is {value}, must lie between 0 and 1")
    if share is None or share == 0.5:  # noqa: PLR2004
        return None
    if not 0 <= share <= 1:
        raise InvalidRequest("share", f"is {share}, must be from 0 to 1")
    reach = ndtri(1 - level / 2) / 2 + ndtri(power) * math.sqrt(share * (1 - share))
    return float(math.ceil((reach / (share - 0.5)) ** 2))


def _long_run(sums: NDArray[np.float64], lags: int) -> float:
    """Return the larger of two estimates: equal weights can go negative, Bartlett's fall short."""
    equal = bartlett = float(sums @ sums)
    for lag in range(1, lags + 1):
        product = 2 * float(sums[lag:] @ sums[:-lag])
        equal += product
        bartlett += (1 - lag / (lags + 1)) * product
    return max(equal, bartlett)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InvalidRequest("confidence", f"is {confidence}, must lie between 0 and 1")
