"""The shape of every frame that crosses a door between packages (Pandera over Polars)."""

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaError, SchemaErrors

from bellwether.core.errors import SchemaViolation
from bellwether.core.types import MIXED, Adjustment

UTC_TIME = pl.Datetime("us", "UTC")
_MOST = 1e300
_POSITIVE = pa.Check.in_range(0, _MOST, include_min=False)  # refuses NaN, which `gt` does not
_NOT_NEGATIVE = pa.Check.in_range(0, _MOST)
_ADJUSTMENTS = [a.value for a in Adjustment]

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

TOLD_BY = {
    "source": pa.Column(pl.String),
    "event_time": pa.Column(UTC_TIME),
    "knowledge_time": pa.Column(UTC_TIME),
    "knowledge_basis": pa.Column(pl.String),
}
KEPT = {
    "ingested_at": pa.Column(UTC_TIME),
    "revision": pa.Column(pl.Int32, _NOT_NEGATIVE),
}

BARS_IN = pa.DataFrameSchema(
    {
        **_BAR,
        "adjustment": pa.Column(pl.String, pa.Check.isin(_ADJUSTMENTS)),
        **TOLD_BY,
    },
    strict=True,
    name="bars_in",
    metadata={"keys": ["symbol", "session"]},
)
"""Accepted bars of one source, before the lake: prices in USD, volume in shares, times UTC.

`adjustment` says what is in prices and volume already: "none" (as traded), "splits" (both are on
the share basis of the newest day, and so is `dividend_usd`) or "total" (splits and dividends).

`event_time` is the close of the session; `knowledge_time` is when the bar could first be known and
`knowledge_basis` says how that is known (`session_close` where it is assumed).
"""

BARS = pa.DataFrameSchema(
    {**BARS_IN.columns, **KEPT},
    strict=True,
    name="bars",
    metadata={"keys": ["symbol", "session", "source", "revision"]},
)
"""Bars in the lake with the actions of their session: every revision, never overwritten.

A revision is a change of the bar or of what is known about its split or dividend.
"""

FACT = {"symbol": pa.Column(pl.String, pa.Check.str_length(1, 32))}

ACTIONS_IN = pa.DataFrameSchema(
    {
        **FACT,
        "session": pa.Column(pl.Date),
        "kind": pa.Column(pl.String, pa.Check.isin(["split", "dividend"])),
        "value": pa.Column(pl.Float64, _NOT_NEGATIVE),
        "adjustment": pa.Column(pl.String, pa.Check.isin(["none", "splits", "total"])),
        **TOLD_BY,
    },
    strict=True,
    name="corporate_actions_in",
    metadata={"keys": ["symbol", "session", "kind"]},
)
"""Splits and dividends by ex-date.

`value` is shares after per share before, or USD per share; a later revision to 1.0 or 0.0 takes an
action back. `adjustment` is that of the bars it came with: `none` means the share basis of the ex-date,
anything else a basis of the source's own.
"""

ACTIONS = pa.DataFrameSchema(
    {**ACTIONS_IN.columns, **KEPT},
    strict=True,
    name="corporate_actions",
    metadata={"keys": ["symbol", "session", "kind", "source", "revision"]},
)
"""Corporate actions in the lake, every revision."""

UNIVERSE_IN = pa.DataFrameSchema(
    {
        "universe": pa.Column(pl.String, pa.Check.str_length(1, 64)),
        **FACT,
        "first": pa.Column(pl.Date),
        "last": pa.Column(pl.Date, nullable=True),
        "end_reason": pa.Column(pl.String, pa.Check.isin(["removed", "delisted"]), nullable=True),
        "delisting_return": pa.Column(pl.Float64, pa.Check.in_range(-1, _MOST), nullable=True),
        **TOLD_BY,
    },
    strict=True,
    name="universe_in",
    metadata={"keys": ["universe", "symbol", "first"]},
)
"""Spells of membership: from session `first` to session `last`, both included.

`last` is null while the name is still in as far as is known; that it left is a later revision.
`delisting_return` is the return of the last session on which it could be sold, null where unknown.
"""

UNIVERSE = pa.DataFrameSchema(
    {**UNIVERSE_IN.columns, **KEPT},
    strict=True,
    name="universe",
    metadata={"keys": ["universe", "symbol", "first", "source", "revision"]},
)
"""Membership in the lake, every revision."""

QUOTES_IN = pa.DataFrameSchema(
    {
        **FACT,
        "quoted_at": pa.Column(UTC_TIME),
        "bid": pa.Column(pl.Float64, _POSITIVE),
        "ask": pa.Column(pl.Float64, _POSITIVE),
        "bid_size": pa.Column(pl.Float64, _NOT_NEGATIVE, nullable=True),
        "ask_size": pa.Column(pl.Float64, _NOT_NEGATIVE, nullable=True),
        **TOLD_BY,
    },
    strict=True,
    name="quotes_in",
    metadata={"keys": ["symbol", "quoted_at"]},
)
"""Best bid and ask in USD per share, sizes in shares, at one instant."""

QUOTES = pa.DataFrameSchema(
    {**QUOTES_IN.columns, **KEPT},
    strict=True,
    name="quotes",
    metadata={"keys": ["symbol", "quoted_at", "source", "revision"]},
)
"""Quotes in the lake, every revision."""

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
        "adjustment": pa.Column(pl.String, pa.Check.isin([*_ADJUSTMENTS, MIXED])),
        "knowledge_time": pa.Column(UTC_TIME),
    },
    strict=True,
    name="series",
    metadata={"keys": ["symbol", "session"]},
)
"""Total-return series adjusted forward from a symbol's first bar, one row each session.

`price_factor` and `volume_factor` lead back to the raw scale of the day: raw = adjusted / factor.
`carried` marks a session without a bar, filled with the last close and no volume. `adjustment`
is what the bars brought along, "mixed" from the first bar on that contradicts the one before.
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
    metadata={"keys": ["symbol", "session"]},
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


REPAIRS = pa.DataFrameSchema(
    {
        "symbol": pa.Column(pl.String),
        "session": pa.Column(pl.Date),
        "field": pa.Column(pl.String),
        "was": pa.Column(pl.Float64, nullable=True),
        "becomes": pa.Column(pl.Float64),
        "kind": pa.Column(pl.String),
        "evidence": pa.Column(pl.String),
        "confidence": pa.Column(pl.Float64, pa.Check.in_range(0, 1)),
    },
    strict=True,
    name="repairs",
    unique=["symbol", "session", "field"],
)
"""Proposed repairs, one row a cell: `was` is null where there was no number. Units as in the bars."""

REPAIRS_LEFT = pa.DataFrameSchema(
    {
        "symbol": pa.Column(pl.String),
        "session": pa.Column(pl.Date),
        "kind": pa.Column(pl.String),
        "evidence": pa.Column(pl.String),
    },
    strict=True,
    name="repairs_left",
)
"""What looks wrong and is left as it is, because the evidence allows more than one value."""


def check(frame: pl.DataFrame, schema: pa.DataFrameSchema) -> pl.DataFrame:
    """Return `frame` with the schema's column order, or raise SchemaViolation naming what broke."""
    try:
        schema.validate(frame)
    except (SchemaError, SchemaErrors) as error:
        raise SchemaViolation(str(schema.name), str(error).splitlines()[0]) from error
    keys = (schema.metadata or {}).get("keys")
    if keys and not _once(frame, keys):
        raise SchemaViolation(str(schema.name), f"rows repeat {', '.join(keys)}")
    return frame.select(list(schema.columns))


def in_order(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Sort by `keys`; rows that are in order, the usual case, are only looked at."""
    return frame if rising(frame, keys) else frame.sort(keys, maintain_order=True)


def _once(frame: pl.DataFrame, keys: list[str]) -> bool:
    """Tell whether no row repeats the keys of another."""
    return rising(frame, keys) or not frame.select(keys).is_duplicated().any()


def rising(frame: pl.DataFrame, keys: list[str]) -> bool:
    """Tell whether each row lies strictly after the one before it."""
    after, same = pl.lit(value=False), pl.lit(value=True)
    for key in keys:
        column = pl.col(key)
        after |= same & (column > column.shift(1)).fill_null(value=False)
        same &= (column == column.shift(1)).fill_null(value=False)
    return frame.height == 0 or bool(frame.select(after.slice(1).all()).item())
