"""What forecasts cost, one number a decision date: the only sample that tests may count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest, UnknownName

Floats = NDArray[np.float64]
Loss = Literal["squared", "absolute", "miss"]

LOSSES = ("squared", "absolute", "miss")
NO_CALL = 0.5  # of a miss: what a coin toss costs


@dataclass(frozen=True, slots=True, eq=False)
class DateLosses:
    """Mean loss of each model at each decision date, over the symbols of the date.

    Attributes
    ----------
    dates : array of datetime64, shape (n_dates,)
        Decision instants, ascending.
    models : tuple of str
        Names of the columns.
    values : array of float64, shape (n_dates, n_models)
        Mean losses; all models on the same rows.
    rows : array of int64, shape (n_dates,)
        Rows that a date's mean is of.
    """

    dates: NDArray[np.datetime64]
    models: tuple[str, ...]
    values: Floats
    rows: NDArray[np.int64]

    def of(self, model: str) -> Floats:
        """Return the losses of one model.

        Raises
        ------
        UnknownName
            If it is not among `models`.
        """
        if model not in self.models:
            raise UnknownName("model in this record", model, self.models)
        return self.values[:, self.models.index(model)]

    def against(self, benchmark: str) -> Floats:
        """Return by how much every other model loses less than `benchmark`, per date.

        Shape (n_dates, n_models - 1), columns in the order of `models` without the benchmark:
        positive where the model is better, which is what `superiority` takes.
        """
        base = self.of(benchmark)
        others = [i for i, name in enumerate(self.models) if name != benchmark]
        return base[:, None] - self.values[:, others]


def date_losses(record: pl.DataFrame, models: Sequence[str], loss: Loss = "squared") -> DateLosses:
    """Average the losses of a panel record by decision date.

    Stocks move together within a day, so a row is no observation: tests of forecasts take one
    value a date, d_t = mean over symbols of (L_A - L_B). With return y and forecast f:

    ========  =====================================================================
    squared   (y - f)^2
    absolute  abs(y - f)
    miss      0 for a call with the sign of y, 1 for one against it, 1/2 for no call;
              rows with y exactly 0 are left out
    ========  =====================================================================

    Parameters
    ----------
    record : DataFrame
        One row a decision: `decision_at`, `log_return`, and `forecast_<model>` or, for ``miss``,
        `direction_<model>` of each model. Any order.
    models : sequence of str
        Two or more names, none twice.
    loss : {"squared", "absolute", "miss"}
        Which of them.

    Returns
    -------
    DateLosses
        No dates for no rows.

    Raises
    ------
    InvalidRequest
        If a value is missing, NaN or infinite (never skipped: models must be judged on the same
        rows), a name comes twice, or the loss is unknown.
    UnknownName
        If the record lacks a column.

    Examples
    --------
    >>> record = pl.DataFrame({"decision_at": [1, 1, 2], "log_return": [0.01, -0.01, 0.02],
    ...     "forecast_a": [0.0, 0.0, 0.0], "forecast_b": [0.01, 0.0, 0.01]})
    >>> found = date_losses(record, ["a", "b"])
    >>> found.values.round(6).tolist(), found.rows.tolist()
    ([[0.0001, 5e-05], [0.0004, 0.0001]], [2, 1])
    """
    if loss not in LOSSES:
        raise InvalidRequest("loss", f"{loss!r} is none of {', '.join(LOSSES)}")
    if len(set(models)) != len(models) or not models:
        raise InvalidRequest("models", "must be names, at least one and none twice")
    prefix = "direction" if loss == "miss" else "forecast"
    y = _column(record, "log_return")
    columns = [_column(record, f"{prefix}_{name}") for name in models]
    when = _when(record)
    kept = y != 0 if loss == "miss" else np.ones(y.size, dtype=np.bool_)
    dates, member = np.unique(when[kept], return_inverse=True)
    rows = np.bincount(member, minlength=dates.size)
    values = np.empty((dates.size, len(models)))
    for i, column in enumerate(columns):
        lost = _lost(y[kept], column[kept], loss)
        values[:, i] = np.bincount(member, weights=lost, minlength=dates.size) / rows
    return DateLosses(dates, tuple(models), values, rows.astype(np.int64, copy=False))


def _lost(y: Floats, given: Floats, loss: Loss) -> Floats:
    if loss == "squared":
        return np.asarray((y - given) ** 2)
    if loss == "absolute":
        return np.asarray(np.abs(y - given))
    called = np.sign(given) == np.sign(y)
    return np.where(given == 0, NO_CALL, np.where(called, 0.0, 1.0))


def _when(record: pl.DataFrame) -> NDArray[Any]:
    if "decision_at" not in record.columns:
        raise UnknownName("column", "decision_at", record.columns)
    column = record["decision_at"]
    if column.null_count():
        raise InvalidRequest("decision_at", "every row needs the instant of its decision")
    if isinstance(column.dtype, pl.Datetime):
        column = column.dt.replace_time_zone(None)
    return column.to_numpy()


def _column(record: pl.DataFrame, name: str) -> Floats:
    if name not in record.columns:
        raise UnknownName("column", name, record.columns)
    column = record[name].cast(pl.Float64)
    values = column.fill_null(np.nan).to_numpy()
    if not np.isfinite(values).all():
        raise InvalidRequest(name, "holds a missing, NaN or infinite value")
    return np.asarray(values, dtype=np.float64)
