"""The comparisons of one subject on one panel, and what they have found."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bellwether.audit import worlds
from bellwether.audit.cells import Difference, differences, tidy
from bellwether.audit.found import KEYS, Alarm, Findings, Note, Panel, Subject
from bellwether.audit.naming import Named, named

Enough = Callable[[], bool]
"""Tells whether the time is used up."""
SHORT = 260
"""Sessions below which a view may say that it has too few."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is looked at; a run is one computation of the features of the whole panel."""

    special: int = 2
    special_runs: int = 44
    staggered_runs: int = 14
    sweeps: int = 2
    clones: int = 900
    gappy_cuts: int = 4


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
            "texts": worlds.retold(self.panel, cut, self.rng),
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


def shown(value: float | None) -> str:
    """Write a value of a cell."""
    return "missing" if value is None else f"{value:.9g}"
