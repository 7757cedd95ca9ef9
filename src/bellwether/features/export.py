"""Backward adjustment, as vendors ship it: the newest prices stand, the past is multiplied.

For a session t before an ex-date, prices are multiplied by the factor of its dividend and divided
by the ratio of its split; volume is multiplied by the ratio. A later action rewrites all of it, so
every such series belongs to a date. Features never read one.
"""

from datetime import date
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.errors import InvalidRequest, SchemaViolation
from bellwether.core.types import MIXED, Adjustment

Floats = npt.NDArray[np.float64]

PRICES = ("open", "high", "low", "close")


class Reinvest(StrEnum):
    """At which price a dividend D is reinvested, which is where vendors differ.

    At the close before the ex-date, P, the factor is ``1 - D / P`` (Yahoo, CRSP's textbook rule);
    at the close of the ex-date, X, it is ``X / (X + D)`` (Alpha Vantage).
    """

    PREVIOUS_CLOSE = "previous-close"
    EX_CLOSE = "ex-close"


def adjust_backward(
    bars: pl.DataFrame,
    as_of_session: date,
    adjust: Adjustment = Adjustment.TOTAL,
    reinvest: Reinvest = Reinvest.PREVIOUS_CLOSE,
) -> pl.DataFrame:
    """Adjust one symbol's bars to the prices and shares of `as_of_session`.

    Parameters
    ----------
    bars : DataFrame
        One symbol, one row a session, sorted by session (schema BARS after `as_of`). Bars and
        actions later than `as_of_session` are left out.
    as_of_session : date
        The last session that is known.
    adjust : Adjustment
        What is put into the prices: nothing, splits, or splits and dividends.
    reinvest : Reinvest
        The rule for dividends.

    Returns
    -------
    DataFrame
        symbol, session, open, high, low, close (USD), volume (shares), split_ratio, dividend_usd
        (on the share basis of the prices), adjustment, and told_close, price_factor and
        volume_factor that lead there: close = told_close * price_factor. One row a session that
        has a bar; no NaN.

    Raises
    ------
    InvalidRequest
        If the bars arrived adjusted and cannot be brought to what is asked.
    SchemaViolation
        If sessions are out of order, or a dividend leaves nothing of the price.
    """
    kept = bars.filter(pl.col("session") <= as_of_session)
    _check(kept, bars, as_of_session, adjust)
    told = _told(kept)
    n = kept.height
    split, paid = kept["split_ratio"].to_numpy(), kept["dividend_usd"].to_numpy()
    ratio = split if told == Adjustment.NONE and adjust != Adjustment.NONE else np.ones(n)
    pays = adjust == Adjustment.TOTAL and told != Adjustment.TOTAL
    dividend = _dividend_factors(kept, ratio, reinvest) if pays else np.ones(n)
    price, volume = _after(dividend / ratio), _after(ratio)
    return kept.select(
        "symbol",
        "session",
        *(pl.Series(c, kept[c].to_numpy() * price) for c in PRICES),
        pl.Series("volume", kept["volume"].to_numpy() * volume),
        "split_ratio",
        pl.Series("dividend_usd", paid / volume),
        adjustment=pl.lit(str(max(told, adjust, key=list(Adjustment).index))),
        told_close="close",
        price_factor=pl.Series(price),
        volume_factor=pl.Series(volume),
    )


def _told(bars: pl.DataFrame) -> Adjustment:
    found = bars["adjustment"].unique().to_list() if "adjustment" in bars.columns else []
    if len(found) > 1:
        raise InvalidRequest("bars", f"their adjustment is {MIXED}; no series can be made of them")
    return Adjustment(found[0]) if found else Adjustment.NONE


def _check(kept: pl.DataFrame, bars: pl.DataFrame, last: date, adjust: Adjustment) -> None:
    told, order = _told(bars), list(Adjustment).index
    if order(told) > order(adjust):
        why = f"the bars arrived adjusted ({told}); what they were before cannot be known"
        raise InvalidRequest("adjust", f"{adjust}: {why}")
    if told != Adjustment.NONE and kept.height < bars.height:
        why = f"the bars arrived adjusted ({told}) as of a later day, and cannot go back to it"
        raise InvalidRequest("as_of", f"{last}: {why}")
    if not kept["session"].is_sorted() or kept["session"].n_unique() != kept.height:
        raise SchemaViolation("bars", "sessions are not in order, each once")


def _dividend_factors(bars: pl.DataFrame, ratio: Floats, reinvest: Reinvest) -> Floats:
    """Return the factor of each session's dividend; 1.0 where there is none, and at the first."""
    close, paid = bars["close"].to_numpy(), bars["dividend_usd"].to_numpy()
    factors = np.ones(bars.height)
    base = close[:-1] / ratio[1:]
    if reinvest is Reinvest.EX_CLOSE:
        factors[1:] = close[1:] / (close[1:] + paid[1:])
    else:
        factors[1:] = 1.0 - paid[1:] / base
    absurd = np.flatnonzero((paid[1:] < 0) | (paid[1:] >= base)) + 1
    if absurd.size:
        at = int(absurd[0])
        why = (
            f"{bars['symbol'][at]} {bars['session'][at]}: a dividend of {paid[at]:g} USD on a "
            f"share worth {base[at - 1]:g} USD the session before"
        )
        raise SchemaViolation("bars", why)
    return factors


def _after(factors: Floats) -> Floats:
    """Return for each session the product of the factors of all later ones; 1.0 at the last."""
    product = np.ones(len(factors))
    product[:-1] = np.cumprod(factors[:0:-1])[::-1]
    return product
