"""Several models as one: averages of what they say, and weights learnt out of sample."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from bellwether.models.base import Column, Explainer, Forecaster, Instants, Matrix, Model
from bellwether.models.card import Card
from bellwether.models.inner import blocks
from bellwether.models.packed import PackedModel
from bellwether.models.rows import Rows, learnable
from bellwether.models.table import Part

PASSED_ON = "as each member does"
SHARED = "weighted sum of what the members' own contributions are"


class Ensemble(Model):
    """What its members say, weighted.

    Weights belong to members, or, where `ranked`, to places: the members' forecasts of a row are put
    in order, and the median or the middle ones count. Forecast of the return and chance of a rise
    are combined apart from each other, in float64, and rounded once.
    """

    ranked = False

    def __init__(self, members: Sequence[Forecaster]) -> None:
        self._members = tuple(members)

    def learn(self, rows: Rows) -> None:
        """Let every member learn from all rows, and find the weights."""
        self._weights, self._direction_weights = self.weigh(rows)
        for member in self._members:
            member.fit(rows.given, rows.y, rows.weights, rows.times)

    def over(
        self,
        learnt: dict[str, Forecaster],
        X: Matrix | Part,
        y: Column,
        times: Instants | None = None,
    ) -> Self:
        """Learn as `fit` does, without fitting members anew that learnt these rows.

        Parameters
        ----------
        learnt : dict of str to Forecaster
            Models by name that learnt from the same rows with the same seed and no parameters of
            their own; members that are missing are fitted and added.
        X, y, times : array
            As `fit` takes them.
        """
        rows = learnable(X, y, None, times)
        self._n_features = rows.n_features
        self._weights, self._direction_weights = self.weigh(rows)
        for member in self._members:
            if member.name not in learnt:
                learnt[member.name] = member.fit(rows.given, rows.y, None, rows.times)
        self._members = tuple(learnt[member.name] for member in self._members)
        self._learnt = True
        return self

    def weigh(self, _rows: Rows) -> tuple[Column, Column]:
        """Return the members' weights, of the return and of the direction; each adds up to one."""
        even = np.full(len(self._members), 1 / len(self._members))
        return even, even

    def packed(self) -> bytes:
        """Return all members and their weights as one ONNX graph."""
        from bellwether.models import merged

        members = [member.pack() for member in self._members]
        return merged.together(members, self._weights, self._direction_weights, ranked=self.ranked)

    def explained(self) -> Explainer:
        """Return the members' arrays, each under the number of its member, and the weights."""
        told: dict[str, npt.NDArray[np.generic]] = {
            f"{i}.{name}": array
            for i, member in enumerate(self._members)
            for name, array in member.explainer().items()
        }
        return told | {("places" if self.ranked else "weights"): self._weights}


class MeanEnsemble(Ensemble):
    """The mean of the members."""

    name = "mean_ensemble"
    card = Card(
        name,
        "its members'",
        "the mean of linear and the four tree models",
        missing=PASSED_ON,
        explanation=SHARED,
        use="several models that err apart: seldom the best of them, hardly ever the worst",
        seeded=True,
        size_kb=1_500,
        latency_us=1_500,
    )


class MedianEnsemble(Ensemble):
    """For every row the member in the middle."""

    name = "median_ensemble"
    ranked = True
    card = Card(
        name,
        "its members'",
        "for every row the median of linear and the four tree models",
        missing=PASSED_ON,
        explanation="those of the member in the middle; base and shares are its own",
        use="where one member may go astray on odd rows",
        seeded=True,
        size_kb=1_500,
        latency_us=1_500,
    )

    def weigh(self, _rows: Rows) -> tuple[Column, Column]:
        """Let the place in the middle count, or the two in the middle."""
        n = len(self._members)
        places = np.zeros(n)
        places[(n - 1) // 2 : n // 2 + 1] = 1
        places /= places.sum()
        return places, places


class TrimmedEnsemble(Ensemble):
    """For every row the mean of all members but the highest and the lowest."""

    name = "trimmed_ensemble"
    ranked = True
    card = Card(
        name,
        "its members'",
        "for every row the mean of five models without the highest and the lowest",
        missing=PASSED_ON,
        explanation="the mean of those of the members that count for the row",
        use="between mean and median",
        seeded=True,
        size_kb=1_500,
        latency_us=1_500,
    )

    def weigh(self, _rows: Rows) -> tuple[Column, Column]:
        """Let all places count but the first and the last."""
        places = np.ones(len(self._members))
        places[[0, -1]] = 0
        places /= places.sum()
        return places, places


class Stacking(Ensemble):
    """Weights for members, from forecasts that they made out of sample only.

    The rows are cut by time: members learn from what was known when a block of dates began, and
    forecast the block (three of them, after the first 40 % of the dates). On these forecasts the
    weights are found, not negative and adding up to one (Breiman, 1996): they make the squared
    error, as a share of the variance of what came, plus 0.02 times the squared distance from even
    weights, the least. Daily returns are nearly noise, so they move away from even only as far as
    the record bears. Then all members learn from all rows. Of fewer than ten dates, or where no
    block can be forecast, the weights are even.
    """

    name = "stacking"
    card = Card(
        name,
        "its members'",
        "linear and the four tree models, weighted by how they did out of sample",
        missing=PASSED_ON,
        explanation=SHARED,
        use="long panels on which some members are plainly better than others",
        seeded=True,
        needs_times=True,
        size_kb=1_500,
        latency_us=1_500,
    )

    def weigh(self, rows: Rows) -> tuple[Column, Column]:
        """Find the weights on inner walk-forward forecasts."""
        told = [self._ahead(rows, learnt, asked) for learnt, asked in blocks(rows.timed(self.name))]
        if not told:
            return super().weigh(rows)
        returns, chances, held = (np.concatenate(parts) for parts in zip(*told, strict=True))
        y, w = rows.y[held], None if rows.weights is None else rows.weights[held]
        moved = y != 0
        even = super().weigh(rows)
        up = (y[moved] > 0).astype(np.float64)
        counted = None if w is None else w[moved]
        return (
            convex(returns, y, w, even[0]),
            convex(chances[moved], up, counted, even[1]),
        )

    def _ahead(
        self, rows: Rows, learnt: npt.NDArray[np.int64], asked: npt.NDArray[np.int64]
    ) -> tuple[Column, Column, npt.NDArray[np.int64]]:
        """Let members learn from some rows and forecast others."""
        past, X = rows.of(learnt).alone(), rows.of(asked).X
        said = [
            PackedModel(m.fit(past.given, past.y, past.weights, past.times).pack()).predict(X)
            for m in self._members
        ]
        returns = np.column_stack([one.log_return for one in said])
        return returns, np.column_stack([one.probability_up for one in said]), asked


SHRINKAGE = 0.02


def convex(said: Column, y: Column, weights: Column | None, even: Column) -> Column:
    """Return the weights, not negative and adding up to one, with the least squared error.

    Parameters
    ----------
    said : float64, shape (n, n_members)
        Forecasts out of sample.
    y : float64, shape (n,)
        What came.
    weights : float64, shape (n,), or None
        How much each row counts.
    even : float64, shape (n_members,)
        What they are drawn towards, and are where nothing tells members apart.
    """
    from scipy.optimize import nnls

    if len(y) == 0 or np.ptp(y) == 0:
        return even
    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    centre = np.average(y, weights=weights)
    unit = np.sqrt(float(np.sum((root * (y - centre)) ** 2)))
    shown = said * (root / unit)[:, np.newaxis]
    pull = np.sqrt(SHRINKAGE) * np.eye(len(even))
    must = 1e3
    A = np.vstack([shown, pull, np.full((1, len(even)), must)])
    b = np.concatenate([y * root / unit, pull @ even, [must]])
    found, _ = nnls(A, b)
    total = found.sum()
    return found / total if total > 0 else even
