"""What the trial ledger says beside one record: how many were tried, and what they earned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.ports import Ports, TrialRow
from bellwether.pipelines.trials import returns_of

COVERED = 0.95
KEPT = 0.9
SAME = 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """The other trials of a label.

    `counted` is N with the judged one, None where the ledger knows no trial of the label. `kept`
    marks the sessions that all of `returns` have, shape (n_kept, k).
    """

    counted: int | None
    kept: NDArray[np.bool_]
    returns: Floats


def beside(
    label: str, study: str | None, sessions: Sequence[object], net: Floats, ports: Ports
) -> Others:
    """Count the configurations ever tried on a label, and align the returns of the others.

    The judged record is one of them if a trial of its study, or of the same returns, is there;
    otherwise it counts as one more. Of each configuration the newest returns are taken. One that
    covers less than 95 % of the sessions, or would leave less than 90 % of them in common, counts
    and brings no returns.
    """
    rows = ports.ledger.trials(label)
    every = np.ones(len(net), dtype=bool)
    if not rows:
        return Others(None, every, np.empty((len(net), 0)))
    days = pl.DataFrame({"session": pl.Series(sessions, dtype=pl.Date)})
    newest = {row.configuration: row for row in rows}
    mine = {row.configuration for row in rows if study is not None and row.study_id == study}
    mine = mine if len(mine) == 1 else set()
    columns: list[Floats] = []
    for configuration, row in newest.items():
        column = _aligned(row, days)
        if column is None:
            continue
        if configuration in mine or _same(column, net):
            mine.add(configuration)
            continue
        left = every & np.isfinite(column)
        if np.isfinite(column).mean() >= COVERED and left.mean() >= KEPT:
            every = left
            columns.append(column)
    counted = len(newest) + (0 if mine else 1)
    table = np.column_stack(columns)[every] if columns else np.empty((int(every.sum()), 0))
    return Others(counted, every, table)


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
