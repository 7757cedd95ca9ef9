"""The same prediction the obvious way on servers: HGETALL, the same model, one INSERT a request."""

import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import numpy as np
import onnxruntime as ort
import redis
from fastapi import FastAPI
from redis import asyncio as aio

from bellwether.bootstrap import bootstrap
from bellwether.features.catalog import technical
from bellwether.settings import Settings
from plain_stack import Question

POOL = 16


def create() -> FastAPI:
    """Build the app over the newest release of a home; its features go to Redis as hashes."""
    home = Path(os.environ["BELLWETHER_HOME"])
    database = os.environ["BELLWETHER_DATABASE_URL"]
    address = os.environ["BELLWETHER_REDIS_URL"]
    ports = bootstrap(Settings(home=home, database_url=database)).ports
    view = technical()
    row = ports.ledger.releases()[0]
    model = ports.releases.load(row.release_id).files["model.onnx"]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options)
    built = ports.ledger.newest_materialisation(view.version)
    if built is None:
        raise SystemExit("materialise features first")
    filled = redis.from_url(address, db=1)
    for vector in ports.features.latest(view.version, built.watermark):
        values = np.frombuffer(vector.values)[list(view.model_positions)].tolist()
        filled.hset(vector.symbol, mapping=dict(zip(view.model_columns, values, strict=True)))
    online = aio.from_url(address, db=1)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = await asyncpg.create_pool(
            database.replace("+psycopg", ""), min_size=POOL, max_size=POOL
        )
        await app.state.pool.execute(
            "CREATE TABLE IF NOT EXISTS plain (id text PRIMARY KEY, body text)"
        )
        yield

    app = FastAPI(lifespan=life)

    @app.post("/predict")
    async def predict(question: Question) -> dict[str, object]:
        kept = await online.hgetall(question.symbol)
        names = view.model_columns
        values = np.array([float(kept[name.encode()]) for name in names], dtype=np.float32)
        (out,) = session.run(None, {"features": values.reshape(1, -1)})
        answer = {
            "prediction_id": str(uuid.uuid4()),
            "symbol": question.symbol,
            "expected_return": float(np.expm1(out[0, 0])),
            "probability_up": float(out[0, 1]),
            "features": dict(zip(names, values.tolist(), strict=True)),
        }
        await app.state.pool.execute(
            "INSERT INTO plain VALUES ($1, $2)", answer["prediction_id"], json.dumps(answer)
        )
        return answer

    return app
