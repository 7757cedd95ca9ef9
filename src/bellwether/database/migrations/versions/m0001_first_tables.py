"""Ingestions, materialisations, runs, releases and predictions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    micros = sa.BigInteger
    op.create_table(
        "ingestions",
        sa.Column("ingestion_id", sa.String(36), primary_key=True),
        sa.Column("source", sa.String(64), nullable=False),
        *(sa.Column(c, micros, nullable=False) for c in ("started_at", "finished_at", "watermark")),
        *(
            sa.Column(c, sa.BigInteger, nullable=False)
            for c in ("read", "added", "revised", "unchanged", "rejected")
        ),
        sa.Column("last_session", sa.Date),
    )
    op.create_table(
        "materialisations",
        sa.Column("view", sa.String(128), primary_key=True),
        sa.Column("watermark", micros, primary_key=True),
        sa.Column("built_at", micros, nullable=False),
        sa.Column("symbols", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
    )
    _runs()
    _predictions()


def _runs() -> None:
    micros = sa.BigInteger
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(36), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False, index=True),
        *(sa.Column(c, micros, nullable=False) for c in ("started_at", "finished_at", "watermark")),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("mirrored", sa.Boolean, nullable=False),
    )
    op.create_table(
        "releases",
        sa.Column("release_id", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(36), sa.ForeignKey("runs.run_id"), primary_key=True),
        sa.Column("created_at", micros, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("horizon_sessions", sa.Integer, nullable=False),
        sa.Column("symbols", sa.Text, nullable=False),
    )


def _predictions() -> None:
    doubles = ("last_price", "expected_return", "predicted_price", "probability_up")
    op.create_table(
        "predictions",
        sa.Column("prediction_id", sa.String(36), primary_key=True),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("horizon_sessions", sa.Integer, nullable=False),
        *(sa.Column(c, sa.Double, nullable=False) for c in doubles),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("interval_lower", sa.Double),
        sa.Column("interval_upper", sa.Double),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("arm", sa.String(16), nullable=False),
        sa.Column("view", sa.String(128), nullable=False),
        sa.Column("watermark", sa.BigInteger, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("sentiment_score", sa.Double),
        sa.Column("degraded", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("predictions", "releases", "runs", "materialisations", "ingestions"):
        op.drop_table(table)
