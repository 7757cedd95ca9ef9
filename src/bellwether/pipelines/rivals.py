"""Models of several records on common ground: what each said and earned there."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.ports import Ports
from bellwether.evaluation.drawdowns import under_water
from bellwether.evaluation.periods_of_returns import rolling_sharpe
from bellwether.evaluation.residuals import residuals_by_state
from bellwether.evaluation.rivals import Ground, Rival
from bellwether.models.factory import BASELINES
from bellwether.pipelines.records import Judged
from bellwether.pipelines.shared import Shared
from bellwether.pipelines.subjects import Subject
from bellwether.pipelines.tried import beside

Found = dict[str, Any]


def rivals_of(named: Sequence[Subject], common: Shared, ports: Ports) -> dict[str, Rival]:
    """Return all that are judged: those named, then the baselines of the first one's source."""
    first = named[0].source
    taken = {(s.source.source_id, s.model) for s in named}
    names = {s.name for s in named}
    beside_them = [
        Subject(f"{b} of {first.kind}" if b in names else b, b, first)
        for b in BASELINES
        if b in first.judged.models and (first.source_id, b) not in taken
    ]
    return {s.name: _rival(s, common, ports) for s in (*named, *beside_them)}


def _rival(subject: Subject, common: Shared, ports: Ports) -> Rival:
    """Take one model's forecasts of the shared rows, its book, and the trials beside it."""
    at, model = common.rows[subject.source.source_id], subject.model
    said, books = subject.source.judged.record, _books(subject.source.judged, common.ground)
    net = books[f"net_{model}"].to_numpy()
    trials, counted = None, None
    if subject.role == "model":
        label = f"open_to_open h={common.ground.horizon}"
        others = beside(label, lambda _: False, common.ground.sessions.tolist(), net, ports)
        trials, counted = others.returns, others.counted
        if not others.kept.all():
            trials = np.empty((net.size, 0))
    return Rival(
        subject.name,
        said[f"forecast_{model}"].to_numpy()[at],
        said[f"probability_{model}"].to_numpy()[at],
        said[f"direction_{model}"].to_numpy()[at],
        net,
        books[f"turnover_{model}"].to_numpy(),
        trials,
        counted,
    )


def _books(judged: Judged, ground: Ground) -> pl.DataFrame:
    """Return the traded sessions of one source that all share."""
    days = pl.DataFrame({"session": pl.Series(ground.sessions).cast(pl.Date)})
    return days.join(judged.books, on="session", how="left", maintain_order="left")


def residuals_of(common: Shared, rival: Rival) -> list[Found]:
    """Return the residuals of one model by the state of the market and by period, as JSON."""
    ground = common.ground
    found = residuals_by_state(
        dates=ground.dates,
        log_return=ground.log_return,
        forecast=rival.forecast,
        direction=rival.direction,
        prevailing_mean=ground.prevailing_mean,
        states=common.states,
        lags=ground.horizon - 1,
    )
    return [asdict(row) for row in found]


def curves_of(ground: Ground, rivals: Mapping[str, Rival]) -> Found:
    """Return what each earned by session, as JSON."""
    return {
        "sessions": [str(day) for day in ground.sessions.astype("datetime64[D]")],
        "net": {name: rival.net.tolist() for name, rival in rivals.items()},
        "turnover": {name: rival.turnover.tolist() for name, rival in rivals.items()},
    }


def drawn(net: Sequence[float]) -> Found:
    """Return the lines that are drawn of net returns by session."""
    return {
        "wealth": np.cumprod(1 + np.maximum(np.asarray(net), -1.0)),
        "drawdown": under_water(net),
        "rolling_sharpe": rolling_sharpe(net),
    }
