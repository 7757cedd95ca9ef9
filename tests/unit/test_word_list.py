"""Words that a user brings: what is read, what they count, and what is refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.errors import UnreadableFile
from bellwether.sentiment.wordlist import WordList, WordListScorer, read_words

GOOD = "Word,Negative,Positive,Modal\nGOOD,0,2009,0\nBAD,2009,0,1\nCOULD,0,0,2\n"
SCORER = WordListScorer(
    WordList(frozenset({"good", "gains"}), frozenset({"bad", "loss"}), "0" * 64)
)


def words(folder: Path, content: str | bytes) -> WordList:
    path = folder / "words.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_words(path)


def refused(folder: Path, content: str | bytes) -> str:
    with pytest.raises(UnreadableFile) as caught:
        words(folder, content)
    return str(caught.value)


def test_words_of_either_class_are_kept_in_lower_case(tmp_path: Path) -> None:
    found = words(tmp_path, GOOD)

    assert (found.positive, found.negative) == ({"good"}, {"bad"})


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n"),
        GOOD + "\n,,,\n  \n".replace("  ", ",,,"),
        GOOD + "GOOD,0,2012,0\n",
        "positive, word ,NEGATIVE\n2009,Good,\n,bad,2009.0\n",
    ],
    ids=["mark", "windows", "empty_rows", "the_same_twice", "other_order"],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, content: str | bytes) -> None:
    found = words(tmp_path, content)

    assert (found.positive, found.negative) == ({"good"}, {"bad"})


def test_a_negative_year_takes_a_word_out(tmp_path: Path) -> None:
    found = words(tmp_path, GOOD + "MILD,0,-2020,0\n")

    assert "mild" not in found.positive | found.negative


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no columns called 'Word'"),
        ("Word,Positive\nGOOD,1\n", "has no columns called 'Negative'"),
        ("Word,Positive,Negative,positive\n", "has 2 columns called 'Positive'"),
        (GOOD + "FINE,0,often,0\n", "words.csv:5: 'often' in column 'Positive' is no year"),
        (GOOD + "FINE,0,nan,0\n", "words.csv:5: 'nan' in column 'Positive' is no year"),
        (GOOD + "FINE,inf,0,0\n", "words.csv:5: 'inf' in column 'Negative' is no year"),
        (GOOD + "FINE,0\n", "words.csv:5: has 2 cells, the header 4"),
        (GOOD + "FINE,2009,2009,0\n", "words.csv:5: 'FINE' is both positive and negative"),
        (GOOD + "good,2009,0,0\n", "words.csv:5: 'good' stood above and meant otherwise"),
        (GOOD + "VERY GOOD,0,2009,0\n", "words.csv:5: 'very good' is not one word"),
        (GOOD + ",0,2009,0\n", "words.csv:5: '' is not one word"),
        (GOOD + '"FINE,0,2009,0\n', "words.csv:5: unexpected end of data"),
        ("Word,Positive,Negative\nBAD,0,1\n", "no word of it is positive"),
        ("Word,Positive,Negative\nGOOD,1,0\n", "no word of it is negative"),
        (GOOD.encode() + b"D\xc9J\xc0,0,2009,0\n", "words.csv:5: is not written in UTF-8"),
        (GOOD.encode("utf-16"), "words.csv:1: is not written in UTF-8"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_line(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    assert said in refused(tmp_path, content)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"nowhere\.csv: No such file"):
        read_words(tmp_path / "nowhere.csv")
    with pytest.raises(UnreadableFile, match="Is a directory"):
        read_words(tmp_path)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Good gains", 1.0),
        ("A good year", 1 / 3),
        ("good loss", 0.0),
        ("not good", -1 / 2),
        ("It isn\u2019t any GOOD", -1 / 4),
        ("not in any way good", 1 / 5),
        ("no loss", -1 / 2),  # Loughran and McDonald: what is bad stays bad
        ("12 % of 30", 0.0),
        ("", 0.0),
    ],
)
def test_tone_is_the_share_of_words(text: str, score: float) -> None:
    assert SCORER.score([text]) == pytest.approx(score)


@given(st.lists(st.sampled_from(["good", "bad", "not", "the", "gains", "loss"]), max_size=12))
def test_score_is_bounded_and_case_says_nothing(told: Sequence[str]) -> None:
    text = " ".join(told)

    assert -1 <= SCORER.score([text]) <= 1
    assert SCORER.score([text.upper()]) == SCORER.score([text])
