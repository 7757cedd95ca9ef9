"""The lake at five million bars, beside Polars reading and writing the same bars plainly.

500 symbols x 10,000 sessions (`panel.py`). Ingestion goes through the `files` source with all its
checks until the bars can be read from the lake; the inspection that follows is timed by itself. The
plain side reads the same file and writes it sorted, without keeping anything of the past. Reads are medians after a daily upsert; every figure is of this run.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from bellwether.bootstrap import bootstrap
from bellwether.core.asof import as_of
from bellwether.core.ports import LakeBatch, Ports, SourceQuery
from bellwether.core.types import AppendResult
from bellwether.pipelines import quality
from bellwether.settings import Settings
from panel import write

ROUNDS = 5


def timed(what: Callable[[], Any], rounds: int = 1) -> tuple[float, Any]:
    """Return the median seconds of some rounds, and the last result."""
    took, found = [], None
    for _ in range(rounds):
        begun = time.perf_counter()
        found = what()
        took.append(time.perf_counter() - begun)
    return statistics.median(took), found


def plainly(path: Path, out: Path) -> None:
    """Do what a notebook does: read, sort, write."""
    pl.read_parquet(path).sort("symbol", "date").write_parquet(out)


def measure(place: Path, symbols: int, sessions: int) -> dict[str, float]:
    """Fill a lake and time what it is asked."""
    path = place / "panel.parquet"
    frame = write(path, symbols, sessions)
    newest = frame["date"].max()
    today = frame.filter(pl.col("date") == newest)
    frame.filter(pl.col("date") < newest).write_parquet(path)
    today.write_parquet(place / "today.parquet")
    both = []
    for i in range(ROUNDS):
        wired = bootstrap(Settings(home=place / f"home{i}", clock="system"))
        plain_s, _ = timed(lambda: plainly(path, place / "plain.parquet"))
        ours_s, result = timed(partial(bring_in, wired.ports, path))
        assert (result.rejected, result.added) == (0, symbols * (sessions - 1))
        both.append((plain_s, ours_s))
    found = {
        "plain_s": statistics.median(p for p, _ in both),
        "ingest_s": statistics.median(o for _, o in both),
        "ingest_over_plain": statistics.median(o / p for p, o in both),
    }
    found["inspect_s"], _ = timed(lambda: quality.run(quality.QualityConfig(), wired.ports))
    query = SourceQuery(path=str(place / "today.parquet"))
    bars = wired.ports.sources["files"].read(query, wired.ports.wall.now()).bars
    found |= writes(wired.ports, bars)
    found |= reads(wired.ports, symbols, sessions, newest)
    wired.close()
    return found


def bring_in(ports: Ports, path: Path) -> AppendResult:
    """Read and check a file and have its bars in the lake, as `bellwether ingest` does.

    The command then inspects what came in; that is timed by itself.
    """
    told = ports.sources["files"].read(SourceQuery(path=str(path)), ports.wall.now())
    batch = LakeBatch(bars=told.bars, rejections=told.rejections)
    return ports.lake.append(batch, ports.wall.now())


def writes(ports: Ports, bars: pl.DataFrame) -> dict[str, float]:
    """Time one session of all symbols, new and corrected."""
    now = ports.wall.now()
    new_s, result = timed(lambda: ports.lake.append(LakeBatch(bars=bars), now))
    assert result.added == bars.height
    other = bars.with_columns(volume=pl.col("volume") + 1)
    again_s, result = timed(lambda: ports.lake.append(LakeBatch(bars=other), now))
    assert result.revised == bars.height
    return {"upsert_session_s": new_s, "revise_session_s": again_s}


def reads(ports: Ports, symbols: int, sessions: int, newest: date) -> dict[str, float]:
    """Time one symbol, and ten years of all as of now."""
    names = iter([f"S{i:04d}" for i in range(0, symbols, max(1, symbols // 9))])
    one_s, one = timed(lambda: ports.lake.bars([next(names)]), 9)
    assert one.height == sessions + 1

    def ten_years() -> pl.DataFrame:
        kept = ports.lake.bars(first=newest - timedelta(days=3652), last=newest)
        return as_of(kept, ports.wall.now(), ("symbol", "session"))

    known_s, known = timed(ten_years, 3)
    return {
        "one_symbol_s": one_s,
        "as_of_ten_years_s": known_s,
        "as_of_ten_years_rows": known.height,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), chosen.symbols, chosen.sessions)
    for name, value in found.items():
        print(f"{name:<22}{value:>12.3f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
