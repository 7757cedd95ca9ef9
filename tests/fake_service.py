"""A service that answers from constants, for tests of the HTTP door alone."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from bellwether.core.errors import MissingRecord, UnknownName
from bellwether.core.types import (
    Arm,
    Direction,
    Interval,
    Prediction,
    PredictionRequest,
    Sentiment,
    Skill,
)

SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT", "YHOO")
NO_SKILL = Skill(0.509, 0.487, 0.531, 2016, "always_up", 0.524, shown=False)
WAITS = "01936b2e-7a10-7c31-9d5e-3c0f5a4b2e12"
PREDICTION = Prediction(
    prediction_id="01936b2e-7a10-7c31-9d5e-3c0f5a4b2e11",
    symbol="AAPL",
    as_of=date(2013, 3, 1),
    horizon_sessions=1,
    last_price=430.47,
    expected_return=0.00042,
    predicted_price=430.65,
    probability_up=0.513,
    direction=Direction.UP,
    interval=Interval(414.2, 447.9, 0.9, 0.897),
    release="3f1c9a7d52e08b64",
    arm=Arm.CHAMPION,
    sentiment=Sentiment(0.5, "lexicon-v1", 1, used_by_model=False),
    features={"rsi_14": 41.2, "not_known": float("nan")},
    feature_ages_sessions={"technical": 0},
    skill=NO_SKILL,
    explanation=None,
    degraded=("sample_data_ends_2013-03-01",),
)


def on_disk() -> Future[None]:
    done: Future[None] = Future()
    done.set_result(None)
    return done


@dataclass
class FakeService:
    """Answers AAPL and its neighbours; `durable` gives each answer's future, `error` is raised."""

    durable: Callable[[], Future[None]] = on_disk
    error: Exception | None = None
    status: str = "healthy"
    symbols: tuple[str, ...] = SYMBOLS
    queues: bool = False
    asked: list[PredictionRequest] = field(default_factory=list)

    async def answer(self, request: PredictionRequest) -> Prediction:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        self._known(request.symbol)
        if request.horizon_sessions != 1:
            key = f"{request.symbol} at a horizon of {request.horizon_sessions} sessions"
            raise MissingRecord("release", key, "bellwether train")
        explanation = {"rsi_14": 0.0003, "bias": 0.00012} if request.explain else None
        answered = replace(PREDICTION, symbol=request.symbol, explanation=explanation)
        await asyncio.wrap_future(self.durable())
        return answered

    def submit(self, request: PredictionRequest) -> str | None:
        self._known(request.symbol)
        if self.error is not None:
            raise self.error
        if not self.queues:
            return None
        self.asked.append(request)
        return WAITS

    def feature_store_stats(self) -> dict[str, object]:
        return {"store": "in-process", "reads": {"memory": 3}, "memory_hit_ratio": float("nan")}

    def feature_store_metadata(self, symbol: str) -> dict[str, object]:
        self._known(symbol)
        return {"symbol": symbol, "status": "fresh", "versions": []}

    async def feature_store_features(
        self, symbol: str, view: str | None = None
    ) -> dict[str, object]:
        del view
        self._known(symbol)
        if self.error is not None:
            raise self.error
        return {"symbol": symbol, "features": {"rsi_14": 41.2, "not_known": float("nan")}}

    def backtest(self, symbol: str, days: int) -> dict[str, object]:
        self._known(symbol)
        return {
            "symbol": symbol,
            "from": "2013-01-15",
            "to": "2013-03-01",
            "n": days,
            "metrics": {"rmse": 0.018, "sharpe": float("nan")},
            "baselines": {"always_up": {"rmse": 0.0181}},
            "costs": {"commission_bps": 1.0},
            "release": PREDICTION.release,
        }

    def health(self) -> dict[str, object]:
        part = {"status": self.status, "detail": "5 symbols", "latency_ms": 0.2}
        return {"status": self.status, "components": {"lake": part}}

    def overview(self) -> dict[str, object]:
        if self.error is not None:
            raise self.error
        return {
            "as_of": "2013-03-01",
            "clock": "2013-03-01T21:00:00+00:00",
            "degraded": ["sample_data_ends_2013-03-01", "redis_away"],
            "symbols": [_card(s, place) for place, s in enumerate(self.symbols)],
            "walk_forward": _WALK_FORWARD,
            "recent": [_recent(s, place) for place, s in enumerate(self.symbols)],
            "quarantine": 12,
            "predictions": 1204,
        }

    def prediction(self, prediction_id: str) -> dict[str, object]:
        if prediction_id == WAITS:
            return {"prediction_id": prediction_id, "status": "waiting"}
        if prediction_id != PREDICTION.prediction_id:
            raise MissingRecord("prediction", prediction_id, "bellwether predict SYMBOL")
        return {"prediction_id": prediction_id, "symbol": "AAPL"}

    def _known(self, symbol: str) -> None:
        if symbol not in self.symbols:
            raise UnknownName("symbol", symbol, self.symbols)


def _card(symbol: str, place: int) -> dict[str, object]:
    days = [date(2012, 3, 5) + timedelta(days=i) for i in range(250)]
    wave = [100 + 30 * place + i * 0.1 + 9 * ((i * (place + 3)) % 17) / 17 for i in range(250)]
    skill: dict[str, object] | None = {
        "directional_accuracy": 0.509 + 0.009 * place,
        "ci_low": 0.487 + 0.009 * place,
        "ci_high": 0.531 + 0.009 * place,
        "n": 2016,
        "baseline": "always_up",
        "baseline_accuracy": 0.524,
        "shown": place == 4,
    }
    return {
        "symbol": symbol,
        "last_session": "2013-03-01",
        "last_close": wave[-1],
        "release": None if place == 3 else PREDICTION.release,
        "model": None if place == 3 else "lightgbm",
        "skill": None if place == 3 else skill,
        "history": {"sessions": [d.isoformat() for d in days], "close": wave},
    }


def _recent(symbol: str, place: int) -> dict[str, object]:
    return {
        "prediction_id": PREDICTION.prediction_id,
        "recorded_at": f"2026-11-24T09:0{place}:12+00:00",
        "symbol": symbol,
        "as_of": "2013-03-01",
        "expected_return": 0.0004 - 0.0003 * place,
        "probability_up": 0.51,
        "direction": "up",
        "release": PREDICTION.release,
    }


def _row(name: str, accuracy: float | None, *, is_model: bool = False) -> dict[str, object]:
    return {
        "name": name,
        "is_model": is_model,
        "n": 10080,
        "directional_accuracy": accuracy,
        "ci_low": None if accuracy is None else accuracy - 0.011,
        "ci_high": None if accuracy is None else accuracy + 0.011,
        "r2_oos": None if accuracy is None else -0.0021,
        "brier": 0.2502,
        "sharpe": 0.31,
        "roi": 0.182,
        "max_drawdown": -0.217,
    }


_WALK_FORWARD: dict[str, object] = {
    "model": "lightgbm",
    "from": "2005-01-03",
    "to": "2013-02-28",
    "horizon_sessions": 1,
    "rows": [
        _row("lightgbm", 0.513, is_model=True),
        _row("always_up", 0.522),
        _row("historical_mean", 0.521),
        _row("momentum", 0.497),
        _row("last_value", None),
    ],
    "reading": "No skill in direction beyond the best baseline is shown on any symbol.",
}
