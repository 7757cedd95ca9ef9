"""A bar that becomes known late, and what may not show of it before."""

from datetime import date

import polars as pl

from bellwether.audit import worlds
from bellwether.audit.found import Alarm, Panel
from bellwether.audit.hunt import SHORT, Effort, Hunt, shown


def late_knowledge(hunt: Hunt, effort: Effort) -> None:
    """Let a bar become known late: what was decided before may not show that it came."""
    del effort
    bars, days = hunt.panel.bars, hunt.sessions
    if len(days) < SHORT or hunt.enough():
        return
    times = dict(bars.group_by("session").agg(pl.col("knowledge_time").max()).rows())
    for i in (len(days) // 3, len(days) // 2):
        here = bars.filter(pl.col("session") == days[i])["symbol"].to_list()
        row = (pl.col("symbol") == here[0]) & (pl.col("session") == days[i])
        since = pl.when(row).then(pl.lit(times[days[i + 5]])).otherwise(pl.col("knowledge_time"))
        late = Panel(bars.with_columns(knowledge_time=since), hunt.panel.universe, hunt.panel.texts)
        _late(hunt, late, row, days[i + 2])


def _late(hunt: Hunt, late: Panel, row: pl.Expr, cut: date) -> None:
    other = hunt.outcome(late)
    hunt.found.looked("late knowledge", len(hunt.features))
    if other is None or not hunt.differing(hunt.full, other, cut):
        return
    without = Panel(late.bars.filter(~row), late.universe, late.texts)
    past = [hunt.outcome(worlds.cut_at(p, cut)) for p in (without, hunt.panel)]
    odd = [{d.feature: d for d in hunt.differing(other, p, cut)} for p in past if p is not None]
    if len(odd) < len(past):
        return
    for feature in odd[0].keys() & odd[1].keys() - hunt.blamed:
        d = odd[1][feature]
        said = (
            f"{feature} of {d.symbol} on {d.session} is {shown(d.other)} as known then and "
            f"{shown(d.known)} where an earlier bar was corrected some sessions later: the time of "
            "a correction is read before it came"
        )
        hunt.found.alarms.append(
            Alarm("late knowledge", "later_knowledge", feature, d.symbol, d.session, cut, d.other,
                  d.known, said, cells=d.cells)
        )  # fmt: skip
