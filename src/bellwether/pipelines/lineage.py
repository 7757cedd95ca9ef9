"""Where a release, a prediction or a run comes from, down to the ingestions that told its bars."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bellwether.core.errors import ArtifactError, MissingRecord, StorageError
from bellwether.core.ports import Ports, ReleaseRow, RunRow
from bellwether.core.types import StoredPrediction
from bellwether.features.views import kept
from bellwether.pipelines.contributions import DataUsed, traced
from bellwether.pipelines.named import named

NOT_CONFIG = ("symbols", "watermark", "view", "code", "last_session")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LineageConfig:
    """The id of a release, a prediction or a run, or at least six characters that begin it."""

    id: str


@dataclass(frozen=True, slots=True)
class ReleaseUsed:
    """A release. `verified` says that every file is what it was; else `why` says what is wrong.

    `row` is None where the ledger does not know it. `files` gives the recorded hash of each file and
    `question` what was asked when it was trained; both are empty where the release cannot be read.
    """

    release_id: str
    row: ReleaseRow | None
    verified: bool
    why: str
    files: dict[str, str]
    question: Json

    def words(self) -> str:
        """Say it in a line."""
        known = self.row
        told = (
            "not in the ledger"
            if known is None
            else f"{known.model}, {known.scope}, packed {known.created_at.isoformat()}"
        )
        return f"release {self.release_id} ({told}): {self.why}"


@dataclass(frozen=True, slots=True)
class RunUsed:
    """A training run: what was asked, and when."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    watermark: datetime
    config: Json

    def words(self) -> str:
        """Say it in a line."""
        asked = ", ".join(f"{k} {_plain(v)}" for k, v in self.config.items() if k not in NOT_CONFIG)
        code = self.config.get("code", "unknown")
        return (
            f"run {self.run_id}, started {self.started_at.isoformat()}: {asked}; "
            f"platform {code}, data to {self.config.get('last_session', 'unknown')}"
        )


@dataclass(frozen=True, slots=True)
class Lineage:
    """The chain from a thing to the data it was made of.

    `prediction` is None for releases and runs. `views` are the versions of feature views that took
    part. `notes` say what could not be found.
    """

    kind: str
    id: str
    prediction: Json | None
    releases: tuple[ReleaseUsed, ...]
    runs: tuple[RunUsed, ...]
    views: tuple[str, ...]
    data: tuple[DataUsed, ...]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say it in words."""
        told = []
        if self.prediction is not None:
            p = self.prediction
            told.append(
                f"prediction {self.id}: {p['symbol']} after {p['as_of']}, {p['horizon_sessions']} "
                f"session(s) ahead, recorded {p['recorded_at'].isoformat()}"
            )
        told += [r.words() for r in self.releases]
        told += [r.words() for r in self.runs]
        told += [f"features {view}: {_computed(view)}" for view in self.views]
        for part in self.data:
            told += part.lines()
        return told + [f"note: {note}" for note in self.notes]


def run(config: LineageConfig, ports: Ports) -> Lineage:
    """Follow a thing to the ingestions that its data came with.

    Raises
    ------
    InvalidRequest
        If the id is too short, or begins several.
    UnknownName
        If there is nothing of that id.
    """
    found = named(config.id, ports)
    if found.kind == "run":
        return _of_run(found.id, ports)
    if found.kind == "release":
        return _of_release(found.id, ports)
    return _of_prediction(found.id, ports)


def _of_run(run_id: str, ports: Ports) -> Lineage:
    row = next(r for r in ports.ledger.runs() if r.run_id == run_id)
    packed = [r.release_id for r in ports.ledger.releases() if r.run_id == run_id]
    releases = tuple(_release(r, ports) for r in packed)
    notes = () if releases else ("no release was packed of this run",)
    return _lineage("run", run_id, releases, [row], notes, ports)


def _of_release(release_id: str, ports: Ports) -> Lineage:
    return _lineage("release", release_id, *_made(release_id, ports), ports)


def _of_prediction(prediction_id: str, ports: Ports) -> Lineage:
    stored = ports.log.get(prediction_id)
    if stored is None:
        raise MissingRecord("prediction", prediction_id, "bellwether predict SYMBOL")
    made = _made(stored.release, ports)
    return _lineage("prediction", prediction_id, *made, ports, stored)


def _made(
    release_id: str, ports: Ports
) -> tuple[tuple[ReleaseUsed, ...], list[RunRow], tuple[str, ...]]:
    """Return a release, the runs that packed it, and what could not be found."""
    runs = {r.run_id for r in ports.ledger.releases() if r.release_id == release_id}
    known = [r for r in ports.ledger.runs() if r.run_id in runs]
    lost = f"the ledger has no run of release {release_id}: what follows is from its manifest"
    return (_release(release_id, ports),), known, () if known else (lost,)


def _lineage(
    kind: str,
    found: str,
    releases: tuple[ReleaseUsed, ...],
    runs: Sequence[RunRow],
    notes: tuple[str, ...],
    ports: Ports,
    stored: StoredPrediction | None = None,
) -> Lineage:
    used = tuple(_run(row) for row in runs)
    # runs that packed the same bytes asked the same question on the same data
    question = used[0].config if used else releases[0].question
    data = []
    if stored is not None:
        data.append(traced("the prediction", [stored.symbol], stored.watermark, ports))
    watermark = used[0].watermark if used else _instant(question.get("watermark"))
    if watermark is None:
        notes = (*notes, "what the release was trained on cannot be found")
    else:
        data.append(traced("the training", question.get("symbols", []), watermark, ports))
    views = dict.fromkeys([*([stored.view] if stored else []), *_view(question)])
    shown = None if stored is None else _shown(stored)
    return Lineage(kind, found, shown, releases, used, tuple(views), tuple(data), notes)


def _release(release_id: str, ports: Ports) -> ReleaseUsed:
    row = next((r for r in ports.ledger.releases() if r.release_id == release_id), None)
    try:
        held = ports.releases.load(release_id)
    except MissingRecord:
        return ReleaseUsed(release_id, row, False, "its files are not in the store", {}, {})
    except (ArtifactError, StorageError) as error:
        return ReleaseUsed(release_id, row, False, f"not verified: {error}", {}, {})
    why = f"{len(held.files)} files, every one equal to its hash"
    hashes, question = (_mapping(held.manifest.get(k)) for k in ("files", "question"))
    return ReleaseUsed(release_id, row, True, why, hashes, question)


def _run(row: RunRow) -> RunUsed:
    return RunUsed(
        row.run_id, row.started_at, row.finished_at, row.watermark, json.loads(row.config)
    )


def _mapping(told: object) -> Json:
    return dict(told) if isinstance(told, dict) else {}


def _view(question: Json) -> list[str]:
    view = question.get("view")
    return [str(view)] if view else []


def _instant(told: object) -> datetime | None:
    return datetime.fromisoformat(told) if isinstance(told, str) else None


def _computed(view: str) -> str:
    if kept(view) is not None:
        return "this version of the platform computes it"
    return "another version of the platform computed it, so this one cannot replay it"


def _shown(p: StoredPrediction) -> Json:
    names = (
        "symbol", "as_of", "horizon_sessions", "recorded_at", "release", "arm", "view", "watermark"
    )  # fmt: skip
    return {name: getattr(p, name) for name in names}


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
