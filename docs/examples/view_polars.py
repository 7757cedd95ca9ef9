"""A view of your own: momentum, volatility and ranks, each known after the close of its session.

Audit it with: bellwether features audit --view docs/examples/view_polars.py
"""

import polars as pl

HORIZON = 5


def features(panel: pl.DataFrame) -> pl.DataFrame:
    """Compute the features; `panel` is sorted by symbol and session, prices are as traded."""
    before = pl.col("close").shift(1) / pl.col("split_ratio")
    value = pl.col("close") + pl.col("dividend_usd")
    told = panel.with_columns(r=(value / before).log().over("symbol"))
    return told.select(
        "symbol",
        "session",
        momentum_21=pl.col("r").rolling_sum(21).over("symbol"),
        volatility_21=pl.col("r").rolling_std(21).over("symbol"),
        turnover=(pl.col("volume") / pl.col("volume").rolling_mean(63)).over("symbol"),
        strength=(pl.col("r").rank() / pl.len()).over("session"),
    )


def label(panel: pl.DataFrame) -> pl.DataFrame:
    """Return what a decision after the close earns: from the next open over five sessions."""
    shares = pl.col("split_ratio").cum_prod().over("symbol")
    told = panel.with_columns(worth=pl.col("open") * shares)
    future = pl.col("worth").shift(-1 - HORIZON) / pl.col("worth").shift(-1)
    return told.select("symbol", "session", label=future.log().over("symbol"))


def fit(train: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """Learn how to scale, from the rows of the training window alone."""
    names = [c for c in train.columns if c not in ("symbol", "session", "label")]
    return {c: (train[c].mean() or 0.0, train[c].std() or 1.0) for c in names}


def transform(state: dict[str, tuple[float, float]], rows: pl.DataFrame) -> pl.DataFrame:
    """Scale rows by what was learnt."""
    return rows.with_columns((pl.col(c) - mean) / std for c, (mean, std) in state.items())
