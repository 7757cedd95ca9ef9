"""Pack a release: everything that serving, replay and an auditor need, and nothing executable."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from bellwether import __version__
from bellwether.backtest.costs import Costs
from bellwether.core.ports import Ports
from bellwether.core.types import Skill
from bellwether.evaluation.conformal import Calibration, fit_calibration, sequential_coverage
from bellwether.evaluation.record import residuals, skill
from bellwether.features.labels import label_name
from bellwether.features.sketch import sketched
from bellwether.models.base import Forecaster
from bellwether.models.explain import contributions
from bellwether.models.factory import BASELINES
from bellwether.models.packed import PackedModel
from bellwether.models.selected import reading
from bellwether.models.spaces import Params
from bellwether.pipelines.dataset import Dataset
from bellwether.pipelines.folds import drawn_in, times_of

GOLDEN_ROWS = 16
IMPORTANCE_ROWS = 256
COVERAGE = 0.9
LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn", "ta-lib", "xgboost-cpu")


@dataclass(frozen=True, slots=True)
class Making:
    """How a release is made where that is not as usual, and what the walk forward told of it.

    `params` are what a search found, `chosen` the places of the columns that are read (None: all),
    `told` what goes into the manifest beside them.
    """

    params: Params | None = None
    chosen: Sequence[int] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """A saved release and what it says of itself."""

    release_id: str
    scope: str
    symbols: tuple[str, ...]
    skill: dict[str, Skill]
    coverage_realised: float | None


def pack(
    model: str,
    scope: str,
    data: Dataset,
    record: pl.DataFrame | None,
    question: Mapping[str, Any],
    ports: Ports,
    making: Making = Making(),
) -> Made:
    """Fit `model` on all rows known by now, calibrate it on its record, and save the release.

    `question` is what the run was asked, with what is known of its bars as `quality`; with
    `window_sessions` in it all rows are those of the newest so many decision dates. `record` is the
    walk-forward of the same scope, or None where history was too short for one: such a release
    answers without an interval and without skill.
    """
    data = data.newest(question.get("window_sessions"))
    fitted = _fitted(model, data, question, making)
    content, explainer = fitted.pack(), fitted.explainer()
    horizon = int(question["horizon_sessions"])
    symbols = tuple(sorted(data.series))
    told = {s: _skill(record, s, model, horizon) for s in symbols}
    calibration, realised = _calibration(record, model)
    manifest = {
        **_described(model, scope, data, question),
        "calibration": None if calibration is None else asdict(calibration),
        "coverage_realised": realised,
        **_made(making, data.view.model_columns),
        "importance": _importance(explainer, data),
        "skill": {s: asdict(k) for s, k in told.items()},
    }
    files = {
        "model.onnx": content,
        "explainer.npz": arrays(explainer),
        "golden.npz": _golden(data, content),
        "sketch.npz": arrays(sketched(data.view.model_columns, data.X).arrays()),
        "card.md": _card(manifest).encode(),
    }
    if record is not None:
        buffer = io.BytesIO()
        record.write_parquet(buffer, compression="zstd")
        files["walkforward.parquet"] = buffer.getvalue()
    release_id = ports.releases.save(files, manifest)
    return Made(release_id, scope, symbols, told, realised)


def _fitted(model: str, data: Dataset, question: Mapping[str, Any], making: Making) -> Forecaster:
    columns, seed = data.view.model_columns, question["seed"]
    fresh = reading(model, columns, making.chosen, seed=seed, params=making.params)
    targets = drawn_in(data.y, question.get("winsorise"))
    return fresh.fit(data.X, targets, times=times_of(data))


def _made(making: Making, columns: Sequence[str]) -> dict[str, Any]:
    chosen = None if making.chosen is None else [columns[j] for j in making.chosen]
    return {"params": dict(making.params or {}), "chosen": chosen, **making.told}


def _described(
    model: str, scope: str, data: Dataset, question: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "format": 1,
        "model": model,
        "scope": scope,
        "symbols": sorted(data.series),
        "sessions": {s: series.height for s, series in data.series.items()},
        "horizon_sessions": question["horizon_sessions"],
        "label": label_name(question["horizon_sessions"]),
        "view": data.view.version,
        "section": data.universe,
        "columns": list(data.view.model_columns),
        "watermark": question["watermark"],
        "trained_on": {
            "rows": len(data.y),
            "first": str(data.rows["session"].min()),
            "last": str(data.rows["session"].max()),
        },
        "costs": {**asdict(Costs()), "switched_off": list(Costs().switched_off())},
        "question": {k: v for k, v in question.items() if k != "quality"},
        "quality": question.get("quality"),
        "code": {"bellwether": __version__, **{p: version(p) for p in _libraries(model)}},
    }


def _libraries(model: str) -> tuple[str, ...]:
    """Return what a release names versions of; PyTorch only where it fitted the model."""
    return (*LIBRARIES, "torch") if model == "lstm" else LIBRARIES


def arrays(content: Mapping[str, Any]) -> bytes:
    """Write arrays as an .npz without any pickled object."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **content)
    return buffer.getvalue()


def _skill(record: pl.DataFrame | None, symbol: str, model: str, horizon: int) -> Skill:
    if record is None:
        return Skill(None, None, None, 0, None, None, False)
    return skill(record.filter(pl.col("symbol") == symbol), model, BASELINES, horizon)


def _calibration(
    record: pl.DataFrame | None, model: str
) -> tuple[Calibration | None, float | None]:
    if record is None:
        return None, None
    folds, residual, scale = residuals(record, model)
    realised, _ = sequential_coverage(folds, residual, scale, COVERAGE)
    return fit_calibration(residual, scale, COVERAGE), realised


def _importance(explainer: Mapping[str, Any], data: Dataset) -> dict[str, float]:
    """Return the share of each feature in how far forecasts are moved, over rows spread in time."""
    rows = np.linspace(0, len(data.X) - 1, IMPORTANCE_ROWS).astype(int)
    moved = np.mean([np.abs(contributions(explainer, data.X[i])[1]) for i in rows], axis=0)
    moved = np.broadcast_to(moved, len(data.view.model_columns))
    shares = moved / moved.sum() if moved.sum() > 0 else moved
    return {n: round(float(s), 6) for n, s in zip(data.view.model_columns, shares, strict=True)}


def _golden(data: Dataset, content: bytes) -> bytes:
    rows = np.linspace(0, len(data.X) - 1, GOLDEN_ROWS).astype(int)
    X = np.ascontiguousarray(data.X[rows])
    forecasts = PackedModel(content).predict(X)
    return arrays(
        {"X": X, "log_return": forecasts.log_return, "probability_up": forecasts.probability_up}
    )


def _quality(bars: Mapping[str, Any] | None) -> list[str]:
    if bars is None:
        return []
    told = [f"{bars['share']:.2%} of the sessions are without fault; the bar is {bars['bar']:.2%}."]
    if bars["ignored"]:
        told.append(f"The quality gate refused and was ignored: {'; '.join(bars['failing'])}.")
    if bars["winsorised_targets"] is not None:
        scales = bars["winsorised_targets"]
        told.append(f"Training targets were drawn in to {scales:g} robust deviations.")
    return told


def _card(manifest: Mapping[str, Any]) -> str:
    lines = [
        f"# Model card: {manifest['model']}, scope {manifest['scope']}",
        "",
        (
            f"Forecasts {manifest['label']} (log return from the next session's open) from "
            f"{len(manifest['columns'])} features of price and volume ({manifest['view']})."
        ),
        (
            f"Trained on {manifest['trained_on']['rows']:,} rows, "
            f"{manifest['trained_on']['first']} to {manifest['trained_on']['last']}."
        ),
        *_quality(manifest["quality"]),
        "",
        "| symbol | n | accuracy | 95 % interval | best baseline | its accuracy | beaten |",
        "|---|---|---|---|---|---|---|",
    ]
    for symbol, k in manifest["skill"].items():
        if k["directional_accuracy"] is None or k["ci_low"] is None:
            lines.append(f"| {symbol} | {k['n']} | - | - | - | - | no |")
            continue
        lines.append(
            f"| {symbol} | {k['n']} | {k['directional_accuracy']:.3f} | "
            f"{k['ci_low']:.3f} to {k['ci_high']:.3f} | {k['baseline']} | "
            f"{k['baseline_accuracy']:.3f} | {'yes' if k['beats_baseline'] else 'no'} |"
        )
    lines += ["", "```json", json.dumps(manifest["code"], indent=1, sort_keys=True), "```", ""]
    return "\n".join(lines)
