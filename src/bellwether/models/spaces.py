"""What may be searched of each model: names, ranges and steps, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

from bellwether.core.errors import InvalidRequest

Params = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, both included; whole numbers, or a scale of equal ratios, where said."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def points(self, n: int) -> list[float]:
        """Return n points spread evenly over the range, ends included."""
        shares = [i / (n - 1) for i in range(n)] if n > 1 else [0.5]
        if self.log:
            made = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            made = [self.low + (self.high - self.low) * share for share in shares]
        return sorted({float(round(x)) for x in made}) if self.whole else made


_BOOSTED = {
    "learning_rate": Range(0.003, 0.1, log=True),
    "max_depth": Range(2, 6, whole=True),
}
SPACES: Mapping[str, Mapping[str, Range]] = MappingProxyType(
    {
        "lightgbm": {
            **_BOOSTED,
            "num_leaves": Range(4, 31, whole=True),
            "min_data_in_leaf": Range(50, 1000, log=True, whole=True),
            "feature_fraction": Range(0.2, 1.0),
            "lambda_l2": Range(0.1, 100.0, log=True),
        },
        "xgboost": {
            **_BOOSTED,
            "subsample": Range(0.4, 1.0),
            "colsample_bytree": Range(0.2, 1.0),
        },
        "hist_gradient_boosting": {
            **_BOOSTED,
            "max_leaf_nodes": Range(4, 31, whole=True),
            "min_samples_leaf": Range(50, 1000, log=True, whole=True),
            "l2_regularization": Range(0.1, 100.0, log=True),
        },
        "random_forest": {
            "max_depth": Range(2, 8, whole=True),
            "min_samples_leaf": Range(20, 1000, log=True, whole=True),
        },
        "linear": {
            "alpha": Range(10.0, 1e6, log=True),
            "inverse_c": Range(10.0, 1e6, log=True),
        },
        "ridge": {"alpha": Range(10.0, 1e6, log=True)},
        "logistic": {"inverse_c": Range(10.0, 1e6, log=True)},
    }
)


def space_of(model: str) -> Mapping[str, Range]:
    """Return what may be searched of a model.

    Raises
    ------
    InvalidRequest
        If there is nothing to search.
    """
    if model not in SPACES:
        raise InvalidRequest("search", f"{model} has nothing to search; {', '.join(SPACES)} have")
    return SPACES[model]


def grid_of(model: str, most: int) -> list[Params]:
    """Return the finest even grid with at most `most` points, in a fixed order.

    Examples
    --------
    >>> [round(p["alpha"]) for p in grid_of("ridge", 3)]
    [10, 3162, 1000000]
    """
    space = space_of(model)
    steps = max(1, int(most ** (1 / len(space)) + 1e-9))
    axes = [space[name].points(steps) for name in space]
    return [dict(zip(space, point, strict=True)) for point in product(*axes)]
