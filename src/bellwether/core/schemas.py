"""The shape of every frame that crosses a door between packages (Pandera over Polars)."""

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaError, SchemaErrors

from bellwether.core.errors import SchemaViolation

UTC_TIME = pl.Datetime("us", "UTC")
_POSITIVE = pa.Check.gt(0)
_NOT_NEGATIVE = pa.Check.ge(0)

_PRICES = {
    name: pa.Column(pl.Float64, _POSITIVE, nullable=False)
    for name in ("open", "high", "low", "close")
}
_BAR = {
    "symbol": pa.Column(pl.String, pa.Check.str_length(1, 32)),
    "session": pa.Column(pl.Date),
    **_PRICES,
    "volume": pa.Column(pl.Float64, _NOT_NEGATIVE),
    "split_ratio": pa.Column(pl.Float64, _POSITIVE),
    "dividend_usd": pa.Column(pl.Float64, _NOT_NEGATIVE),
}

BARS_IN = pa.DataFrameSchema(
    {
        **_BAR,
        "source": pa.Column(pl.String),
        "event_time": pa.Column(UTC_TIME),
        "knowledge_time": pa.Column(UTC_TIME),
        "knowledge_basis": pa.Column(pl.String),
    },
    strict=True,
    name="bars_in",
    unique=["symbol", "session"],
)
"""Accepted bars of one source, before the lake: raw prices in USD, volume in shares, times UTC.

`event_time` is the close of the session; `knowledge_time` is when the bar could first be known and
`knowledge_basis` says how that is known (`session_close` where it is assumed).
"""

BARS = pa.DataFrameSchema(
    {
        **BARS_IN.columns,
        "ingested_at": pa.Column(UTC_TIME),
        "revision": pa.Column(pl.Int32, _NOT_NEGATIVE),
        "content": pa.Column(pl.String),
    },
    strict=True,
    name="bars",
    unique=["symbol", "session", "source", "revision"],
)
"""Bars in the lake: every revision, never overwritten; `content` is the hash of what was told."""

QUARANTINE = pa.DataFrameSchema(
    {
        "source": pa.Column(pl.String),
        "location": pa.Column(pl.String),
        "reason": pa.Column(pl.String),
        "detail": pa.Column(pl.String),
        "record": pa.Column(pl.String),
        "content": pa.Column(pl.String),
        "ingested_at": pa.Column(UTC_TIME),
    },
    strict=True,
    name="quarantine",
)
"""Rejected records with place and reason; `content` is the hash that makes repeats harmless."""

SERIES = pa.DataFrameSchema(
    {
        "symbol": pa.Column(pl.String),
        "session": pa.Column(pl.Date),
        **_PRICES,
        "volume": pa.Column(pl.Float64, _NOT_NEGATIVE),
        "raw_close": pa.Column(pl.Float64, _POSITIVE),
        "price_factor": pa.Column(pl.Float64, _POSITIVE),
        "volume_factor": pa.Column(pl.Float64, _POSITIVE),
        "carried": pa.Column(pl.Boolean),
        "knowledge_time": pa.Column(UTC_TIME),
    },
    strict=True,
    name="series",
    unique=["symbol", "session"],
)
"""Total-return series adjusted forward from a symbol's first bar, one row each session.

`price_factor` and `volume_factor` lead back to the raw scale of the day: raw = adjusted / factor.
`carried` marks a session without a bar, filled with the last close and no volume.
"""

LABELS = pa.DataFrameSchema(
    {
        "symbol": pa.Column(pl.String),
        "session": pa.Column(pl.Date),
        "decision_at": pa.Column(UTC_TIME),
        "label_start": pa.Column(UTC_TIME, nullable=True),
        "label_known_at": pa.Column(UTC_TIME, nullable=True),
        "log_return": pa.Column(pl.Float64, nullable=True),
    },
    strict=True,
    name="labels",
    unique=["symbol", "session"],
)
"""Log return from the open after the decision to the open h sessions later; null where unknown."""


FLAG_SEVERITIES = ("fault", "suspect", "note")
FLAG_KINDS = (
    "missing_session",
    "stale_repeat",
    "decimal_slip",
    "coarse_rounding",
    "unexplained_jump",
    "missed_split",
    "misdated_split",
    "bad_dividend",
    "zero_volume",
    "inflated_volume",
    "ticker_reuse",
    "source_disagreement",
    "outlier",
    "ohlc_contradiction",
    "out_of_hours",
)

FLAGS = pa.DataFrameSchema(
    {
        "symbol": pa.Column(pl.String),
        "session": pa.Column(pl.Date),
        "kind": pa.Column(pl.String, pa.Check.isin(FLAG_KINDS)),
        "field": pa.Column(pl.String),
        "severity": pa.Column(pl.String, pa.Check.isin(FLAG_SEVERITIES)),
        "score": pa.Column(pl.Float64, _NOT_NEGATIVE),
        "detail": pa.Column(pl.String),
    },
    strict=True,
    name="flags",
    unique=["symbol", "session", "kind", "field"],
)
"""What was found in bars, one row a finding; `session` is the day whose data are meant.

`field` is the column, or "" for the whole bar. `severity`: a "fault" is believed wrong, a "suspect"
is wrong more likely than not, a "note" is true and worth knowing (a real extreme, a halt).
`score` is the robust size of the evidence, larger is worse; scores of two kinds do not compare.
"""


def check(frame: pl.DataFrame, schema: pa.DataFrameSchema) -> pl.DataFrame:
    """Return `frame` with the schema's column order, or raise SchemaViolation naming what broke."""
    try:
        schema.validate(frame)
    except (SchemaError, SchemaErrors) as error:
        raise SchemaViolation(str(schema.name), str(error).splitlines()[0]) from error
    return frame.select(list(schema.columns))
