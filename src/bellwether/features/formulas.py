"""Building blocks of formulas that several views share."""

from collections.abc import Sequence

from bellwether.features.catalog import CLOSE, HIGH, LOW, OPEN, VOLUME, Feature
from bellwether.features.expr import Arith, Column, Const, Expr, lag, lift, pair, ta, unary, window

DOLLARS = Column("dollars")
BEFORE = lag(CLOSE, 1)
RETURN = CLOSE / BEFORE - 1
SIZE = unary("abs", RETURN)
LOG_RETURN = unary("log", CLOSE / BEFORE)
OVERNIGHT = unary("log", OPEN / BEFORE)
INTRADAY = unary("log", CLOSE / OPEN)
HIGH_LOW = unary("log", HIGH / LOW)
GAIN = pair("max", RETURN, 0)
LOSS = pair("min", RETURN, 0)
TRUE_RANGE = pair("max", HIGH, BEFORE) - pair("min", LOW, BEFORE)
TYPICAL = (HIGH + LOW + CLOSE) / 3

Row = tuple[str, Expr, str, str, str]


def total_return(n: int) -> Expr:
    """Return the fraction gained in `n` sessions."""
    return CLOSE / lag(CLOSE, n) - 1


def mean(x: Expr, n: int) -> Expr:
    """Average the last `n` values."""
    return window("mean", x, n)


def total(x: Expr, n: int) -> Expr:
    """Add the last `n` values."""
    return window("sum", x, n)


def deviation(x: Expr, n: int) -> Expr:
    """Return the population standard deviation of the last `n` values."""
    return window("std", x, n)


def covariance(x: Expr, y: Expr, n: int) -> Expr:
    """Return the population covariance of the last `n` pairs."""
    return mean(x * y, n) - mean(x, n) * mean(y, n)


def correlation(x: Expr, y: Expr, n: int) -> Expr:
    """Return the correlation of the last `n` pairs; 0 where either stands still."""
    found = covariance(x, y, n) / (deviation(x, n) * deviation(y, n))
    return pair("max", pair("min", found, 1), -1)


def vwap_distance(n: int) -> Expr:
    """Return the close above the volume-weighted price of `n` sessions; 0 without volume."""
    price = total(TYPICAL * VOLUME, n) / total(VOLUME, n)
    return (CLOSE - price) / price


def slope(x: Expr, n: int) -> Expr:
    """Return the slope per session of a straight line through the last `n` values."""
    return ta("LINEARREG_SLOPE", x, timeperiod=n)


def root(x: Expr) -> Expr:
    """Return the square root, 0 of what is below 0."""
    return unary("sqrt", x)


def of_half_tanh(x: Expr) -> Arith:
    """Return ``2 tanh(x / 2) = 2 (e**x - 1) / (e**x + 1)`` by its continued fraction.

    Within 2e-8 for |x| < 2; it needs no exponential.
    """
    half = x / 2
    square = half * half
    below = lift(11)
    for odd in (9, 7, 5, 3, 1):
        below = Const(float(odd)) + square / below
    return half * 2 / below


def features(group: str, rows: Sequence[Row]) -> tuple[Feature, ...]:
    """Make features of (name, formula, unit, meaning, source)."""
    return tuple(Feature(n, e, group, unit, what, source=who) for n, e, unit, what, who in rows)
