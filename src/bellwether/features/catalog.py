"""The features: each defined once, with its formula, meaning, unit and kind.

Model features are scale-free, so that a price of 1986 and one of today, or a split, mean nothing
to them. Levels are for people; they are divided back to the raw scale of the day when shown.
"""

from dataclasses import replace
from functools import cache

from bellwether.features.citations import INDICATORS
from bellwether.features.expr import Column, Expr, ta
from bellwether.features.feature import Feature, FeatureView, Kind

__all__ = [
    "CLOSE",
    "HIGH",
    "HLC",
    "LOW",
    "OPEN",
    "VOLUME",
    "Feature",
    "FeatureView",
    "Kind",
    "technical",
]

OPEN, HIGH, LOW, CLOSE, VOLUME = (Column(c) for c in ("open", "high", "low", "close", "volume"))
HLC = (HIGH, LOW, CLOSE)


def _window(function: str, n: int, *inputs: Expr) -> Expr:
    return ta(function, *inputs, timeperiod=n)


def _sma(n: int, x: Expr = CLOSE) -> Expr:
    return _window("SMA", n, x)


def _ema(n: int) -> Expr:
    return _window("EMA", n, CLOSE)


def _macd(output: int) -> Expr:
    return ta("MACD", CLOSE, output=output, outputs=3, fastperiod=12, slowperiod=26, signalperiod=9)


def _bands(output: int) -> Expr:
    return ta("BBANDS", CLOSE, output=output, outputs=3, timeperiod=20, nbdevup=2.0, nbdevdn=2.0)


def _stochastic(output: int) -> Expr:
    return ta(
        "STOCH", *HLC, output=output, outputs=2, fastk_period=14, slowk_period=3, slowd_period=3
    )


def _aroon(output: int) -> Expr:
    return ta("AROON", HIGH, LOW, output=output, outputs=2, timeperiod=25)


_RETURN = ta("ROCP", CLOSE, timeperiod=1)
_OBV = ta("OBV", CLOSE, VOLUME)
_AD = ta("AD", HIGH, LOW, CLOSE, VOLUME)
_VOLUME_20 = ta("SUM", VOLUME, timeperiod=20)
_VWAP_20 = ta("SUM", ta("TYPPRICE", *HLC) * VOLUME, timeperiod=20) / _VOLUME_20
_RANGE = HIGH - LOW


def _momentum() -> list[Feature]:
    roc = [
        Feature(
            f"return_{n}",
            ta("ROCP", CLOSE, timeperiod=n),
            "momentum",
            "fraction",
            f"Total return over the last {n} session{'s' if n > 1 else ''} (rate of change)",
        )
        for n in (1, 2, 5, 10, 20, 60)
    ]
    f = [
        ("rsi_14", _window("RSI", 14, CLOSE) / 50 - 1, "Relative strength index, 14 sessions"),
        ("willr_14", _window("WILLR", 14, *HLC) / 50 + 1, "Williams %R, 14 sessions"),
        ("cci_20", _window("CCI", 20, *HLC) / 200, "Commodity channel index, 20 sessions"),
        ("stoch_k", _stochastic(0) / 50 - 1, "Slow stochastic %K (14, 3)"),
        ("stoch_d", _stochastic(1) / 50 - 1, "Slow stochastic %D (14, 3, 3)"),
        ("mfi_14", _window("MFI", 14, *HLC, VOLUME) / 50 - 1, "Money flow index, 14 sessions"),
        ("ultosc", ta("ULTOSC", *HLC) / 50 - 1, "Ultimate oscillator (7, 14, 28)"),
        ("trix_15", _window("TRIX", 15, CLOSE), "Rate of change of a triple EMA, 15, in percent"),
    ]
    return roc + [Feature(n, e, "momentum", "score", m) for n, e, m in f]


def _trend() -> list[Feature]:
    f = [
        ("macd", _macd(0) / CLOSE, "fraction", "MACD line (12, 26) over the close"),
        ("macd_signal", _macd(1) / CLOSE, "fraction", "MACD signal (9) over the close"),
        ("macd_hist", _macd(2) / CLOSE, "fraction", "MACD line minus signal, over the close"),
        ("sma_distance_10", CLOSE / _sma(10) - 1, "fraction", "Close above its 10-session mean"),
        ("sma_distance_50", CLOSE / _sma(50) - 1, "fraction", "Close above its 50-session mean"),
        (
            "ema_spread",
            _ema(12) / _ema(26) - 1,
            "fraction",
            "12-session EMA above the 26-session EMA",
        ),
        ("adx_14", _window("ADX", 14, *HLC) / 100, "score", "Average directional index, 14"),
        (
            "di_spread_14",
            (_window("PLUS_DI", 14, *HLC) - _window("MINUS_DI", 14, *HLC)) / 100,
            "score",
            "Positive minus negative directional indicator, 14",
        ),
        (
            "aroon_25",
            (_aroon(1) - _aroon(0)) / 100,
            "score",
            "Aroon up minus Aroon down, 25 sessions",
        ),
    ]
    return [Feature(n, e, "trend", u, m) for n, e, u, m in f]


def _volatility() -> list[Feature]:
    f = [
        ("natr_14", _window("NATR", 14, *HLC) / 100, "Average true range over the close, 14"),
        (
            "volatility_20",
            ta("STDDEV", _RETURN, timeperiod=20),
            "Standard deviation of daily returns, 20",
        ),
        (
            "volatility_60",
            ta("STDDEV", _RETURN, timeperiod=60),
            "Standard deviation of daily returns, 60",
        ),
        (
            "bollinger_width",
            (_bands(0) - _bands(2)) / _bands(1),
            "Width of the Bollinger bands (20, 2) over their middle",
        ),
        ("range_1", _RANGE / CLOSE, "High minus low over the close"),
    ]
    bollinger = Feature(
        "bollinger_b",
        (CLOSE - _bands(2)) / (_bands(0) - _bands(2)) - 0.5,
        "volatility",
        "score",
        "Place of the close inside the Bollinger bands (20, 2), 0 in the middle",
    )
    return [*(Feature(n, e, "volatility", "fraction", m) for n, e, m in f), bollinger]


def _volume() -> list[Feature]:
    f = [
        (
            "obv_slope_20",
            ta("MOM", _OBV, timeperiod=20) / _VOLUME_20,
            "volume",
            "On-balance volume gained in 20 sessions over the volume traded in them",
        ),
        (
            "ad_slope_20",
            ta("MOM", _AD, timeperiod=20) / _VOLUME_20,
            "volume",
            "Accumulation/distribution gained in 20 sessions over the volume traded in them",
        ),
        (
            "volume_ratio_20",
            VOLUME / _sma(20, VOLUME) - 1,
            "volume",
            "Volume above its 20-session mean",
        ),
        ("vwap_distance_20", CLOSE / _VWAP_20 - 1, "volume", "Close above the 20-session VWAP"),
    ]
    return [Feature(n, e, g, "ratio", m) for n, e, g, m in f]


def _price() -> list[Feature]:
    f = [
        (
            "close_location",
            (CLOSE - LOW) / _RANGE - 0.5,
            "price",
            "Place of the close between low and high, 0 in the middle",
        ),
        ("body_1", CLOSE / OPEN - 1, "price", "Close above the open of the same session"),
        (
            "gap_1",
            OPEN / (CLOSE - ta("MOM", CLOSE, timeperiod=1)) - 1,
            "price",
            "Open above the previous close (overnight return)",
        ),
        (
            "high_distance_60",
            CLOSE / ta("MAX", HIGH, timeperiod=60) - 1,
            "price",
            "Close below the 60-session high",
        ),
        (
            "low_distance_60",
            CLOSE / ta("MIN", LOW, timeperiod=60) - 1,
            "price",
            "Close above the 60-session low",
        ),
    ]
    return [Feature(n, e, g, "ratio", m) for n, e, g, m in f]


def _levels() -> list[Feature]:
    price = [
        ("sma_20", _sma(20), "Mean close of 20 sessions"),
        ("ema_26", _ema(26), "Exponential mean of the close, 26 sessions"),
        ("bollinger_upper", _bands(0), "Upper Bollinger band (20, 2)"),
        ("bollinger_lower", _bands(2), "Lower Bollinger band (20, 2)"),
        ("vwap_20", _VWAP_20, "Volume-weighted average price of 20 sessions"),
        ("atr_14", _window("ATR", 14, *HLC), "Average true range, 14 sessions"),
    ]
    levels = [Feature(n, e, "level", "USD", m, Kind.PRICE_LEVEL) for n, e, m in price]
    obv = Feature(
        "obv", _OBV, "level", "shares", "On-balance volume since the first bar", Kind.VOLUME_LEVEL
    )
    return [*levels, obv]


@cache
def technical() -> FeatureView:
    """Return the view of all indicators of price and volume."""
    features = (*_momentum(), *_trend(), *_volatility(), *_volume(), *_price(), *_levels())
    cited = tuple(replace(f, source=INDICATORS[f.name]) for f in features)
    return FeatureView("technical", cited, ttl_sessions=1)
