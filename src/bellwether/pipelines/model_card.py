"""The model card of a release: from what, how good, where it errs, and what it cannot tell."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bellwether.core.errors import UnknownName
from bellwether.core.ports import Ports, ReleaseRow, RunRow, StandingRow
from bellwether.evaluation.record import PREVAILING
from bellwether.evaluation.rivals import FEWEST, figures_of
from bellwether.models.factory import make
from bellwether.pipelines import gates_stand
from bellwether.pipelines.card_limits import limits
from bellwether.pipelines.rivals import curves_of, residuals_of, rivals_of
from bellwether.pipelines.shared import shared
from bellwether.pipelines.subjects import SHORTEST, Subject, release_source

Found = dict[str, Any]
SHOWN, NOT_SHOWN, NEVER = "skill shown", "no skill shown", "never judged out of sample"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model card, as JSON has it."""

    found: Found

    def lines(self, width: int) -> list[str]:
        """Say it in words and tables of text."""
        from bellwether.pipelines.card_sheet import sheet_of
        from bellwether.reports.terminal import lines

        return lines(sheet_of(self.found), width, few=20)

    def page(self) -> str:
        """Return it as one self-contained HTML file."""
        from bellwether.pipelines.card_sheet import sheet_of
        from bellwether.reports.tearsheet import render

        return str(render(sheet_of(self.found)))


def card(named: str, ports: Ports, seed: int = 0) -> ModelCard:
    """Write the card of a release, by its id or at least six letters that it begins with.

    Figures are of the walk-forward that the release was packed with, and of the baselines in it.
    `seed` is of what intervals draw at random.

    Raises
    ------
    UnknownName
        If there is no such release, or several begin like that.
    UnloadableArtifact
        If its files are not those that were packed.
    """
    row = _row(named, ports)
    manifest: Mapping[str, Any] = ports.releases.load(row.release_id).manifest
    run = next((r for r in ports.ledger.runs() if r.run_id == row.run_id), None)
    outcome = _outcome(run)
    judged = _judged(row, ports, seed)
    stand = next(iter(ports.ledger.standings(row.release_id)[-1:]), None)
    found: Found = {
        "release_id": row.release_id,
        "run_id": row.run_id,
        "created_at": row.created_at.isoformat(),
        "model": row.model,
        "scope": row.scope,
        "horizon_sessions": row.horizon_sessions,
        "label": manifest["label"],
        "about": asdict(make(row.model, manifest["columns"], seed=0).describe()),
        "params": manifest["params"],
        "data": _data(manifest, outcome),
        "features": {
            "view": manifest["view"],
            "columns": manifest["columns"],
            "importance": manifest["importance"],
        },
        "skill": {
            "label": NEVER if judged is None else _label(stand),
            "by_symbol": manifest["skill"],
        },
        "standing": None if stand is None else gates_stand.told(stand),
        "judged": judged,
        "coverage": {
            "asked": (manifest["calibration"] or {}).get("coverage"),
            "realised": manifest["coverage_realised"],
        },
        "learning_curves": [c] if (c := outcome.get("learning_curve")) else [],
        "costs": manifest["costs"],
        "code": manifest["code"],
        "seed": seed,
    }
    found["limits"] = limits(found, outcome)
    return ModelCard(found)


def _row(named: str, ports: Ports) -> ReleaseRow:
    rows = {row.release_id: row for row in ports.ledger.releases()}
    text = named.strip()
    like = [text] if text in rows else [n for n in rows if n.startswith(text)]
    if len(like) == 1 and (text in rows or len(text) >= SHORTEST):
        return rows[like[0]]
    if like and len(text) >= SHORTEST:
        raise UnknownName("release", named, like, "Several begin like that.")
    raise UnknownName("release", named, list(rows), "Train one: bellwether train")


def _outcome(run: RunRow | None) -> Found:
    return {} if run is None else dict(json.loads(run.outcome))


def _label(stand: StandingRow | None) -> str:
    """Say whether the gates found skill; without their verdict none is shown."""
    return SHOWN if stand is not None and stand.skill_shown else NOT_SHOWN


def _data(manifest: Mapping[str, Any], outcome: Mapping[str, Any]) -> Found:
    told = manifest["trained_on"]
    return {
        "symbols": manifest["symbols"],
        "rows": told["rows"],
        "first": told["first"],
        "last": told["last"],
        "watermark": manifest["watermark"],
        "universe": manifest["section"],
        "quality": manifest["quality"],
        "audit": outcome.get("audit"),
        "survivorship": outcome.get("survivorship"),
    }


def _judged(row: ReleaseRow, ports: Ports, seed: int) -> Found | None:
    """Return the figures of the release's own record, or None where there is too little of one."""
    source = release_source(row, ports)
    if source is None or PREVAILING not in source.judged.models:
        return None
    mine = Subject(row.model, row.model, source)
    common = shared([mine])
    dates = int(np.unique(common.ground.dates).size)
    if dates < FEWEST:
        return None
    rivals = rivals_of([mine], common, ports)
    return {
        "from": str(common.record["session"].min()),
        "to": str(common.record["session"].max()),
        "n": int(common.ground.log_return.size),
        "dates": dates,
        "table": {name: figures_of(common.ground, r, seed) for name, r in rivals.items()},
        "roles": dict.fromkeys(rivals, "baseline") | {mine.name: mine.role},
        "residuals": {mine.name: residuals_of(common, rivals[mine.name])},
        "curves": curves_of(common.ground, rivals),
    }
