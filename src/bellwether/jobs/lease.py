"""Who may work: one process at a time, and the next as soon as it has ended, however it ended.

Both leases are held by something that ends with its process: an open file, or a connection.
"""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from bellwether.core.errors import StorageError, Unavailable

LOCK = 0x6A6F6273  # "jobs": an advisory lock of the database that the runs lie in
DEADLINE_S = 5


class Lease(Protocol):
    """The right to work. Used by one thread at a time."""

    def take(self) -> bool:
        """Take it, or see that it is still ours; False while another process has it."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


class FileLease:
    """A lock on a file, which the kernel lets go of when the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def take(self) -> bool:
        """Take it, or see that it is still ours."""
        if self._file is not None:
            return True
        try:
            file = self._path.open("ab")
        except OSError as error:
            raise StorageError("jobs", f"{self._path}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
            self._file = None


class PostgresLease:
    """An advisory lock of a session, which PostgreSQL lets go of when the connection ends."""

    def __init__(self, url: sa.URL) -> None:
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: Any = None

    def take(self) -> bool:
        """Take it, or see that it is still ours; one that was lost with its connection is retaken."""
        import psycopg

        try:
            if self._connection is not None and self._alive():
                return True
            self._connection = psycopg.connect(
                self._conninfo, autocommit=True, application_name="bellwether-jobs"
            )
            self._connection.execute(f"SET statement_timeout = '{DEADLINE_S}s'")
            found = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        except psycopg.Error as error:
            self.release()
            raise Unavailable("jobs", str(error).strip().splitlines()[0]) from error
        if found is not None and found[0]:
            return True
        self.release()
        return False

    def _alive(self) -> bool:
        import psycopg

        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give it back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()
