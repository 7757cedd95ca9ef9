"""Whether a figure differs between stretches of time, such as years, by more than chance."""

import numpy as np
from numpy.typing import ArrayLike

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.groups import (
    MIN_DATES,
    MIN_GROUPS,
    MOST_REPS,
    DatedGroups,
    GroupTest,
    columns,
    null_gap,
    told,
)
from bellwether.evaluation.series import Floats, long_run


def stretch_test(
    dates: ArrayLike,
    stretches: ArrayLike,
    values: ArrayLike,
    *,
    seed: int,
    lags: int = 0,
    min_dates: int = MIN_DATES,
    reps: int = 20_000,
) -> GroupTest:
    """Test whether stretches of time, such as years, have one mean; dates count, not rows.

    No date is in two stretches, so their means m_g over dates are independent but for `lags`
    dates at the seams. With v_g the long-run variance of a mean (Bartlett weights) and m their mean
    with weights 1 / v_g,

        W = sum (m_g - m)^2 / v_g ~ chi2 with G - 1 degrees of freedom (Cochran 1954)

    Parameters
    ----------
    dates, stretches, values : array, shape (n,)
        Decision instant, stretch and value of each row, as in `group_means`.
    seed, lags, reps
        As in `group_test`.
    min_dates : int
        Stretches with fewer dates are left out, and their dates counted.

    Raises
    ------
    InvalidRequest
        As `group_means`, if a date is in two stretches, or if an option is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> year, hit = np.repeat([2001, 2002, 2003], 250), rng.normal(size=750)
    >>> found = stretch_test(np.arange(750), year, hit + (year == 2003), seed=1)
    >>> found.groups, found.df, found.p < 0.01
    ((2001, 2002, 2003), 2, True)
    """
    when, which, x = columns(dates, stretches, values)
    if min_dates < MIN_GROUPS or lags < 0 or not 1 <= reps <= MOST_REPS or seed < 0:
        raise InvalidRequest("min_dates", f"{min_dates}, lags {lags}, reps {reps}, seed {seed}")
    days, day = np.unique(when, return_inverse=True)
    names, member = np.unique(which, return_inverse=True)
    owner = np.zeros(days.size, dtype=np.intp)
    owner[day] = member
    if (owner[day] != member).any():
        raise InvalidRequest("stretches", "a date is in two of them")
    of_day = np.bincount(day, weights=x) / np.bincount(day) if x.size else x
    n = np.bincount(owner, minlength=names.size) if x.size else np.zeros(0, dtype=np.intp)
    kept = np.flatnonzero(n >= max(min_dates, lags + 2))
    parts = [of_day[owner == g] for g in kept]
    dated = DatedGroups(
        dates=days[np.isin(owner, kept)],
        groups=tuple(names[kept].tolist()),
        means=np.array([[part.mean() for part in parts]]),
        left_out=int((~np.isin(owner, kept)).sum()),
        rows=tuple(np.bincount(member, minlength=names.size)[kept].tolist()),
    )
    return _judged(dated, parts, lags, seed, reps)


def _judged(dated: DatedGroups, parts: list[Floats], lags: int, seed: int, reps: int) -> GroupTest:
    means, df = dated.means[0], len(parts) - 1
    if len(parts) < MIN_GROUPS:
        return told(dated, means, None, None, None, None, df)
    variance = np.array(
        [long_run((part - part.mean())[:, None], lags)[0, 0] / part.size for part in parts]
    )
    largest = max(float(np.abs(part).max()) for part in parts)
    wald = None
    if (np.sqrt(np.maximum(variance, 0.0)) > 1e-12 * largest).all():
        middle = (means / variance).sum() / (1 / variance).sum()
        wald = float(((means - middle) ** 2 / variance).sum())
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    spread = np.sqrt(np.maximum(variance, 0.0))
    gap, chance = float(np.ptp(means)), null_gap(np.diag(variance), rng, reps)
    return told(dated, means, spread, gap, chance, wald, df)
