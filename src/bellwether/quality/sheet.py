"""One symbol's columns while they are put right, with a log of every cell that changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PRICES = ("open", "high", "low", "close")
SNAP = 1e-14


@dataclass(frozen=True, slots=True)
class Why:
    """What kind of fault, the evidence as a sentence, and how sure it is (0 to 1)."""

    kind: str
    evidence: str
    confidence: float


@dataclass(slots=True)
class Sheet:
    """A working copy of one symbol's bars, all arrays of shape (n,) in order of sessions.

    `values` maps a column to its numbers, `was` to the numbers at first. `basis` is the symbol's
    `adjustment`. `position` counts exchange sessions, also for days that are none. `changes` holds
    the last reason for every cell (row, column); `left` the findings that are not repaired.
    """

    symbol: str
    days: npt.NDArray[np.datetime64]
    position: Ints
    basis: str
    values: dict[str, Floats]
    was: dict[str, Floats] = field(default_factory=dict)
    changes: dict[tuple[int, str], Why] = field(default_factory=dict)
    left: list[tuple[int, Why]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Remember what every cell said at first."""
        self.was = {name: column.copy() for name, column in self.values.items()}

    def put(self, row: int, name: str, value: float, why: Why) -> None:
        """Write one cell, and say why."""
        self.values[name][row] = value
        self.changes[row, name] = why

    def leave(self, row: int, why: Why) -> None:
        """Say that something looks wrong and stays."""
        self.left.append((row, why))

    def valid(self) -> Ints:
        """Return the rows that have a price."""
        close = self.values["close"]
        return np.flatnonzero(np.isfinite(close) & (close > 0))

    def shares(self) -> Floats:
        """Return how many shares one share of the first row has become, by the listed splits."""
        if self.basis != "none":
            return np.ones(len(self.days))
        return np.asarray(np.cumprod(self.values["split_ratio"]))

    def continuous(self) -> Floats:
        """Return closes without the jumps of listed splits."""
        return self.values["close"] * self.shares()

    def day(self, row: int) -> str:
        """Return the session of a row as text."""
        return str(self.days[row])

    def scale(self, rows: Ints, by: float, why: Why, *, shares: bool) -> None:
        """Multiply the prices of `rows`, and divide their volume where `shares` says so.

        Adjusted closes go along where they show the same fault: where they stand to their closes
        as those of the nearest other row do.
        """
        adjusted = self.values.get("adj_close")
        follow = rows if adjusted is None else self._following(rows, adjusted)
        for name in PRICES:
            column = self.values[name]
            for row in rows[np.isfinite(column[rows])]:
                self.put(int(row), name, times(float(column[row]), by), why)
        if adjusted is not None:
            for row in follow:
                self.put(int(row), "adj_close", times(float(adjusted[row]), by), why)
        if shares:
            volume = self.values["volume"]
            for row in rows[np.isfinite(volume[rows]) & (volume[rows] > 0)]:
                told = float(np.round(times(float(volume[row]), 1.0 / by)))
                self.put(int(row), "volume", told, why)

    def _following(self, rows: Ints, adjusted: Floats) -> Ints:
        ratio = adjusted / self.values["close"]
        others = np.setdiff1d(self.valid(), rows)
        others = others[np.isfinite(ratio[others]) & (ratio[others] > 0)]
        if len(others) == 0:
            return rows[:0]
        after = np.minimum(np.searchsorted(others, rows), len(others) - 1)
        near = ratio[others[after]]
        alike = np.abs(np.log(np.abs(ratio[rows] / near) + 1e-300)) < np.log(2.0)
        following: Ints = rows[alike & np.isfinite(ratio[rows])]
        return following


def times(value: float, by: float) -> float:
    """Multiply, as exactly as a person would: 4037 times 0.01 is 40.37."""
    inverse = 1.0 / by
    whole = round(inverse)
    out = value / whole if whole > 1 and abs(inverse - whole) < 1e-9 * whole else value * by
    short = float(f"{out:.13g}")
    return short if abs(short - out) <= SNAP * abs(out) else out


def spread_of(changes: Floats, least: float) -> float:
    """Return the robust daily spread of log changes, those of idle days left out.

    Parameters
    ----------
    changes : ndarray of shape (n,)
        Log returns; NaN and zeros are left out.
    least : float
        What is returned at least, and where there are under four.
    """
    moved = changes[np.isfinite(changes) & (changes != 0)]
    if len(moved) < 4:  # noqa: PLR2004 - a spread of three is no spread
        return max(least, 0.02)
    return max(least, 1.4826 * float(np.median(np.abs(moved - np.median(moved)))))


def listed(rows: Sequence[int] | Ints, sheet: Sheet) -> str:
    """Name the first and the last session of rows."""
    first, last = sheet.day(int(rows[0])), sheet.day(int(rows[-1]))
    return first if first == last else f"{first} to {last}"
