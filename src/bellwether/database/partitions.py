"""Predictions by month on PostgreSQL.

The key of a prediction is a UUIDv7: its first 48 bits are the millisecond it was made in, so the
order of keys is the order of time, and a range of keys is a range of time. Partitions are cut on
the key itself: it stays the primary key, and looking one up touches one partition.
"""

from datetime import UTC, datetime

import sqlalchemy as sa

PARENT = "predictions"
REST = "predictions_rest"
AHEAD = 3


def bound(year: int, month: int) -> str:
    """Return the least key of a month."""
    since = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
    digits = f"{int(since.timestamp()) * 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def month_of(key: str) -> tuple[int, int] | None:
    """Return the month in which the key was made; None where it is no UUIDv7."""
    digits = key[:8] + key[9:13]
    if len(key) != 36 or key[14] != "7":  # noqa: PLR2004 - the form of a UUID
        return None
    try:
        made = datetime.fromtimestamp(int(digits, 16) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return made.year, made.month


def make_month(connection: sa.Connection, year: int, month: int) -> None:
    """Make the partition of a month if it is missing; rows that waited in the rest move into it."""
    name = f"{PARENT}_{year:04d}_{month:02d}"
    if sa.inspect(connection).has_table(name):
        return
    low, high = bound(year, month), bound(year, month + 1)
    within = f"prediction_id >= '{low}' AND prediction_id < '{high}'"
    for statement in (
        f"CREATE TABLE {name} (LIKE {PARENT} INCLUDING ALL)",
        (
            f"WITH moved AS (DELETE FROM {REST} WHERE {within} RETURNING *) "  # noqa: S608
            f"INSERT INTO {name} SELECT * FROM moved"
        ),
        f"ALTER TABLE {PARENT} ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}')",
    ):
        connection.exec_driver_sql(statement)


def ensure_months(connection: sa.Connection) -> None:
    """Make the partitions of this month, by the server's clock, and of those to come."""
    now: datetime = connection.execute(sa.text("SELECT now() AT TIME ZONE 'UTC'")).scalar_one()
    for m in range(now.month, now.month + AHEAD):
        make_month(connection, now.year + (m - 1) // 12, (m - 1) % 12 + 1)
