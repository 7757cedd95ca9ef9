"""Sectors of symbols from files, each with the day from which it was known."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar, session_calendar
from bellwether.core.ports import LakeBatch, SourceBatch, SourceQuery
from bellwether.core.schemas import check
from bellwether.core.sectors import SECTORS_IN
from bellwether.sources.checks import SYMBOL
from bellwether.sources.dates import sessions
from bellwether.sources.facts import (
    Rows,
    columns_of,
    instants_of,
    no_bars,
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
    "sector": ("sector", "gics_sector", "gics sector", "industry"),
    "known_from": ("known_from", "known from", "from", "since", "date"),
}
LONGEST = 64
WORDS: Mapping[str, str] = {
    "malformed_row": "the row has another number of fields than the header",
    "bad_symbol": "symbol {symbol!r} is not a ticker",
    "not_a_date": "{told_date!r} is not a date (YYYY-MM-DD or an ISO time)",
    "no_zone": "{told_date!r} is a time without a zone; say which with --zone",
    "wrong_zone": "{told_date!r} lies outside the opening hours of any session; is the zone right?",
    "missing_value": "the sector is missing",
    "too_long": "the sector has more than 64 characters",
    "not_yet_known": "{meant} is not over yet; nobody knew it by now",
    "duplicate": "the same row stands here twice; the first is kept",
    "conflicting_duplicate": "two different sectors of {symbol} from {session} on; neither is kept",
}


class SectorsSource:
    """Sectors in CSV or Parquet: symbol, sector, known_from.

    A row holds from the close of the first session at or after `known_from` (basis `stated`) until
    the symbol's next row. A file of today's sectors with an early date is a look into the future
    that nobody here can see: the date says when it was published.
    """

    name = "sectors"

    def read(self, query: SourceQuery, known_until: datetime) -> SourceBatch:
        """Read the file or folder at `query.path`; what is known after `known_until` is rejected."""
        calendar, read = session_calendar(), Fingerprint()
        found = list(tables(query, read))
        parts = [_shaped(table, path.name, query, calendar) for path, table in found]
        rows = pl.concat(parts).with_columns(order=pl.int_range(pl.len()))
        rows = asked_for(rows.with_columns(row="order"), query)
        rows = rows.with_columns(why=pl.coalesce("why", _reason(known_until)))
        rows = with_repeats(rows, ("symbol", "session"), ("sector",))
        good = rows.filter(pl.col("why").is_null()).sort("symbol", "session")
        frame = good.select(
            "symbol",
            "sector",
            known_from="session",
            source=pl.lit(self.name),
            event_time="closed",
            knowledge_time="closed",
            knowledge_basis=pl.lit("stated"),
        ).select(list(SECTORS_IN.columns))
        lost = refused(rows, self.name, WORDS, Rows([table for _, table in found]))
        batch = LakeBatch(sectors=check(frame, SECTORS_IN))
        return SourceBatch(no_bars(), lost, (), rows.height, (batch,), read.value)


def _shaped(
    table: pl.DataFrame, place: str, query: SourceQuery, calendar: SessionCalendar
) -> pl.DataFrame:
    names = named(columns_of(table), place, query.columns, KNOWN_AS, tuple(KNOWN_AS))
    parsed = sessions(table[names["known_from"]], query.zone, calendar)
    days = parsed["meant"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(calendar.sessions, np.where(np.isnat(days), calendar.sessions[0], days))
    at = np.where(np.isnat(days) | (at >= len(calendar.sessions)), -1, at)
    first = calendar.sessions[np.maximum(at, 0)].astype("datetime64[D]")
    why = parsed["why"].replace({"not_a_session": None})
    return pl.DataFrame(
        {
            "symbol": text(table, names["symbol"]).str.to_uppercase(),
            "sector": text(table, names["sector"]),
            "session": pl.Series(np.where(at < 0, np.datetime64("NaT", "D"), first)),
            "closed": instants_of(calendar.closes, at),
            "meant": parsed["meant"],
            "why": pl.select(pl.coalesce(told_why(table), why)).to_series(),
            "told_date": table[names["known_from"]].cast(pl.String),
            "location": table["location"],
        }
    )


def _reason(known_until: datetime) -> pl.Expr:
    sector = pl.col("sector")
    rules = (
        ("bad_symbol", ~pl.col("symbol").fill_null("").str.contains(SYMBOL)),
        ("missing_value", sector.is_null()),
        ("too_long", sector.str.len_chars() > LONGEST),
        ("not_yet_known", pl.col("closed").is_null() | (pl.col("closed") > known_until)),
    )
    return pl.coalesce(*(pl.when(rule).then(pl.lit(name)) for name, rule in rules))
