"""Every scored fit."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "trials",
        sa.Column("trial_id", sa.String(64), primary_key=True),
        sa.Column("study_id", sa.String(64), nullable=False, index=True),
        sa.Column("configuration", sa.String(64), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("label", sa.String(64), nullable=False, index=True),
        sa.Column("data", sa.String(64), nullable=False),
        sa.Column("watermark", sa.BigInteger, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("metrics", sa.Text, nullable=False),
        sa.Column("returns", sa.LargeBinary),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("trials")
