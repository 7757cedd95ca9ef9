"""A folder with a text classifier: three files that any program may have written, all of them data."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bellwether.core.errors import TamperedArtifact, UnloadableArtifact, UnreadableFile
from bellwether.sentiment.base import NEGATIVE, NEUTRAL, POSITIVE

GRAPH, TOKENIZER, CONFIG, MANIFEST = "model.onnx", "tokenizer.json", "config.json", "manifest.json"
FILES = (GRAPH, TOKENIZER, CONFIG)
LABELS = frozenset({POSITIVE, NEGATIVE, NEUTRAL})
MOST_PIECES = 512
LEAST_PIECES = 3  # the first mark, one piece, the last mark


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The files as they were read once, and what the configuration says of them.

    `labels` are in the order of the model's outputs; `digest` is a SHA-256 over the three files.
    """

    name: str
    graph: bytes
    tokenizer: bytes
    labels: tuple[str, ...]
    max_pieces: int
    vocabulary: int
    digest: str


def read_folder(path: Path) -> ModelFolder:
    """Read a folder; where it has a manifest, every file is checked against its hash.

    Raises
    ------
    UnreadableFile
        If the folder or one of the three files is missing.
    TamperedArtifact
        If a byte differs from what the manifest says.
    UnloadableArtifact
        If the configuration is no JSON, or its labels are not positive, negative and neutral.
    """
    if not path.is_dir():
        raise UnreadableFile(str(path), "there is no such folder")
    files = {name: _read(path / name) for name in FILES}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    if (path / MANIFEST).exists():
        _verify(path, hashes)
    config = _object(f"{path.name}/{CONFIG}", files[CONFIG])
    return ModelFolder(
        name=path.name,
        graph=files[GRAPH],
        tokenizer=files[TOKENIZER],
        labels=_labels(path.name, config),
        max_pieces=min(MOST_PIECES, _count(path.name, config, "max_position_embeddings")),
        vocabulary=_count(path.name, config, "vocab_size"),
        digest=hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest(),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        listed = ", ".join(FILES)
        why = f"is missing; the folder needs {listed}: bellwether sentiment export makes them"
        raise UnreadableFile(str(path), why) from error
    except OSError as error:
        raise UnreadableFile(str(path), error.strerror or "cannot be read") from error


def _verify(path: Path, hashes: Mapping[str, str]) -> None:
    told = _object(f"{path.name}/{MANIFEST}", _read(path / MANIFEST)).get("files")
    if not isinstance(told, dict):
        raise UnloadableArtifact(f"{path.name}/{MANIFEST}", "it names no files")
    for name, found in hashes.items():
        if told.get(name) != found:
            expected = str(told.get(name))
            raise TamperedArtifact(f"{path.name}/{name}", expected, found, "Export it again.")


def _object(name: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:  # bytes that are no text among them
        raise UnloadableArtifact(name, f"it is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnloadableArtifact(name, "it is no JSON object")
    return found


def _labels(folder: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the label of each output, as the model's own configuration names them."""
    told = config.get("id2label")
    pairs = told.items() if isinstance(told, dict) else ()
    named = {str(k): str(v).strip().lower() for k, v in pairs}
    labels = tuple(named.get(str(i), "") for i in range(len(LABELS)))
    if len(named) != len(LABELS) or set(labels) != LABELS:
        why = f"id2label has to name positive, negative and neutral by 0, 1 and 2; it is {told!r}"
        raise UnloadableArtifact(f"{folder}/{CONFIG}", why)
    return labels


def _count(folder: str, config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < LEAST_PIECES:
        raise UnloadableArtifact(f"{folder}/{CONFIG}", f"{key} is {value!r}, not a number of them")
    return value
