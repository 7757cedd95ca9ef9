"""Trees of any library in one neutral form: all that packing and explaining know of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

LEAF = -1


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """One binary tree as parallel arrays of shape (n_nodes,); node 0 is the root.

    A row goes `left` where its `feature` is at most `threshold` (compared in float64), or where
    it is missing and `missing_left` says so; else it goes `right`. A leaf has the feature -1 and
    says `value`. `cover` is the weight of the training rows that came by.
    """

    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float64]
    missing_left: npt.NDArray[np.bool_]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    cover: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        children: tuple[Any, Any],
        feature: Any,
        threshold: Any,
        missing_left: Any,
        value: Any,
        cover: Any,
    ) -> Self:
        """Return a tree from the sequences of a library.

        `children` are the left and the right ones, not above zero at a leaf. What a library says
        at a leaf of the condition, or at a split of the value, is passed over.
        """
        left, right = (np.asarray(side, dtype=np.int64) for side in children)
        split = left > 0
        return cls(
            np.where(split, np.asarray(feature, dtype=np.int64), LEAF),
            np.where(split, np.asarray(threshold, dtype=np.float64), 0.0),
            split & np.asarray(missing_left, dtype=np.bool_),
            np.where(split, left, 0),
            np.where(split, right, 0),
            np.where(split, 0.0, np.asarray(value, dtype=np.float64)),
            np.asarray(cover, dtype=np.float64),
        )

    def leaf(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Return the leaf that each row comes to."""
        at = np.zeros(len(X), dtype=np.int64)
        rows = np.arange(len(X))
        while (self.feature[at] != LEAF).any():
            here = X[rows, self.feature[at]].astype(np.float64)
            left = np.where(np.isnan(here), self.missing_left[at], here <= self.threshold[at])
            step = np.where(left, self.left[at], self.right[at])
            at = np.where(self.feature[at] == LEAF, at, step)
        return at


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees whose leaves are added up in float64, on top of `base`."""

    trees: tuple[Tree, ...]
    base: float

    @classmethod
    def of(cls, trees: Iterable[Tree], base: float = 0.0) -> Self:
        """Return a forest of any number of trees."""
        return cls(tuple(trees), base)

    def sums(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return what the forest says of rows, of shape (n,), in float64."""
        total = np.full(len(X), self.base)
        for tree in self.trees:
            total += tree.value[tree.leaf(X)]
        return total

    def scaled(self, slope: float, level: float) -> Self:
        """Return the forest that says `level` + `slope` times what this one says."""
        trees = (replace(tree, value=tree.value * slope) for tree in self.trees)
        return type(self).of(trees, level + slope * self.base)

    @classmethod
    def constant(cls, value: float) -> Self:
        """Return a forest that says the same of every row."""
        none = [0]
        return cls((Tree.of((none, none), none, none, none, none, [1]),), value)
