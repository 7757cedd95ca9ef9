"""Whether a figure differs between groups of names by more than chance: sectors, sizes, ages."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.series import Floats, check_lags, finite, long_run

MIN_NAMES = 5
MIN_DATES = 60
MIN_GROUPS = 2
MOST_REPS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class DatedGroups:
    """Means by date and group.

    `dates` are those on which every one of `groups` has enough names, in order; `means` has shape
    (n_dates, n_groups). `left_out` counts the other dates, `rows` the rows of each group in all.
    """

    dates: NDArray[Any]
    groups: tuple[Any, ...]
    means: Floats
    left_out: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GroupTest:
    """Whether groups differ; None where there are too few dates or nothing varies.

    Attributes
    ----------
    groups, means, errors : tuple
        Names, means over dates of the date's means, and their standard errors.
    gap : float
        Largest mean less smallest.
    null_gap : float
        95 % quantile of the gap if all groups were alike: smaller gaps mean nothing.
    wald, df, p : float, int, float
        Chi-square statistic over dates, its degrees of freedom and p-value.
    n_dates, left_out : int
        Dates that count, and those on which a group had too few names.
    rows : tuple of int
        Rows of each group.
    """

    groups: tuple[Any, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...] | None
    gap: float | None
    null_gap: float | None
    wald: float | None
    df: int
    p: float | None
    n_dates: int
    left_out: int
    rows: tuple[int, ...]


def group_means(
    dates: ArrayLike, groups: ArrayLike, values: ArrayLike, min_names: int = MIN_NAMES
) -> DatedGroups:
    """Average values by date and group, on dates where every group has `min_names` names.

    Parameters
    ----------
    dates : array, shape (n,)
        Decision instant of each row.
    groups : array of str or int, shape (n,)
        Group of each row, as it was known at its date.
    values : array, shape (n,)
        Such as a hit (0 or 1), a squared error or a net return.
    min_names : int
        At least 1.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, a date or group is missing, or lengths differ.

    Examples
    --------
    >>> found = group_means([1, 1, 1, 2], ["a", "a", "b", "a"], [1.0, 0.0, 1.0, 1.0], min_names=1)
    >>> found.groups, found.means, found.left_out
    (('a', 'b'), array([[0.5, 1. ]]), 1)
    """
    when, which, x = columns(dates, groups, values)
    if min_names < 1:
        raise InvalidRequest("min_names", f"is {min_names}, at least 1 needed")
    days, day = np.unique(when, return_inverse=True)
    names, member = np.unique(which, return_inverse=True)
    cell, shape = day * names.size + member, (days.size, names.size)
    n = np.bincount(cell, minlength=days.size * names.size).reshape(shape)
    sums = np.bincount(cell, weights=x, minlength=days.size * names.size).reshape(shape)
    full = (n >= min_names).all(axis=1)
    return DatedGroups(
        dates=days[full],
        groups=tuple(names.tolist()),
        means=np.asarray(sums[full] / n[full], dtype=np.float64),
        left_out=int((~full).sum()),
        rows=tuple(n.sum(axis=0).tolist()),
    )


def group_test(
    dated: DatedGroups, *, seed: int, lags: int = 0, min_dates: int = MIN_DATES, reps: int = 20_000
) -> GroupTest:
    """Test whether all groups have one mean; dates count, not rows.

    With d the differences of the other groups' date means to the last group's, over n dates:
    W = n dbar' S^-1 dbar ~ chi2 with G - 1 degrees of freedom, S the long-run covariance of d with
    Bartlett weights and no small-sample factor (Wald; Newey and West 1987). What moves all names
    of a date cancels. A chi-square test on rows, which move together, rejects a true null in 40 to
    70 % of cases.

    Parameters
    ----------
    dated : DatedGroups
        What `group_means` returned.
    seed : int
        Of the draws behind `null_gap`: normal, with the means' own covariance.
    lags : int
        Horizon - 1.
    min_dates : int
        Below it nothing is tested.
    reps : int
        Draws, 1 to 1,000,000.

    Returns
    -------
    GroupTest
        No test for one group, too few dates, or differences that do not vary.

    Raises
    ------
    InvalidRequest
        If an option is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> day, sector = np.repeat(np.arange(200), 20), np.tile(np.repeat(["it", "oil"], 10), 200)
    >>> hit = rng.random(4000) < np.where(sector == "it", 0.56, 0.50)
    >>> found = group_test(group_means(day, sector, hit), seed=1)
    >>> found.p < 0.01, found.gap > found.null_gap, found.n_dates
    (True, True, 200)
    """
    n, many = dated.means.shape
    if min_dates <= many or not 1 <= reps <= MOST_REPS or seed < 0:
        raise InvalidRequest(
            "min_dates", f"{min_dates} for {many} groups, reps {reps}, seed {seed}"
        )
    check_lags(lags, max(n, lags + 1))
    means = dated.means.mean(axis=0) if n else np.zeros(0)
    if n < max(min_dates, lags + 2) or many < MIN_GROUPS:
        gap = float(np.ptp(means)) if means.size else None
        return told(dated, means, None, gap, None, None, many - 1)
    covariance = long_run(dated.means - means, lags) / n
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    apart = np.concatenate([np.eye(many - 1), -np.ones((many - 1, 1))], axis=1)
    wald = _wald(apart @ means, apart @ covariance @ apart.T, float(np.abs(dated.means).max()))
    return told(
        dated,
        means,
        np.sqrt(np.maximum(np.diag(covariance), 0.0)),
        float(np.ptp(means)),
        null_gap(covariance, rng, reps),
        wald,
        many - 1,
    )


def null_gap(
    covariance: ArrayLike, rng: np.random.Generator, reps: int = 20_000, share: float = 0.95
) -> float:
    """Return the quantile of max - min of normal means with one expectation and this covariance.

    Parameters
    ----------
    covariance : array, shape (n_groups, n_groups)
        Of the groups' means.
    rng : Generator
        Made from the run's seed.
    reps : int
        Draws.
    share : float
        Which quantile.

    Raises
    ------
    InvalidRequest
        If the covariance is no square of finite numbers.

    Examples
    --------
    >>> spread = np.diag(0.53 * 0.47 / np.array([445, 1029, 1526]))  # rows, if they were separate
    >>> round(null_gap(spread, np.random.default_rng(0)), 2)
    0.06
    """
    s = np.asarray(covariance, dtype=np.float64)
    if s.ndim != 2 or s.shape[0] != s.shape[1] or not np.isfinite(s).all():  # noqa: PLR2004
        raise InvalidRequest("covariance", f"has shape {s.shape}, a finite square needed")
    values, vectors = np.linalg.eigh((s + s.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = rng.standard_normal((reps, len(s))) @ root.T
    return float(np.quantile(np.ptp(drawn, axis=1), share))


def columns(
    dates: ArrayLike, groups: ArrayLike, values: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any], Floats]:
    """Return three columns of one length, checked as `group_means` says."""
    x = finite("values", values)
    when, which = np.asarray(dates), np.asarray(groups)
    for name, column in (("dates", when), ("groups", which)):
        if column.shape != x.shape:
            raise InvalidRequest(name, f"has shape {column.shape}, the values {x.shape}")
        if column.dtype == object:
            raise InvalidRequest(name, "mixes types or holds None; use str, int or datetime64")
        if (column != column).any():  # noqa: PLR0124 - so says NaN and NaT of any type
            raise InvalidRequest(name, "holds NaN or NaT; give such rows a group of their own")
    return when, which, x


def _wald(d: Floats, covariance: Floats, scale: float) -> float | None:
    # each difference by its own error: a near-constant one is rounding, and not significant
    sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if (sd <= 1e-12 * max(scale, 1e-300)).any():
        return None
    correlation = covariance / np.outer(sd, sd)
    if np.linalg.matrix_rank(correlation, hermitian=True) < len(d):
        return None
    z = d / sd
    found = float(z @ np.linalg.solve(correlation, z))
    return found if found >= 0 else None


def told(
    dated: DatedGroups,
    means: Floats,
    errors: Floats | None,
    gap: float | None,
    null: float | None,
    wald: float | None,
    df: int,
) -> GroupTest:
    """Put together what a test of groups says; df the degrees of freedom of `wald`."""
    return GroupTest(
        groups=dated.groups,
        means=tuple(means.tolist()),
        errors=None if errors is None else tuple(errors.tolist()),
        gap=gap,
        null_gap=null,
        wald=wald,
        df=max(df, 0),
        p=None if wald is None else float(chdtrc(df, wald)),
        n_dates=len(dated.dates),
        left_out=dated.left_out,
        rows=dated.rows,
    )
