"""How often word lists agree with annotators (Malo et al. 2014): docs/sentiment.md says these numbers."""

from pathlib import Path

import polars as pl
import pytest

from bellwether.bootstrap import scorer
from bellwether.core.ports import SentimentScorer
from bellwether.pipelines.sentiment_check import CheckConfig, CheckReport, run
from bellwether.settings import Settings

PHRASEBANK = "financial_phrasebank_80.parquet"
SETS = {
    "phrasebank": (CheckConfig(Path(PHRASEBANK)), 0.762, 0.625),
    "headlines": (
        CheckConfig(Path("semeval2017_t5_headlines_80.parquet"), "title", "sentiment"),
        0.471,
        0.286,
    ),
    "posts": (CheckConfig(Path("fiqa_posts_80.parquet"), label="score"), 0.500, 0.255),
}
PAGE = (Path(__file__).parents[2] / "docs" / "sentiment.md").read_text()


def on_page(report: CheckReport) -> str:
    low, high = report.interval
    return f"{report.accuracy:.1%} ({low:.1%} to {high:.1%})"


@pytest.mark.parametrize(("config", "by_lexicon", "by_list"), SETS.values(), ids=SETS)
def test_accuracy_is_what_the_page_says(
    shared_data: Path, config: CheckConfig, by_lexicon: float, by_list: float
) -> None:
    asked = CheckConfig(shared_data / config.frame, config.sentence, config.label)
    words = str(shared_data / "loughran_mcdonald_2014_words.csv")

    own, brought = run(asked, scorer(Settings())), run(asked, listed(words))

    assert own.accuracy == pytest.approx(by_lexicon, abs=0.0006)
    assert brought.accuracy == pytest.approx(by_list, abs=0.0006)
    assert f"| {own.n:,} | {on_page(own)} | {on_page(brought)} | {own.majority[1]:.1%} |" in PAGE


def listed(words: str) -> SentimentScorer:
    return scorer(Settings(sentiment_words=words))


def test_agrees_with_people_who_all_agreed(shared_data: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(shared_data / PHRASEBANK).filter(pl.col("agree") == 100)
    rows.write_parquet(tmp_path / "agreed.parquet")

    report = run(CheckConfig(tmp_path / "agreed.parquet"), scorer(Settings()))

    told = [(t, g) for t in ("positive", "negative") for g in ("positive", "negative")]
    counts = {pair: report.confusion[pair[0]][pair[1]] for pair in told}
    right = sum(n for (truth, given), n in counts.items() if truth == given)
    assert report.n == 1814
    assert right / (rows["label"] != "neutral").sum() >= 0.80
    assert right / sum(counts.values()) >= 0.90
    assert f"| {report.n:,} | {on_page(report)} |" in PAGE


def test_each_labels_row_is_on_the_page(shared_data: Path) -> None:
    report = run(CheckConfig(shared_data / PHRASEBANK), scorer(Settings()))

    for label in ("positive", "negative", "neutral"):
        told = report.of_label(label)
        rates = " | ".join(f"{told[key]:.1%}" for key in ("precision", "recall", "f1"))
        assert f"| {label} | {told['n']:,} | {rates} |" in PAGE
