"""The point-in-time join of 17,000 entity rows with 1,000 features, beside pandas' merge_asof.

20 views of 50 features; 500 symbols x 250 sessions of facts each (125,000 rows, 1 GB in all). Of every
fifth symbol one fact in ten is corrected 1 to 30 days later. The pandas side merges view by view, which
is how a notebook does it, and knows nothing of revisions: it takes the row that was known last, be it
of an old session. So both are checked against each other on the symbols without corrections, and ours
on the others against a search row by row. Each runs in a process of its own, so that its peak of
memory is its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from bellwether.core.asof import join_as_of

VIEWS, FEATURES = 20, 50
EVERY, ONE_IN = 5, 10
SEARCHED = 200


def facts(view: int, symbols: int, sessions: int) -> pl.DataFrame:
    """Return one view's rows: symbol, the three times, and its features."""
    rng = np.random.default_rng(view)
    days = pl.datetime_range(
        datetime(2023, 1, 1, 21, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), "1d", eager=True
    ).dt.cast_time_unit("us")[:sessions]
    n = symbols * sessions
    told = pl.concat([days] * symbols)
    values = rng.normal(size=(FEATURES, n))
    first = pl.DataFrame(
        {
            "symbol": np.repeat([f"S{i:04d}" for i in range(symbols)], sessions),
            "event_time": told,
            "knowledge_time": told,
            "revision": np.zeros(n, dtype=np.int32),
            **{f"v{view}_f{i}": values[i] for i in range(FEATURES)},
        }
    )
    wrong = np.flatnonzero((np.arange(n) // sessions % EVERY == 0) & (rng.random(n) < 1 / ONE_IN))
    late = pl.Series(rng.integers(1, 31, len(wrong)) * 86_400_000_000).cast(pl.Duration("us"))
    corrected = first[wrong].with_columns(
        pl.col("knowledge_time") + late,
        pl.lit(1, pl.Int32).alias("revision"),
        pl.col(f"^v{view}_f.*$") + 100.0,
    )
    return pl.concat([first, corrected], rechunk=True)


def untouched(frame: pl.DataFrame) -> pl.Series:
    """Tell which rows are of symbols without corrections."""
    return frame["symbol"].str.slice(1).cast(pl.Int64) % EVERY != 0


def searched(asked: pl.DataFrame, views: list[pl.DataFrame], found: pl.DataFrame) -> int:
    """Look some rows with corrections up one by one; return how many of them show one."""
    rows = np.flatnonzero(~untouched(asked).to_numpy())[:SEARCHED]
    shown = 0
    for row in rows.tolist():
        symbol, at = asked.row(row)
        known = views[0].filter(pl.col("symbol") == symbol, pl.col("knowledge_time") <= at)
        fact = known.sort("event_time", "revision").tail(1)
        assert fact["v0_f0"].to_list() == [x for x in [found["v0_f0"][row]] if x is not None]
        shown += fact["revision"].sum()
    assert shown, "no correction was met"
    return int(shown)


def entities(n: int, symbols: int) -> pl.DataFrame:
    """Return what is asked: a symbol and an instant each."""
    rng = np.random.default_rng(0)
    minutes = rng.integers(0, 330 * 1440, n)
    at = pl.Series(np.datetime64("2023-01-02T00:00", "us") + minutes.astype("timedelta64[m]"))
    names = np.array([f"S{i:04d}" for i in range(symbols)])[rng.integers(0, symbols, n)]
    return pl.DataFrame({"symbol": names, "decision_at": at.dt.replace_time_zone("UTC")})


def ours(asked: pl.DataFrame, views: list[pl.DataFrame]) -> pl.DataFrame:
    """Join all views as of each decision."""
    drop = ["event_time", "knowledge_time", "revision"]
    found = [join_as_of(asked, v, by=["symbol"]).drop(drop) for v in views]
    return pl.concat([asked, *(f.drop(asked.columns) for f in found)], how="horizontal")


def theirs(asked: pl.DataFrame, views: list[pl.DataFrame]) -> pl.DataFrame:
    """Do the same with pandas."""
    import pandas as pd

    left = asked.to_pandas().reset_index().sort_values("decision_at")
    for view in views:
        right = view.drop("event_time", "revision").to_pandas().sort_values("knowledge_time")
        left = pd.merge_asof(
            left, right, left_on="decision_at", right_on="knowledge_time", by="symbol"
        ).drop(columns="knowledge_time")
    return pl.from_pandas(left.sort_values("index").drop(columns="index"))


def one(side: str, rows: int, symbols: int, sessions: int) -> dict[str, float]:
    """Measure one side in this process."""
    views = [facts(v, symbols, sessions) for v in range(VIEWS)]
    asked = entities(rows, symbols)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    join = ours if side == "ours" else theirs
    cpu, begun = time.process_time(), time.perf_counter()
    found = join(asked, views)
    wall, used = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert found.shape == (rows, VIEWS * FEATURES + 2)
    corrected = searched(asked, views, found) if side == "ours" else 0
    total = float(
        found.filter(untouched(found))
        .select(pl.sum_horizontal(pl.all().exclude("symbol", "decision_at").fill_nan(None).sum()))
        .item()
    )
    told = {"s": wall, "cpu_s": used, "peak_mb": peak, "of_it_input_mb": before}
    return told | {"check": total, "corrections_met": corrected}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=17_000)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=("ours", "pandas"))
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if chosen.side:
        print(json.dumps(one(chosen.side, chosen.rows, chosen.symbols, chosen.sessions)))
        return
    size = ["--rows", chosen.rows, "--symbols", chosen.symbols, "--sessions", chosen.sessions]
    took: dict[str, list[dict[str, float]]] = {"ours": [], "pandas": []}
    for _ in range(chosen.rounds):
        for side, results in took.items():
            command = [sys.executable, __file__, "--side", side, *map(str, size)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            results.append(json.loads(told.splitlines()[-1]))
    assert abs(took["ours"][0]["check"] - took["pandas"][0]["check"]) < 1e-3
    found = {
        f"{side}_{key}": float(np.median([r[key] for r in results]))
        for side, results in took.items()
        for key in ("s", "cpu_s", "peak_mb", "of_it_input_mb")
    }
    found["corrections_met"] = took["ours"][0]["corrections_met"]
    ratios = [p["s"] / o["s"] for p, o in zip(took["pandas"], took["ours"], strict=True)]
    found["pandas_over_ours"] = float(np.median(ratios))
    for name, value in found.items():
        print(f"{name:<24}{value:>12.3f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
