"""How often the lexicon agrees with sixteen annotators who all agreed (Malo et al. 2014)."""

from pathlib import Path

import polars as pl

from bellwether.sentiment.lexicon import score_text

FLOOR = 0.80
FLOOR_WHERE_TONE = 0.90


def test_agrees_with_people_on_what_is_good_and_bad(shared_data: Path) -> None:
    rows = pl.read_parquet(shared_data / "financial_phrasebank_80.parquet").filter(
        (pl.col("agree") == 100) & (pl.col("label") != "neutral")
    )
    score = pl.Series([score_text(text) for text in rows["sentence"]])
    truth = (rows["label"] == "positive").cast(pl.Int8) * 2 - 1
    right = int((score * truth > 0).sum())

    assert rows.height > 600
    assert right / rows.height >= FLOOR
    assert right / int((score != 0).sum()) >= FLOOR_WHERE_TONE
