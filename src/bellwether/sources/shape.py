"""From a table as it was found to rows that can be checked."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import UnreadableFile
from bellwether.core.ports import SourceQuery
from bellwether.core.types import Adjustment
from bellwether.sources.actions import derive
from bellwether.sources.checks import NUMBERS
from bellwether.sources.dates import sessions

KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "session", "timestamp", "time", "datetime", "day"),
    "symbol": ("symbol", "ticker"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "vol"),
    "adj_close": ("adj_close", "adj close", "adjclose", "adjusted_close", "adjusted close"),
    "dividend_usd": ("dividend_usd", "dividend", "dividends", "dividend_amount"),
    "split_ratio": ("split_ratio", "split", "split_coefficient", "stock splits", "stock_splits"),
}
BLANK = ["", "null", "none", "n/a", "-"]
NEEDED = ("date", "open", "high", "low", "close", "volume")


def named(
    columns: list[str],
    place: str,
    mapping: Mapping[str, str] | None,
    known_as: Mapping[str, tuple[str, ...]] = KNOWN_AS,
    needed: tuple[str, ...] = NEEDED,
) -> dict[str, str]:
    """Find which of the file's columns is which of ours.

    Raises
    ------
    UnreadableFile
        If a needed column is missing, or a mapping names what is not there.
    """
    mapping = dict(mapping or {})
    for ours, theirs in mapping.items():
        if ours not in known_as:
            raise UnreadableFile(place, f"--map {ours}=...: known are {', '.join(known_as)}")
        if theirs not in columns:
            raise UnreadableFile(place, f"has no column {theirs!r}; it has {', '.join(columns)}")
    folded = {c.strip().lower(): c for c in reversed(columns)}
    for ours, names in known_as.items():
        hit = next((folded[n] for n in names if n in folded), None)
        if ours not in mapping and hit is not None and hit not in mapping.values():
            mapping[ours] = hit
    missing = [c for c in needed if c not in mapping]
    if missing:
        raise UnreadableFile(
            place,
            f"no column for {', '.join(missing)}; it has {', '.join(columns)}. "
            f"Say which it is with --map {missing[0]}=NAME",
        )
    return mapping


def shaped(
    table: pl.DataFrame,
    place: str,
    mapping: Mapping[str, str] | None,
    zone: str | None,
    calendar: SessionCalendar,
    symbol: str | None = None,
    adjusted: str = Adjustment.NONE,
) -> pl.DataFrame:
    """Parse a found table into the rows that `checks.accept` takes.

    `table` has the file's columns, `location`, and may have `why` for rows that are already lost.
    Splits and dividends that the file does not tell are read out of an adjusted close.
    """
    meta = ("location", "why")
    names = named([c for c in table.columns if c not in meta], place, mapping)
    parsed = sessions(table[names["date"]], zone, calendar)
    values = {ours: number(table[names[ours]]) for ours in (*NUMBERS, "adj_close") if ours in names}
    who = table[names["symbol"]] if "symbol" in names else _all(symbol, table.height)
    blank = _all(None, table.height).cast(pl.Float64)
    lost, told = table["why"] if "why" in table.columns else None, table[names["date"]]
    rows = pl.DataFrame(
        {
            "symbol": _tickers(who),
            "session": parsed["session"],
            **{c: values.get(c, blank) for c in NUMBERS},
            "adj_close": values.get("adj_close", blank),
            "told_number": _told_number(table, names, values),
            "why": parsed["why"]
            if lost is None
            else lost.zip_with(lost.is_not_null(), parsed["why"]),
            "told_date": told if told.dtype == pl.Date else told.cast(pl.String),
            "meant": parsed["meant"],
            "location": table["location"],
            "order": np.arange(table.height),
        }
    )
    acted = "split_ratio" in names or "dividend_usd" in names
    happened = pl.when(pl.col("split_ratio") != 0).then("split_ratio")
    rows = rows.with_columns(
        split_ratio=happened.fill_null(1.0), dividend_usd=pl.col("dividend_usd").fill_null(0.0)
    )
    if acted or "adj_close" not in names or adjusted == Adjustment.TOTAL:
        return rows
    return _acted(rows, splits=adjusted == Adjustment.NONE)


def _all(value: str | None, n: int) -> pl.Series:
    return pl.Series([value], dtype=pl.String).new_from_index(0, n)


def _tickers(who: pl.Series) -> pl.Series:
    """Return symbols as they are written on tickers; most files write them so."""
    names = who.cast(pl.String)
    written = names.unique()
    meant = written.str.strip_chars().str.to_uppercase()
    if (written == meant).all():
        return names
    return names.str.strip_chars().str.to_uppercase()


def _told_number(
    table: pl.DataFrame, names: Mapping[str, str], values: Mapping[str, pl.Series]
) -> pl.Series:
    """Tell for each row whether everything that is written as a number is one."""
    fine = pl.Series([True] * table.height, dtype=pl.Boolean)
    for ours, number in values.items():
        if table.schema[names[ours]].is_numeric():
            fine &= number.is_not_null() | table[names[ours]].is_null()
            continue
        written = table[names[ours]].cast(pl.String).str.strip_chars().fill_null("")
        fine &= written.str.to_lowercase().is_in(BLANK) | number.is_not_null()
    return fine


def number(column: pl.Series) -> pl.Series:
    """Parse numbers; what is no finite number becomes null."""
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    number = column.cast(pl.Float64, strict=False)
    if number.is_finite().all():
        return number
    return number.set(~number.is_finite().fill_null(value=False), None)


def _acted(rows: pl.DataFrame, *, splits: bool) -> pl.DataFrame:
    """Fill splits and dividends from the adjusted close, symbol by symbol."""
    usable = pl.col("why").is_null() & (pl.col("close") > 0) & (pl.col("adj_close") > 0)
    found = []
    for _, bars in rows.filter(usable).group_by("symbol", maintain_order=True):
        ordered = bars.sort("session").unique("session", keep="first", maintain_order=True)
        closes = (ordered["close"].to_numpy(), ordered["adj_close"].to_numpy())
        acts = derive(*closes, splits=splits)
        found.append(
            ordered.select(
                "order",
                split=pl.Series(acts.split_ratio),
                dividend=pl.Series(acts.dividend_usd),
            )
        )
    if not found:
        return rows
    joined = rows.join(pl.concat(found), on="order", how="left", maintain_order="left")
    return joined.with_columns(
        split_ratio=pl.coalesce("split", "split_ratio"),
        dividend_usd=pl.coalesce("dividend", "dividend_usd"),
    ).drop("split", "dividend")


def asked_for(
    rows: pl.DataFrame, query: SourceQuery, day: str | pl.Expr = "session"
) -> pl.DataFrame:
    """Keep what a query asks for by `day`; rows without one stay, to be rejected by name."""
    on = pl.col(day) if isinstance(day, str) else day
    kept = rows
    if query.symbols is not None:
        kept = kept.filter(pl.col("symbol").is_in(list(query.symbols)))
    if query.first is not None:
        kept = kept.filter((on >= query.first) | on.is_null())
    if query.last is not None:
        kept = kept.filter((on <= query.last) | on.is_null())
    return kept
