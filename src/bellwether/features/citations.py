"""Who described the indicators of the view `technical` first, and when."""

from collections.abc import Mapping
from types import MappingProxyType

_WILDER = "Wilder, 1978"
_APPEL, _BOLLINGER, _LANE = "Appel, 1979", "Bollinger, 1992", "Lane, 1984"
_MEAN, _VWAP = "Brown, 1959", "Berkowitz, Logue and Noser, 1988"
_BROCK = "Brock, Lakonishok and LeBaron, 1992"

INDICATORS: Mapping[str, str] = MappingProxyType(
    {
        "rsi_14": _WILDER,
        "willr_14": "Williams, 1979",
        "cci_20": "Lambert, 1980",
        "stoch_k": _LANE,
        "stoch_d": _LANE,
        "mfi_14": "Quong and Soudack, 1989",
        "ultosc": "Williams, 1985",
        "trix_15": "Hutson, 1983",
        "macd": _APPEL,
        "macd_signal": _APPEL,
        "macd_hist": "Aspray, 1986",
        "sma_distance_10": _BROCK,
        "sma_distance_50": _BROCK,
        "ema_spread": _APPEL,
        "adx_14": _WILDER,
        "di_spread_14": _WILDER,
        "aroon_25": "Chande, 1995",
        "natr_14": "Forman, 2006",
        "volatility_20": "Markowitz, 1952",
        "volatility_60": "Markowitz, 1952",
        "bollinger_width": _BOLLINGER,
        "bollinger_b": _BOLLINGER,
        "range_1": "Parkinson, 1980",
        "obv_slope_20": "Granville, 1963",
        "ad_slope_20": "Chaikin, 1982",
        "volume_ratio_20": "Gervais, Kaniel and Mingelgrin, 2001",
        "vwap_distance_20": _VWAP,
        "close_location": "Chaikin, 1982",
        "body_1": "Nison, 1991",
        "gap_1": "Lou, Polk and Skouras, 2019",
        "high_distance_60": "George and Hwang, 2004",
        "low_distance_60": "George and Hwang, 2004",
        "sma_20": _MEAN,
        "ema_26": _MEAN,
        "bollinger_upper": _BOLLINGER,
        "bollinger_lower": _BOLLINGER,
        "vwap_20": _VWAP,
        "atr_14": _WILDER,
        "obv": "Granville, 1963",
        **{f"return_{n}": "Jegadeesh and Titman, 1993" for n in (1, 2, 5, 10, 20, 60)},
    }
)
