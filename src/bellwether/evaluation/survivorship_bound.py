"""What missing names may do to an equal-weight result."""

import polars as pl

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.survivorship import HIGH, LOW, Coverage


def bound(
    covered: Coverage,
    returns: pl.DataFrame,
    *,
    delisting_return: float = -1.0,
    low: float = LOW,
    high: float = HIGH,
) -> pl.DataFrame:
    """Put limits on the equal-weight return of all members, by year.

    With weights in member-sessions, ``R_all = (1 - m) R_present + m R_missing``. Assumed is that each
    missing name earned something between the quantiles `low` and `high` of the names present that
    year (widened to hold their mean), and that a name that left on top of it lost, at worst,
    `delisting_return`, or exactly what is told of it:
    ``(1 + q_low) (1 + delisting_return) - 1``. The truth lies within the limits whenever that holds;
    without missing names they are one number; they widen in proportion to ``m``.

    Parameters
    ----------
    covered : Coverage
        What `coverage` returns.
    returns : DataFrame
        `year`, `symbol` and `total_return` (fraction, over the sessions of the year on which the name
        was a member and had bars), one row a name and year.
    delisting_return : float
        Fraction in [-1, 0]; see `DELISTING`.
    low, high : float
        Quantiles in [0, 1], linear between names.

    Returns
    -------
    DataFrame
        `year`, `share_missing`, `names_present`, `present_return`, `missing_low`, `missing_high`
        (limits of the mean of the missing), `all_low`, `all_high` (of all members) and `bias_low`,
        `bias_high` (present minus all; positive: too good). Fractions a year. Null where no name is
        present, or, for `missing_*`, none is missing.

    Raises
    ------
    InvalidRequest
        If a quantile or the delisting return is out of range, a return is not a finite number of -1
        or more, or a name has two returns in a year.
    """
    _check(returns, delisting_return, low, high)
    weights = covered.years.select("year", "share_missing")
    present = _present(covered, returns, low, high)
    lacking = covered.names.with_columns(
        missing_sessions=pl.col("member_sessions") - pl.col("held_sessions")
    ).filter(pl.col("missing_sessions") > 0)
    missing = lacking.join(present.select("year", "q_low", "q_high"), on="year", how="left")
    told = pl.col("delisting_return")
    worst = pl.when("left").then(told.fill_null(delisting_return)).otherwise(0.0)
    best = pl.when("left").then(told.fill_null(0.0)).otherwise(0.0)
    weight = pl.col("missing_sessions")
    limits = missing.with_columns(
        least=(1 + pl.col("q_low")) * (1 + worst) - 1, most=(1 + pl.col("q_high")) * (1 + best) - 1
    )
    means = limits.group_by("year").agg(
        missing_low=(pl.col("least") * weight).sum() / weight.sum(),
        missing_high=(pl.col("most") * weight).sum() / weight.sum(),
    )
    joined = weights.join(present, on="year", how="left").join(means, on="year", how="left")
    return _limits(joined).sort("year")


def _check(returns: pl.DataFrame, delisting_return: float, low: float, high: float) -> None:
    if not -1 <= delisting_return <= 0:
        raise InvalidRequest("delisting_return", f"{delisting_return} is not between -1 and 0")
    if not 0 <= low <= high <= 1:
        raise InvalidRequest("low, high", f"{low} and {high} are no quantiles in ascending order")
    value = returns["total_return"]
    sound = value.is_not_null() & value.is_finite() & (value >= -1)
    if not sound.all():
        at = returns.filter(~sound.fill_null(value=False)).row(0, named=True)
        raise InvalidRequest(
            "returns", f"{at['symbol']} in {at['year']}: {at['total_return']} is no simple return"
        )
    if returns.select("year", "symbol").is_duplicated().any():
        raise InvalidRequest("returns", "a name has two returns in one year")


def _present(covered: Coverage, returns: pl.DataFrame, low: float, high: float) -> pl.DataFrame:
    """Weigh the names that have bars by the sessions on which they had them."""
    held = covered.names.filter(pl.col("held_sessions") > 0).join(
        returns, on=["year", "symbol"], how="inner"
    )
    weight, value = pl.col("held_sessions"), pl.col("total_return")
    grouped = held.group_by("year").agg(
        names_present=pl.len().cast(pl.Int64),
        present_return=(weight * value).sum() / weight.sum(),
        q_low=value.quantile(low, "linear"),
        q_high=value.quantile(high, "linear"),
    )
    mean = pl.col("present_return")
    return grouped.with_columns(
        q_low=pl.min_horizontal("q_low", mean), q_high=pl.max_horizontal("q_high", mean)
    )


def _limits(joined: pl.DataFrame) -> pl.DataFrame:
    m, mean = pl.col("share_missing"), pl.col("present_return")
    whole = m == 0
    least = pl.when(whole).then(mean).otherwise((1 - m) * mean + m * pl.col("missing_low"))
    most = pl.when(whole).then(mean).otherwise((1 - m) * mean + m * pl.col("missing_high"))
    known = mean.is_not_null()
    lowest = pl.when(known & ~whole).then("missing_low")
    highest = pl.when(known & ~whole).then("missing_high")
    return joined.select(
        "year",
        "share_missing",
        pl.col("names_present").fill_null(0),
        "present_return",
        missing_low=lowest,
        missing_high=highest,
        all_low=pl.when(known).then(least),
        all_high=pl.when(known).then(most),
        bias_low=pl.when(known).then(mean - most),
        bias_high=pl.when(known).then(mean - least),
    )


def yearly_returns(bars: pl.DataFrame, covered: pl.DataFrame) -> pl.DataFrame:
    """Compound the total returns of members over the sessions of each year that have bars.

    Parameters
    ----------
    bars : DataFrame
        One revision a symbol and session (schema BARS). What `adjustment` says is in the prices
        already is not applied again.
    covered : DataFrame
        What `member_sessions` returns.

    Returns
    -------
    DataFrame
        `year`, `symbol` and `total_return` (fraction from the close before the first of these
        sessions). A first bar, and one whose dividend eats the whole price, has no return; a name
        without any is left out.
    """
    ordered = bars.sort("symbol", "session")
    split = pl.when(pl.col("adjustment") == "none").then("split_ratio").otherwise(1.0)
    dividend = pl.when(pl.col("adjustment") != "total").then("dividend_usd").otherwise(0.0)
    base = pl.col("close").shift(1).over("symbol") / split - dividend
    grown = pl.when(base > 0).then(pl.col("close") / base)
    steps = ordered.select("symbol", "session", growth=grown).drop_nulls()
    inside = covered.with_columns(pl.col("symbol").cast(pl.String)).join(
        steps, on=["symbol", "session"], how="inner"
    )
    total = pl.col("growth").log().sum().exp() - 1
    return inside.group_by("year", "symbol").agg(total_return=total).sort("year", "symbol")
