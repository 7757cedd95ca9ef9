"""Our backward adjustment beside the adjusted closes that vendors ship, symbol by symbol.

    python benchmarks/adjustment_vendors.py ../shared/data [--json]

A vendor's series may be adjusted as of a day beyond the file, so the two are compared up to one
constant a symbol, taken at its last row. "Within rounding" means: no further away than what the
float32 of the file and the decimals of the dividends and splits after that day can explain.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.types import Adjustment
from bellwether.features.export import Reinvest, adjust_backward
from bellwether.sources.actions import derive

Floats = npt.NDArray[np.float64]

FLOAT32 = 4 * 2.0**-24  # of two closes each: theirs and ours, there and at the last row
FINEST = 6
UNTOLD = 1e-3


@dataclass(frozen=True, slots=True)
class Agreement:
    """One vendor under one rule; shares are of symbol-days."""

    vendor: str
    rule: str
    symbols: int
    symbol_days: int
    dividends: int
    splits: int
    within_rounding: float
    within_1e6: float
    within_1e5: float
    within_1e4: float
    day_factors_within_1e6: float
    symbols_outside: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    error: Floats
    bound: Floats
    factor_error: Floats
    dividends: int
    splits: int
    worst: str


def bars_of(table: pl.DataFrame, adjustment: Adjustment) -> pl.DataFrame:
    """Dress a vendor's table (symbol, session, close, theirs, dividend_usd, split_ratio) as bars."""
    close = pl.col("close").cast(pl.Float64)
    return table.sort("session").with_columns(
        *(close.alias(c) for c in ("open", "high", "low", "close")),
        pl.col("theirs", "dividend_usd", "split_ratio").cast(pl.Float64),
        volume=pl.lit(1.0),
        adjustment=pl.lit(adjustment.value),
    )


def compared(bars: pl.DataFrame, reinvest: Reinvest) -> _Symbol:
    """Compare one symbol."""
    ours = adjust_backward(bars, bars["session"][-1], reinvest=reinvest)["close"].to_numpy()
    theirs = bars["theirs"].to_numpy()
    ratio = theirs / ours
    error = np.abs(ratio / ratio[-1] - 1)
    factor_error = np.abs(ratio[1:] / ratio[:-1] - 1)
    far = int(np.argmax(factor_error)) + 1
    told = bars.row(far, named=True)
    return _Symbol(
        str(bars["symbol"][0]),
        error,
        _bound(bars),
        factor_error,
        int((bars["dividend_usd"] > 0).sum()),
        int((bars["split_ratio"] != 1.0).sum()),
        (
            f"{told['session']}: their factor is off by {factor_error[far - 1]:.3g} with dividend "
            f"{told['dividend_usd']:g} and split {told['split_ratio']:g} told"
        ),
    )


def _bound(bars: pl.DataFrame) -> Floats:
    """Bound the error that the rounding of the file explains, summed from the last row back."""
    paid, split = bars["dividend_usd"].to_numpy(), bars["split_ratio"].to_numpy()
    before = np.roll(bars["close"].to_numpy(), 1) / split
    each = np.where(paid > 0, _half_unit(paid) / (before - paid) + FLOAT32, 0.0)
    each += np.where(split != 1.0, _half_unit(split) / split, 0.0)
    later = np.append(np.cumsum(each[:0:-1])[::-1], 0.0)
    return later + FLOAT32


def _half_unit(column: Floats) -> float:
    """Return half of the last decimal that a column is written with."""
    single = np.float32(column)
    for decimals in range(FINEST):
        if np.array_equal(np.float32(np.round(column, decimals)), single):
            return 0.5 * 10.0**-decimals
    return 0.5 * 10.0**-FINEST


def agreement(vendor: str, tables: Iterator[pl.DataFrame], reinvest: Reinvest) -> Agreement:
    """Compare a vendor's symbols under one rule."""
    found = [compared(bars, reinvest) for bars in tables]
    error = np.concatenate([s.error for s in found])
    bound = np.concatenate([s.bound for s in found])
    factors = np.concatenate([s.factor_error for s in found])
    outside = {s.name: s.worst for s in found if (s.error > s.bound).any()}
    return Agreement(
        vendor,
        reinvest.value,
        len(found),
        len(error),
        sum(s.dividends for s in found),
        sum(s.splits for s in found),
        float(np.mean(error <= bound)),
        *(float(np.mean(error <= size)) for size in (1e-6, 1e-5, 1e-4)),
        float(np.mean(factors <= 1e-6)),
        outside,
    )


def alpha_vantage(data: Path) -> Iterator[pl.DataFrame]:
    """Yield as-traded closes with the vendor's own actions and adjusted close."""
    table = pl.read_parquet(data / "alphavantage_sp500_raw_1999_2021.parquet").select(
        pl.col("ticker").cast(pl.String).alias("symbol"),
        session="date",
        close="close",
        theirs="adj_close",
        dividend_usd="dividend_amount",
        split_ratio="split_coefficient",
    )
    for _, mine in table.group_by("symbol", maintain_order=True):
        yield bars_of(mine, Adjustment.NONE)


def etf46(data: Path) -> Iterator[pl.DataFrame]:
    """Yield split-adjusted closes with dividends, and closes adjusted for both, from Yahoo."""
    table = pl.read_parquet(data / "yahoo_etf46_1995_2026.parquet").select(
        pl.col("ticker").cast(pl.String).alias("symbol"),
        session="date",
        close="unadj_close",
        theirs="close",
        dividend_usd="dividend",
        split_ratio=pl.lit(1.0),
    )
    for _, mine in table.group_by("symbol", maintain_order=True):
        yield bars_of(mine, Adjustment.SPLITS)


def stocknet(data: Path) -> Iterator[pl.DataFrame]:
    """Yield split-adjusted closes; dividends are read out of the adjusted closes (a round trip)."""
    table = pl.read_parquet(data / "stocknet_prices_2012_2014.parquet")
    for (name,), mine in table.group_by("ticker", maintain_order=True):
        ordered = mine.sort("date").unique("date", keep="first", maintain_order=True)
        closes = [ordered[c].cast(pl.Float64).to_numpy() for c in ("close", "adj_close")]
        acts = derive(closes[0], closes[1], splits=False)
        told = ordered.select(
            session="date",
            close="close",
            theirs="adj_close",
            symbol=pl.lit(str(name)),
            dividend_usd=pl.Series(acts.dividend_usd),
            split_ratio=pl.lit(1.0),
        )
        yield bars_of(told, Adjustment.SPLITS)


def measure(data: Path) -> list[Agreement]:
    """Compare every vendor under both rules."""
    vendors = {"alpha vantage": alpha_vantage, "yahoo etf46": etf46, "stocknet": stocknet}
    return [
        agreement(name, read(data), rule) for name, read in vendors.items() for rule in Reinvest
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.data)
    if asked.json:
        json.dump([asdict(a) for a in found], sys.stdout, indent=1)
        return
    for a in found:
        print(
            f"{a.vendor:<14} {a.rule:<15} {a.symbols:>4} symbols {a.symbol_days:>9,} days "
            f"{a.dividends:>6,} dividends {a.splits:>4} splits | within rounding "
            f"{a.within_rounding:.4%}, 1e-6 {a.within_1e6:.4%}, 1e-5 {a.within_1e5:.4%}, "
            f"1e-4 {a.within_1e4:.4%} | day factors within 1e-6 {a.day_factors_within_1e6:.4%}"
        )
        shown = list(a.symbols_outside.items())[:5]
        print(f"  outside on some day: {len(a.symbols_outside)} symbols")
        for name, why in shown:
            print(f"    {name:<6} {why}")


if __name__ == "__main__":
    main()
