"""Whether there is a reason to train again: what is new since the release that answers was made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from bellwether.core.ports import Ports, ReleaseRow, RunRow
from bellwether.evaluation.gate_policy import Policy
from bellwether.pipelines import gates_stand

STALE_SHARE = 0.01
"""Share of the bars it was trained on that may be revised before that is a reason."""
MADE_BY = ("code", "view")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the release that answers, and of what came since.

    `sessions` counts sessions with bars it was not trained on, `revised` bars it was trained on that
    were told anew since, of `bars`; `older` names what it was made by that is another now; `refusing`
    the gates of a declared policy that it no longer passes. `took_s` is how long its training took.
    """

    champion: str
    trained_at: datetime
    sessions: int
    bars: int
    revised: int
    older: tuple[str, ...]
    refusing: tuple[str, ...]
    took_s: float

    def reasons(self, least: int) -> tuple[str, ...]:
        """Say why to train again; empty where nothing speaks for it. `least` is of sessions."""
        found = []
        if self.sessions >= least:
            found.append(f"{self.sessions} sessions came since, {least} are a reason.")
        if self.revised > STALE_SHARE * self.bars:
            found.append(
                f"{self.revised:,} of the {self.bars:,} bars it was trained on were revised since, "
                f"more than {STALE_SHARE:.0%}."
            )
        if self.older:
            found.append(f"It was made by another {' and '.join(self.older)} than is here now.")
        if self.refusing:
            found.append(f"It no longer passes {', '.join(self.refusing)}.")
        return tuple(found)

    def quiet(self, least: int) -> str:
        """Say why nothing speaks for it."""
        return (
            f"{self.sessions} sessions came since, {least} are a reason; {self.revised:,} of "
            f"{self.bars:,} bars were revised, more than {STALE_SHARE:.0%} are one."
        )


def evidence(
    release: ReleaseRow,
    made: RunRow,
    question: Mapping[str, Any],
    policy: Policy | None,
    ports: Ports,
) -> Evidence:
    """Collect what is known; `question` is what would be asked now, `made` the run that made it.

    Raises
    ------
    TamperedArtifact
        If a policy is declared and a file of the release is not what was saved.
    """
    before: dict[str, Any] = json.loads(made.config)
    last = date.fromisoformat(before["last_session"])
    now = date.fromisoformat(question["last_session"])
    symbols = list(release.symbols)
    known = ports.lake.bars(symbols, last=now).select("symbol", "session").unique()
    told = ports.lake.changed(made.watermark)
    old = pl.col("session") <= last
    revised = told.filter(old & pl.col("symbol").is_in(symbols)).select("symbol", "session")
    asked = None if policy is None else gates_stand.ask(release.release_id, made.key, policy, ports)
    return Evidence(
        release.release_id,
        made.finished_at,
        known.filter(~old)["session"].n_unique(),
        known.filter(old).height,
        revised.unique().height,
        tuple(name for name in MADE_BY if before.get(name) != question.get(name)),
        () if asked is None else asked.decision.refusing,
        (made.finished_at - made.started_at).total_seconds(),
    )


def held_up(
    found: Evidence, last: datetime, now: datetime, cool_down: timedelta, budget: timedelta
) -> str:
    """Say what forbids training now, though there is reason; empty where nothing does.

    `last` is when a model was last trained or tried to be.
    """
    if cool_down and now < last + cool_down:
        return (
            f"It was trained at {last:%Y-%m-%d %H:%M} UTC, and the cool-down lasts until "
            f"{last + cool_down:%Y-%m-%d %H:%M}."
        )
    if found.took_s > budget.total_seconds():
        return (
            f"The last training took {found.took_s / 60:.1f} minutes, more than the budget of "
            f"{budget.total_seconds() / 60:g}."
        )
    return ""
