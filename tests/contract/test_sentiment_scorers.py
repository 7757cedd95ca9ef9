"""One suite over everything that scores texts."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import text_models

from bellwether.bootstrap import scorer
from bellwether.core.ports import SentimentScorer
from bellwether.settings import Settings

CSV = "Word,Negative,Positive\nGOOD,0,2009\nSTRONG,0,2009\nPROFIT,0,0\nLOSS,2009,0\nFELL,2009,0\n"
KINDS = ("lexicon", "words", "finbert", "finbert_eight_bits", "fallen_back")
NEWS = ("Profit rose", "Loss of the company", "Shares fell, not good", "The board met", "Strong")
CHARACTERS = st.text(st.characters(exclude_categories=()), max_size=60)
SENTENCES = st.lists(st.sampled_from([*text_models.WORDS, "isn't", "xyzzy", "."])).map(" ".join)
TEXTS = st.one_of(CHARACTERS, SENTENCES)

Make = Callable[[str], SentimentScorer]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Build each kind as the settings do."""
    home = tmp_path_factory.mktemp("home")
    (home / "words.csv").write_text(CSV)
    wide = text_models.folder(home / "wide")
    narrow = text_models.folder(home / "narrow", eight_bits=True)
    given = {
        "lexicon": {},
        "words": {"sentiment_words": str(home / "words.csv")},
        "finbert": {"sentiment": "finbert", "sentiment_model": str(wide)},
        "finbert_eight_bits": {"sentiment": "finbert", "sentiment_model": str(narrow)},
        "fallen_back": {
            "sentiment": "finbert",
            "sentiment_model": str(home / "nowhere"),
            "sentiment_fallback": "lexicon",
        },
    }
    return lambda kind: scorer(Settings(home=home, **given[kind]))


@pytest.fixture(scope="module", params=KINDS)
def subject(make: Make, request: pytest.FixtureRequest) -> SentimentScorer:
    return make(request.param)


def test_no_texts_have_no_score(subject: SentimentScorer) -> None:
    assert subject.score([]) is None
    assert subject.score_each([]) == []
    assert subject.tones([]) == []


def test_the_method_is_named_the_same_by_two_of_a_kind(make: Make) -> None:
    names = {kind: make(kind).method for kind in KINDS}

    assert names == {kind: make(kind).method for kind in KINDS}
    assert names["fallen_back"] == names["lexicon"] == "lexicon-v1"
    assert len({names[kind] for kind in KINDS if kind != "fallen_back"}) == len(KINDS) - 1


def test_a_score_is_the_mean_of_each(subject: SentimentScorer) -> None:
    each = subject.score_each(NEWS)

    assert len(each) == len(NEWS)
    assert len(set(each)) > 1
    assert subject.score(NEWS) == math.fsum(each) / len(each)
    assert [tone.score for tone in subject.tones(NEWS)] == each


@pytest.mark.parametrize("text", ["", " \t\n", "\u200b"])
def test_a_text_that_says_nothing_is_neutral(subject: SentimentScorer, text: str) -> None:
    assert subject.score([text]) == 0.0
    assert subject.tones([text])[0].label == "neutral"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6))
def test_any_text_has_a_score_in_bounds_and_the_label_fits(
    subject: SentimentScorer, texts: Sequence[str]
) -> None:
    for tone in subject.tones(texts):
        shares = (tone.positive, tone.negative, tone.neutral)
        assert -1 <= tone.score <= 1
        if None in shares:
            assert shares == (None, None, None)
            assert (
                tone.label
                == ("neutral", "positive", "negative")[(tone.score > 0) - (tone.score < 0)]
            )
        else:
            assert math.fsum(shares) == pytest.approx(1)
            assert tone.score == tone.positive - tone.negative
            assert getattr(tone, tone.label) == max(shares)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), seed=st.randoms(use_true_random=False))
def test_company_and_order_change_no_bit(
    subject: SentimentScorer, texts: Sequence[str], seed: object
) -> None:
    shuffled = sorted(range(len(texts)), key=lambda _: seed.random())
    together = subject.score_each([*NEWS, *(texts[i] for i in shuffled)])[len(NEWS) :]

    alone = [subject.score_each([texts[i]])[0] for i in shuffled]
    assert together == alone
    assert subject.score([texts[i] for i in shuffled]) == subject.score(texts)


def test_many_threads_at_once_get_what_one_gets(make: Make) -> None:
    for kind in KINDS:
        asked = [[f"{a} {b}" for a in text_models.WORDS] for b in text_models.WORDS[:8]]
        expected = [make(kind).score(texts) for texts in asked]
        shared = make(kind)  # loaded by whoever comes first
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(shared.score, asked))

        assert found == expected


def test_two_thousand_texts(subject: SentimentScorer) -> None:
    texts = [f"profit rose {number} shares" for number in range(2_000)]

    each = subject.score_each([*texts, *NEWS])

    assert len(each) == len(texts) + len(NEWS)
    assert each[-len(NEWS) :] == subject.score_each(NEWS)


def test_a_huge_text_is_read_to_its_limit(subject: SentimentScorer) -> None:
    text = "strong earnings rose " * 100_000

    found = subject.score_each([text, "strong earnings rose"])

    assert all(-1 <= score <= 1 for score in found)


def test_only_what_stands_in_says_so(make: Make) -> None:
    standing = {kind: make(kind).standing for kind in KINDS}

    assert standing.pop("fallen_back") == ("sentiment_by_lexicon",)
    assert set(standing.values()) == {()}


def test_a_folder_that_moves_keeps_its_name(tmp_path: Path) -> None:
    one, two = (text_models.folder(tmp_path / name) for name in ("one", "two"))
    other = text_models.folder(tmp_path / "other", seed=1)
    names = [
        scorer(Settings(sentiment="finbert", sentiment_model=str(path))).method
        for path in (one, two, other)
    ]

    assert names[0] == names[1] != names[2]
