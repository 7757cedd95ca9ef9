"""Releases as immutable folders named by the hash of their content."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bellwether.core.errors import MissingRecord, StorageError, TamperedArtifact
from bellwether.core.types import ReleaseFiles

MANIFEST = "manifest.json"
ID_DIGITS = 20


class FolderReleases:
    """The ReleaseStore port on a file system.

    A release is written beside its place and renamed into it, so that a reader sees all of it or
    nothing. The id is the hash of the manifest, and the manifest holds the hash of every file:
    whoever knows the id can tell whether a single byte was changed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, files: Mapping[str, bytes], manifest: Mapping[str, object]) -> str:
        """Keep a release and return its id."""
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        text = json.dumps({**manifest, "files": hashes}, sort_keys=True, indent=1)
        release_id = _id_of(text.encode())
        place = self._root / release_id
        if place.exists():
            return release_id
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._root))
            for name, content in {**files, MANIFEST: text.encode()}.items():
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
        if "/" in release_id or not (place / MANIFEST).is_file():
            raise MissingRecord("release", release_id, "bellwether train")
        text = (place / MANIFEST).read_bytes()
        if _id_of(text) != release_id:
            raise TamperedArtifact(f"{release_id}/{MANIFEST}", release_id, _id_of(text))
        manifest = json.loads(text)
        files = {}
        for name, expected in manifest["files"].items():
            path = place / name
            content = path.read_bytes() if path.is_file() else b""
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise TamperedArtifact(f"{release_id}/{name}", expected, found)
            files[name] = content
        return ReleaseFiles(release_id, manifest, files)

    def ids(self) -> list[str]:
        """List the ids of the releases that are kept."""
        if not self._root.is_dir():
            return []
        return sorted(
            p.name
            for p in self._root.iterdir()
            if (p / MANIFEST).is_file() and not p.name.startswith(".")
        )


def _id_of(manifest: bytes) -> str:
    return "r" + hashlib.sha256(manifest).hexdigest()[:ID_DIGITS]


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
