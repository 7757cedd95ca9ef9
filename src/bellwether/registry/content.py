"""What a release is made of: its files, a manifest of their hashes, and the id that names it all.

The id is the hash of the manifest, and the manifest holds the hash of every file: whoever knows
the id can tell whether a single byte was changed, wherever the bytes were kept.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from bellwether.core.errors import MissingRecord, TamperedArtifact
from bellwether.core.types import ReleaseFiles

MANIFEST = "manifest.json"
ID_DIGITS = 20
HASHES = "files"

_ID = re.compile(rf"r[0-9a-f]{{{ID_DIGITS}}}")

Reader = Callable[[str], bytes | None]
"""Returns the content of a file of a release by its name; None where there is none."""


def is_id(text: str) -> bool:
    """Say whether `text` can be the id of a release, and so of a folder that holds one."""
    return _ID.fullmatch(text) is not None


def seal(files: Mapping[str, bytes], manifest: Mapping[str, object]) -> tuple[str, bytes]:
    """Return the id of a release and its manifest as it is kept."""
    hashes = {name: _hash(content) for name, content in files.items()}
    text = json.dumps({**manifest, HASHES: hashes}, sort_keys=True, indent=1).encode()
    return _id_of(text), text


def opened(release_id: str, read: Reader) -> ReleaseFiles:
    """Return a release, every file checked against its hash.

    Raises
    ------
    MissingRecord
        If there is no such release.
    TamperedArtifact
        If any byte differs from what was saved.
    """
    text = read(MANIFEST) if is_id(release_id) else None
    if text is None:
        raise MissingRecord("release", release_id, "bellwether train")
    if _id_of(text) != release_id:
        raise TamperedArtifact(f"{release_id}/{MANIFEST}", release_id, _id_of(text))
    manifest: dict[str, Any] = json.loads(text)
    files = {}
    for name, expected in manifest[HASHES].items():
        content = read(name) or b""
        if _hash(content) != expected:
            raise TamperedArtifact(f"{release_id}/{name}", expected, _hash(content))
        files[name] = content
    return ReleaseFiles(release_id, manifest, files)


def _id_of(manifest: bytes) -> str:
    return "r" + _hash(manifest)[:ID_DIGITS]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
