"""The stream engine: one bar in, one vector out, the same bits as the history engine.

Indicators carry their state in TA-Lib's streaming handles, which cannot be saved. After a restart
the state is rebuilt from the bars at the speed of history (`resume`), and where a mark was left
before, nothing is answered unless the rebuilt state equals it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import InvalidRequest, StateMismatch
from bellwether.core.types import Bar
from bellwether.features.adjust import (
    SERIES_FIELDS,
    AdjustedBar,
    ForwardAdjuster,
    adjust_forward,
    bars_in_order,
)
from bellwether.features.arrays import Array, run_all
from bellwether.features.catalog import FeatureView
from bellwether.features.exact import NAN
from bellwether.features.inputs import columns_for, reader
from bellwether.features.machine import Machine
from bellwether.features.texts import COLUMNS, Texts, at_session, beside


@dataclass(frozen=True, slots=True)
class StreamMark:
    """Where a stream stood: enough to prove that a rebuilt state is the same, not to rebuild it."""

    view: str
    session: date
    sessions: int
    digest: str


class StreamEngine:
    """The features of one symbol, bar by bar from its first.

    Not thread-safe: one symbol's bars arrive in order through one caller. A view that reads texts
    needs to be told them before the bar of the session they count for: `texts` gives the symbol's,
    whatever is known by then.
    """

    def __init__(
        self,
        view: FeatureView,
        calendar: SessionCalendar,
        texts: Callable[[], Texts] | None = None,
    ) -> None:
        self._calendar, self._texts = calendar, texts
        self._adjuster = ForwardAdjuster(calendar)
        self._refused = {how: list(at) for how, at in view.refused.items()}
        self._view = view
        self._machine = Machine(view.program)
        wanted = view.program.columns
        self._readers = [self._reader(name) for name in wanted]
        self._told: dict[str, float] = {}

    def _reader(self, name: str) -> Callable[[AdjustedBar], float]:
        if self._texts is None or name not in COLUMNS:
            return reader(name)
        return lambda _: self._told[name]

    def push(self, bar: Bar) -> Array:
        """Take one bar and return the vector after it, an array of shape (n_features,).

        NaN in a feature's warm-up and where the bars arrived adjusted and cannot tell it.
        Sessions missing since the last bar are carried first, as in history.

        Raises
        ------
        SchemaViolation
            If the bar is not later than the last one.
        """
        vector = np.empty(0)
        written = None if self._texts is None else at_session(self._texts(), self._calendar)
        for adjusted in self._adjuster.push(bar):
            if written is not None:
                self._told = dict(written(adjusted.session))
            vector = self._machine.advance([read(adjusted) for read in self._readers])
        refused = self._refused[self._adjuster.adjustment]
        if refused:
            vector[refused] = NAN
        return vector

    def load(self, series: pl.DataFrame) -> None:
        """Take the state after all sessions of `series` (schema SERIES), at the speed of history."""
        program, n = self._view.program, series.height
        if self._texts is not None:
            series = beside(series, self._texts(), self._calendar)
        self._machine.load(run_all(program, columns_for(series, program.columns)), n)
        row = series.row(-1, named=True)
        self._adjuster.last = AdjustedBar(*(row[name] for name in SERIES_FIELDS))

    def mark(self) -> StreamMark:
        """Say where the stream stands.

        Raises
        ------
        InvalidRequest
            If no bar was pushed yet.
        """
        last = self._adjuster.last
        if last is None:
            raise InvalidRequest("stream", "no bar was pushed yet; there is nothing to mark")
        held = repr([getattr(last, name) for name in SERIES_FIELDS]).encode()
        digest = hashlib.sha256(self._machine.state() + held).hexdigest()
        return StreamMark(self._view.version, last.session, self._machine.sessions, digest)


def resume(
    view: FeatureView,
    calendar: SessionCalendar,
    bars: pl.DataFrame,
    mark: StreamMark | None = None,
    texts: Callable[[], Texts] | None = None,
) -> StreamEngine:
    """Rebuild a stream's state from one symbol's bars, as if each had been pushed.

    Parameters
    ----------
    bars : DataFrame
        One row a session, sorted by session (schema BARS after `as_of`).
    mark : StreamMark, optional
        Where the stream stood: the state is rebuilt up to its session and compared, then the later
        bars are pushed.
    texts : callable, optional
        The symbol's texts, for a view that reads them.

    Raises
    ------
    StateMismatch
        If the rebuilt state is not that of `mark`: another view, or bars that were corrected since.
    """
    if mark is not None and mark.view != view.version:
        raise StateMismatch(mark.view, f"the view is {view.version} now")
    known = bars if mark is None else bars.filter(pl.col("session") <= mark.session)
    engine = StreamEngine(view, calendar, texts)
    if known.height:
        engine.load(adjust_forward(known, calendar))
    if mark is not None:
        if known.height == 0 or engine.mark() != mark:
            why = f"the bars up to {mark.session} do not lead to the state that was marked"
            raise StateMismatch(mark.view, why)
        for bar in bars_in_order(bars.filter(pl.col("session") > mark.session)):
            engine.push(bar)
    return engine
