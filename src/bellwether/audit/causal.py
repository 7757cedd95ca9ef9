"""One question at many cuts: is the past of the features the same, whatever the future."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bellwether.audit import worlds
from bellwether.audit.cells import ROW, Difference, differences, tidy
from bellwether.audit.found import KEYS, Alarm, Findings, Note, Panel, Subject
from bellwether.audit.naming import Named, named
from bellwether.audit.plan import base_cuts, calendar_cuts, special_cuts, spread_cuts

Enough = Callable[[], bool]
"""Tells whether the time is used up."""
SHORT = 260
"""Sessions below which a view may say that it has too few."""
CONFIRMED = 10
"""Suspicious cuts of one run that are asked again."""
RARE = ("cut", "noise", "loud", "mirrored", "ended", "joined", "quiet", "longer")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is looked at; a run is one computation of the features of the whole panel."""

    special: int = 2
    special_runs: int = 44
    staggered_runs: int = 14
    sweeps: int = 2
    clones: int = 900
    gappy_cuts: int = 4


THOROUGH = Effort()
MEDIUM = Effort(special=1, special_runs=16, staggered_runs=4, sweeps=0)
QUICK = Effort(special=1, special_runs=3, staggered_runs=0, sweeps=0, gappy_cuts=1)


class Hunt:
    """The comparisons of one subject on one panel, with what they have found so far."""

    def __init__(self, subject: Subject, panel: Panel, seed: int, enough: Enough) -> None:
        self.subject = subject
        self.panel = panel
        self.rng = np.random.default_rng(seed)  # noqa: TID251 - the audit's own generator
        self.enough = enough
        self.found = Findings()
        self.sessions: list[date] = panel.bars["session"].unique().sort().to_list()
        self.full = tidy(subject.features(panel))
        self._failures: dict[str, tuple[date, int]] = {}
        self._runs = 0
        self.odd = 0

    @property
    def features(self) -> list[str]:
        """Names of the features."""
        return self.full.columns[len(KEYS) :]

    def outcome(self, panel: Panel, cut: date | None = None) -> pl.DataFrame | None:
        """Compute the features of another panel; None where the subject cannot.

        With `cut` the panel is what was known then, on which every subject has to work.
        """
        self._runs += 1
        try:
            return tidy(self.subject.features(panel))
        except Exception as error:  # noqa: BLE001 - whatever the subject raises is its answer
            if cut is None:
                self.odd += 1
            else:
                why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                first, n = self._failures.get(why, (cut, 0))
                self._failures[why] = (max(first, cut), n + 1)
            return None

    def compare(self, name: str, cut: date, world: Panel, base: pl.DataFrame | None = None) -> None:
        """Compare one world with what is, up to the cut, and keep what differs."""
        reference = self.full if base is None else base
        if self.done:
            return
        other = self.outcome(world, cut if name == "cut" else None)
        if other is None:
            return
        check = "truncation" if name == "cut" else name
        past = reference.filter(pl.col("session") <= cut)
        self.found.looked(check, past.height * len(self.features))
        new = [d for d in self.differing(reference, other, cut) if d.feature not in self.blamed]
        if new:
            self._blame(check, cut, new, world, reference)

    @property
    def blamed(self) -> set[str]:
        """Features that have an alarm."""
        return self.found.blamed()

    @property
    def done(self) -> bool:
        """Whether every feature has an alarm, so that nothing is left to ask."""
        return self.blamed >= set(self.features)

    def differing(
        self, reference: pl.DataFrame, other: pl.DataFrame, cut: worlds.Cut
    ) -> list[Difference]:
        """List what differs up to the cut."""
        return differences(reference, other, cut, self.subject.tolerance)

    def _blame(
        self, check: str, cut: date, new: list[Difference], world: Panel, base: pl.DataFrame
    ) -> None:
        del world
        probe = self.probed(cut)
        for difference in new:
            self.found.alarms.append(
                named(Named(check, cut, difference, base, probe, self.sessions))
            )

    def probed(self, cut: date) -> dict[str, pl.DataFrame]:
        """Compute what tells kinds of leaks apart at one cut."""
        mask = worlds.after(self.panel.bars, cut)
        names = self.panel.bars["symbol"].to_numpy()
        first = names[mask][0] if mask.any() else ""
        own = mask & (names == first)
        made = {
            "cut": worlds.cut_at(self.panel, cut),
            **{
                part: worlds.noise(self.panel, mask, self.rng, part)
                for part in ("prices", "volume", "actions")
            },
            "first": worlds.noise(self.panel, own, self.rng),
            "ended": worlds.ended(self.panel, cut, self.rng),
        }
        computed = {name: self.outcome(panel) for name, panel in made.items()}
        return {name: frame for name, frame in computed.items() if frame is not None}

    def confirm(self, cut: date) -> None:
        """Ask the plain question at a cut that another check found suspicious."""
        for name in ("noise", "cut", "loud"):
            self.compare(name, cut, worlds.FUTURES[name](self.panel, cut, self.rng))

    def failures(self) -> None:
        """Turn what the subject could not compute into an alarm or a note."""
        if self.odd:
            said = f"On {self.odd} panels with invented bars the features cannot be computed"
            self.found.notes.append(Note("other futures", "(all)", said))
        for why, (cut, n) in self._failures.items():
            known = sum(1 for day in self.sessions if day <= cut)
            said = (
                f"The features cannot be computed on a history that ends on {cut} "
                f"({known} sessions), while on the whole of it they can: {why}"
            )
            if known >= SHORT:
                self.found.alarms.append(
                    Alarm("truncation", "fails_when_cut", "(all)", "", cut, cut, None, None, said,
                          cells=n)
                )  # fmt: skip
            else:
                self.found.notes.append(Note("truncation", "(all)", said))


def audit(subject: Subject, panel: Panel, seed: int, effort: Effort, enough: Enough) -> Hunt:
    """Ask at the nine cuts of the rule first, then where leaks like to hide, while there is time.

    Returns
    -------
    Hunt
        Its `found` holds the alarms, its `full` the features of the whole panel.
    """
    hunt = Hunt(subject, panel, seed, enough)
    repeated = hunt.outcome(panel)
    if repeated is not None:
        _steady(hunt, repeated)
    for cut in base_cuts(hunt.sessions, hunt.rng):
        for name in ("cut", "noise"):
            hunt.compare(name, cut, worlds.FUTURES[name](panel, cut, hunt.rng))
    if subject.decides == "open":
        for cut in base_cuts(hunt.sessions, hunt.rng):
            hunt.compare("same_bar", cut, worlds.same_bar(panel, cut, hunt.rng))
    for step in (_special, _gappy, _staggered, *(_clones,) * effort.sweeps, _late_knowledge):
        step(hunt, effort)
    hunt.failures()
    _silent(hunt)
    return hunt


def _steady(hunt: Hunt, repeated: pl.DataFrame) -> None:
    """Demand the same output of the same input, or nothing else can be asked."""
    hunt.found.looked("repeat", hunt.full.height * len(hunt.features))
    last = hunt.sessions[-1]
    for d in differences(hunt.full, repeated, last, hunt.subject.tolerance):
        said = (
            f"{d.feature} of {d.symbol} on {d.session} was {shown(d.known)} in one run and "
            f"{shown(d.other)} in the next on the same bars: it is random or keeps a state"
        )
        alarm = Alarm(
            "repeat", "not_repeatable", d.feature, d.symbol, d.session, last, d.other, d.known,
            said, cells=d.cells,
        )  # fmt: skip
        hunt.found.alarms.append(alarm)


def shown(value: float | None) -> str:
    """Write a value of a cell."""
    return "missing" if value is None else f"{value:.9g}"


def _special(hunt: Hunt, effort: Effort) -> None:
    ends = calendar_cuts(hunt.sessions)
    cuts = special_cuts(hunt.panel, hunt.rng, effort.special)
    for name in ("year", "quarter", "month"):
        pool = ends[name]
        cuts += [pool[i] for i in hunt.rng.permutation(len(pool))[:3]]
    order = [cuts[i] for i in hunt.rng.permutation(len(cuts))]
    middle = order[: len(RARE)] if effort.special_runs >= len(RARE) else order[:1]
    jobs = [(cut, name) for cut, name in zip(middle, RARE, strict=False)]
    jobs += list(
        zip(sorted(set(cuts)), itertools.cycle(("cut", "noise", "loud", "cut")), strict=False)
    )
    thinned = jobs[: len(middle)] + _thin(jobs[len(middle) :], effort.special_runs - len(middle))
    for cut, name in thinned:
        if hunt.enough():
            hunt.found.left_out += 1
            continue
        hunt.compare(name, cut, worlds.FUTURES[name](hunt.panel, cut, hunt.rng))


def _thin(jobs: list[tuple[date, str]], most: int) -> list[tuple[date, str]]:
    if len(jobs) <= most:
        return jobs
    picked = np.unique(np.linspace(0, len(jobs) - 1, max(most, 0)).astype(int))
    return [jobs[i] for i in picked]


def _gappy(hunt: Hunt, effort: Effort) -> None:
    """Ask on bars with holes too: what fills holes from behind shows only there."""
    holed = worlds.gappy(hunt.panel, hunt.rng)
    base = hunt.outcome(holed)
    if base is None or hunt.enough() or hunt.done:
        return
    missing = hunt.panel.bars.join(holed.bars.select(KEYS), on=KEYS, how="anti")
    days = missing["session"].unique().sort().to_list()
    for i in hunt.rng.permutation(len(days))[: effort.gappy_cuts]:
        world = worlds.noise(holed, worlds.after(holed.bars, days[i]), hunt.rng)
        hunt.compare("gaps", days[i], world, base)


def _staggered(hunt: Hunt, effort: Effort) -> None:
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


def _clones(hunt: Hunt, effort: Effort) -> None:
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
    world = Panel(bars, _spells(bars, hunt.panel))
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


def _late_knowledge(hunt: Hunt, effort: Effort) -> None:
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
        late = Panel(bars.with_columns(knowledge_time=since), hunt.panel.universe)
        _late(hunt, late, row, days[i + 2])


def _late(hunt: Hunt, late: Panel, row: pl.Expr, cut: date) -> None:
    other = hunt.outcome(late)
    hunt.found.looked("late knowledge", len(hunt.features))
    if other is None or not hunt.differing(hunt.full, other, cut):
        return
    without = Panel(late.bars.filter(~row), late.universe)
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


def _silent(hunt: Hunt) -> None:
    """Say which features have no value at all here, so that nothing can be said of them."""
    for name in hunt.features:
        if hunt.full[name].null_count() == hunt.full.height:
            said = f"{name} has no value on any of these bars, so that nothing could be compared"
            hunt.found.notes.append(Note("coverage", name, said))


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
