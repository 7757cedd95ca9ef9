"""Many cuts in one run: each symbol at one of its own, and pieces of series by the hundred."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from bellwether.audit import worlds
from bellwether.audit.cells import ROW, Difference, differences
from bellwether.audit.found import KEYS, Note, Panel
from bellwether.audit.hunt import Effort, Hunt
from bellwether.audit.plan import spread_cuts

CONFIRMED = 10
"""Suspicious cuts of one run that are asked again."""


def staggered(hunt: Hunt, effort: Effort) -> None:
    """Cut every symbol somewhere else in one run; what differs is asked again at one cut."""
    each = spread_cuts(hunt.panel, hunt.rng, max(effort.staggered_runs, 1))
    for run in range(0 if hunt.done else effort.staggered_runs):
        if hunt.enough():
            hunt.found.left_out += 1
            continue
        cuts = {s: days[run] for s, days in each.items() if run < len(days)}
        world = worlds.noise(hunt.panel, worlds.after(hunt.panel.bars, cuts), hunt.rng)
        other = hunt.outcome(world)
        if other is None:
            continue
        hunt.found.looked("spread cuts", len(cuts))
        _suspects(hunt, hunt.full, other, cuts, {s: (s, day) for s, day in cuts.items()})


def _suspects(
    hunt: Hunt,
    full: pl.DataFrame,
    other: pl.DataFrame,
    cuts: Mapping[str, date],
    origin: Mapping[str, tuple[str, date]],
    most: int = 3,
) -> None:
    """Confirm what differs where each symbol has its own cut; other symbols may explain it."""
    asked: set[date] = set()
    for d in differences(full, other, cuts, hunt.subject.tolerance):
        if d.feature in hunt.blamed or hunt.enough():
            continue
        a = full.filter(pl.col("symbol").is_in(list(cuts)))
        rows = _rows_of(a, cuts, d)
        for symbol in rows[:most]:
            cut = origin[symbol][1]
            if cut not in asked and len(asked) < CONFIRMED and d.feature not in hunt.blamed:
                asked.add(cut)
                hunt.confirm(cut)


def _rows_of(frame: pl.DataFrame, cuts: Mapping[str, date], d: Difference) -> list[str]:
    """Return the symbols whose cells differ, the one of the first cell first."""
    if d.feature == ROW:
        return [d.symbol]
    last = pl.col("symbol").replace_strict(dict(cuts), return_dtype=pl.Date)
    names = frame.filter(pl.col("session") <= last)["symbol"].to_numpy()
    return list(dict.fromkeys([d.symbol, *(str(names[i]) for i in d.rows if i < len(names))]))


def clones(hunt: Hunt, effort: Effort) -> None:
    """Ask at hundreds of cuts in one run: pieces of the series, each under a name of its own."""
    if hunt.enough() or hunt.done:
        return
    each = spread_cuts(hunt.panel, hunt.rng, max(1, effort.clones // _count(hunt.panel)))
    pieces, cuts, origin = [], {}, {}
    for symbol, days in each.items():
        rows = hunt.panel.bars.filter(pl.col("symbol") == symbol)
        position = {day: i for i, day in enumerate(rows["session"].to_list())}
        for n, day in enumerate(days):
            i, past = position[day], (40, 130, 280)[n % 3]
            name = f"{symbol}.{n}"
            lo = max(0, i - past)
            piece = rows.slice(lo, i - lo + 31)
            pieces.append(piece.with_columns(symbol=pl.lit(name)))
            cuts[name], origin[name] = day, (symbol, day)
    bars = pl.concat(pieces).sort(KEYS)
    world = Panel(bars, _spells(bars, hunt.panel), hunt.panel.texts)
    full = hunt.outcome(world)
    other = hunt.outcome(worlds.noise(world, worlds.after(bars, cuts), hunt.rng))
    if full is None or other is None:
        hunt.found.notes.append(
            Note("clones", "(all)", "The view does not take symbols that are not its own, so that "
                 "only the cuts of the whole panel were asked")
        )  # fmt: skip
        return
    hunt.found.looked("clones", len(cuts))
    _suspects(hunt, full, other, cuts, origin)


def _count(panel: Panel) -> int:
    return max(1, panel.bars["symbol"].n_unique())


def _spells(bars: pl.DataFrame, panel: Panel) -> pl.DataFrame | None:
    """Return a universe in which all pieces are members throughout."""
    if panel.universe is None:
        return None
    first = bars.group_by("symbol").agg(first=pl.col("session").min())
    name = panel.universe["universe"][0] if panel.universe.height else "all"
    spells = first.with_columns(universe=pl.lit(name), last=pl.lit(None, dtype=pl.Date))
    return pl.concat([panel.universe.head(0), spells], how="diagonal").sort("symbol", "first")
