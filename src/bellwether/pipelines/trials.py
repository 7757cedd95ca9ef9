"""The trial ledger: every scored fit is counted, so that luck can be told from skill."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.ports import Ports, TrialRow
from bellwether.evaluation.backtest_overfitting import overfitting_probability
from bellwether.evaluation.overfitting import MIN_DATES, Deflated, deflated_sharpe
from bellwether.models.factory import BASELINES
from bellwether.pipelines.search import COMPLETE, FAILED, Found

PANEL = "panel"
MOSTLY = 0.8
"""Of the sessions of the judged trial that another one must share to be compared with it."""
BLOCKS = 10
YEAR = 252
STATES_OF_DATA = ("watermark", "universe_watermark", "last_session", "code")
"""What of a question says which data, and not what was tried on them."""


@dataclass(frozen=True, slots=True)
class Study:
    """What trials are part of: a training run, a backtest, a search.

    `question` is all that was asked, as JSON; `label` names what is forecast.
    """

    study_id: str
    kind: str
    question: Mapping[str, Any]
    horizon_sessions: int
    watermark: datetime
    at: datetime

    @property
    def label(self) -> str:
        """Name what is forecast, as the ledger groups trials by it."""
        return f"open_to_open h={self.horizon_sessions}"


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
    tried = {k: v for k, v in study.question.items() if k not in (*STATES_OF_DATA, "against")}
    tried |= {"model": model, "scope": scope, "params": dict(params or {})}
    data = {k: study.question.get(k) for k in ("symbols", "universe", "view", *STATES_OF_DATA)}
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


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What was tried on a label, whatever became of it, beside one of the trials.

    `returns` has a column for each configuration that left returns over most sessions of the
    judged one, which is the first; shape (n_sessions, n_columns), on common sessions.
    `configurations` counts all of them, also those that failed.
    """

    label: str
    configurations: int
    returns: NDArray[np.float64]


def tried_beside(row: TrialRow, ports: Ports) -> Tried:
    """Set a trial of the ledger beside all others on its label, the newest fit of each."""
    rows = ports.ledger.trials(row.label)
    newest = {r.configuration: r for r in rows if r.returns is not None}
    mine = returns_of(row)
    if mine is None:
        return Tried(row.label, len({r.configuration for r in rows}), np.zeros((0, 1)))
    common = mine.rename({"net": "net_0"})
    for name, other in newest.items():
        told = returns_of(other) if name != row.configuration else None
        if told is None:
            continue
        shared = told.join(mine.select("session"), on="session", how="semi")
        if shared.height >= MOSTLY * mine.height:
            named = shared.rename({"net": f"net_{common.width - 1}"})
            common = common.join(named, on="session", how="inner", maintain_order="left")
    found = common.drop("session").to_numpy()
    return Tried(row.label, len({r.configuration for r in rows}), found)


def deflation(row: TrialRow, ports: Ports) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was tried beside a recorded trial, and its Sharpe ratio deflated by that.

    Ratios are annual. What is not assessable is None, and `why` says why.
    """
    tried = tried_beside(row, ports)
    sessions, columns = tried.returns.shape
    told = {
        "label": tried.label,
        "configurations": tried.configurations,
        "with_returns": columns if sessions else 0,
        "sessions": sessions,
        "overfitting": None,
    }
    if sessions < MIN_DATES:
        few = f"it shares {sessions} sessions with the others, and {MIN_DATES} are needed"
        n = tried.configurations
        nothing = Deflated(None, n, None, None, None, None, None, None, sessions, few)
        return told, _annual(nothing)
    if columns > 1 and sessions >= 2 * BLOCKS:
        told["overfitting"] = asdict(overfitting_probability(tried.returns, BLOCKS))
    return told, _annual(deflated_sharpe(tried.returns, 0, tried.configurations))


def _annual(found: Deflated) -> dict[str, Any]:
    told, year = asdict(found), float(np.sqrt(YEAR))
    for name in ("sharpe", "luck", "luck_effective"):
        told[name] = None if told[name] is None else told[name] * year
    told["variance"] = None if found.variance is None else found.variance * YEAR
    return told


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
    study = _of_training(question, ports)
    rows = []
    for model in (m for m in models if m not in BASELINES):
        for scope, table in tables.items():
            net = books[scope].select("session", net=f"net_{model}")
            rows.append(trial(study, model, scope, table[model], net))
        rows += [trial(study, model, scope, {}, None, state=FAILED) for scope in failed]
    return ports.ledger.record_trials(rows)


def record_point(
    question: Mapping[str, Any],
    model: str,
    share: float,
    metrics: Mapping[str, Any],
    ports: Ports,
) -> int:
    """Count one point of a learning curve: the model that learnt from the newest share only."""
    study = _of_training(question, ports)
    row = trial(study, model, PANEL, metrics, None, params={"newest_share": share})
    return ports.ledger.record_trials([row])


def _of_training(question: Mapping[str, Any], ports: Ports) -> Study:
    horizon, known = question["horizon_sessions"], datetime.fromisoformat(question["watermark"])
    return Study(_hash(dict(question)), "train", question, horizon, known, ports.wall.now())


def record_search(
    question: Mapping[str, Any], model: str, searches: Mapping[str, Found], ports: Ports
) -> int:
    """Count every configuration that a search tried, whatever became of it.

    Parameters
    ----------
    searches : mapping of scope to Found
        What was found in each training set.
    """
    study = _of_training(question, ports)
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
