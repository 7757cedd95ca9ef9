"""Returns over lengths, nights and days, and their shape."""

from functools import cache

from bellwether.features.catalog import CLOSE, HIGH, LOW, FeatureView
from bellwether.features.expr import lag, pair, window
from bellwether.features.formulas import (
    GAIN,
    INTRADAY,
    LOG_RETURN,
    OVERNIGHT,
    RETURN,
    SIZE,
    Row,
    correlation,
    deviation,
    features,
    mean,
    slope,
    total,
    total_return,
)

_QLIB = "Alpha158 of Qlib (Yang et al., 2020)"
_SAID = "Total return over the last {} sessions"
_OVER_LENGTHS: list[Row] = [
    (f"return_{n}", total_return(n), "fraction", _SAID.format(n), _QLIB) for n in (3, 120, 252)
]

_SAID_LAG = "Total return of the session {} sessions ago"
_LAGGED: list[Row] = [
    (f"return_1_lag_{n}", lag(RETURN, n), "fraction", _SAID_LAG.format(n), "Jegadeesh, 1990")
    for n in (1, 2, 3)
]

_JT, _LOU = "Jegadeesh and Titman, 1993", "Lou, Polk and Skouras, 2019"
_SKIPPED = lag(CLOSE, 21)
_MOMENTUM: list[Row] = [
    ("log_return_1", LOG_RETURN, "fraction", "Log return of the session", "Bachelier, 1900"),
    (
        "momentum_12_1",
        _SKIPPED / lag(CLOSE, 252) - 1,
        "fraction",
        "Return of 252 sessions without the last 21",
        _JT,
    ),
    (
        "momentum_6_1",
        _SKIPPED / lag(CLOSE, 126) - 1,
        "fraction",
        "Return of 126 sessions without the last 21",
        _JT,
    ),
    (
        "overnight_20",
        total(OVERNIGHT, 20),
        "fraction",
        "Log return of 20 nights, close to open",
        _LOU,
    ),
    (
        "intraday_20",
        total(INTRADAY, 20),
        "fraction",
        "Log return of 20 days, open to close",
        _LOU,
    ),
    (
        "year_high_distance",
        CLOSE / window("max", HIGH, 252) - 1,
        "fraction",
        "Close below the 252-session high",
        "George and Hwang, 2004",
    ),
    (
        "range_place_20",
        (CLOSE - window("min", LOW, 20)) / (window("max", HIGH, 20) - window("min", LOW, 20)),
        "ratio",
        "Place of the close between the 20-session low (0) and high (1)",
        _QLIB,
    ),
    (
        "trend_slope_20",
        slope(CLOSE, 20) / CLOSE,
        "fraction",
        "Slope per session of a line through 20 closes, over the close",
        _QLIB,
    ),
]

_MEAN = mean(RETURN, 60)
_SECOND = mean(RETURN * RETURN, 60)
_THIRD = mean(RETURN * RETURN * RETURN, 60)
_SD = deviation(RETURN, 60)
_SKEW = _THIRD - _MEAN * _SECOND * 3 + _MEAN * _MEAN * _MEAN * 2
_BALI = "Bali, Cakici and Whitelaw, 2011"
_QUARTIC = mean(RETURN * RETURN * RETURN * RETURN, 60)
_FOURTH = (
    _QUARTIC - _MEAN * _THIRD * 4 + _MEAN * _MEAN * _SECOND * 6
) - _MEAN * _MEAN * _MEAN * _MEAN * 3
_SHAPE: list[Row] = [
    ("max_return_20", window("max", RETURN, 20), "fraction", "Best session of 20", _BALI),
    ("min_return_20", window("min", RETURN, 20), "fraction", "Worst session of 20", _BALI),
    (
        "up_share_20",
        mean(pair("above", RETURN, 0), 20),
        "ratio",
        "Share of 20 sessions that closed higher",
        _QLIB,
    ),
    (
        "gain_share_20",
        total(GAIN, 20) / total(SIZE, 20),
        "ratio",
        "Sum of gains over the sum of all moves, 20 sessions",
        "Cutler, 1991",
    ),
    (
        "mean_over_sd_60",
        _MEAN / _SD,
        "ratio",
        "Mean daily return over its standard deviation, 60 sessions",
        "Sharpe, 1966",
    ),
    (
        "skewness_60",
        _SKEW / (_SD * _SD * _SD),
        "ratio",
        "Skewness of daily returns, 60 sessions",
        "Harvey and Siddique, 2000",
    ),
    (
        "kurtosis_60",
        _FOURTH / (_SD * _SD * _SD * _SD),
        "ratio",
        "Kurtosis of daily returns (3 for a normal), 60 sessions",
        "Amaya et al., 2015",
    ),
    (
        "autocorrelation_60",
        correlation(RETURN, lag(RETURN, 1), 60),
        "score",
        "Correlation of a session's return with that of the one before, 60 sessions",
        "Lo and MacKinlay, 1988",
    ),
]


@cache
def returns() -> FeatureView:
    """Return the view of returns over lengths, nights and days, and of their shape."""
    rows = [*_OVER_LENGTHS, *_LAGGED, *_MOMENTUM, *_SHAPE]
    return FeatureView("returns", features("returns", rows), ttl_sessions=1)
