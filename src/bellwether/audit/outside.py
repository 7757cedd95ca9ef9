"""Whether a view knows dates or names by heart: what it knows of them cannot be audited."""

from datetime import timedelta

import polars as pl

from bellwether.audit.cells import differences, tidy
from bellwether.audit.found import Note, Panel, Subject

CYCLE = timedelta(days=10_227)
"""Twenty-eight years: the calendar repeats, weekdays and days of the month included."""


def outside_knowledge(subject: Subject, panel: Panel, full: pl.DataFrame) -> list[Note]:
    """Note the features that change when all dates move by 28 years, or all symbols are renamed.

    The bars stay what they are, so such a feature reads a table, a file or a list of its own.
    """
    moved = Panel(_dated(panel.bars), None if panel.universe is None else _spells(panel.universe))
    back = pl.col("session").cast(pl.Date) - CYCLE
    named = pl.col("symbol").cast(pl.String).str.strip_suffix(".X")
    told = [
        ("dates by heart", moved, back.alias("session")),
        ("symbols by heart", _renamed(panel), named.alias("symbol")),
    ]
    notes = []
    for what, world, restored in told:
        try:
            other = tidy(tidy(subject.features(world)).with_columns(restored))
        except Exception as error:  # noqa: BLE001 - the subject's own; it is told
            said = f"The features cannot be computed where {what.split()[0]} are others: {error}"
            notes.append(Note(what, "(all)", said.splitlines()[0][:200]))
            continue
        found = differences(full, other, full["session"].max(), 1e-6)  # type: ignore[arg-type]
        if found:
            names = ", ".join(d.feature for d in found)
            said = (
                f"{names}: knows {what}, beyond what the bars tell (first {found[0].symbol} on "
                f"{found[0].session}); whether that was known then cannot be audited"
            )
            notes.append(Note(what, names, said))
    return notes


def _dated(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.with_columns(pl.col("session") + CYCLE, pl.col("knowledge_time") + CYCLE)


def _spells(universe: pl.DataFrame) -> pl.DataFrame:
    return universe.with_columns(pl.col("first") + CYCLE, pl.col("last") + CYCLE)


def _renamed(panel: Panel) -> Panel:
    name = pl.col("symbol") + ".X"
    universe = None if panel.universe is None else panel.universe.with_columns(name)
    return Panel(panel.bars.with_columns(name), universe)
