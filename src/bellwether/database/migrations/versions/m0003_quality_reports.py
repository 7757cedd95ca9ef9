"""What inspections of the bars found."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; `ingestion_id` is no foreign key: an inspection may stand alone."""
    op.create_table(
        "quality_reports",
        sa.Column("report_id", sa.String(36), primary_key=True),
        sa.Column("ingestion_id", sa.String(36), index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("watermark", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("quality_reports")
