"""Frozen values that cross doors between packages.

Prices are in USD per share on the scale of their day unless a name says otherwise, returns are
fractions (0.01 is one percent), and instants are timezone-aware UTC.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Direction(StrEnum):
    """Which way the total-return price is expected to move."""

    UP = "up"
    DOWN = "down"
    FLAT = "flat"


class Adjustment(StrEnum):
    """What prices and volume hold already when they arrive.

    Nothing (as traded); splits (both are on the share basis of the newest day); or splits and
    dividends, as vendors ship adjusted prices, with a volume on a basis that nobody states.
    """

    NONE = "none"
    SPLITS = "splits"
    TOTAL = "total"


MIXED = "mixed"
"""The adjustment of a series whose bars contradict each other in it."""


class Arm(StrEnum):
    """The part a release plays when it answers."""

    CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Bar:
    """One session of one symbol, known after the session's close; as traded unless `adjustment` says.

    `split_ratio` is shares after per share before with ex-date at this session (2.0 for 2:1, 1.0
    for none); `dividend_usd` is the cash dividend per share with ex-date at this session.
    Where `adjustment` says that prices hold them already they are information only.
    """

    symbol: str
    session: date
    open: float
    high: float
    low: float
    close: float
    volume: float
    split_ratio: float = 1.0
    dividend_usd: float = 0.0
    adjustment: str = Adjustment.NONE


@dataclass(frozen=True, slots=True)
class FeatureVector:
    """The features of one symbol after one session.

    `values` are little-endian float64 bytes in the view's column order, so that a vector that was
    stored, sent or replayed is compared as bytes.
    """

    symbol: str
    session: date
    view: str
    watermark: datetime
    values: bytes
    last_close: float


@dataclass(frozen=True, slots=True)
class OnlineEntry:
    """A vector as the online store keeps it: when it was put there and how many bytes it takes."""

    vector: FeatureVector
    written_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class OnlineCensus:
    """What an online store holds: entries by view version, their bytes, entries held in memory."""

    kind: str
    entries: dict[str, int]
    size_bytes: int
    held: int


class Freshness(StrEnum):
    """How old a vector is: of the last closed session, older, older than its view allows, absent."""

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"
    MISSING = "missing"


def freshness(age_sessions: int | None, ttl_sessions: int) -> Freshness:
    """Name the age of a vector; None for one that is not there."""
    if age_sessions is None:
        return Freshness.MISSING
    if age_sessions <= 0:
        return Freshness.FRESH
    return Freshness.STALE if age_sessions <= ttl_sessions else Freshness.EXPIRED


WAITING = "waiting"
"""The status of a request whose prediction is still to be made."""


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """A prediction asked for and not answered yet. `deliveries` counts how often it was taken."""

    request_id: str
    body: bytes
    deliveries: int
    token: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A request that was given up, with the reason."""

    request_id: str
    body: bytes
    why: str
    died_at: datetime


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many requests wait, are being worked on, and were given up."""

    waiting: int
    taken: int
    dead: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A prediction interval for the price, with the coverage it was built for.

    `coverage_realised` is the share of walk-forward outcomes that fell inside intervals built
    the same way from earlier folds only; None when too few were seen.
    """

    lower: float
    upper: float
    coverage: float
    coverage_realised: float | None


@dataclass(frozen=True, slots=True)
class Skill:
    """Out-of-sample directional accuracy of one model on one symbol, beside its best baseline.

    `beats_baseline` is True only where the paired, date-clustered interval of the difference to the
    best baseline lies above zero. `shown` is what the gates say of the release, and never True
    without `beats_baseline`; nothing else sets it. All None and n = 0 where nothing was scored.
    """

    directional_accuracy: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    baseline: str | None
    baseline_accuracy: float | None
    shown: bool
    beats_baseline: bool = False


@dataclass(frozen=True, slots=True)
class Sentiment:
    """The mood of the headlines of one request, in [-1, 1]; None where there were none."""

    score: float | None
    method: str
    n_headlines: int
    used_by_model: bool


@dataclass(frozen=True, slots=True)
class Tone:
    """What one text sounds like: a score in [-1, 1] and a label (positive, negative, neutral).

    Of a model, the three probabilities, which add up to one, and the score is positive - negative;
    None of what counts words.
    """

    score: float
    label: str
    positive: float | None = None
    negative: float | None = None
    neutral: float | None = None


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """A question for one symbol, already checked at the door."""

    symbol: str
    horizon_sessions: int = 1
    news_headlines: tuple[str, ...] = ()
    user_id: str | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer: the forecast, where it came from, and how far it can be trusted.

    `expected_return` is the simple return from the next session's open over the horizon;
    `predicted_price` is `last_price` grown by it. `degraded` lists in words what was missing.
    A feature is None where the bars arrived adjusted and cannot tell it.
    """

    prediction_id: str
    symbol: str
    as_of: date
    horizon_sessions: int
    last_price: float
    expected_return: float
    predicted_price: float
    probability_up: float
    direction: Direction
    interval: Interval | None
    release: str
    arm: Arm
    sentiment: Sentiment
    features: dict[str, float | None]
    feature_ages_sessions: dict[str, int]
    skill: Skill
    explanation: dict[str, float] | None
    degraded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """A prediction as it lies in the log, with what its replay needs."""

    prediction_id: str
    recorded_at: datetime
    symbol: str
    as_of: date
    horizon_sessions: int
    last_price: float
    expected_return: float
    predicted_price: float
    probability_up: float
    direction: str
    interval_lower: float | None
    interval_upper: float | None
    release: str
    arm: str
    view: str
    watermark: datetime
    features: bytes
    request: str
    sentiment_score: float | None
    degraded: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record that was not taken, with its place and the reason."""

    source: str
    location: str
    reason: str
    detail: str
    record: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about accepted data that its owner should know."""

    location: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What one append to the lake did, over all its tables; `rejected` counts what was new."""

    added: int
    revised: int
    unchanged: int
    watermark: datetime
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class CompactResult:
    """What tidying the lake did."""

    files_before: int
    files_after: int
    orphans_dropped: int


@dataclass(frozen=True, slots=True)
class ReleaseFiles:
    """A release in memory: its id, its manifest and its files by name."""

    release_id: str
    manifest: dict[str, object]
    files: dict[str, bytes] = field(repr=False)
