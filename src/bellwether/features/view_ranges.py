"""Volatility by estimators that see more than the close, and how it came about."""

from functools import cache
from math import log, pi

from bellwether.features.catalog import CLOSE, HIGH, LOW, OPEN, FeatureView
from bellwether.features.expr import Expr, lag, pair, unary, window
from bellwether.features.formulas import (
    BEFORE,
    GAIN,
    HIGH_LOW,
    INTRADAY,
    LOSS,
    OVERNIGHT,
    RETURN,
    SIZE,
    TRUE_RANGE,
    Row,
    deviation,
    features,
    mean,
    root,
    total,
)

_WILDER = "Wilder, 1978"
_PARKINSON = HIGH_LOW * HIGH_LOW / (4 * log(2))
_GARMAN_KLASS = HIGH_LOW * HIGH_LOW / 2 - INTRADAY * INTRADAY * (2 * log(2) - 1)
_ROGERS_SATCHELL = unary("log", HIGH / CLOSE) * unary("log", HIGH / OPEN) + unary(
    "log", LOW / CLOSE
) * unary("log", LOW / OPEN)


def _yang_zhang(n: int) -> Expr:
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    unbiased = n / (n - 1)
    night = window("var", OVERNIGHT, n) * unbiased
    day = window("var", INTRADAY, n) * unbiased
    return root(night + day * k + mean(_ROGERS_SATCHELL, n) * (1 - k))


def _estimators(n: int) -> list[Row]:
    said = f"Volatility a session from {{}}, {n} sessions"
    return [
        (
            f"parkinson_{n}",
            root(mean(_PARKINSON, n)),
            "fraction",
            said.format("highs and lows"),
            "Parkinson, 1980",
        ),
        (
            f"garman_klass_{n}",
            root(mean(_GARMAN_KLASS, n)),
            "fraction",
            said.format("open, high, low and close"),
            "Garman and Klass, 1980",
        ),
        (
            f"rogers_satchell_{n}",
            root(mean(_ROGERS_SATCHELL, n)),
            "fraction",
            said.format("open, high, low and close, free of drift"),
            "Rogers and Satchell, 1991",
        ),
        (
            f"yang_zhang_{n}",
            _yang_zhang(n),
            "fraction",
            said.format("nights and days, free of drift"),
            "Yang and Zhang, 2000",
        ),
    ]


_SORTINO, _WEEK = "Sortino and Price, 1994", root(mean(_PARKINSON, 5))
_PRODUCTS = mean(SIZE * lag(SIZE, 1), 60)
_SPAN = window("max", pair("max", HIGH, BEFORE), 14) - window("min", pair("min", LOW, BEFORE), 14)
_RISK: list[Row] = [
    *(
        (
            f"volatility_{n}",
            deviation(RETURN, n),
            "fraction",
            f"Standard deviation of daily returns, {n}",
            "Markowitz, 1952",
        )
        for n in (120, 252)
    ),
    (
        "downside_20",
        root(mean(LOSS * LOSS, 20)),
        "fraction",
        "Root mean square of losses, 20 sessions",
        _SORTINO,
    ),
    (
        "upside_20",
        root(mean(GAIN * GAIN, 20)),
        "fraction",
        "Root mean square of gains, 20 sessions",
        _SORTINO,
    ),
    (
        "overnight_volatility_20",
        deviation(OVERNIGHT, 20),
        "fraction",
        "Standard deviation of log returns close to open, 20 nights",
        "Lou, Polk and Skouras, 2019",
    ),
    (
        "intraday_volatility_20",
        deviation(INTRADAY, 20),
        "fraction",
        "Standard deviation of log returns open to close, 20 days",
        "Lou, Polk and Skouras, 2019",
    ),
    (
        "true_range_1",
        TRUE_RANGE / CLOSE,
        "fraction",
        "True range over the close",
        _WILDER,
    ),
    (
        "true_range_ratio_5_20",
        mean(TRUE_RANGE, 5) / mean(TRUE_RANGE, 20) - 1,
        "ratio",
        "Mean true range of 5 sessions above that of 20",
        _WILDER,
    ),
    (
        "volatility_of_volatility_60",
        deviation(_WEEK, 60) / mean(_WEEK, 60),
        "ratio",
        "Spread of 5-session Parkinson volatility over its mean, 60 sessions",
        "Baltussen, van Bekkum and van der Grient, 2018",
    ),
    (
        "jump_share_60",
        pair("max", (mean(RETURN * RETURN, 60) - _PRODUCTS * (pi / 2)), 0)
        / mean(RETURN * RETURN, 60),
        "ratio",
        "Share of variance that came in jumps, by bipower variation, 60 sessions",
        "Barndorff-Nielsen and Shephard, 2004",
    ),
    (
        "choppiness_14",
        unary("log", total(TRUE_RANGE, 14) / _SPAN) / log(14),
        "score",
        "Way travelled over the range covered, 14 sessions; 1 is sideways, 0 a straight line",
        "Dreiss, 1993",
    ),
]


@cache
def ranges() -> FeatureView:
    """Return the view of volatility, by estimators that see more than the close."""
    rows = [*_estimators(20), *_estimators(60), *_RISK]
    return FeatureView("ranges", features("ranges", rows), ttl_sessions=1)
