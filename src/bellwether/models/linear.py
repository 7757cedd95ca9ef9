"""Linear models: of the return, of the direction, or of both."""

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from bellwether.models.base import Column, Explainer, Model, blank_as_zero
from bellwether.models.card import Card
from bellwether.models.rows import Rows

CLIP = 5.0
AT_THE_MEAN = "counts as the mean of the training rows"
ADDITIVE = "exact: coefficient times standardised value"

Fitted = tuple[npt.NDArray[np.float64], float]


class Affine(Model):
    """What linear models share: return and log odds are both affine in the standardised features.

    Features are standardised by the training rows, a missing one counts as the mean, and what
    lies beyond five standard deviations counts as five: a crash must not be extrapolated. A label
    of zero says nothing about the direction; where the others all point one way there is nothing
    to tell apart, and the chance of a rise is one half.
    """

    def learn(self, rows: Rows) -> None:
        """Learn both outputs on the same standardised rows."""
        wide = blank_as_zero(rows.X).astype(np.float64)
        self._mean, spread = moments(wide, rows.weights)
        self._scale = np.where(spread > 0, spread, 1.0)
        z = np.clip(np.nan_to_num((wide - self._mean) / self._scale), -CLIP, CLIP)
        (self._coefficients, self._intercept), (self._logit, self._logit_intercept) = self.solve(
            z, rows.y, rows.weights
        )

    @abstractmethod
    def solve(self, z: Column, y: Column, weights: Column | None) -> tuple[Fitted, Fitted]:
        """Return coefficients and intercept of the log return, and of the log odds of a rise."""

    def packed(self) -> bytes:
        """Return both regressions as one ONNX graph."""
        from bellwether.models import graph

        n = graph.node
        nodes = [
            *graph.standardised(),
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
        packed: bytes = graph.model(nodes, constants, self._n_features).SerializeToString()
        return packed

    def explained(self) -> Explainer:
        """Return means, scales and coefficients of the return."""
        return {
            "base": np.array([self._intercept]),
            "coefficients": self._coefficients,
            "mean": self._mean,
            "scale": self._scale,
            "clip": np.array([CLIP]),
        }


def moments(
    wide: Column, weights: Column | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each column's mean and standard deviation over the rows that have it."""
    if weights is None:
        return np.nanmean(wide, axis=0), np.nanstd(wide, axis=0)
    held = np.where(np.isnan(wide), 0.0, weights[:, np.newaxis])
    total = held.sum(axis=0)
    share = held / np.where(total > 0, total, 1.0)
    values = np.nan_to_num(wide)
    mean = (values * share).sum(axis=0)
    return mean, np.sqrt(((values - mean) ** 2 * share).sum(axis=0))


class Linear(Affine):
    """Ridge for the expected return, logistic regression for the direction."""

    name = "linear"
    card = Card(
        name,
        "scikit-learn",
        "ridge regression of the return, logistic regression of the direction",
        missing=AT_THE_MEAN,
        explanation=ADDITIVE,
        use="the plain model that any other has to beat",
        doubles=True,
    )

    def __init__(self, alpha: float = 5_000.0, inverse_c: float = 5_000.0) -> None:
        self._alpha = alpha
        self._c = 1.0 / inverse_c

    def solve(self, z: Column, y: Column, weights: Column | None) -> tuple[Fitted, Fitted]:
        """Fit two regressions, apart from each other."""
        return regress(z, y, weights, self._alpha), classify(z, y, weights, self._c)


class Ridge(Affine):
    """Ridge for the expected return; the direction follows the forecast of the return."""

    name = "ridge"
    card = Card(
        name,
        "scikit-learn",
        "ridge regression of the return; the direction is a logistic curve over its forecast",
        missing=AT_THE_MEAN,
        explanation=ADDITIVE,
        use="where size and direction must not contradict each other",
        doubles=True,
    )

    def __init__(self, alpha: float = 5_000.0) -> None:
        self._alpha = alpha

    def solve(self, z: Column, y: Column, weights: Column | None) -> tuple[Fitted, Fitted]:
        """Fit the return, and lay a logistic curve over what was fitted."""
        fitted = regress(z, y, weights, self._alpha)
        return fitted, following(z, y, weights, fitted)


class ElasticNet(Affine):
    """Few coefficients: what is weaker than noise of so many features would be is left out.

    The penalty is the size that the largest of k correlations of pure noise over n rows reaches
    (the universal threshold of Donoho and Johnstone, 1994), half of it on absolute sizes and half on squares
    (Zou and Hastie, 2005). The direction follows the forecast of the return.
    """

    name = "elastic_net"
    card = Card(
        name,
        "scikit-learn",
        "elastic net of the return; the direction is a logistic curve over its forecast",
        missing=AT_THE_MEAN,
        explanation=ADDITIVE,
        use="many features of which few should speak; those left out contribute exactly 0",
        doubles=True,
    )

    def solve(self, z: Column, y: Column, weights: Column | None) -> tuple[Fitted, Fitted]:
        """Fit the return in units of its own spread, and lay a logistic curve over it."""
        fitted = self._sparse(z, y, weights)
        return fitted, following(z, y, weights, fitted)

    @staticmethod
    def _sparse(z: Column, y: Column, weights: Column | None) -> Fitted:
        from sklearn.linear_model import ElasticNet as Net

        spread = _spread(y, weights)
        if spread == 0:
            return np.zeros(z.shape[1]), float(y[0])
        n = len(y) if weights is None else float(weights.sum())
        alpha = 2 * float(np.sqrt(2 * np.log(z.shape[1] + 1) / n))
        net = Net(alpha=alpha, l1_ratio=0.5, max_iter=10_000, tol=1e-8)
        net.fit(z, y / spread, sample_weight=weights)
        return net.coef_ * spread, float(net.intercept_) * spread


class Logistic(Affine):
    """Logistic regression of the direction; the expected return is a line over its log odds."""

    name = "logistic"
    card = Card(
        name,
        "scikit-learn",
        "logistic regression of the direction; the return is a line over its log odds",
        missing=AT_THE_MEAN,
        explanation=ADDITIVE,
        use="where only the side of a trade matters, and sizes of returns would mislead",
        doubles=True,
    )

    def __init__(self, inverse_c: float = 5_000.0) -> None:
        self._c = 1.0 / inverse_c

    def solve(self, z: Column, y: Column, weights: Column | None) -> tuple[Fitted, Fitted]:
        """Fit the direction, and lay a line through the returns over its log odds."""
        coefficients, intercept = classify(z, y, weights, self._c)
        slope, level = line(z @ coefficients, y, weights)
        return (slope * coefficients, level), (coefficients, intercept)


def regress(z: Column, y: Column, weights: Column | None, alpha: float) -> Fitted:
    """Fit a ridge regression."""
    from sklearn.linear_model import Ridge as Regression

    ridge = Regression(alpha=alpha).fit(z, y, sample_weight=weights)
    return ridge.coef_, float(ridge.intercept_)


def classify(z: Column, y: Column, weights: Column | None, c: float) -> Fitted:
    """Fit a logistic regression of whether labels rose, on those that moved."""
    from sklearn.linear_model import LogisticRegression

    moved = y != 0
    up = y[moved] > 0
    if up.all() or not up.any():
        return np.zeros(z.shape[1]), 0.0
    counted = None if weights is None else weights[moved]
    curve = LogisticRegression(C=c, max_iter=1000).fit(z[moved], up, sample_weight=counted)
    return curve.coef_[0], float(curve.intercept_[0])


def following(z: Column, y: Column, weights: Column | None, fitted: Fitted) -> Fitted:
    """Lay a logistic curve over fitted returns: the direction follows them."""
    coefficients, _ = fitted
    steepness, lean = curve(z @ coefficients, y, weights)
    return steepness * coefficients, lean


def line(score: Column, y: Column, weights: Column | None) -> tuple[float, float]:
    """Return slope and level of the least-squares line of returns over a score; it never falls."""
    centre, mean = float(np.average(score, weights=weights)), float(np.average(y, weights=weights))
    spread = _spread(score, weights)
    if spread == 0:
        return 0.0, mean
    together = float(np.average((score - centre) / spread * y, weights=weights))
    slope = max(together, 0.0) / spread
    return slope, mean - slope * centre


def curve(score: Column, y: Column, weights: Column | None) -> tuple[float, float]:
    """Return steepness and lean of the logistic curve of rises over a score; it never falls.

    All but unpenalised, for it has two numbers only.
    """
    centre, spread = float(np.average(score, weights=weights)), _spread(score, weights)
    unit = spread if spread > 0 else 1.0
    slope, lean = classify((score[:, np.newaxis] - centre) / unit, y, weights, 1e6)
    steepness = max(float(slope[0]), 0.0) / unit
    return steepness, lean - steepness * centre


def _spread(values: Column, weights: Column | None) -> float:
    mean = np.average(values, weights=weights)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
