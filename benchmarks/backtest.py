"""The portfolio simulator beside vectorbt and backtesting.py, which run in an environment of their own.

(a) One run of the same signals and costs under matched conventions: final equity and the whole path.
(b) 500 symbols x 11,000 sessions: ours with every item of realism on beside vectorbt with fees and
slippage, for a crossover of each symbol and for the 50 highest of a shared account; backtesting.py
knows one symbol, so it runs a few and is extrapolated. (c) 1,000,000 orders.

Rounds alternate between the programs; ratios are medians of the rounds' ratios. `--symbols` and
`--sessions` make it smaller.
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

from bellwether.backtest.costs import Costs
from bellwether.backtest.engine import backtest
from bellwether.backtest.liquidity import rolling_liquidity
from bellwether.backtest.market import Market
from bellwether.backtest.rules import SPREAD_TIERS, Rules

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = ("vectorbt==1.2.0", "backtesting==0.6.6")
FEES_BPS = 10.0
MATCHED = Rules(
    costs=Costs(FEES_BPS, 0.0, 0.0, 0.0, 1e6),
    sizing="fill",
    slippage_bps=0.0,
    lot_shares=0.0,
)


def environment() -> Path:
    """Install the peers into an environment of their own."""
    place = ROOT / ".tools" / "bench-backtest"
    if not (place / "bin" / "python").exists():
        uv = str(ROOT / ".tools" / "uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(place)], check=True)
        extra = {"VIRTUAL_ENV": str(place), "UV_COMPILE_BYTECODE": "1"}
        command = [uv, "pip", "install", "-q", *PEERS]
        subprocess.run(command, check=True, env={**os.environ, **extra})
    return place / "bin" / "python"


class Peers:
    """The other programs, asked one thing at a time."""

    def __init__(self, folder: Path) -> None:
        command = [str(environment()), str(HERE / "backtest_peers.py"), str(folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: str, **how: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **how}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def world(n: int, k: int) -> dict[str, np.ndarray]:
    """Return prices, volume and two sets of targets, decided at closes."""
    rng = np.random.default_rng(0)
    close = rng.uniform(15, 150, k) * np.exp(rng.normal(0.0002, 0.015, (n, k)).cumsum(axis=0))
    open_ = close * np.exp(rng.normal(0, 0.004, (n, k)))
    volume = rng.lognormal(14, 0.5, (n, k))
    total = np.cumsum(np.vstack([np.zeros(k), close]), axis=0)
    fast, slow = np.full((n, k), np.nan), np.full((n, k), np.nan)
    fast[19:], slow[49:] = (total[20:] - total[:-20]) / 20, (total[50:] - total[:-50]) / 50
    crossover = np.where(np.isnan(slow), 0.0, (fast > slow).astype(float))
    momentum = np.full((n, k), -np.inf)
    momentum[20:] = close[20:] / close[:-20]
    top = np.zeros((n, k))
    most = min(50, k)
    chosen = np.argpartition(-momentum, most - 1, axis=1)[:, :most]
    np.put_along_axis(top, chosen, 0.95 / most, axis=1)
    top[:20] = 0.0
    return {"open": open_, "close": close, "volume": volume, "crossover": crossover, "top": top}


def realistic(told: dict[str, np.ndarray]) -> Market:
    """Return the market with everything that can go wrong in it."""
    rng = np.random.default_rng(1)
    n, k = told["close"].shape
    split = np.where(rng.random((n, k)) < 0.0002, 2.0, 1.0)
    factor = np.cumprod(split, axis=0)
    dividend = np.where(np.arange(n)[:, None] % 63 == 7, 0.004 * told["close"] / factor, 0.0)
    adv, volatility = rolling_liquidity(told["close"], told["volume"])
    return Market(
        np.datetime64("1980-01-01") + np.arange(n),
        tuple(f"S{j}" for j in range(k)),
        told["open"] / factor,
        told["close"] / factor,
        volume=told["volume"] * factor,
        split=split,
        dividend=dividend,
        halted=rng.random((n, k)) < 0.0005,
        adv_usd=adv,
        volatility=volatility,
        borrow_rate=rng.uniform(0.003, 0.05, (1, k)),
        borrowable=rng.random((n, k)) > 0.05,
        cash_rate=np.full(n, 0.03 / 252),
        delisted_at=np.where(rng.random(k) < 0.1, rng.integers(n // 2, n, k), -1),
    )


def bare(told: dict[str, np.ndarray]) -> Market:
    n, k = told["close"].shape
    days = np.datetime64("1980-01-01") + np.arange(n)
    return Market(days, tuple(f"S{j}" for j in range(k)), told["open"], told["close"])


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = what()
    return time.perf_counter() - begun, found


def matched(told: dict[str, np.ndarray], peers: Peers) -> dict[str, float]:
    """Compare results under matched conventions."""
    market = bare(told)
    found: dict[str, float] = {}
    done = backtest(market, told["top"], MATCHED, orders=True)
    other = peers.ask("vectorbt_top")
    found["vectorbt_top_orders_ours"], found["vectorbt_top_orders"] = (
        done.orders.size,
        other["orders"],
    )
    found["vectorbt_top_final_difference"] = abs(done.equity[-1] / other["final"] - 1)
    path = np.load(other["path"])
    found["vectorbt_top_path_difference"] = float(np.abs(done.equity / path - 1).max())
    for name in ("vectorbt", "backtesting"):
        worst = 0.0
        for j in range(2):
            ours = alone(told, j, 0.95 / (1 + FEES_BPS * 1e-4) if name == "backtesting" else 0.95)
            other = peers.ask(f"{name}_one", symbol=j)
            worst = max(worst, abs(ours / other["final"] - 1))
        found[f"{name}_crossover_final_difference"] = worst
    return found


def alone(told: dict[str, np.ndarray], j: int, size: float) -> float:
    """Trade the crossover of one symbol, entering with a part of equity and drifting from there."""
    days = np.datetime64("1980-01-01") + np.arange(len(told["open"]))
    market = Market(days, ("A",), told["open"][:, j], told["close"][:, j])
    rules = Rules(costs=MATCHED.costs, slippage_bps=0.0, lot_shares=0.0, sizing="fill")
    return float(backtest(market, entries(told["crossover"][:, j], size), rules).equity[-1])


def entries(held: np.ndarray, size: float) -> np.ndarray:
    """Decide where the signal changes, and nowhere else: positions drift between."""
    before = np.concatenate(([0.0], held[:-1]))
    return np.where(held == before, np.nan, size * held)


def all_crossovers(told: dict[str, np.ndarray]) -> np.ndarray:
    held = told["crossover"]
    before = np.vstack([np.zeros(held.shape[1]), held[:-1]])
    return np.where(held == before, np.nan, 0.95 / held.shape[1] * held)


def speed(told: dict[str, np.ndarray], peers: Peers, rounds: int) -> dict[str, float]:
    """Time each program in turn."""
    market, rules = realistic(told), Rules(spread_tiers=SPREAD_TIERS)
    crossover, top = all_crossovers(told), told["top"]
    took: dict[str, list[float]] = {}

    def keep(name: str, seconds: float) -> None:
        took.setdefault(name, []).append(seconds)

    found: dict[str, float] = {}
    for i in range(rounds + 1):
        for name, wanted in (("crossover", crossover), ("top", top)):
            ours, done = timed(
                lambda w=wanted: backtest(market, w, rules, positions=False, orders=True)
            )
            plain, _ = timed(lambda w=wanted: backtest(market, w, rules, positions=True))
            other = peers.ask(f"vectorbt_{name}")
            if i:  # the first round compiles
                keep(f"ours_{name}", ours)
                keep(f"ours_{name}_with_positions", plain)
                keep(f"vectorbt_{name}", other["seconds"])
            found[f"{name}_orders"] = float(done.orders.size)
        if i:
            keep("backtesting_a_symbol", peers.ask("backtesting_one", symbol=i)["seconds"])
    assert done.switched_off == (), done.switched_off
    k = told["close"].shape[1]
    took["backtesting_crossover"] = [s * k for s in took["backtesting_a_symbol"]]
    for name, seconds in took.items():
        found[f"{name}_ms"] = statistics.median(seconds) * 1e3
    for name in ("vectorbt_crossover", "backtesting_crossover", "vectorbt_top"):
        mine = took["ours_" + name.split("_")[1]]
        ratios = [theirs / ours for theirs, ours in zip(took[name], mine, strict=True)]
        found[f"{name}_over_ours"] = statistics.median(ratios)
    return found


def million(rounds: int) -> dict[str, float]:
    """Time 1,000,000 orders: 1,000 symbols bought and sold in 1,000 sessions, everything charged."""
    n, k = 1001, 1000
    told = world(n, k)
    market = Market(
        np.datetime64("2000-01-01") + np.arange(n),
        tuple(f"S{j}" for j in range(k)),
        told["open"],
        told["close"],
        adv_usd=1e9,
        volatility=0.02,
        cash_rate=0.0001,
    )
    turns = np.where(np.arange(n)[:, None] % 2 == 0, 0.9 / k, 0.0) * np.ones((1, k))
    rules = Rules(lot_shares=0.0)
    took = [timed(lambda: backtest(market, turns, rules, orders=True)) for _ in range(rounds)]
    orders = took[0][1].orders.size
    return {"million_orders": orders, "million_ms": statistics.median(t for t, _ in took) * 1e3}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=11_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    told = world(chosen.sessions, chosen.symbols)
    with tempfile.TemporaryDirectory() as folder:
        for name, values in told.items():
            np.save(Path(folder) / f"{name}.npy", values)
        peers = Peers(Path(folder))
        found = matched(told, peers) | speed(told, peers, chosen.rounds)
        found["peers_peak_mb"] = peers.ask("peak")["mb"]
        peers.close()
    found["ours_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found |= million(chosen.rounds)
    for name, value in found.items():
        print(f"{name:<36}{value:>16.6g}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
