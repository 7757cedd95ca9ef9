"""Reading 60 features online: our store beside Feast, both from one Redis, in one run.

Every read goes to Redis (the memory over it is left out), decodes the values and checks them. 50
symbols in turn, of which ours also asks for some that are not there. Redis has core 1, the reader
core 0; rounds alternate, ratios are medians of the rounds' ratios.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))
from tests import servers

from bellwether.core.clock import SystemClock
from bellwether.core.types import FeatureVector
from bellwether.events.inprocess import InProcessBus
from bellwether.featurestore.redis_store import RedisOnlineStore
from bellwether.links.redis import RedisLink

FEAST = "feast[redis]==0.67.0"
SYMBOLS, FEATURES, IN_FLIGHT = 50, 60, 32
VIEW = "technical@bench"


def environment() -> Path:
    """Install Feast into an environment of its own."""
    place = ROOT / ".tools" / "bench-feast"
    if not (place / "bin" / "python").exists():
        uv = str(ROOT / ".tools" / "uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(place)], check=True)
        command = [uv, "pip", "install", "-q", FEAST, "hiredis"]
        extra = {"VIRTUAL_ENV": str(place), "UV_COMPILE_BYTECODE": "1"}
        subprocess.run(command, check=True, env={**os.environ, **extra})
    return place / "bin" / "python"


def fill(store: RedisOnlineStore) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    now = datetime(2024, 1, 2, 21, tzinfo=UTC)
    rows = {f"S{i:03d}": rng.normal(size=FEATURES).astype("<f8").tobytes() for i in range(SYMBOLS)}
    store.put([FeatureVector(s, date(2024, 1, 2), VIEW, now, v, 10.0) for s, v in rows.items()])
    return rows


async def measure(
    store: RedisOnlineStore, rows: dict[str, bytes], seconds: float
) -> dict[str, float]:
    at = 0

    async def one() -> None:
        nonlocal at
        at += 1
        name = f"S{at % (SYMBOLS + 1):03d}"  # the last of them is not there
        found = await store.fetch(name, VIEW)
        values = None if found is None else np.frombuffer(found.values, dtype="<f8")
        assert (values is None) == (name not in rows)
        assert values is None or len(values) == FEATURES

    async def many(until: float) -> int:
        n = 0
        while time.perf_counter() < until:
            await one()
            n += 1
        return n

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
    return {
        "one_us": statistics.median(alone) * 1e6,
        "one_cpu_us": cpu_alone * 1e6,
        "many_us": wall / done * 1e6,
        "many_cpu_us": (time.process_time() - cpu) / done * 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    python = environment()
    cores = sorted(os.sched_getaffinity(0))
    ours: list[dict[str, float]] = []
    feast: list[dict[str, float]] = []
    with servers.redis_server(core=cores[-1]) as redis, tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, {cores[0]})
        where = [folder, str(redis.port), str(SYMBOLS), str(FEATURES)]
        peer = subprocess.Popen(
            [str(python), str(HERE / "feast_reader.py"), *where],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert peer.stdin is not None
        assert peer.stdout is not None
        while peer.stdout.readline().strip() != "ready":
            assert peer.poll() is None, "Feast did not start"
        store = RedisOnlineStore(RedisLink(redis.url, timeout_s=1.0), InProcessBus(), SystemClock())
        rows = fill(store)
        asyncio.run(measure(store, rows, 0.3))
        for _ in range(args.rounds):
            peer.stdin.write(f"{args.seconds}\n")
            peer.stdin.flush()
            feast.append(json.loads(peer.stdout.readline()))
            ours.append(asyncio.run(measure(store, rows, args.seconds)))
        peer.stdin.close()
        peer.wait(30)
        store.close()
    report(ours, feast)
    if args.json:
        args.json.write_text(json.dumps({"bellwether": ours, "feast": feast}, indent=1))


def report(ours: list[dict[str, float]], feast: list[dict[str, float]]) -> None:
    names: dict[str, Any] = {
        "one_us": "one caller, median us",
        "one_cpu_us": "one caller, CPU us a read",
        "many_us": f"{IN_FLIGHT} in flight, wall us a read",
        "many_cpu_us": f"{IN_FLIGHT} in flight, CPU us a read",
    }
    print(f"{'':<32}{'Feast':>9}{'bellwether':>12}{'ratio':>8}")
    for key, name in names.items():
        theirs, mine = (statistics.median(r[key] for r in rounds) for rounds in (feast, ours))
        ratio = statistics.median(f[key] / o[key] for f, o in zip(feast, ours, strict=True))
        print(f"{name:<32}{theirs:>9.1f}{mine:>12.1f}{ratio:>7.1f}x")


if __name__ == "__main__":
    main()
