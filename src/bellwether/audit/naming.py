"""What a leak looks like: told from where it differs and from which part of the future it reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bellwether.audit.cells import ROW, Difference, cell
from bellwether.audit.found import Alarm

NEAR, FAR = 1, 270
"""Sessions ahead: up to NEAR it is the next session, above FAR it is the sample."""

WORDS = {
    "next_session": "a shift into the future, or a join that is off by one session",
    "centred_window": "a centred or forward window, a smoother, or a later session joined in",
    "back_fill": "a hole filled from a later row, backward filling or interpolation",
    "full_sample": "a statistic of the whole sample: scaling, ranking, selecting or a maximum "
    "fitted on rows that come later",
    "later_adjustment": "a price or volume adjusted by a split or dividend that comes later",
    "future_cross_section": "a statistic, rank or joint fit over all symbols that includes later "
    "sessions of them",
    "universe": "today's universe: which symbols live on, or join later, changes the past",
    "row_selection": "rows kept or dropped by what came later",
    "later_volume": "a filter or weight by volume that comes later",
    "length": "a result that depends on how much history there is",
    "later_text": "a text that was first seen after the close of the session: by its date, or by a "
    "count, score or model of texts that come later",
    "same_bar": "the decision is made at the open, and high, low, close or volume of the same "
    "session are read",
    "shift_of_rows": "rows of one symbol that spill into another: the order of rows is relied on",
}


@dataclass(frozen=True, slots=True)
class Named:
    """What is known about a difference when it is to be named."""

    check: str
    cut: date
    difference: Difference
    reference: pl.DataFrame
    probe: Mapping[str, pl.DataFrame]
    sessions: list[date]


def named(told: Named) -> Alarm:
    """Turn a difference into an alarm with its kind and a sentence."""
    d = told.difference
    later = cell(told.reference, d.feature, d.symbol, d.session)
    then = d.other
    if told.check != "cut" and "cut" in told.probe:
        short = cell(told.probe["cut"], d.feature, d.symbol, d.session)
        then = short if not _same(short, later) else d.other
    ahead = _ahead(told)
    kind = _kind(told, then, later, ahead)
    sentence = _sentence(told, kind, then, later, ahead)
    return Alarm(
        told.check, kind, d.feature, d.symbol, d.session, told.cut, then, later, sentence,
        ahead, d.cells,
    )  # fmt: skip


def _same(one: float | None, two: float | None) -> bool:
    return one == two if one is None or two is None else bool(np.isclose(one, two, 1e-12, 0.0))


def _ahead(told: Named) -> int | None:
    """Count the sessions that the first differing cell lies before the first unknown session."""
    days = told.sessions
    first = int(np.searchsorted(np.array(days), np.datetime64(told.difference.session)))
    last = int(np.searchsorted(np.array(days), np.datetime64(told.cut)))
    return last - first + 1


def _kind(told: Named, then: float | None, later: float | None, ahead: int | None) -> str:
    d, parts, reach = told.difference, _parts(told), ahead or 0
    few = d.cells <= told.reference["symbol"].n_unique()
    by_value = parts["values"]
    presence = told.check in ("ended", "joined") or (d.feature == ROW and parts.get("ended", False))
    filled = reach > NEAR and then is None and later is not None
    rules = (
        ("same_bar", told.check == "same_bar"),
        ("shift_of_rows", reach > FAR and few and _starts(told)),
        ("later_text", parts["texts"] and not by_value),
        ("universe", presence and not by_value),
        ("row_selection", d.feature == ROW),
        ("later_adjustment", parts.get("actions", False) and not parts.get("prices")),
        ("later_volume", parts.get("volume", False) and not parts.get("prices")),
        ("length", told.check == "longer" or (told.check == "truncation" and not by_value)),
        ("back_fill", filled and _repeats(told, later)),
    )
    fits = (kind for kind, holds in rules if holds)
    return next(fits, None) or _by_reach(told, parts, reach)


def _by_reach(told: Named, parts: Mapping[str, bool], reach: int) -> str:
    if reach <= NEAR:
        return "next_session"
    if reach <= FAR and not _everywhere(told):
        return "back_fill" if told.check == "gaps" else "centred_window"
    return "future_cross_section" if parts.get("others") else "full_sample"


def _starts(told: Named) -> bool:
    """Tell whether the cell is the first of its symbol, which has nothing before it to read."""
    d = told.difference
    before = told.reference.filter((pl.col("symbol") == d.symbol) & (pl.col("session") < d.session))
    return before.height == 0


def _repeats(told: Named, value: float | None) -> bool:
    """Tell whether the cell holds the value of the row after it."""
    d = told.difference
    rows = told.reference.filter((pl.col("symbol") == d.symbol) & (pl.col("session") > d.session))
    return bool(rows.height) and d.feature in rows.columns and _same(rows[d.feature][0], value)


def _everywhere(told: Named) -> bool:
    """Tell whether the cells that differ go back to the start of what was known."""
    known = told.reference.filter(pl.col("session") <= told.cut)
    return told.difference.sessions >= 0.8 * max(1, known["session"].n_unique())


def _parts(told: Named) -> dict[str, bool]:
    """Tell which part of the future changes the cell: prices, volume, actions, other symbols."""
    d = told.difference
    base = cell(told.reference, d.feature, d.symbol, d.session)
    changed = {}
    for name in ("prices", "volume", "actions", "ended", "texts"):
        frame = told.probe.get(name)
        if frame is not None:
            changed[name] = not _same(cell(frame, d.feature, d.symbol, d.session), base)
    changed.setdefault("texts", False)
    changed["values"] = any(changed.get(k, False) for k in ("prices", "volume", "actions"))
    changed |= _others(told)
    return changed


def _others(told: Named) -> dict[str, bool]:
    """Tell whether the future of one symbol changes the past of another."""
    frame, d = told.probe.get("first"), told.difference
    if frame is None or d.feature not in frame.columns or told.reference.height == 0:
        return {}
    known = told.reference.filter(pl.col("session") <= told.cut).select(
        "symbol", "session", d.feature
    )
    both = known.join(frame.select("symbol", "session", other=d.feature), on=["symbol", "session"])
    moved = both.filter(~pl.col(d.feature).eq_missing(pl.col("other")))
    moved = moved.filter(
        ((pl.col(d.feature) - pl.col("other")).abs() > 1e-9 * pl.col(d.feature).abs()).fill_null(
            value=True
        )
    )
    first = known["symbol"].min()
    return {"others": moved.filter(pl.col("symbol") != first).height > 0}


def _sentence(
    told: Named, kind: str, then: float | None, later: float | None, ahead: int | None
) -> str:
    d = told.difference
    place = f"{d.feature} of {d.symbol} on {d.session}"
    if d.feature == ROW:
        state = "is there" if later else "is not there"
        head = f"The row of {d.symbol} on {d.session} {state} on the whole history"
        return f"{head} and not so with what was known by {told.cut}: it looks like {WORDS[kind]}."
    reach = f", {ahead} session{'s' * (ahead != 1)} ahead or more" if ahead and ahead <= FAR else ""
    if kind == "same_bar":
        reach = ""
    return (
        f"{place} is {_shown(then)} with what was known by {told.cut} and {_shown(later)} once "
        f"more is known{reach}: it looks like {WORDS[kind]}."
    )


def _shown(value: float | None) -> str:
    return "missing" if value is None else f"{value:.9g}"
