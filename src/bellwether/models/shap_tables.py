"""Exact tree SHAP as tables: what each leaf contributes, for every pattern of met conditions.

A leaf of depth d has at most d features on its path. Given which of their conditions a row meets,
a pattern of d bits, the leaf's Shapley values are fixed numbers, so they are computed once when
the model is packed. Explaining a row is then comparisons and look-ups, without the library that
grew the trees. Path-dependent expectations as in Lundberg et al. (2020), "From local explanations
to global understanding with explainable AI for trees".
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Paths = tuple[float, dict[int, tuple[float, float, bool, float]]]


def leaf_tables(
    trees: Sequence[Mapping[str, Any]], n_features: int, depth: int
) -> dict[str, Array]:
    """Turn LightGBM's dumped trees into tables.

    Returns
    -------
    dict of str to ndarray
        `feature`, `low`, `high`, `missing_ok` of shape (n_leaves, depth): the conditions
        low < x <= high; `shapley` of shape (n_leaves, 2 ** depth, depth); `base` of shape (1,):
        the expected forecast; `n_features`.
    """
    leaves = [leaf for tree in trees for leaf in _leaves(tree, {})]
    n = len(leaves)
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
        "base": np.array([np.sum(value * cover.prod(axis=1))]),
        "n_features": np.array([n_features]),
    }


def _leaves(
    node: Mapping[str, Any], path: dict[int, tuple[float, float, bool, float]]
) -> Iterator[Paths]:
    if "leaf_value" in node:
        yield float(node["leaf_value"]), path
        return
    total = _count(node)
    threshold = float(node["threshold"])
    feature = int(node["split_feature"])
    lo, hi, missing, ratio = path.get(feature, (-np.inf, np.inf, True, 1.0))
    goes_left = _missing_goes_left(node, threshold)
    left, right = node["left_child"], node["right_child"]
    yield from _leaves(
        left,
        path
        | {feature: (lo, min(hi, threshold), missing and goes_left, ratio * _count(left) / total)},
    )
    yield from _leaves(
        right,
        path
        | {
            feature: (
                max(lo, threshold),
                hi,
                missing and not goes_left,
                ratio * _count(right) / total,
            )
        },
    )


def _count(node: Mapping[str, Any]) -> float:
    return float(node["leaf_count"] if "leaf_value" in node else node["internal_count"])


def _missing_goes_left(node: Mapping[str, Any], threshold: float) -> bool:
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return threshold >= 0.0  # LightGBM reads NaN as zero where training saw none


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
