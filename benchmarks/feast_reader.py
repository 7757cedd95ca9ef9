"""Feast's side of online_read.py; runs in Feast's own environment and prints JSON lines.

Usage: feast_reader.py FOLDER REDIS_PORT SYMBOLS FEATURES, then one round a line on standard input:
`SECONDS`. For each it prints the medians and the CPU of a read at one caller and at 32 in flight.
"""

import asyncio
import json
import os
import statistics
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

warnings.simplefilter("ignore")
os.environ["FEAST_USAGE"] = "False"

import numpy as np
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float32

IN_FLIGHT = 32


def store_of(
    folder: Path, port: int, n_symbols: int, n_features: int
) -> tuple[FeatureStore, list[str]]:
    config = RepoConfig(
        project="bench",
        registry=str(folder / "registry.db"),
        provider="local",
        online_store={"type": "redis", "connection_string": f"127.0.0.1:{port},db=1"},
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    names = [f"f{i:02d}" for i in range(n_features)]
    symbol = Entity(name="symbol", join_keys=["symbol"])
    now = datetime.now(UTC)
    frame = pd.DataFrame({"symbol": [f"S{i:03d}" for i in range(n_symbols)]})
    values = np.random.default_rng(0).normal(size=(n_symbols, n_features)).astype("float32")
    frame = pd.concat([frame, pd.DataFrame(values, columns=names)], axis=1)
    frame["event_timestamp"] = now
    path = folder / "rows.parquet"
    frame.to_parquet(path)
    source = FileSource(path=str(path), timestamp_field="event_timestamp")
    view = FeatureView(
        name="technical",
        entities=[symbol],
        ttl=timedelta(days=30),
        schema=[Field(name=name, dtype=Float32) for name in names],
        source=source,
    )
    store.apply([symbol, view])
    store.write_to_online_store("technical", frame)
    return store, [f"technical:{name}" for name in names]


async def rounds(store: FeatureStore, wanted: list[str], n_symbols: int, n_features: int) -> None:
    await store.initialize()
    at = 0

    async def one() -> None:
        nonlocal at
        at += 1
        row = {"symbol": f"S{at % n_symbols:03d}"}
        found = await store.get_online_features_async(features=wanted, entity_rows=[row])
        values = found.to_dict()
        assert len(values) == n_features + 1

    async def many(until: float) -> int:
        n = 0
        while time.perf_counter() < until:
            await one()
            n += 1
        return n

    for line in sys.stdin:
        seconds = float(line)
        alone = []
        cpu, begun = time.process_time(), time.perf_counter()
        while time.perf_counter() < begun + seconds:
            start = time.perf_counter()
            await one()
            alone.append(time.perf_counter() - start)
        cpu_alone = (time.process_time() - cpu) / len(alone)
        cpu, begun = time.process_time(), time.perf_counter()
        until = begun + seconds
        done = sum(await asyncio.gather(*(many(until) for _ in range(IN_FLIGHT))))
        wall = time.perf_counter() - begun
        print(
            json.dumps(
                {
                    "one_us": statistics.median(alone) * 1e6,
                    "one_cpu_us": cpu_alone * 1e6,
                    "many_us": wall / done * 1e6,
                    "many_cpu_us": (time.process_time() - cpu) / done * 1e6,
                }
            ),
            flush=True,
        )
    await store.close()


def main() -> None:
    folder, port, n_symbols, n_features = sys.argv[1:5]
    store, wanted = store_of(Path(folder), int(port), int(n_symbols), int(n_features))
    print("ready", flush=True)
    asyncio.run(rounds(store, wanted, int(n_symbols), int(n_features)))


if __name__ == "__main__":
    main()
