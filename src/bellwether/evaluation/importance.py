"""What moves a model, fold after fold: how far, to what use, and whether it stays the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.adjusted import adjusted_p
from bellwether.evaluation.intervals import MeanInterval, clustered_mean

Floats = NDArray[np.float64]

MIN_FEATURES = 2
LEVEL = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What features did to the forecasts of one fold's test rows.

    Attributes
    ----------
    moved : array, shape (k,)
        Mean size of each feature's contribution to the forecast of the log return.
    dates : array of datetime64, shape (n_dates,)
        Decisions that were looked at.
    lost : array, shape (n_dates, k)
        Mean squared error of the date with the feature's values in random order, less the error
        with them in place: above 0 where the feature helped.
    squared : array, shape (n_dates,)
        Mean squared outcome of the date.
    gained : array, shape (n_dates, k)
        Mean product of the date of a feature's contribution, less its mean, and the outcome.
    """

    moved: Floats
    dates: NDArray[np.datetime64]
    lost: Floats
    squared: Floats
    gained: Floats


def importance(names: Sequence[str], folds: Sequence[Weighed], horizon: int) -> dict[str, Any]:
    """Sum up what moved a model over folds.

    `share` is the mean over folds of a feature's part in the mean size of all contributions;
    `r2_lost` by how much R2 against no forecast falls once the feature's values are in random
    order (permutation importance: Breiman 2001; Fisher, Rudin and Dominici 2019), of all dates
    together, with a 95 % interval over dates (horizon - 1 lags). Features that stand for each other
    lose little one by one. The interval is of a feature alone; `p` is two-sided by the same t, and
    `p_adjusted` for their number, however they depend on each other (Benjamini, Yekutieli 2001).

    `stability` says whether folds agree: Kendall's tau-b of the shares of each fold and the next,
    the mean Spearman correlation of all pairs of folds, and Kendall's W = (r (m - 1) + 1) / m of m
    folds (Kendall and Babington Smith 1939). None where there is one fold, or nothing moves a fold.

    Parameters
    ----------
    names : sequence of str
        Features in the order of columns.
    folds : sequence of Weighed
        In the order of time.
    horizon : int
        Sessions that a label spans.

    Returns
    -------
    dict
        `features` (name to share, by_fold, r2_lost, low, high, p, p_adjusted; the largest share
        first), `folds` (each with `from` and `to`, its first and last decision looked at, `dates`,
        and `size`, the mean size of all contributions together as a log return), `dates`, and
        `stability` (kendall_next, kendall_tau, spearman, kendall_w).

    Raises
    ------
    InvalidRequest
        If there is no fold, or widths differ.

    Examples
    --------
    >>> day = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[D]")
    >>> one = Weighed(np.array([3.0, 1.0]), day, np.tile([0.1, 0.0], (3, 1)), np.ones(3), np.zeros((3, 2)))
    >>> found = importance(["a", "b"], [one, one], 1)
    >>> found["features"]["a"]["share"], round(found["features"]["a"]["r2_lost"], 3)
    (0.75, 0.1)
    >>> found["stability"]["kendall_w"]
    1.0
    """
    if not folds or any(fold.moved.shape != (len(names),) for fold in folds):
        raise InvalidRequest("folds", "at least one, and one value a feature, are needed")
    shares = np.array([_shares(fold.moved) for fold in folds])
    mean = shares.mean(axis=0)
    dates = np.concatenate([fold.dates for fold in folds])
    lost = np.concatenate([fold.lost for fold in folds])
    unit = float(np.concatenate([fold.squared for fold in folds]).mean())
    scaled = lost / unit if unit > 0 else lost
    told = [clustered_mean(column, dates, lags=horizon - 1) for column in scaled.T]
    p = np.array([_chance(one, horizon) for one in told])
    adjusted = adjusted_p(p, "by")
    features = {
        names[j]: {
            "share": float(mean[j]),
            "by_fold": [float(s) for s in shares[:, j]],
            "r2_lost": told[j].mean,
            "low": told[j].low,
            "high": told[j].high,
            "p": float(p[j]),
            "p_adjusted": float(adjusted[j]),
        }
        for j in np.argsort(-mean, kind="stable")
    }
    return {
        "features": features,
        "folds": [_period(fold) for fold in folds],
        "dates": int(np.unique(dates).size),
        "stability": _stability(shares),
    }


def _chance(found: MeanInterval, horizon: int) -> float:
    """Return the two-sided p of a mean of 0; 1 where nothing is known or nothing changed."""
    if not found.se or found.mean is None:
        return 1.0
    return float(2 * stdtr(found.n_clusters / horizon - 1, -abs(found.mean / found.se)))


def _period(fold: Weighed) -> dict[str, Any]:
    first, last = (str(day)[:10] for day in (fold.dates.min(), fold.dates.max()))
    return {
        "from": first,
        "to": last,
        "dates": int(fold.dates.size),
        "size": float(fold.moved.sum()),
    }


def _shares(moved: Floats) -> Floats:
    total = moved.sum()
    return moved / total if total > 0 else np.zeros_like(moved)


def _stability(shares: Floats) -> dict[str, Any]:
    varied = shares[np.ptp(shares, axis=1) > 0]
    nothing: dict[str, Any] = {
        "kendall_next": [],
        "kendall_tau": None,
        "spearman": None,
        "kendall_w": None,
    }
    m, k = varied.shape
    if m < 2 or k < MIN_FEATURES:  # noqa: PLR2004
        return nothing
    from scipy import stats

    following = [float(stats.kendalltau(a, b).statistic) for a, b in pairwise(varied)]
    pairs = [float(stats.spearmanr(a, b).statistic) for a, b in combinations(varied, 2)]
    r = float(np.mean(pairs))
    return {
        "kendall_next": following,
        "kendall_tau": float(np.mean(following)),
        "spearman": r,
        "kendall_w": (r * (m - 1) + 1) / m,
    }


def words(found: dict[str, Any], model: str) -> str:
    """Say in a sentence or two what moved a model, and whether that stayed so."""
    top = [(n, f) for n, f in found["features"].items() if f["share"] > 0][:3]
    if not top:
        return f"Nothing moves the forecasts of {model}."
    listed = ", ".join(f"{n} ({f['share']:.0%})" for n, f in top)
    helped = [
        name
        for name, f in found["features"].items()
        if f["r2_lost"] > 0 and f["p_adjusted"] <= LEVEL
    ]
    whose = ", ".join(helped[:3]) or "no feature"
    use = f"the values of {whose} helped beyond chance, of {len(found['features'])} tested"
    tau = found["stability"]["kendall_tau"]
    same = (
        ""
        if tau is None
        else f" From one fold to the next ranks agree with Kendall's tau {tau:.2f}."
    )
    return f"{model} is moved most by {listed}; out of sample {use}.{same}"
