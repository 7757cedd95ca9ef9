"""Connecting, and bringing a database to the newest tables."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from bellwether.core.errors import StorageError

MIGRATIONS = Path(__file__).parent / "migrations"


def connect(url: str) -> sa.Engine:
    """Return an engine; on SQLite every connection writes ahead and syncs fully.

    With ``synchronous=FULL`` a commit returns after the write-ahead log is on disk, which is what
    lets an acknowledged prediction survive a power cut.
    """
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _durable)
    return engine


def _durable(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def migrate(engine: sa.Engine) -> None:
    """Bring the tables to the newest version; safe to call by several processes at once.

    Raises
    ------
    StorageError
        If the database cannot be opened or a migration fails.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            if _version(connection) == newest():
                return
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise StorageError("database", str(error.orig)) from error


def newest() -> str:
    """Return the newest version the code knows."""
    files = sorted((MIGRATIONS / "versions").glob("m[0-9]*.py"))
    return files[-1].name[1:5]


def _version(connection: sa.Connection) -> str | None:
    try:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except OperationalError:
        return None
    return str(found) if found else None
