"""On PostgreSQL, predictions in partitions by month; SQLite keeps its one table."""

import sqlalchemy as sa
from alembic import op

from bellwether.database.partitions import PARENT, REST, make_month, month_of

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BEFORE = "predictions_before"


def upgrade() -> None:
    """Move the predictions into partitions."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    op.execute(f"ALTER TABLE {PARENT} RENAME TO {BEFORE}")
    op.execute(f"ALTER INDEX {PARENT}_pkey RENAME TO {BEFORE}_pkey")
    # The order of keys must be that of their bytes, whatever the language of the database.
    op.execute(f'ALTER TABLE {BEFORE} ALTER prediction_id TYPE varchar(36) COLLATE "C"')
    op.execute(f"CREATE TABLE {PARENT} (LIKE {BEFORE}) PARTITION BY RANGE (prediction_id)")
    op.execute(f"ALTER TABLE {PARENT} ADD PRIMARY KEY (prediction_id)")
    op.execute(f"CREATE TABLE {REST} PARTITION OF {PARENT} DEFAULT")
    for year, month in _months(connection):
        make_month(connection, year, month)
    op.execute(f"INSERT INTO {PARENT} SELECT * FROM {BEFORE}")  # noqa: S608 - our own names
    op.execute(f"DROP TABLE {BEFORE}")


def _months(connection: sa.Connection) -> list[tuple[int, int]]:
    """List the months from the first to the last prediction."""
    keys = "SELECT min(prediction_id), max(prediction_id) FROM predictions_before WHERE "
    form = "prediction_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-'"
    least, most = connection.execute(sa.text(keys + form)).one()
    first, last = month_of(least or ""), month_of(most or "")
    if first is None or last is None:
        return []
    span = range(first[0] * 12 + first[1] - 1, last[0] * 12 + last[1])
    return [(m // 12, m % 12 + 1) for m in span]


def downgrade() -> None:
    """Put the predictions back into one table."""
    if op.get_bind().dialect.name != "postgresql":
        return
    after = "predictions_by_month"
    op.execute(f"ALTER TABLE {PARENT} RENAME TO {after}")
    op.execute(f"ALTER INDEX {PARENT}_pkey RENAME TO {after}_pkey")
    op.execute(f"CREATE TABLE {PARENT} (LIKE {after})")
    op.execute(f'ALTER TABLE {PARENT} ALTER prediction_id TYPE varchar(36) COLLATE "default"')
    op.execute(f"ALTER TABLE {PARENT} ADD PRIMARY KEY (prediction_id)")
    op.execute(f"INSERT INTO {PARENT} SELECT * FROM {after}")  # noqa: S608 - our own names
    op.execute(f"DROP TABLE {after}")
