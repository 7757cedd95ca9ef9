"""The history engine: all sessions of one symbol at once."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.calendar import SessionCalendar
from bellwether.features.adjust import adjust_forward, columns_of
from bellwether.features.catalog import FeatureView
from bellwether.features.expr import Arith, Column, Const, Expr, Ta, ordered

Array = npt.NDArray[np.float64]
BAR_KEYS = ("symbol", "session")


def evaluate(view: FeatureView, columns: Mapping[str, Array]) -> Array:
    """Compute every feature of `view` for every session.

    Parameters
    ----------
    view : FeatureView
        What to compute.
    columns : mapping of str to ndarray of shape (n_sessions,)
        Open, high, low, close and volume of the forward-adjusted series, without NaN.

    Returns
    -------
    ndarray of shape (n_sessions, n_features)
        C-contiguous float64; NaN in a feature's first `warm_up` sessions and nowhere else.
        Row t is known after session t has closed.
    """
    n = len(columns["close"])
    known: dict[Expr, Array] = {}
    shared: dict[tuple[object, ...], tuple[Array, ...]] = {}
    for expression in ordered(tuple(f.expression for f in view.features)):
        known[expression] = _value(expression, known, shared, columns, n)
    out = np.empty((n, len(view.features)))
    for i, feature in enumerate(view.features):
        out[:, i] = known[feature.expression]
    return out


def _value(
    expression: Expr,
    known: Mapping[Expr, Array],
    shared: dict[tuple[object, ...], tuple[Array, ...]],
    columns: Mapping[str, Array],
    n: int,
) -> Array:
    if isinstance(expression, Column):
        return np.ascontiguousarray(columns[expression.name], dtype=np.float64)
    if isinstance(expression, Const):
        return np.full(n, expression.value)
    if isinstance(expression, Arith):
        return arithmetic(expression.operator, known[expression.left], known[expression.right])
    if isinstance(expression, Ta):
        key = (expression.function, expression.inputs, expression.params)
        if key not in shared:
            shared[key] = _talib(expression, [known[i] for i in expression.inputs])
        return shared[key][expression.output]
    raise TypeError(type(expression))


def _talib(expression: Ta, inputs: list[Array]) -> tuple[Array, ...]:
    import talib

    if any(np.isnan(i).all() for i in inputs):
        return tuple(np.full(len(inputs[0]), np.nan) for _ in range(expression.outputs))
    result = getattr(talib, expression.function)(*inputs, **dict(expression.params))
    return result if isinstance(result, tuple) else (result,)


def arithmetic(operator: str, left: Array, right: Array) -> Array:
    """Apply one exactly rounded operation; a division by zero gives 0.0."""
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(right == 0.0, 0.0, left / right)


def feature_frame(view: FeatureView, series: pl.DataFrame) -> pl.DataFrame:
    """Compute `view` over one series (schema SERIES) as a frame.

    Returns
    -------
    DataFrame
        symbol, session, last_close (as told, USD), then one float64 column a feature: NaN in its
        warm-up, and where the bars arrived adjusted and cannot tell it.
    """
    values = evaluate(view, columns_of(series))
    told = series["adjustment"].to_numpy()
    for adjustment in np.unique(told):
        values[np.ix_(told == adjustment, view.refused[adjustment])] = np.nan
    return series.select("symbol", "session", last_close="raw_close").with_columns(
        pl.Series(name, np.ascontiguousarray(values[:, i])) for i, name in enumerate(view.columns)
    )


def as_known(
    view: FeatureView, revisions: pl.DataFrame, calendar: SessionCalendar, until: datetime
) -> pl.DataFrame:
    """Compute each row from what was known when it was decided, corrections included.

    Where a bar was revised later, rows decided before the revision keep the numbers they had, and
    rows decided after it see the corrected bar. Without revisions this is one pass.

    Parameters
    ----------
    revisions : DataFrame
        All revisions of one symbol's bars (schema BARS), already cut at the ingestion watermark.
    until : datetime
        Nothing known later than this is used.

    Returns
    -------
    DataFrame
        As `feature_frame`.
    """
    moments = revisions.filter((pl.col("revision") > 0) & (pl.col("knowledge_time") <= until))
    steps = sorted({*moments["knowledge_time"].to_list(), until})
    floor = datetime.min.replace(tzinfo=UTC)
    pieces = []
    for step, upper in zip([floor, *steps[:-1]], steps, strict=True):
        known_at = upper if upper == until else _before(upper)
        bars = as_of(revisions, known_at, BAR_KEYS)
        if bars.height == 0:
            continue
        series = adjust_forward(bars, calendar)
        decided = (series["knowledge_time"] >= step) & (series["knowledge_time"] <= known_at)
        pieces.append(feature_frame(view, series).filter(decided))
    return pl.concat(pieces).unique(BAR_KEYS, keep="first", maintain_order=True).sort("session")


def _before(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=1)
