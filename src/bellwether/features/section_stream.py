"""The stream engine across symbols: one session of bars in, one vector a symbol out."""

from collections.abc import Collection, Mapping
from datetime import date

import numpy as np

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import SchemaViolation
from bellwether.core.types import Bar
from bellwether.features.adjust import AdjustedBar, ForwardAdjuster
from bellwether.features.arrays import Array
from bellwether.features.exact import NAN
from bellwether.features.expr import Across
from bellwether.features.feature import FeatureView
from bellwether.features.inputs import reader
from bellwether.features.machine import Machine
from bellwether.features.program import Program, compiled
from bellwether.features.section import ONE_FOR_ALL, look, stages


class _Symbol:
    """The state of one symbol: its adjusted series and a machine for each stage."""

    def __init__(self, programs: list[Program], calendar: SessionCalendar) -> None:
        self.adjuster = ForwardAdjuster(calendar)
        self.machines = [Machine(program) for program in programs]


class SectionStream:
    """A view that looks across symbols, session by session.

    Not thread-safe. Symbols may come, go and come back; a session that nobody traded is left out.
    """

    def __init__(self, view: FeatureView, calendar: SessionCalendar) -> None:
        roots = tuple(f.expression for f in view.features)
        self._calendar, self._refused = calendar, view.refused
        self._looks: list[list[Across]] = stages(roots)
        self._programs = [compiled(n.inner for n in nodes) for nodes in self._looks]
        self._programs.append(view.program)
        named = {str(n) for nodes in self._looks for n in nodes}
        self._readers = {c: reader(c) for p in self._programs for c in p.columns if c not in named}
        self._symbols: dict[str, _Symbol] = {}
        self._told: dict[date, dict[str, float]] = {}
        self._last = date.min

    def push(
        self,
        session: date,
        bars: Mapping[str, Bar],
        members: Collection[str] | None = None,
        sectors: Mapping[str, str] | None = None,
    ) -> dict[str, Array]:
        """Take the bars of one session and return the vector of each of their symbols.

        Parameters
        ----------
        session : date
            Later than the last one.
        bars : mapping of str to Bar
            The bars of the session that are there.
        members : collection of str, optional
            Who of them is in the section: known at the close, and in the universe. None: all.
        sectors : mapping of str to str, optional
            The sectors that are known by now.

        Raises
        ------
        SchemaViolation
            If the session is not later than the last one, or a bar is of another session.
        """
        self._check(session, bars)
        self._last = session
        if not bars:
            return {}
        names = sorted(bars)
        adjusted = {s: self._catch_up(s, bars[s]) for s in names}
        inside = np.array([members is None or s in members for s in names], dtype=bool)
        codes = {name: i for i, name in enumerate(sorted(set((sectors or {}).values())))}
        mine = np.array([codes.get((sectors or {}).get(s, ""), -1) for s in names], dtype=np.int64)
        said: dict[str, dict[str, float]] = {s: {} for s in names}
        for stage, nodes in enumerate(self._looks):
            values = np.array([self._run(stage, s, adjusted[s], said[s]) for s in names])
            values[~inside] = NAN
            for i, node in enumerate(nodes):
                found = look(node.function, values[:, i : i + 1], mine[:, None])[:, 0]
                for symbol, value in zip(names, found, strict=True):
                    said[symbol][str(node)] = float(value)
                if node.function in ONE_FOR_ALL:
                    self._told.setdefault(session, {})[str(node)] = float(found[0])
        return {s: self._vector(s, adjusted[s], said[s]) for s in names}

    def _check(self, session: date, bars: Mapping[str, Bar]) -> None:
        if session <= self._last:
            raise SchemaViolation("bars", f"session {session} after {self._last}")
        for symbol, bar in bars.items():
            if bar.session != session:
                raise SchemaViolation("bars", f"{symbol} {bar.session} among those of {session}")

    def _catch_up(self, symbol: str, bar: Bar) -> AdjustedBar:
        """Carry the sessions that the symbol missed, with what was told across them."""
        if symbol not in self._symbols:
            self._symbols[symbol] = _Symbol(self._programs, self._calendar)
        *carried, newest = self._symbols[symbol].adjuster.push(bar)
        for missed in carried:
            told = self._told.get(missed.session, {})
            for stage in range(len(self._programs)):
                self._run(stage, symbol, missed, told)
        return newest

    def _run(self, stage: int, symbol: str, bar: AdjustedBar, said: Mapping[str, float]) -> Array:
        columns = self._programs[stage].columns
        inputs = [
            self._readers[c](bar) if c in self._readers else said.get(c, NAN) for c in columns
        ]
        return self._symbols[symbol].machines[stage].advance(inputs)

    def _vector(self, symbol: str, bar: AdjustedBar, said: Mapping[str, float]) -> Array:
        vector = self._run(len(self._programs) - 1, symbol, bar, said)
        vector[np.isnan(vector)] = NAN
        vector[list(self._refused[bar.adjustment])] = NAN
        return vector
