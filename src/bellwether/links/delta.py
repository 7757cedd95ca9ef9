"""Delta tables under one folder or address, read and written the same way wherever they lie."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    TableNotFoundError,
)

from bellwether.core.errors import StorageError
from bellwether.links.bucket import BucketLink, for_delta, for_polars, is_remote

TRIES = 20
ALONE = CommitProperties(max_commit_retries=0)
"""Refuses a commit as soon as any other came after the version that it read."""
RAISED = (DeltaError, OSError, pl.exceptions.ComputeError)

T = TypeVar("T")


def came_between(error: DeltaError) -> bool:
    """Tell whether a commit was refused because another one had its place."""
    refused = isinstance(error, CommitFailedError | DeltaProtocolError)
    return refused or "already exists" in str(error)


class DeltaTables:
    """The tables of one store.

    Every use of a table, its scan among them, belongs inside `guard` or `settle`, which do not
    nest. Writers do not lock: they commit on the version they read, and try again where another
    came between. On S3 that needs a store that refuses to create an object twice
    (`aws_conditional_put`), as AWS, MinIO and Ceph do.

    Parameters
    ----------
    store
        What people call it.
    url
        Folder or address that the tables lie under.
    options
        Endpoint, region and keys, by the names that Delta gives them; not used for a folder.
    """

    def __init__(self, store: str, url: str, options: Mapping[str, str] | None) -> None:
        self._store = store
        self._root = url.rstrip("/")
        self._link = BucketLink(store, url, RAISED)
        known = options or {}
        self.options = for_delta(known) if is_remote(url) else None
        self._scanning = for_polars(known) if is_remote(url) else None

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Raise what Delta and Polars raise as StorageError, or Unavailable."""
        with self._link.guard():
            yield

    def settle(self, attempt: Callable[[], T]) -> T:
        """Run an optimistic write until no other writer came between.

        Raises
        ------
        StorageError
            If others came between too often, or Delta refuses; Unavailable where it is away.
        """
        with self.guard():
            for _ in range(TRIES):
                try:
                    return attempt()
                except DeltaError as error:
                    if not came_between(error):
                        raise
                    conflict = error
            why = f"gave up after {TRIES} conflicts: {conflict}"
            raise StorageError(self._store, why) from conflict

    def write(
        self,
        name: str,
        rows: pl.DataFrame,
        partitions: list[str] | None,
        landed: Callable[[DeltaTable], bool],
        **how: Any,
    ) -> None:
        """Append rows, whoever else appends meanwhile; belongs inside `settle`.

        `landed` tells whether they are there: where the answer to a commit was lost, it was made
        and looks like somebody else's.
        """
        for _ in range(TRIES):
            there = self.open(name)
            try:
                write_deltalake(
                    there or self.address(name),
                    rows.to_arrow(),
                    mode="append",
                    partition_by=partitions,
                    commit_properties=ALONE,
                    storage_options=None if there else self.options,
                    **how,
                )
            except DeltaError as error:
                if not came_between(error):
                    raise
                conflict = error
            else:
                return
            there = self.open(name)
            if there is not None and landed(there):
                return
        raise conflict

    def address(self, name: str) -> str:
        """Return where a table lies."""
        return f"{self._root}/{name}"

    def open(self, name: str) -> DeltaTable | None:
        """Open a table; None where there is none yet."""
        try:
            return DeltaTable(self.address(name), storage_options=self.options)
        except TableNotFoundError:
            return None

    def create(self, name: str, empty: pl.DataFrame, partitions: list[str]) -> DeltaTable:
        """Create a table with the columns of `empty`, unless another writer just did."""
        return DeltaTable.create(
            self.address(name),
            Schema.from_arrow(empty.to_arrow().schema),
            mode="ignore",
            partition_by=partitions,
            storage_options=self.options,
        )

    def scan(self, table: DeltaTable | None, dtypes: Mapping[str, Any]) -> pl.LazyFrame:
        """Return the rows of a table; none, of these types, where there is no table."""
        if table is None:
            return pl.LazyFrame(schema=dict(dtypes))
        return pl.scan_delta(table, storage_options=self._scanning)
