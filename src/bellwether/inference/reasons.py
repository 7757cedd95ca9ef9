"""Why an answer is less than it could be, counted by kind."""

from bellwether.inference.forecast import LEVEL, OUTSIDE, REFUSED
from bellwether.inference.standing import FAILED
from bellwether.inference.texts import UNREAD
from bellwether.telemetry import DEGRADED_ANSWERS

KINDS = (
    *("sample_data_ends", "clock_stands_at", "made_late"),
    "online_store_away",
    "features_computed_on_request",
    "features_expired",
    "features_stale",
    "history_too_short",
    "no_interval",
    "quality_gate_ignored",
    UNREAD,
    *("sentiment_away", "sentiment_by_lexicon"),
    FAILED,
    REFUSED,
    LEVEL,
    OUTSIDE,
)


def count(reason: str) -> None:
    """Count a reason by its kind: what follows the kind are dates and numbers."""
    kind = next((k for k in KINDS if reason.startswith(k)), "other")
    DEGRADED_ANSWERS.labels(kind).inc()
