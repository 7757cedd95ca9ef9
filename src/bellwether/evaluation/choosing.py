"""Choosing features of training rows by one of several measures, repeats left out.

Whoever calls it passes training rows and nothing else.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.adjusted import adjusted_p
from bellwether.evaluation.information import mutual_information, redundancy
from bellwether.evaluation.selection import MIN_DATES, Matrix, block_ic, distinct
from bellwether.evaluation.stability import each_for, false_ones, frequencies

Floats = npt.NDArray[np.float64]
Columns = npt.NDArray[np.int64]

BY_ROWS = ("ic", "mi", "mrmr", "stability")
BY_MODEL = ("permutation", "contributions")
METHODS = (*BY_ROWS, *BY_MODEL)
BLOCKS = 20
MOST = 1000
FALSE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Rule:
    """How features are chosen.

    Attributes
    ----------
    method : str
        `ic` (rank correlation with the outcome), `mi` (mutual information), `mrmr` (mutual
        information less that with those chosen before), `stability` (stability selection with the
        lasso), `permutation` (what the model loses without the feature's order) or `contributions`
        (how far the model is moved by it).
    most : int, optional
        The best so many, whether or not they pass a test.
    false_share : float, optional
        Those that pass with at most this share of false ones expected; one of the two is given.
    seed : int
        Of all that is random.
    """

    method: str
    most: int | None = None
    false_share: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InvalidRequest("select", f"{self.method!r} is none of {', '.join(METHODS)}")
        if (self.most is None) == (self.false_share is None):
            raise InvalidRequest("select", "needs either a number of features or a false share")
        if self.most is not None and not 1 <= self.most <= MOST:
            raise InvalidRequest("select", f"{self.most} features, must be from 1 to {MOST}")
        if self.false_share is not None and not 0 < self.false_share < 1:
            raise InvalidRequest(
                "select", f"a share of {self.false_share}, must be between 0 and 1"
            )


def rule(text: str, seed: int = 0) -> Rule:
    """Read how features are chosen: `mi` (at most 10 % false ones), `mi:20` (the best 20), `mi:5%`.

    Raises
    ------
    InvalidRequest
        If it cannot be read, or names no method.

    Examples
    --------
    >>> rule("mi:20").most, rule("ic:5%").false_share, rule("stability").false_share
    (20, 0.05, 0.1)
    """
    method, colon, many = text.partition(":")
    if not colon:
        return Rule(method, false_share=FALSE_SHARE, seed=seed)
    try:
        if many.endswith("%"):
            return Rule(method, false_share=float(many[:-1]) / 100, seed=seed)
        return Rule(method, most=int(many), seed=seed)
    except ValueError as error:
        wanted = "a number of features, or a share such as 5%"
        raise InvalidRequest("select", f"{many!r} is not {wanted}") from error


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What each column was worth: `score`, larger is better, and its `p`; NaN where unknown."""

    score: Floats
    p: Floats


def scores(
    X: Matrix, y: Floats, dates: npt.NDArray[np.datetime64], rule: Rule, k_each: int
) -> Scores:
    """Score columns by a measure that needs no model; rows in the order of time.

    p of `ic` is of a t test over 20 blocks of dates, of `mi` and `mrmr` of moves in a circle; of
    `stability` it is the bound of the expected share of false ones at that frequency, with `k_each`
    columns taken from each half.

    Raises
    ------
    InvalidRequest
        If there are fewer than 30 dates, or rows are too few for the measure.
    """
    unique, day = np.unique(dates, return_inverse=True)
    if unique.size < MIN_DATES:
        raise InvalidRequest("dates", f"{unique.size} decision dates, at least {MIN_DATES} needed")
    if rule.method == "ic":
        ic, p = block_ic(X, y, day * BLOCKS // unique.size, BLOCKS)
        return Scores(np.abs(ic), p)
    if rule.method == "stability":
        share = frequencies(X, y, dates, each=min(k_each, X.shape[1]), seed=rule.seed)
        bound = false_ones(share, k_each) / share.size
        return Scores(share, np.where(np.isnan(share), np.nan, np.minimum(bound, 1.0)))
    return Scores(*mutual_information(X, y, dates, seed=rule.seed))


def over_blocks(by_date: Floats) -> Scores:
    """Score columns by the mean over dates of what each gained, tested over 20 blocks of dates.

    `by_date` has shape (n_dates, k) in order of time; p is one-sided, of a t test over block means:
    dates that follow each other may depend on each other.
    """
    n, k = by_date.shape
    blocks = min(BLOCKS, n)
    if blocks < 3:  # noqa: PLR2004
        return Scores(np.full(k, np.nan), np.full(k, np.nan))
    means = np.array([part.mean(axis=0) for part in np.array_split(by_date, blocks)])
    mean, sd = means.mean(axis=0), means.std(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = mean / (sd / np.sqrt(blocks))
    p = np.where(sd > 0, stats.t.sf(t, blocks - 1), 1.0)
    return Scores(by_date.mean(axis=0), np.asarray(p, dtype=np.float64))


def picked(X: Matrix, found: Scores, rule: Rule) -> Columns:
    """Return the columns that a rule chooses, best first; of columns alike (0.95) the best only.

    With a false share, p values are adjusted by Benjamini and Hochberg (1995), which holds where
    tests depend on each other positively; of `stability` each bound is multiplied by their number.
    With a number, the best are taken even if nothing about them is certain.
    """
    known = np.flatnonzero(np.isfinite(found.score))
    if rule.false_share is not None:
        known = known[np.isfinite(found.p[known])]
        if rule.method == "stability":
            passed = found.p[known] * found.p.size <= rule.false_share
        else:
            passed = adjusted_p(found.p[known], "bh") <= rule.false_share
        known = known[passed]
    order = known[np.argsort(-found.score[known], kind="stable")].astype(np.int64)
    most = X.shape[1] if rule.most is None else rule.most
    if rule.method == "mrmr":
        order = _far_apart(X, found.score, order, most)
    return distinct(X, order, most)


def each_of(rule: Rule, k: int) -> int:
    """Return how many columns stability selection takes from a half."""
    if rule.most is not None:
        return min(rule.most, k)
    return each_for(rule.false_share or 0.0, k)


def _far_apart(X: Matrix, relevance: Floats, order: Columns, most: int) -> Columns:
    """Take one after the other: most informative less its mean information about those taken.

    Peng, Long and Ding (2005), the difference form.
    """
    if order.size == 0:
        return order
    shared = redundancy(X[:, order])
    left = list(range(order.size))
    taken: list[int] = []
    while left and len(taken) < most:
        worth = [relevance[order[i]] - (shared[i, taken].mean() if taken else 0.0) for i in left]
        taken.append(left.pop(int(np.argmax(worth))))
    return order[np.array(taken, dtype=np.int64)]
