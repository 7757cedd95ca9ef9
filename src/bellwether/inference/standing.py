"""How a release stands by the gates: whether it may answer, and what its answers have to say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bellwether.core.ports import Ledger, ReleaseRow, StandingRow
from bellwether.core.types import Skill

ADMITTED, REFUSED, WAITING = "admitted", "refused", "waiting"
FAILED = "failed_gate_"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one release stands.

    `failed` names the gates that would refuse it and were overruled, because no policy was
    declared; `why` is a sentence.
    """

    state: str
    skill_shown: bool
    failed: tuple[str, ...]
    why: str

    @property
    def answers(self) -> bool:
        """Whether it may answer."""
        return self.state == ADMITTED

    @property
    def reasons(self) -> tuple[str, ...]:
        """What its answers have to say of it besides `skill.shown`."""
        return tuple(FAILED + gate for gate in self.failed)

    def skill(self, found: Skill) -> Skill:
        """Say whether skill is shown on a symbol.

        It is where the gates show it of the release, and the release's calls on this symbol beat the
        best baseline's. This is the only place that says so of a symbol.
        """
        return replace(found, shown=self.skill_shown and found.beats_baseline)


UNASKED = Standing(ADMITTED, False, (), "It was made before gates were asked of every release.")


def standing_of(row: StandingRow) -> Standing:
    """Read a row of the ledger."""
    told = json.loads(row.report)
    overruled = () if told["declared"] else tuple(told["refusing"])
    return Standing(row.state, row.skill_shown, overruled, row.why)


def standings(ledger: Ledger) -> dict[str, Standing]:
    """Return how every release stands that the gates were asked about."""
    return {row.release_id: standing_of(row) for row in ledger.standings()}


def held_back(
    rows: Sequence[ReleaseRow], found: Mapping[str, Standing]
) -> dict[tuple[str, int], str]:
    """Say of each symbol and horizon which newest release there may not answer, and why."""
    held: dict[tuple[str, int], str] = {}
    for row in rows:
        standing = found.get(row.release_id, UNASKED)
        if not standing.answers:
            words = f"{row.release_id} is {standing.state}: {standing.why}"
            for symbol in row.symbols:
                held.setdefault((symbol, row.horizon_sessions), words)
    return held
