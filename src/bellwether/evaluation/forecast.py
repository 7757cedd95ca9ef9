"""How close forecasts came, and how often they called the direction."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.classification import auc, brier_skill, log_loss, matthews
from bellwether.evaluation.intervals import MeanInterval, clustered_mean, rows_needed, wilson
from bellwether.evaluation.rank_ic import MIN_NAMES, grouped_correlation

Metrics = dict[str, float | int | list[float] | None]
Floats = NDArray[np.float64]

MIN_ROWS_OF_R2 = 2


def forecast_metrics(  # noqa: PLR0913 - one record has this many columns, all named by the caller
    *,
    dates: NDArray[Any],
    log_return: ArrayLike,
    forecast: ArrayLike,
    probability_up: ArrayLike | None,
    direction: ArrayLike,
    prevailing_mean: ArrayLike,
    lags: int = 0,
    ic: Literal["cross_section", "time"] = "cross_section",
) -> Metrics:
    """Score an out-of-sample record.

    With y the realised and f the forecast log return, b the prevailing mean, e = y - f:

    ========================  ==================================================================
    rmse, mae                 sqrt(mean e^2), mean abs(e)
    r2                        1 - sum e^2 / sum (y - mean y)^2; the test mean was not known then
    r2_oos                    1 - sum e^2 / sum (y - b)^2 (Campbell and Thompson 2008)
    mape                      of prices: mean abs(exp(f - y) - 1)
    directional_accuracy      share of calls with the sign of y
    rows_needed               independent rows that would tell that share from 1/2
    directional_accuracy_ci   [low, high] at 95%, clustered by date with `lags`, kept in [0, 1]; Wilson on n_dates / (lags + 1) where every call or no call
                              hit, since the sample variance is 0 there
    precision                 of the up calls, the share that went up
    recall                    of the called rows that went up, the share called up
    matthews                  correlation of called and realised directions (Matthews 1975)
    brier, brier_skill        mean (probability_up - 1{y > 0})^2 (Brier 1950); 1 - it / that of the
                              share of rises
    log_loss, auc             of probability_up: `evaluation.classification`
    information_coefficient   mean over dates of the Spearman correlation of f and y across names
    n                         rows
    coverage_of_calls         share of rows with a call
    ========================  ==================================================================

    A row with direction 0 (abstention) or y exactly 0 is left out of accuracy, precision and
    recall. A date enters the information coefficient where it has at least 5 names and both
    sides vary; with `ic="time"`, for the record of one symbol, it is the Spearman correlation
    over all rows instead.

    Parameters
    ----------
    dates : array, shape (n,)
        Decision instant of each row; the unit of independence.
    log_return, forecast, prevailing_mean : array, shape (n,)
        Log returns over the same horizon, as fractions.
    probability_up : array, shape (n,), or None
        In [0, 1]; None for a model that gives no probability.
    direction : array of int8, shape (n,)
        1 up, -1 down, 0 no call.
    lags : int
        Horizon - 1.
    ic : {"cross_section", "time"}
        Which correlation the information coefficient is.

    Returns
    -------
    dict
        Finite numbers; None where a metric is undefined (no rows, constant y, one class, ...).

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, or shapes, directions or probabilities are wrong.

    Examples
    --------
    >>> found = forecast_metrics(
    ...     dates=np.arange(4), log_return=[0.01, -0.02, 0.01, 0.03], forecast=[0.01, -0.01, 0.0, 0.02],
    ...     probability_up=[0.6, 0.4, 0.5, 0.7], direction=[1, -1, 0, 1], prevailing_mean=[0.0] * 4)
    >>> found["directional_accuracy"], found["coverage_of_calls"], round(found["r2_oos"], 3)
    (1.0, 0.75, 0.8)
    """
    y = _column("log_return", log_return)
    f, b = _column("forecast", forecast), _column("prevailing_mean", prevailing_mean)
    called, when = _directions("direction", direction), np.asarray(dates)
    p = None if probability_up is None else _column("probability_up", probability_up)
    columns: dict[str, NDArray[Any]] = {
        "forecast": f,
        "prevailing_mean": b,
        "direction": called,
        "dates": when,
    }
    if p is not None:
        columns["probability_up"] = p
    for name, column in columns.items():
        _same_shape(name, column, y)
    if ic not in {"cross_section", "time"}:
        raise InvalidRequest("ic", f"is {ic!r}, must be cross_section or time")

    return {
        **_errors(y, f, b),
        **_calls(when, y, called, lags),
        **_probabilities(p, y),
        "information_coefficient": _information_coefficient(when, f, y, ic),
        "n": int(y.size),
        "coverage_of_calls": _mean(called != 0),
    }


def paired_accuracy(
    dates: NDArray[Any],
    log_return: ArrayLike,
    direction_a: ArrayLike,
    direction_b: ArrayLike,
    lags: int = 0,
) -> MeanInterval:
    """Return by how much A calls the direction better than B, on the same rows.

    The mean of hit_a - hit_b with a date-clustered 95% interval, where a hit counts 1, a miss 0
    and an abstention one half, as a coin toss would: nobody gains by staying silent. Rows whose
    return is exactly 0 are left out. In fractions, from -1 to 1.

    Parameters
    ----------
    dates : array, shape (n,)
        Decision instant of each row.
    log_return : array, shape (n,)
        Realised returns; only the sign counts.
    direction_a, direction_b : array of int8, shape (n,)
        1 up, -1 down, 0 no call.
    lags : int
        Horizon - 1.

    Raises
    ------
    InvalidRequest
        If a value is NaN or infinite, or shapes or directions are wrong.

    Examples
    --------
    >>> paired_accuracy(np.arange(4), [0.1, -0.2, 0.1, 0.0], [1, -1, 0, 1], [1, 1, 1, 1]).mean
    0.16666666666666666
    """
    y, when = _column("log_return", log_return), np.asarray(dates)
    a, b = _directions("direction_a", direction_a), _directions("direction_b", direction_b)
    for name, column in (("dates", when), ("direction_a", a), ("direction_b", b)):
        _same_shape(name, column, y)
    moved = y != 0
    difference = (_hits(a, y) - _hits(b, y))[moved]
    return clustered_mean(difference, when[moved], lags=lags)


def _calls(dates: NDArray[Any], y: Floats, direction: NDArray[np.int8], lags: int) -> Metrics:
    judged = (direction != 0) & (y != 0)
    up, went_up = direction[judged] > 0, y[judged] > 0
    hit = up == went_up
    found = clustered_mean(hit, dates[judged], lags=lags)
    return {
        "directional_accuracy": found.mean,
        "directional_accuracy_ci": _share_interval(found, lags),
        "precision": _mean(hit[up]),
        "recall": _mean(hit[went_up]),
        "rows_needed": rows_needed(found.mean),
        "matthews": matthews(went_up, up),
    }


def _share_interval(found: MeanInterval, lags: int) -> list[float] | None:
    if found.mean is None or found.low is None or found.high is None:
        return None
    if found.mean in {0.0, 1.0}:
        dates = found.n_clusters / (lags + 1)
        ends = wilson(found.mean * dates, dates)
        return None if ends is None else list(ends)
    return [max(0.0, found.low), min(1.0, found.high)]


def _hits(direction: NDArray[np.int8], y: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * direction * np.sign(y), dtype=np.float64)


def _errors(y: Floats, f: Floats, b: Floats) -> Metrics:
    with np.errstate(over="ignore"):
        error = y - f
        squared = float(error @ error)
        return {
            "rmse": _finite(np.sqrt(squared / y.size)) if y.size else None,
            "mae": _mean(np.abs(error)),
            "r2": _explained(squared, _centred(y)),
            "r2_oos": _explained(squared, y - b),
            "mape": _mean(np.abs(np.expm1(-error))),
        }


def _centred(y: Floats) -> Floats:
    # the mean of equal values can be off by a rounding, and R2 would be -1e31
    return y - np.clip(y.mean(), y.min(), y.max()) if y.size else y


def _explained(squared_error: float, benchmark_error: Floats) -> float | None:
    total = float(benchmark_error @ benchmark_error)
    if benchmark_error.size < MIN_ROWS_OF_R2 or total == 0:
        return None
    return _finite(1 - squared_error / total)


def _probabilities(p: Floats | None, y: Floats) -> Metrics:
    if p is None:
        return dict.fromkeys(("brier", "brier_skill", "log_loss", "auc"))
    up = (y > 0).astype(np.float64)
    return {
        "log_loss": log_loss(up, p),
        "brier": _mean((p - up) ** 2),
        "brier_skill": brier_skill(up, p),
        "auc": auc(up, p),
    }


def _information_coefficient(dates: NDArray[Any], f: Floats, y: Floats, ic: str) -> float | None:
    group = (
        np.zeros(y.size, dtype=np.intp)
        if ic == "time"
        else np.unique(dates, return_inverse=True)[1].astype(np.intp, copy=False)
    )
    found = grouped_correlation(group, f, y, ranks=True, least=MIN_NAMES)
    return _mean(found[~np.isnan(found)])


def _column(name: str, values: ArrayLike) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if not np.isfinite(column).all():
        raise InvalidRequest(name, "holds NaN or infinity; leave such rows out by a stated rule")
    return column


def _directions(name: str, values: ArrayLike) -> NDArray[np.int8]:
    column = np.asarray(values)
    if not np.isin(column, (-1, 0, 1)).all():
        raise InvalidRequest(name, "must be 1 (up), -1 (down) or 0 (no call)")
    return column.astype(np.int8)


def _same_shape(name: str, column: NDArray[Any], y: Floats) -> None:
    if y.ndim != 1 or column.shape != y.shape:
        raise InvalidRequest(
            name, f"has shape {column.shape}, log_return {y.shape}; one value a row"
        )


def _mean(values: NDArray[Any]) -> float | None:
    return _finite(values.mean()) if values.size else None


def _finite(value: float | np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None
