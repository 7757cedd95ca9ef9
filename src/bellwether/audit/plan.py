"""Where to cut: the sessions at which leaks like to hide."""

from datetime import date

import numpy as np
import polars as pl

from bellwether.audit.found import Panel

CONSECUTIVE, SPREAD = 5, 4


def base_cuts(sessions: list[date], rng: np.random.Generator) -> list[date]:
    """Return the nine cuts of the rule: five in a row in the middle and four spread out."""
    n = len(sessions)
    if n <= CONSECUTIVE + SPREAD:
        return sessions[:-1]
    lo, hi = n // 3, max(n // 3 + 1, 2 * n // 3 - CONSECUTIVE)
    start = int(rng.integers(lo, hi))
    spread = (np.array([0.12, 0.4, 0.75, 0.93]) * (n - 2)).astype(int) + rng.integers(0, 2, SPREAD)
    at = {*range(start, start + CONSECUTIVE), *spread.tolist()}
    return [sessions[i] for i in sorted(at) if i < n - 1]


def special_cuts(panel: Panel, rng: np.random.Generator, each: int = 2) -> list[date]:
    """Return the session of, before and after what is rare: starts, ends, gaps, actions, extremes."""
    bars = panel.bars
    days = bars["session"].unique().sort()
    n = len(days)
    at: set[int] = {i for i in (2, 9, 24, 70, 140, 270, n - 7, n - 3, n - 2) if 0 <= i < n - 1}
    position = {day: i for i, day in enumerate(days.to_list())}
    for group in _events(bars):
        rows = [position[d] for d in group]
        picked = rng.permutation(len(rows))[:each]
        at |= {rows[i] + step for i in picked for step in (-1, 0, 1)}
    for listing in bars.group_by("symbol").agg(pl.col("session").min())["session"].to_list():
        at |= {position[listing] + step for step in (-1, 4, 30)}
    for ending in bars.group_by("symbol").agg(pl.col("session").max())["session"].to_list():
        at |= {position[ending] - 1, position[ending]}
    return [days[i] for i in sorted(at) if 0 <= i < n - 1]


def _events(bars: pl.DataFrame) -> list[list[date]]:
    """List the sessions of each kind of event."""
    move = pl.col("close").log().diff().abs().over("symbol")
    gap = (pl.col("session").diff().dt.total_days()).over("symbol")
    turn = pl.col("volume") / pl.col("volume").rolling_median(20).over("symbol")
    marked = bars.with_columns(move=move, gap=gap, turn=turn)
    chosen = [
        marked.filter(pl.col("split_ratio") != 1.0),
        marked.filter(pl.col("dividend_usd") > 0.0),
        marked.filter(pl.col("gap") > 4),  # noqa: PLR2004 - longer than a long weekend
        marked.top_k(10, by="move"),
        marked.top_k(10, by="turn"),
    ]
    return [frame["session"].unique().sort().to_list() for frame in chosen if frame.height]


def calendar_cuts(sessions: list[date]) -> dict[str, list[date]]:
    """Return the sessions that end a week, month, quarter and year."""
    frame = pl.DataFrame({"session": sessions}, schema={"session": pl.Date})
    ends = {}
    for name, every in (("week", "1w"), ("month", "1mo"), ("quarter", "1q"), ("year", "1y")):
        grouped = frame.group_by(pl.col("session").dt.truncate(every)).agg(
            last=pl.col("session").max()
        )
        ends[name] = [d for d in grouped["last"].sort().to_list() if d < sessions[-1]]
    return ends


def spread_cuts(panel: Panel, rng: np.random.Generator, each: int) -> dict[str, list[date]]:
    """Return for each symbol sessions to cut it at: ends of periods first, then anywhere."""
    out = {}
    for symbol, rows in sorted(panel.bars.group_by("symbol"), key=lambda kv: str(kv[0][0])):
        days = rows["session"].sort().to_list()
        if len(days) < 3:  # noqa: PLR2004 - a past, a cut and a future
            continue
        ends = calendar_cuts(days)
        wanted: list[date] = []
        for name, share in (("month", 0.4), ("quarter", 0.1), ("year", 0.1), ("week", 0.1)):
            pool = ends[name]
            take = min(len(pool), max(1, int(each * share)))
            wanted += [pool[i] for i in rng.permutation(len(pool))[:take]]
        rest = max(1, each - len(set(wanted)))
        wanted += [days[i] for i in rng.permutation(len(days) - 1)[:rest]]
        unique = sorted(set(wanted))
        out[str(symbol[0])] = [unique[i] for i in rng.permutation(len(unique))]
    return out
