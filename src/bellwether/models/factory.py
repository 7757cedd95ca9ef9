"""The models by name."""

from collections.abc import Sequence
from functools import partial

from bellwether.core.errors import UnknownName
from bellwether.models.base import Forecaster
from bellwether.models.baselines import AlwaysUp, HistoricalMean, LastValue, Momentum
from bellwether.models.forest import RandomForest
from bellwether.models.hist import HistGradientBoosting
from bellwether.models.lgbm import LightGBM
from bellwether.models.linear import Linear
from bellwether.models.xgb import XGBoost

MODELS = ("lightgbm", "xgboost", "random_forest", "hist_gradient_boosting", "linear")
BASELINES = ("always_up", "historical_mean", "momentum", "last_value")

READ_BY_BASELINES = ("return_20",)
"""Features that baselines read, whether or not the models beside them do."""

_TREES = (LightGBM, XGBoost, RandomForest, HistGradientBoosting)
_SEEDLESS = (Linear, AlwaysUp, HistoricalMean, LastValue)


def make(name: str, columns: Sequence[str], *, seed: int) -> Forecaster:
    """Return a fresh, unfitted model.

    Raises
    ------
    UnknownName
        If there is no model of that name.
    InvalidRequest
        If it reads a feature that is not among the columns.
    """
    if name == "momentum":
        return Momentum(columns)
    makers = {
        **{m.name: partial(m, seed=seed) for m in _TREES},
        **{m.name: m for m in _SEEDLESS},
    }
    if name not in makers:
        raise UnknownName("model", name, (*MODELS, *BASELINES))
    return makers[name]()
