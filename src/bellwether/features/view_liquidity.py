"""How easily a share trades: impact, spreads from prices alone, and volume."""

from functools import cache
from math import sqrt

from bellwether.features.catalog import CLOSE, HIGH, LOW, VOLUME, FeatureView
from bellwether.features.expr import Expr, lag, pair, unary
from bellwether.features.formulas import (
    BEFORE,
    DOLLARS,
    HIGH_LOW,
    LOG_RETURN,
    RETURN,
    SIZE,
    Row,
    correlation,
    covariance,
    deviation,
    features,
    mean,
    of_half_tanh,
    root,
    slope,
    total,
    vwap_distance,
)

_AMIHUD, _CHORDIA = "Amihud, 2002", "Chordia, Roll and Subrahmanyam, 2002"
_ILLIQUID = SIZE / DOLLARS * 1e6
_BACK = covariance(LOG_RETURN, lag(LOG_RETURN, 1), 20)
_BACK_60 = covariance(LOG_RETURN, lag(LOG_RETURN, 1), 60)

# Corwin and Schultz: a gap over night is taken out of the two-day range
_GAP = pair("max", BEFORE - HIGH, 0) - pair("max", LOW - BEFORE, 0)
_TOP, _BOTTOM = pair("max", HIGH + _GAP, lag(HIGH, 1)), pair("min", LOW + _GAP, lag(LOW, 1))
_BETA = HIGH_LOW * HIGH_LOW + lag(HIGH_LOW * HIGH_LOW, 1)
_GAMMA = unary("log", _TOP / _BOTTOM) * unary("log", _TOP / _BOTTOM)
_SHRINK = 3 - 2 * sqrt(2)
_ALPHA = root(_BETA) * ((sqrt(2) - 1) / _SHRINK) - root(_GAMMA / _SHRINK)
_SPREAD = of_half_tanh(pair("min", pair("max", _ALPHA, 0), 2))

# Abdi and Ranaldo: closes against the middle of the range of the same day and of the day after
_HERE = (unary("log", CLOSE / HIGH) + unary("log", CLOSE / LOW)) / 2
_NEXT = (unary("log", BEFORE / HIGH) + unary("log", BEFORE / LOW)) / 2


def _surprise(n: int) -> Row:
    return (
        f"volume_z_{n}",
        (VOLUME - mean(VOLUME, n)) / deviation(VOLUME, n),
        "sd",
        f"Volume above its mean of {n} sessions, in standard deviations",
        "Gervais, Kaniel and Mingelgrin, 2001",
    )


def _distance(n: int) -> Row:
    return (
        f"vwap_distance_{n}",
        vwap_distance(n),
        "fraction",
        f"Close above the {n}-session volume-weighted average price; 0 without volume",
        "Berkowitz, Logue and Noser, 1988",
    )


_NO_VOLUME: Expr = pair("above", VOLUME, 0) * -1 + 1

_IMPACT: list[Row] = [
    (
        "amihud_20",
        mean(_ILLIQUID, 20),
        "per million USD",
        "Mean absolute return per million dollars traded, 20 sessions; 0 on a day without trade",
        _AMIHUD,
    ),
    (
        "amihud_60",
        mean(_ILLIQUID, 60),
        "per million USD",
        "Mean absolute return per million dollars traded, 60 sessions; 0 on a day without trade",
        _AMIHUD,
    ),
    (
        "amihud_shock_5_60",
        mean(_ILLIQUID, 5) / mean(_ILLIQUID, 60) - 1,
        "ratio",
        "Price impact of 5 sessions above that of 60",
        _AMIHUD,
    ),
    (
        "roll_20",
        root(_BACK * -1) * 2,
        "fraction",
        "Spread by the bounce of closes, 20 sessions; 0 where closes do not bounce",
        "Roll, 1984",
    ),
    (
        "roll_60",
        root(_BACK_60 * -1) * 2,
        "fraction",
        "Spread by the bounce of closes, 60 sessions; 0 where closes do not bounce",
        "Roll, 1984",
    ),
    (
        "corwin_schultz_20",
        mean(_SPREAD, 20),
        "fraction",
        "Spread by one-day against two-day ranges, negative ones as 0, mean of 20 sessions",
        "Corwin and Schultz, 2012",
    ),
    (
        "abdi_ranaldo_20",
        root(mean(lag(_HERE, 1) * _NEXT, 20) * 4),
        "fraction",
        "Spread by closes against mid-ranges, 20 sessions; 0 where the estimate is negative",
        "Abdi and Ranaldo, 2017",
    ),
    (
        "dollar_volume_20",
        unary("log", mean(DOLLARS, 20)),
        "log USD",
        "Logarithm of the mean dollars traded a session, 20 sessions; 0 where none",
        "Brennan, Chordia and Subrahmanyam, 1998",
    ),
]

_ACTIVITY: list[Row] = [
    _surprise(20),
    _surprise(60),
    _distance(5),
    _distance(60),
    (
        "volume_ratio_5_60",
        mean(VOLUME, 5) / mean(VOLUME, 60) - 1,
        "ratio",
        "Mean volume of 5 sessions above that of 60",
        "Gervais, Kaniel and Mingelgrin, 2001",
    ),
    (
        "dollar_volume_ratio_20_252",
        mean(DOLLARS, 20) / mean(DOLLARS, 252) - 1,
        "ratio",
        "Mean dollars traded in 20 sessions above those in 252",
        "Lee and Swaminathan, 2000",
    ),
    (
        "volume_variation_20",
        deviation(VOLUME, 20) / mean(VOLUME, 20),
        "ratio",
        "Standard deviation of volume over its mean, 20 sessions",
        "Chordia, Subrahmanyam and Anshuman, 2001",
    ),
    (
        "no_volume_share_60",
        mean(_NO_VOLUME, 60),
        "ratio",
        "Share of 60 sessions without trade",
        "Liu, 2006",
    ),
    (
        "signed_volume_20",
        total(unary("sign", RETURN) * VOLUME, 20) / total(VOLUME, 20),
        "score",
        "Volume of gaining less that of losing sessions, over all volume, 20 sessions",
        _CHORDIA,
    ),
    (
        "money_flow_20",
        total((CLOSE - LOW - (HIGH - CLOSE)) / (HIGH - LOW) * VOLUME, 20) / total(VOLUME, 20),
        "score",
        "Volume weighed by where the close lies in the range, over all volume, 20 sessions",
        "Chaikin, 1982",
    ),
    (
        "return_volume_correlation_20",
        correlation(RETURN, VOLUME, 20),
        "score",
        "Correlation of return and volume, 20 sessions",
        "Alpha158 of Qlib (Yang et al., 2020)",
    ),
    (
        "size_volume_correlation_60",
        correlation(SIZE, VOLUME, 60),
        "score",
        "Correlation of absolute return and volume, 60 sessions",
        "Karpoff, 1987",
    ),
    (
        "volume_slope_20",
        slope(VOLUME, 20) / mean(VOLUME, 20),
        "ratio",
        "Slope per session of a line through 20 volumes, over their mean",
        "Alpha158 of Qlib (Yang et al., 2020)",
    ),
]
_STILL: Row = (
    "no_move_share_60",
    mean(unary("sign", SIZE) * -1 + 1, 60),
    "ratio",
    "Share of 60 sessions that closed where the one before did",
    "Lesmond, Ogden and Trzcinka, 1999",
)


@cache
def liquidity() -> FeatureView:
    """Return the view of impact, spreads and volume."""
    rows = [*_IMPACT, *_ACTIVITY, _STILL]
    return FeatureView("liquidity", features("liquidity", rows), ttl_sessions=1)
