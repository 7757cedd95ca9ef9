"""How the headlines of a request sound, without holding up other requests."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from bellwether.core.errors import BellwetherError
from bellwether.core.ports import SentimentScorer
from bellwether.core.types import Sentiment
from bellwether.telemetry import STAGE_SECONDS

AWAY = "sentiment_away"
NOBODY = "none"
_STAGE = STAGE_SECONDS.labels("sentiment")


async def mood(scorer: SentimentScorer, texts: Sequence[str]) -> tuple[Sentiment, tuple[str, ...]]:
    """Return the mood of `texts`, and the reasons why it is less than it could be.

    What takes more than microseconds is worked on a thread. A scorer that cannot be used gives no
    score and the reason `sentiment_away`; the forecast goes on without.
    """
    begun = perf_counter()
    found = (
        _read(scorer, texts) if scorer.instant else await asyncio.to_thread(_read, scorer, texts)
    )
    _STAGE.observe(perf_counter() - begun)
    return found


def _read(scorer: SentimentScorer, texts: Sequence[str]) -> tuple[Sentiment, tuple[str, ...]]:
    try:
        score, method, standing = scorer.score(texts), scorer.method, scorer.standing
    except BellwetherError:
        score, method, standing = None, NOBODY, (AWAY,)
    told = Sentiment(score, method, len(texts), used_by_model=False)
    return told, standing if texts else ()
