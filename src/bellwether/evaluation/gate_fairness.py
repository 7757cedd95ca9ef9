"""The gates of honesty and fairness: what is said is true, and true for everybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.adjusted import adjusted_p
from bellwether.evaluation.calibration_interval import calibration_error
from bellwether.evaluation.gate_policy import Policy, Verdict
from bellwether.evaluation.groups import MIN_NAMES, GroupTest, group_means, group_test
from bellwether.evaluation.intervals import MeanInterval, clustered_mean
from bellwether.evaluation.series import Floats, finite, long_run

PERIODS = 2
FAMILIES = ("sector", "size", "volatility", "period")


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What was said of each row, and what came; one value a row.

    `up` says whether the price rose, `probability` what was said of that. `inside` says whether the
    outcome lay in the interval that was known then, of the rows in `judged`; `nominal` is what it
    promised. None where no interval was given.
    """

    dates: NDArray[Any]
    up: NDArray[np.bool_]
    probability: Floats
    inside: NDArray[np.bool_] | None = None
    judged: NDArray[np.bool_] | None = None
    nominal: float = 0.9
    horizon: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Calls by row, and the groups that rows belong to; families that nobody knows are absent.

    `call` and `came` are 1 for up and -1 for down; `families` maps a name to the group of each row,
    as known at its date, "" where unknown.
    """

    dates: NDArray[np.datetime64]
    call: Floats
    came: Floats
    families: Mapping[str, NDArray[np.str_]]
    horizon: int = 1


def calibration(said: Said, policy: Policy) -> Verdict:
    """Ask whether chances and intervals are what they say, beyond chance and beyond a tolerance.

    Fails where the lower end of the interval of the expected calibration error (whole blocks of
    dates) is above its tolerance, or the realised coverage is farther from the nominal one than its
    tolerance and its date-clustered 95 % interval leaves the nominal one out.
    """
    gate, most = "calibration", policy.honesty
    found = calibration_error(
        said.up,
        said.probability,
        said.dates,
        seed=policy.seed,
        block=max(most.block, said.horizon),
        reps=min(policy.reps, 1000),
    )
    if found.ece is None or found.low is None or found.n_dates < most.min_dates:
        return Verdict(
            gate,
            "not assessable",
            f"Chances were said on {found.n_dates} dates.",
            f"It is assessable with {most.min_dates} dates or more.",
            n_dates=found.n_dates,
        )
    wants = [f"a calibration error of at most {most.ece:g}"] if found.low > most.ece else []
    words = f"The calibration error of its chances is {found.ece:.4f}"
    covered = _coverage(said)
    if covered is not None and covered.mean is not None:
        words += f", and its {said.nominal:.0%} intervals held {covered.mean:.1%}"
        if _off(covered, said.nominal, most.coverage):
            wants.append(f"a coverage within {most.coverage:.0%} of {said.nominal:.0%}")
    ends = None if found.high is None else (found.low, found.high)
    return Verdict(
        gate,
        "failed" if wants else "passed",
        f"{words}.",
        f"It passes with {' and '.join(wants)}." if wants else "",
        found.ece,
        most.ece,
        found.p,
        ends,
        found.n_dates,
    )


def calibration_of_bins(
    said: ArrayLike, low: ArrayLike, high: ArrayLike, rows: ArrayLike, policy: Policy
) -> Verdict:
    """Ask the same of a table of bins, where rows are not kept.

    The figure is the part of the calibration error that lies outside the bins' own date-clustered
    95 % intervals, sum n_b max(0, low_b - said_b, said_b - high_b) / n.

    Parameters
    ----------
    said, low, high, rows : array, shape (n_bins,)
        Mean chance of each bin, interval of the realised share, and rows.
    """
    gate, most = "calibration", policy.honesty
    p, lower, upper, n = (
        finite(k, v) for k, v in (("said", said), ("low", low), ("high", high), ("rows", rows))
    )
    if n.sum() <= 0:
        return Verdict(
            gate, "not assessable", "No chance was said.", "It is assessable once one is."
        )
    outside = np.maximum(np.maximum(lower - p, p - upper), 0.0)
    value = float((n * outside).sum() / n.sum())
    passed = value <= most.ece
    return Verdict(
        gate,
        "passed" if passed else "failed",
        f"Chances lie {value:.4f} outside what came, beyond chance, over {n.size} bins.",
        "" if passed else f"It passes at {most.ece:g}.",
        value,
        most.ece,
    )


def bias(served: Served, policy: Policy) -> Verdict:
    """Ask whether calls are as often right in every group of a family, beyond what shares give.

    The figure is (c - c_g)(s - s_g) / 2 of each row, with call c, outcome s and their means in the
    group: its mean is the share of right calls less what the shares of ups said and come would give
    by chance (Pesaran and Timmermann's P - P*). A model that always says up serves everybody alike,
    however often some rise.

    Wald tests on date means (`group_test`; for periods, which share no date, on the means of
    disjoint stretches), Holm over families. Fails where one is at or below the level and its gap
    is above what chance alone gives in 95 %.
    """
    gate, level = "bias", policy.fairness.level
    call, came = finite("call", served.call), finite("came", served.came)
    if call.shape != came.shape or call.shape != served.dates.shape:
        raise InvalidRequest("came", f"has shape {came.shape}, call {call.shape}")
    found = {name: _family(name, served, policy) for name in served.families}
    years = served.dates.astype("datetime64[Y]").astype(int)
    edge = edge_of(call, came, years)
    found["period"] = period_test(served.dates, edge, served.horizon, policy.fairness.min_dates)
    tested = {k: v for k, v in found.items() if v is not None and v.p is not None}
    n_dates = int(np.unique(served.dates).size)
    unknown = [k for k in FAMILIES if k not in tested]
    left = f" Not assessable: {', '.join(unknown)}." if unknown else ""
    if not tested:
        return Verdict(
            gate,
            "not assessable",
            f"No family has groups with enough names and dates.{left}",
            f"It is assessable with {policy.fairness.min_dates} dates and {MIN_NAMES} names a group.",
            n_dates=n_dates,
        )
    ps = {k: v.p for k, v in tested.items() if v.p is not None}
    adjusted = dict(zip(ps, adjusted_p(list(ps.values()), "holm").tolist(), strict=True))
    bad = [k for k, p in adjusted.items() if p <= level and _beyond_chance(tested[k])]
    worst = min(adjusted, key=lambda k: adjusted[k])
    test = tested[worst]
    low = test.groups[int(np.argmin(test.means))]
    return Verdict(
        gate,
        "failed" if bad else "passed",
        f"Right calls beyond chance differ most by {worst}: {min(test.means):+.1%} in {low} against "
        f"{max(test.means):+.1%} at best (Holm p {adjusted[worst]:.3f}).{left}",
        f"It passes when the groups of {', '.join(bad)} differ by no more than chance."
        if bad
        else "",
        test.gap,
        test.null_gap,
        adjusted[worst],
        n_dates=test.n_dates,
    )


def edge_of(call: Floats, came: Floats, group: NDArray[Any]) -> Floats:
    """Return (c - c_g)(s - s_g) / 2 of each row, means over all rows of its group.

    Examples
    --------
    >>> edge_of(np.ones(4), np.array([1.0, 1, -1, 1]), np.zeros(4)).tolist()
    [0.0, 0.0, -0.0, 0.0]
    """
    _, at = np.unique(group, return_inverse=True)
    n = np.bincount(at)
    c, s = (v - (np.bincount(at, weights=v) / n)[at] for v in (call, came))
    return np.asarray(c * s / 2, dtype=np.float64)


def period_test(
    dates: NDArray[np.datetime64], hit: Floats, horizon: int, min_dates: int
) -> GroupTest | None:
    """Test whether calls are as often right in every calendar year with enough dates.

    With m_g the mean over the dates of year g of the date's mean of `hit` and v_g its
    long-run variance over its dates, W = sum (m_g - m)^2 / v_g, m weighted by 1 / v_g, is
    chi-square with G - 1 degrees. None for fewer than two years, or one that does not vary.
    """
    days, at = np.unique(dates.astype("datetime64[D]"), return_inverse=True)
    daily = np.bincount(at, weights=hit) / np.maximum(np.bincount(at), 1)
    years = days.astype("datetime64[Y]").astype(int) + 1970
    names, means, variances = [], [], []
    for year in np.unique(years).tolist():
        mine = daily[years == year]
        if mine.size < max(min_dates, horizon + 1):
            continue
        away = (mine - mine.mean())[:, None]
        variance = float(long_run(away, horizon - 1)[0, 0]) / (mine.size - horizon)
        if variance <= 0:
            return None
        names.append(str(year))
        means.append(float(mine.mean()))
        variances.append(variance)
    if len(names) < PERIODS:
        return None
    m, v = np.array(means), np.array(variances)
    middle = float((m / v).sum() / (1 / v).sum())
    wald = float(((m - middle) ** 2 / v).sum())
    df = len(names) - 1
    errors = tuple(np.sqrt(v).tolist())
    gap = float(np.ptp(m))
    return GroupTest(
        tuple(names),
        tuple(means),
        errors,
        gap,
        None,
        wald,
        df,
        float(chdtrc(df, wald)),
        days.size,
        0,
        (),
    )


def _family(name: str, served: Served, policy: Policy) -> GroupTest | None:
    group = np.asarray(served.families[name])
    if group.shape != served.call.shape:
        raise InvalidRequest(name, f"has shape {group.shape}, call {served.call.shape}")
    known = group != ""
    if np.unique(group[known]).size < PERIODS:
        return None
    edge = edge_of(served.call[known], served.came[known], group[known])
    dated = group_means(served.dates[known], group[known], edge)
    if dated.means.shape[1] >= policy.fairness.min_dates:
        return None
    return group_test(
        dated,
        seed=policy.seed,
        lags=served.horizon - 1,
        min_dates=policy.fairness.min_dates,
    )


def _beyond_chance(test: GroupTest) -> bool:
    return test.null_gap is None or (test.gap is not None and test.gap > test.null_gap)


def _coverage(said: Said) -> MeanInterval | None:
    if said.inside is None:
        return None
    judged = np.ones(said.inside.size, bool) if said.judged is None else said.judged
    inside: ArrayLike = said.inside[judged].astype(np.float64)
    return clustered_mean(inside, said.dates[judged], lags=said.horizon - 1)


def _off(covered: MeanInterval, nominal: float, tolerance: float) -> bool:
    if covered.mean is None or covered.low is None or covered.high is None:
        return False
    return abs(covered.mean - nominal) > tolerance and not covered.low <= nominal <= covered.high
