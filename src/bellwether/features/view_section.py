"""A symbol among all others of its session: ranks, the market, and what the market leaves."""

from functools import cache

from bellwether.features.catalog import CLOSE, FeatureView
from bellwether.features.expr import Expr, across, lag, pair
from bellwether.features.formulas import (
    DOLLARS,
    RETURN,
    SIZE,
    Row,
    correlation,
    covariance,
    deviation,
    features,
    mean,
    total,
    total_return,
)

_JT, _SHARPE = "Jegadeesh and Titman, 1993", "Sharpe, 1964"
_MARKET = across("mean", RETURN)
_MOMENTUM = lag(CLOSE, 21) / lag(CLOSE, 252) - 1
_VOLATILITY = deviation(RETURN, 60)
_AMIHUD = mean(SIZE / DOLLARS * 1e6, 20)
_ABOVE = pair("above", CLOSE, mean(CLOSE, 50))


def _beta(n: int) -> Expr:
    spread = deviation(_MARKET, n)
    return covariance(RETURN, _MARKET, n) / (spread * spread)


def _rank(name: str, x: Expr, what: str, source: str) -> Row:
    said = f"Rank of {what} among the section, 0 the lowest, 1 the highest"
    return (f"rank_{name}", across("rank", x), "rank", said, source)


_RESIDUAL = RETURN - _beta(60) * _MARKET

_RANKS: list[Row] = [
    _rank("return_1", RETURN, "the return of the session", "Lehmann, 1990"),
    _rank("return_5", total_return(5), "the return of 5 sessions", "Lehmann, 1990"),
    _rank("return_20", total_return(20), "the return of 20 sessions", "Jegadeesh, 1990"),
    _rank("momentum_12_1", _MOMENTUM, "the return of 252 sessions without the last 21", _JT),
    _rank("volatility_60", _VOLATILITY, "60-session volatility", "Ang et al., 2006"),
    _rank("dollar_volume_20", mean(DOLLARS, 20), "dollars traded, 20 sessions", "Banz, 1981"),
    _rank("amihud_20", _AMIHUD, "price impact, 20 sessions", "Amihud, 2002"),
    _rank(
        "volume_shock",
        DOLLARS / mean(DOLLARS, 20),
        "dollars traded over their 20-session mean",
        "Gervais, Kaniel and Mingelgrin, 2001",
    ),
    (
        "z_return_1",
        across("z", RETURN),
        "sd",
        "Return of the session above the section's mean, in its standard deviations",
        "Lehmann, 1990",
    ),
    (
        "z_return_20",
        across("z", total_return(20)),
        "sd",
        "Return of 20 sessions above the section's mean, in its standard deviations",
        "Jegadeesh, 1990",
    ),
]

_BETAS: list[Row] = [
    *(
        (
            f"beta_{n}",
            _beta(n),
            "ratio",
            f"Slope of returns on those of the section's equal-weighted index, {n} sessions",
            _SHARPE,
        )
        for n in (60, 252)
    ),
    (
        "market_correlation_60",
        correlation(RETURN, _MARKET, 60),
        "score",
        "Correlation with the section's index, 60 sessions",
        _SHARPE,
    ),
    (
        "residual_return_1",
        _RESIDUAL,
        "fraction",
        "Return of the session that beta_60 and the index do not explain",
        "Blitz, Huij and Martens, 2011",
    ),
    (
        "residual_return_20",
        total(_RESIDUAL, 20),
        "fraction",
        "Sum of 20 sessions' returns that beta_60 and the index do not explain",
        "Blitz, Huij and Martens, 2011",
    ),
    (
        "idiosyncratic_volatility_20",
        deviation(_RESIDUAL, 20),
        "fraction",
        "Standard deviation of what beta_60 and the index do not explain, 20 sessions",
        "Ang et al., 2006",
    ),
    (
        "excess_return_20",
        total(RETURN - _MARKET, 20),
        "fraction",
        "Sum of 20 sessions' returns above the index",
        "Moskowitz and Grinblatt, 1999",
    ),
]

_SECTOR = "Moskowitz and Grinblatt, 1999"
_MARKETS: list[Row] = [
    (
        "sector_relative_1",
        RETURN - across("sector_mean", RETURN),
        "fraction",
        "Return of the session above its sector's mean; NaN where no sector is known",
        _SECTOR,
    ),
    (
        "sector_relative_20",
        total_return(20) - across("sector_mean", total_return(20)),
        "fraction",
        "Return of 20 sessions above its sector's mean; NaN where no sector is known",
        _SECTOR,
    ),
    ("market_return_1", _MARKET + 0, "fraction", "Mean return of the section", _SHARPE),
    (
        "market_return_20",
        total(_MARKET, 20),
        "fraction",
        "Sum of the section's mean returns of 20 sessions",
        "Fama and French, 1988",
    ),
    (
        "market_volatility_20",
        deviation(_MARKET, 20),
        "fraction",
        "Standard deviation of the section's mean returns, 20 sessions",
        "French, Schwert and Stambaugh, 1987",
    ),
    (
        "market_breadth_50",
        across("mean", _ABOVE) + 0,
        "ratio",
        "Share of the section that closed above its 50-session mean",
        "Zakon and Pennypacker, 1968",
    ),
    (
        "market_dispersion_1",
        across("std", RETURN) + 0,
        "fraction",
        "Standard deviation of returns across the section",
        "Christie and Huang, 1995",
    ),
]


@cache
def section() -> FeatureView:
    """Return the view of a symbol among the section of its session (`section.py` says who is in)."""
    rows = [*_RANKS, *_BETAS, *_MARKETS]
    return FeatureView("section", features("section", rows), ttl_sessions=1)
