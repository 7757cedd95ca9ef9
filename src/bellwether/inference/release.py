"""A release in memory, ready to answer."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.errors import UnloadableArtifact
from bellwether.core.types import ReleaseFiles, Skill
from bellwether.evaluation.conformal import Calibration
from bellwether.features.views import AND
from bellwether.inference.reads import Reads, reads
from bellwether.models.packed import PackedModel

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Served:
    """A loaded release. `record` is its walk-forward, None where it has none.

    `view` is the version it was trained on, `kept` the name under which vectors of it are kept.
    """

    release_id: str
    model: str
    scope: str
    symbols: tuple[str, ...]
    sessions: Mapping[str, int]
    horizon_sessions: int
    view: str
    kept: str
    columns: tuple[str, ...]
    calibration: Calibration | None
    coverage_realised: float | None
    skill: Mapping[str, Skill]
    costs: Mapping[str, object]
    min_train_sessions: int
    quality_ignored: bool
    packed: PackedModel
    explainer: Mapping[str, npt.NDArray[np.generic]] = field(repr=False)
    record: pl.DataFrame | None = field(repr=False)

    @property
    def reads(self) -> Reads:
        """The view that it is answered from.

        Raises
        ------
        UnloadableArtifact
            If this version of the platform computes another one under that name, or none.
        """
        found = reads(self.kept)
        if found is None:
            raise UnloadableArtifact(self.release_id, f"nothing here computes {self.kept}")
        return found


def serve(files: ReleaseFiles) -> Served:
    """Load a release and prove that it still gives its golden rows, bit for bit.

    Raises
    ------
    UnloadableArtifact
        If the release has another format, a part that cannot be read, or a golden row differs.
    """
    manifest: dict[str, Any] = dict(files.manifest)
    if manifest.get("format") != FORMAT:
        raise UnloadableArtifact(files.release_id, f"its format is {manifest.get('format')!r}")
    packed = PackedModel(files.files["model.onnx"], f"{files.release_id}/model.onnx")
    _prove(packed, _arrays(files.files["golden.npz"]), files.release_id)
    record = files.files.get("walkforward.parquet")
    calibration = manifest["calibration"]
    return Served(
        files.release_id,
        manifest["model"],
        manifest["scope"],
        tuple(manifest["symbols"]),
        manifest["sessions"],
        int(manifest["horizon_sessions"]),
        manifest["view"],
        _kept(manifest),
        tuple(manifest["columns"]),
        None if calibration is None else Calibration(**calibration),
        manifest["coverage_realised"],
        {symbol: _skill(k) for symbol, k in manifest["skill"].items()},
        manifest["costs"],
        int(manifest["question"]["min_train_sessions"]),
        bool((manifest.get("quality") or {}).get("ignored")),
        packed,
        _arrays(files.files["explainer.npz"]),
        None if record is None else pl.read_parquet(io.BytesIO(record)),
    )


def _skill(told: dict[str, Any]) -> Skill:
    """Read what a manifest says; whether skill is shown is not for it to say."""
    beats = bool(told.get("beats_baseline", told["shown"]))  # older releases had one word for both
    return Skill(**{**told, "beats_baseline": beats, "shown": False})


def _kept(manifest: dict[str, Any]) -> str:
    section = manifest.get("section")
    return manifest["view"] if section is None else f"{manifest['view']}{AND}{section}"


def _arrays(content: bytes) -> dict[str, npt.NDArray[np.generic]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _prove(
    packed: PackedModel, golden: Mapping[str, npt.NDArray[np.generic]], release_id: str
) -> None:
    forecasts = packed.predict(golden["X"].astype(np.float32))
    for name in ("log_return", "probability_up"):
        if getattr(forecasts, name).tobytes() != golden[name].tobytes():
            raise UnloadableArtifact(release_id, f"its golden rows give another {name} here")
