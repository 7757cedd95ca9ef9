"""How often calls of a direction were right, where many rows share a date."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.resampling import MIN_DATES, bootstrap_interval, optimal_block

Floats = NDArray[np.float64]
Interval = tuple[float, float] | None
REPS = 2000


@dataclass(frozen=True, slots=True)
class Called:
    """Accuracy and MCC with 95 % intervals by date, or by how much one caller has more of them.

    `accuracy` is a share, `mcc` in [-1, 1] (differences in [-1, 1] and [-2, 2]); None where
    undefined, as is the MCC of one who calls one direction only. `n` rows lie on `dates` dates.
    """

    accuracy: float | None
    accuracy_interval: Interval
    mcc: float | None
    mcc_interval: Interval
    n: int
    dates: int


def called(dates: NDArray[Any], up: ArrayLike, said: ArrayLike, *, seed: int = 0, horizon: int = 1) -> Called:  # fmt: skip
    """Score calls of a direction.

    With tp, tn, fp, fn the right and wrong calls up and down:

        accuracy = (tp + tn) / n
        MCC = (tp tn - fp fn) / sqrt((tp + fp) (tp + fn) (tn + fp) (tn + fn))   (Matthews 1975)

    The interval of the accuracy takes a date as one observation (`clustered_mean`); that of the MCC
    draws dates with all their rows, in blocks (`bootstrap_interval`, 2,000 samples).

    Parameters
    ----------
    dates : array, shape (n,)
        Decision of each row; the unit of independence.
    up, said : array of bool, shape (n,)
        What came and what was called.
    seed : int
        Of the bootstrap.
    horizon : int
        Dates that a label spans.

    Raises
    ------
    InvalidRequest
        If shapes differ or a value is neither true nor false.

    Examples
    --------
    >>> came = [True, True, False, False]
    >>> found = called(np.array([1, 1, 2, 3]), came, [True, False, False, False])
    >>> found.accuracy, round(found.mcc, 4), found.dates
    (0.75, 0.5774, 3)
    """
    came = _bools("up", up)
    counts = _counts(dates, came, _bools("said", said))
    share = clustered_mean((came == _bools("said", said)).astype(float), dates, lags=horizon - 1)
    mcc, interval = _drawn(counts, _mcc, seed, horizon)
    return Called(
        share.mean, _pair(share.low, share.high), mcc, interval, share.n, share.n_clusters
    )


def outcalled(
    dates: NDArray[Any], up: ArrayLike, a: ArrayLike, b: ArrayLike, *, seed: int = 0, horizon: int = 1
) -> Called:  # fmt: skip
    """Return by how much A calls the direction better than B on the same rows, as in `called`.

    Examples
    --------
    >>> up = [True, False, True, False]
    >>> outcalled(np.arange(4), up, up, [True, True, True, False]).accuracy
    0.25
    """
    came, one, other = _bools("up", up), _bools("a", a), _bools("b", b)
    counts = np.hstack([_counts(dates, came, one), _counts(dates, came, other)])
    gain = (came == one).astype(float) - (came == other).astype(float)
    share = clustered_mean(gain, dates, lags=horizon - 1)
    mcc, interval = _drawn(counts, lambda x: _mcc(x[:, :4]) - _mcc(x[:, 4:]), seed, horizon)
    return Called(
        share.mean, _pair(share.low, share.high), mcc, interval, share.n, share.n_clusters
    )


def _bools(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    found = np.asarray(values)
    if found.dtype != np.bool_ or found.ndim != 1:
        raise InvalidRequest(name, f"holds {found.dtype} of shape {found.shape}, not true or false")
    return found


def _counts(dates: NDArray[Any], up: NDArray[np.bool_], said: NDArray[np.bool_]) -> Floats:
    """Count tp, fp, fn and tn by date, in order: shape (n_dates, 4)."""
    when = np.asarray(dates)
    if not when.shape == up.shape == said.shape:
        raise InvalidRequest("dates", f"has shape {when.shape}, the calls {said.shape}")
    names, member = np.unique(when, return_inverse=True)
    kinds = (up & said, ~up & said, up & ~said, ~up & ~said)
    columns = [np.bincount(member, weights=k, minlength=len(names)) for k in kinds]
    return np.column_stack(columns).astype(np.float64)


def _mcc(counts: Floats) -> float:
    tp, fp, fn, tn = counts.sum(axis=0)
    whole = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return float((tp * tn - fp * fn) / math.sqrt(whole)) if whole > 0 else math.nan


def _drawn(counts: Floats, statistic: Any, seed: int, horizon: int) -> tuple[float | None, Interval]:  # fmt: skip
    told = float(statistic(counts)) if len(counts) else math.nan
    if not math.isfinite(told):
        return None, None
    if len(counts) < MIN_DATES:
        return told, None
    right = counts[:, 0] + counts[:, 3] - counts[:, 1] - counts[:, 2]
    block = optimal_block(right, horizon)
    found = bootstrap_interval(counts, statistic, block=block, seed=seed, reps=REPS)
    return told, _pair(found.low, found.high)


def _pair(low: float | None, high: float | None) -> Interval:
    return None if low is None or high is None else (low, high)
