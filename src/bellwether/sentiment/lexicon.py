"""Tone of short financial texts by a word list: fast, explainable, and no download."""

import re
from collections.abc import Iterable, Mapping, Sequence

from bellwether.core.types import Tone
from bellwether.sentiment import words
from bellwether.sentiment.base import APOSTROPHES, NEGATION_REACH, Scorer, counted

TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+|[.!?;]+(?!\d)")
SENTENCE_END = ".!?;"

NOTHING, NEGATES = 0, 2
"""What a phrase can mean besides a tone of +1 or -1."""


def _by_first_word(
    meanings: Iterable[tuple[frozenset[tuple[str, ...]], int]],
) -> Mapping[str, tuple[tuple[tuple[str, ...], int], ...]]:
    found: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for phrases, meaning in meanings:
        for phrase in phrases:
            found.setdefault(phrase[0], []).append((phrase, meaning))
    longest_first = {
        first: sorted(entries, key=lambda entry: (-len(entry[0]), entry[0]))
        for first, entries in found.items()
    }
    return {first: tuple(entries) for first, entries in longest_first.items()}


TONE: Mapping[str, int] = {
    **dict.fromkeys(words.POSITIVE, 1),
    **dict.fromkeys(words.NEGATIVE, -1),
}
PHRASES = _by_first_word(
    (
        (words.POSITIVE_PHRASES, 1),
        (words.NEGATIVE_PHRASES, -1),
        (words.NEUTRAL_PHRASES, NOTHING),
        (words.NEGATING_PHRASES, NEGATES),
    )
)


class LexiconScorer(Scorer):
    """Score texts by counting words of good and bad tone.

    Words match exactly as inflected, ignoring case; a phrase is taken before its words. A
    negation (not, never, without, isn't, ...) up to three words before, in the same sentence,
    turns a tone around; "fails to" and its like count as bad and turn around what follows.
    A text scores (good - bad) / (good + bad), 0.0 where it has neither. Counting tone by lists
    of inflections, with negation: Loughran and McDonald (2011); the lists here are our own.

    Examples
    --------
    >>> scorer = LexiconScorer()
    >>> scorer.score(["Strong earnings"]), scorer.score(["Earnings were not good."])
    (1.0, -1.0)
    >>> scorer.score(["Shares plunge on earnings miss", "The board met on Tuesday"])
    -0.5
    >>> scorer.score([]) is None
    True
    """

    method = "lexicon-v1"

    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """Return what each text sounds like; any characters are safe."""
        return [counted(score_text(text)) for text in texts]


def score_text(text: str) -> float:
    """Score one text in [-1, 1]; 0.0 where no word of it has a tone.

    Examples
    --------
    >>> score_text("Profit warning despite record revenue")
    0.0
    """
    tones = _tones(TOKEN.findall(text.translate(APOSTROPHES).lower()))
    return sum(tones) / len(tones) if tones else 0.0


def _tones(tokens: list[str]) -> list[int]:
    """List the tones met, +1 or -1 each, negation applied."""
    tones: list[int] = []
    at, negated_until = 0, -1
    while at < len(tokens):
        token = tokens[at]
        meaning, length = _meaning(tokens, at)
        if meaning == NEGATES:
            tones.extend([-1] if token in words.NEGATIVE else [])
            negated_until = at + length - 1 + NEGATION_REACH
        elif meaning != NOTHING:
            tones.append(-meaning if at <= negated_until else meaning)
        elif token[0] in SENTENCE_END:
            negated_until = -1
        at += length
    return tones


def _meaning(tokens: list[str], at: int) -> tuple[int, int]:
    """Return what begins at `at`, phrases first, and how many tokens it takes."""
    token = tokens[at]
    for phrase, meaning in PHRASES.get(token, ()):
        if tuple(tokens[at : at + len(phrase)]) == phrase:
            return meaning, len(phrase)
    if token in words.NEGATIONS or token.endswith("n't"):
        return NEGATES, 1
    return TONE.get(token, NOTHING), 1
