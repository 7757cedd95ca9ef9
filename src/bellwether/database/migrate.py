"""Bringing a database to the newest tables, or to older ones."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from bellwether.database.engine import connect, fault

MIGRATIONS = Path(__file__).parent / "migrations"
NOTHING = "0000"
LOCK = 0x62656C6C  # "bell": one migration at a time in a PostgreSQL database


def migrate(url: str, version: str = "head") -> None:
    """Bring the tables to `version`, up or down; safe to call by several processes at once.

    Raises
    ------
    Unavailable
        If the database is away.
    StorageError
        If the database cannot be opened or a migration fails; nothing is changed then.
    """
    engine = connect(url, deadline_s=None)
    try:
        with engine.begin() as connection:
            _lock(connection)
            now = present(connection)
            wanted = {"head": newest(), "base": NOTHING}.get(version, version)
            if (now or NOTHING) != wanted:
                _move(connection, wanted, up=(now or NOTHING) < wanted)
            if connection.dialect.name == "postgresql" and wanted >= "0002":
                from bellwether.database.partitions import ensure_months

                ensure_months(connection)
    except DBAPIError as error:
        raise fault(error) from error
    finally:
        engine.dispose()


def newest() -> str:
    """Return the newest version the code knows."""
    return versions()[-1]


def versions() -> list[str]:
    """List the versions the code knows, oldest first."""
    return sorted(path.name[1:5] for path in (MIGRATIONS / "versions").glob("m[0-9]*.py"))


def present(connection: sa.Connection) -> str | None:
    """Return the version of the tables that are there; None for an empty database."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return str(found) if found else None


def _lock(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _move(connection: sa.Connection, version: str, *, up: bool) -> None:
    from alembic import command
    from alembic.config import Config

    config: Any = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    (command.upgrade if up else command.downgrade)(
        config, "base" if version == NOTHING else version
    )
