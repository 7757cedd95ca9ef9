"""The history engine: all sessions of one symbol at once."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.calendar import SessionCalendar
from bellwether.core.types import FeatureVector
from bellwether.features.adjust import adjust_forward
from bellwether.features.catalog import FeatureView
from bellwether.features.exact import ARRAY_PAIRS, ARRAY_UNARY
from bellwether.features.inputs import columns_for
from bellwether.features.program import Program, Step

Array = npt.NDArray[np.float64]
BAR_KEYS = ("symbol", "session")


def evaluate(view: FeatureView, columns: Mapping[str, Array]) -> Array:
    """Compute every feature of `view` for every session.

    Parameters
    ----------
    view : FeatureView
        What to compute.
    columns : mapping of str to ndarray of shape (n_sessions,)
        Open, high, low, close and volume of the forward-adjusted series, without NaN, and what
        else the view's formulas read.

    Returns
    -------
    ndarray of shape (n_sessions, n_features)
        C-contiguous float64; NaN in a feature's first `warm_up` sessions and nowhere else.
        Row t is known after session t has closed.
    """
    out = np.empty((len(view.features), len(columns["close"])))
    run(view.program, columns, out)
    return np.ascontiguousarray(out.T)


def run(program: Program, columns: Mapping[str, Array], out: Array) -> None:
    """Run `program` over arrays of shape (n_sessions,) into `out`, (n_outputs, n_sessions).

    Results that nobody reads any more are let go of, so that the next ones find warm memory.
    """
    values: list[Any] = [None] * len(program.steps)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        for at, (step, (given, spent)) in enumerate(zip(program.steps, program.done, strict=True)):
            values[at] = _result(step, values, columns)
            for i in given:
                out[i] = values[at]
                out[i, : program.warm_ups[i]] = np.nan
            for old in spent:
                values[old] = None


def run_all(program: Program, columns: Mapping[str, Array]) -> list[Any]:
    """Return what each step of `program` gives: arrays, numbers, or tuples where it gives several."""
    values: list[Any] = []
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        for step in program.steps:
            values.append(_result(step, values, columns))
    return values


def _result(step: Step, values: Sequence[Any], columns: Mapping[str, Array]) -> Any:
    args = [values[i] for i in step.args]
    if step.do == "ta":
        return _talib(step, args)
    if step.do in ("pair", "unary"):
        return (ARRAY_PAIRS if step.do == "pair" else ARRAY_UNARY)[str(step.how)](*args)
    if step.do == "lag":
        return _lagged(args[0], int(str(step.how)))
    if step.do == "column":
        return np.ascontiguousarray(columns[str(step.how)], dtype=np.float64)
    return step.how if step.do == "const" else args[0][step.how]


def _lagged(values: Array, sessions: int) -> Array:
    out = np.empty_like(values)
    out[:sessions] = np.nan
    out[sessions:] = values[: max(len(values) - sessions, 0)]
    return out


def _talib(step: Step, inputs: list[Array]) -> Array | tuple[Array, ...]:
    from talib import _ta_lib

    function, params, outputs = cast("tuple[str, tuple[tuple[str, float], ...], int]", step.how)
    if any(len(i) == 0 or (np.isnan(i[-1]) and np.isnan(i).all()) for i in inputs):
        missing = np.full(len(inputs[0]), np.nan)
        return missing if outputs == 1 else (missing,) * outputs
    found: Array | tuple[Array, ...] = getattr(_ta_lib, function)(*inputs, **dict(params))
    return found


def feature_frame(view: FeatureView, series: pl.DataFrame) -> pl.DataFrame:
    """Compute `view` over one series (schema SERIES) as a frame.

    Returns
    -------
    DataFrame
        symbol, session, last_close (as told, USD), then one float64 column a feature: NaN in its
        warm-up, and where the bars arrived adjusted and cannot tell it.
    """
    out = np.empty((len(view.features), series.height))
    run(view.program, columns_for(series, view.program.columns), out)
    blank(view, series, out)
    return series.select("symbol", "session", last_close="raw_close").with_columns(
        pl.Series(name, out[i]) for i, name in enumerate(view.columns)
    )


def blank(view: FeatureView, series: pl.DataFrame, out: Array) -> None:
    """Empty what the adjustment of each bar cannot tell, in `out` of shape (n_features, n_sessions)."""
    told = series["adjustment"]
    if told.n_unique() == 1:
        out[list(view.refused[told[0]])] = np.nan
        return
    for adjustment in told.unique():
        at = (told == adjustment).to_numpy()
        out[np.ix_(view.refused[adjustment], at)] = np.nan


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
    pieces = [
        feature_frame(view, series).filter(decided)
        for series, decided in states(revisions, calendar, until)
    ]
    return pl.concat(pieces).unique(BAR_KEYS, keep="first", maintain_order=True).sort("session")


def newest_vector(view: FeatureView, frame: pl.DataFrame, watermark: datetime) -> FeatureVector:
    """Return the last row of a symbol's features (as `as_known` gives them) as a vector."""
    last = frame.tail(1)
    values = np.ascontiguousarray(last.select(view.columns).to_numpy()[0], dtype="<f8")
    return FeatureVector(
        last["symbol"][0],
        last["session"][0],
        view.version,
        watermark,
        values.tobytes(),
        last["last_close"][0],
    )


def states(
    revisions: pl.DataFrame, calendar: SessionCalendar, until: datetime
) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
    """Yield the series of one symbol as it was known between corrections (schema SERIES).

    With each comes which of its rows were decided in that time. Without revisions, and without bars
    that became known after a later session's, it is one state.
    """
    moments = told_anew(revisions).filter(pl.col("knowledge_time") <= until)
    steps = sorted({*moments["knowledge_time"].to_list(), until})
    floor = datetime.min.replace(tzinfo=UTC)
    for step, upper in zip([floor, *steps[:-1]], steps, strict=True):
        known_at = upper if upper == until else _before(upper)
        bars = as_of(revisions, known_at, BAR_KEYS)
        if bars.height == 0:
            continue
        series = adjust_forward(bars, calendar)
        yield series, (series["knowledge_time"] >= step) & (series["knowledge_time"] <= known_at)


def told_anew(revisions: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of one symbol that changed what was known of the past when they became known.

    Corrections, and bars that became known after one of a later session: a gap filled from behind.
    """
    since = pl.col("knowledge_time")
    first = revisions.filter(pl.col("revision") == 0).sort("session")
    later = first.filter(since > since.reverse().cum_min().reverse().shift(-1))
    corrected = revisions.filter(pl.col("revision") > 0)
    return pl.concat([corrected, later]) if later.height else corrected


def _before(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=1)
