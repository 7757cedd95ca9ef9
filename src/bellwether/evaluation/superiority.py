"""Is the best of many better than the benchmark? Tests that pay for the search."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.resampling import check_draw, resampled_means

Floats = NDArray[np.float64]

RELATIVE_ZERO = 1e-12
MIN_DATES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Superiority:
    """What a search over models amounts to against one benchmark.

    Attributes
    ----------
    t : array of float64, shape (k,)
        sqrt(n) mean / long-run sd of each model's differentials; NaN where they do not vary.
    best : int or None
        Column with the largest t.
    spa, spa_lower, spa_upper : float or None
        Hansen's consistent p value of "no model beats the benchmark", and its bounds.
    reality_check : float or None
        White's, on differentials as they are.
    stepwise : array of float64, shape (k,)
        Romano and Wolf's p value of each model, for all of them together; NaN as `t`.
    n, block, reps : int
        Dates, mean block length, samples.
    """

    t: Floats
    best: int | None
    spa: float | None
    spa_lower: float | None
    spa_upper: float | None
    reality_check: float | None
    stepwise: Floats
    n: int
    block: int
    reps: int


def superiority(
    differentials: ArrayLike, *, block: int, seed: int, reps: int = 2000
) -> Superiority:
    """Test whether any of k models beats the benchmark, and which ones do.

    With d_kt = L_benchmark - L_k per date (or a strategy's return less the benchmark's), means
    m_k over n dates, the long-run sd w_k that the stationary bootstrap has (`long_run_sd`) and
    t_k = sqrt(n) m_k / w_k; a star marks a bootstrap sample, c a centre:

    ==============  ==========================================================================
    spa             Hansen (2005): share of samples in which max_k sqrt(n) (m*_k - c_k) / w_k is
                    at least max(0, max t_k); c_k = m_k, and 0 for models so bad that
                    t_k < -sqrt(2 log log n): they could not have been the best
    spa_lower       c_k = max(m_k, 0), liberal
    spa_upper       c_k = m_k, conservative: bad models cost power
    reality_check   White (2000): as spa_upper with w_k = 1 (and no floor at 0)
    stepwise        Romano and Wolf (2005, 2016): models from the largest t down, each against the
                    maximum over those not yet passed, centred as spa; never decreasing
    ==============  ==========================================================================

    Shares are (1 + count) / (1 + reps), so none is 0. `arch` 8.0.0 ignores `studentize` in its SPA
    and StepM: there one noisy useless model hides a good one. Here, differentials are divided by
    w_k first; on the same samples the rest is the same.

    Parameters
    ----------
    differentials : array, shape (n,) or (n, k)
        d, one row a date in order, finite: positive where the model is better. All that were
        tried, not a selection. `DateLosses.against` gives them.
    block : int
        Mean block length: `optimal_block(differentials, horizon)`.
    seed : int
        The same seed gives the same p values.
    reps : int
        Samples.

    Returns
    -------
    Superiority
        Models whose differentials do not vary (copies of the benchmark) take no part; p values are
        None where none is left.

    Raises
    ------
    InvalidRequest
        If there are fewer than 8 dates, a value is not finite, or an option is out of range.

    Examples
    --------
    >>> d = np.random.default_rng(0).normal(size=(500, 5))
    >>> d[:, 2] += 0.2
    >>> found = superiority(d, block=1, seed=0)
    >>> found.best, found.spa < 0.01, np.flatnonzero(found.stepwise < 0.05).tolist()
    (2, True, [2])
    """
    d = _checked("differentials", differentials)
    n, k = d.shape
    check_draw(n, block, reps, seed)
    sd = long_run_sd(d, block)
    live = np.flatnonzero(sd > 0)
    t, stepwise = np.full(k, np.nan), np.full(k, np.nan)
    if live.size == 0:
        return Superiority(t, None, None, None, None, None, stepwise, n, block, reps)
    d, sd = d[:, live], sd[live]
    means = d.mean(axis=0)
    drawn = resampled_means(d, block, reps, seed)
    t[live] = math.sqrt(n) * means / sd
    spa = spa_p(means / sd, drawn / sd, n)
    stepwise[live] = stepwise_p(means / sd, drawn / sd, n)
    return Superiority(
        t=t,
        best=int(live[np.argmax(t[live])]),
        spa=spa[1],
        spa_lower=spa[0],
        spa_upper=spa[2],
        reality_check=_share((drawn - means).max(axis=1), float(means.max())),
        stepwise=stepwise,
        n=n,
        block=block,
        reps=reps,
    )


def long_run_sd(d: Floats, block: int) -> Floats:
    """Return the sd that sqrt(n) times the mean has under the stationary bootstrap, by column.

    With p = 1 / block and autocovariances g_i divided by n (Politis and Romano 1994, lemma 1):

        w^2 = g_0 + 2 sum_i k_i g_i,  k_i = (1 - i / n) (1 - p)^i + (i / n) (1 - p)^(n - i)

    Parameters
    ----------
    d : array, shape (n, k)
        One row a date.
    block : int
        Mean block length.

    Returns
    -------
    array of float64, shape (k,)
        0 for a column that does not vary.

    Examples
    --------
    >>> long_run_sd(np.array([[1.0], [-1.0], [1.0], [-1.0]]), 1)
    array([1.])
    """
    n = len(d)
    away = d - d.mean(axis=0)
    size = 2 ** math.ceil(math.log2(2 * n))
    turned = np.fft.rfft(away, size, axis=0)
    covariances = np.fft.irfft(turned * turned.conj(), size, axis=0)[:n] / n
    lag, stay = np.arange(1, n), 1 - 1 / block
    kernel = (1 - lag / n) * stay**lag + lag / n * stay ** (n - lag)
    variance = covariances[0] + 2 * kernel @ covariances[1:]
    still = np.ptp(d, axis=0) <= RELATIVE_ZERO * np.abs(d).max(axis=0, initial=0.0)
    return np.where(still | (variance <= 0), 0.0, np.sqrt(np.maximum(variance, 0.0)))


def spa_p(means: Floats, drawn: Floats, n: int) -> tuple[float, float, float]:
    """Return Hansen's lower, consistent and upper p value.

    Parameters
    ----------
    means : array, shape (k,)
        Mean differentials, each divided by its long-run sd.
    drawn : array, shape (reps, k)
        Bootstrap means, divided likewise.
    n : int
        Dates.

    Returns
    -------
    tuple of float
        Ascending.

    Examples
    --------
    >>> spa_p(np.array([0.5]), np.array([[0.4], [0.6], [1.1]]), 100)
    (0.5, 0.5, 0.5)
    """
    best = max(0.0, float(means.max()))
    lower = _share((drawn - np.maximum(means, 0.0)).max(axis=1), best)
    consistent = _share((drawn - _centre(means, n)).max(axis=1), best)
    return lower, consistent, _share((drawn - means).max(axis=1), best)


def stepwise_p(means: Floats, drawn: Floats, n: int) -> Floats:
    """Return Romano and Wolf's p value of each model; arguments as in `spa_p`.

    Models with p <= a are better than the benchmark, with a chance of at most a that any of them
    is not (asymptotically).

    Examples
    --------
    >>> stepwise_p(np.array([0.5, 0.3]), np.array([[0.5, 0.7], [0.6, 0.2], [0.4, 0.3]]), 100)
    array([0.25, 0.5 ])
    """
    away = drawn - _centre(means, n)
    order = np.argsort(-means, kind="stable")
    # maxima over the models that come at or after each in the order
    rest = np.maximum.accumulate(away[:, order[::-1]], axis=1)[:, ::-1]
    shares = (1 + (rest >= means[order] - _tie(rest)).sum(axis=0)) / (1 + len(drawn))
    found = np.empty(means.size)
    found[order] = np.maximum.accumulate(shares)
    return found


def _centre(means: Floats, n: int) -> Floats:
    hopeless = means < -math.sqrt(2 * math.log(math.log(n)) / n)
    return np.where(hopeless, 0.0, means)


def _share(drawn: Floats, real: float) -> float:
    return float((1 + (drawn >= real - _tie(drawn)).sum()) / (1 + drawn.size))


def _tie(drawn: Floats) -> float:
    # a sample that is the whole circle has the mean of the dates, but for the last digits
    return RELATIVE_ZERO * float(np.abs(drawn).max(initial=0.0))


def _checked(name: str, values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or found.shape[1] == 0:  # noqa: PLR2004 - dates and models
        raise InvalidRequest(name, f"has shape {np.shape(values)}, dates by models needed")
    if len(found) < MIN_DATES:
        raise InvalidRequest(name, f"has {len(found)} dates, at least {MIN_DATES} needed")
    if not np.isfinite(found).all():
        raise InvalidRequest(name, "holds NaN or infinity")
    return found
