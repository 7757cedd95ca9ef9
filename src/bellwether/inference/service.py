"""PredictionService: what HTTP, the command line and replay ask."""

import json
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import date, datetime

import numpy as np
import uuid_utils

from bellwether.core.errors import MissingRecord
from bellwether.core.ports import Ports
from bellwether.core.types import (
    Arm,
    FeatureVector,
    Interval,
    Prediction,
    PredictionRequest,
    Sentiment,
    Skill,
    StoredPrediction,
)
from bellwether.features.catalog import technical
from bellwether.features.history import as_known
from bellwether.inference import views
from bellwether.inference.catalogue import Catalogue, read
from bellwether.inference.forecast import Numbers, explanation, forecast
from bellwether.inference.release import Served
from bellwether.telemetry import LOADED_RELEASES, SERVED_SYMBOLS

NO_SKILL = Skill(None, None, None, 0, None, None, False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction, and the future that is done once it is on disk."""

    prediction: Prediction
    durable: Future[None]


class PredictionService:
    """Answers from releases and features held in memory.

    `answer` may be called from any thread; `refresh` swaps the whole snapshot in one assignment,
    so that a running request keeps the release it began with. `standing` are reasons that every
    answer has to name, such as a sample that ends in the past.
    """

    def __init__(self, ports: Ports, standing: tuple[str, ...] = ()) -> None:
        self._ports = ports
        self._standing = standing
        self._view = technical()
        self._positions = dict(
            zip(self._view.model_columns, self._view.model_positions, strict=True)
        )
        self._ages: tuple[datetime | None, date | None] = (None, None)
        self.catalogue: Catalogue = read(ports)
        self._measure()

    def refresh(self) -> None:
        """Take up releases and features that came since."""
        self.catalogue = read(self._ports, self.catalogue)
        self._measure()

    def _measure(self) -> None:
        SERVED_SYMBOLS.set(len({symbol for symbol, _ in self.catalogue.answering}))
        LOADED_RELEASES.set(len(self.catalogue.releases))

    def answer(self, request: PredictionRequest) -> Answer:
        """Predict, and queue the prediction to be written.

        Raises
        ------
        UnknownName
            If the symbol is not known here.
        MissingRecord
            If no release answers for it at this horizon.
        InsufficientHistory
            If the symbol is still warming up.
        Overloaded
            If the log cannot take more.
        """
        served = self.catalogue.release_for(request.symbol, request.horizon_sessions)
        vector, missing = self._vector(request.symbol)
        numbers = forecast(served, vector, self._view)
        age = self._age(vector.session)
        degraded = (*self._standing, *missing, *self._reasons(served, vector, age))
        prediction = self._prediction(request, served, vector, numbers, age, degraded)
        return Answer(prediction, self._ports.log.append(self._stored(request, prediction, vector)))

    def backtest(self, symbol: str, days: int) -> dict[str, object]:
        """Return the stored walk-forward of the last `days` sessions of a symbol, JSON-ready."""
        horizons = sorted(h for s, h in self.catalogue.answering if s == symbol)
        served = self.catalogue.release_for(symbol, horizons[0] if horizons else 1)
        return views.backtest(served, symbol, days)

    def health(self) -> dict[str, object]:
        """Return what works and what does not, JSON-ready."""
        return views.health(self._ports, self.catalogue, self._standing)

    def overview(self) -> dict[str, object]:
        """Return what the front page shows, JSON-ready."""
        return views.overview(self._ports, self.catalogue, self._standing)

    def prediction(self, prediction_id: str) -> dict[str, object]:
        """Return one stored prediction, JSON-ready."""
        found = self._ports.log.get(prediction_id)
        if found is None:
            raise MissingRecord("prediction", prediction_id, "bellwether predict SYMBOL")
        return views.stored(found, self._view)

    def _vector(self, symbol: str) -> tuple[FeatureVector, tuple[str, ...]]:
        known = self._ports.online.held(symbol, self._view.version)
        if known is not None:
            return known, ()
        bars = self._ports.lake.bars([symbol])
        watermark = bars["ingested_at"].max()
        if not isinstance(watermark, datetime):
            raise MissingRecord("bar", symbol, "bellwether ingest")
        frame = as_known(self._view, bars, self._ports.calendar, self._ports.clock.now())
        last = frame.tail(1)
        values = np.ascontiguousarray(last.select(self._view.columns).to_numpy()[0], dtype="<f8")
        computed = FeatureVector(
            symbol,
            last["session"][0],
            self._view.version,
            watermark,
            values.tobytes(),
            last["last_close"][0],
        )
        self._ports.online.put([computed])
        return computed, ("features_computed_on_request",)

    def _age(self, session: date) -> int:
        now = self._ports.clock.now()
        if (
            self._ages[0] is None
            or (now - self._ages[0]).total_seconds() > 1
            or now < self._ages[0]
        ):
            self._ages = (now, self._ports.calendar.last_closed(now))
        newest = self._ages[1]
        return (
            0
            if newest is None or newest <= session
            else self._ports.calendar.distance(session, newest)
        )

    def _reasons(self, served: Served, vector: FeatureVector, age: int) -> tuple[str, ...]:
        reasons = []
        if age > self._view.ttl_sessions:
            reasons.append(f"features_expired_{age}_sessions_old")
        elif age > 0:
            reasons.append(f"features_stale_{age}_sessions_old")
        sessions = served.sessions.get(vector.symbol, 0)
        needed = served.min_train_sessions + self._view.warm_up
        if sessions < needed:
            reasons.append(
                f"history_too_short_for_a_fold_of_its_own_{sessions}_of_{needed}_sessions"
            )
        if served.calibration is None:
            reasons.append("no_interval_too_few_out_of_sample_residuals")
        return tuple(reasons)

    def _prediction(
        self,
        request: PredictionRequest,
        served: Served,
        vector: FeatureVector,
        numbers: Numbers,
        age: int,
        degraded: tuple[str, ...],
    ) -> Prediction:
        values = np.frombuffer(vector.values, dtype="<f8").tolist()
        return Prediction(
            prediction_id=str(uuid_utils.uuid7()),
            symbol=request.symbol,
            as_of=vector.session,
            horizon_sessions=request.horizon_sessions,
            last_price=vector.last_close,
            expected_return=numbers.expected_return,
            predicted_price=numbers.predicted_price,
            probability_up=numbers.probability_up,
            direction=numbers.direction,
            interval=_interval(served, numbers),
            release=served.release_id,
            arm=Arm.CHAMPION,
            sentiment=self._mood(request),
            features={name: values[i] for name, i in self._positions.items()},
            feature_ages_sessions={self._view.name: age},
            skill=served.skill.get(request.symbol, NO_SKILL),
            explanation=explanation(served, vector, self._view) if request.explain else None,
            degraded=degraded,
        )

    def _mood(self, request: PredictionRequest) -> Sentiment:
        texts, scorer = request.news_headlines, self._ports.sentiment
        score = scorer.score(texts) if texts else None
        return Sentiment(score, scorer.method, len(texts), used_by_model=False)

    def _stored(
        self, request: PredictionRequest, p: Prediction, vector: FeatureVector
    ) -> StoredPrediction:
        return StoredPrediction(
            prediction_id=p.prediction_id,
            recorded_at=self._ports.wall.now(),
            symbol=p.symbol,
            as_of=p.as_of,
            horizon_sessions=p.horizon_sessions,
            last_price=p.last_price,
            expected_return=p.expected_return,
            predicted_price=p.predicted_price,
            probability_up=p.probability_up,
            direction=p.direction.value,
            interval_lower=p.interval.lower if p.interval else None,
            interval_upper=p.interval.upper if p.interval else None,
            release=p.release,
            arm=p.arm.value,
            view=vector.view,
            watermark=vector.watermark,
            features=vector.values,
            request=json.dumps(asdict(request)),
            sentiment_score=p.sentiment.score,
            degraded=json.dumps(p.degraded),
        )


def _interval(served: Served, numbers: Numbers) -> Interval | None:
    if served.calibration is None or numbers.lower is None or numbers.upper is None:
        return None
    return Interval(
        numbers.lower, numbers.upper, served.calibration.coverage, served.coverage_realised
    )
