"""The trend and turbulence that a symbol is in."""

from functools import cache

from bellwether.features.catalog import CLOSE, FeatureView
from bellwether.features.expr import lag, pair, unary, window
from bellwether.features.formulas import (
    BEFORE,
    GAIN,
    LOG_RETURN,
    LOSS,
    RETURN,
    Row,
    deviation,
    features,
    mean,
    root,
    total,
)


def _efficiency(n: int) -> Row:
    moved = total(unary("abs", CLOSE - BEFORE), n)
    return (
        f"efficiency_{n}",
        (CLOSE - lag(CLOSE, n)) / moved,
        "score",
        f"Net move over all moves, {n} sessions; 1 straight up, -1 straight down",
        "Kaufman, 1995",
    )


_SHORT, _LONG, _BROCK = mean(CLOSE, 50), mean(CLOSE, 200), "Brock, Lakonishok and LeBaron, 1992"
_TREND: list[Row] = [
    (
        "trend_50_200",
        _SHORT / _LONG - 1,
        "fraction",
        "50-session mean close above the 200-session mean",
        _BROCK,
    ),
    (
        "trend_state",
        pair("above", CLOSE, _LONG) + pair("above", _SHORT, _LONG) - 1,
        "state",
        "1: close and 50-session mean above the 200-session mean; -1: neither; 0: one of them",
        _BROCK,
    ),
    (
        "time_in_trend_60",
        mean(pair("above", CLOSE, _LONG), 60),
        "ratio",
        "Share of 60 sessions that closed above their 200-session mean",
        "Faber, 2007",
    ),
    _efficiency(20),
    _efficiency(60),
    (
        "drawdown_60",
        CLOSE / window("max", CLOSE, 60) - 1,
        "fraction",
        "Close below the highest close of 60 sessions",
        "Magdon-Ismail and Atiya, 2004",
    ),
    (
        "drawdown_252",
        CLOSE / window("max", CLOSE, 252) - 1,
        "fraction",
        "Close below the highest close of 252 sessions",
        "Magdon-Ismail and Atiya, 2004",
    ),
]

_VOL, _ENGLE = deviation(RETURN, 20), "Engle, 1982"
_USUAL = mean(_VOL, 252)
_WEEK = unary("log", CLOSE / lag(CLOSE, 5))
_LOW, _HIGH = window("min", _VOL, 252), window("max", _VOL, 252)
_DOWN, _UP = root(mean(LOSS * LOSS, 60)), root(mean(GAIN * GAIN, 60))
_TURBULENCE: list[Row] = [
    (
        "volatility_ratio_20_252",
        _VOL / deviation(RETURN, 252) - 1,
        "ratio",
        "Volatility of 20 sessions above that of 252",
        _ENGLE,
    ),
    (
        "volatility_place_252",
        (_VOL - _LOW) / (_HIGH - _LOW),
        "ratio",
        "Place of the 20-session volatility between its lowest (0) and highest (1) of 252",
        _ENGLE,
    ),
    (
        "volatility_state",
        pair("above", _VOL, _USUAL * 1.25) - pair("above", _USUAL * 0.8, _VOL),
        "state",
        "1: 20-session volatility a quarter above its mean of 252; -1: a fifth below; else 0",
        "Hamilton, 1989",
    ),
    (
        "variance_ratio_5_120",
        window("var", _WEEK, 120) / (window("var", LOG_RETURN, 120) * 5) - 1,
        "ratio",
        "Variance of 5-session returns over 5 daily variances, less 1; above 0 trends, below reverts",
        "Lo and MacKinlay, 1988",
    ),
    (
        "down_up_ratio_60",
        (_DOWN - _UP) / (_DOWN + _UP),
        "score",
        "Root mean square of losses against that of gains, 60 sessions; 1 only losses",
        "Ang, Chen and Xing, 2006",
    ),
    (
        "calm_60",
        mean(pair("above", _USUAL, _VOL), 60),
        "ratio",
        "Share of 60 sessions with 20-session volatility below its mean of 252",
        "Hamilton, 1989",
    ),
]


@cache
def regime() -> FeatureView:
    """Return the view of the trend and turbulence that a symbol is in."""
    return FeatureView("regime", features("regime", [*_TREND, *_TURBULENCE]), ttl_sessions=1)
