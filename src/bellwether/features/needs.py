"""What a feature needs of its bars, and what bars that arrive adjusted cannot give.

Ratios of prices survive every adjustment; levels do not, because their scale is that of a day
nobody states. Volume adjusted for splits is on one share basis, so its ratios hold; next to
prices that are adjusted for dividends too, vendors leave or change volume as they please.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bellwether.core.types import MIXED, Adjustment
from bellwether.features.expr import Column, Expr, ordered


class Need(StrEnum):
    """Something that adjusted bars may have lost."""

    VOLUME = "volume"
    PRICE_LEVEL = "price levels"
    VOLUME_LEVEL = "volume levels"


LOST: Mapping[str, frozenset[Need]] = MappingProxyType(
    {
        Adjustment.NONE.value: frozenset(),
        Adjustment.SPLITS.value: frozenset({Need.PRICE_LEVEL, Need.VOLUME_LEVEL}),
        Adjustment.TOTAL.value: frozenset(Need),
    }
)
"""What bars of each adjustment cannot tell."""


def read_by(expression: Expr) -> frozenset[Need]:
    """Return what the formula itself needs, by the columns it reads."""
    read = {e.name for e in ordered((expression,)) if isinstance(e, Column)}
    return frozenset({Need.VOLUME}) if read & {"volume", "dollars"} else frozenset()


def refused(needs: Sequence[frozenset[Need]]) -> dict[str, tuple[int, ...]]:
    """Return for each adjustment the positions of the features it cannot give; "mixed" gives none."""
    found = {how: tuple(i for i, n in enumerate(needs) if n & lost) for how, lost in LOST.items()}
    return {**found, MIXED: tuple(range(len(needs)))}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Features that some symbols do not get, and why."""

    adjustment: str
    need: str
    features: tuple[str, ...]
    symbols: tuple[str, ...]

    def words(self) -> str:
        """Say it in one sentence."""
        some = ", ".join(self.symbols[:5]) + (", ..." if len(self.symbols) > 5 else "")  # noqa: PLR2004
        who = f"{len(self.symbols)} symbol{'s' * (len(self.symbols) != 1)} ({some})"
        if self.adjustment == MIXED:
            return f"All features refused to {who}: their bars are of more than one adjustment."
        return (
            f"Refused to {who}, whose bars arrived adjusted ({self.adjustment}): "
            f"{', '.join(self.features)}; they need {self.need}."
        )


def refusals(
    names: Sequence[str], needs: Sequence[frozenset[Need]], symbols: Mapping[str, str]
) -> tuple[Refusal, ...]:
    """Report what is refused, each feature once, under the first thing it lacks.

    Parameters
    ----------
    names, needs : sequences
        The features of a view and what each needs.
    symbols : mapping of str to str
        The adjustment of each symbol's bars.
    """
    told = []
    for how in (Adjustment.SPLITS.value, Adjustment.TOTAL.value, MIXED):
        mine = tuple(sorted(s for s, adjustment in symbols.items() if adjustment == how))
        if mine and how == MIXED:
            told.append(Refusal(how, "bars of one adjustment", tuple(names), mine))
        elif mine:
            told += _by_need(how, mine, names, needs)
    return tuple(told)


def _by_need(
    how: str, symbols: tuple[str, ...], names: Sequence[str], needs: Sequence[frozenset[Need]]
) -> list[Refusal]:
    lacking = [next((n for n in Need if n in LOST[how] & wanted), None) for wanted in needs]
    features = {
        need: tuple(name for name, n in zip(names, lacking, strict=True) if n is need)
        for need in Need
    }
    return [Refusal(how, need.value, f, symbols) for need, f in features.items() if f]
