"""LightGBM's bins: a table is cut into them once, and every part of it is learnt from as cut."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from bellwether.models.rows import Column, Rows
from bellwether.models.table import Numbers, Part, Table

SAMPLED = 200_000
AS_CUT: Mapping[str, Any] = MappingProxyType(
    {
        # A feature that cannot be split where bins are cut may be split later.
        "feature_pre_filter": False,
        # Features that never speak at once where bins are cut may do so later.
        "enable_bundle": False,
        "is_enable_sparse": False,
    }
)
SHAPING = ("seed", "max_bin", "min_data_in_bin", "zero_as_missing", "use_missing")


def binned(
    rows: Rows,
    params: Mapping[str, Any],
    target: Column,
    group: npt.NDArray[np.int64] | None = None,
) -> Any:
    """Return a `lightgbm.Dataset` of rows, in bins of the table that they are part of.

    Parameters
    ----------
    rows : Rows
        What is learnt from. The table's bins are made by whoever comes first.
    params : mapping
        Parameters of the training, with `AS_CUT` among them.
    target : float64, shape (n,)
        What is learnt.
    group : int64, shape (n_groups,), or None
        How many rows each list has that is ranked.
    """
    part = rows.part
    shape = tuple((name, params[name]) for name in SHAPING if name in params)
    whole = part.table.once(("lightgbm", shape), lambda: _cut(part.table, params))
    data = whole if part.rows is None else _of(whole, part)
    data.set_label(target)
    data.set_weight(rows.weights)
    data.set_group(group)
    return data


def _cut(table: Table, params: Mapping[str, Any]) -> Any:
    """Cut all rows of a table into bins, between values of those rows that may say where."""
    import lightgbm as lgb

    if table.drawn is None:
        return lgb.Dataset(table.X, params=dict(params)).construct()
    drawn = table.X[_some(table.drawn, params["seed"])]
    reference = lgb.Dataset(drawn, params=dict(params))
    return lgb.Dataset(table.X, reference=reference, params=dict(params)).construct()


def _some(rows: Numbers, seed: int) -> Numbers:
    """Return as many rows as LightGBM looks at."""
    if len(rows) <= SAMPLED:
        return rows
    rng = np.random.default_rng(seed)  # noqa: TID251 - of the run's seed
    return np.sort(rng.choice(rows, SAMPLED, replace=False, shuffle=False))


def _of(whole: Any, part: Part) -> Any:
    """Copy the bins of some rows, one byte a value."""
    import lightgbm as lgb

    data = lgb.Dataset(None, reference=whole, params=whole.params)
    data.used_indices = np.asarray(part.rows, dtype=np.int32)  # `subset` makes a list of them
    return data.construct()
