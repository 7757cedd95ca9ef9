"""A scorer that reads its files when it is first asked, and may have another stand in for it."""

import threading
from collections.abc import Callable, Sequence

from bellwether.core.errors import BellwetherError, Unavailable
from bellwether.core.ports import SentimentScorer
from bellwether.core.types import Tone
from bellwether.telemetry import get_logger

FALLEN_BACK = "sentiment_by_lexicon"


class LazyScorer:
    """The SentimentScorer port over one that takes time to load; safe to call from any thread.

    It is loaded once. If that fails, either `instead` answers, and every answer says so, or every
    call raises what was wrong: no score is made up. It stays that way until the process ends.
    """

    instant = False

    def __init__(
        self, load: Callable[[], SentimentScorer], instead: SentimentScorer | None = None
    ) -> None:
        self._load = load
        self._instead = instead
        self._loading = threading.Lock()
        self._outcome: SentimentScorer | BellwetherError | None = None

    @property
    def method(self) -> str:
        """Name what scores."""
        return self._scorer().method

    @property
    def standing(self) -> tuple[str, ...]:
        """Say whether another scorer stands in."""
        return (FALLEN_BACK,) if self._scorer() is self._instead else ()

    def ping(self) -> None:
        """Load, if that was not done; raises what was wrong, and who stands in if anybody does."""
        found = self._found()
        if isinstance(found, BellwetherError):
            if self._instead is not None:
                raise Unavailable("sentiment", f"{self._instead.method} stands in; {found}")
            raise found.with_traceback(None)

    def tones(self, texts: Sequence[str]) -> list[Tone]:
        """Return what each text sounds like."""
        return self._scorer().tones(texts)

    def score_each(self, texts: Sequence[str]) -> list[float]:
        """Return the score of each text, in [-1, 1]."""
        return self._scorer().score_each(texts)

    def score(self, texts: Sequence[str]) -> float | None:
        """Return the mean score in [-1, 1]; None for no texts."""
        return self._scorer().score(texts)

    def _scorer(self) -> SentimentScorer:
        found = self._found()
        if not isinstance(found, BellwetherError):
            return found
        if self._instead is None:
            raise found.with_traceback(None)
        return self._instead

    def _found(self) -> SentimentScorer | BellwetherError:
        with self._loading:
            if self._outcome is None:
                self._outcome = self._tried()
            return self._outcome

    def _tried(self) -> SentimentScorer | BellwetherError:
        try:
            return self._load()
        except BellwetherError as error:
            instead = self._instead.method if self._instead else None
            get_logger(__name__).warning("sentiment_away", why=str(error), instead=instead)
            return error
