"""From a feature vector to the numbers of an answer: the one path of serving and replay."""

import math
from dataclasses import dataclass

import numpy as np

from bellwether.core.errors import InsufficientHistory, SchemaViolation
from bellwether.core.types import MIXED, Adjustment, Direction, FeatureVector
from bellwether.evaluation.conformal import bounds
from bellwether.features.catalog import FeatureView
from bellwether.inference.release import Served
from bellwether.models.explain import contributions

EVEN_ODDS = 0.5
REFUSED, LEVEL = "features_refused_adjusted_source", "price_level_is_adjusted"
OUTSIDE = "outside_the_section_of_its_session"
MIN_SCALE = 1e-6


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numeric part of an answer; `lower` and `upper` are prices, None without calibration."""

    log_return: float
    expected_return: float
    predicted_price: float
    probability_up: float
    direction: Direction
    lower: float | None
    upper: float | None


def row_of(
    vector: FeatureVector, view: FeatureView
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Return the model's float32 row of shape (1, n_features) from a stored vector.

    NaN where the bars arrived adjusted and cannot tell a feature.

    Raises
    ------
    InsufficientHistory
        If the symbol is still warming up: a feature that models read is missing.
    SchemaViolation
        If its bars are of more than one adjustment.
    """
    values = np.frombuffer(vector.values, dtype="<f8")
    adjustment = view.adjustment_of(values)
    if adjustment == MIXED:
        raise SchemaViolation("bars", f"{vector.symbol} holds bars of more than one adjustment")
    if adjustment is None:
        raise InsufficientHistory(f"Features of {vector.symbol}", 0, view.warm_up + 1)
    row = values[list(view.model_positions)]
    return np.ascontiguousarray(row, dtype=np.float32).reshape(1, -1)


def adjusted(vector: FeatureVector, view: FeatureView, told: str | None = None) -> tuple[str, ...]:
    """Say what an answer lacks because the bars of the symbol arrived adjusted.

    `told` is how they arrived, for views in whose vectors that does not show.
    """
    values = np.frombuffer(vector.values, dtype="<f8")
    how = view.adjustment_of(values)
    if how is None:
        return ()
    if not view.tells_adjustment and told in view.refused:
        how = told or how
    outside = (OUTSIDE,) if view.across and view.outside(values, how) else ()
    if how == Adjustment.NONE:
        return outside
    return (*outside, *((REFUSED,) if view.refused[how] else ()), LEVEL)


def forecast(served: Served, vector: FeatureVector, view: FeatureView) -> Numbers:
    """Score one vector with one release."""
    said = served.packed.predict(row_of(vector, view))
    log_return = float(said.log_return[0])
    probability = float(said.probability_up[0])
    expected = math.expm1(log_return)
    lower, upper = _prices(served, vector, view, log_return)
    return Numbers(
        log_return,
        expected,
        vector.last_close * (1.0 + expected),
        probability,
        _direction(probability),
        lower,
        upper,
    )


def explanation(served: Served, vector: FeatureVector, view: FeatureView) -> dict[str, float]:
    """Split the expected log return into a base and what each feature adds (SHAP for trees)."""
    base, shares = contributions(served.explainer, row_of(vector, view)[0])
    return {"base": base, **dict(zip(view.model_columns, shares.tolist(), strict=True))}


def _direction(probability: float) -> Direction:
    if probability > EVEN_ODDS:
        return Direction.UP
    return Direction.DOWN if probability < EVEN_ODDS else Direction.FLAT


def _prices(
    served: Served, vector: FeatureVector, view: FeatureView, log_return: float
) -> tuple[float | None, float | None]:
    if served.calibration is None:
        return None, None
    values = np.frombuffer(vector.values, dtype="<f8")
    moves = 1.0 if view.scale is None else float(values[view.columns.index(view.scale)])
    scale = max(moves, MIN_SCALE) * float(np.sqrt(served.horizon_sessions))
    low, high = bounds(np.array([log_return]), np.array([scale]), served.calibration)
    return (
        vector.last_close * math.exp(float(low[0])),
        vector.last_close * math.exp(float(high[0])),
    )
