"""Who belonged to a universe and when: spells, lists of changes, or snapshots, from files."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar, session_calendar
from bellwether.core.errors import InvalidRequest
from bellwether.core.ports import SourceBatch, SourceQuery
from bellwether.core.types import Remark
from bellwether.sources.changes import Change, changed, changes_of
from bellwether.sources.checks import SYMBOL
from bellwether.sources.dates import sessions
from bellwether.sources.facts import Rows, columns_of, no_bars, same_layout, text, told_why
from bellwether.sources.fingerprint import Fingerprint
from bellwether.sources.shape import named
from bellwether.sources.snapshots import seen
from bellwether.sources.spell_files import KNOWN_AS as SPELLS_AS
from bellwether.sources.spell_files import stated
from bellwether.sources.spells import Days, Refusals, Spell, agreed, batches
from bellwether.sources.tables import tables

NAME = r"^[a-z0-9][a-z0-9._-]{0,31}$"
DATE = ("date", "day", "effective_date", "effective date", "session")
KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    **SPELLS_AS,
    "date": DATE,
    "add": ("add", "added", "addition", "in"),
    "remove": ("remove", "deleted", "drop", "out"),
}
LAYOUTS = "a spell (symbol, start_date, end_date), a change (date, add, remove) or a snapshot (date, symbol)"


class UniverseSource:
    """Membership in CSV or Parquet; a folder may mix layouts, and changes go on from its spells."""

    name = "universe"

    def read(self, query: SourceQuery, known_until: datetime) -> SourceBatch:
        """Read the file or folder at `query.path`; what is not known by `known_until` is rejected."""
        if query.name is not None and not re.match(NAME, query.name):
            raise InvalidRequest("--name", f"{query.name!r} is not made of a-z, 0-9, '.', '_', '-'")
        days = Days(session_calendar())
        read = Fingerprint()
        found = list(tables(query, read))
        refusals = Refusals(Rows([table for _, table in found]))
        remarks: list[Remark] = []
        spells: list[Spell] = []
        snapshots: list[pl.DataFrame] = []
        changes: list[Change] = []
        start = 0
        for path, table in found:
            names = _named(table, path.name, query)
            rows = _rows(table, names, _universe(path, query), query, days.calendar, start)
            rows = _sound(rows, names, refusals)
            if "first" in names:
                spells += stated(rows, days, known_until, refusals, remarks)
            elif "add" in names or "remove" in names:
                changes += changes_of(rows, days, known_until, refusals)
            else:
                snapshots.append(rows)
            start += table.height
        spells = agreed(spells, refusals)
        base = _known(query.spells)
        for (universe,), rows in _concat(snapshots).group_by("universe", maintain_order=True):
            before = [s for s in base if s.universe == universe and query.symbols is None]
            spells += seen(rows, before, days, known_until, refusals)
        spells = _merged(spells, changed(_merged(base, spells), changes, days, refusals))
        kept = [s for s in spells if query.symbols is None or s.symbol in query.symbols]
        told = batches(kept, days)
        return SourceBatch(no_bars(), refusals.all(), tuple(remarks), start, told, read.value)


def _named(table: pl.DataFrame, place: str, query: SourceQuery) -> dict[str, str]:
    columns = columns_of(table)
    names = named(columns, place, query.columns, KNOWN_AS, ())
    if "first" not in names and "add" in names and "remove" not in names and "removed" in names:
        names["remove"] = names.pop("removed")
    changes = "date" in names and ("add" in names or "remove" in names)
    if not changes and not ("symbol" in names and ("first" in names or "date" in names)):
        raise same_layout(place, columns, LAYOUTS)
    return names


def _universe(path: Path, query: SourceQuery) -> str:
    return query.name or path.name.split(".")[0].lower()


def _rows(
    table: pl.DataFrame,
    names: Mapping[str, str],
    universe: str,
    query: SourceQuery,
    calendar: SessionCalendar,
    start: int,
) -> pl.DataFrame:
    """Take out of a table what any of the layouts may tell, still as it is written."""
    begin = "first" if "first" in names else "date"
    day = sessions(table[names[begin]], query.zone, calendar)
    lost = pl.coalesce(told_why(table), day["why"].replace("not_a_session", None))
    own = text(table, names.get("universe")).str.to_lowercase()
    rows = pl.DataFrame(
        {
            "universe": own.fill_null(universe),
            "symbol": text(table, names.get("symbol")).str.to_uppercase(),
            "day": day["meant"],
            "told": table[names[begin]].cast(pl.String),
            "why": pl.select(lost).to_series(),
            "location": table["location"],
            "row": np.arange(start, start + table.height),
        }
    )
    for ours in ("add", "remove", "end_reason", "delisting_return"):
        rows = rows.with_columns(text(table, names.get(ours)).alias(ours))
    for ours in ("end", "last", "removed"):
        written = text(table, names.get(ours))
        parsed = sessions(written, query.zone, calendar)
        rows = rows.with_columns(written.alias(f"told_{ours}"), parsed["meant"].alias(ours))
    return rows


def _sound(rows: pl.DataFrame, names: Mapping[str, str], refusals: Refusals) -> pl.DataFrame:
    """Refuse the rows whose day, universe or symbol cannot be read; return the others."""
    rules = [("bad_universe", ~pl.col("universe").str.contains(NAME))]
    if "symbol" in names:
        rules.insert(0, ("bad_symbol", ~pl.col("symbol").fill_null("").str.contains(SYMBOL)))
    reason = pl.coalesce(*(pl.when(rule).then(pl.lit(name)) for name, rule in rules))
    judged = rows.with_columns(why=pl.coalesce("why", reason))
    for row in judged.filter(pl.col("why").is_not_null()).iter_rows(named=True):
        words = {c: row[c] for c in ("symbol", "universe", "told")}
        refusals.add(row["why"], row["location"], row["row"], **words)
    return judged.filter(pl.col("why").is_null())


def _concat(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if parts:
        return pl.concat(parts)
    return pl.DataFrame(schema={"universe": pl.String})


def _known(frame: pl.DataFrame | None) -> list[Spell]:
    """Read the newest state of each spell out of the lake's own revisions."""
    if frame is None or frame.height == 0:
        return []
    key = ("universe", "symbol", "first")
    ordered = frame.filter(pl.col("source") == UniverseSource.name).sort("revision")
    grouped = ordered.group_by(key, maintain_order=True)
    state = grouped.agg(
        pl.col("last", "end_reason", "delisting_return").last(),
        began_known=pl.col("knowledge_time").first(),
        ended_known=pl.col("knowledge_time").last(),
        basis=pl.col("knowledge_basis").first(),
    )
    return [
        Spell(**{**row, "ended_known": row["ended_known"] if row["last"] else None})
        for row in state.iter_rows(named=True)
    ]


def _merged(spells: Sequence[Spell], newer: Sequence[Spell]) -> list[Spell]:
    """Put newer states of spells in the place of older ones."""
    states: dict[tuple[str, str, date], Spell] = {}
    for spell in (*spells, *newer):
        states[spell.universe, spell.symbol, spell.first] = spell
    return list(states.values())
