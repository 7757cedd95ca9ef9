"""Plant faults into clean bars of real funds that no threshold was chosen on, and count repairs."""

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.quality.repair import put_right, repair
from repair_known_answers import FIELDS, as_etf, same

OHLC = ("open", "high", "low", "close")
Plant = Callable[[dict[str, np.ndarray], np.random.Generator, int], None]


def bars_off_scale(v: dict[str, np.ndarray], rng: np.random.Generator, n: int) -> None:
    row, by = int(rng.integers(5, n - 10)), 10.0 ** int(rng.choice([-2, -1, 1, 2]))
    run = slice(row, row + int(rng.integers(1, 6)))
    for name in (*OHLC, "adj_close"):
        v[name][run] *= by


def one_price(v: dict[str, np.ndarray], rng: np.random.Generator, n: int) -> None:
    row, by = int(rng.integers(5, n - 5)), 10.0 ** int(rng.choice([-2, 2]))
    v[str(rng.choice(["open", "close"]))][row] *= by


def swapped(v: dict[str, np.ndarray], rng: np.random.Generator, n: int) -> None:
    row = int(rng.integers(0, n))
    v["high"][row], v["low"][row] = v["low"][row], v["high"][row]


def amount(v: dict[str, np.ndarray], rng: np.random.Generator, _n: int) -> None:
    rows = np.flatnonzero(v["dividend_usd"] > 0)
    v["dividend_usd"][rng.choice(rows)] *= float(rng.choice([100.0, 0.01]))


def every_amount(v: dict[str, np.ndarray], rng: np.random.Generator, _n: int) -> None:
    v["dividend_usd"] *= float(rng.choice([100.0, 0.01]))


def twice(v: dict[str, np.ndarray], rng: np.random.Generator, n: int) -> None:
    row = int(rng.choice(np.flatnonzero(v["dividend_usd"] > 0)))
    other = min(max(row + int(rng.choice([-4, -1, 1, 4])), 0), n - 1)
    v["dividend_usd"][other] = v["dividend_usd"][row]


def not_adjusted(v: dict[str, np.ndarray], rng: np.random.Generator, _n: int) -> None:
    row = int(rng.choice(np.flatnonzero(v["dividend_usd"] > 0)[1:]))
    factor = 1 - v["dividend_usd"][row] / v["close"][row - 1]
    v["adj_close"][:row] /= factor


def split_not_applied(v: dict[str, np.ndarray], rng: np.random.Generator, n: int) -> None:
    event, by = int(rng.integers(30, n - 30)), float(rng.choice([2.0, 3.0, 10.0, 0.1]))
    v["split_ratio"][event] = by
    past = slice(0, event + int(rng.integers(-6, 7)))
    for name in (*OHLC, "adj_close"):
        v[name][past] *= by
    v["volume"][past] /= by


PLANTS: tuple[Plant, ...] = (
    bars_off_scale, one_price, swapped, amount, every_amount, twice, not_adjusted, split_not_applied,
)  # fmt: skip


def planted(bars: pl.DataFrame, plant: Plant, rng: np.random.Generator) -> set[str]:
    values = {name: bars[name].to_numpy().copy() for name in FIELDS}
    plant(values, rng, bars.height)
    told = bars.with_columns(**{name: pl.Series(column) for name, column in values.items()})
    if plant is split_not_applied:  # the split is true, and no fault
        bars = bars.with_columns(split_ratio=told["split_ratio"])
    out = put_right(told, repair(told, session_calendar()).changes)
    said = set()
    for name in FIELDS:
        right, was, now = (f[name].to_numpy() for f in (bars, told, out))
        good, kept = same(now, right, name), (now == was)
        if name == "volume":  # shares are whole
            good |= np.abs(now - right) <= 1
        said |= {"repaired"} if (good & ~same(was, right, name)).any() else set()
        said |= {"left"} if (~good & kept).any() else set()
        said |= {"wrong"} if (~good & ~kept).any() else set()
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="the folder with the shared data")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    told = pl.read_parquet(asked.shared / "yahoo_etf46_1995_2026.parquet")
    bars = as_etf(told)
    clean = [b for b in bars.partition_by("symbol") if (b["dividend_usd"] > 0).sum() > 4]
    clean = [b for b in clean if repair(b, session_calendar()).changes.height == 0]
    rng = np.random.default_rng(asked.seed)
    print(f"{'fault':<20}{'planted':>9}{'repaired':>9}{'left':>7}{'wrong':>7}")
    for plant in PLANTS:
        counts: Counter[str] = Counter()
        for b in clean:
            said = planted(b.sort("session"), plant, rng)
            counts["wrong" if "wrong" in said else "left" if "left" in said else "repaired"] += 1
        row = (counts["repaired"], counts["left"], counts["wrong"])
        print(f"{plant.__name__:<20}{len(clean):>9}{row[0]:>9}{row[1]:>7}{row[2]:>7}")


if __name__ == "__main__":
    main()
