"""One question at many cuts: is the past of the features the same, whatever the future."""

import itertools
from datetime import date

import numpy as np
import polars as pl

from bellwether.audit import worlds
from bellwether.audit.cells import differences
from bellwether.audit.found import KEYS, Alarm, Note, Panel, Subject
from bellwether.audit.hunt import Effort, Enough, Hunt, shown
from bellwether.audit.late import late_knowledge
from bellwether.audit.plan import base_cuts, calendar_cuts, special_cuts
from bellwether.audit.spread import clones, staggered

RARE = ("cut", "noise", "loud", "mirrored", "ended", "joined", "quiet", "longer")


THOROUGH = Effort()
MEDIUM = Effort(special=1, special_runs=16, staggered_runs=4, sweeps=0)
QUICK = Effort(special=1, special_runs=3, staggered_runs=0, sweeps=0, gappy_cuts=1)


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
    for step in (_special, _gappy, staggered, *(clones,) * effort.sweeps, late_knowledge):
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


def _silent(hunt: Hunt) -> None:
    """Say which features have no value at all here, so that nothing can be said of them."""
    for name in hunt.features:
        if hunt.full[name].null_count() == hunt.full.height:
            said = f"{name} has no value on any of these bars, so that nothing could be compared"
            hunt.found.notes.append(Note("coverage", name, said))
