"""Delta tables under one folder or address, read and written the same way wherever they lie."""

import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

import polars as pl
import uuid_utils
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    TableNotFoundError,
)
from deltalake.transaction import AddAction, RemoveAction
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from bellwether.core.errors import StorageError
from bellwether.links.bucket import BucketLink, for_delta, for_objects, for_polars, is_remote

TRIES = 20
ALONE = CommitProperties(max_commit_retries=0)
"""Refuses a commit as soon as any other came after the version that it read."""
RAISED = (DeltaError, OSError, BaseError, pl.exceptions.ComputeError)
ROW_GROUP = 32_768
WRITERS = 4
MANY_FILES = 4
SMALL_BYTES = 32 << 20
MOST_BYTES = MANY_FILES * SMALL_BYTES
RETAIN_HOURS = 24
STALE_MS = 3_600_000
"""Files of an append older than this are written anew: `sweep` might be about to delete them."""

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
        self._known = known
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
        part: str | None,
        landed: Callable[[DeltaTable], bool],
    ) -> None:
        """Append rows, whoever else appends meanwhile; belongs inside `settle`.

        The files are written by Polars, in a third of the time, and committed at once.

        Parameters
        ----------
        name
            The table, created where there is none yet.
        rows
            In the order in which they are to lie.
        part
            The column whose values are the partitions, if any.
        landed
            Tells whether the rows are there: where the answer to a commit was lost, it was made and
            looks like somebody else's.
        """
        there = self.open(name) or self.create(name, rows.clear(), [part] if part else [])
        begun = _millis()
        files = self._files(name, rows, part)
        for _ in range(TRIES):
            try:
                there.create_write_transaction(
                    files, "append", there.schema(), commit_properties=ALONE
                )
            except DeltaError as error:
                if not came_between(error):
                    raise
                conflict = error
            else:
                return
            there = self.open(name) or there
            if landed(there):
                return
            if _millis() - begun > STALE_MS:
                break
        raise conflict

    def merge(
        self, name: str, part: str | None, arranged: Callable[[pl.DataFrame], pl.DataFrame]
    ) -> int:
        """Rewrite small files of a table as one, and return how many they were; 0 where all is well.

        Belongs inside `settle`. Deltalake's own compactions do not notice each other: two at once
        leave every row twice. This commit is refused where any other came since the table was read.

        Parameters
        ----------
        name
            The table.
        part
            The column whose values are the partitions, if any.
        arranged
            Puts the rows into the order in which they are to lie.
        """
        table = self.open(name)
        value, files = ("", []) if table is None else _small(table, part)
        if table is None or not files:
            return 0
        addresses = [f"{self.address(name)}/{path}" for path, _ in files]
        options = self._scanning
        rows = pl.concat([pl.scan_parquet(a, storage_options=options) for a in addresses]).collect()
        new = self._file(name, arranged(rows), part, value, news=False)
        values: dict[str, str | None] = {part: value} if part else {}
        gone = [RemoveAction(path, False, _millis(), size, values) for path, size in files]
        table.create_write_transaction(
            [new, *gone], "append", table.schema(), commit_properties=ALONE
        )
        return len(files)

    def fence(self, name: str) -> None:
        """Let no commit succeed that was prepared on what the table is now. Belongs inside `settle`."""
        table = self.open(name)
        if table is not None:
            table.create_write_transaction([], "append", table.schema(), commit_properties=ALONE)

    def sweep(self, name: str) -> None:
        """Delete files that no reader needs: not in the table for a day, or never. Inside `settle`.

        A writer that had stalled with such a file in hand must not commit it afterwards: the fence
        refuses what it prepared, and `write` does not bring up old files again.
        """
        table = self.open(name)
        if table is None or not _swept(table, dry_run=True):
            return
        self.fence(name)
        _swept(self.open(name) or table, dry_run=False)

    def _files(
        self, name: str, rows: pl.DataFrame, part: str | None
    ) -> list[AddAction | RemoveAction]:
        """Write the partitions side by side."""
        with ThreadPoolExecutor(WRITERS) as pool:
            made = pool.map(lambda p: self._file(name, p[1], part, p[0]), _parts(rows, part))
            return list(made)

    def _file(
        self, name: str, rows: pl.DataFrame, part: str | None, value: str, *, news: bool = True
    ) -> AddAction:
        data = io.BytesIO()
        rows.write_parquet(data, compression="zstd", compression_level=1, row_group_size=ROW_GROUP)
        folder = f"{part}={value}/" if part else ""
        key = uuid_utils.uuid7()
        path = f"{folder}part-{key}.zstd.parquet"
        self._objects.put(f"{name}/{path}", data.getbuffer())
        values = {part: value} if part else {}
        told = json.dumps({"numRecords": rows.height})
        return AddAction(path, data.tell(), values, key.int >> 80, data_change=news, stats=told)

    @cached_property
    def _objects(self) -> LocalStore | S3Store:
        if is_remote(self._root):
            return S3Store.from_url(self._root, **for_objects(self._known))
        return LocalStore(self._root, mkdir=True)

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


def _millis() -> int:
    """Return the milliseconds since 1970, as keys have them."""
    return uuid_utils.uuid7().int >> 80


def _small(table: DeltaTable, part: str | None) -> tuple[str, list[tuple[str, int]]]:
    """Return small files of one partition, with sizes, that are many enough to be made one."""
    found: dict[str, list[tuple[str, int]]] = {}
    for told in pl.DataFrame(table.get_add_actions(flatten=True)).iter_rows(named=True):
        if told["size_bytes"] <= SMALL_BYTES:
            value = str(told[f"partition.{part}"]) if part else ""
            found.setdefault(value, []).append((told["path"], told["size_bytes"]))
    for value, files in sorted(found.items()):
        if len(files) >= MANY_FILES:
            return value, _fitting(sorted(files, key=lambda file: file[1]))
    return "", []


def _fitting(files: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the first files that are no more together than may be read at once."""
    sizes = itertools.accumulate(size for _, size in files)
    return [file for file, size in zip(files, sizes, strict=True) if size <= MOST_BYTES]


def _swept(table: DeltaTable, *, dry_run: bool) -> list[str]:
    return table.vacuum(RETAIN_HOURS, dry_run=dry_run, enforce_retention_duration=False, full=True)


def _parts(rows: pl.DataFrame, part: str | None) -> Iterator[tuple[str, pl.DataFrame]]:
    if part is None:
        yield "", rows
        return
    for (value,), frame in rows.partition_by(part, as_dict=True, include_key=False).items():
        yield str(value), frame
