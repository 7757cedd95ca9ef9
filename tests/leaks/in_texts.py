"""Planted leaks in what is made of texts. Each returns symbol, session and one feature."""

import polars as pl

from bellwether.audit.found import Panel

KEYS = ["symbol", "session"]
SCORE, SEEN = pl.col("score"), pl.col("known_at")


def _texts(panel: Panel) -> pl.DataFrame:
    assert panel.texts is not None
    return panel.texts


def _counted(panel: Panel, texts: pl.DataFrame, value: pl.Expr) -> pl.DataFrame:
    """Aggregate texts (with a column session) by symbol and session."""
    told = texts.group_by(KEYS).agg(x=value.cast(pl.Float64))
    bars = panel.bars.select(KEYS)
    return bars.join(told, on=KEYS, how="left", maintain_order="left").with_columns(
        pl.col("x").fill_null(0.0)
    )


def _by_close(panel: Panel) -> pl.DataFrame:
    """Give each text the first session whose close is not before it: what is right."""
    closes = panel.bars.select("symbol", "session", known_at="knowledge_time").sort("known_at")
    return (
        _texts(panel).sort("known_at").join_asof(closes, on="known_at", by="symbol", strategy="forward")
    ).drop_nulls("session")  # fmt: skip


def clean_count(panel: Panel) -> pl.DataFrame:
    return _counted(panel, _by_close(panel), pl.len())


def dated_by_its_day(panel: Panel) -> pl.DataFrame:
    """Count a text on its date, though it came after the close."""
    return _counted(panel, _texts(panel).with_columns(session=SEEN.dt.date()), SCORE.sum())


def share_of_all_texts(panel: Panel) -> pl.DataFrame:
    """Divide the count of a session by the count of all years."""
    texts = _by_close(panel).with_columns(whole=pl.len().over("symbol"))
    return _counted(panel, texts, (pl.len() / pl.col("whole").first()))


def tone_scaled_over_the_sample(panel: Panel) -> pl.DataFrame:
    texts = _by_close(panel).with_columns(score=SCORE - SCORE.mean().over("symbol"))
    return _counted(panel, texts, SCORE.mean())


def texts_of_the_day_after(panel: Panel) -> pl.DataFrame:
    """Shift the wrong way."""
    made = clean_count(panel)
    return made.with_columns(pl.col("x").shift(-1).over("symbol").fill_null(0.0))


def copies_counted_once_over_the_sample(panel: Panel) -> pl.DataFrame:
    """Keep of copies the last: an early text vanishes once it is said again."""
    kept = _by_close(panel).sort("known_at").unique(["symbol", "text"], keep="last")
    return _counted(panel, kept, pl.len())
