"""Indicators over a panel: our engine beside TA-Lib alone, `ta`, Polars expressions and a copy.

34 indicators x 500 symbols x 11,000 sessions (`panel.py`), float64, from a frame to a frame. Ours
runs the panel engine on both cores; TA-Lib is called in a loop and its results put into one array,
which is what a notebook would do. `ta` and Polars run in an environment of their own on fewer
symbols, since they take minutes; all figures are nanoseconds a value. Rounds alternate; ratios are
medians of the rounds' ratios, of wall time and (`_cpu`) of processor time over all threads. Two threads
show nothing on a machine that others use, so rounds in which others took 5 % of it are not counted.
Ours and TA-Lib are measured twice: as they come, and (`held_`) in a process
that keeps the memory it once had, because mapping 1.5 GB afresh costs what the machine's host makes
of it, up to several times the indicators. `--all` measures every view too.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.features.adjust import adjust_forward, bars_in_order
from bellwether.features.catalog import CLOSE, HIGH, HLC, LOW, VOLUME
from bellwether.features.expr import Expr, ta
from bellwether.features.feature import Feature, FeatureView
from bellwether.features.panel import compute, split
from bellwether.features.stream import StreamEngine, resume
from bellwether.features.views import views
from panel import panel

HERE = Path(__file__).parent
ROOT = HERE.parent
HELD = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736"
OTHERS = 0.05
Round = dict[str, tuple[float, float]]
PEERS = ("ta==0.11.0", "polars==2.1.0", "pandas", "numpy", "pyarrow")


def _formulas() -> dict[str, Expr]:
    found: dict[str, Expr] = {}
    for name, sizes in (("SMA", (10, 20, 50)), ("EMA", (12, 26, 50)), ("ROCP", (1, 5, 20))):
        found |= {f"{name.lower()}_{n}": ta(name, CLOSE, timeperiod=n) for n in sizes}
    for i, name in enumerate(("macd", "signal", "histogram")):
        macd: dict[str, int] = {"fastperiod": 12, "slowperiod": 26, "signalperiod": 9}
        found[name] = ta("MACD", CLOSE, output=i, outputs=3, **macd)
    for i, name in enumerate(("upper", "middle", "lower")):
        found[name] = ta(
            "BBANDS", CLOSE, output=i, outputs=3, timeperiod=20, nbdevup=2.0, nbdevdn=2.0
        )
    for i, name in enumerate(("stoch_k", "stoch_d")):
        periods = {"fastk_period": 14, "slowk_period": 3, "slowd_period": 3}
        found[name] = ta("STOCH", *HLC, output=i, outputs=2, **periods)
    for i, name in enumerate(("aroon_down", "aroon_up")):
        found[name] = ta("AROON", HIGH, LOW, output=i, outputs=2, timeperiod=25)
    for name in ("ADX", "PLUS_DI", "MINUS_DI", "WILLR", "ATR", "NATR"):
        found[name.lower()] = ta(name, *HLC, timeperiod=14)
    found |= {
        "rsi": ta("RSI", CLOSE, timeperiod=14),
        "cci": ta("CCI", *HLC, timeperiod=20),
        "mfi": ta("MFI", *HLC, VOLUME, timeperiod=14),
        "obv": ta("OBV", CLOSE, VOLUME),
        "ad": ta("AD", *HLC, VOLUME),
        "stddev": ta("STDDEV", CLOSE, timeperiod=20),
        "max_60": ta("MAX", HIGH, timeperiod=60),
        "min_60": ta("MIN", LOW, timeperiod=60),
        "trix": ta("TRIX", CLOSE, timeperiod=15),
    }
    return found


FORMULAS = _formulas()
VIEW = FeatureView(
    "bench", tuple(Feature(n, e, "bench", "ratio", n) for n, e in FORMULAS.items()), ttl_sessions=1
)


def series(symbols: int, sessions: int) -> pl.DataFrame:
    """Return the panel's total-return series (schema SERIES), by symbol and session."""
    bars = panel(symbols, sessions).rename({"date": "session"})
    closes = session_calendar().closes[session_calendar().positions(bars["session"].to_numpy())]
    known = pl.Series("knowledge_time", closes.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    told = bars.with_columns(known, split_ratio=pl.lit(1.0), dividend_usd=pl.lit(0.0))
    parts = told.partition_by("symbol", maintain_order=True)
    return pl.concat([adjust_forward(part, session_calendar()) for part in parts], rechunk=True)


def plainly(frame: pl.DataFrame) -> np.ndarray:
    """Call TA-Lib symbol by symbol on one thread, and keep what it gives in one array."""
    import talib

    names = ("open", "high", "low", "close", "volume")
    columns = {c: frame[c].to_numpy() for c in names}
    lengths = frame["symbol"].rle().struct.field("len").to_list()
    out = np.empty((len(FORMULAS), frame.height))
    calls: dict[Any, list[tuple[int, int]]] = {}
    for i, e in enumerate(FORMULAS.values()):
        calls.setdefault((e.function, e.inputs, e.params), []).append((i, e.output))
    at = 0
    for n in lengths:
        for (function, inputs, params), rows in calls.items():
            given = [columns[c.name][at : at + n] for c in inputs]
            said = getattr(talib, function)(*given, **dict(params))
            for row, output in rows:
                out[row, at : at + n] = said[output] if isinstance(said, tuple) else said
        at += n
    return out


def environment() -> Path:
    """Install the peers into an environment of their own."""
    place = ROOT / ".tools" / "bench-indicators"
    if not (place / "bin" / "python").exists():
        uv = str(ROOT / ".tools" / "uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(place)], check=True)
        extra = {"VIRTUAL_ENV": str(place), "UV_COMPILE_BYTECODE": "1"}
        command = [uv, "pip", "install", "-q", *PEERS]
        subprocess.run(command, check=True, env={**os.environ, **extra})
    return place / "bin" / "python"


def held(chosen: argparse.Namespace) -> dict[str, float]:
    """Measure `beside` once more where memory stays with the process."""
    command = [sys.executable, __file__, "--beside", "--symbols", str(chosen.symbols)]
    command += ["--sessions", str(chosen.sessions), "--rounds", str(chosen.rounds)]
    command += ["--patience", str(chosen.patience)]
    env = {**os.environ, "GLIBC_TUNABLES": HELD}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    return {f"held_{k}": v for k, v in json.loads(told.splitlines()[-1]).items()}


def timed(what: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall and processor seconds, and the result."""
    cpu, begun = time.process_time(), time.perf_counter()
    found = what()
    return time.perf_counter() - begun, time.process_time() - cpu, found


def busy() -> float:
    """Return the processor seconds that anyone has used since the machine started."""
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    used = (
        sum(map(int, words)) - int(words[3]) - int(words[4])
    )  # all but idle and waiting for disks
    return used / os.sysconf("SC_CLK_TCK")


def idle(seconds: float = 1.0) -> bool:
    """Watch the machine for a while, and tell whether others leave it alone."""
    used, begun = busy(), time.perf_counter()
    time.sleep(seconds)
    return busy() - used < OTHERS * (time.perf_counter() - begun) * (os.cpu_count() or 1)


def one_round(frame: pl.DataFrame, told: np.ndarray, spare: np.ndarray) -> Round | None:
    """Measure each side once; None if others took more than a share of the processors meanwhile."""
    calendar = session_calendar()
    used, begun = busy() - time.process_time(), time.perf_counter()
    took = {
        "ours": timed(lambda: compute(VIEW, split(frame), calendar, workers=2))[:2],
        "talib": timed(lambda: plainly(frame))[:2],
        "ours_1_thread": timed(lambda: compute(VIEW, split(frame), calendar, workers=1))[:2],
        "copy": timed(lambda: np.copyto(spare, told))[:2],
    }
    others = busy() - time.process_time() - used
    quiet = others < OTHERS * (time.perf_counter() - begun) * (os.cpu_count() or 1)
    return took if quiet else None


def beside(frame: pl.DataFrame, rounds: int, patience: float) -> dict[str, float]:
    """Measure ours, TA-Lib's loop and a copy in turn, in rounds in which the machine was ours."""
    told = plainly(frame)
    ours = compute(VIEW, split(frame), session_calendar())
    for i, name in enumerate(FORMULAS):
        same = np.array_equal(ours[name].to_numpy(), told[i], equal_nan=True)
        assert same, f"ours differs from TA-Lib in {name}"
    del ours
    spare, kept, until = np.zeros_like(told), [], time.monotonic() + patience
    while len(kept) < rounds and time.monotonic() < until:
        took = one_round(frame, told, spare) if idle() else None
        kept += [took] if took else []
    found: dict[str, float] = {"quiet_rounds": len(kept)}
    for name in kept[0] if kept else ():
        for k, kind in enumerate(("", "_cpu")):
            per_value = [r[name][k] / frame.height / len(FORMULAS) * 1e9 for r in kept]
            found[f"{name}{kind}_ns"] = statistics.median(per_value)
            ratios = [r["talib"][k] / r[name][k] for r in kept]
            found[f"talib_over_{name}{kind}"] = statistics.median(ratios)
    return found


def peers(frame: pl.DataFrame, folder: Path) -> dict[str, float]:
    """Let `ta` and Polars compute what they can of a few symbols, on one thread."""
    path = folder / "panel.parquet"
    frame.select("symbol", "session", "open", "high", "low", "close", "volume").write_parquet(path)
    command = [str(environment()), str(HERE / "indicator_peers.py"), str(path)]
    env = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    found: dict[str, float] = json.loads(told.splitlines()[-1])
    return found


def whole(frame: pl.DataFrame) -> dict[str, float]:
    """Measure every view over the panel: rows a second and the peak of memory."""
    found = {}
    for view in views().values():
        wall, _, made = timed(lambda view=view: compute(view, split(frame), session_calendar()))
        found[f"{view.name}_rows_per_s"] = made.height / wall
        found[f"{view.name}_ns"] = wall / made.height / len(view.features) * 1e9
        del made
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def streamed(rounds: int) -> dict[str, float]:
    """Measure one bar through each view's stream, and getting a stream back after a restart."""
    calendar = session_calendar()
    told = panel(1, 4000).rename({"date": "session"})
    known = [calendar.close_of(s) for s in told["session"]]
    told = told.with_columns(
        pl.Series("knowledge_time", known), split_ratio=pl.lit(1.0), dividend_usd=pl.lit(0.0)
    )
    bars = bars_in_order(told)
    found = {}
    for view in views().values():
        if view.name == "section":
            continue
        engine = StreamEngine(view, calendar)
        for bar in bars[:600]:
            engine.push(bar)
        took, cpus = [], []
        for k in range(rounds):
            part = bars[600 + 300 * k : 900 + 300 * k]
            wall, cpu, _ = timed(
                lambda part=part, engine=engine: [engine.push(bar) for bar in part]
            )
            took.append(wall / 300 * 1e6)
            cpus.append(cpu / 300 * 1e6)
        found[f"{view.name}_bar_us"] = statistics.median(took)
        found[f"{view.name}_bar_cpu_us"] = statistics.median(cpus)
    wall, _, _ = timed(lambda: resume(views()["technical"], calendar, told))
    found["technical_resume_4000_bars_ms"] = wall * 1e3
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=11_000)
    parser.add_argument("--peer-symbols", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--patience", type=float, default=120.0, help="seconds to wait for quiet")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--beside", action="store_true", help="only ours, TA-Lib and the copy")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    frame = series(chosen.symbols, chosen.sessions)
    found = beside(frame, chosen.rounds, chosen.patience)
    if chosen.beside:
        print(json.dumps(found))
        return
    found |= held(chosen) | streamed(9)
    if chosen.peer_symbols:
        names = [f"S{i:04d}" for i in range(chosen.peer_symbols)]
        with tempfile.TemporaryDirectory() as folder:
            found |= peers(frame.filter(pl.col("symbol").is_in(names)), Path(folder))
        for name in ("ta", "polars"):
            for kind in ("", "_cpu"):
                ratio = found[f"{name}{kind}_ns"] / found.get(f"ours{kind}_ns", np.nan)
                found[f"{name}_over_ours{kind}"] = ratio
    if chosen.all:
        found |= whole(frame)
    for name, value in found.items():
        print(f"{name:<32}{value:>14.3f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
