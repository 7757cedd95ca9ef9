"""A day of live bars of 500 symbols: from the feed on Redis to vectors in the online store.

    python benchmarks/live.py [--symbols 500] [--sessions 2520] [--rounds 5]

Each round one consumer, warm, drains one session of every symbol; the batch way beside it ingests
the same bars and materialises every symbol's whole history.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests import servers

from bellwether.bootstrap import bootstrap
from bellwether.core.calendar import session_calendar
from bellwether.core.ports import BarFeed, Ports, SourceQuery
from bellwether.pipelines import ingest, live, materialize
from bellwether.settings import Settings


def market(symbols: int, sessions: int) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    days = session_calendar().between(date(2000, 1, 3), date(2024, 6, 28))[-sessions:]
    n = len(days)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (n, symbols)), axis=0))
    return pl.DataFrame(
        {
            "symbol": [f"S{i:04d}" for i in range(symbols)] * n,
            "date": np.repeat(np.array(days, dtype="datetime64[D]"), symbols),
            "open": close.ravel(),
            "high": (close * 1.01).ravel(),
            "low": (close * 0.99).ravel(),
            "close": close.ravel(),
            "volume": rng.integers(1, 10_000_000, n * symbols).astype(float),
        }
    )


def drain(consumer: live.LiveConsumer, feed: BarFeed) -> float:
    """Return the seconds until the feed is empty."""
    rounds = itertools.count()

    def empty() -> bool:
        return next(rounds) > 0 and not any(state.waiting for state in feed.states())

    begun = time.perf_counter()
    consumer.run(empty, time.sleep)
    return time.perf_counter() - begun


def measure(bars: pl.DataFrame, rounds: int, place: Path, ports: Ports, feed: BarFeed) -> None:
    days = bars["date"].unique().sort()
    history = place / "history.parquet"
    bars.filter(pl.col("date") < days[-rounds]).write_parquet(history)
    ingest.run(ingest.IngestConfig("files", SourceQuery(path=str(history))), ports)
    consumer = live.LiveConsumer(ports, feed, "bench", 1e9)
    print(f"warming all streams and one empty look: {drain(consumer, feed):.2f} s")
    streamed, batch = [], []
    for day in days[-rounds:].to_list():
        path = place / f"{day}.parquet"
        bars.filter(pl.col("date") == day).write_parquet(path)
        live.publish(str(path), "files", ports, feed)
        streamed.append(drain(consumer, feed))
        begun = time.perf_counter()
        materialize.run(ports)
        batch.append(time.perf_counter() - begun)
    a, b = statistics.median(streamed), statistics.median(batch)
    print(f"one session of every symbol, feed to online store: {a:.3f} s")
    print(f"materialising the same state from the lake: {b:.3f} s, {b / a:.1f} times as long")


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--symbols", type=int, default=500)
    asked.add_argument("--sessions", type=int, default=2520)
    asked.add_argument("--rounds", type=int, default=5)
    args = asked.parse_args()
    bars = market(args.symbols, args.sessions)
    with tempfile.TemporaryDirectory() as folder, servers.redis_server() as redis:
        place = Path(folder)
        wired = bootstrap(Settings(home=place / "home", redis_url=redis.url, redis_timeout_s=5.0))
        assert wired.ports.feed is not None
        measure(bars, args.rounds, place, wired.ports, wired.ports.feed)
        wired.close()


if __name__ == "__main__":
    main()
