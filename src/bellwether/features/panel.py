"""The panel engine: a view over all symbols, in parallel, from frame to frame.

TA-Lib and NumPy let go of the interpreter's lock, so threads share the cores and the arrays.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.features.arrays import Array, Workspace, run
from bellwether.features.expr import Across
from bellwether.features.feature import FeatureView
from bellwether.features.history import blank
from bellwether.features.inputs import columns_for
from bellwether.features.program import Program, compiled
from bellwether.features.section import Codes, look, stages

State = tuple[pl.DataFrame, pl.Series | None]
"""One symbol's series as known for a time, and which rows were decided in it (None: all)."""


MANY = 2_000_000
"""Rows from which compiled functions pay for their compilation, some seconds once per installation."""


@dataclass(frozen=True, slots=True)
class Section:
    """Who may be in the section, beside the rule that its bar was known at the close.

    Attributes
    ----------
    members : DataFrame or None
        symbol and session of those who were in the universe as known then; None lets all in.
    sectors : DataFrame or None
        symbol, sector and `known_from` (Date), the first session at whose close it was known.
    """

    members: pl.DataFrame | None = None
    sectors: pl.DataFrame | None = None


@dataclass(slots=True)
class _Piece:
    """The rows of one state that are kept, and where they go."""

    symbol: int
    series: pl.DataFrame
    kept: Any
    at: Any
    extra: dict[str, Array] = field(default_factory=dict)

    def columns(self, program: Program) -> dict[str, Array]:
        own = [name for name in program.columns if name not in self.extra]
        return columns_for(self.series, own) | self.extra

    def rows(self) -> pl.DataFrame:
        told = _keys(self.series)
        return told if self.kept is None else told.filter(self.kept)


class Parts(dict[str, Sequence[State]]):
    """A frame parted by symbol, which remembers the frame it was."""

    def __init__(self, frame: pl.DataFrame) -> None:
        runs = frame["symbol"].rle().struct.unnest()
        starts = (runs["len"].cum_sum() - runs["len"]).to_list()
        spans = zip(runs["value"], starts, runs["len"], strict=True)
        super().__init__({s: [(frame.slice(start, n), None)] for s, start, n in spans})
        self.frame = frame
        self.in_order = list(self) == sorted(runs["value"].to_list())


def split(frame: pl.DataFrame) -> Parts:
    """Part a frame (schema SERIES, by symbol and session) by symbol, without copying."""
    return Parts(frame)


def _keys(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("symbol", "session", last_close="raw_close")


def compute(
    view: FeatureView,
    states: Mapping[str, Sequence[State]],
    calendar: SessionCalendar,
    section: Section | None = None,
    workers: int = 2,
) -> pl.DataFrame:
    """Compute `view` for every symbol.

    Parameters
    ----------
    view : FeatureView
        What to compute.
    states : mapping of str to sequence of (DataFrame, Series or None)
        Each symbol's series between its corrections (`history.states`), or whole (`split`).
    section : Section, optional
        Who may be in the section, for views that look across symbols.
    workers : int
        Threads.

    Returns
    -------
    DataFrame
        symbol, session, last_close (as told, USD), then one float64 column a feature, by symbol and
        session; each row from what was known when it was decided.
    """
    pieces = [p for i, s in enumerate(sorted(states)) for p in _pieces(i, states[s])]
    ends = np.cumsum([p.at.size for p in pieces], dtype=np.int64)
    looks = stages(tuple(f.expression for f in view.features))
    with ThreadPoolExecutor(workers) as pool:
        if looks:
            _look_across(looks, pieces, calendar, section or Section(), pool)
        n = int(ends[-1]) if len(ends) else 0
        out = list(
            np.empty((len(view.features), n))
        )  # one block: the kernel maps it in large pages
        spaces = _Spaces(pieces)

        def one(at: int) -> None:
            mine = slice(ends[at] - pieces[at].at.size, ends[at])
            _into(view, pieces[at], [column[mine] for column in out], spaces.mine)

        list(pool.map(one, _apart(len(pieces), workers)))
    if isinstance(states, Parts) and states.in_order:
        rows = _keys(states.frame)
    else:
        rows = pl.concat([p.rows() for p in pieces], rechunk=True)
    frame = rows.with_columns(
        _adopted(name, column) for name, column in zip(view.columns, out, strict=True)
    )
    whole = all(p.kept is None for p in pieces)
    return frame if whole else frame.sort("symbol", "session")


def _apart(n: int, workers: int) -> Iterable[int]:
    """Order the pieces so that threads write far from each other.

    Two threads that first touch one large page at the same time both wipe it, and one for nothing.
    """
    step = -(-n // workers)
    return (at for first in range(step) for at in range(first, n, step))


def _pieces(symbol: int, states: Sequence[State]) -> Iterable[_Piece]:
    taken: set[Any] = set()
    for series, decided in states:
        if decided is None or (len(states) == 1 and decided.all()):
            yield _Piece(symbol, series, None, np.arange(series.height))
            continue
        fresh = decided & ~series["session"].is_in(list(taken))
        taken |= set(series["session"].filter(fresh))
        kept = fresh.to_numpy()
        yield _Piece(symbol, series, kept, np.flatnonzero(kept))


class _Spaces(threading.local):
    """A workspace for each thread; compiled functions where there is enough to do."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        rows = sum(p.series.height for p in pieces)
        self.mine = Workspace(kernels=rows >= MANY)


def _into(view: FeatureView, piece: _Piece, out: list[Array], workspace: Workspace) -> None:
    program = view.program
    whole = out if piece.kept is None else [np.empty(piece.series.height) for _ in out]
    run(program, piece.columns(program), whole, workspace)
    if piece.extra:
        for row in whole:
            row[np.isnan(row)] = np.nan
    blank(view, piece.series, whole)
    if piece.kept is not None:
        for row, found in zip(out, whole, strict=True):
            row[:] = found[piece.kept]


def _adopted(name: str, column: Array) -> pl.Series:
    """Make a column of an array without copying it; nobody writes to it any more."""
    import pyarrow as pa

    held = pa.Array.from_buffers(pa.float64(), len(column), [None, pa.py_buffer(column)])
    return pl.Series(name, held)


def _look_across(
    looks: list[list[Across]],
    pieces: list[_Piece],
    calendar: SessionCalendar,
    section: Section,
    pool: ThreadPoolExecutor,
) -> None:
    """Fill `extra` of every piece with what each look across the section gave."""
    spaces = _Spaces(pieces)
    places = [calendar.positions(p.series["session"].to_numpy()) for p in pieces]
    base = min((int(x[0]) for x in places if len(x)), default=0)
    shape = (
        max((p.symbol for p in pieces), default=-1) + 1,
        max((int(x[-1]) for x in places if len(x)), default=-1) - base + 1,
    )
    inside, sectors = _inside(pieces, places, base, shape, calendar, section)
    for nodes in looks:
        program = compiled(n.inner for n in nodes)
        values = np.full((len(nodes), *shape), np.nan)

        def one(at: int, program: Program = program, values: Array = values) -> None:
            piece, place = pieces[at], places[at] - base
            out = np.empty((len(program.outputs), len(place)))
            run(program, piece.columns(program), out, spaces.mine)
            values[:, piece.symbol, place[piece.at]] = out[:, piece.at]

        list(pool.map(one, range(len(pieces))))
        values[:, ~inside] = np.nan
        found = list(pool.map(_looker(nodes, values, sectors), range(len(nodes))))
        for piece, place in zip(pieces, places, strict=True):
            mine = {
                str(n): f[piece.symbol, place - base] for n, f in zip(nodes, found, strict=True)
            }
            piece.extra |= mine


def _looker(nodes: list[Across], values: Array, sectors: Codes) -> Callable[[int], Array]:
    return lambda i: look(nodes[i].function, values[i], sectors)


def _inside(
    pieces: list[_Piece],
    places: list[Any],
    base: int,
    shape: tuple[int, int],
    calendar: SessionCalendar,
    section: Section,
) -> tuple[Any, Codes]:
    inside, sectors = np.zeros(shape, dtype=bool), np.full(shape, -1, dtype=np.int64)
    allowed = None if section.members is None else _by_symbol(section.members)
    told = None if section.sectors is None else _coded(section.sectors)
    for piece, place in zip(pieces, places, strict=True):
        if not len(place):
            continue
        symbol = piece.series["symbol"][0]
        known = piece.series["knowledge_time"].dt.replace_time_zone(None).to_numpy()
        here = ~piece.series["carried"].to_numpy() & (known <= calendar.closes[place])
        if allowed is not None:
            here &= np.isin(place, calendar.positions(allowed.get(symbol, _NO_DAYS)))
        inside[piece.symbol, place[piece.at] - base] = here[piece.at]
        for first, code in () if told is None else told.get(symbol, ()):
            later = calendar.sessions[base : base + shape[1]] >= first
            sectors[piece.symbol, later] = code
    return inside, sectors


_NO_DAYS = np.empty(0, dtype="datetime64[D]")


def _by_symbol(members: pl.DataFrame) -> dict[str, Any]:
    parts = members.partition_by("symbol", as_dict=True)
    return {str(key[0]): part["session"].to_numpy() for key, part in parts.items()}


def _coded(sectors: pl.DataFrame) -> dict[str, list[tuple[Any, int]]]:
    codes = {name: i for i, name in enumerate(sectors["sector"].unique().sort())}
    found: dict[str, list[tuple[Any, int]]] = {}
    rows = sectors.sort("symbol", "known_from").select("symbol", "sector", "known_from").rows()
    for symbol, sector, first in rows:
        found.setdefault(symbol, []).append((np.datetime64(first, "D"), codes[sector]))
    return found
