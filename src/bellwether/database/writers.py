"""How rows of predictions reach the disk: one transaction a batch, on a connection of its own."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.types import StoredPrediction
from bellwether.database.engine import fault, is_away, open_postgres
from bellwether.database.partitions import AHEAD, bound, ensure_months, month_of
from bellwether.database.tables import predictions, to_micros
from bellwether.telemetry import get_logger

Row = tuple[Any, ...]
STORE = "database"
NAMES = ", ".join(column.name for column in predictions.columns)
IDS_A_QUERY = 500


class BadRow(StorageError):
    """A row that the table refuses; its companions are not to blame."""

    def __init__(self, why: str) -> None:
        super().__init__("prediction log", f"not stored: {why}")


class Writer(Protocol):
    """Writes batches; used by one thread. Raises BadRow, Unavailable or StorageError."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write all rows or none; they are on disk on return."""
        ...

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which of `ids` are on disk: after a lost connection nobody else knows."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def row_of(p: StoredPrediction) -> Row:
    """Lay a prediction out in the order of the table's columns."""
    return (
        p.prediction_id,
        to_micros(p.recorded_at),
        p.symbol,
        p.as_of,
        p.horizon_sessions,
        p.last_price,
        p.expected_return,
        p.predicted_price,
        p.probability_up,
        p.direction,
        p.interval_lower,
        p.interval_upper,
        p.release,
        p.arm,
        p.view,
        to_micros(p.watermark),
        p.features,
        p.request,
        p.sentiment_score,
        p.degraded,
    )


class SqliteWriter:
    """One connection to the database file, synced fully at each commit."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._kept: Any = None
        places = ", ".join("?" * len(predictions.columns))
        self._insert = f"INSERT INTO predictions ({NAMES}) VALUES ({places})"  # noqa: S608 - our own names

    def write(self, rows: Sequence[Row]) -> None:
        """Write all rows or none."""
        told = [(*r[:3], r[3].isoformat(), *r[4:]) for r in rows]
        try:
            connection = self._connection()
            try:
                connection.executemany(self._insert, told)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            raise BadRow(str(error)) from error
        except (sqlite3.Error, sa.exc.DBAPIError) as error:
            raise _of_sqlite(error) from error

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which of `ids` are on disk."""
        found: set[str] = set()
        for i in range(0, len(ids), IDS_A_QUERY):
            some = ids[i : i + IDS_A_QUERY]
            query = f"SELECT prediction_id FROM predictions WHERE prediction_id IN ({', '.join('?' * len(some))})"  # noqa: S608
            try:
                found |= {row[0] for row in self._connection().execute(query, some)}
            except (sqlite3.Error, sa.exc.DBAPIError) as error:
                raise _of_sqlite(error) from error
        return found

    def close(self) -> None:
        """Give the connection back."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connection(self) -> Any:
        if self._kept is None:
            self._kept = self._engine.raw_connection()
        return self._kept.driver_connection


def _of_sqlite(error: Exception) -> StorageError:
    locked = "locked" in str(error)
    return Unavailable(STORE, str(error)) if locked else StorageError(STORE, str(error))


class PostgresWriter:
    """One psycopg connection: a prepared INSERT for a lone row, binary COPY for more.

    Both are one statement and one transaction, so that a lone prediction costs one round trip.
    """

    def __init__(self, engine: sa.Engine, deadline_s: float) -> None:
        self._engine = engine
        self._deadline_s = deadline_s
        self._kept: Any = None
        self._made_until = ""
        places = ", ".join(["%s"] * len(predictions.columns))
        self._insert = f"INSERT INTO predictions ({NAMES}) VALUES ({places})"  # noqa: S608 - our own names
        self._copy = f"COPY predictions ({NAMES}) FROM STDIN (FORMAT BINARY)"
        self._types = [_type_of(column.type) for column in predictions.columns]

    def write(self, rows: Sequence[Row]) -> None:
        """Write all rows or none."""
        import psycopg

        try:
            connection = self._connection()
            self._make_room(rows[-1][0])
            if len(rows) == 1:
                connection.execute(self._insert, rows[0], prepare=True)
                return
            with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
                copy.set_types(self._types)
                for row in rows:
                    copy.write_row(row)
        except (psycopg.IntegrityError, psycopg.DataError) as error:
            raise BadRow(str(error).splitlines()[0]) from error
        except psycopg.Error as error:
            raise self._lost(error) from error

    def present(self, ids: Sequence[str]) -> set[str]:
        """Return which of `ids` are on disk."""
        import psycopg

        query = "SELECT prediction_id FROM predictions WHERE prediction_id = ANY(%s)"
        try:
            return {row[0] for row in self._connection().execute(query, [list(ids)])}
        except psycopg.Error as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connection(self) -> Any:
        if self._kept is None:
            self._kept = open_postgres(self._engine.url, self._deadline_s, autocommit=True)
        return self._kept

    def _lost(self, error: Exception) -> StorageError:
        if is_away(error):
            self.close()
        return fault(error, STORE)

    def _make_room(self, key: str) -> None:
        """Make the next months before they begin; until then the rest takes what has no month."""
        month = month_of(key) if key >= self._made_until else None
        if month is None:
            return
        self._made_until = bound(month[0], month[1] + AHEAD - 1)
        try:
            with self._engine.begin() as connection:
                ensure_months(connection)
        except sa.exc.SQLAlchemyError as error:
            get_logger(__name__).warning("no_new_partitions", why=str(fault(error)))


def _type_of(kind: sa.types.TypeEngine[Any]) -> str:
    if isinstance(kind, sa.LargeBinary):
        return "bytea"
    if isinstance(kind, sa.Text):
        return "text"
    names = {"String": "varchar", "UtcMicros": "int8", "Date": "date", "Integer": "int4"}
    return names.get(type(kind).__name__, "float8")


def writer_for(engine: sa.Engine, deadline_s: float) -> Writer:
    """Return the writer of the engine's database."""
    if engine.dialect.name == "sqlite":
        return SqliteWriter(engine)
    return PostgresWriter(engine, deadline_s)
