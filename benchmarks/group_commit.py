"""Durable predictions in PostgreSQL: our log beside a pool of single INSERTs, one run.

Both write the same rows into the same partitioned table with fsync and synchronous_commit on.
64 clients arrive by a Poisson process (open loop: nobody waits for anybody), the rate is stepped
up, and a rate counts as sustained if 97 % of what arrived was on disk within the window with a
p99 under 100 ms. Latency is counted from the instant a row was due. PostgreSQL has core 1, the
client core 0.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import uuid_utils
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests import servers
from tests.contract.test_database import ONE

from bellwether.core.errors import StorageError
from bellwether.database.engine import connect
from bellwether.database.migrate import migrate
from bellwether.database.predictions import SqlPredictionLog
from bellwether.database.writers import NAMES, row_of

RATES = (1_000, 2_000, 4_000, 6_000, 8_000, 12_000, 16_000, 24_000, 32_000, 48_000, 64_000, 80_000)
POOL = 16
CLIENTS = 64
FEATURES = np.random.default_rng(0).normal(size=45).astype("<f8").tobytes()
Send = Callable[[Any], "asyncio.Future[None]"]


def rows(n: int) -> list[Any]:
    request = '{"symbol":"AAPL","horizon_sessions":1,"news_headlines":["Strong earnings"]}'
    one = replace(ONE, features=FEATURES, request=request)
    return [replace(one, prediction_id=str(uuid_utils.uuid7())) for _ in range(n)]


class Arrivals:
    """Rows that come when they are due, and what became of them."""

    def __init__(self, rate: int, seconds: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        # The union of 64 independent Poisson clients is one Poisson process of their summed rate.
        self.due = np.cumsum(rng.exponential(1 / rate, int(rate * seconds)))
        self.rows = rows(len(self.due))
        self.waits: list[float] = []
        self.refused = 0
        self.begun = time.perf_counter()

    def now(self) -> float:
        """Seconds since the first could come."""
        return time.perf_counter() - self.begun

    def settle(self, due: float, future: "asyncio.Future[None]") -> None:
        """Note that a row is on disk, or was refused."""
        if future.cancelled() or future.exception() is not None:
            self.refused += 1
        else:
            self.waits.append(self.now() - due)

    def hand_over(self, i: int, send: Send) -> None:
        """Send row `i`."""
        try:
            future = send(self.rows[i])
        except StorageError:
            self.refused += 1
        else:
            future.add_done_callback(partial(self.settle, self.due[i]))


async def open_loop(send: Send, rate: int, seconds: float, seed: int) -> dict[str, float]:
    """Offer `rate` rows a second as they come, and watch when each is on disk."""
    come = Arrivals(rate, seconds, seed)
    i, n, cpu = 0, len(come.due), time.process_time()
    while i < n:
        now = come.now()
        while i < n and come.due[i] <= now:
            come.hand_over(i, send)
            i += 1
        if i < n:
            await asyncio.sleep(max(0.0, come.due[i] - come.now()))
    in_window = len(come.waits)
    cpu = time.process_time() - cpu
    deadline = come.now() + 10
    while len(come.waits) + come.refused < n and come.now() < deadline:
        await asyncio.sleep(0.01)
    ms = np.array(come.waits or [np.inf]) * 1e3
    return {
        "offered_per_s": rate,
        "on_disk_in_window": in_window / n,
        "refused": come.refused,
        "p50_ms": float(np.percentile(ms, 50)),
        "p99_ms": float(np.percentile(ms, 99)),
        "cpu_us_per_row": cpu / n * 1e6,
    }


def sustained(found: dict[str, float]) -> bool:
    return found["on_disk_in_window"] >= 0.97 and found["p99_ms"] < 100 and not found["refused"]


async def one_client(send: Send, n: int) -> float:
    waits = []
    for row in rows(n):
        begun = time.perf_counter()
        await send(row)
        waits.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(waits)


class Single:
    """What a plain stack does: a pool, and one prepared INSERT a row."""

    name = "single INSERT, asyncpg pool of 16"

    async def open(self, url: str) -> None:
        places = ", ".join(f"${i + 1}" for i in range(20))
        self._insert = f"INSERT INTO predictions ({NAMES}) VALUES ({places})"  # noqa: S608
        at = url.replace("+psycopg", "")
        self._pool = await asyncpg.create_pool(at, min_size=POOL, max_size=POOL)

    def send(self, row: Any) -> "asyncio.Future[None]":
        return asyncio.ensure_future(self._write(row_of(row)))

    async def _write(self, row: tuple[Any, ...]) -> None:
        await self._pool.execute(self._insert, *row)

    async def close(self) -> None:
        await self._pool.close()


class Ours:
    """The prediction log."""

    name = "bellwether, group commit"

    async def open(self, url: str) -> None:
        self._engine = connect(url)
        self._log = SqlPredictionLog(self._engine)

    def send(self, row: Any) -> "asyncio.Future[None]":
        return self._log.enlist(row)

    async def close(self) -> None:
        await asyncio.to_thread(self._log.close)
        self._engine.dispose()


async def measure(kind: Any, url: str, seconds: float, seed: int) -> dict[str, Any]:
    peer = kind()
    await peer.open(url)
    await open_loop(peer.send, 500, 0.5, seed)
    alone = await one_client(peer.send, 300)
    steps = []
    for rate in RATES:
        steps.append(await open_loop(peer.send, rate, seconds, seed))
        if not sustained(steps[-1]):
            break
    await peer.close()
    return {"one_client_p50_ms": alone, "steps": steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    found: dict[str, list[dict[str, Any]]] = {Single.name: [], Ours.name: []}
    with servers.postgres(durable=True, core=cores[-1]) as server:
        os.sched_setaffinity(0, {cores[0]})
        url = server.fresh()
        migrate(url)
        for seed in range(args.rounds):
            for kind in (Single, Ours) if seed % 2 == 0 else (Ours, Single):
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    measured = runner.run(measure(kind, url, args.seconds, seed))
                found[kind.name].append(measured)
    report(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


def report(found: dict[str, list[dict[str, Any]]]) -> None:
    best, base = {}, {}
    for name, rounds in found.items():
        most = [
            max((s["offered_per_s"] for s in r["steps"] if sustained(s)), default=0) for r in rounds
        ]
        best[name] = statistics.median(most)
        base[name] = statistics.median(r["one_client_p50_ms"] for r in rounds)
        print(f"{name}: sustained {most} rows/s, one client p50 {base[name]:.3f} ms")
    single, ours = Single.name, Ours.name
    print(f"sustained rows/s, ours/single: {best[ours] / max(best[single], 1):.1f}x")
    print(f"one client p50, ours/single: {base[ours] / base[single]:.2f}x")
    rates = sorted({s["offered_per_s"] for r in found[single] for s in r["steps"]})
    for rate in rates:
        at = {
            name: [s for r in rounds for s in r["steps"] if s["offered_per_s"] == rate]
            for name, rounds in found.items()
        }
        p = {n: statistics.median(s["p99_ms"] for s in v) for n, v in at.items() if v}
        c = {n: statistics.median(s["cpu_us_per_row"] for s in v) for n, v in at.items() if v}
        if len(p) == 2:
            print(
                f"{rate:>6} rows/s: p99 {p[single]:.2f} and {p[ours]:.2f} ms, "
                f"ratio {p[ours] / p[single]:.2f}; client CPU {c[single]:.0f} and {c[ours]:.0f} us/row"
            )


if __name__ == "__main__":
    main()
