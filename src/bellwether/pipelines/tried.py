"""What the trial ledger says beside one record: how many were tried, and what that leaves of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.ports import Ports, TrialRow
from bellwether.evaluation.backtest_overfitting import overfitting_probability
from bellwether.evaluation.overfitting import MIN_DATES, Deflated, deflated_sharpe
from bellwether.pipelines.trials import counted, returns_of

COVERED = 0.95
KEPT = 0.9
SAME = 1e-12
BLOCKS = 10
YEAR = 252
Floats = NDArray[np.float64]
Judged = Callable[[TrialRow], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """The other trials of a label.

    `counted` is N with the judged one, None where the ledger knows no trial of the label. `kept`
    marks the sessions that all of `returns` have, shape (n_kept, k).
    """

    counted: int | None
    kept: NDArray[np.bool_]
    returns: Floats


def of_study(study: str, model: str, scope: str) -> Judged:
    """Say which trial is judged: that of a model in a training run or a backtest."""
    return lambda row: (row.study_id, row.model, row.scope) == (study, model, scope)


def beside(
    label: str, judged: Judged, sessions: Sequence[object], net: Floats, ports: Ports
) -> Others:
    """Count the configurations ever tried on a label, and align the returns of the others.

    The judged record is one of them if the trial that `judged` names, or one of the same returns, is
    there; otherwise it counts as one more. Of each configuration the newest returns are taken. One
    that covers less than 95 % of the sessions, or would leave less than 90 % of them in common,
    counts and brings no returns.
    """
    rows = ports.ledger.trials(label)
    every = np.ones(len(net), dtype=bool)
    if not rows:
        return Others(None, every, np.empty((len(net), 0)))
    days = pl.DataFrame({"session": pl.Series(sessions, dtype=pl.Date)})
    newest = {row.configuration: row for row in rows if row.returns is not None}
    known = {row.configuration for row in rows}
    mine = {row.configuration for row in rows if judged(row)}
    columns: list[Floats] = []
    for configuration, row in newest.items():
        column = None if configuration in mine else _aligned(row, days)
        if column is None:
            continue
        if _same(column, net):
            mine.add(configuration)
            continue
        left = every & np.isfinite(column)
        if np.isfinite(column).mean() >= COVERED and left.mean() >= KEPT:
            every = left
            columns.append(column)
    table = np.column_stack(columns)[every] if columns else np.empty((int(every.sum()), 0))
    return Others(len(known) + (0 if mine else 1), every, table)


def deflation(row: TrialRow, ports: Ports) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was tried beside a recorded trial, and its Sharpe ratio deflated by that.

    Ratios are annual. What is not assessable is None, and `why` says why.
    """
    mine = returns_of(row)
    if mine is None:
        n, none = counted(row.label, ports), np.zeros((0, 1))
        return _told(row.label, n, none), _annual(_few(n, 0))
    net = mine["net"].to_numpy()
    others = beside(
        row.label,
        lambda other: other.configuration == row.configuration,
        mine["session"].to_list(),
        net,
        ports,
    )
    table, n = np.column_stack([net[others.kept], others.returns]), others.counted or 1
    told = _told(row.label, n, table)
    if len(table) < MIN_DATES:
        return told, _annual(_few(n, len(table)))
    if table.shape[1] > 1 and len(table) >= 2 * BLOCKS:
        told["overfitting"] = asdict(overfitting_probability(table, BLOCKS))
    return told, _annual(deflated_sharpe(table, 0, n))


def _told(label: str, n: int, table: Floats) -> dict[str, Any]:
    return {
        "label": label,
        "configurations": n,
        "with_returns": table.shape[1] if len(table) else 0,
        "sessions": len(table),
        "overfitting": None,
    }


def _few(n: int, sessions: int) -> Deflated:
    why = f"it shares {sessions} sessions with the others, and {MIN_DATES} are needed"
    return Deflated(None, n, None, None, None, None, None, None, sessions, why)


def _annual(found: Deflated) -> dict[str, Any]:
    told, year = asdict(found), float(np.sqrt(YEAR))
    for name in ("sharpe", "luck", "luck_effective"):
        told[name] = None if told[name] is None else told[name] * year
    told["variance"] = None if found.variance is None else found.variance * YEAR
    return told


def _aligned(row: TrialRow, days: pl.DataFrame) -> Floats | None:
    told = returns_of(row)
    if told is None or told.height == 0:
        return None
    once = told.unique("session", keep="last", maintain_order=True)
    found = days.join(once, on="session", how="left", maintain_order="left")["net"]
    return found.fill_null(np.nan).to_numpy().astype(np.float64)


def _same(column: Floats, net: Floats) -> bool:
    both = np.isfinite(column)
    return bool(both.mean() >= COVERED and np.abs(column[both] - net[both]).max() <= SAME)
