"""The models by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bellwether.core.errors import UnknownName
from bellwether.models.base import Forecaster
from bellwether.models.baselines import AlwaysUp, HistoricalMean, LastValue, Momentum
from bellwether.models.forest import RandomForest
from bellwether.models.hist import HistGradientBoosting
from bellwether.models.lgbm import LightGBM
from bellwether.models.lgbm_more import LightGBMQuantile, LightGBMRank
from bellwether.models.linear import ElasticNet, Linear, Logistic, Ridge
from bellwether.models.names import BASELINES, MODELS
from bellwether.models.xgb import XGBoost

__all__ = ["BASELINES", "MODELS", "READ_BY_BASELINES", "make"]

READ_BY_BASELINES = ("return_20",)
"""Features that baselines read, whether or not the models beside them do."""

_TREES = (
    LightGBM,
    XGBoost,
    RandomForest,
    HistGradientBoosting,
    LightGBMQuantile,
    LightGBMRank,
)
_SEEDLESS = (Linear, Ridge, ElasticNet, Logistic, AlwaysUp, HistoricalMean, LastValue)


def make(name: str, columns: Sequence[str], *, seed: int) -> Forecaster:
    """Return a fresh, unfitted model.

    `columns` are the names of the features, in order; `seed` is of all that is random.

    Raises
    ------
    UnknownName
        If there is no model of that name.
    InvalidRequest
        If it reads a feature that is not among the columns.
    """
    makers = _makers(columns, seed)
    if name not in makers:
        raise UnknownName("model", name, (*MODELS, *BASELINES))
    return makers[name]()


def _makers(columns: Sequence[str], seed: int) -> Mapping[str, Callable[[], Forecaster]]:
    return {
        **{m.name: partial(m, seed=seed) for m in _TREES},
        **{m.name: m for m in _SEEDLESS},
        "momentum": partial(Momentum, columns),
    }
