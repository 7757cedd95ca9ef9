"""A program parted into TA-Lib's functions and a table of all other steps, for one symbol's machine."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bellwether.features.exact import NAN
from bellwether.features.program import Program, Step

Array = npt.NDArray[np.float64]
Table = npt.NDArray[np.int64]
PROGRAMS = 64


@dataclass(frozen=True)
class Layout:
    """What a machine starts from.

    Attributes
    ----------
    table : ndarray of shape (n_rows, 8)
        Rows for `tape.play`.
    memory : ndarray of shape (n_places,)
        A place for each step, then the rings of lags, then the outputs from `outputs` on.
    parts : tuple of int or (int, int)
        In order: a step that is a TA-Lib handle, or a first and last row of the table.
    rings : dict
        For each step that holds values its row, where its ring starts, and how many it holds.
    """

    table: Table
    memory: Array
    parts: tuple[int | tuple[int, int], ...]
    rings: dict[int, tuple[int, int, int]]
    outputs: int

    def turn(self, table: Table, row: int) -> int:
        """Return which value of a ring is the oldest."""
        from bellwether.features.tape import TURN

        return int(table[row, TURN])

    def turn_back(self, table: Table, row: int) -> None:
        """Let the first value of a ring be the oldest."""
        from bellwether.features.tape import TURN

        table[row, TURN] = 0


@lru_cache(PROGRAMS)
def layout(program: Program) -> Layout:
    """Lay `program` out; steps keep their order but where a TA-Lib function has to come between."""
    writer = _Writer(program)
    parts = writer.scheduled()
    outputs = writer.places
    for i, given in enumerate(program.outputs):
        writer.copy(given, outputs + i)
    if parts and isinstance(parts[-1], tuple):
        parts[-1] = (parts[-1][0], len(writer.rows))
    else:
        parts.append((len(writer.rows) - len(program.outputs), len(writer.rows)))
    memory = np.full(outputs + len(program.outputs), NAN)
    for at, step in enumerate(program.steps):
        if step.do == "const":
            memory[at] = step.how
    return Layout(
        np.array(writer.rows, dtype=np.int64), memory, tuple(parts), writer.rings, outputs
    )


class _Writer:
    def __init__(self, program: Program) -> None:
        self._steps = program.steps
        self._open = {at for at, s in enumerate(program.steps) if s.do not in ("column", "const")}
        self.places = len(program.steps)
        self.rows: list[list[int]] = []
        self.rings: dict[int, tuple[int, int, int]] = {}

    def scheduled(self) -> list[int | tuple[int, int]]:
        """Write the rows, and say in which order rows and handles come."""
        parts: list[int | tuple[int, int]] = []
        while self._open:
            parts += self._taken(handles=True)
            first = len(self.rows)
            for at in self._taken(handles=False):
                self._row(at, self._steps[at])
            if len(self.rows) > first:
                parts.append((first, len(self.rows)))
        return parts

    def _taken(self, *, handles: bool) -> list[int]:
        """Close what can be done now, in order: handles, or rows; picks come with their function."""
        taken = []
        for at in sorted(self._open):
            step = self._steps[at]
            if any(a in self._open for a in step.args):
                continue
            if step.do == "pick" or _is_handle(step) is handles:
                self._open.discard(at)
                if step.do != "pick":
                    taken.append(at)
        return taken

    def copy(self, step: int, to: int) -> None:
        """Write what a step gave to another place."""
        from bellwether.features.tape import COPY

        self.rows.append([COPY, step, 0, 0, to, 0, 0, 0])

    def _row(self, at: int, step: Step) -> None:
        from bellwether.features.tape import CODES, FROM_TALIB, LAG, THIRD

        size = 0
        if step.do == "ta" and isinstance(step.how, tuple):
            function, params, _ = step.how
            do = FROM_TALIB[function]
            size = 0 if do == THIRD else int(dict(params)["timeperiod"])
        elif step.do == "lag":
            do, size = LAG, int(str(step.how))
        else:
            do = CODES[str(step.how)]
        args = [*step.args, 0, 0, 0][:3]
        if size:
            self.rings[at] = (len(self.rows), self.places, size)
        self.rows.append([do, *args, at, self.places, size, 0])
        self.places += size


def _is_handle(step: Step) -> bool:
    from bellwether.features.tape import FROM_TALIB

    if step.do != "ta" or not isinstance(step.how, tuple):
        return False
    function, params, _ = step.how
    return function not in FROM_TALIB or (
        function != "TYPPRICE" and "timeperiod" not in dict(params)
    )
