"""Bars of many symbols as flat arrays, with the few moving statistics that every detector shares.

All arrays have shape (n,), rows sorted by symbol and session. A statistic that would reach across
two symbols, or that has no data, is NaN.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.calendar import SessionCalendar

FIELDS = ("open", "high", "low", "close")
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Panel:
    """Sorted bars; see the schema BARS for units.

    `code` numbers the symbols, `session` is the day, `position` its place in the calendar (-1 for
    a day without session), `first` and `last` are the row numbers of the symbol's ends.
    """

    names: tuple[str, ...]
    code: Ints
    session: npt.NDArray[np.datetime64]
    position: Ints
    first: Ints
    last: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    split: Floats
    dividend: Floats
    total: Bools
    raw: Bools

    @property
    def rows(self) -> int:
        """Count the rows."""
        return len(self.code)

    def prices(self) -> Floats:
        """Return open, high, low, close as one array of shape (4, n)."""
        return np.stack([self.open, self.high, self.low, self.close])

    def prices_at(self, row: int) -> tuple[float, float, float, float]:
        """Return open, high, low, close of one row."""
        return (
            float(self.open[row]),
            float(self.high[row]),
            float(self.low[row]),
            float(self.close[row]),
        )

    def with_prices(self, prices: Floats) -> "Panel":
        """Return the panel with other prices, an array of shape (4, n)."""
        o, h, lo, c = prices
        return replace(self, open=o, high=h, low=lo, close=c)

    def begins(self) -> Ints:
        """Return the first row of each symbol."""
        return np.flatnonzero(self.first == np.arange(self.rows))

    def lag(self, x: Floats, k: int = 1) -> Floats:
        """Return `x` of `k` rows before (after, if negative) in the same symbol; else NaN."""
        out = np.full(len(x), np.nan)
        if 0 < k < len(x):
            same = self.code[k:] == self.code[:-k]
            out[k:][same] = x[:-k][same]
        elif k < 0 and -k < len(x):
            same = self.code[:k] == self.code[-k:]
            out[:k][same] = x[-k:][same]
        elif k == 0:
            out = np.asarray(x, dtype=np.float64).copy()
        return out

    def moving_median(self, x: Floats, window: int, least: int) -> Floats:
        """Return the median of `x` over a centred window of rows; NaN under `least` values."""
        frame = pl.DataFrame({"code": self.code, "x": x}).with_columns(pl.col("x").fill_nan(None))
        middle = pl.col("x").rolling_median(window, min_samples=least, center=True).over("code")
        return frame.select(middle)["x"].fill_null(np.nan).to_numpy()

    def moving_least(self, x: Floats, window: int) -> Floats:
        """Return the least of `x` over a centred window of rows; NaN where there is none."""
        frame = pl.DataFrame({"code": self.code, "x": x}).with_columns(pl.col("x").fill_nan(None))
        least = pl.col("x").rolling_min(window, min_samples=1, center=True).over("code")
        return frame.select(least)["x"].fill_null(np.nan).to_numpy()

    def day_median(self, x: Floats, least: int) -> Floats:
        """Return the median of `x` over all symbols of the same day; NaN under `least` values."""
        frame = pl.DataFrame({"day": self.session, "x": x}).with_columns(pl.col("x").fill_nan(None))
        enough = pl.col("x").count() >= least
        found = frame.group_by("day").agg(m=pl.when(enough).then(pl.col("x").median()))
        joined = frame.join(found, on="day", how="left", maintain_order="left")
        return joined["m"].fill_null(np.nan).to_numpy()

    def storm(self, away: Floats, least: int, window: int) -> Floats:
        """Return the day's median of `away` over its median in the days around, at least 1."""
        frame = pl.DataFrame({"day": self.position, "x": away}).with_columns(
            pl.col("x").fill_nan(None)
        )
        enough = pl.col("x").count() >= least
        days = frame.group_by("day").agg(m=pl.when(enough).then(pl.col("x").median())).sort("day")
        usual = pl.col("m").rolling_median(window, min_samples=20, center=True)
        ratio = pl.when(usual > 0).then(pl.col("m") / usual).fill_null(1.0).clip(1.0)
        found = days.select("day", ratio.alias("ratio"))
        joined = frame.join(found, on="day", how="left", maintain_order="left")
        storm: Floats = joined["ratio"].to_numpy()
        return storm

    def names_of(self, rows: Ints) -> list[str]:
        """Return the symbols of `rows`."""
        return [self.names[i] for i in self.code[rows]]


def nanmedian(stack: Floats) -> Floats:
    """Return the median over the first axis; NaN where all is NaN (no warning)."""
    if not stack.shape[1]:
        return np.empty(0)
    ordered = np.sort(stack, axis=0)
    count = np.sum(~np.isnan(ordered), axis=0)
    column = np.arange(stack.shape[1])
    low = np.maximum((count - 1) // 2, 0)
    high = np.maximum(count // 2, 0)
    high = np.minimum(high, np.maximum(count - 1, 0))
    middle: Floats = (ordered[low, column] + ordered[high, column]) / 2
    return middle


def panel_of(bars: pl.DataFrame, calendar: SessionCalendar) -> Panel:
    """Sort checked bars into a panel."""
    bars = bars.sort("symbol", "session")
    codes = bars["symbol"].rle_id().to_numpy().astype(np.int64)
    edges = np.flatnonzero(np.diff(codes, prepend=-1))
    counts = np.diff(np.append(edges, len(codes)))
    days = bars["session"].to_numpy().astype("datetime64[D]")
    numbers = {name: bars[name].to_numpy().astype(np.float64) for name in (*FIELDS, "volume")}
    return Panel(
        names=tuple(bars["symbol"].gather(edges).to_list()),
        code=codes,
        session=days,
        position=calendar.positions(days),
        first=np.repeat(edges, counts),
        last=np.repeat(edges + counts - 1, counts),
        split=bars["split_ratio"].to_numpy().astype(np.float64),
        dividend=bars["dividend_usd"].to_numpy().astype(np.float64),
        total=(bars["adjustment"] == "total").to_numpy(),
        raw=(bars["adjustment"] == "none").to_numpy(),
        **numbers,
    )
