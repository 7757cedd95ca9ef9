"""Splits and dividends told by a file, each with the day on which a share trades without it."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar, session_calendar
from bellwether.core.ports import LakeBatch, SourceBatch, SourceQuery
from bellwether.core.schemas import ACTIONS_IN, check
from bellwether.core.types import Remark
from bellwether.sources.checks import MOST_SPLIT, MOST_USD, SYMBOL
from bellwether.sources.dates import sessions
from bellwether.sources.facts import (
    Rows,
    columns_of,
    instants_of,
    no_bars,
    numbers,
    positions_of,
    refused,
    same_layout,
    text,
    told_why,
    with_repeats,
)
from bellwether.sources.fingerprint import Fingerprint
from bellwether.sources.shape import asked_for, named
from bellwether.sources.tables import tables

KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker"),
    "ex_date": ("ex_date", "ex-date", "exdate", "ex date", "ex_dividend_date", "date", "session"),
    "kind": ("kind", "type", "action"),
    "value": ("value", "amount", "ratio"),
    "split": ("split", "split_ratio", "split_coefficient", "stock splits", "stock_splits"),
    "dividend": ("dividend", "dividend_usd", "dividends", "dividend_amount"),
    "announced": ("announced", "announced_date", "declared", "declaration_date", "declared_date"),
}
KINDS = {"split": "split", "splits": "split", "dividend": "dividend", "dividends": "dividend"}
RATIO = r"^(\d+(?:\.\d+)?)\s*(?::|/|for|-for-)\s*(\d+(?:\.\d+)?)$"
NOTHING = {"split": (0.0, 1.0), "dividend": (0.0,)}
WORDS: Mapping[str, str] = {
    "malformed_row": "the row has another number of fields than the header",
    "bad_symbol": "symbol {symbol!r} is not a ticker",
    "not_a_date": "{told_date!r} is not a date (YYYY-MM-DD or an ISO time)",
    "no_zone": "{told_date!r} is a time without a zone; say which with --zone",
    "wrong_zone": "{told_date!r} lies outside the opening hours of any session; is the zone right?",
    "not_a_session": "the exchange was closed on the ex-date {meant}",
    "bad_kind": "{told_kind!r} is neither split nor dividend",
    "missing_value": "the value is missing",
    "not_a_number": "{told_value!r} is neither a finite number nor a ratio such as 2:1",
    "bad_split": "{value} shares after per share before is no split (above 0, at most 1000, not 1)",
    "bad_dividend": "a dividend of {value} USD a share is not above 0 or beyond belief",
    "bad_announcement": "{told_announced!r} is not a date",
    "announced_late": "it was announced on {told_announced}, after its ex-date {session}",
    "not_yet_known": "it takes effect on {session} and no date of its announcement is told",
    "not_yet_announced": "its announcement, {told_announced}, lies in the future",
    "duplicate": "the same {kind} stands here twice; the first is kept",
    "conflicting_duplicate": (
        "two different values for the {kind} of {symbol} on {session}; if both were paid, tell the sum"
    ),
}


class ActionsSource:
    """A row an action (kind, value), or a row a day with columns for split and dividend.

    With a date of announcement an action is known at the close of that day (basis `stated`),
    otherwise at the open of its ex-date (basis `effective_session_open`).
    """

    name = "actions"

    def read(self, query: SourceQuery, known_until: datetime) -> SourceBatch:
        """Read the file or folder at `query.path`; what is not known by `known_until` is rejected."""
        calendar = session_calendar()
        read = Fingerprint()
        found = list(tables(query, read))
        parts, start = [], 0
        for path, table in found:
            facts = _facts(table, path.name, query, calendar)
            parts.append(facts.with_columns(row=pl.col("row") + start))
            start += table.height
        rows = asked_for(pl.concat(parts).with_columns(order=pl.int_range(pl.len())), query)
        rows = _timed(rows, calendar)
        rows = rows.with_columns(why=pl.coalesce("why", _reason(known_until)))
        rows = with_repeats(rows, ("symbol", "session", "kind"), ("value",))
        good = rows.filter(pl.col("why").is_null()).sort("symbol", "session", "kind")
        frame = good.select(
            "symbol",
            "session",
            "kind",
            "value",
            pl.lit("none").alias("adjustment"),
            source=pl.lit(self.name),
            event_time="opened",
            knowledge_time="known",
            knowledge_basis="basis",
        )
        lost = refused(rows, self.name, WORDS, Rows([table for _, table in found]))
        batch = LakeBatch(actions=check(frame, ACTIONS_IN))
        return SourceBatch(no_bars(), lost, _odd(good), start, (batch,), read.value)


def _facts(
    table: pl.DataFrame, place: str, query: SourceQuery, calendar: SessionCalendar
) -> pl.DataFrame:
    """Turn a table into one row an action that it tells."""
    columns = columns_of(table)
    names = named(columns, place, query.columns, KNOWN_AS, ("symbol", "ex_date"))
    parsed = sessions(table[names["ex_date"]], query.zone, calendar)
    base = pl.DataFrame(
        {
            "row": np.arange(table.height),
            "symbol": text(table, names["symbol"]).str.to_uppercase(),
            "session": parsed["session"],
            "meant": parsed["meant"],
            "why": pl.select(pl.coalesce(told_why(table), parsed["why"])).to_series(),
            "told_date": table[names["ex_date"]].cast(pl.String),
            "told_announced": text(table, names.get("announced")),
            "announced": _announced(table, names, query, calendar),
            "location": table["location"],
        }
    )
    if "kind" in names and "value" in names:
        told = text(table, names["kind"])
        kind = told.str.to_lowercase().replace_strict(KINDS, default=None, return_dtype=pl.String)
        return _valued(base, kind, told, table, names["value"])
    wide = [c for c in ("split", "dividend") if c in names]
    if not wide:
        raise same_layout(place, columns, "kind and value, nor for split or dividend")
    parts = []
    for word in wide:
        same = pl.repeat(word, table.height, dtype=pl.String, eager=True)
        valued = _valued(base, same, same, table, names[word])
        nothing = pl.col("told_value").is_null() | pl.col("value").is_in(NOTHING[word]).fill_null(
            value=False
        )
        parts.append(valued.filter(~nothing | pl.col("why").is_not_null()))
    both = pl.concat(parts).sort("row", maintain_order=True)
    again = pl.col("why").is_not_null() & ~pl.col("row").is_first_distinct()
    return both.filter(~again)


def _announced(
    table: pl.DataFrame, names: Mapping[str, str], query: SourceQuery, calendar: SessionCalendar
) -> pl.Series:
    """Return the day of announcement, whether the exchange was open or not."""
    if "announced" not in names:
        return pl.Series([None] * table.height, dtype=pl.Date)
    return sessions(table[names["announced"]], query.zone, calendar)["meant"]


def _valued(
    base: pl.DataFrame, kind: pl.Series, told_kind: pl.Series, table: pl.DataFrame, column: str
) -> pl.DataFrame:
    value, _ = numbers(table, column)
    told = text(table, column)
    ratio = told.to_frame("t").select(
        pl.col("t").str.to_lowercase().str.extract_groups(RATIO).struct.unnest()
    )
    after, before = (ratio.to_series(i).cast(pl.Float64, strict=False) for i in range(2))
    stated = pl.when(before > 0).then(after / before)
    return base.with_columns(
        kind=kind,
        told_kind=told_kind,
        told_value=told,
        value=pl.when(kind == "split").then(pl.coalesce(value, stated)).otherwise(value),
    )


def _timed(rows: pl.DataFrame, calendar: SessionCalendar) -> pl.DataFrame:
    """Add when each action takes effect and when it could be known.

    What is announced on a day is known at the close of that day's session, or of the next one.
    """
    at = positions_of(rows["session"], calendar)
    told = rows["announced"].to_numpy().astype("datetime64[D]")
    near = np.searchsorted(calendar.sessions, np.where(np.isnat(told), calendar.sessions[0], told))
    near = np.where(np.isnat(told) | (near >= len(calendar.sessions)), -1, near)
    rows = rows.with_columns(
        opened=instants_of(calendar.opens, at), heard=instants_of(calendar.closes, near)
    )
    stated = pl.col("told_announced").is_not_null()
    same_day = pl.min_horizontal("heard", "opened")
    return rows.with_columns(
        known=pl.when(stated).then(same_day).otherwise("opened"),
        basis=pl.when(stated).then(pl.lit("stated")).otherwise(pl.lit("effective_session_open")),
    )


def _reason(known_until: datetime) -> pl.Expr:
    value, announced = pl.col("value"), pl.col("told_announced").is_not_null()
    split, dividend = pl.col("kind") == "split", pl.col("kind") == "dividend"
    rules = (
        ("bad_symbol", ~pl.col("symbol").fill_null("").str.contains(SYMBOL)),
        ("bad_kind", pl.col("kind").is_null()),
        ("missing_value", pl.col("told_value").is_null()),
        ("not_a_number", value.is_null()),
        ("bad_split", split & ((value <= 0) | (value > MOST_SPLIT) | (value == 1))),
        ("bad_dividend", dividend & ((value <= 0) | (value > MOST_USD))),
        ("bad_announcement", announced & pl.col("announced").is_null()),
        ("announced_late", pl.col("announced") > pl.col("session")),
        ("not_yet_announced", announced & (pl.col("known") > known_until)),
        ("not_yet_known", ~announced & (pl.col("known") > known_until)),
    )
    return pl.coalesce(*(pl.when(rule).then(pl.lit(name)) for name, rule in rules))


def _odd(good: pl.DataFrame) -> tuple[Remark, ...]:
    """Point at splits that look like the price factor of the other direction."""
    small = good.filter((pl.col("kind") == "split") & (pl.col("value") < 1))
    splits = good.filter(pl.col("kind") == "split").height
    if small.height * 2 <= splits:
        return ()
    why = (
        f"{small.height} of {splits} splits have fewer shares after than before; "
        "value has to be shares after per share before"
    )
    return (Remark(str(small["location"][0]), "splits_look_inverted", why),)
