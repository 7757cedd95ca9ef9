"""The tables. Migrations create them; this module says how the code sees them."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(instant: datetime) -> int:
    """Turn an aware instant into whole microseconds since 1970 UTC."""
    since = instant.astimezone(UTC) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class UtcMicros(TypeDecorator[datetime]):
    """An instant as whole microseconds since 1970 UTC: the same number in every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Turn an aware instant into microseconds."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        """Turn microseconds into an aware instant."""
        if value is None:
            return None
        seconds, micros = divmod(value, 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


ingestions = sa.Table(
    "ingestions",
    metadata,
    sa.Column("ingestion_id", sa.String(36), primary_key=True),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("started_at", UtcMicros, nullable=False),
    sa.Column("finished_at", UtcMicros, nullable=False),
    sa.Column("watermark", UtcMicros, nullable=False),
    sa.Column("read", sa.BigInteger, nullable=False),
    sa.Column("added", sa.BigInteger, nullable=False),
    sa.Column("revised", sa.BigInteger, nullable=False),
    sa.Column("unchanged", sa.BigInteger, nullable=False),
    sa.Column("rejected", sa.BigInteger, nullable=False),
    sa.Column("last_session", sa.Date),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("content", sa.String(64)),
)

materialisations = sa.Table(
    "materialisations",
    metadata,
    sa.Column("view", sa.String(128), primary_key=True),
    sa.Column("watermark", UtcMicros, primary_key=True),
    sa.Column("built_at", UtcMicros, nullable=False),
    sa.Column("symbols", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
)

backtests = sa.Table(
    "backtests",
    metadata,
    sa.Column("backtest_id", sa.String(36), primary_key=True),
    sa.Column("key", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", UtcMicros, nullable=False),
    sa.Column("finished_at", UtcMicros, nullable=False, index=True),
    sa.Column("watermark", UtcMicros, nullable=False),
    sa.Column("symbols", sa.Text, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("result_hash", sa.String(64), nullable=False),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("trial_id", sa.String(64), primary_key=True),
    sa.Column("study_id", sa.String(64), nullable=False, index=True),
    sa.Column("configuration", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", UtcMicros, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("scope", sa.String(64), nullable=False),
    sa.Column("label", sa.String(64), nullable=False, index=True),
    sa.Column("data", sa.String(64), nullable=False),
    sa.Column("watermark", UtcMicros, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),
    sa.Column("returns", sa.LargeBinary),
)

audits = sa.Table(
    "audits",
    metadata,
    sa.Column("audit_id", sa.String(36), primary_key=True),
    sa.Column("subject", sa.String(256), nullable=False, index=True),
    sa.Column("created_at", UtcMicros, nullable=False),
    sa.Column("watermark", UtcMicros),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("report", sa.Text, nullable=False),
)

quality_reports = sa.Table(
    "quality_reports",
    metadata,
    sa.Column("report_id", sa.String(36), primary_key=True),
    sa.Column("ingestion_id", sa.String(36), index=True),
    sa.Column("created_at", UtcMicros, nullable=False, index=True),
    sa.Column("watermark", UtcMicros, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
)

repairs = sa.Table(
    "repairs",
    metadata,
    sa.Column("repair_id", sa.String(64), primary_key=True),
    sa.Column("applied_at", UtcMicros, nullable=False, index=True),
    sa.Column("watermark", UtcMicros, nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("symbol", sa.String(32), nullable=False, index=True),
    sa.Column("session", sa.Date, nullable=False),
    sa.Column("field", sa.String(32), nullable=False),
    sa.Column("was", sa.Double),
    sa.Column("becomes", sa.Double, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("confidence", sa.Double, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.String(36), primary_key=True),
    sa.Column("key", sa.String(64), nullable=False, index=True),
    sa.Column("started_at", UtcMicros, nullable=False),
    sa.Column("finished_at", UtcMicros, nullable=False),
    sa.Column("watermark", UtcMicros, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("mirrored", sa.Boolean, nullable=False),
)

standings = sa.Table(
    "standings",
    metadata,
    sa.Column("standing_id", sa.String(64), primary_key=True),
    sa.Column("release_id", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", UtcMicros, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("skill_shown", sa.Boolean, nullable=False),
    sa.Column("by", sa.String(128), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
)

retrainings = sa.Table(
    "retrainings",
    metadata,
    sa.Column("retraining_id", sa.String(36), primary_key=True),
    sa.Column("key", sa.String(64), nullable=False, index=True),
    sa.Column("scope", sa.String(64), nullable=False, index=True),
    sa.Column("started_at", UtcMicros, nullable=False),
    sa.Column("finished_at", UtcMicros, nullable=False),
    sa.Column("by", sa.String(128), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("champion", sa.String(64), nullable=False),
    sa.Column("release_id", sa.String(64)),
    sa.Column("report", sa.Text, nullable=False),
)

releases = sa.Table(
    "releases",
    metadata,
    sa.Column("release_id", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(36), sa.ForeignKey("runs.run_id"), primary_key=True),
    sa.Column("created_at", UtcMicros, nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("scope", sa.String(64), nullable=False),
    sa.Column("horizon_sessions", sa.Integer, nullable=False),
    sa.Column("symbols", sa.Text, nullable=False),
)

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("prediction_id", sa.String(36), primary_key=True),  # on PostgreSQL collated as bytes
    sa.Column("recorded_at", UtcMicros, nullable=False),
    sa.Column("symbol", sa.String(32), nullable=False),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("horizon_sessions", sa.Integer, nullable=False),
    sa.Column("last_price", sa.Double, nullable=False),
    sa.Column("expected_return", sa.Double, nullable=False),
    sa.Column("predicted_price", sa.Double, nullable=False),
    sa.Column("probability_up", sa.Double, nullable=False),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("interval_lower", sa.Double),
    sa.Column("interval_upper", sa.Double),
    sa.Column("release", sa.String(64), nullable=False),
    sa.Column("arm", sa.String(16), nullable=False),
    sa.Column("view", sa.String(128), nullable=False),
    sa.Column("watermark", UtcMicros, nullable=False),
    sa.Column("features", sa.LargeBinary, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("sentiment_score", sa.Double),
    sa.Column("degraded", sa.Text, nullable=False),
)
