"""Forecasts and rules that were scored on a file of the user's: each is counted in the trial ledger."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bellwether.core.errors import UnreadableFile
from bellwether.core.ports import Ports
from bellwether.evaluation.predictors import Score
from bellwether.pipelines.evaluate_predictors import (
    KITCHEN_SINK,
    PredictorsConfig,
    PredictorsReport,
)
from bellwether.pipelines.evaluate_rule import RuleConfig, RuleReport
from bellwether.pipelines.trials import Study, trial

LONGEST = 40
"""Characters of a column's name that a label takes."""


def count_rule(config: RuleConfig, report: RuleReport, ports: Ports) -> int:
    """Count a rule that was followed, by the file's content; return how many trials are new."""
    followed = config.trial
    asked = {
        "price": config.price,
        "rule": followed.rule.text,
        "hold": followed.hold,
        "delay": followed.delay,
        "cost_bps": followed.cost_bps,
        "side": followed.side,
        "sample": [config.since, config.until, config.warm_up],
    }
    found = {"rule": {"mean": report.found.followed.mean, "t_diff": report.found.t_diff}}
    return _count("rule", config.frame, config.price, 1, asked, found, ports)


def count_predictors(config: PredictorsConfig, report: PredictorsReport, ports: Ports) -> int:
    """Count each predictor that was scored, their combination and the kitchen sink."""
    asked = {"target": config.target, "first": config.first_forecast, "plan": asdict(config.plan)}
    scores: dict[str, Score] = dict(report.found.scores)
    if report.found.combination is not None:
        scores[f"({config.plan.combine} of {', '.join(config.predictors)})"] = (
            report.found.combination
        )
    if report.kitchen_sink is not None:
        scores[f"({KITCHEN_SINK} of {', '.join(config.predictors)})"] = report.kitchen_sink
    found = {
        name: {"r2_oos": score.r2_oos, "clark_west_p": score.nested.p, "n": score.n}
        for name, score in scores.items()
    }
    horizon = config.plan.horizon
    return _count("predictor", config.frame, config.target, horizon, asked, found, ports)


def _count(
    kind: str,
    file: Path,
    column: str,
    horizon: int,
    asked: Mapping[str, Any],
    found: Mapping[str, Mapping[str, Any]],
    ports: Ports,
) -> int:
    """Count what was scored on a column: the label is its name, the data the bytes of the file."""
    try:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise UnreadableFile(str(file), str(error)) from error
    question = {**asked, "content": content}
    now = ports.wall.now()
    rows = []
    for name, metrics in found.items():
        study = Study(
            content, kind, {**question, "tried": name}, horizon, now, now, column[:LONGEST]
        )
        rows.append(trial(study, kind, name[:LONGEST], metrics, None))
    return ports.ledger.record_trials(rows)
