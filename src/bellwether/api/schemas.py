"""The bodies that cross the HTTP door: field names, order, rules and meanings.

The names are a contract with callers. Values inside the platform live in `core.types`; these are
their outside, so that a change in there never changes the wire by accident.
"""

import re
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bellwether.core.errors import InvalidRequest
from bellwether.core.types import Prediction, PredictionRequest

SYMBOL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9.\-^=]{0,15}$"
MAX_HEADLINES = 100
MAX_HEADLINE_CHARS = 1_000
MAX_USER_ID_CHARS = 128
MAX_HORIZON_SESSIONS = 252
ID_PATTERN = r"^[A-Za-z0-9\-]{1,64}$"

_SYMBOL = re.compile(SYMBOL_PATTERN.removesuffix("$"))
_ID = re.compile(ID_PATTERN.removesuffix("$"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Fraction = Annotated[float, Meta(description="A fraction: 0.01 is one percent.")]
Headline = Annotated[
    str,
    Meta(
        extra_json_schema={"maxLength": MAX_HEADLINE_CHARS, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
    ),
]


class PredictBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question about one symbol."""

    symbol: Annotated[
        str,
        Meta(
            description="The symbol asked about, in either case.",
            extra_json_schema={"pattern": SYMBOL_PATTERN, "maxLength": 16},
        ),
    ]
    news_headlines: Annotated[
        list[Headline],
        Meta(
            description="Headlines to score for mood, newest first.",
            extra_json_schema={"maxItems": MAX_HEADLINES},
        ),
    ] = []
    user_id: Annotated[
        str | None,
        Meta(
            description="Who asks; printable characters, kept with the prediction.",
            extra_json_schema={"maxLength": MAX_USER_ID_CHARS},
        ),
    ] = None
    horizon_sessions: Annotated[
        int, Meta(ge=1, le=MAX_HORIZON_SESSIONS, description="How many sessions ahead.")
    ] = 1
    explain: Annotated[bool, Meta(description="Also return each feature's contribution.")] = False


class IntervalBody(msgspec.Struct, frozen=True):
    """A prediction interval for the price."""

    lower: float
    upper: float
    coverage: Annotated[float, Meta(description="The share of outcomes it was built to hold.")]
    coverage_realised: Annotated[
        float | None,
        Meta(description="The share of walk-forward outcomes it did hold; null if too few."),
    ]


class SentimentBody(msgspec.Struct, frozen=True):
    """The mood of the headlines."""

    score: Annotated[
        float | None,
        Meta(description="-1 to 1; null without headlines, and where nobody could score them."),
    ]
    method: Annotated[str, Meta(description="Who scores, by version or hash; `none` for nobody.")]
    n_headlines: int
    used_by_model: Annotated[
        bool, Meta(description="Whether the forecast is another for the headlines.")
    ]


class SkillBody(msgspec.Struct, frozen=True):
    """How this model did on this symbol, out of sample, beside its best baseline."""

    directional_accuracy: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    baseline: str | None
    baseline_accuracy: float | None
    shown: Annotated[
        bool,
        Meta(
            description="True only where the gates show skill of the release, and its calls here "
            "beat the baseline's beyond chance."
        ),
    ]


class PredictAnswer(msgspec.Struct, frozen=True):
    """A forecast, where it came from and how far it can be trusted."""

    prediction_id: Annotated[str, Meta(description="Names the stored record; see /predictions.")]
    symbol: str
    as_of: Annotated[date, Meta(description="The last session that was known.")]
    horizon_sessions: int
    last_price: float
    expected_return: Annotated[
        float, Meta(description="Simple return from the next open, a fraction.")
    ]
    predicted_price: float
    probability_up: Fraction
    direction: Literal["up", "down", "flat"]
    interval: IntervalBody | None
    release: Annotated[str, Meta(description="The release that answered, by content hash.")]
    arm: str
    sentiment: SentimentBody
    features: Annotated[
        dict[str, float | None], Meta(description="Null where the bars cannot tell it.")
    ]
    feature_ages_sessions: dict[str, int]
    skill: SkillBody
    explanation: Annotated[
        dict[str, float] | None, Meta(description="Contributions that add up to the forecast.")
    ]
    degraded: Annotated[tuple[str, ...], Meta(description="What was missing or stale.")]
    latency_ms: float


class Component(msgspec.Struct, frozen=True):
    """One part of the platform."""

    status: Literal["healthy", "degraded", "down"]
    detail: str
    latency_ms: float | None


class HealthReport(msgspec.Struct, frozen=True):
    """The state of the platform and of its parts."""

    status: Literal["healthy", "degraded", "down"]
    components: dict[str, Component]


class BacktestReport(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """What the model earned on one symbol, out of sample and after costs, beside its baselines."""

    symbol: str
    first: date
    last: date
    n: int
    metrics: dict[str, float | list[float] | None]
    baselines: dict[str, dict[str, float | list[float] | None]]
    costs: dict[str, Any]
    release: str | None


def request_of(body: PredictBody) -> PredictionRequest:
    """Check what types alone cannot, and return the question.

    Raises
    ------
    InvalidRequest
        Naming the first field that breaks its rule.
    """
    headlines = body.news_headlines
    if len(headlines) > MAX_HEADLINES:
        why = f"at most {MAX_HEADLINES} headlines, {len(headlines)} were sent"
        raise InvalidRequest("news_headlines", why)
    for place, headline in enumerate(headlines):
        _check_headline(f"news_headlines[{place}]", headline)
    user = body.user_id
    if user is not None and (len(user) > MAX_USER_ID_CHARS or not user.isprintable()):
        raise InvalidRequest("user_id", f"at most {MAX_USER_ID_CHARS} printable characters")
    return PredictionRequest(
        symbol=checked_symbol(body.symbol),
        horizon_sessions=body.horizon_sessions,
        news_headlines=tuple(headlines),
        user_id=user,
        explain=body.explain,
    )


def checked_symbol(text: str) -> str:
    """Return `text` as a symbol in capitals; raises InvalidRequest where it cannot be one."""
    if not _SYMBOL.fullmatch(text):
        why = "1 to 16 letters, digits and . - ^ =, beginning with a letter or digit"
        raise InvalidRequest("symbol", why)
    return text.upper()


def checked_id(text: str) -> str:
    """Return `text` as the id of a record; raises InvalidRequest where it cannot be one."""
    if not _ID.fullmatch(text):
        raise InvalidRequest("prediction_id", "1 to 64 letters, digits and hyphens")
    return text


def answer_of(prediction: Prediction, latency_ms: float) -> PredictAnswer:
    """Dress `prediction` for the wire."""
    p, s, k = prediction, prediction.sentiment, prediction.skill
    return PredictAnswer(
        p.prediction_id,
        p.symbol,
        p.as_of,
        p.horizon_sessions,
        p.last_price,
        p.expected_return,
        p.predicted_price,
        p.probability_up,
        p.direction.value,
        _interval(prediction),
        p.release,
        p.arm.value,
        SentimentBody(s.score, s.method, s.n_headlines, s.used_by_model),
        p.features,
        p.feature_ages_sessions,
        SkillBody(
            k.directional_accuracy,
            k.ci_low,
            k.ci_high,
            k.n,
            k.baseline,
            k.baseline_accuracy,
            k.shown,
        ),
        p.explanation,
        p.degraded,
        latency_ms,
    )


def _interval(prediction: Prediction) -> IntervalBody | None:
    i = prediction.interval
    return None if i is None else IntervalBody(i.lower, i.upper, i.coverage, i.coverage_realised)


def _check_headline(field: str, headline: str) -> None:
    if len(headline) > MAX_HEADLINE_CHARS:
        why = f"at most {MAX_HEADLINE_CHARS} characters, {len(headline)} were sent"
        raise InvalidRequest(field, why)
    if _CONTROL.search(headline):
        raise InvalidRequest(field, "control characters are not text")
