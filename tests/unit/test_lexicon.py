"""The lexicon on sentences whose tone nobody disputes, and on anything at all."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.ports import SentimentScorer
from bellwether.sentiment import words
from bellwether.sentiment.lexicon import LexiconScorer, score_text

SCORER: SentimentScorer = LexiconScorer()


@pytest.mark.parametrize(
    "text",
    [
        "Strong earnings",
        "STRONG EARNINGS",
        "Apple beats estimates on record revenue",
        "Results were better-than-expected",
        "Outlook is not bad",
        "Loss narrowed from a year ago",
        "Not only did sales grow, they surged",
        "There is no problem",
        "Nothing new. Shares surge",
    ],
)
def test_good_news(text: str) -> None:
    assert score_text(text) > 0


@pytest.mark.parametrize(
    "text",
    [
        "Earnings were not good.",
        "Earnings weren't good",
        "Earnings weren\u2019t good",
        "Shares plunge on earnings miss",
        "Bank issues profit warning",
        "Auditor doubts it is a going concern",
        "Firm fails to beat forecasts",
        "Sales grew without improving margins? No. Shares plunge, slump and crash",
        "Revenue lower than expected",
    ],
)
def test_bad_news(text: str) -> None:
    assert score_text(text) < 0


@pytest.mark.parametrize("text", ["", " ", "The board met on Tuesday", "\x00\ufffd\ud800", "12 %"])
def test_no_tone(text: str) -> None:
    assert score_text(text) == 0.0


def test_a_negation_reaches_three_words_and_not_four() -> None:
    assert score_text("not a very good year") == -1.0
    assert score_text("not in all its good years") == 1.0


def test_a_negation_ends_with_its_sentence() -> None:
    assert score_text("They did not. Good!") == 1.0
    assert score_text("They did not 2.5 good") == -1.0


def test_a_phrase_is_one_tone() -> None:
    assert score_text("profit warning") == -1.0
    assert score_text("lower costs and a loss") == 0.0


def test_several_texts_are_averaged() -> None:
    texts = ["Strong earnings", "Shares plunge", "The board met", "Strong gain amid loss"]
    assert SCORER.score(texts) == pytest.approx((1 - 1 + 0 + 1 / 3) / 4)
    assert SCORER.score([]) is None
    assert SCORER.method == "lexicon-v1"


def test_no_word_has_two_tones() -> None:
    assert words.POSITIVE.isdisjoint(words.NEGATIVE)
    assert words.POSITIVE_PHRASES.isdisjoint(words.NEGATIVE_PHRASES)
    assert words.NEGATIONS.isdisjoint(words.POSITIVE | words.NEGATIVE)
    assert all(word.isascii() and word.islower() for word in words.POSITIVE | words.NEGATIVE)


VOCABULARY = sorted(words.POSITIVE | words.NEGATIVE | words.NEGATIONS)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(st.sampled_from([*VOCABULARY, "fails", "to", ".", "isn't", "profit"])).map(" ".join),
)


@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_any_text_scores_between_minus_one_and_one(texts: Sequence[str]) -> None:
    found = SCORER.score(texts)
    assert found is not None
    assert -1 <= found <= 1


@given(st.lists(TEXTS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_texts_does_not_matter(texts: list[str], rng: object) -> None:
    shuffled = list(texts)
    rng.shuffle(shuffled)
    assert SCORER.score(shuffled) == SCORER.score(texts)


@given(TEXTS)
def test_case_does_not_matter(text: str) -> None:
    if text.isascii():
        assert score_text(text.upper()) == score_text(text)
