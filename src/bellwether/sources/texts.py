"""Short texts about symbols, from files: headlines, posts and the like, each with its instant."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import polars as pl

from bellwether.core.ports import LakeBatch, SourceBatch, SourceQuery
from bellwether.core.schemas import check
from bellwether.core.texts import LONGEST_TEXT, TEXTS_IN, text_id
from bellwether.core.types import Remark
from bellwether.sources.checks import SYMBOL
from bellwether.sources.dates import EXCHANGE_ZONE, instants
from bellwether.sources.facts import Rows, columns_of, no_bars, refused, text, told_why
from bellwether.sources.fingerprint import Fingerprint
from bellwether.sources.posts import is_archive, posts
from bellwether.sources.shape import asked_for, named
from bellwether.sources.tables import tables

KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker"),
    "time": ("time", "published_at", "created_at", "timestamp", "datetime", "date"),
    "text": ("text", "headline", "title", "body"),
    "publisher": ("publisher", "author", "site"),
    "first_seen": ("first_seen", "first_seen_at", "seen_at", "received_at", "crawled_at"),
}
NEEDED = ("symbol", "time", "text")
WORDS: Mapping[str, str] = {
    "malformed_row": "the row has another number of fields than the header",
    "bad_symbol": "symbol {symbol!r} is not a ticker",
    "not_a_time": "{told_time!r} is not a date with a time of day",
    "no_zone": "{told_time!r} is a time without a zone; say which with --zone",
    "no_such_time": "{told_time!r} was skipped or came twice when the clocks changed; give the zone's offset",
    "not_yet_known": "{told_time!r} lies in the future",
    "missing_value": "there is no text",
    "out_of_range": f"the text is longer than {LONGEST_TEXT:,} characters",
}


DAY = pl.col("published_at").dt.convert_time_zone(EXCHANGE_ZONE).dt.date()
"""The day of the exchange, by which a query asks."""


class TextsSource:
    """Texts in CSV or Parquet: symbol, time, text and perhaps publisher and when first seen.

    A text is known from when it was first seen, and never before it was published; a feed that does
    not tell that is taken to have seen it when it was published. Of copies, texts of a symbol with
    the same words, the one known first stands.
    """

    name = "texts"

    def read(self, query: SourceQuery, known_until: datetime) -> SourceBatch:
        """Read the file or folder at `query.path`; a text after `known_until` is rejected.

        A folder of folders is an archive of posts (`posts.py`).
        """
        read = Fingerprint()
        archive = query.path is not None and is_archive(Path(query.path))
        found = list(posts(Path(str(query.path)), read) if archive else tables(query, read))
        parts = [_shaped(table, path.name, query) for path, table in found]
        rows = pl.concat(parts).with_columns(row=pl.int_range(pl.len()))
        rows = asked_for(rows.with_columns(order="row"), query, DAY)
        rows = rows.with_columns(why=pl.coalesce("why", _reason(known_until)))
        good = rows.filter(pl.col("why").is_null())
        named_by = good["text"].map_elements(text_id, return_dtype=pl.String)
        good = good.with_columns(text_id=named_by).sort("known_at", "order")
        first = good.unique(["symbol", "text_id"], keep="first", maintain_order=True)
        lost = refused(rows, self.name, WORDS, Rows([table for _, table in found]))
        batch = LakeBatch(texts=_facts(first, self.name))
        return SourceBatch(no_bars(), lost, _copies(good, first), rows.height, (batch,), read.value)


def _shaped(table: pl.DataFrame, place: str, query: SourceQuery) -> pl.DataFrame:
    names = named(columns_of(table), place, query.columns, KNOWN_AS, NEEDED)
    when = instants(table[names["time"]], query.zone)
    seen = pl.DataFrame(
        {"at": when["at"], "why": pl.Series([None] * table.height, dtype=pl.String)}
    )
    if "first_seen" in names:
        seen = instants(table[names["first_seen"]], query.zone)
        blank = text(table, names["first_seen"]).is_null()
        seen = seen.with_columns(pl.when(~blank).then("why"))
    return pl.DataFrame(
        {
            "symbol": text(table, names["symbol"]).str.to_uppercase(),
            "published_at": when["at"],
            "known_at": pl.select(pl.max_horizontal(when["at"], seen["at"])).to_series(),
            "seen": seen["at"].is_not_null(),
            "text": table[names["text"]].cast(pl.String).str.strip_chars(),
            "publisher": text(table, names.get("publisher")),
            "why": pl.select(pl.coalesce(told_why(table), when["why"], seen["why"])).to_series(),
            "told_time": table[names.get("first_seen", names["time"])].cast(pl.String),
            "location": table["location"],
        }
    )


def _reason(known_until: datetime) -> pl.Expr:
    length = pl.col("text").str.len_chars().fill_null(0)
    rules = (
        ("bad_symbol", ~pl.col("symbol").fill_null("").str.contains(SYMBOL)),
        ("not_yet_known", pl.col("known_at") > known_until),
        ("missing_value", length == 0),
        ("out_of_range", length > LONGEST_TEXT),
    )
    return pl.coalesce(*(pl.when(rule).then(pl.lit(name)) for name, rule in rules))


def _facts(first: pl.DataFrame, source: str) -> pl.DataFrame:
    basis = pl.when("seen").then(pl.lit("first_seen")).otherwise(pl.lit("published"))
    facts = first.sort("symbol", "text_id").select(
        "symbol",
        "text_id",
        "published_at",
        "text",
        "publisher",
        source=pl.lit(source),
        event_time="published_at",
        knowledge_time="known_at",
        knowledge_basis=basis,
    )
    return check(facts, TEXTS_IN)


def _copies(good: pl.DataFrame, first: pl.DataFrame) -> tuple[Remark, ...]:
    again = good.join(first.select("order"), on="order", how="anti").sort("order")
    if again.height == 0:
        return ()
    why = (
        f"{again.height:,} of {good.height:,} texts have the words of one known before; that stands"
    )
    return (Remark(str(again["location"][0]), "copy", why),)
