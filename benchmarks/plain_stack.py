"""The same prediction the obvious way: FastAPI, the same packed model, one INSERT a request."""

import json
import os
import sqlite3
import uuid
from pathlib import Path

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI
from pydantic import BaseModel

from bellwether.bootstrap import bootstrap
from bellwether.features.catalog import technical
from bellwether.settings import Settings

HOME = Path(os.environ["BELLWETHER_HOME"])


class Question(BaseModel):
    """The body of a request."""

    symbol: str
    news_headlines: list[str] = []
    user_id: str | None = None


def create() -> FastAPI:
    """Build the app over the newest release and the materialised features of a home."""
    ports = bootstrap(Settings(home=HOME)).ports
    view = technical()
    row = ports.ledger.releases()[0]
    model = ports.releases.load(row.release_id).files["model.onnx"]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options)
    built = ports.ledger.newest_materialisation(view.version)
    if built is None:
        raise SystemExit("materialise features first")
    vectors = {v.symbol: v for v in ports.features.latest(view.version, built.watermark)}
    database = sqlite3.connect(HOME / "plain.db", check_same_thread=False, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE IF NOT EXISTS p (id TEXT PRIMARY KEY, body TEXT)")
    app = FastAPI()

    @app.post("/predict")
    async def predict(question: Question) -> dict[str, object]:
        vector = vectors[question.symbol]
        values = np.frombuffer(vector.values)[list(view.model_positions)].astype(np.float32)
        (out,) = session.run(None, {"features": values.reshape(1, -1)})
        answer = {
            "prediction_id": str(uuid.uuid4()),
            "symbol": question.symbol,
            "expected_return": float(np.expm1(out[0, 0])),
            "probability_up": float(out[0, 1]),
            "features": dict(zip(view.model_columns, values.tolist(), strict=True)),
        }
        database.execute(
            "INSERT INTO p VALUES (?, ?)", (answer["prediction_id"], json.dumps(answer))
        )
        return answer

    return app
