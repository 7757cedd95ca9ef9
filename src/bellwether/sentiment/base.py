"""What all scorers share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from bellwether.core.types import Tone

NEGATION_REACH = 3
APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "\uff07": "'"})
POSITIVE, NEGATIVE, NEUTRAL = "positive", "negative", "neutral"


class Scorer(ABC):
    """The SentimentScorer port, but for what each text sounds like."""

    method: str
    instant = True
    standing: tuple[str, ...] = ()

    @abstractmethod
    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """Return what each text sounds like."""

    def score_each(self, texts: Sequence[str]) -> list[float]:
        """Return the score of each text, in [-1, 1]."""
        return [tone.score for tone in self.tones(texts)]

    def score(self, texts: Sequence[str]) -> float | None:
        """Return the mean score of `texts`, in [-1, 1]; None for no texts.

        The order of the texts does not matter to the last bit.
        """
        return math.fsum(self.score_each(texts)) / len(texts) if texts else None

    def ping(self) -> None:
        """Do nothing: what it needs was loaded when it was made."""
        return


def counted(score: float) -> Tone:
    """Return the tone of a text whose words were counted: its sign says which, 0.0 is neutral."""
    return Tone(score, POSITIVE if score > 0 else NEGATIVE if score < 0 else NEUTRAL)
