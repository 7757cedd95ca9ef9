"""Exact tree SHAP as tables: what each leaf contributes, for every pattern of met conditions.

A leaf of depth d has at most d features on its path. Given which of their conditions a row meets,
a pattern of d bits, the leaf's Shapley values are fixed numbers, so they are computed once when
the model is packed. Explaining a row is then comparisons and look-ups, without the library that
grew the trees. Path-dependent expectations as in Lundberg et al. (2020), "From local explanations
to global understanding with explainable AI for trees".
"""

from collections.abc import Iterator
from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt

from bellwether.models.tree_form import LEAF, Forest, Tree

Array = npt.NDArray[np.generic]
Path = dict[int, tuple[float, float, bool, float]]


def leaf_tables(forest: Forest, n_features: int) -> dict[str, Array]:
    """Turn a forest into tables.

    Returns
    -------
    dict of str to ndarray
        With d the most features on the way to any leaf: `feature`, `low`, `high`, `missing_ok`
        of shape (n_leaves, d): the conditions low < x <= high; `shapley` of shape
        (n_leaves, 2 ** d, d); `base` of shape (1,): the expected forecast; `n_features`.
    """
    leaves = [leaf for tree in forest.trees for leaf in _leaves(tree, 0, {})]
    n = len(leaves)
    depth = max(len(path) for _, path in leaves)
    feature = np.zeros((n, depth), dtype=np.int32)
    low = np.full((n, depth), -np.inf)
    high = np.full((n, depth), np.inf)
    missing_ok = np.ones((n, depth), dtype=bool)
    cover = np.ones((n, depth))
    value = np.array([leaf[0] for leaf in leaves])
    for i, (_, path) in enumerate(leaves):
        for j, (f, (lo, hi, missing, ratio)) in enumerate(path.items()):
            feature[i, j], low[i, j], high[i, j] = f, lo, hi
            missing_ok[i, j], cover[i, j] = missing, ratio
    return {
        "feature": feature,
        "low": low,
        "high": high,
        "missing_ok": missing_ok,
        "shapley": _shapley(value, cover),
        "base": np.array([forest.base + np.sum(value * cover.prod(axis=1))]),
        "n_features": np.array([n_features]),
    }


def _leaves(tree: Tree, node: int, path: Path) -> Iterator[tuple[float, Path]]:
    """Walk to every leaf; what its path asks of each feature is one interval and one cover."""
    feature = int(tree.feature[node])
    if feature == LEAF:
        yield float(tree.value[node]), path
        return
    low, high, missing, ratio = path.get(feature, (-np.inf, np.inf, True, 1.0))
    threshold = float(tree.threshold[node])
    goes_left = bool(tree.missing_left[node])
    for child, lo, hi, ok in (
        (int(tree.left[node]), low, min(high, threshold), goes_left),
        (int(tree.right[node]), max(low, threshold), high, not goes_left),
    ):
        share = ratio * float(tree.cover[child] / tree.cover[node])
        yield from _leaves(tree, child, path | {feature: (lo, hi, missing and ok, share)})


def _shapley(value: npt.NDArray[np.float64], cover: npt.NDArray[np.float64]) -> Array:
    n, depth = cover.shape
    table = np.zeros((n, 2**depth, depth))
    weight = [factorial(s) * factorial(depth - s - 1) / factorial(depth) for s in range(depth)]
    for pattern in range(2**depth):
        met = np.array([(pattern >> j) & 1 for j in range(depth)], dtype=np.float64)
        for j in range(depth):
            others = [k for k in range(depth) if k != j]
            total = np.zeros(n)
            for size in range(depth):
                for inside in combinations(others, size):
                    outside = [k for k in others if k not in inside]
                    share = met[list(inside)].prod() * cover[:, outside].prod(axis=1)
                    total += weight[size] * share
            table[:, pattern, j] = value * total * (met[j] - cover[:, j])
    return table
