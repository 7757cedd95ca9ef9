"""A run and its releases in the shapes that MLflow takes, nothing cut: what is long goes in parts."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bellwether.core.ports import RunRow
from bellwether.core.types import ReleaseFiles
from bellwether.registry.content import MANIFEST

METRICS_AT_ONCE = 1000
TEXTS_AT_ONCE = 100
PARAM_CHARS = 6000
TAG_CHARS = 5000
KEY_CHARS = 250
SHOWN = ("model.onnx", "card.md")

_UNFIT = re.compile(r"[^A-Za-z0-9_.: -]")
_UNFIT_MODEL = re.compile(r"[^A-Za-z0-9_.-]")

T = TypeVar("T")


def metrics(run: RunRow) -> dict[str, float]:
    """Return every number of a run's outcome by its path, such as `table.linear.brier`."""
    return {key(name): value for name, value in sorted(_numbers(json.loads(run.outcome)).items())}


def params(run: RunRow) -> dict[str, str]:
    """Return what was asked of a run, each value as JSON."""
    asked = {name: json.dumps(value) for name, value in sorted(json.loads(run.config).items())}
    return in_parts(asked, PARAM_CHARS)


def tags(run: RunRow, releases: Sequence[ReleaseFiles]) -> dict[str, str]:
    """Return where a run stood, what it gave, and its reading as MLflow's description."""
    told = {
        "bellwether.watermark": run.watermark.isoformat(),
        "bellwether.releases": ",".join(r.release_id for r in releases),
    }
    reading = json.loads(run.outcome).get("reading")
    note = {"mlflow.note.content": str(reading)[:TAG_CHARS]} if reading else {}
    return {**in_parts(told, TAG_CHARS), **note}


def in_parts(texts: Mapping[str, str], limit: int) -> dict[str, str]:
    """Cut texts longer than `limit` into `name`, `name.2`, `name.3`.

    >>> in_parts({"a": "xyz", "b": "1"}, 2)
    {'a': 'xy', 'a.2': 'z', 'b': '1'}
    """
    found = {}
    for name, text in texts.items():
        pieces = [text[at : at + limit] for at in range(0, len(text), limit)] or [""]
        for number, piece in enumerate(pieces, 1):
            found[key(name if number == 1 else f"{name}.{number}")] = piece
    return found


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut `items` into runs of at most `size`."""
    return (items[at : at + size] for at in range(0, len(items), size))


def key(name: str) -> str:
    """Spell a name as MLflow allows, different names differently.

    >>> key("by_symbol.^GSPC.brier")
    'by_symbol.-5e-GSPC.brier'
    """
    fit = _UNFIT.sub(_spelled, name)
    if len(fit) <= KEY_CHARS:
        return fit
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{fit[: KEY_CHARS - 13]}-{digest}"


def model_name(release: ReleaseFiles) -> str:
    """Return the registered model that a release is a version of: one a scope and kind of model."""
    scope, model = release.manifest.get("scope", "none"), release.manifest.get("model", "none")
    return _UNFIT_MODEL.sub(_spelled, f"bellwether-{scope}-{model}")


def write_files(folder: Path, run: RunRow, releases: Sequence[ReleaseFiles]) -> None:
    """Write what people look at: question and outcome, and of each release manifest, card and model."""
    (folder / "question.json").write_text(run.config)
    (folder / "outcome.json").write_text(run.outcome)
    for release in releases:
        place = folder / release.release_id
        place.mkdir()
        (place / MANIFEST).write_text(json.dumps(release.manifest, sort_keys=True, indent=1))
        for name in SHOWN:
            if name in release.files:
                (place / name).write_bytes(release.files[name])


def _spelled(unfit: re.Match[str]) -> str:
    return f"-{ord(unfit.group()):x}-"


def _numbers(tree: Any, prefix: str = "") -> dict[str, float]:
    if isinstance(tree, Mapping):
        found: dict[str, float] = {}
        for name, value in tree.items():
            found |= _numbers(value, f"{prefix}.{name}" if prefix else str(name))
        return found
    if isinstance(tree, int | float) and not isinstance(tree, bool):
        return {prefix: float(tree)}
    return {}
