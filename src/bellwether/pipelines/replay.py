"""Replay stored predictions: the same bars, features and model must give the same bits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from bellwether.core.errors import InputError, MissingRecord, ReplayMismatch
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.core.types import FeatureVector, StoredPrediction
from bellwether.features.views import Kept, kept
from bellwether.inference.forecast import forecast
from bellwether.inference.release import Served, serve
from bellwether.inference.texts import UNREAD, read_view, scores, with_headlines
from bellwether.pipelines.sections import across, own
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
    features: dict[tuple[str, str, datetime], pl.DataFrame] = field(default_factory=dict)
    releases: dict[str, Served] = field(default_factory=dict)

    def vector(self, p: StoredPrediction) -> FeatureVector:
        """Compute the vector again from the bars that were in the lake then."""
        found = self.view_of(p)
        key = ("" if found.view.across else p.symbol, p.view, p.watermark)
        if key not in self.features:
            self.features[key] = (
                across(found, p.watermark, self.ports)
                if found.view.across
                else own(p.symbol, found.view, p.watermark, self.ports)
            )
        mine = (pl.col("symbol") == p.symbol) & (pl.col("session") == p.as_of)
        row = self.features[key].filter(mine)
        if row.height != 1:
            raise ReplayMismatch(p.prediction_id, "as_of", p.as_of, None)
        values = np.ascontiguousarray(row.select(found.view.columns).to_numpy()[0], dtype="<f8")
        vector = FeatureVector(
            p.symbol, p.as_of, p.view, p.watermark, values.tobytes(), row["last_close"][0]
        )
        if UNREAD in json.loads(p.degraded):
            return vector
        headlines = json.loads(p.request)["news_headlines"]
        return with_headlines(vector, found.view, headlines, self.ports)

    def view_of(self, p: StoredPrediction) -> Kept:
        """Return the view that a prediction read.

        Raises
        ------
        ReplayMismatch
            If this version of the platform computes it not.
        """
        found = kept(p.view)
        if found is None or not scores(found.view, self.ports):
            raise ReplayMismatch(p.prediction_id, "view", p.view, _here(p.view, self.ports))
        return found

    def release(self, release_id: str) -> Served:
        if release_id not in self.releases:
            self.releases[release_id] = serve(self.ports.releases.load(release_id))
        return self.releases[release_id]


def _here(version: str, ports: Ports) -> str | None:
    """Return what this version of the platform computes under the name of a view."""
    try:
        return read_view(version.partition("@")[0], ports).version
    except InputError:
        return None


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
    vector, read = past.vector(stored), past.view_of(stored).view
    if vector.values != stored.features:
        names = read.columns
        pairs = zip(
            np.frombuffer(stored.features), np.frombuffer(vector.values), names, strict=True
        )
        was, now, name = next((a, b, n) for a, b, n in pairs if a.tobytes() != b.tobytes())
        raise ReplayMismatch(stored.prediction_id, name, float(was), float(now))
    numbers = forecast(past.release(stored.release), vector, read)
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
