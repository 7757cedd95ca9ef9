"""The trial ledger: every scored fit is counted, so that luck can be told from skill."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from bellwether.core.ports import Ports, TrialRow

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
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
