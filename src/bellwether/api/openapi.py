"""The one OpenAPI document: the framework's routes, the prediction route and every schema."""

from typing import Any

import msgspec
from fastapi import FastAPI

from bellwether.api import problems
from bellwether.api.problems import MEDIA_TYPE, Kind, ProblemBody
from bellwether.api.schemas import BacktestReport, HealthReport, PredictAnswer, PredictBody

Responses = dict[int | str, dict[str, Any]]

_PREFIX = "#/components/schemas/"

PREDICT_EXAMPLE: dict[str, object] = {
    "symbol": "AAPL",
    "news_headlines": ["Strong earnings"],
    "user_id": "test",
    "horizon_sessions": 1,
    "explain": False,
}

_ANSWER_EXAMPLE: dict[str, object] = {
    "prediction_id": "0190b1f0-6a3c-7d2e-9c41-2f6f0c9b7a10",
    "symbol": "AAPL",
    "as_of": "2025-06-30",
    "horizon_sessions": 1,
    "last_price": 205.17,
    "expected_return": 0.0004,
    "predicted_price": 205.25,
    "probability_up": 0.521,
    "direction": "up",
    "interval": {"lower": 199.8, "upper": 210.9, "coverage": 0.9, "coverage_realised": 0.897},
    "release": "3f1c9a7d52e0",
    "arm": "champion",
    "sentiment": {"score": 0.6, "method": "lexicon-v1", "n_headlines": 1, "used_by_model": False},
    "features": {"rsi_14": 0.58},
    "feature_ages_sessions": {"technical": 0},
    "skill": {
        "directional_accuracy": 0.512,
        "ci_low": 0.489,
        "ci_high": 0.535,
        "n": 1890,
        "baseline": "always_up",
        "baseline_accuracy": 0.529,
        "shown": False,
    },
    "explanation": None,
    "degraded": ["sample_data_ends_2025-06-30"],
    "latency_ms": 0.84,
}

_HEALTH_EXAMPLE: dict[str, object] = {
    "status": "healthy",
    "components": {"database": {"status": "healthy", "detail": "1,204 rows", "latency_ms": 0.3}},
}

_METRICS_EXAMPLE: dict[str, object] = {
    "n": 30,
    "directional_accuracy": 0.5,
    "directional_accuracy_ci": [0.33, 0.67],
    "r2_oos": -0.004,
    "sharpe": 0.11,
    "max_drawdown": -0.061,
    "roi": 0.004,
}

_BACKTEST_EXAMPLE: dict[str, object] = {
    "symbol": "AAPL",
    "from": "2025-05-16",
    "to": "2025-06-30",
    "n": 30,
    "metrics": _METRICS_EXAMPLE,
    "baselines": {"always_up": {**_METRICS_EXAMPLE, "directional_accuracy": 0.53}},
    "costs": {"commission_bps": 1.0, "half_spread_bps": 1.0},
    "release": "3f1c9a7d52e0",
}


def _ref(model: type) -> dict[str, str]:
    return {"$ref": f"{_PREFIX}{model.__name__}"}


def _ok(description: str, model: type, example: dict[str, object]) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref(model), "example": example}}
    return {"description": description, "content": content}


def _refusals(*kinds: Kind) -> Responses:
    """Describe problems by status; kinds that share one share its description."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(kind.title)
    return {
        status: {
            "description": "; ".join(names),
            "content": {MEDIA_TYPE: {"schema": _ref(ProblemBody)}},
        }
        for status, names in titles.items()
    }


_LOOKUP = (problems.UNKNOWN_NAME, problems.MISSING_RECORD, problems.INVALID_REQUEST)

BACKTEST_RESPONSES: Responses = {
    200: _ok("The record", BacktestReport, _BACKTEST_EXAMPLE),
    **_refusals(*_LOOKUP, problems.STORAGE),
}
PREDICTION_RESPONSES: Responses = {
    200: {
        "description": "The stored prediction",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    202: {
        "description": "Its request waits for an answer; ask again after Retry-After",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    **_refusals(problems.MISSING_RECORD, problems.INVALID_REQUEST, problems.STORAGE),
}
FEATURES_RESPONSES: Responses = {
    200: {
        "description": "What is there",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    **_refusals(*_LOOKUP, problems.INSUFFICIENT_HISTORY, problems.UNAVAILABLE),
}
JOB_RESPONSES: Responses = {
    200: {
        "description": "Where it stands",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    202: {
        "description": "Kept; it is followed under Location",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    **_refusals(
        *_LOOKUP,
        problems.MALFORMED,
        problems.TOO_LARGE,
        problems.WRONG_MEDIA_TYPE,
        problems.UNAVAILABLE,
    ),
}
BACKTEST_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {
                    "symbols": ["AAPL", "IBM"],
                    "model": "linear",
                    "first": "2005-01-01",
                    "last": "2012-12-31",
                    "step": "1y",
                },
            }
        }
    }
}
HEALTH_RESPONSES: Responses = {
    200: _ok("Healthy or degraded: predictions are answered", HealthReport, _HEALTH_EXAMPLE),
    503: _ok(
        "Down: predictions cannot be answered", HealthReport, {**_HEALTH_EXAMPLE, "status": "down"}
    ),
}
METRICS_RESPONSES: Responses = {
    200: {
        "description": "The measurements",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}
DOCUMENT_RESPONSES: Responses = {
    200: {
        "description": "This document",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
PAGE_RESPONSES: Responses = {
    200: {"description": "A page", "content": {"text/html": {"schema": {"type": "string"}}}}
}

_PREDICT_OPERATION: dict[str, Any] = {
    "tags": ["Forecasts"],
    "summary": "Predict",
    "operationId": "predict",
    "description": (
        "Forecast one symbol. The answer says how good this model has been on this symbol, and what "
        "was missing. It is on disk before it is sent."
    ),
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "schema": {"type": "string"},
            "description": (
                "respond-async (RFC 7240) queues the request: 202, and the prediction is found "
                "under Location. Where no queue is set up it is answered at once."
            ),
        }
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": _ref(PredictBody), "example": PREDICT_EXAMPLE}},
    },
    "responses": {
        str(status): response
        for status, response in {
            200: _ok("The forecast", PredictAnswer, _ANSWER_EXAMPLE),
            202: {
                "description": "Queued; the prediction will be found under Location",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **_refusals(
                problems.MALFORMED,
                problems.FOREIGN_ORIGIN,
                problems.UNKNOWN_NAME,
                problems.MISSING_RECORD,
                problems.TIMED_OUT,
                problems.TOO_LARGE,
                problems.WRONG_MEDIA_TYPE,
                problems.INVALID_REQUEST,
                problems.OVERLOADED,
                problems.UNAVAILABLE,
                problems.STORAGE,
                problems.ARTIFACT,
            ),
        }.items()
    },
}


def document(rest: FastAPI) -> dict[str, Any]:
    """Return the whole document: what the framework knows, and what it does not."""
    known = rest.openapi()
    _, schemas = msgspec.json.schema_components(
        [PredictBody, PredictAnswer, BacktestReport, HealthReport, ProblemBody],
        ref_template=_PREFIX + "{name}",
    )
    components = known.get("components", {})
    return {
        **known,
        "paths": {"/predict": {"post": _PREDICT_OPERATION}, **known["paths"]},
        "components": {
            **components,
            "schemas": {**schemas, **components.get("schemas", {})},
        },
    }
