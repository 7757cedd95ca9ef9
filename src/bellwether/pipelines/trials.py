"""The trial ledger: every scored fit is counted, so that luck can be told from skill."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from bellwether.core.ports import Ports, TrialRow
from bellwether.models.factory import BASELINES
from bellwether.pipelines.search import COMPLETE, FAILED, Found

PANEL = "panel"
OPEN_TO_OPEN = "open_to_open"
STATES_OF_DATA = ("watermark", "universe_watermark", "last_session", "code")
"""What of a question says which data, and not what was tried on them."""
CONTENT = "content"
"""The same of a file: the hash of its bytes."""


@dataclass(frozen=True, slots=True)
class Study:
    """What trials are part of: a training run, a backtest, a search.

    `question` is all that was asked, as JSON; `label` names what is forecast, `what` over a horizon.
    """

    study_id: str
    kind: str
    question: Mapping[str, Any]
    horizon_sessions: int
    watermark: datetime
    at: datetime
    what: str = OPEN_TO_OPEN

    @property
    def label(self) -> str:
        """Name what is forecast, as the ledger groups trials by it."""
        return f"{self.what} h={self.horizon_sessions}"


def trial(
    study: Study,
    model: str,
    scope: str,
    metrics: Mapping[str, Any],
    returns: pl.DataFrame | None,
    *,
    state: str = COMPLETE,
    params: Mapping[str, Any] | None = None,
) -> TrialRow:
    """Lay one scored fit out as the ledger keeps it.

    Parameters
    ----------
    returns : DataFrame, optional
        `session` and `net`, the net return of each session out of sample; one row a session.
    """
    tried = {
        k: v for k, v in study.question.items() if k not in (*STATES_OF_DATA, CONTENT, "against")
    }
    tried |= {"model": model, "scope": scope, "params": dict(params or {})}
    data = {k: study.question.get(k) for k in ("symbols", "universe", "view", *STATES_OF_DATA)}
    data |= {k: v for k, v in study.question.items() if k == CONTENT}
    configuration = _hash(tried)
    named = _hash([study.study_id, configuration, scope, dict(params or {})])
    return TrialRow(
        trial_id=named,
        study_id=study.study_id,
        configuration=configuration,
        created_at=study.at,
        state=state,
        kind=study.kind,
        model=model,
        scope=scope,
        label=study.label,
        data=_hash(data),
        watermark=study.watermark,
        config=json.dumps(tried, sort_keys=True, default=str),
        metrics=json.dumps(dict(metrics), default=str),
        returns=None if returns is None else _packed(returns),
    )


def returns_of(row: TrialRow) -> pl.DataFrame | None:
    """Return a trial's net returns by session, or None."""
    return None if row.returns is None else pl.read_ipc(io.BytesIO(row.returns))


def _packed(returns: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    kept = returns.select(pl.col("session").cast(pl.Date), pl.col("net").cast(pl.Float64))
    kept.sort("session").write_ipc(out, compression="zstd")
    return out.getvalue()


def _hash(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def counted(label: str, ports: Ports) -> int:
    """Return how many configurations were ever tried on a label, whatever became of them."""
    return len({row.configuration for row in ports.ledger.trials(label)})


def book(record: pl.DataFrame, models: Sequence[str]) -> pl.DataFrame:
    """Return by session the equal-weight net return of each model that is no baseline.

    `record` is what `pipelines.walk.walk` returns.
    """
    nets = [pl.col(f"net_{m}").mean() for m in models if m not in BASELINES]
    return record.group_by("session").agg(nets).sort("session")


def record_training(
    question: Mapping[str, Any],
    models: Sequence[str],
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]],
    books: Mapping[str, pl.DataFrame],
    failed: Sequence[str],
    ports: Ports,
) -> int:
    """Count every model that a training run judged, on the panel and on each symbol alone.

    Parameters
    ----------
    tables : mapping of scope to model to metrics
        What was judged; baselines are not counted.
    books : mapping of scope to DataFrame
        Net returns of the same, as `book` gives them.
    failed : sequence of str
        Scopes in which nothing could be judged.

    Returns
    -------
    int
        How many trials are new.
    """
    study = of_question("train", question, {}, ports)
    rows = []
    for model in (m for m in models if m not in BASELINES):
        for scope, table in tables.items():
            net = books[scope].select("session", net=f"net_{model}")
            rows.append(trial(study, model, scope, table[model], net))
        rows += [trial(study, model, scope, {}, None, state=FAILED) for scope in failed]
    return ports.ledger.record_trials(rows)


def record_broken(question: Mapping[str, Any], models: Sequence[str], ports: Ports) -> int:
    """Count the models of a training run that ended before it had judged them.

    Where the same question is answered later, that is the same configuration, counted once.
    """
    study = of_question("train", question, {}, ports)
    study = replace(study, study_id=_hash([study.study_id, FAILED]))
    tried = dict.fromkeys(m for m in models if m not in BASELINES)
    rows = [trial(study, model, PANEL, {}, None, state=FAILED) for model in tried]
    return ports.ledger.record_trials(rows)


def record_generated(
    question: Mapping[str, Any],
    model: str,
    metrics: Mapping[str, Any],
    net: pl.DataFrame,
    ports: Ports,
) -> int:
    """Count a model that was scored with generated features; `net` has session and net."""
    row = trial(
        of_question("train", question, {}, ports), f"{model}+generated", PANEL, metrics, net
    )
    return ports.ledger.record_trials([row])


def record_point(
    question: Mapping[str, Any],
    model: str,
    share: float,
    metrics: Mapping[str, Any],
    ports: Ports,
) -> int:
    """Count one point of a learning curve: the model that learnt from the newest share only."""
    study = of_question("train", question, {}, ports)
    row = trial(study, model, PANEL, metrics, None, params={"newest_share": share})
    return ports.ledger.record_trials([row])


def of_question(
    kind: str, question: Mapping[str, Any], more: Mapping[str, Any], ports: Ports
) -> Study:
    """Return the study of a training question; `more` says what was done beside training."""
    horizon, known = question["horizon_sessions"], datetime.fromisoformat(question["watermark"])
    named = _hash({**question, **more})
    return Study(named, kind, question, horizon, known, ports.wall.now())


def record_search(
    question: Mapping[str, Any], model: str, searches: Mapping[str, Found], ports: Ports
) -> int:
    """Count every configuration that a search tried, whatever became of it.

    Parameters
    ----------
    searches : mapping of scope to Found
        What was found in each training set.
    """
    study = of_question("train", question, {}, ports)
    rows = [
        trial(
            study,
            model,
            scope,
            {"r2_inside": one.value, "scores": one.scores, "error": one.error},
            None,
            state=one.state,
            params=one.params,
        )
        for scope, found in searches.items()
        for one in found.trials
    ]
    return ports.ledger.record_trials(rows)
