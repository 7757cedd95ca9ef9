"""The models by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.models.base import Forecaster
from bellwether.models.baselines import AlwaysUp, HistoricalMean, LastValue, Momentum
from bellwether.models.ensemble import MeanEnsemble, MedianEnsemble, Stacking, TrimmedEnsemble
from bellwether.models.forest import RandomForest
from bellwether.models.hist import HistGradientBoosting
from bellwether.models.lgbm import LightGBM
from bellwether.models.lgbm_more import LightGBMQuantile, LightGBMRank
from bellwether.models.linear import ElasticNet, Linear, Logistic, Ridge
from bellwether.models.lstm import LSTM
from bellwether.models.names import BASELINES, MODELS
from bellwether.models.spaces import Params, space_of
from bellwether.models.xgb import XGBoost

__all__ = ["BASELINES", "MODELS", "READ_BY_BASELINES", "available", "make"]

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
_ENSEMBLES = (MeanEnsemble, MedianEnsemble, TrimmedEnsemble, Stacking)
_MEMBERS = ("linear", "random_forest", "hist_gradient_boosting", "xgboost", "lightgbm")
_SEEDLESS = (Linear, Ridge, ElasticNet, Logistic, AlwaysUp, HistoricalMean, LastValue)


def make(
    name: str,
    columns: Sequence[str],
    *,
    seed: int,
    rounds: int | None = None,
    params: Params | None = None,
) -> Forecaster:
    """Return a fresh, unfitted model.

    `columns` are the names of the features, in order; `seed` is of all that is random. `rounds` is
    how many trees or steps are taken by models that go on in rounds; None for each one's own.
    `params` are of its search space (`spaces.SPACES`); what is left out is each one's own.

    Raises
    ------
    UnknownName
        If there is no model of that name.
    MissingExtra
        If it needs an optional part of the platform that is not installed.
    InvalidRequest
        If it cannot read such columns.
    """
    makers = _makers(columns, seed, rounds)
    if name not in makers:
        raise UnknownName("model", name, (*MODELS, *BASELINES))
    return makers[name]() if not params else makers[name](**_placed(name, params))


def _placed(name: str, params: Params) -> dict[str, Any]:
    """Return parameters as the model's constructor takes them, whole numbers as such."""
    space = space_of(name)
    unknown = sorted(set(params) - set(space))
    if unknown:
        raise InvalidRequest("params", f"{name} has no {', '.join(unknown)}; {', '.join(space)}")
    told = {n: int(v) if space[n].whole else float(v) for n, v in params.items()}
    return told if name in {m.name for m in _SEEDLESS} else {"params": told}


def available() -> tuple[str, ...]:
    """Return the models that can be made here: those whose optional part is installed."""
    return tuple(name for name in MODELS if name != LSTM.name or find_spec("torch") is not None)


def _makers(
    columns: Sequence[str], seed: int, rounds: int | None
) -> Mapping[str, Callable[..., Forecaster]]:
    trees: dict[str, Any] = {} if rounds is None else {"n_trees": rounds}
    steps: dict[str, Any] = {} if rounds is None else {"n_steps": rounds}
    alone: dict[str, Callable[..., Forecaster]] = {
        **{m.name: partial(m, seed=seed, **trees) for m in _TREES},
        **{m.name: m for m in _SEEDLESS},
        "lstm": partial(LSTM, columns, seed, **steps),
        "momentum": partial(Momentum, columns),
    }
    return alone | {
        m.name: partial(_ensemble, m, [alone[member] for member in _MEMBERS]) for m in _ENSEMBLES
    }


def _ensemble(
    kind: Callable[[Sequence[Forecaster]], Forecaster], members: Sequence[Callable[[], Forecaster]]
) -> Forecaster:
    return kind([member() for member in members])
