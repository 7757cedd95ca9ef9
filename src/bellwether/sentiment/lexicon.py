"""Sentiment of headlines by counting words that investors read as good or bad."""

import re
from collections.abc import Sequence

from bellwether.sentiment.words import NEGATIONS, NEGATIVE, PHRASES, POSITIVE

_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_PHRASE = re.compile("|".join(sorted(map(re.escape, PHRASES), key=len, reverse=True)))
REACH = 3


class LexiconScorer:
    """Scores a text as (good - bad) / (good + bad) over exact inflections; 0.0 without either.

    A negation among the three words before turns a word round. Known the moment the text is;
    nothing is learned, so no text can leak.

    Examples
    --------
    >>> LexiconScorer().score(["Strong earnings", "Earnings were not good."])
    0.0
    """

    method = "lexicon-v1"

    def score(self, texts: Sequence[str]) -> float | None:
        """Return the mean score in [-1, 1] of `texts`; None for no texts."""
        if not texts:
            return None
        return sum(map(_score, texts)) / len(texts)


def _score(text: str) -> float:
    lowered = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    signs = [PHRASES[found] for found in _PHRASE.findall(lowered)]
    words = _WORD.findall(_PHRASE.sub(" ", lowered))
    for i, word in enumerate(words):
        sign = (word in POSITIVE) - (word in NEGATIVE)
        if sign:
            turned = any(w in NEGATIONS for w in words[max(0, i - REACH) : i])
            signs.append(-sign if turned else sign)
    return sum(signs) / len(signs) if signs else 0.0
