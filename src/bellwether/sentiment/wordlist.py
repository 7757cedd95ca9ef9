"""Tone by a list of words that the user brings, such as that of Loughran and McDonald."""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from bellwether.core.errors import UnreadableFile
from bellwether.core.types import Tone
from bellwether.sentiment.base import APOSTROPHES, NEGATION_REACH, Scorer, counted

COLUMNS = ("word", "positive", "negative")
NEGATIONS = frozenset({"no", "not", "none", "neither", "never", "nobody", "nor", "cannot"})
TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WordList:
    """Words in lower case; `digest` is the SHA-256 of the file they came from."""

    positive: frozenset[str]
    negative: frozenset[str]
    digest: str


class WordListScorer(Scorer):
    """Score texts by a user's list: (positive - negative) / words of the text.

    Words match exactly as inflected, ignoring case. A negation (no, not, never, isn't, ...) up to
    three words before turns a positive word into a negative one; negative words stay negative
    (Loughran and McDonald, 2011). 0.0 for a text without words.
    """

    def __init__(self, words: WordList) -> None:
        self._words = words
        self.method = f"words-{words.digest[:12]}"

    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """Return what each text sounds like; any characters are safe."""
        return [counted(self._score(text)) for text in texts]

    def _score(self, text: str) -> float:
        tokens = TOKEN.findall(text.translate(APOSTROPHES).lower())
        told = sum(self._tone(tokens, at) for at in range(len(tokens)))
        return told / len(tokens) if tokens else 0.0

    def _tone(self, tokens: Sequence[str], at: int) -> int:
        if tokens[at] in self._words.negative:
            return -1
        if tokens[at] not in self._words.positive:
            return 0
        before = tokens[max(0, at - NEGATION_REACH) : at]
        return -1 if any(t in NEGATIONS or t.endswith("n't") for t in before) else 1


def read_words(path: Path) -> WordList:
    """Read a CSV with columns Word, Positive and Negative; others are left alone.

    A word belongs to a class from the year given there: 0 or nothing means that it never did, a
    negative year that it was taken out.

    Raises
    ------
    UnreadableFile
        Naming the line: the file is missing or no UTF-8, a column or every word is missing, a year
        is no number, a word is not one word, stands in both classes, or stands twice and differs.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UnreadableFile(str(path), error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(path.name, "is not written in UTF-8", line) from error
    found: dict[str, int] = {}
    for line, row in _rows(path.name, text):
        word, tone = _word(path.name, line, row), _class(path.name, line, row)
        if found.setdefault(word, tone) != tone:
            raise UnreadableFile(path.name, f"{word!r} stood above and meant otherwise", line)
    positive = frozenset(word for word, tone in found.items() if tone > 0)
    negative = frozenset(word for word, tone in found.items() if tone < 0)
    if not positive or not negative:
        missing = "positive" if not positive else "negative"
        raise UnreadableFile(path.name, f"no word of it is {missing}")
    return WordList(positive, negative, hashlib.sha256(content).hexdigest())


def _rows(file: str, text: str) -> Iterator[tuple[int, Row]]:
    """Yield line and cells of each row that is not empty, by the column's name in lower case."""
    lines = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(lines, [])]
        for name in COLUMNS:
            if header.count(name) != 1:
                why = f"has {header.count(name) or 'no'} columns called {name.capitalize()!r}"
                raise UnreadableFile(file, f"{why}; it needs one each of Word, Positive, Negative")
        for cells in lines:
            if any(cell.strip() for cell in cells):
                if len(cells) != len(header):
                    why = f"has {len(cells)} cells, the header {len(header)}"
                    raise UnreadableFile(file, why, lines.line_num)
                yield lines.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise UnreadableFile(file, str(error), lines.line_num) from error


def _word(file: str, line: int, row: Row) -> str:
    word = row["word"].strip().translate(APOSTROPHES).lower()
    if not TOKEN.fullmatch(word):
        raise UnreadableFile(file, f"{word!r} is not one word", line)
    return word


def _class(file: str, line: int, row: Row) -> int:
    """Return +1, -1, or 0 for a word of neither class."""
    member = {name: _year(file, line, name, row[name]) > 0 for name in COLUMNS[1:]}
    if all(member.values()):
        raise UnreadableFile(file, f"{row['word']!r} is both positive and negative", line)
    return int(member["positive"]) - int(member["negative"])


def _year(file: str, line: int, column: str, cell: str) -> float:
    try:
        year = float(cell.strip() or 0)
    except ValueError:
        year = float("nan")
    if not abs(year) < float("inf"):
        raise UnreadableFile(file, f"{cell!r} in column {column.capitalize()!r} is no year", line)
    return year
