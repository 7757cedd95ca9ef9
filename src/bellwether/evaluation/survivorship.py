"""Survivorship: who was there on a day, whose bars are missing, and what that may do to a result.

Weights are member-sessions: one name on one session counts once. With the share ``m`` of them
missing, an equal-weight result over all members is ``R_all = (1 - m) R_present + m R_missing``, so
that what a test without the missing names shows is too high by
``R_present - R_all = m (R_present - R_missing)``. `bound` puts limits on ``R_missing``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.asof import INGESTED, as_of
from bellwether.core.errors import UnknownName

KEYS = ("universe", "symbol", "first")
SPELL = ("symbol", "first", "last", "end_reason", "delisting_return")
REASONS = ("never", "started_late", "ended_early", "gap")
DELISTING = {"total": -1.0, "nyse": -0.30, "nasdaq": -0.55}
"""What a share loses when it is delisted and nothing is told: all of it; -30 % on NYSE and AMEX
(Shumway 1997, delistings for bad performance); -55 % on Nasdaq (Shumway and Warther 1999)."""
LOW, HIGH = 0.05, 0.95
NO_UNIVERSE = (
    "The universe is the list of names given today; nothing is known about names that left, so the "
    "result may be too good by an unknown amount."
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which members have bars.

    Attributes
    ----------
    years : DataFrame
        One row a year: `members` (names that were in on any session), `member_sessions`,
        `held_sessions` (with a bar), `share_missing` in [0, 1], `names_missing` (members without one
        bar while in, that year), and the missing sessions by reason: `never` (no bar in the whole
        spell), `started_late` (before the spell's first bar), `ended_early` (after its last), `gap`.
    names : DataFrame
        One row a year and member: `member_sessions`, `held_sessions`, `left` (the spell ended that
        year, without bars at its end, and it is not told that the share traded on) and
        `delisting_return` (fraction, null where not told).
    """

    years: pl.DataFrame
    names: pl.DataFrame


def spells_known(universe: pl.DataFrame, name: str, at: datetime) -> pl.DataFrame:
    """Return the spells of `name` as they were known at `at`: symbol, first, last and how it ended.

    Parameters
    ----------
    universe : DataFrame
        Every revision (schema UNIVERSE). Of two sources that tell one spell, the one ingested last
        is used.

    Raises
    ------
    UnknownName
        If no spell of `name` is there at all, known by then or not.
    """
    mine = universe.filter(pl.col("universe") == name)
    if mine.height == 0:
        known = universe["universe"].unique().sort().to_list()
        hint = "" if known else "Bring one in with: bellwether ingest universe --path FILE"
        raise UnknownName("universe", name, known, hint)
    newest = as_of(mine, at, [*KEYS, "source"])
    single = newest.sort(INGESTED).unique(KEYS, keep="last", maintain_order=True)
    return single.select(SPELL).sort("symbol", "first")


def members(universe: pl.DataFrame, name: str, at: datetime, session: date) -> list[str]:
    """List the members on `session` as known at `at`, by the tickers of that day, sorted.

    An end that became known after `at` is not used: the name counts as a member still.
    """
    spells = spells_known(universe, name, at)
    inside = (pl.col("first") <= session) & (pl.col("last").is_null() | (pl.col("last") >= session))
    return spells.filter(inside)["symbol"].unique().sort().to_list()


def of_members(rows: pl.DataFrame, universe: pl.DataFrame, name: str) -> pl.DataFrame:
    """Keep the decisions on names that were members as far as was known when they were made.

    Parameters
    ----------
    rows : DataFrame
        symbol, session and `decision_at`, in any order.
    universe : DataFrame
        Every revision (schema UNIVERSE).
    name : str
        Which universe.

    Returns
    -------
    DataFrame
        Rows of `rows`, in their order.
    """
    mine = universe.filter(pl.col("universe") == name).sort(*KEYS, "source", "revision")
    until = pl.col("knowledge_time").shift(-1).over(*KEYS, "source")
    spells = mine.select("symbol", "first", "last", "knowledge_time", replaced_at=until)
    numbered = rows.with_row_index("_row")
    pairs = numbered.select("_row", "symbol", "session", "decision_at").join(spells, on="symbol")
    inside = (pl.col("first") <= pl.col("session")) & (
        pl.col("last").is_null() | (pl.col("last") >= pl.col("session"))
    )
    known = (pl.col("knowledge_time") <= pl.col("decision_at")) & (
        pl.col("replaced_at").is_null() | (pl.col("replaced_at") > pl.col("decision_at"))
    )
    kept = pairs.filter(inside & known).select("_row").unique()
    return numbered.join(kept, on="_row", how="semi", maintain_order="left").drop("_row")


def member_sessions(
    spells: pl.DataFrame, sessions: Sequence[date] | npt.NDArray[np.datetime64]
) -> pl.DataFrame:
    """Give each spell a row for each of `sessions` (ascending) that it covers.

    Returns
    -------
    DataFrame
        `spell` (the row of `spells`), `symbol` (Categorical), `session` and `year`; a name is there
        once a session.
    """
    days = np.asarray(sessions, dtype="datetime64[D]")
    first = spells["first"].to_numpy().astype("datetime64[D]")
    last = spells["last"].to_numpy().astype("datetime64[D]")
    low = np.searchsorted(days, first)
    high = np.where(np.isnat(last), len(days), np.searchsorted(days, last, side="right"))
    count = np.maximum(high - low, 0)
    rows = np.repeat(np.arange(len(low)), count)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    codes = pl.Series(spells["symbol"], dtype=pl.Categorical).to_physical()
    at = (low[rows] + within).astype(np.int32)
    covered = pl.DataFrame(
        {"spell": rows.astype(np.int32), "code": codes.to_numpy()[rows], "at": at}
    )
    once = covered.unique(["code", "at"], keep="last", maintain_order=True)
    when = pl.Series("session", days[once["at"].to_numpy()], dtype=pl.Date)
    told = spells["symbol"].cast(pl.Categorical)[once["spell"]]
    return once.select("spell", symbol=told, session=when, year=when.dt.year())


def coverage(
    spells: pl.DataFrame,
    held: pl.DataFrame,
    sessions: Sequence[date] | npt.NDArray[np.datetime64],
) -> Coverage:
    """Tell by year which members have no bars, and why.

    Parameters
    ----------
    spells : DataFrame
        What `spells_known` returns.
    held : DataFrame
        `symbol` and `session` of every bar; repeats do no harm.
    sessions : sequence of date
        The sessions to look at, ascending.

    Notes
    -----
    Bars of a ticker outside the spell say nothing about it: another company may have had it.
    """
    rows = member_sessions(spells, sessions)
    there = held.select(pl.col("symbol").cast(rows["symbol"].dtype), "session").unique()
    has = there.with_columns(has=pl.lit(value=True))
    rows = rows.join(has, on=["symbol", "session"], how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("has").fill_null(value=False))
    ends = (
        rows.filter("has")
        .group_by("spell")
        .agg(low=pl.col("session").min(), high=pl.col("session").max())
    )
    rows = rows.join(ends, on="spell", how="left", maintain_order="left")
    absent = ~pl.col("has")
    late, early = pl.col("session") < pl.col("low"), pl.col("session") > pl.col("high")
    rows = rows.with_columns(
        never=absent & pl.col("low").is_null(),
        started_late=absent & late.fill_null(value=False),
        ended_early=absent & early.fill_null(value=False),
    ).with_columns(gap=absent & ~pl.any_horizontal(*REASONS[:3]))
    return Coverage(_by_year(rows), _by_name(rows, spells))


def _by_year(rows: pl.DataFrame) -> pl.DataFrame:
    names = rows.group_by("year", "symbol").agg(pl.col("has").any())
    without = names.group_by("year").agg(
        members=pl.len(), names_missing=(~pl.col("has")).sum().cast(pl.Int64)
    )
    summed = rows.group_by("year").agg(
        member_sessions=pl.len().cast(pl.Int64),
        held_sessions=pl.col("has").sum().cast(pl.Int64),
        **{r: pl.col(r).sum().cast(pl.Int64) for r in REASONS},
    )
    share = 1 - pl.col("held_sessions") / pl.col("member_sessions")
    joined = without.join(summed, on="year").with_columns(
        pl.col("members").cast(pl.Int64), share_missing=share
    )
    shown = ("year", "members", "names_missing", "member_sessions", "held_sessions")
    return joined.select(*shown, "share_missing", *REASONS).sort("year")


def _by_name(rows: pl.DataFrame, spells: pl.DataFrame) -> pl.DataFrame:
    of_spell = rows.group_by("year", "symbol", "spell").agg(
        member_sessions=pl.len().cast(pl.Int64), held_sessions=pl.col("has").sum().cast(pl.Int64)
    )
    ends = spells.select("last", "end_reason", "delisting_return").with_row_index("spell")
    ends = ends.with_columns(pl.col("spell").cast(pl.Int32))
    told = of_spell.join(ends, on="spell", how="left")
    ended = (pl.col("last").dt.year() == pl.col("year")).fill_null(value=False)
    stayed = (pl.col("end_reason") == "removed").fill_null(value=False)
    lacking = pl.col("held_sessions") < pl.col("member_sessions")
    grouped = told.group_by("year", "symbol").agg(
        pl.col("member_sessions", "held_sessions").sum(),
        left=(ended & ~stayed & lacking).any(),
        delisting_return=pl.col("delisting_return").filter(ended & lacking).last(),
    )
    return grouped.with_columns(pl.col("symbol").cast(pl.String)).sort("year", "symbol")


def survivorship_note(
    universe: pl.DataFrame | None, symbols: Sequence[str], years: Sequence[int]
) -> str:
    """Say in one or two sentences what a result on `symbols` in `years` leaves out.

    Parameters
    ----------
    universe : DataFrame or None
        Spells of one universe (what `spells_known` returns); None where none is known.
    symbols : sequence of str
        The names that the result rests on.
    years : sequence of int
        The years it covers.
    """
    if universe is None or not years:
        return NO_UNIVERSE
    low, high = date(min(years), 1, 1), date(max(years), 12, 31)
    inside = (pl.col("first") <= high) & (pl.col("last").is_null() | (pl.col("last") >= low))
    there = universe.filter(inside)
    names = there["symbol"].unique()
    if len(names) == 0:
        return f"No name is known to have been a member in {low.year} to {high.year}. {NO_UNIVERSE}"
    absent = names.filter(~names.is_in(list(symbols)))
    ended = there.filter(pl.col("symbol").is_in(absent.to_list()) & (pl.col("last") <= high))
    gone = ended["symbol"].n_unique()
    told = (
        f"Of {len(names):,} names that were members in {low.year} to {high.year}, {len(absent):,} "
        f"({len(absent) / len(names):.0%}) are not in this result; {gone:,} of them left by {high.year}."
    )
    strange = len(set(symbols) - set(names.to_list()))
    tail = f" {strange:,} names in it were never members in these years." if strange else ""
    good = " It is the result of those that stayed, so it may be too good." if gone else ""
    return told + good + tail
