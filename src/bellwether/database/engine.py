"""Connecting to SQLite or PostgreSQL, with durable commits and an end to every wait."""

from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bellwether.core.errors import ConfigError, Overloaded, StorageError, Unavailable
from bellwether.telemetry import DATABASE_CONNECTIONS

CONNECT_TIMEOUT_S = 2
READ_DEADLINE_S = 5.0
POOL_WAIT_S = 2.0

T = TypeVar("T")


def connect(url: str, pool: int = 4, deadline_s: float | None = READ_DEADLINE_S) -> sa.Engine:
    """Return an engine; nothing is connected yet.

    On SQLite every connection writes ahead with ``synchronous=FULL``: a commit returns after the
    log is on disk, which is what lets an acknowledged prediction survive a power cut. On
    PostgreSQL a pool keeps up to `pool` connections, tries one before it is used, and gives each
    call `deadline_s` seconds, also where the server hangs and its socket stays open.

    Raises
    ------
    ConfigError
        If `url` is not an address of SQLite or of PostgreSQL by psycopg.
    """
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError as error:
        raise ConfigError("database_url", "it is not a database address") from error
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        engine = sa.create_engine(parsed)
        sa.event.listen(engine, "connect", _durable)
        return engine
    if parsed.drivername not in ("postgresql", "postgresql+psycopg"):
        why = f"{parsed.drivername} is not supported; use sqlite:/// or postgresql+psycopg://"
        raise ConfigError("database_url", why)
    return sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        creator=lambda: open_postgres(parsed, deadline_s),
        pool_size=pool,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,
    )


def open_postgres(url: sa.URL, deadline_s: float | None, *, autocommit: bool = False) -> Any:
    """Open one psycopg connection whose calls end after `deadline_s` seconds."""
    import psycopg

    class Patient(psycopg.Connection[Any]):
        """A connection that does not wait for ever."""

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, deadline_s if timeout is None else timeout)
            except psycopg.OperationalError:
                self.close()  # what still runs on it belongs to nobody
                raise

    parts: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": "bellwether",
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
        **{key: str(value) for key, value in url.query.items()},
    }
    given = {key: value for key, value in parts.items() if value}
    connection = Patient.connect(autocommit=autocommit, **given)
    DATABASE_CONNECTIONS.inc()
    return connection


def _durable(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    DATABASE_CONNECTIONS.inc()


def fault(error: Exception, store: str = "database") -> StorageError:
    """Turn a database error into ours: away, overloaded, or a statement that failed."""
    if isinstance(error, PoolTimeout):
        return Overloaded(store, 0)
    said = getattr(error, "orig", None) or error
    lines = str(said).strip().splitlines() or [type(said).__name__]
    if is_away(said) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return Unavailable(store, lines[0])
    return StorageError(store, lines[0])


def is_away(error: BaseException) -> bool:
    """Say whether a PostgreSQL error means that the server is not there or going.

    These are lost connections, deadlines that passed (no SQLSTATE), and the classes 08
    (connection), 53 (resources) and 57P (the operator intervened).
    """
    import psycopg

    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    state = error.sqlstate
    return state is None or state.startswith(("08", "53", "57P"))
