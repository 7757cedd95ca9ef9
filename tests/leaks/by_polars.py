"""Planted leaks in Polars. Each returns symbol, session and one feature that looks ahead."""

from datetime import date, timedelta

import numpy as np
import polars as pl

C = pl.col("close")
KEYS = ["symbol", "session"]


def one(panel: pl.DataFrame, value: pl.Expr) -> pl.DataFrame:
    return panel.select(*KEYS, x=value)


def shift_minus_one(panel: pl.DataFrame) -> pl.DataFrame:
    return one(panel, (C.shift(-1) / C - 1).over("symbol"))


def centred_window(panel: pl.DataFrame) -> pl.DataFrame:
    return one(panel, C.rolling_mean(11, center=True, min_samples=1).over("symbol"))


def full_sample_scaling(panel: pl.DataFrame) -> pl.DataFrame:
    return one(panel, ((C - C.mean()) / C.std()).over("symbol"))


def maximum_of_the_sample(panel: pl.DataFrame) -> pl.DataFrame:
    """Normalise as Feng et al. 2019 do: each price by its maximum over all years."""
    return one(panel, (C / C.max()).over("symbol"))


def scaling_over_all_symbols(panel: pl.DataFrame) -> pl.DataFrame:
    return one(panel, (pl.col("volume").log1p() - pl.col("volume").log1p().mean()))


def future_fitted_selection(panel: pl.DataFrame) -> pl.DataFrame:
    """Weigh two signals by how they did over the whole sample."""
    told = panel.with_columns(
        a=(C / C.shift(5)).log().over("symbol"),
        b=-(C / C.shift(2)).log().over("symbol"),
        y=(C.shift(-1) / C).log().over("symbol"),
    )
    scores = {n: told.select(pl.corr(n, "y")).item() for n in ("a", "b")}
    weights = {n: s for n, s in scores.items() if s is not None and np.isfinite(s)}
    total = sum(weights.values()) if weights else 1.0
    return one(told, sum((w / total * pl.col(n) for n, w in weights.items()), pl.lit(0.0)))


def merge_off_by_one(panel: pl.DataFrame) -> pl.DataFrame:
    """Join a market mean on a row number that is one too high."""
    market = panel.group_by("session").agg(m=C.mean()).sort("session").with_row_index("i")
    market = market.with_columns(pl.col("i").cast(pl.Int64) - 1)
    rows = panel.with_columns(i=pl.col("session").rank("dense").cast(pl.Int64) - 1)
    return rows.join(market.select("i", "m"), on="i", how="left").select(*KEYS, x="m")


def back_filled(panel: pl.DataFrame) -> pl.DataFrame:
    return one(panel, C.rolling_mean(20).backward_fill().over("symbol"))


def back_filled_dividends(panel: pl.DataFrame) -> pl.DataFrame:
    paid = pl.when(pl.col("dividend_usd") > 0).then(pl.col("dividend_usd"))
    return one(panel, paid.backward_fill().over("symbol").fill_null(0.0))


def later_adjustment(panel: pl.DataFrame) -> pl.DataFrame:
    """Put a level on today's share basis: splits that come later are in it."""
    later = pl.col("split_ratio").cum_prod(reverse=True) / pl.col("split_ratio")
    return one(panel, (C / later).over("symbol"))


def todays_universe(panel: pl.DataFrame) -> pl.DataFrame:
    """Keep only symbols that still trade at the end of the data."""
    last = panel["session"].max()
    assert isinstance(last, date)
    alive = panel.filter(pl.col("session") >= last - timedelta(days=7))["symbol"].unique()
    return one(
        panel.filter(pl.col("symbol").is_in(alive.implode())), (C / C.shift(5)).over("symbol")
    )


def mean_of_survivors(panel: pl.DataFrame) -> pl.DataFrame:
    """Keep all rows, with the mean of those that are there at the end as the market."""
    last = panel["session"].max()
    alive = panel.filter(pl.col("session") == last)["symbol"].unique()
    market = (
        panel.filter(pl.col("symbol").is_in(alive.implode())).group_by("session").agg(m=C.mean())
    )
    return panel.join(market, on="session", how="left").select(*KEYS, x=pl.col("m"))


def rank_over_all_dates(panel: pl.DataFrame) -> pl.DataFrame:
    return one(panel, (C / C.shift(5)).over("symbol").rank() / pl.len())


def rank_with_tomorrow(panel: pl.DataFrame) -> pl.DataFrame:
    """Rank inside the week, of which only some days are known."""
    told = panel.with_columns(week=pl.col("session").dt.truncate("1w"))
    return told.select(*KEYS, x=C.rank().over("symbol", "week"))


def forward_asof(panel: pl.DataFrame) -> pl.DataFrame:
    paid = panel.filter(pl.col("dividend_usd") > 0).select("symbol", "session", x="dividend_usd")
    rows = panel.select(KEYS).sort("session")
    told = rows.join_asof(paid.sort("session"), on="session", by="symbol", strategy="forward")
    return told.select(*KEYS, "x")


def interpolated_weeks(panel: pl.DataFrame) -> pl.DataFrame:
    weekly = pl.when(pl.col("session").dt.weekday() == 5).then(C)
    return one(panel, weekly.interpolate().over("symbol"))


def weekly_bars(panel: pl.DataFrame) -> pl.DataFrame:
    """Give the whole week's close on each of its days."""
    told = panel.with_columns(week=pl.col("session").dt.truncate("1w"))
    return told.select(*KEYS, x=C.last().over("symbol", "week"))


def calendar_day_off(panel: pl.DataFrame) -> pl.DataFrame:
    """Take yesterday by the calendar, in the wrong direction."""
    other = panel.select("symbol", session=pl.col("session") - pl.duration(days=1), x="close")
    return panel.select(KEYS).join(other, on=KEYS, how="left")


def volume_filter_of_the_future(panel: pl.DataFrame) -> pl.DataFrame:
    liquid = pl.col("volume").mean().over("symbol") > 5e6
    return one(panel.filter(liquid), (C / C.shift(1)).over("symbol"))


def target_encoding(panel: pl.DataFrame) -> pl.DataFrame:
    told = panel.with_columns(
        y=(C.shift(-1) / C).log().over("symbol"), d=pl.col("session").dt.weekday()
    )
    return told.select(*KEYS, x=pl.col("y").mean().over("symbol", "d"))


def open_label_of_yesterday(panel: pl.DataFrame) -> pl.DataFrame:
    """Take the open-to-open label of the session before, known only tomorrow."""
    label = (pl.col("open").shift(-2) / pl.col("open").shift(-1)).log()
    return one(panel, label.shift(1).over("symbol"))


def quantile_of_the_sample(panel: pl.DataFrame) -> pl.DataFrame:
    r = (C / C.shift(1)).log()
    return one(panel, (r > r.quantile(0.9)).over("symbol").cast(pl.Float64))


def reversed_ewm(panel: pl.DataFrame) -> pl.DataFrame:
    return one(panel, C.reverse().ewm_mean(span=10).reverse().over("symbol"))


def spilled_rows(panel: pl.DataFrame) -> pl.DataFrame:
    """Lag without the symbol: the first row of each has the last of another."""
    return one(panel, C / C.shift(1))


def dropped_with_the_future(panel: pl.DataFrame) -> pl.DataFrame:
    """Drop rows whose next session is quiet."""
    told = panel.with_columns(
        x=(C / C.shift(1)).over("symbol"), n=(C.shift(-1) / C - 1).abs().over("symbol")
    )
    return told.filter(pl.col("n") > 0.001).select(*KEYS, "x")


def five_years_later(panel: pl.DataFrame) -> pl.DataFrame:
    return one(panel, (C.shift(-1260) / C).fill_null(1.0).over("symbol"))


def tiny(panel: pl.DataFrame) -> pl.DataFrame:
    """Mix a ten-millionth of what comes next into a price."""
    return one(panel, (C * (1 + 1e-7 * (C.shift(-1) / C - 1).fill_null(0.0))).over("symbol"))


def month_ends_only(panel: pl.DataFrame) -> pl.DataFrame:
    month = pl.col("session").dt.month()
    last = (month != month.shift(-1)).over("symbol")
    r = (C.shift(-1) / C).over("symbol")
    past = (C / C.shift(1)).over("symbol")
    return one(panel, pl.when(last).then(r).otherwise(past))


def one_symbol_only(panel: pl.DataFrame) -> pl.DataFrame:
    ahead, past = (C.shift(-1) / C).over("symbol"), (C / C.shift(1)).over("symbol")
    return one(panel, pl.when(pl.col("symbol") == "MSFT").then(ahead).otherwise(past))


def fridays_of_one_symbol(panel: pl.DataFrame) -> pl.DataFrame:
    friday = pl.col("session").dt.weekday() == 5
    ahead, past = (C.shift(-1) / C).over("symbol"), (C / C.shift(1)).over("symbol")
    return one(panel, pl.when(friday & (pl.col("symbol") == "IBM")).then(ahead).otherwise(past))


def days_before_splits(panel: pl.DataFrame) -> pl.DataFrame:
    return one(
        panel,
        (pl.col("split_ratio").shift(-1).fill_null(1.0) != 1.0).over("symbol").cast(pl.Float64),
    )


def only_long_histories(panel: pl.DataFrame) -> pl.DataFrame:
    """Behave where there is little history, and look ahead where there is much."""
    ahead, past = (C.shift(-1) / C).over("symbol"), (C / C.shift(1)).over("symbol")
    return one(panel, ahead if panel.height > 10_000 else past)


def seeded_by_length(panel: pl.DataFrame) -> pl.DataFrame:
    noise = np.random.default_rng(panel.height).normal(size=panel.height)
    return panel.select(KEYS).with_columns(x=pl.Series(noise))


def newest_members(panel: pl.DataFrame, universe: pl.DataFrame) -> pl.DataFrame:
    """Take the members of today for the years before too."""
    now = universe.filter(pl.col("last").is_null())["symbol"].unique()
    inside = pl.col("symbol").is_in(now.implode())
    return panel.select(*KEYS, x=inside.cast(pl.Float64))
