"""Releases as immutable folders named by the hash of their content."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bellwether.core.errors import StorageError
from bellwether.core.types import ReleaseFiles
from bellwether.registry.content import MANIFEST, is_id, opened, seal


class FolderReleases:
    """The ReleaseStore port on a file system.

    A release is written beside its place and renamed into it, so that a reader sees all of it or
    nothing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, files: Mapping[str, bytes], manifest: Mapping[str, object]) -> str:
        """Keep a release and return its id."""
        release_id, text = seal(files, manifest)
        place = self._root / release_id
        if place.exists():
            return release_id
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._root))
            for name, content in {**files, MANIFEST: text}.items():
                _write_synced(draft / name, content)
            _sync_folder(draft)
            _move(draft, place)
            _sync_folder(self._root)
        except OSError as error:
            raise StorageError("releases", str(error)) from error
        return release_id

    def load(self, release_id: str) -> ReleaseFiles:
        """Return a release, every file checked against its hash."""
        place = self._root / release_id

        def read(name: str) -> bytes | None:
            path = place / name
            return path.read_bytes() if path.is_file() else None

        try:
            return opened(release_id, read)
        except OSError as error:
            raise StorageError("releases", str(error)) from error

    def discard(self, release_id: str) -> None:
        """Drop a release, or what is left of it."""
        if is_id(release_id):
            shutil.rmtree(self._root / release_id, ignore_errors=True)

    def ids(self) -> list[str]:
        """List the ids of the releases that are kept."""
        if not self._root.is_dir():
            return []
        return sorted(
            p.name for p in self._root.iterdir() if is_id(p.name) and (p / MANIFEST).is_file()
        )


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _move(draft: Path, place: Path) -> None:
    try:
        draft.rename(place)
    except OSError:
        if not place.exists():
            raise
        shutil.rmtree(draft)  # another process saved the same content first
