"""What a bar has to be. Every row is either accepted or rejected with a reason, never dropped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.schemas import UTC_TIME, in_order, rising
from bellwether.core.types import Adjustment, Rejection, Remark
from bellwether.sources.contradictions import contradictions

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume", "split_ratio", "dividend_usd")
KEY = ["symbol", "session"]
FOUND = {"order": pl.Int64, "found": pl.String}
SYMBOL = r"^[A-Z0-9][A-Z0-9.\-^=_]{0,15}$"
MOST_USD, MOST_SHARES, MOST_SPLIT = 1e8, 1e15, 1000.0
MOST_DIVIDEND = 10.0  # of the close on the ex-date, where no close before is at hand
SLACK = 1e-9
SWAPPED_SHARE, SWAPPED_ROWS = 0.5, 10
SPLITS = tuple(p / q for p in range(1, 21) for q in (1, 2, 3, 4, 5, 10) if p != q)
SPLIT_SLACK, LEAST_JUMP = 0.03, 0.35

WORDS: Mapping[str, str] = {
    "malformed_row": "the row has another number of fields than the header",
    "bad_symbol": "symbol {symbol!r} is not a ticker",
    "not_a_date": "{told_date!r} is not a date (YYYY-MM-DD or an ISO time)",
    "no_zone": "{told_date!r} is a time without a zone; say which with --zone",
    "wrong_zone": "{told_date!r} lies outside the opening hours of any session; is the zone right?",
    "not_a_session": "the exchange was closed on {meant}",
    "not_yet_known": "the session of {session} has not closed yet",
    "missing_value": "a value is missing (open {open}, high {high}, low {low}, close {close}, volume {volume})",
    "not_a_number": "a value is not a finite number; the record in quarantine quotes the row",
    "non_positive_price": "a price is zero or negative (open {open}, high {high}, low {low}, close {close})",
    "negative_volume": "volume {volume} is negative",
    "out_of_range": "a value is beyond belief (high {high}, volume {volume})",
    "high_below_low": "high {high} is below low {low}",
    "open_or_close_outside_range": "open {open} or close {close} lies outside low {low} to high {high}",
    "bad_split": "split ratio {split_ratio} is not between 0 and 1000",
    "bad_dividend": "dividend {dividend_usd} is negative or eats the whole price",
    "duplicate": "the same bar stands here twice; the first is kept",
    "conflicting_duplicate": "two different bars of {symbol} on {session}; neither can be trusted",
}
OHLC_REASONS = ("high_below_low", "open_or_close_outside_range")


@dataclass(frozen=True, slots=True)
class Checked:
    """Accepted bars (schema BARS_IN) and all that was said about the rest."""

    bars: pl.DataFrame
    rejections: tuple[Rejection, ...]
    remarks: tuple[Remark, ...]


def accept(
    rows: pl.DataFrame,
    source: str,
    calendar: SessionCalendar,
    known_until: datetime,
    adjusted: str = Adjustment.NONE,
) -> Checked:
    """Check parsed rows.

    Parameters
    ----------
    rows : DataFrame
        symbol, session, the seven numbers as float64 (null where missing), `told_number` (False
        where a value was there and no number), `why` (a reason found earlier, or null),
        `told_date`, `meant`, `location` and `order`.
    source : str
        Name of the source.
    calendar : SessionCalendar
        Sessions and their closes.
    known_until : datetime
        A session that closes later cannot be known.
    adjusted : str
        What the prices hold already: none, splits or total.
    """
    positions = calendar.positions(_days(rows["session"]))
    closes = calendar.closes[np.maximum(positions, 0)].astype("datetime64[us]")
    rows = rows.with_columns(
        closed=pl.Series(closes).dt.replace_time_zone("UTC").cast(UTC_TIME),
        position=pl.Series(positions),
    )
    rows = _judged(rows, _broken(rows, known_until))
    rows = _judged(rows, _repeated(rows))
    if adjusted != Adjustment.TOTAL:
        rows = _judged(rows, _eaten(rows, adjusted))
    fine = rows["why"].null_count() == rows.height
    good = in_order(rows if fine else rows.filter(pl.col("why").is_null()), KEY)
    rejected = rows.filter(pl.col("why").is_not_null()).sort("order")
    bars = good.select(
        "symbol",
        "session",
        *NUMBERS,
        adjustment=pl.lit(str(adjusted)),
        source=pl.lit(source),
        event_time="closed",
        knowledge_time="closed",
        knowledge_basis=pl.lit("session_close"),
    )
    return Checked(
        bars,
        tuple(_rejection(row, source) for row in rejected.iter_rows(named=True)),
        (
            *_swapped(rows),
            *contradictions(good, adjusted),
            *_gaps(good),
            *_jumps(good),
        ),
    )


def _days(column: pl.Series) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
    days = column.to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(days), np.datetime64("1900-01-01"), days)


def _judged(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Give the rows named in `found` (order, found) their reason, where they have none yet."""
    if found.height == 0:
        return rows
    joined = rows.join(found, on="order", how="left", maintain_order="left")
    return joined.with_columns(why=pl.coalesce("why", "found")).drop("found")


def _broken(rows: pl.DataFrame, known_until: datetime) -> pl.DataFrame:
    """Name the first rule that a row breaks, in the order in which a person would notice."""
    rules = _rules(rows["symbol"].unique(), known_until)
    bad = pl.any_horizontal(*(rule.fill_null(value=False) for rule in rules.values()))
    first = pl.coalesce(*(pl.when(rule).then(pl.lit(name)) for name, rule in rules.items()))
    return rows.filter(pl.col("why").is_null() & bad).select("order", found=first)


def _rules(symbols: pl.Series, known_until: datetime) -> dict[str, pl.Expr]:
    prices = [pl.col(c) for c in PRICES]
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    high, low = pl.col("high"), pl.col("low")
    odd = symbols.filter(~symbols.fill_null("").str.contains(SYMBOL))
    dividend = pl.col("dividend_usd")
    return {
        "bad_symbol": pl.col("symbol").is_in(odd.implode(), nulls_equal=True),
        "not_yet_known": pl.col("closed") > known_until,
        "not_a_number": ~pl.col("told_number"),
        "missing_value": pl.any_horizontal(*(c.is_null() for c in (*prices, pl.col("volume")))),
        "non_positive_price": pl.any_horizontal(*(c <= 0 for c in prices)),
        "negative_volume": pl.col("volume") < 0,
        "out_of_range": pl.any_horizontal(
            *(c > MOST_USD for c in prices), pl.col("volume") > MOST_SHARES
        ),
        "high_below_low": high < low,
        "open_or_close_outside_range": (top > high * (1 + SLACK)) | (bottom < low * (1 - SLACK)),
        "bad_split": (pl.col("split_ratio") <= 0) | (pl.col("split_ratio") > MOST_SPLIT),
        "bad_dividend": (dividend < 0) | (dividend >= pl.col("close") * MOST_DIVIDEND),
    }


def _repeated(rows: pl.DataFrame) -> pl.DataFrame:
    """Find rows that tell a session twice; the first of equal ones is kept."""
    fine = rows.filter(pl.col("why").is_null()).select(*KEY, "order", *NUMBERS)
    if rising(fine, KEY):
        return pl.DataFrame(schema=FOUND)
    twice = fine.filter(pl.struct(KEY).is_duplicated())
    differ = pl.any_horizontal(*(pl.col(c).n_unique().over(KEY) > 1 for c in NUMBERS))
    first = pl.col("order") == pl.col("order").min().over(KEY)
    reason = (
        pl.when(differ).then(pl.lit("conflicting_duplicate")).when(~first).then(pl.lit("duplicate"))
    )
    return twice.select("order", found=reason).drop_nulls("found")


def _eaten(rows: pl.DataFrame, adjusted: str) -> pl.DataFrame:
    """Find dividends that leave nothing of the close before: no factor can follow from them."""
    paid = rows.filter(pl.col("dividend_usd") > 0)["symbol"].unique()
    if paid.len() == 0:
        return pl.DataFrame(schema=FOUND)
    split = pl.col("split_ratio") if adjusted == Adjustment.NONE else pl.lit(1.0)
    before = pl.col("close").shift(1).over("symbol") / split
    payers = rows.filter(pl.col("why").is_null() & pl.col("symbol").is_in(paid.implode()))
    told = in_order(payers, KEY).filter(pl.col("dividend_usd") >= before)
    return told.select("order", found=pl.lit("bad_dividend"))


def _rejection(row: Mapping[str, object], source: str) -> Rejection:
    reason = str(row["why"])
    date = row["told_date"]
    row = {"told": None, **row, "told_date": None if date is None else str(date)}
    record = {k: row[k] for k in ("symbol", "told_date", *NUMBERS, "told")}
    text = json.dumps(record, default=str, sort_keys=True)
    return Rejection(source, str(row["location"]), reason, WORDS[reason].format(**row), text)


def _swapped(rows: pl.DataFrame) -> list[Remark]:
    broken = rows.filter(pl.col("why").is_in(OHLC_REASONS)).height
    if rows.height < SWAPPED_ROWS or broken < rows.height * SWAPPED_SHARE:
        return []
    place = str(rows["location"][0]).rsplit(":", 1)[0]
    why = (
        f"{broken} of {rows.height} rows contradict themselves; are two columns swapped? See --map"
    )
    return [Remark(place, "columns_look_swapped", why)]


def _gaps(good: pl.DataFrame) -> list[Remark]:
    same = pl.col("symbol") == pl.col("symbol").shift(1)
    lost, before = pl.col("position").diff() - 1, pl.col("session").shift(1)
    found = good.with_columns(lost=lost, before=before).filter(same & (pl.col("lost") > 0))
    return [
        Remark(
            row["location"],
            "gap",
            f"{row['symbol']}: {row['lost']} session{'s' * (row['lost'] > 1)} missing between "
            f"{row['before']} and {row['session']}",
        )
        for row in found.iter_rows(named=True)
    ]


def _jumps(good: pl.DataFrame) -> list[Remark]:
    same = pl.col("symbol") == pl.col("symbol").shift(1)
    ratio = pl.col("close").shift(1) / (pl.col("close") * pl.col("split_ratio"))
    wild = good.with_columns(jump=ratio).filter(
        same & (pl.col("jump").log().abs() > LEAST_JUMP) & (pl.col("split_ratio") == 1.0)
    )
    found = []
    for row in wild.iter_rows(named=True):
        near = min(SPLITS, key=lambda s: abs(row["jump"] / s - 1))
        if abs(row["jump"] / near - 1) < SPLIT_SLACK:
            why = (
                f"{row['symbol']} on {row['session']}: the close before was "
                f"{row['jump']:.3f} times this one, which looks like a {near:g}:1 split; "
                "add a split column"
            )
            found.append(Remark(row["location"], "unexplained_jump", why))
    return found
