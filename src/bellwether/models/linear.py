"""Ridge regression of the return and logistic regression of the direction."""

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from bellwether.models.base import INPUT, Column, Matrix, blank_as_zero

CLIP = 5.0


class Linear:
    """Ridge for the expected return, logistic regression for the direction.

    Features are standardised by the training rows, a missing one counts as the mean, and what
    lies beyond five standard deviations counts as five: a crash must not be extrapolated.
    """

    name = "linear"

    def __init__(self, alpha: float = 5_000.0, inverse_c: float = 5_000.0) -> None:
        self._alpha = alpha
        self._c = 1.0 / inverse_c

    def fit(self, X: Matrix, y: Column) -> Self:
        """Learn both regressions on the same standardised rows."""
        from sklearn.linear_model import LogisticRegression, Ridge

        wide = blank_as_zero(X).astype(np.float64)
        self._mean = np.nanmean(wide, axis=0)
        spread = np.nanstd(wide, axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        z = np.clip(np.nan_to_num((wide - self._mean) / self._scale), -CLIP, CLIP)
        moved = y != 0
        ridge = Ridge(alpha=self._alpha).fit(z, y)
        self._coefficients = ridge.coef_
        self._intercept = float(ridge.intercept_)
        up = y[moved] > 0
        if up.all() or not up.any():
            self._logit = np.zeros(X.shape[1])
            self._logit_intercept = 0.0
        else:
            logistic = LogisticRegression(C=self._c, max_iter=1000).fit(z[moved], up)
            self._logit = logistic.coef_[0]
            self._logit_intercept = float(logistic.intercept_[0])
        return self

    def pack(self) -> bytes:
        """Return both regressions as one ONNX graph."""
        from bellwether.models import graph

        n = graph.node
        nodes = [
            n("Sub", [INPUT, "mean"], "centred"),
            n("Div", ["centred", "scale"], "standard"),
            n("IsNaN", ["standard"], "missing"),
            n("Where", ["missing", "zero", "standard"], "present"),
            n("Clip", ["present", "low", "high"], "z"),
            n("MatMul", ["z", "coefficients"], "fitted"),
            n("Add", ["fitted", "intercepts"], "both"),
            n("Gather", ["both", "first"], "log_return", axis=1),
            n("Gather", ["both", "second"], "score", axis=1),
            n("Sigmoid", ["score"], "probability_up"),
        ]
        constants = [
            graph.constant("mean", self._mean),
            graph.constant("scale", self._scale),
            graph.constant("zero", 0.0),
            graph.constant("low", -CLIP),
            graph.constant("high", CLIP),
            graph.constant("coefficients", np.column_stack([self._coefficients, self._logit])),
            graph.constant("intercepts", [self._intercept, self._logit_intercept]),
            graph.constant("first", [0], np.int64),
            graph.constant("second", [1], np.int64),
        ]
        packed: bytes = graph.model(nodes, constants, len(self._mean)).SerializeToString()
        return packed

    def explainer(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return means, scales and coefficients of the return."""
        return {
            "base": np.array([self._intercept]),
            "coefficients": self._coefficients,
            "mean": self._mean,
            "scale": self._scale,
            "clip": np.array([CLIP]),
        }
