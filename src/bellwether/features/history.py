"""The history engine: all sessions of one symbol at once."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from bellwether.core.asof import as_of
from bellwether.core.calendar import SessionCalendar
from bellwether.core.types import FeatureVector
from bellwether.features.adjust import adjust_forward
from bellwether.features.arrays import Array, run
from bellwether.features.catalog import FeatureView
from bellwether.features.inputs import columns_for
from bellwether.features.texts import beside, gathered

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
    out = np.empty((len(view.features), len(next(iter(columns.values())))))
    run(view.program, columns, out)
    return np.ascontiguousarray(out.T)


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


def blank(view: FeatureView, series: pl.DataFrame, out: Array | Sequence[Array]) -> None:
    """Empty what the adjustment of each bar cannot tell, in the rows of `out`, one a feature."""
    told = series["adjustment"]
    all_alike = bool((told == told.first()).all())
    for adjustment in told.head(1) if all_alike else told.unique():
        refused = view.refused[adjustment]
        at = (told == adjustment).to_numpy() if refused else None
        for i in refused:
            out[i][at] = np.nan


def as_known(
    view: FeatureView,
    revisions: pl.DataFrame,
    calendar: SessionCalendar,
    until: datetime,
    texts: pl.DataFrame | None = None,
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
    texts : DataFrame, optional
        The symbol's scored texts (`texts.FRAME`), for a view that reads them.

    Returns
    -------
    DataFrame
        As `feature_frame`.
    """
    pieces = [
        feature_frame(view, series).filter(decided)
        for series, decided in states(revisions, calendar, until, texts)
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
    revisions: pl.DataFrame,
    calendar: SessionCalendar,
    until: datetime,
    texts: pl.DataFrame | None = None,
) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
    """Yield the series of one symbol as it was known between corrections (schema SERIES).

    With each comes which of its rows were decided in that time. Without revisions, and without bars
    that became known after a later session's, it is one state. With `texts` the series have the
    columns of those too: a session's never depend on what was first seen after its close.
    """
    told = None if texts is None else gathered(texts)
    moments = told_anew(revisions).filter(pl.col("knowledge_time") <= until)
    steps = sorted({*moments["knowledge_time"].to_list(), until})
    floor = datetime.min.replace(tzinfo=UTC)
    for step, upper in zip([floor, *steps[:-1]], steps, strict=True):
        known_at = upper if upper == until else _before(upper)
        bars = as_of(revisions, known_at, BAR_KEYS)
        if bars.height == 0:
            continue
        series = adjust_forward(bars, calendar)
        if told is not None:
            series = beside(series, told, calendar)
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
