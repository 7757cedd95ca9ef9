"""The evidence of a release: its walk-forward record, its manifest, its files."""

import io
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.errors import UnloadableArtifact
from bellwether.core.ports import Ports
from bellwether.core.types import ReleaseFiles
from bellwether.evaluation.conformal import bounds, fit_calibration
from bellwether.evaluation.gate_conduct import Record, budget, data_quality, golden_rows
from bellwether.evaluation.gate_earned import earned
from bellwether.evaluation.gate_fairness import Said, Served
from bellwether.evaluation.gate_policy import Policy, Verdict
from bellwether.evaluation.gates import Evidence
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.record import figures
from bellwether.evaluation.regimes import VOLATILITY, volatility_terciles
from bellwether.evaluation.sharpe import sharpe_record
from bellwether.inference.release import Served as Loaded
from bellwether.inference.release import serve
from bellwether.models.factory import BASELINES
from bellwether.pipelines.gates_groups import families
from bellwether.pipelines.gates_ledger import audited
from bellwether.pipelines.tried import Judged, beside, of_study

CALLS = 200
COVERAGE = 0.9
MARKET = "always_up"
Days = NDArray[np.datetime64]


def evidence(files: ReleaseFiles, study: str, policy: Policy, ports: Ports) -> Evidence:
    """Collect all that the gates look at; `study` is the key of the run that made it."""
    manifest: Mapping[str, Any] = files.manifest
    record = _record(files)
    conduct = _conduct(files, manifest, policy, ports)
    if record is None or record.height == 0:
        return Evidence(conduct, None, None, None, None)
    model, horizon = str(manifest["model"]), int(manifest["horizon_sessions"])
    dates = _dates(record)
    judged = record.filter((pl.col(f"direction_{model}") != 0) & (pl.col("log_return") != 0))
    hit = (judged[f"direction_{model}"] == judged["log_return"].sign()).cast(pl.Float64).to_numpy()
    return Evidence(
        conduct,
        _earned(record, model, horizon, of_study(study, model, str(manifest["scope"])), ports),
        _at_sight(record, model, horizon, hit, _dates(judged)),
        _said(record, model, horizon, dates),
        Served(
            _dates(judged),
            judged[f"direction_{model}"].cast(pl.Float64).to_numpy(),
            judged["log_return"].sign().to_numpy(),
            families(judged, ports),
            horizon,
        ),
    )


def _record(files: ReleaseFiles) -> pl.DataFrame | None:
    raw = files.files.get("walkforward.parquet")
    return None if raw is None else pl.read_parquet(io.BytesIO(raw)).sort("decision_at", "symbol")


def _conduct(
    files: ReleaseFiles, manifest: Mapping[str, Any], policy: Policy, ports: Ports
) -> tuple[Verdict, ...]:
    horizon = int(manifest["horizon_sessions"])
    watermark = datetime.fromisoformat(str(manifest["watermark"]))
    bars = manifest.get("quality") or {}
    size_mb = sum(len(content) for content in files.files.values()) / 1e6
    try:
        loaded, why = serve(files), ""
    except UnloadableArtifact as error:
        loaded, why = None, str(error)
    latency = None if loaded is None else _latency_ms(loaded, files)
    return (
        audited(str(manifest["view"]), horizon, watermark, ports),
        data_quality(
            passed=bars["verdict"] == "passed" if bars else None,
            share=bars.get("share"),
            bar=bars.get("bar"),
            ignored=bool(bars.get("ignored")),
        ),
        golden_rows(reproduced=loaded is not None, why=why),
        budget(latency, size_mb, policy),
    )


def _latency_ms(loaded: Loaded, files: ReleaseFiles) -> float:
    """Return the 95th percentile of the time that one row takes."""
    with np.load(io.BytesIO(files.files["golden.npz"]), allow_pickle=False) as golden:
        row = np.ascontiguousarray(golden["X"][:1], dtype=np.float32)
    took = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        loaded.packed.predict(row)
        took.append(time.perf_counter() - begun)
    return float(np.quantile(took, 0.95)) * 1e3


def _earned(record: pl.DataFrame, model: str, horizon: int, judged: Judged, ports: Ports) -> Any:
    names = [model, *(b for b in BASELINES if f"net_{b}" in record.columns and b != model)]
    book = (
        record.group_by("session")
        .agg(*(pl.col(f"net_{n}").mean() for n in names), fold=pl.col("fold").min())
        .sort("session")
    )
    net = book[f"net_{model}"].to_numpy()
    label = f"open_to_open h={horizon}"
    others = beside(label, judged, book["session"].to_list(), net, ports)
    kept = book.filter(pl.Series(others.kept))
    held = kept[f"net_{MARKET if MARKET in names else model}"].to_numpy()
    return earned(
        net=kept[f"net_{model}"].to_numpy(),
        baselines={n: kept[f"net_{n}"].to_numpy() for n in names[1:]},
        folds=kept["fold"].to_numpy(),
        n_trials=others.counted,
        trials=others.returns,
        regimes=volatility_terciles(held),
        regime_names=VOLATILITY,
        horizon=horizon,
    )


def _at_sight(
    record: pl.DataFrame, model: str, horizon: int, hit: NDArray[np.float64], dates: Days
) -> Record:
    found = figures(record, model, horizon)
    net = record.group_by("session").agg(pl.col(f"net_{model}").mean()).sort("session")
    ratio = sharpe_record(net[f"net_{model}"].to_numpy())
    ends = None if ratio.low is None or ratio.high is None else (ratio.low, ratio.high)
    return Record(
        found["r2_oos"],
        clustered_mean(hit, dates, lags=horizon - 1),
        ratio.annual,
        ends,
        net.height,
        horizon,
    )


def _said(record: pl.DataFrame, model: str, horizon: int, dates: Days) -> Said:
    moved = (record["log_return"] != 0).to_numpy()
    inside, judged = _covered(record, model)
    return Said(
        dates[moved],
        (record["log_return"] > 0).to_numpy()[moved],
        record[f"probability_{model}"].to_numpy()[moved],
        inside[moved] if judged.any() else None,
        judged[moved],
        COVERAGE,
        horizon,
    )


def _covered(record: pl.DataFrame, model: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which outcomes lay in intervals that were fitted on the folds before, and which have one."""
    fold, y = record["fold"].to_numpy(), record["log_return"].to_numpy()
    f, scale = record[f"forecast_{model}"].to_numpy(), record["scale"].to_numpy()
    inside, judged = np.zeros(y.size, bool), np.zeros(y.size, bool)
    for number in np.unique(fold)[1:]:
        past, now = fold < number, fold == number
        fitted = fit_calibration((y - f)[past], scale[past], COVERAGE)
        if fitted is None:
            continue
        low, high = bounds(f[now], scale[now], fitted)
        inside[now], judged[now] = (y[now] >= low) & (y[now] <= high), True
    return inside, judged


def _dates(record: pl.DataFrame) -> Days:
    days: Days = record["session"].to_numpy().astype("datetime64[D]")
    return days
