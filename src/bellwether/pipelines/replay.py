"""Replay stored predictions: the same bars, features and model must give the same bits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from bellwether.core.errors import MissingRecord, ReplayMismatch
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.core.types import FeatureVector, StoredPrediction
from bellwether.features.catalog import technical
from bellwether.inference.forecast import forecast
from bellwether.inference.release import Served, serve
from bellwether.pipelines.materialize import features_of
from bellwether.telemetry import REPLAYED


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """How many predictions were replayed, and which were not reproduced."""

    replayed: int
    equal: int
    mismatches: tuple[str, ...]

    def lines(self) -> list[str]:
        """Say it in words."""
        head = f"Replayed {self.replayed:,} predictions: {self.equal:,} equal to the bit."
        return [head, *self.mismatches[:20]]


@dataclass(slots=True)
class _Past:
    """What was rebuilt once and serves several replays."""

    ports: Ports
    features: dict[tuple[str, datetime], pl.DataFrame] = field(default_factory=dict)
    releases: dict[str, Served] = field(default_factory=dict)

    def vector(self, p: StoredPrediction) -> FeatureVector:
        """Compute the vector again from the bars that were in the lake then."""
        view = technical()
        if p.view != view.version:
            raise ReplayMismatch(p.prediction_id, "view", p.view, view.version)
        key = (p.symbol, p.watermark)
        if key not in self.features:
            self.features[key] = features_of(p.symbol, view, p.watermark, self.ports)
        row = self.features[key].filter(pl.col("session") == p.as_of)
        if row.height != 1:
            raise ReplayMismatch(p.prediction_id, "as_of", p.as_of, None)
        values = np.ascontiguousarray(row.select(view.columns).to_numpy()[0], dtype="<f8")
        return FeatureVector(
            p.symbol, p.as_of, p.view, p.watermark, values.tobytes(), row["last_close"][0]
        )

    def release(self, release_id: str) -> Served:
        if release_id not in self.releases:
            self.releases[release_id] = serve(self.ports.releases.load(release_id))
        return self.releases[release_id]


def run(
    ports: Ports,
    prediction_ids: Sequence[str] | None = None,
    limit: int = 1000,
    progress: Progress = quiet,
) -> ReplayReport:
    """Replay the named predictions, or the newest `limit`.

    Raises
    ------
    MissingRecord
        If a named prediction is not stored, or none is.
    """
    wanted = _wanted(ports, prediction_ids, limit)
    past = _Past(ports)
    mismatches = []
    for done, stored in enumerate(wanted):
        try:
            _compare(stored, past)
        except ReplayMismatch as error:
            mismatches.append(str(error))
            REPLAYED.labels("different").inc()
        else:
            REPLAYED.labels("equal").inc()
        progress("Replaying", done + 1, len(wanted))
    return ReplayReport(len(wanted), len(wanted) - len(mismatches), tuple(mismatches))


def _wanted(
    ports: Ports, prediction_ids: Sequence[str] | None, limit: int
) -> list[StoredPrediction]:
    if prediction_ids is None:
        found = ports.log.recent(limit)
        if not found:
            raise MissingRecord("prediction", "any symbol", "bellwether predict SYMBOL")
        return found
    named = []
    for prediction_id in prediction_ids:
        stored = ports.log.get(prediction_id)
        if stored is None:
            raise MissingRecord("prediction", prediction_id, "bellwether predict SYMBOL")
        named.append(stored)
    return named


def _compare(stored: StoredPrediction, past: _Past) -> None:
    vector = past.vector(stored)
    if vector.values != stored.features:
        names = technical().columns
        pairs = zip(
            np.frombuffer(stored.features), np.frombuffer(vector.values), names, strict=True
        )
        was, now, name = next((a, b, n) for a, b, n in pairs if a.tobytes() != b.tobytes())
        raise ReplayMismatch(stored.prediction_id, name, float(was), float(now))
    numbers = forecast(past.release(stored.release), vector, technical())
    replayed = {
        "last_price": vector.last_close,
        "expected_return": numbers.expected_return,
        "predicted_price": numbers.predicted_price,
        "probability_up": numbers.probability_up,
        "direction": numbers.direction.value,
        "interval_lower": numbers.lower,
        "interval_upper": numbers.upper,
    }
    for name, value in replayed.items():
        if getattr(stored, name) != value:
            raise ReplayMismatch(stored.prediction_id, name, getattr(stored, name), value)
