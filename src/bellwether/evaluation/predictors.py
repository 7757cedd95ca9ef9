"""Do predictors forecast better than the mean that prevailed? Pure arithmetic on arrays.

Goyal and Welch (2008), with the restrictions of Campbell and Thompson (2008) and the combinations
of Rapach, Strauss and Zhou (2010).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.clark_west import Nested, clark_west
from bellwether.evaluation.ols import LARGEST, Refits, r_squared, refit, varies
from bellwether.evaluation.plan import Plan

Floats = NDArray[np.float64]

LEAST_TO_TRIM = 3


@dataclass(frozen=True, slots=True)
class Score:
    """One forecast against the prevailing mean; fractions, None where undefined.

    `r2_is` is over the `rows` of the whole sample, `r2_oos` = 1 - SSE / SSE of the mean over the
    `n` forecasts of rows `first` to `last`. Both are adjusted for the k coefficients, as
    1 - (1 - R2) (T - 1) / (T - 1 - k) with T = `rows` and T = `n`; the second reproduces Goyal and
    Welch's (2008) printed numbers, which T = `rows` does not.
    `rmse_delta` = RMSE of the mean - RMSE, over n both, in the outcome's unit.
    """

    n: int
    first: int
    last: int
    rows: int
    r2_is: float | None
    r2_is_adj: float | None
    r2_oos: float | None
    r2_oos_adj: float | None
    rmse: float
    rmse_mean: float
    rmse_delta: float
    nested: Nested


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores by predictor, the combination's if one was asked for, and every forecast.

    `n` outcomes lie in rows `first` to `last`; a score says its own where a predictor has fewer.
    `forecasts` and `means` are NaN where nothing was forecast.
    """

    n: int
    first: int
    last: int
    scores: dict[str, Score]
    combination: Score | None
    forecasts: dict[str, Floats] = field(repr=False)
    means: dict[str, Floats] = field(repr=False)


def evaluate(y: Floats, predictors: Mapping[str, Floats], plan: Plan) -> Evaluation:
    """Forecast y by each predictor alone and score it against the prevailing mean.

    Parameters
    ----------
    y : ndarray of float64, shape (n,)
        Outcomes in the order of time, NaN only before the first and after the last.
    predictors : mapping of str to ndarray, shape (n,) or (n, k)
        Known when the period of their row begins (the caller lags them). NaN only at the
        beginning and the end: a predictor's sample is where it and y are known. Of shape (n, k):
        a regression on all k columns at once.

    Raises
    ------
    InvalidRequest
        If a column has a hole, an infinite value, no variation or too few rows, or if options do
        not go together. The field is the column's name, or the option's.
    """
    if not predictors:
        raise InvalidRequest("predictors", "none is named")
    if plan.combine == "trimmed" and len(predictors) < LEAST_TO_TRIM:
        why = f"drops two of the forecasts, of which there are {len(predictors)}"
        raise InvalidRequest("combine", f"trimmed {why}; at least {LEAST_TO_TRIM} needed")
    begin, end = _span("target", y)
    if not begin <= plan.first < end:
        raise InvalidRequest("first", f"row {plan.first} holds no outcome")
    scores, forecasts, means = {}, {}, {}
    for name, given in predictors.items():
        X = given.reshape(len(y), -1)
        scores[name], forecasts[name], means[name] = _one(name, X, y, (begin, end), plan)
    together = None
    if plan.combine != "none":
        together, forecasts["combination"], means["combination"] = _together(
            y, predictors, forecasts, (begin, end), plan
        )
    n = end - plan.first
    return Evaluation(n, plan.first, end - 1, scores, together, forecasts, means)


def _one(
    name: str, X: Floats, y: Floats, known: tuple[int, int], plan: Plan
) -> tuple[Score, Floats, Floats]:
    begin, end = _sample(name, X, known)
    first = _start(name, X, begin, end, plan)
    inside = slice(begin, end)
    for column in X[inside].T:
        if not varies(column):
            raise InvalidRequest(name, f"is {column[0]:g} in every row, which forecasts nothing")
    fits = refit(
        X[inside], y[inside], first=first - begin, window=plan.window, horizon=plan.horizon
    )
    forecast, mean = np.full(len(y), np.nan), np.full(len(y), np.nan)
    forecast[inside], mean[inside] = _restricted(name, fits, plan.restrict), fits.mean
    if plan.mean == "all":
        mean[first:end] = prevailing_mean(y, known[0], plan.horizon)[first:end]
    explained = r_squared(X[inside], y[inside])
    score = _scored(y, forecast, mean, (first, end), plan)
    return _adjusted(score, explained, end - begin, X.shape[1]), forecast, mean


def prevailing_mean(y: Floats, begin: int, horizon: int = 1, window: int | None = None) -> Floats:
    """Return for each row the mean of the outcomes known before it, from row `begin` on.

    NaN where there is none, or fewer than `window` if that is given. Outcomes that are NaN at the
    end take no part in rows before them.
    """
    out = np.full(len(y), np.nan)
    total = 0.0
    for t in range(begin + horizon, len(y)):
        row = t - horizon
        count = row - begin + 1
        if window is None:
            total += (float(y[row]) - total) / count
            out[t] = total
        elif count >= window:
            out[t] = y[row - window + 1 : row + 1].mean()
    return out


def _restricted(name: str, fits: Refits, restrict: str) -> Floats:
    kind, _, sign = restrict.partition(":")
    forecast = fits.forecast
    if kind in ("sign", "both"):
        if fits.slope.shape[1] > 1:
            raise InvalidRequest("restrict", f"{name} has several slopes; a sign is of one")
        slope = fits.slope[:, 0] if sign == "+" else -fits.slope[:, 0]
        forecast = np.where(slope > 0, forecast, fits.mean)
    if kind in ("nonnegative", "both"):
        forecast = np.where(forecast < 0, 0.0, forecast)
    return np.asarray(forecast, dtype=np.float64)


def _together(
    y: Floats,
    predictors: Mapping[str, Floats],
    forecasts: Mapping[str, Floats],
    known: tuple[int, int],
    plan: Plan,
) -> tuple[Score, Floats, Floats]:
    """Combine where every predictor forecasts; the benchmark sees the rows that all of them have."""
    every = np.array([forecasts[name] for name in predictors])
    there = np.flatnonzero(np.isfinite(every).all(axis=0))
    if not there.size:
        raise InvalidRequest("combine", "there is no row that every predictor forecasts")
    first, end = int(there[0]), int(there[-1]) + 1
    combined = np.full(len(y), np.nan)
    combined[first:end] = _combined(every[:, first:end], plan.combine)
    begin: int = max(_sample(n, x.reshape(len(y), -1), known)[0] for n, x in predictors.items())
    mean = (
        prevailing_mean(y, known[0], plan.horizon)
        if plan.mean == "all"
        else prevailing_mean(y, begin, plan.horizon, plan.window)
    )
    return _scored(y, combined, mean, (first, end), plan), combined, mean


def _combined(forecasts: Floats, combine: str) -> Floats:
    if combine == "median":
        return np.asarray(np.median(forecasts, axis=0))
    if combine == "trimmed":
        return np.asarray(np.sort(forecasts, axis=0)[1:-1].mean(axis=0))
    return np.asarray(forecasts.mean(axis=0))


def _scored(y: Floats, forecast: Floats, mean: Floats, rows: tuple[int, int], plan: Plan) -> Score:
    at = slice(*rows)
    e1, e2 = y[at] - mean[at], y[at] - forecast[at]
    n, total, loss = rows[1] - rows[0], float(e1 @ e1), float(e2 @ e2)
    rmse, rmse_mean = math.sqrt(loss / n), math.sqrt(total / n)
    lags = plan.horizon - 1 if plan.lags is None else plan.lags
    if lags >= n:
        raise InvalidRequest("lags", f"is {lags} for {n} forecasts")
    return Score(
        n=n,
        first=rows[0],
        last=rows[1] - 1,
        rows=0,
        r2_is=None,
        r2_is_adj=None,
        r2_oos=None if total == 0 else 1 - loss / total,
        r2_oos_adj=None,
        rmse=rmse,
        rmse_mean=rmse_mean,
        rmse_delta=rmse_mean - rmse,
        nested=clark_west(y[at], mean[at], forecast[at], lags),
    )


def _adjusted(score: Score, explained: float | None, rows: int, k: int) -> Score:
    return replace(
        score,
        rows=rows,
        r2_is=explained,
        r2_is_adj=_for_size(explained, rows, k),
        r2_oos_adj=_for_size(score.r2_oos, score.n, k),
    )


def _for_size(r2: float | None, rows: int, k: int) -> float | None:
    return None if r2 is None or rows <= k + 1 else 1 - (1 - r2) * (rows - 1) / (rows - 1 - k)


def _start(name: str, X: Floats, begin: int, end: int, plan: Plan) -> int:
    if plan.first >= end:
        raise InvalidRequest(name, "ends before the first forecast")
    need: int = max(X.shape[1] + 2, plan.window or 0)
    have = plan.first - begin - plan.horizon + 1
    if plan.min_rows is not None:
        need = max(need, plan.min_rows)
    if have >= need:
        return plan.first
    possible = begin + need + plan.horizon - 1
    if plan.min_rows is not None and possible < end:
        return possible
    if possible >= end:
        least = need + plan.horizon - 1
        raise InvalidRequest(
            name, f"{end - begin} rows are too few; a forecast needs {least} before"
        )
    raise InvalidRequest(
        name,
        f"{max(have, 0)} rows are known before the first forecast, at least {need} needed; "
        "choose a later one, or let predictors begin when they have enough rows (--min-rows)",
    )


def _sample(name: str, X: Floats, known: tuple[int, int]) -> tuple[int, int]:
    spans = [_span(name, column) for column in X.T]
    begin, end = max(known[0], *(s[0] for s in spans)), min(known[1], *(s[1] for s in spans))
    if begin >= end:
        raise InvalidRequest(name, "has no row in common with the target")
    return begin, end


def _span(name: str, values: Floats) -> tuple[int, int]:
    """Return where values are known, end excluded; refuse a hole and what cannot be squared."""
    there = np.flatnonzero(~np.isnan(values))
    if not there.size:
        raise InvalidRequest(name, "holds no number")
    begin, end = int(there[0]), int(there[-1]) + 1
    if there.size < end - begin:
        hole = begin + int(np.flatnonzero(np.isnan(values[begin:end]))[0])
        raise InvalidRequest(name, f"is missing in row {hole}, between rows where it is known")
    if (np.abs(values[begin:end]) > LARGEST).any():
        raise InvalidRequest(name, f"holds an infinite value, or one beyond {LARGEST:g}")
    return begin, end
