"""LightGBM with quantiles of the return, and LightGBM that ranks the names of a day."""

from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.models.base import QUANTILES, Column
from bellwether.models.card import Card
from bellwether.models.inner import blocks
from bellwether.models.lgbm import LightGBM
from bellwether.models.linear import curve, line
from bellwether.models.rows import DECIDED, Rows
from bellwether.models.tree_form import Forest
from bellwether.models.trees import ROUTED, SHAPLEY

GRADES = 5


class LightGBMQuantile(LightGBM):
    """LightGBM, with five quantiles of the log return beside its mean.

    The mean and the direction are those of `lightgbm`. Each quantile has a forest of its own
    (Koenker and Bassett, 1978); where two cross for a row they are put in order, which never
    makes them worse (Chernozhukov, Fernandez-Val and Galichon, 2010). They are not calibrated:
    an interval with a promised coverage needs conformal correction on out-of-sample residuals.
    """

    name = "lightgbm_quantile"
    card = Card(
        name,
        "LightGBM",
        "lightgbm, and five quantiles of the return from forests of their own",
        missing=ROUTED,
        explanation=SHAPLEY,
        use="where the width of the outcome differs from row to row and matters",
        seeded=True,
        levels=(0.05, 0.25, 0.5, 0.75, 0.95),
        size_kb=1_500,
        latency_us=1_500,
    )

    def learn(self, rows: Rows) -> None:
        """Grow the forests of the mean, of the direction and of each quantile."""
        rows = rows.shared()
        super().learn(rows)
        self._quantiles = [self._quantile(rows, level) for level in self.card.levels]

    def _quantile(self, rows: Rows, level: float) -> Forest:
        if np.ptp(rows.y) == 0:
            return Forest.constant(float(rows.y[0]))
        objective = {"objective": "quantile", "alpha": level}
        return self._grow(objective, rows, rows.y)

    def packed(self) -> bytes:
        """Return all forests as one ONNX graph with a second output, `quantiles`, (n, 5)."""
        from bellwether.models import graph

        names = [f"quantile_{i}" for i in range(len(self._quantiles))]
        grown = zip(self._quantiles, names, strict=True)
        nodes = [
            *self.nodes(),
            *(graph.trees(forest, "wide", name) for forest, name in grown),
            graph.node("Concat", names, "crossing", axis=1),
            graph.rising("crossing", "many", QUANTILES),
        ]
        many = graph.constant("many", [len(names)], np.int64)
        packed: bytes = graph.model(
            nodes, [many], self._n_features, self.card.levels
        ).SerializeToString()
        return packed


class LightGBMRank(LightGBM):
    """LightGBM that learns which names of a day do better than others (LambdaMART, Burges, 2010).

    The rows of one decision instant are a list, graded by fifths of its returns. The score that is
    learnt has no unit: the expected return is a line over it, the log odds of a rise another. How
    steep they are is found on inner blocks that were forecast out of sample, for the score fits the rows
    it was grown on far too well; their level is that of all training rows. Where no instant has
    two names, or no block can be forecast, there is nothing to go by, and the mean is forecast.
    """

    name = "lightgbm_rank"
    card = Card(
        name,
        "LightGBM",
        "ranks the names of a day (LambdaMART); return and direction are lines over the score",
        missing=ROUTED,
        explanation=SHAPLEY,
        use="long-short books on a panel: the order within a day matters, its level does not",
        seeded=True,
        needs_times=True,
        size_kb=400,
    )

    def learn(self, rows: Rows) -> None:
        """Grow the forest of the score, and lay return and direction over it."""
        slope, steepness = self._steep(rows)
        scored = self._scored(rows)
        middle = rows.mean(scored.sums(rows.X))
        moved = rows.moved()
        share = moved.mean(moved.y > 0) if len(moved) else 0.5
        lean = float(np.log(share / (1 - share))) if 0 < share < 1 else 0.0
        level = rows.mean(rows.y) if np.ptp(rows.y) > 0 else float(rows.y[0])
        self._returns = scored.scaled(slope, level - slope * middle)
        self._direction = scored.scaled(steepness, lean - steepness * middle)

    def _steep(self, rows: Rows) -> tuple[float, float]:
        """Return how return and log odds rise with scores of rows that were not learnt from."""
        cut = blocks(rows.timed(self.name))
        if not cut or np.ptp(rows.y) == 0:
            return 0.0, 0.0
        told = [self._scored(rows.of(past).alone()).sums(rows.of(asked).X) for past, asked in cut]
        ahead, score = rows.of(np.concatenate([asked for _, asked in cut])), np.concatenate(told)
        slope, _ = line(score, ahead.y, ahead.weights)
        steepness, _ = curve(score, ahead.y, ahead.weights)
        return slope, steepness

    def _scored(self, given: Rows) -> Forest:
        decided = given.timed(self.name)[:, DECIDED]
        rows = given.of(np.argsort(decided, kind="stable"))
        sizes = np.unique(decided, return_counts=True)[1]
        if sizes.max() == 1 or np.ptp(rows.y) == 0:
            return Forest.constant(0.0)
        objective: dict[str, Any] = {"objective": "lambdarank", "lambdarank_truncation_level": 1000}
        return self._grow(objective, rows, grades(rows.y, sizes), sizes)


def grades(y: Column, sizes: npt.NDArray[np.int64]) -> Column:
    """Grade the returns of each list from 0 to 4 by fifths, ties alike."""
    parts = []
    for part in np.split(y, np.cumsum(sizes)[:-1]):
        below = np.searchsorted(np.sort(part), part)
        parts.append(np.floor(below * GRADES / len(part)))
    return np.concatenate(parts)
