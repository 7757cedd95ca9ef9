"""Measure the repair step on the known-answer set, on its clean controls and on clean panels."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from bellwether.core.calendar import session_calendar
from bellwether.core.ports import SourceQuery
from bellwether.quality.repair import put_right, repair
from bellwether.sources.sample import SampleSource

NAMES = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Volume": "volume",
    "Adj Close": "adj_close",
    "Capital Gains": "capital_gains",
}
FIELDS = ("open", "high", "low", "close", "adj_close", "volume", "dividend_usd", "split_ratio")
TOLERANCE = {"adj_close": 1e-4, "volume": 1e-4}
OTHERS = 1e-5


def known_answers(shared: Path) -> pl.DataFrame:
    """Read the pairs as our bars; times are cut to days."""
    told = pl.read_parquet(shared / "yahoo_faulty_fixed_pairs.parquet").rename(NAMES)
    group = ["symbol", "fault", "variant"]
    split = pl.when(pl.col("Stock Splits") > 0).then("Stock Splits").otherwise(1.0)
    bars = told.with_columns(
        session=pl.col("ts").str.slice(0, 10).str.to_date(),
        split_ratio=split,
        adjustment=pl.lit("splits"),
    ).sort(*group, "session")
    return bars.with_columns(dividend_usd=pl.col("Dividends"))


def same(a: np.ndarray, b: np.ndarray, field: str) -> np.ndarray:
    """Say where two columns say the same, within the rounding of the files."""
    tolerance = TOLERANCE.get(field, OTHERS)
    with np.errstate(invalid="ignore"):
        close = np.abs(a - b) <= tolerance * np.maximum(np.abs(b), 1e-12)
    return close | (np.isnan(a) & np.isnan(b))


def judged(bars: pl.DataFrame, wanted: pl.DataFrame, out: pl.DataFrame) -> dict[str, int]:
    """Count rows: faulty, repaired exactly, left as they were, changed to a third value or spoilt."""
    rows = bars.height
    faulty, right, touched = (np.zeros(rows, bool), np.ones(rows, bool), np.zeros(rows, bool))
    for field in FIELDS:
        told, truth, now = (
            f[field].fill_null(np.nan).to_numpy().astype(float) for f in (bars, wanted, out)
        )
        faulty |= ~same(told, truth, field) & ~(np.isnan(told) & (field == "volume"))
        right &= same(now, truth, field) | (np.isnan(told) & (field == "volume"))
        touched |= ~((told == now) | (np.isnan(told) & np.isnan(now)))
    return {
        "faulty": int(faulty.sum()),
        "repaired": int((faulty & right).sum()),
        "wrong": int((touched & ~right).sum()),
        "missed": int((faulty & ~right & ~touched).sum()),
    }


def pairs(shared: Path) -> tuple[list[dict[str, object]], dict[str, int]]:
    """Repair every faulty file and every clean one."""
    calendar, table, clean = session_calendar(), [], {"files": 0, "rows": 0, "touched": 0}
    for (symbol, fault, variant), bars in (
        known_answers(shared).partition_by("symbol", "fault", "variant", as_dict=True).items()
    ):
        done = repair(bars, calendar)
        if variant != "faulty":
            clean["files"] += 1
            clean["rows"] += bars.height
            clean["touched"] += done.changes.select("session").n_unique()
            continue
        wanted = known_answers(shared).filter(
            pl.col("symbol") == symbol, pl.col("fault") == fault, pl.col("variant") == "fixed"
        )
        out = put_right(bars, done.changes)
        again = repair(out, calendar).changes.height
        kinds = ", ".join(sorted(done.changes["kind"].unique()))
        row = {"fault": fault, "symbol": symbol, **judged(bars, wanted, out)}
        table.append({**row, "again": again, "kinds": kinds})
    return sorted(table, key=lambda r: (str(r["fault"]), str(r["symbol"]))), clean


def panels(shared: Path) -> dict[str, dict[str, object]]:
    """Run over panels that are clean or nearly so."""
    found = {}
    calendar = session_calendar()
    query, now = SourceQuery(), datetime(2014, 1, 1, tzinfo=UTC)
    sample = SampleSource().read(query, now).bars
    etf = pl.read_parquet(shared / "yahoo_etf46_1995_2026.parquet")
    raw = pl.read_parquet(shared / "alphavantage_sp500_raw_1999_2021.parquet")
    for name, bars in (("sample", sample), ("etf46", as_etf(etf)), ("alphavantage", as_raw(raw))):
        done = repair(bars, calendar)
        cells = done.changes.group_by("kind", "field").len().sort("kind", "field").rows()
        left = done.left.group_by("kind").len().sort("kind").rows()
        found[name] = {
            "rows": bars.height,
            "bars_changed": done.changes.select("symbol", "session").n_unique(),
            "events": done.changes.filter(pl.col("field") != "adj_close")
            .select("symbol", "session").n_unique(),
            "cells": [list(c) for c in cells],
            "left": [list(c) for c in left],
        }  # fmt: skip
    return found


def as_etf(told: pl.DataFrame) -> pl.DataFrame:
    """Undo the adjustment of the ETF file: closes as traded, split-adjusted by today's basis."""
    names = {c.lower(): c for c in told.columns}
    factor = pl.col(names["unadj_close"]).cast(pl.Float64) / pl.col(names["close"])
    symbol = names.get("symbol") or names["ticker"]
    return told.select(
        symbol=pl.col(symbol).cast(pl.String),
        session=pl.col(names["date"]),
        **{c: pl.col(names[c]) * factor for c in ("open", "high", "low", "close")},
        volume=pl.col(names["volume"]).cast(pl.Float64),
        split_ratio=pl.lit(1.0),
        dividend_usd=pl.col(names["dividend"]).cast(pl.Float64).fill_null(0.0),
        adj_close=pl.col(names["close"]).cast(pl.Float64),
        adjustment=pl.lit("splits"),
    )


def as_raw(told: pl.DataFrame) -> pl.DataFrame:
    """Read the raw panel as bars as traded."""
    names = {c.lower(): c for c in told.columns}
    symbol = names.get("symbol") or names["ticker"]
    return told.select(
        symbol=pl.col(symbol).cast(pl.String),
        session=pl.col(names["date"]),
        **{c: pl.col(names[c]).cast(pl.Float64) for c in ("open", "high", "low", "close")},
        volume=pl.col(names["volume"]).cast(pl.Float64),
        split_ratio=pl.col(names["split_coefficient"]).cast(pl.Float64),
        dividend_usd=pl.col(names["dividend_amount"]).cast(pl.Float64),
        adj_close=pl.col(names["adj_close"]).cast(pl.Float64),
        adjustment=pl.lit("none"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="the folder with the shared data")
    parser.add_argument("--no-panels", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    table, clean = pairs(asked.shared)
    around = {} if asked.no_panels else panels(asked.shared)
    if asked.json:
        print(json.dumps({"pairs": table, "clean": clean, "panels": around}, indent=1))
        return
    head = ("fault", "symbol", "faulty", "repaired", "wrong", "missed", "again", "kinds")
    print("  ".join(f"{h:<18}" if i < 2 else f"{h:>8}" for i, h in enumerate(head)))
    for row in table:
        print(
            "  ".join(f"{row[h]!s:<18}" if i < 2 else f"{row[h]!s:>8}" for i, h in enumerate(head))
        )
    for fault in sorted({str(r["fault"]) for r in table}):
        mine = [r for r in table if r["fault"] == fault]
        sums = {
            k: sum(int(str(r[k])) for r in mine) for k in ("faulty", "repaired", "wrong", "missed")
        }
        print(f"{fault:<18}  {len(mine)} files  {sums}")
    faulty, repaired = (sum(int(str(r[k])) for r in table) for k in ("faulty", "repaired"))
    print(f"all: {repaired} of {faulty} rows repaired exactly ({repaired / faulty:.1%})")
    print(f"clean: {clean}")
    for name, said in around.items():
        print(name, said)


if __name__ == "__main__":
    main()
