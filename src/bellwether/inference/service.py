"""PredictionService: what HTTP, the command line and replay ask."""

import json
from dataclasses import asdict, replace
from datetime import date
from time import perf_counter

import msgspec
import uuid_utils

from bellwether.core.errors import BellwetherError, InvalidRequest, MissingRecord
from bellwether.core.ports import Ports
from bellwether.core.types import (
    WAITING,
    Arm,
    FeatureVector,
    Interval,
    Prediction,
    PredictionRequest,
    Sentiment,
    Skill,
    StoredPrediction,
)
from bellwether.inference import feature_store, views
from bellwether.inference.backtests import Backtests
from bellwether.inference.catalogue import Catalogue, read
from bellwether.inference.forecast import Numbers, adjusted, explanation, forecast
from bellwether.inference.gauges import RecordGauges
from bellwether.inference.health import Health
from bellwether.inference.mood import mood
from bellwether.inference.reads import Reads
from bellwether.inference.reasons import count
from bellwether.inference.release import Served
from bellwether.inference.texts import heard
from bellwether.inference.vectors import Vectors
from bellwether.telemetry import (
    CATALOGUE_FAULTS,
    DURABLE_WAIT_SECONDS,
    FEATURE_AGE_SESSIONS,
    LOADED_RELEASES,
    REFRESH_FAILURES,
    REFRESH_SECONDS,
    REFRESHED_AT,
    SERVED_SYMBOLS,
    STAGE_SECONDS,
)

_MODEL = STAGE_SECONDS.labels("model")
_EXPLANATION = STAGE_SECONDS.labels("explanation")
NO_SKILL = Skill(None, None, None, 0, None, None, False)


class PredictionService:
    """Answers from releases and features held in memory.

    `answer` may be called from any thread; `refresh` swaps the whole snapshot in one assignment,
    so that a running request keeps the release it began with.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.backtests = Backtests(ports)
        self._health = Health(ports)
        self._gauges = RecordGauges(ports)
        self._vectors = Vectors(ports)
        self.catalogue: Catalogue = read(ports)
        self._measure()

    def refresh(self) -> None:
        """Take up releases and features that came since; on any fault the snapshot stays.

        Raises
        ------
        BellwetherError
            If the database cannot say what there is.
        """
        with REFRESH_SECONDS.time():
            try:
                self._ports.clock.look()
                self.catalogue = read(self._ports, self.catalogue)
            except BellwetherError:
                REFRESH_FAILURES.inc()
                raise
        REFRESHED_AT.set(self._ports.wall.now().timestamp())
        self._measure()
        self._gauges.measure()
        self.health()

    def _measure(self) -> None:
        SERVED_SYMBOLS.set(len({symbol for symbol, _ in self.catalogue.answering}))
        LOADED_RELEASES.set(len(self.catalogue.releases))
        CATALOGUE_FAULTS.set(len(self.catalogue.faults))

    async def answer(
        self,
        request: PredictionRequest,
        prediction_id: str | None = None,
        session: date | None = None,
    ) -> Prediction:
        """Predict; the prediction is on disk when it is returned.

        `prediction_id` names the prediction of a request that was given its id when it was asked.
        With `session`, only what was known after the close of that session is read.

        Raises
        ------
        UnknownName
            If the symbol is not known here.
        MissingRecord
            If no release answers for it at this horizon, or it has no bar of `session`.
        InsufficientHistory
            If the symbol is still warming up.
        Overloaded, Unavailable
            If the log cannot take it, or not in time.
        """
        served = self.catalogue.release_for(request.symbol, request.horizon_sessions)
        catalogue, reads = self.catalogue, served.reads
        vector, missing = await self._vectors.find(request.symbol, session, catalogue, reads)
        silent, headlines = vector, request.news_headlines
        vector, unread = await heard(silent, reads.view, headlines, self._ports)
        sentiment, unsure = await mood(self._ports.sentiment, headlines)
        begun = perf_counter()
        numbers = forecast(served, vector, reads.view)
        _MODEL.observe(perf_counter() - begun)
        used = vector is not silent and forecast(served, silent, reads.view) != numbers
        age = self._vectors.age(vector.session)
        FEATURE_AGE_SESSIONS.observe(age)
        reasons = self._reasons(served, vector, age)
        degraded = (*self._ports.clock.standing, *missing, *reasons, *unread, *unsure)
        for reason in degraded:
            count(reason)
        sentiment = replace(sentiment, used_by_model=used)
        prediction = self._prediction(request, served, vector, numbers, age, sentiment, degraded)
        if prediction_id is not None:
            prediction = replace(prediction, prediction_id=prediction_id)
        begun = perf_counter()
        await self._ports.log.enlist(self._stored(request, prediction, vector))
        DURABLE_WAIT_SECONDS.observe(perf_counter() - begun)
        return prediction

    def backtest(self, symbol: str, days: int) -> dict[str, object]:
        """Return the stored walk-forward of the last `days` sessions of a symbol, JSON-ready."""
        horizons = sorted(h for s, h in self.catalogue.answering if s == symbol)
        served = self.catalogue.release_for(symbol, horizons[0] if horizons else 1)
        return views.backtest(served, symbol, days)

    def submit(self, request: PredictionRequest) -> str | None:
        """Queue a request and return the id its prediction will have; the queue has it on disk.

        None where no queue is set up: then a request can only be answered at once.

        Raises
        ------
        UnknownName, MissingRecord
            If nothing could answer it.
        Overloaded, Unavailable
            If the queue is full or away.
        """
        if self._ports.queue is None:
            return None
        self.catalogue.release_for(request.symbol, request.horizon_sessions)
        request_id = str(uuid_utils.uuid7())
        self._ports.queue.submit(request_id, msgspec.json.encode(request))
        return request_id

    def health(self) -> dict[str, object]:
        """Return what works and what does not, JSON-ready."""
        return self._health.report(self.catalogue)

    def feature_store_stats(self) -> dict[str, object]:
        """Return what the feature store holds and how it is read, JSON-ready."""
        return feature_store.stats(self._ports, self.catalogue, self._vectors.age)

    def feature_store_metadata(self, symbol: str) -> dict[str, object]:
        """Return the versions kept of one symbol's vectors, JSON-ready."""
        return feature_store.metadata(symbol, self._ports, self.catalogue, self._vectors.age)

    async def feature_store_features(
        self, symbol: str, view: str | None = None
    ) -> dict[str, object]:
        """Return the features that a prediction would read now, JSON-ready.

        `view` names one of those that are read here; without it, it is that of the symbol's release
        with the nearest horizon.
        """
        catalogue = self.catalogue
        reads = feature_store.chosen(symbol, view, catalogue)
        vector, missing = await self._vectors.newest(symbol, catalogue, reads)
        degraded = [*self._ports.clock.standing, *missing, *self._adjusted(vector, reads)]
        return feature_store.features(vector, reads, self._vectors.age(vector.session), degraded)

    def overview(self) -> dict[str, object]:
        """Return what the front page shows, JSON-ready."""
        return views.overview(self._ports, self.catalogue)

    def prediction(self, prediction_id: str) -> dict[str, object]:
        """Return one stored prediction, JSON-ready."""
        found = self._ports.log.get(prediction_id)
        if found is not None:
            return views.stored(found)
        queue = self._ports.queue
        if queue is not None and queue.is_waiting(prediction_id):
            return {"prediction_id": prediction_id, "status": WAITING}
        for letter in queue.dead(prediction_id) if queue is not None else ():
            raise InvalidRequest("prediction_id", f"the request was given up: {letter.why}")
        raise MissingRecord("prediction", prediction_id, "bellwether predict SYMBOL")

    def _reasons(self, served: Served, vector: FeatureVector, age: int) -> tuple[str, ...]:
        reasons, view = [], served.reads.view
        if age > view.ttl_sessions:
            reasons.append(f"features_expired_{age}_sessions_old")
        elif age > 0:
            reasons.append(f"features_stale_{age}_sessions_old")
        sessions = served.sessions.get(vector.symbol, 0)
        needed = served.min_train_sessions + view.warm_up
        if sessions < needed:
            reasons.append(
                f"history_too_short_for_a_fold_of_its_own_{sessions}_of_{needed}_sessions"
            )
        if served.calibration is None:
            reasons.append("no_interval_too_few_out_of_sample_residuals")
        if served.quality_ignored:
            reasons.append("quality_gate_ignored_when_the_release_was_trained")
        reasons += self.catalogue.standing(served.release_id).reasons
        return (*reasons, *self._adjusted(vector, served.reads))

    def _adjusted(self, vector: FeatureVector, reads: Reads) -> tuple[str, ...]:
        return adjusted(vector, reads.view, self.catalogue.adjusted.get(vector.symbol))

    def _prediction(
        self,
        request: PredictionRequest,
        served: Served,
        vector: FeatureVector,
        numbers: Numbers,
        age: int,
        sentiment: Sentiment,
        degraded: tuple[str, ...],
    ) -> Prediction:
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
            sentiment=sentiment,
            features=views.named(vector.values, served.reads.positions),
            feature_ages_sessions={served.reads.view.name: age},
            skill=self.catalogue.skill(served, request.symbol) or NO_SKILL,
            explanation=self._explained(served, vector) if request.explain else None,
            degraded=degraded,
        )

    def _explained(self, served: Served, vector: FeatureVector) -> dict[str, float]:
        with _EXPLANATION.time():
            return explanation(served, vector, served.reads.view)

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
