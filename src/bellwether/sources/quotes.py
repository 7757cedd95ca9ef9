"""Quotes: the best bid and ask of an instant, from files."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar, session_calendar
from bellwether.core.ports import LakeBatch, SourceBatch, SourceQuery
from bellwether.core.schemas import QUOTES_IN, check
from bellwether.core.types import Remark
from bellwether.sources.checks import MOST_SHARES, MOST_USD, SYMBOL
from bellwether.sources.dates import EXCHANGE_ZONE, instants
from bellwether.sources.facts import (
    Rows,
    columns_of,
    no_bars,
    numbers,
    refused,
    text,
    told_why,
    with_repeats,
)
from bellwether.sources.fingerprint import Fingerprint
from bellwether.sources.shape import asked_for, named
from bellwether.sources.tables import tables

KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker"),
    "time": ("time", "quoted_at", "timestamp", "datetime", "date"),
    "bid": ("bid", "bid_price", "bid price", "best_bid"),
    "ask": ("ask", "ask_price", "ask price", "offer", "best_ask"),
    "bid_size": ("bid_size", "bid size", "bidsize", "bid_sz"),
    "ask_size": ("ask_size", "ask size", "asksize", "ask_sz", "offer_size"),
}
NUMBERS = ("bid", "ask", "bid_size", "ask_size")
WORDS: Mapping[str, str] = {
    "malformed_row": "the row has another number of fields than the header",
    "bad_symbol": "symbol {symbol!r} is not a ticker",
    "not_a_time": "{told_time!r} is not a date with a time of day",
    "no_zone": "{told_time!r} is a time without a zone; say which with --zone",
    "no_such_time": "{told_time!r} was skipped or came twice when the clocks changed; give the zone's offset",
    "not_yet_known": "{told_time!r} lies in the future",
    "missing_value": "the bid or the ask is missing (bid {bid}, ask {ask})",
    "not_a_number": "a value is not a finite number; the record in quarantine quotes the row",
    "non_positive_price": "a price is zero or negative (bid {bid}, ask {ask})",
    "out_of_range": "a value is beyond belief (ask {ask}, sizes {bid_size} and {ask_size})",
    "negative_size": "a size is negative (bid {bid_size}, ask {ask_size})",
    "crossed": "bid {bid} is above ask {ask}",
    "duplicate": "the same quote stands here twice; the first is kept",
    "conflicting_duplicate": "two different quotes of {symbol} at {told_time}; neither can be trusted",
}


DAY = pl.col("quoted_at").dt.convert_time_zone(EXCHANGE_ZONE).dt.date()
"""The day of the exchange, by which a query asks."""


class QuotesSource:
    """Quotes in CSV or Parquet: symbol, time, bid, ask and perhaps sizes. Each is known at once."""

    name = "quotes"

    def read(self, query: SourceQuery, known_until: datetime) -> SourceBatch:
        """Read the file or folder at `query.path`; a quote after `known_until` is rejected."""
        read = Fingerprint()
        found = list(tables(query, read))
        parts = [_shaped(table, path.name, query) for path, table in found]
        rows = pl.concat(parts).with_columns(order=pl.int_range(pl.len()))
        rows = asked_for(rows.with_columns(row="order"), query, DAY)
        rows = rows.with_columns(why=pl.coalesce("why", _reason(known_until)))
        rows = with_repeats(rows, ("symbol", "quoted_at"), NUMBERS)
        good = rows.filter(pl.col("why").is_null()).sort("symbol", "quoted_at")
        frame = good.select(
            "symbol",
            "quoted_at",
            *NUMBERS,
            source=pl.lit(self.name),
            event_time="quoted_at",
            knowledge_time="quoted_at",
            knowledge_basis=pl.lit("quote_time"),
        )
        lost = refused(rows, self.name, WORDS, Rows([table for _, table in found]))
        batch = LakeBatch(quotes=check(frame, QUOTES_IN))
        notes = _out_of_hours(good, session_calendar())
        return SourceBatch(no_bars(), lost, notes, rows.height, (batch,), read.value)


def _shaped(table: pl.DataFrame, place: str, query: SourceQuery) -> pl.DataFrame:
    needed = ("symbol", "time", "bid", "ask")
    names = named(columns_of(table), place, query.columns, KNOWN_AS, needed)
    when = instants(table[names["time"]], query.zone)
    values = {c: numbers(table, names.get(c)) for c in NUMBERS}
    wrong = pl.DataFrame([bad.alias(c) for c, (_, bad) in values.items()])
    return pl.DataFrame(
        {
            "symbol": text(table, names["symbol"]).str.to_uppercase(),
            "quoted_at": when["at"],
            **{c: value for c, (value, _) in values.items()},
            "no_number": wrong.select(pl.any_horizontal(pl.all())).to_series(),
            "why": pl.select(pl.coalesce(told_why(table), when["why"])).to_series(),
            "told_time": table[names["time"]].cast(pl.String),
            "location": table["location"],
        }
    )


def _reason(known_until: datetime) -> pl.Expr:
    bid, ask = pl.col("bid"), pl.col("ask")
    sizes = (pl.col("bid_size"), pl.col("ask_size"))
    rules = (
        ("bad_symbol", ~pl.col("symbol").fill_null("").str.contains(SYMBOL)),
        ("not_yet_known", pl.col("quoted_at") > known_until),
        ("not_a_number", pl.col("no_number")),
        ("missing_value", bid.is_null() | ask.is_null()),
        ("non_positive_price", (bid <= 0) | (ask <= 0)),
        (
            "out_of_range",
            (ask > MOST_USD)
            | (bid > MOST_USD)
            | pl.any_horizontal(*(s > MOST_SHARES for s in sizes)),
        ),
        ("negative_size", pl.any_horizontal(*(s < 0 for s in sizes))),
        ("crossed", bid > ask),
    )
    return pl.coalesce(*(pl.when(rule).then(pl.lit(name)) for name, rule in rules))


def _out_of_hours(good: pl.DataFrame, calendar: SessionCalendar) -> tuple[Remark, ...]:
    moments = good["quoted_at"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    at = np.searchsorted(calendar.opens, moments, side="right") - 1
    outside = (at < 0) | (moments > calendar.closes[np.maximum(at, 0)])
    lost = int(outside.sum())
    if lost == 0:
        return ()
    first = good.filter(pl.Series(outside)).sort("order").row(0, named=True)
    why = f"{lost:,} of {good.height:,} quotes lie outside the opening hours, the first at {first['told_time']}"
    return (Remark(str(first["location"]), "out_of_hours", why),)
