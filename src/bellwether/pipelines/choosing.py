"""Choosing features by the training rows of a fold, and by nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bellwether.core.errors import InsufficientHistory
from bellwether.evaluation.choosing import (
    BY_ROWS,
    Columns,
    Rule,
    Scores,
    each_of,
    over_blocks,
    picked,
    scores,
)
from bellwether.models.base import Column, Instants, Matrix
from bellwether.models.factory import make
from bellwether.models.inner import blocks
from bellwether.models.rows import DECIDED
from bellwether.pipelines.weighing import spread, weigh

MOST_ROWS = 40_000
"""Rows that a measure looks at; of more, whole dates evenly spread."""
TRIED_ROWS = 2_000
"""Rows of each inner block that are forecast anew for each feature."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The model whose features are chosen: its name, all its columns, and its seed."""

    model: str
    columns: tuple[str, ...]
    seed: int = 0


def choose(X: Matrix, y: Column, times: Instants, reader: Reader, rule: Rule) -> Columns:
    """Choose columns by training rows; none where none passes.

    `ic`, `mi`, `mrmr` and `stability` look at the rows; `permutation` and `contributions` fit the
    model on three growing parts of them and weigh its features on the dates that follow each part,
    purged by the times (`models/inner.py`).

    Parameters
    ----------
    X, y, times
        Training rows in the order of time: features, targets as the model sees them, and when each
        row was decided and its label known.

    Raises
    ------
    InsufficientHistory
        If the training rows are too short for inner folds.
    InvalidRequest
        If they are too few for the measure.
    """
    dates = times[:, DECIDED]
    kept = spread(dates, MOST_ROWS)
    if rule.method in BY_ROWS:
        found = scores(X[kept], y[kept], dates[kept], rule, each_of(rule, X.shape[1]))
    else:
        found = _by_model(X, y, times, reader, rule)
    return picked(X[kept], found, rule)


def _by_model(X: Matrix, y: Column, times: Instants, reader: Reader, rule: Rule) -> Scores:
    told = [
        weigh(
            make(reader.model, reader.columns, seed=reader.seed).fit(
                np.ascontiguousarray(X[learnt]), y[learnt], times=times[learnt]
            ),
            X[asked],
            y[asked],
            times[asked, DECIDED],
            rows=TRIED_ROWS,
            seed=_seed(rule.seed, number),
        )
        for number, (learnt, asked) in enumerate(blocks(times))
    ]
    if not told:
        raise InsufficientHistory("select", int(np.unique(times[:, DECIDED]).size), 10)
    if rule.method == "permutation":
        return over_blocks(np.concatenate([one.lost for one in told]))
    found = over_blocks(np.concatenate([one.gained for one in told]))
    return Scores(_mean_share([one.moved for one in told]), found.p)


def _mean_share(moved: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Return each feature's mean part; NaN for one that never moves the model."""
    sizes = np.array([m / m.sum() if m.sum() > 0 else m for m in moved]).mean(axis=0)
    return np.where(sizes > 0, sizes, np.nan)


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
