"""Models beside each other on what all of them were judged on out of sample."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bellwether.core.errors import InsufficientHistory, InvalidRequest
from bellwether.core.ports import Ports, Progress, quiet
from bellwether.evaluation.pairs import MOST_PAIRED, may_be_best, pairs
from bellwether.evaluation.rivals import FEWEST, figures_of
from bellwether.pipelines.compare_readings import reading
from bellwether.pipelines.rivals import curves_of, residuals_of, rivals_of
from bellwether.pipelines.shared import Shared, shared
from bellwether.pipelines.subjects import TRADED, Subject, subjects

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CompareConfig:
    """What is compared: ids of runs, releases or backtests, each with `:MODEL` or `:all`."""

    named: tuple[str, ...]
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CompareReport:
    """What a comparison found, as JSON has it."""

    found: Found

    def lines(self, width: int) -> list[str]:
        """Say it in words and tables of text."""
        from bellwether.pipelines.compare_sheet import sheet_of
        from bellwether.reports.terminal import lines

        return lines(sheet_of(self.found), width, few=20)

    def page(self) -> str:
        """Return it as one self-contained HTML file."""
        from bellwether.pipelines.compare_sheet import sheet_of
        from bellwether.reports.tearsheet import render

        return str(render(sheet_of(self.found)))


def run(config: CompareConfig, ports: Ports, progress: Progress = quiet) -> CompareReport:
    """Compare models where all of them were judged out of sample.

    The baselines of the first one stand beside them. All are held against its prevailing mean.

    Raises
    ------
    UnknownName, MissingRecord
        If one of them does not exist, or its record is not kept.
    InvalidRequest
        If there are fewer than two, or they forecast over different horizons.
    InsufficientHistory
        If they share fewer than 60 dates.
    """
    named = subjects(config.named, ports)
    _refuse(named)
    common = shared(named)
    dates = int(np.unique(common.ground.dates).size)
    if dates < FEWEST:
        raise InsufficientHistory("comparison: dates on which all were judged", dates, FEWEST)
    rivals = rivals_of(named, common, ports)
    models = {s.name: rivals[s.name] for s in named}
    progress("Comparing", 0, len(rivals) + 2)
    table = {}
    for done, (name, rival) in enumerate(rivals.items(), 1):
        table[name] = figures_of(common.ground, rival, config.seed)
        progress("Comparing", done, len(rivals) + 2)
    found = {
        **_asked(named, common),
        "table": table,
        "roles": dict.fromkeys(rivals, "baseline") | {s.name: s.role for s in named},
        "pairs": [asdict(pair) for pair in pairs(common.ground, models, config.seed)],
        "all_pairs": len(models) <= MOST_PAIRED,
        "may_be_best": may_be_best(common.ground, rivals, config.seed),
        "residuals": {
            name: residuals_of(common, rival) for name, rival in rivals.items() if name in models
        },
        "curves": curves_of(common.ground, rivals),
        "learning_curves": _learning_curves(named),
        "seed": config.seed,
    }
    found["reading"] = reading(found)
    progress("Comparing", len(rivals) + 2, len(rivals) + 2)
    return CompareReport(found)


def _refuse(named: Sequence[Subject]) -> None:
    if len(named) < 2:  # noqa: PLR2004 - a comparison has two sides
        raise InvalidRequest("compare", "needs two models or more; ID:all names all of one run")
    horizons = {s.name: s.source.horizon for s in named}
    if len(set(horizons.values())) > 1:
        told = ", ".join(f"{name} over {h}" for name, h in horizons.items())
        raise InvalidRequest(
            "compare", f"they forecast other returns: {told} sessions; compare those of one horizon"
        )


def _asked(named: Sequence[Subject], common: Shared) -> Found:
    ground = common.ground
    days = ground.sessions.astype("datetime64[D]")
    return {
        "subjects": [
            {
                "name": s.name,
                "model": s.model,
                "kind": s.source.kind,
                "id": s.source.source_id,
                "traded": TRADED[s.source.kind],
                "view": s.source.told.get("view"),
                "watermark": s.source.told.get("watermark"),
            }
            for s in named
        ],
        "horizon_sessions": ground.horizon,
        "from": str(common.record["session"].min()),
        "to": str(common.record["session"].max()),
        "n": int(ground.log_return.size),
        "dates": int(np.unique(ground.dates).size),
        "sessions": int(days.size),
        "symbols": ground.names,
        "notes": list(common.notes),
    }


def _learning_curves(named: Sequence[Subject]) -> list[Found]:
    """Return the learning curves that the runs among the subjects made."""
    runs = {s.source.source_id: s.source for s in named}
    return [s.outcome["learning_curve"] for s in runs.values() if s.outcome.get("learning_curve")]
