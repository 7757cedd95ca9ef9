"""Which members of a universe have bars here, and what the missing ones may do to a result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.errors import InvalidRequest
from bellwether.core.ports import Ports
from bellwether.evaluation.survivorship import (
    DELISTING,
    NO_UNIVERSE,
    coverage,
    member_sessions,
    members,
    spells_known,
    survivorship_note,
)
from bellwether.evaluation.survivorship_bound import bound, yearly_returns

BAR_KEYS = ("symbol", "session")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CoverageConfig:
    """Which universe is looked at, and what a delisted share is assumed to lose at worst.

    `delisting` is a name in `DELISTING`. Years are inclusive; None means all.
    """

    universe: str
    delisting: str = "total"
    first_year: int | None = None
    last_year: int | None = None


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """What is missing. `years` holds a row a year, with fractions and counts of member-sessions."""

    universe: str
    known_at: datetime
    first: date
    last: date
    names: int
    delisting_return: float
    years: tuple[Row, ...]

    def lines(self) -> list[str]:
        """Say it in words."""
        told = [
            (
                f"{self.universe}: {self.names:,} names were members from {self.first} to {self.last}, "
                f"as known on {self.known_at:%Y-%m-%d}."
            )
        ]
        for row in self.years:
            told += [_missing(row), *_doubt(row)]
        if any(row["share_missing"] for row in self.years):
            told.append(
                "Assumed: a missing name earned between the 5% and the 95% quantile of those with bars, "
                f"and, where it left, lost at worst {-self.delisting_return:.0%} on top. "
                "See docs/universe.md."
            )
        return told


def run(config: CoverageConfig, ports: Ports) -> CoverageReport:
    """Compare the members of a universe, as known now, with the bars in the lake.

    Raises
    ------
    UnknownName
        If there is no such universe, or no such assumption about delistings.
    InvalidRequest
        If the years asked for hold no member.
    """
    if config.delisting not in DELISTING:
        known = ", ".join(DELISTING)
        raise InvalidRequest("--delisting", f"{config.delisting!r} is none of {known}")
    at, calendar = ports.clock.now(), ports.calendar
    spells = spells_known(ports.lake.universe(), config.universe, at)
    if spells.height == 0:
        raise InvalidRequest("universe", f"no member of {config.universe} was known at {at}")
    first, last = min(spells["first"].to_list()), calendar.last_closed(at)
    sessions = calendar.between(first, last)
    symbols = spells["symbol"].unique().to_list()
    bars = as_of(ports.lake.bars(symbols), at, BAR_KEYS)
    found = coverage(spells, bars.select("symbol", "session"), sessions)
    returns = yearly_returns(bars, member_sessions(spells, sessions))
    limits = bound(found, returns, delisting_return=DELISTING[config.delisting])
    years = found.years.join(limits.drop("share_missing"), on="year").sort("year")
    low, high = config.first_year or first.year, config.last_year or last.year
    chosen = years.filter(pl.col("year").is_between(low, high))
    if chosen.height == 0:
        raise InvalidRequest("--from, --to", f"{config.universe} runs from {first} to {last}")
    return CoverageReport(
        config.universe,
        at,
        first,
        last,
        len(symbols),
        DELISTING[config.delisting],
        tuple(chosen.iter_rows(named=True)),
    )


def listed(ports: Ports) -> list[Row]:
    """Describe each universe: its spells, names, reach and how many are members now."""
    frame = ports.lake.universe()
    at = ports.clock.now()
    rows = []
    for name in frame["universe"].unique().sort().to_list():
        spells = spells_known(frame, name, at)
        rows.append(
            {
                "universe": name,
                "spells": spells.height,
                "names": spells["symbol"].n_unique(),
                "members": spells.filter(pl.col("last").is_null())["symbol"].n_unique(),
                "first": spells["first"].min(),
                "newest_change": max(
                    (d for d in (spells["first"].max(), spells["last"].max()) if d), default=None
                ),
            }
        )
    return rows


def on(name: str, day: date, ports: Ports) -> list[str]:
    """List the members on `day` as known at its close.

    Raises
    ------
    UnknownName
        If there is no such universe.
    InvalidRequest
        If `day` is no session, has not closed yet, or lies before the first spell.
    """
    frame, calendar = ports.lake.universe(), ports.calendar
    newest = calendar.last_closed(ports.clock.now())
    spells = spells_known(frame, name, ports.clock.now())
    first = min(spells["first"].to_list(), default=newest)
    if not first <= day <= newest:
        raise InvalidRequest(
            "--on", f"{day} lies outside {name}, which runs from {first} to {newest}"
        )
    if not calendar.is_session(day):
        raise InvalidRequest("--on", f"the exchange was closed on {day}")
    return members(frame, name, calendar.close_of(day), day)


def note(name: str | None, symbols: Sequence[str], years: Sequence[int], ports: Ports) -> str:
    """Say what a result on `symbols` leaves out of the universe `name`; None where none is known."""
    if name is None:
        return NO_UNIVERSE
    return survivorship_note(
        spells_known(ports.lake.universe(), name, ports.clock.now()), symbols, years
    )


def _missing(row: Row) -> str:
    year, share = row["year"], row["share_missing"]
    if share == 0:
        return f"In {year} all {row['members']:,} members have bars."
    reasons = (
        ("never", "never any"),
        ("started_late", "begin late"),
        ("ended_early", "end early"),
        ("gap", "holes"),
    )
    lost = sum(row[r] for r, _ in reasons)
    parts = ", ".join(f"{words} {row[r] / lost:.0%}" for r, words in reasons if row[r])
    return (
        f"In {year} {_percent(share)} of the member-sessions have no bars here: {row['names_missing']:,} "
        f"of {row['members']:,} members have none at all (of what is missing: {parts})."
    )


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.2%}"  # noqa: PLR2004 - one percent


def _doubt(row: Row) -> list[str]:
    if row["share_missing"] == 0:
        return []
    if row["present_return"] is None:
        return ["  No member has a return to compare with: nothing can be said about that year."]
    good, bad = max(row["bias_high"], 0) * 100, max(-row["bias_low"], 0) * 100
    return [
        (
            f"  Those with bars made {row['present_return']:+.1%}. If the others made between "
            f"{row['missing_low']:+.0%} and {row['missing_high']:+.0%}, an equal-weight result is too good "
            f"by up to {good:.1f} points or too bad by up to {bad:.1f}; each 10 points they did worse are "
            f"{row['share_missing'] * 10:.1f} points of bias."
        )
    ]
