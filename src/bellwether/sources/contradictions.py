"""Where what is said of prices and the prices themselves contradict each other.

At the ex-date of a split the price of one share steps by the ratio where prices are as traded,
and does not where splits are in them. A single day can be fooled by news; most days of one symbol
cannot.
"""

from collections.abc import Iterator

import polars as pl

from bellwether.core.types import Adjustment, Remark

LEAST_SPLIT = 1.2
BASIS_SLACK = 0.25
SAME_CLOSE = 1e-4


def contradictions(good: pl.DataFrame, adjusted: str) -> list[Remark]:
    """Remark on each symbol whose prices speak against `adjusted`.

    Parameters
    ----------
    good : DataFrame
        Accepted rows by symbol and session: open, close, split_ratio, dividend_usd, adj_close
        (null where not told) and location.
    adjusted : str
        none, splits or total, as the caller said.
    """
    return [
        *_steps(good, adjusted),
        *(_dividends(good) if adjusted == Adjustment.SPLITS else ()),
        *(_closes(good) if adjusted == Adjustment.TOTAL else ()),
    ]


def _splits(good: pl.DataFrame) -> pl.DataFrame:
    """Return the days of told splits with `size` and `step`, both logarithms, above 0 for 2:1."""
    told = good.filter(pl.col("split_ratio") != 1.0)["symbol"].unique()
    good = good.filter(pl.col("symbol").is_in(told.implode()))
    before = pl.col("close").shift(1).over("symbol")
    size = pl.col("split_ratio").log()
    days = good.with_columns(size=size, step=(before / pl.col("open")).log())
    large = pl.col("size").abs() >= pl.lit(LEAST_SPLIT).log()
    return days.filter(large & pl.col("step").is_not_null())


def _steps(good: pl.DataFrame, adjusted: str) -> Iterator[Remark]:
    share = pl.col("step") * pl.col("size").sign() / pl.col("size").abs()
    judged = _splits(good).with_columns(stepped=share > 0.5)  # noqa: PLR2004 - nearer to the ratio than to 1
    by_symbol = judged.group_by("symbol", maintain_order=True).agg(
        pl.col("stepped").sum(), pl.len(), pl.col("location").first()
    )
    for symbol, stepped, told, place in by_symbol.iter_rows():
        if adjusted == Adjustment.NONE and 2 * stepped < told:
            why = (
                f"{symbol}: prices do not step at {told - stepped} of {told} told splits, so splits "
                "look to be in them; say --adjusted splits, or total if dividends are in them too"
            )
            yield Remark(place, "looks_adjusted", why)
        elif adjusted != Adjustment.NONE and 2 * stepped > told:
            why = (
                f"{symbol}: said to be adjusted ({adjusted}), but prices step at {stepped} of "
                f"{told} told splits as prices as traded do"
            )
            yield Remark(place, "looks_unadjusted", why)


def _dividends(good: pl.DataFrame) -> Iterator[Remark]:
    """Find dividends on the basis of their day beside prices on the newest share basis."""
    for (symbol,), bars in good.group_by("symbol", maintain_order=True):
        paid = bars.filter(pl.col("dividend_usd") > 0).select("session", "dividend_usd")
        for split in _splits(bars).iter_rows(named=True):
            last = paid.filter(pl.col("session") < split["session"]).tail(1)
            following = paid.filter(pl.col("session") >= split["session"]).head(1)
            if not (last.height and following.height):
                continue
            ratio = last["dividend_usd"][0] / following["dividend_usd"][0]
            if abs(ratio / split["split_ratio"] - 1) < BASIS_SLACK:
                why = (
                    f"{symbol}: the dividend falls to 1/{ratio:.3g} over the split of "
                    f"{split['session']}, so dividends look to be per share of their day; beside "
                    "split-adjusted prices they have to be on the same share basis"
                )
                yield Remark(split["location"], "dividends_look_unadjusted", why)
                break


def _closes(good: pl.DataFrame) -> Iterator[Remark]:
    off = (pl.col("adj_close") / pl.col("close") - 1).abs() > SAME_CLOSE
    by_symbol = (
        good.filter(off)
        .group_by("symbol", maintain_order=True)
        .agg(pl.len(), pl.col("location").first())
    )
    for symbol, n, place in by_symbol.iter_rows():
        why = (
            f"{symbol}: said to be adjusted (total), but the adjusted close differs from the close "
            f"on {n} days; map it with --map close=..., or say none or splits"
        )
        yield Remark(place, "looks_unadjusted", why)
