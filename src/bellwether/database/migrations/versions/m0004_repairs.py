"""Repaired cells of bars, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "repairs",
        sa.Column("repair_id", sa.String(64), primary_key=True),
        sa.Column("applied_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("watermark", sa.BigInteger, nullable=False),
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


def downgrade() -> None:
    """Drop the table; the revisions that the repairs made stay in the lake."""
    op.drop_table("repairs")
