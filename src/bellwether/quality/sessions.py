"""Which sessions of the calendar have no bar, and which bars have no session."""

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.quality.found import SCHEMA
from bellwether.quality.panel import Bools, Floats, Ints, Panel
from bellwether.quality.policy import QualityPolicy

REACH = 125


def missing_sessions(
    panel: Panel, moves: Floats, breaks: Bools, calendar: SessionCalendar, policy: QualityPolicy
) -> pl.DataFrame:
    """Flag holes inside a symbol's life.

    Parameters
    ----------
    panel : Panel
        Bars on sessions only.
    moves : array of shape (n,)
        Move from the previous row to this one, in sigma of one session.
    breaks : array of shape (n,)
        Rows from which another company goes by the symbol: nothing is missing before them.
    calendar : SessionCalendar
        Which sessions there were.
    policy : QualityPolicy
        `gap_listed`, `halt_sigma`.
    """
    before = panel.lag(panel.position.astype(np.float64))
    gap = np.nan_to_num(panel.position - before - 1, nan=0).astype(np.int64)
    rows = np.flatnonzero(gap > 0)
    if not len(rows):
        return pl.DataFrame(schema=SCHEMA)
    length = gap[rows]
    usual = _usual(panel, gap)[rows] > policy.gap_usual
    listed = np.where((length <= policy.gap_listed) & ~breaks[rows], length, 1)
    owner = np.repeat(np.arange(len(rows)), listed)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(listed) - listed, listed)
    place = before[rows][owner].astype(np.int64) + 1 + nth
    days = calendar.sessions[place].astype("datetime64[ms]")
    moved = np.abs(np.nan_to_num(moves[rows])) / np.sqrt(length + 1.0)
    frame = pl.DataFrame(
        {
            "symbol": panel.names_of(rows[owner]),
            "session": pl.Series(days).cast(pl.Date),
            "length": length[owner],
            "moved": moved[owner],
            "another": breaks[rows][owner],
            "usual": usual[owner],
            "next": pl.Series(panel.session[rows[owner]].astype("datetime64[ms]")).cast(pl.Date),
        }
    )
    return frame.select(
        "symbol",
        "session",
        kind=pl.lit("missing_session"),
        field=pl.lit(""),
        severity=_severity(policy),
        score=pl.col("length").cast(pl.Float64),
        detail=_why(policy),
    )


def _usual(panel: Panel, gap: Ints) -> Floats:
    """Return the share of sessions missing about half a year around, the row's own gap left out."""
    place = np.arange(panel.rows)
    low, high = np.maximum(place - REACH, panel.first), np.minimum(place + REACH, panel.last)
    short = np.where(gap < REACH, gap, 0)
    sums = np.append(0, np.cumsum(short))
    around = sums[high + 1] - sums[low] - short - short[low] * (low == panel.first)
    share: Floats = np.maximum(around, 0) / (high - low + 1)
    return share


def _severity(policy: QualityPolicy) -> pl.Expr:
    long = pl.col("length") > policy.gap_listed
    halt = pl.col("moved") > policy.halt_sigma
    return (
        pl.when(pl.col("another") | pl.col("usual"))
        .then(pl.lit("note"))
        .when(long | halt)
        .then(pl.lit("suspect"))
        .otherwise(pl.lit("fault"))
    )


def _why(policy: QualityPolicy) -> pl.Expr:
    words = pl.format("no bar; {} in a row are missing, the next bar is of {}", "length", "next")
    halt = pl.format(
        "{}; the price then moved {} sigma: perhaps a halt", words, pl.col("moved").round(1)
    )
    other = pl.format("{}, which seems to be another company", words)
    return (
        pl.when("another")
        .then(other)
        .when(pl.col("moved") > policy.halt_sigma)
        .then(halt)
        .otherwise(words)
    )


def out_of_hours(panel: Panel) -> pl.DataFrame:
    """Flag bars on days on which the exchange was closed."""
    rows = np.flatnonzero(panel.position < 0)
    return pl.DataFrame(
        {
            "symbol": panel.names_of(rows),
            "session": pl.Series(panel.session[rows].astype("datetime64[ms]")).cast(pl.Date),
        },
        schema={"symbol": pl.String, "session": pl.Date},
    ).select(
        "symbol",
        "session",
        kind=pl.lit("out_of_hours"),
        field=pl.lit(""),
        severity=pl.lit("fault"),
        score=pl.lit(1.0),
        detail=pl.lit("a bar on a day on which the exchange was closed"),
    )
