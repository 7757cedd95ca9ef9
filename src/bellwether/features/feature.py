"""What a feature is, and a view: a named set of features with a version."""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from importlib.metadata import version

import numpy as np

from bellwether.features.expr import Across, Column, Expr, is_plain, lookback, ordered
from bellwether.features.needs import Need, read_by, refused
from bellwether.features.program import Program, compiled
from bellwether.features.section import ONE_FOR_ALL
from bellwether.features.texts import COLUMNS, RULES


class Kind(StrEnum):
    """What a feature may be used for."""

    MODEL = "model"
    PRICE_LEVEL = "price_level"
    VOLUME_LEVEL = "volume_level"


LANGUAGE = 1
"""Raised when a function of the language that is not TA-Lib's gives other numbers than before."""

SCALES = ("volatility_20", "parkinson_20")
"""Features that say how far a price moves a session: the first that a view has scales its intervals."""

IN_SECTION = frozenset({"rank", "z"})
"""Figures that only the symbols in the section get."""

BY = "~"
"""In a version, before the name of the method whose scores of texts the view reads."""

LEVELS = {
    Kind.MODEL: frozenset[Need](),
    Kind.PRICE_LEVEL: frozenset({Need.PRICE_LEVEL}),
    Kind.VOLUME_LEVEL: frozenset({Need.VOLUME_LEVEL}),
}


@dataclass(frozen=True)
class Feature:
    """One named feature.

    `unit` is "fraction" (0.01 is one percent), "score" (bounded, mostly centred on 0), "ratio",
    "state" (a few whole numbers), "days", "weekdays", "month", "rank" (0 to 1), "sd", "log USD",
    "per million USD", "USD" or "shares". Known after the close of its session. `source` is who
    described it first, and the year; `why` is why it is here: "expected" by users of such
    libraries, or because it "helps", which only a record out of sample can say.
    """

    name: str
    expression: Expr
    group: str
    unit: str
    meaning: str
    kind: Kind = Kind.MODEL
    source: str = ""
    why: str = "expected"

    @property
    def scale_free(self) -> bool:
        """Whether a price or a share that is counted in other units would change nothing."""
        return "USD" not in self.unit and self.unit != "shares"

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of the adjusted series, and of the date, that the formula reads."""
        return tuple(sorted({e.name for e in ordered((self.expression,)) if isinstance(e, Column)}))

    @property
    def looks(self) -> frozenset[str]:
        """Which figures across the section it reads; none where the symbol's own bars suffice."""
        return frozenset(e.function for e in ordered((self.expression,)) if isinstance(e, Across))

    @property
    def warm_up(self) -> int:
        """Sessions before the first one with a value; NaN before that and nowhere else."""
        return lookback(self.expression)

    @property
    def needs(self) -> frozenset[Need]:
        """What it needs that bars which arrive adjusted may have lost."""
        return read_by(self.expression) | LEVELS[self.kind]


@dataclass(frozen=True)
class FeatureView:
    """A named set of features with one version: the hash of all that could change a number.

    `scored_by` names the method whose scores of texts it reads; "" where it reads no texts.
    """

    name: str
    features: tuple[Feature, ...]
    ttl_sessions: int
    scored_by: str = ""

    @cached_property
    def reads_texts(self) -> bool:
        """Whether it reads texts, so that bars alone do not tell it."""
        return any(name in COLUMNS for f in self.features for name in f.reads)

    def scored(self, method: str) -> "FeatureView":
        """Return the view as it reads the scores of `method`; itself where it reads no texts."""
        if not self.reads_texts or self.scored_by == plain(method):
            return self
        return replace(self, scored_by=plain(method))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the features, in the order in which vectors hold them."""
        return tuple(f.name for f in self.features)

    @cached_property
    def model_columns(self) -> tuple[str, ...]:
        """Names of the features that models read, in order."""
        return tuple(f.name for f in self.features if f.kind is Kind.MODEL)

    @cached_property
    def model_positions(self) -> tuple[int, ...]:
        """Positions of the model features inside a vector."""
        return tuple(i for i, f in enumerate(self.features) if f.kind is Kind.MODEL)

    @cached_property
    def warm_up(self) -> int:
        """Sessions before the first one on which every feature has a value."""
        return max(f.warm_up for f in self.features)

    @cached_property
    def program(self) -> Program:
        """The steps that compute all features."""
        return compiled(f.expression for f in self.features)

    @cached_property
    def refused(self) -> dict[str, tuple[int, ...]]:
        """Positions of the features that bars of each adjustment cannot give."""
        return refused([f.needs for f in self.features])

    @cached_property
    def across(self) -> bool:
        """Whether it looks across symbols, so that one symbol's bars do not tell it."""
        return any(f.looks for f in self.features)

    @cached_property
    def reads_sectors(self) -> bool:
        """Whether it reads which sector symbols are in."""
        return any("sector_mean" in f.looks for f in self.features)

    @cached_property
    def scale(self) -> str | None:
        """The feature that scales intervals; None where no feature says how far prices move."""
        return next((name for name in SCALES if name in self.columns), None)

    @cached_property
    def firm(self) -> tuple[int, ...]:
        """Positions of the features that are NaN in the warm-up or refused, and nowhere else.

        The others are NaN as well where a symbol is not in the section, or has no known sector.
        """
        free = frozenset(ONE_FOR_ALL)
        return tuple(i for i, f in enumerate(self.features) if f.looks <= free)

    @cached_property
    def placed(self) -> tuple[int, ...]:
        """Positions of the features that are NaN where a symbol is not in the section."""
        return tuple(i for i, f in enumerate(self.features) if f.looks & IN_SECTION)

    @cached_property
    def _blanks(self) -> dict[bytes, str]:
        empty = {how: np.isin(self.firm, at) for how, at in self.refused.items()}
        return {empty[how].tobytes(): how for how in reversed(empty)}

    @property
    def tells_adjustment(self) -> bool:
        """Whether the holes of a vector tell every adjustment from every other."""
        return len(self._blanks) == len(self.refused)

    def adjustment_of(self, values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str | None:
        """Tell from the holes of a vector how its bars were adjusted; None while it warms up.

        Where a view refuses adjustments the same features, the least adjusted of them is told.
        """
        return self._blanks.get(np.isnan(values[list(self.firm)]).tobytes())

    def outside(self, values: "np.ndarray[tuple[int], np.dtype[np.float64]]", how: str) -> bool:
        """Say whether a vector lacks what only those in the section get; `how` is its adjustment."""
        refused = set(self.refused[how])
        placed = [i for i in self.placed if i not in refused]
        return bool(np.isnan(values[placed]).any())

    @cached_property
    def version(self) -> str:
        """Name the view with the hash of its formulas and of the libraries that compute them."""
        lines = [f"{f.name}={f.expression}" for f in self.features]
        lines += [f"{package}=={version(package)}" for package in ("ta-lib", "numpy")]
        if not all(is_plain(f.expression) for f in self.features):
            lines.append(f"language=={LANGUAGE}")
        if self.reads_texts:
            lines.append(f"texts=={RULES} by {self.scored_by}")
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return f"{self.name}@{digest[:12]}{BY + self.scored_by if self.scored_by else ''}"


def plain(method: str) -> str:
    """Return the name of a method as it can stand in a version."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", method)[:48]
