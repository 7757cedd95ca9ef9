"""How much of the best Sharpe ratio is the luck of having tried so many."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import RELATIVE_ZERO, shape_of
from bellwether.evaluation.sharpe import probabilistic_sharpe

Floats = NDArray[np.float64]

EULER = 0.5772156649015329
MIN_TRIALS = 2
MIN_DATES = 8


@dataclass(frozen=True, slots=True)
class Deflated:
    """The Sharpe ratio of the chosen trial beside what luck alone would give.

    All ratios are per period. Fields are None where they are undefined or not assessable; `why`
    says so in words, and is empty otherwise.

    Attributes
    ----------
    sharpe : float or None
        Of the chosen trial, sd with ddof 1.
    trials : int or None
        N, everything that was scored.
    effective_trials : float or None
        Independent trials that so many alike amount to.
    variance : float or None
        V, of ratios across trials without skill; `luck_variance` of the others.
    luck, luck_effective : float or None
        Largest ratio expected of N, or of the effective number, without skill.
    p, p_effective : float or None
        Deflated Sharpe ratio: the probability that the true ratio is above luck; near 1 is good.
    dates : int
        Periods.
    why : str
        Why it is not assessable.
    """

    sharpe: float | None
    trials: int | None
    effective_trials: float | None
    variance: float | None
    luck: float | None
    luck_effective: float | None
    p: float | None
    p_effective: float | None
    dates: int
    why: str


def expected_maximum(variance: float, trials: float) -> float:
    """Return the largest Sharpe ratio expected of N trials without skill.

    The False Strategy theorem (Bailey and Lopez de Prado 2014), g = 0.5772 (Euler):

        sqrt(V) ((1 - g) z(1 - 1 / N) + g z(1 - 1 / (N e))),  z the normal quantile

    for ratios that are normal around 0. It is an approximation for large N: against the exact mean
    of the maximum 8 % low at N = 2, 2.5 % high at 5, 1 % high at 100. Below about N = 1.3 it would
    be negative, and 0 is returned, as for a single trial.

    Parameters
    ----------
    variance : float
        V, of the ratios across trials; its root has their unit.
    trials : float
        N, at least 1; an effective number need not be whole.

    Raises
    ------
    InvalidRequest
        If V is negative or not finite, or N below 1.

    Examples
    --------
    >>> round(expected_maximum(0.5 / 250, 100), 6), expected_maximum(0.5, 1)
    (0.113172, 0.0)
    """
    if not 0 <= variance < math.inf:
        raise InvalidRequest("variance", f"is {variance}, must be finite and not negative")
    if not 1 <= trials < math.inf:
        raise InvalidRequest("trials", f"is {trials}, at least 1 needed")
    if trials == 1:
        return 0.0
    usual = (1 - EULER) * ndtri(1 - 1 / trials) + EULER * ndtri(1 - 1 / (trials * math.e))
    return max(0.0, float(math.sqrt(variance) * usual))


def effective_trials(returns: ArrayLike) -> float | None:
    """Return how many independent trials the columns amount to.

    Participation ratio of the eigenvalues l of the correlation matrix, (sum l)^2 / sum l^2: k for
    uncorrelated columns, 1 for copies (either sign). The sampling noise of the correlations lowers
    it to about k / (1 + k / n) for n dates.

    Parameters
    ----------
    returns : array, shape (n, k)
        One column a trial on common dates, finite.

    Returns
    -------
    float or None
        From 1 to k, without columns that do not vary; None where none does.

    Raises
    ------
    InvalidRequest
        If a value is not finite or there are fewer than 8 dates.

    Examples
    --------
    >>> x = np.sin(np.arange(40.0))
    >>> round(effective_trials(np.column_stack([x, 2 * x, -x])), 6)
    1.0
    """
    given = _checked(returns)
    varied = given[:, _spread(given) > 0]
    if varied.shape[1] == 0:
        return None
    z = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    # sum l^2 is the sum of the squared entries, and sum l the number of columns
    small = z.T @ z if z.shape[1] <= len(z) else z @ z.T
    found = z.shape[1] ** 2 / float(((small / len(z)) ** 2).sum())
    return float(np.clip(found, 1.0, z.shape[1]))


def deflated_p(
    *,
    sharpe: float,
    dates: int,
    skewness: float,
    kurtosis: float,
    variance: float,
    trials: float,
) -> float | None:
    """Return the deflated Sharpe ratio from its ingredients.

    The probabilistic Sharpe ratio against luck, `probabilistic_sharpe` with the target
    SR0 = `expected_maximum(V, N)` (Bailey and Lopez de Prado 2014).

    Parameters
    ----------
    sharpe : float
        S, per period.
    dates : int
        n, periods.
    skewness, kurtosis : float
        g3 and g4 of the returns, g4 = 3 for a normal.
    variance : float
        V, of per-period ratios across trials.
    trials : float
        N.

    Returns
    -------
    float or None
        In [0, 1]; None for n < 2 or where the root is of no positive number.

    Examples
    --------
    >>> round(deflated_p(sharpe=2.5 / 250**0.5, dates=1250, skewness=-3, kurtosis=10,
    ...                  variance=0.5 / 250, trials=100), 6)
    0.900397
    """
    luck = expected_maximum(variance, trials)
    return probabilistic_sharpe(sharpe, dates, skewness, kurtosis, luck)


def deflated_sharpe(returns: ArrayLike, chosen: int, trials: int | None) -> Deflated:
    """Deflate the Sharpe ratio of the trial that was chosen among all that were scored.

    `deflated_p` with V = `luck_variance`, once with N = `trials` and once with the effective number
    of trials: `effective_trials` of the columns, plus one for each trial of the ledger that left no
    returns (failed, pruned) or none that vary, which may have been unlike all.

    Not assessable, that is None and a reason: N unknown, N < 2, a chosen trial that does not vary.

    Parameters
    ----------
    returns : array, shape (n, k)
        Net out-of-sample returns of the scored trials, one row a date, common dates, finite.
    chosen : int
        Column of the one that is judged.
    trials : int or None
        N by the ledger, whatever became of them; None if nobody counted.

    Returns
    -------
    Deflated
        Ratios per period.

    Raises
    ------
    InvalidRequest
        If a value is not finite, there are fewer than 8 dates, the column does not exist, or N is
        below the number of columns.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 0.01, (1000, 50))
    >>> best = int(np.argmax(noise.mean(axis=0) / noise.std(axis=0)))
    >>> found = deflated_sharpe(noise, best, trials=50)
    >>> round(found.p, 3), round(found.effective_trials, 1)
    (0.497, 47.7)
    >>> deflated_sharpe(noise, best, trials=None).why
    'nobody counted the trials'
    """
    given = _checked(returns)
    n, k = given.shape
    if not 0 <= chosen < k:
        raise InvalidRequest("chosen", f"is {chosen}, must be from 0 to {k - 1}")
    if trials is not None and trials < k:
        raise InvalidRequest("trials", f"is {trials}, but {k} trials have returns")
    sd = _spread(given)
    ratios = np.divide(given.mean(axis=0), sd, out=np.full(k, np.nan), where=sd > 0)
    sharpe = float(ratios[chosen]) if sd[chosen] > 0 else None
    why = _why(trials, sharpe)
    if why or trials is None or sharpe is None:
        return Deflated(sharpe, trials, None, None, None, None, None, None, n, why)
    others = given[:, (sd > 0) & (np.arange(k) != chosen)]
    every = np.column_stack([given[:, chosen], others])
    variance = luck_variance(every)
    effective = (effective_trials(every) or 1.0) + trials - every.shape[1]
    skewness, kurtosis = shape_of(given[:, chosen])
    judged = partial(
        deflated_p,
        sharpe=sharpe,
        dates=n,
        skewness=skewness,
        kurtosis=kurtosis,
        variance=variance,
    )
    plain, alike = judged(trials=trials), judged(trials=effective)
    return Deflated(
        sharpe,
        trials,
        effective,
        variance,
        expected_maximum(variance, trials),
        expected_maximum(variance, effective),
        plain,
        alike,
        n,
        "" if plain is not None else "the chosen returns have no usable moments",
    )


def luck_variance(returns: Floats) -> float:
    """Return V, the variance of ratios across trials without skill; the first column is judged.

    It is the variance (ddof 1) among the *other* columns, and at least (1 - r) / (n - 1), r the mean
    correlation of all, which is what ratios without skill have: copies vary too little. Bailey and
    Lopez de Prado (2014) take it over all trials. Then skill counts itself as luck and raises what it
    is held against, so that a true ratio is found more seldom, and the level is held either way.

    Parameters
    ----------
    returns : array, shape (n, k)
        Columns that vary, finite, n at least 2.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(1001, 1))
    >>> luck_variance(x), round(luck_variance(np.column_stack([x, x])), 12)
    (0.001, 0.0)
    """
    n, k = len(returns), returns.shape[1]
    if k == 1:
        return 1 / (n - 1)
    z = (returns - returns.mean(axis=0)) / returns.std(axis=0)
    total: Floats = z.sum(axis=1)
    alike = float((np.mean(total**2) - k) / (k * (k - 1)))
    least = max(1 - alike, 0.0) / (n - 1)
    if k == MIN_TRIALS:  # one other ratio has no variance
        return least
    others = returns[:, 1:]
    ratios = others.mean(axis=0) / others.std(axis=0, ddof=1)
    spread = float(np.var(ratios, ddof=1))
    return max(least, spread)


def _why(trials: int | None, sharpe: float | None) -> str:
    if trials is None:
        return "nobody counted the trials"
    if trials < MIN_TRIALS:
        return "a single trial was not chosen among others; its probabilistic Sharpe ratio says all"
    if sharpe is None:
        return "the returns of the chosen trial do not vary"
    return ""


def _spread(given: Floats) -> Floats:
    """Return each column's sd (ddof 1), 0 where it is only rounding."""
    sd = given.std(axis=0, ddof=1)
    return np.where(sd > RELATIVE_ZERO * np.abs(given).max(axis=0, initial=0.0), sd, 0.0)


def _checked(returns: ArrayLike) -> Floats:
    found = np.asarray(returns, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] == 0:  # noqa: PLR2004 - dates and trials
        raise InvalidRequest("returns", f"has shape {found.shape}, dates by trials needed")
    if len(found) < MIN_DATES:
        raise InvalidRequest("returns", f"has {len(found)} dates, at least {MIN_DATES} needed")
    if not np.isfinite(found).all():
        raise InvalidRequest("returns", "holds NaN or infinity; align trials on common dates")
    return found
