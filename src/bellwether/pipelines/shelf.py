"""Where the tables of a walk forward lie while its folds are worked on: one in each process."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from uuid import uuid4

from bellwether.models.cuts import drawn_from
from bellwether.models.table import Matrix, Numbers, Table


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the table of some folds that follow each other is made of.

    `fold` is the place of the one whose training rows, `rows`, say where bins are cut; `end` is
    one more than the last row that any of the folds trains on.
    """

    fold: int
    rows: Numbers
    end: int


def drawn_for(X: Matrix, trains: Sequence[Numbers]) -> list[Drawn]:
    """Return of each fold's training rows what their table is made of."""
    by = drawn_from(X, trains)
    ends = {b: max(int(trains[i][-1]) + 1 for i, own in enumerate(by) if own == b) for b in by}
    return [Drawn(b, trains[b], ends[b]) for b in by]


@dataclass
class Shelf:
    """Keeps the table that was asked for last, for folds come in order and share one.

    Sent to another process it becomes the shelf of that name there: every process makes a table
    for itself, from rows that say all of it, and makes it once.
    """

    name: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._lies: dict[int, Table] = {}

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return _here, (self.name,)

    def table(self, X: Matrix, drawn: Drawn) -> Table:
        """Return the table of a fold."""
        with self._lock:
            if drawn.fold not in self._lies:
                self._lies.clear()  # before the next is made, so that there is room
                self._lies[drawn.fold] = Table(X[: drawn.end], drawn.rows)
            return self._lies[drawn.fold]


_shelves: list[Shelf] = []


def _here(name: str) -> Shelf:
    """Return the shelf of this process; that of another walk is cleared away."""
    if not _shelves or _shelves[0].name != name:
        _shelves[:] = [Shelf(name)]
    return _shelves[0]
