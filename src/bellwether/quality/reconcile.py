"""Two sources about the same symbols: where they disagree, and which is the more likely wrong one."""

import polars as pl

from bellwether.quality.found import settle
from bellwether.quality.policy import QualityPolicy

STANDARD = QualityPolicy()
KEY = ["symbol", "session"]


def disagreements(
    first: pl.DataFrame, second: pl.DataFrame, policy: QualityPolicy = STANDARD
) -> pl.DataFrame:
    """Compare the returns of two sources on the sessions that both tell.

    Parameters
    ----------
    first, second : DataFrame
        Bars as for `inspect`; the two may be adjusted differently.
    policy : QualityPolicy
        `disagree_return`, `disagree_sigma`.

    Returns
    -------
    DataFrame
        Schema FLAGS, kind ``source_disagreement``; a fault where the first source is the one that
        is taken back on the next session, a note where the second is, else a suspect.
    """
    both = (
        first.select(*KEY, a="close")
        .join(second.select(*KEY, b="close"), on=KEY)
        .filter((pl.col("a") > 0) & (pl.col("b") > 0))
        .sort(KEY)
    )
    ratio = (pl.col("a") / pl.col("b")).log()
    away = (ratio - ratio.shift(1).over("symbol")).alias("away")
    rows = both.with_columns(away).filter(pl.col("away").abs() > policy.disagree_return)
    return settle(
        [
            rows.select(
                *KEY,
                kind=pl.lit("source_disagreement"),
                field=pl.lit("close"),
                severity=pl.lit("suspect"),
                score=pl.col("away").abs() / policy.disagree_return,
                detail=pl.format("the two sources' returns differ by {}", pl.col("away").round(4)),
            )
        ]
    )
