"""What an audit looks at and what it finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

KEYS = ("symbol", "session")
BARS = (
    *("symbol", "session", "open", "high", "low", "close", "volume"),
    *("split_ratio", "dividend_usd", "knowledge_time"),
)


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars of several symbols and, where there is one, their universe.

    `bars` has the columns BARS, one row a symbol and session, sorted by them; `universe` has
    universe, symbol, first, last, end_reason and delisting_return (schema UNIVERSE). `texts` has
    symbol, `known_at` (when first seen), text and score, for what reads them.
    """

    bars: pl.DataFrame
    universe: pl.DataFrame | None = None
    texts: pl.DataFrame | None = None


Compute = Callable[[Panel], pl.DataFrame]
"""From a panel to a frame of symbol, session and columns of numbers, in any order of rows."""

Fold = tuple[Sequence[int], Sequence[int]]
"""Row numbers to train on and to test on."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is audited.

    Attributes
    ----------
    features : callable
        The features of a panel.
    tolerance : float
        Relative difference that counts as equal; 0.0 demands the same bits.
    label : callable or None
        The label of each row of a panel, a frame of symbol, session and one column; it may carry
        `label_start` and `label_known_at`.
    horizon : int or None
        Sessions the label is said to span.
    folds : callable or None
        Folds of rows with symbol, session, decision_at and label_known_at.
    fit, transform : callable or None
        What is learnt from training rows, and how rows are changed by it.
    decides : str
        "close" where a row is decided after its close, "open" where right after its open.
    filled : str
        When its decision is filled: "next_open", "next_close", "close" or "open".
    fills : callable or None
        The price at which each decision is filled, a frame of symbol, session and one column.
    """

    features: Compute
    tolerance: float = 1e-9
    label: Compute | None = None
    horizon: int | None = None
    folds: Callable[[pl.DataFrame], Sequence[Fold]] | None = None
    fit: Callable[[pl.DataFrame], object] | None = None
    transform: Callable[[object, pl.DataFrame], pl.DataFrame] | None = None
    decides: str = "close"
    filled: str = "next_open"
    fills: Compute | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One leak.

    `check` is what found it, `kind` what it looks like. `session` and `symbol` name the first cell
    that differs, `known_by` the last session of the truncated history; `then` is the cell's value
    with the history up to `known_by`, `later` its value once more is known, None where there is
    no number. `ahead` is how many sessions it looks ahead, None where that is not known.
    """

    check: str
    kind: str
    feature: str
    symbol: str
    session: date | None
    known_by: date | None
    then: float | None
    later: float | None
    sentence: str
    ahead: int | None = None
    cells: int = 1


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is no leak and should be known."""

    check: str
    feature: str
    sentence: str


@dataclass(slots=True)
class Findings:
    """What was found, and how much was looked at."""

    alarms: list[Alarm] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    checks: dict[str, int] = field(default_factory=dict)
    cells: int = 0
    left_out: int = 0

    def looked(self, check: str, cells: int = 0) -> None:
        """Count one comparison of so many cells."""
        self.checks[check] = self.checks.get(check, 0) + 1
        self.cells += cells

    def add(self, other: "Findings") -> None:
        """Take in what was found elsewhere."""
        self.alarms += other.alarms
        self.notes += other.notes
        for check, n in other.checks.items():
            self.checks[check] = self.checks.get(check, 0) + n
        self.cells += other.cells
        self.left_out += other.left_out

    def blamed(self) -> set[str]:
        """Return the features that have an alarm."""
        return {alarm.feature for alarm in self.alarms}
