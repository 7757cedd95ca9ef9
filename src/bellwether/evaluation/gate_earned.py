"""What a model earned out of sample beside its baselines, and what is left beyond them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import Floats, beside, finite, spread
from bellwether.evaluation.sharpe import sharpe_ratio
from bellwether.evaluation.superiority import long_run_sd

YEAR = 252
CASH = "holding cash"
TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Earned:
    """What a model earned out of sample after costs, one number a date, and what it stood among.

    Attributes
    ----------
    net : array, shape (n,)
        Simple net returns of the model.
    baselines : mapping of str to array, shape (n,)
        Those of the baselines on the same dates under the same rules.
    trials : array, shape (n, k)
        Those of the other trials of the ledger; k may be 0.
    n_trials : int or None
        All that were counted, this one too, whatever became of them; None if nobody counted.
    folds : array, shape (n,)
        Fold of each date.
    regimes : array of int, shape (n,)
        Regime of each date, known before it; -1 where unknown.
    regime_names : sequence of str
        By position.
    horizon : int
        Sessions a forecast spans.
    """

    net: Floats
    baselines: Mapping[str, Floats]
    trials: Floats
    n_trials: int | None
    folds: NDArray[np.int64]
    regimes: NDArray[np.int8]
    regime_names: Sequence[str] = field(default=())
    horizon: int = 1


def earned(  # noqa: PLR0913 - one argument a column of the evidence, all named
    *,
    net: ArrayLike,
    baselines: Mapping[str, ArrayLike],
    folds: ArrayLike,
    n_trials: int | None,
    trials: ArrayLike | None = None,
    regimes: ArrayLike | None = None,
    regime_names: Sequence[str] = (),
    horizon: int = 1,
) -> Earned:
    """Check the evidence.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, lengths differ, or fewer trials are counted than have returns.
    """
    mine = finite("net", net)
    others = np.empty((mine.size, 0)) if trials is None else np.asarray(trials, dtype=np.float64)
    fold = np.asarray(folds)
    regime = np.full(mine.size, -1) if regimes is None else np.asarray(regimes)
    _check_trials(others, mine, n_trials)
    for name, column in (("folds", fold), ("regimes", regime)):
        if column.shape != mine.shape:
            raise InvalidRequest(name, f"has shape {column.shape}, net {mine.shape}")
    if not np.isin(regime, np.arange(-1, len(regime_names))).all():
        raise InvalidRequest("regimes", f"must be from -1 to {len(regime_names) - 1}")
    if horizon < 1:
        raise InvalidRequest("horizon", f"is {horizon}, at least 1 needed")
    told = {name: beside(name, column, mine) for name, column in baselines.items()}
    numbers, marks = fold.astype(np.int64), regime.astype(np.int8)
    return Earned(mine, told, others, n_trials, numbers, marks, regime_names, horizon)


def _check_trials(others: Floats, mine: Floats, n_trials: int | None) -> None:
    if others.ndim != 2 or len(others) != mine.size:  # noqa: PLR2004 - dates and trials
        raise InvalidRequest("trials", f"has shape {others.shape}, net {mine.shape}")
    if not np.isfinite(others).all():
        raise InvalidRequest("trials", "holds NaN or infinity; align trials on common dates")
    k = 1 + others.shape[1]
    if n_trials is not None and n_trials < k:
        raise InvalidRequest("n_trials", f"is {n_trials}, but {k} trials have returns")


def block_of(n: int, horizon: int) -> int:
    """Return the mean block length: max(horizon, n^(1/3)), at most a quarter of the dates."""
    usual: int = math.ceil(float(n) ** (1 / 3) - TINY)
    return max(1, min(max(int(horizon), usual), n // 4))


def beyond(returns: Floats, baseline: Floats) -> Floats:
    """Return r - beta b by column: what is left of returns without their exposure to a baseline.

    beta = cov(r, b) / var(b) of the same dates, 0 for a baseline that does not vary. The mean of
    what is left is Jensen's alpha: above 0 where adding the strategy to the baseline raises the
    Sharpe ratio of both. A strategy that only holds some of the baseline leaves nothing.

    Examples
    --------
    >>> b = np.array([0.01, -0.01, 0.02, -0.02])
    >>> beyond(2 * b + 0.001, b).round(6).tolist()
    [0.001, 0.001, 0.001, 0.001]
    """
    if spread(baseline) is None:
        return returns
    away = baseline - baseline.mean()
    beta = away @ (returns - returns.mean(axis=0)) / (away @ away)
    return np.asarray(returns - np.multiply.outer(baseline, beta), dtype=np.float64)


def hardest(evidence: Earned) -> tuple[str, Floats]:
    """Return the baseline beyond which the model earns least for its error; cash is one of them."""
    n = evidence.net.size
    zero = np.zeros(n)
    candidates = {CASH: zero, **evidence.baselines}
    found: dict[str, float] = {}
    for name, baseline in candidates.items():
        left = beyond(evidence.net, baseline)
        sd = error_of(left, baseline, evidence)
        found[name] = -math.inf if sd == 0 else float(left.mean()) / sd
    name = min(found, key=lambda k: found[k])
    return name, candidates[name]


def best_baseline(evidence: Earned) -> tuple[str, float]:
    """Return the baseline with the highest annual Sharpe ratio; cash has 0."""
    ratios = {CASH: 0.0} | {k: annual(v) or 0.0 for k, v in evidence.baselines.items()}
    best = max(ratios, key=lambda k: ratios[k])
    return best, ratios[best]


def error_of(left: Floats, baseline: Floats, evidence: Earned) -> float:
    """Return the long-run sd of one column; 0 where it is rounding beside what it was made of."""
    scale = float(evidence.net.std()) + float(baseline.std())
    if float(left.std()) <= TINY * scale:
        return 0.0
    return float(long_run_sd(left[:, None], block_of(left.size, evidence.horizon))[0])


def annual(returns: Floats) -> float | None:
    """Return the annual Sharpe ratio of daily returns; None where they do not vary."""
    ratio = sharpe_ratio(returns)
    return None if ratio is None else ratio * math.sqrt(YEAR)
