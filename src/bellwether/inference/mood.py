"""How the headlines of a request sound, without holding up other requests."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from bellwether.core.errors import BellwetherError
from bellwether.core.ports import SentimentScorer
from bellwether.core.types import Sentiment
from bellwether.telemetry import STAGE_SECONDS

AWAY = "sentiment_away"
NOBODY = "none"
LANES = 2
_STAGE = STAGE_SECONDS.labels("sentiment")
# Threads of their own: long lists of headlines leave those of the event loop to reads.
_lanes = ThreadPoolExecutor(LANES, thread_name_prefix="mood")

Mood = tuple[Sentiment, tuple[str, ...]]


async def mood(scorer: SentimentScorer, texts: Sequence[str]) -> Mood:
    """Return the mood of `texts`, and the reasons why it is less than it could be.

    What takes more than microseconds is worked on a thread, and is not asked about no texts. A
    scorer that cannot be used gives no score, the method `none` and the reason `sentiment_away`;
    the forecast goes on without.
    """
    begun = perf_counter()
    if scorer.instant:
        found = _read(scorer, texts)
    elif not texts:
        found = _nobody(texts)
    else:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(_lanes, _read, scorer, texts)
    _STAGE.observe(perf_counter() - begun)
    return found


def _read(scorer: SentimentScorer, texts: Sequence[str]) -> Mood:
    try:
        score, method, standing = scorer.score(texts), scorer.method, scorer.standing
    except BellwetherError:
        return _nobody(texts, AWAY)
    return Sentiment(score, method, len(texts), used_by_model=False), standing if texts else ()


def _nobody(texts: Sequence[str], *reasons: str) -> Mood:
    return Sentiment(None, NOBODY, len(texts), used_by_model=False), reasons
