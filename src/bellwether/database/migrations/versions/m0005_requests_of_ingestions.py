"""What each ingestion was asked for, and the hash of what it read."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = ("request", "content")


def upgrade() -> None:
    """Add the columns; ingestions from before say nothing in them."""
    op.add_column(
        "ingestions", sa.Column("request", sa.Text, nullable=False, server_default=sa.text("'{}'"))
    )
    op.add_column("ingestions", sa.Column("content", sa.String(64)))


def downgrade() -> None:
    """Drop the columns and what they say."""
    for column in reversed(COLUMNS):
        op.drop_column("ingestions", column)
