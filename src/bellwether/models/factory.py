"""The models by name."""

from collections.abc import Sequence

from bellwether.core.errors import UnknownName
from bellwether.models.base import Forecaster
from bellwether.models.baselines import AlwaysUp, HistoricalMean, LastValue, Momentum
from bellwether.models.linear import Linear
from bellwether.models.trees import LightGBM

MODELS = ("lightgbm", "linear")
BASELINES = ("always_up", "historical_mean", "momentum", "last_value")


def make(name: str, columns: Sequence[str], *, seed: int) -> Forecaster:
    """Return a fresh, unfitted model.

    Raises
    ------
    UnknownName
        If there is no model of that name.
    """
    if name == "lightgbm":
        return LightGBM(seed=seed)
    if name == "linear":
        return Linear()
    if name == "momentum":
        return Momentum(columns)
    simple = {m.name: m for m in (AlwaysUp, HistoricalMean, LastValue)}
    if name not in simple:
        raise UnknownName("model", name, (*MODELS, *BASELINES))
    return simple[name]()
