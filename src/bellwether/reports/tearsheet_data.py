"""What a tear sheet is made of: plain values, checked once, drawn by `tearsheet` and `terminal`."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest

Role = Literal["model", "baseline", "benchmark"]
Floats = NDArray[np.float64]
Values = Sequence[float | None] | Floats

WRITTEN = ("percent", "ratio", "fine")
FORMATS = ("text", "int", "pct", "num2", "num4", "usd", "bps")
SERIES = (
    "wealth",
    "drawdown",
    "rolling_sharpe",
    "gross_exposure",
    "net_exposure",
    "turnover",
)
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Curve:
    """One way to have invested, session by session.

    Attributes
    ----------
    name : str
        As people call it; each curve of a sheet has its own.
    role : {"model", "baseline", "benchmark"}
        What it is for the reader: what is judged, what it must beat, or the market.
    sessions : sequence of date, shape (n,)
        In order, each once.
    wealth : sequence of float, shape (n,)
        Worth at the close, as a multiple of what was put in; 0 is ruin.
    drawdown : sequence of float, shape (n,)
        Loss since the highest close so far, a fraction, 0 or negative.
    rolling_sharpe : sequence of float, shape (n,)
        Annualised Sharpe ratio of the sessions that end here.
    gross_exposure, net_exposure : sequence of float, shape (n,)
        Held long plus short, and long minus short, over equity, at the close.
    turnover : sequence of float, shape (n,)
        What was traded in the session, over equity.

    Notes
    -----
    None, NaN and infinities are no value: the line has a gap there. A series may be empty: it is
    left out of its chart.

    Raises
    ------
    InvalidRequest
        If sessions are not in order, or a series has another length than they.
    """

    name: str
    role: Role
    sessions: Sequence[date]
    wealth: Values
    drawdown: Values = ()
    rolling_sharpe: Values = ()
    gross_exposure: Values = ()
    net_exposure: Values = ()
    turnover: Values = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.role not in get_args(Role):
            raise InvalidRequest("role", f"{self.role!r} is none of {', '.join(get_args(Role))}")
        days = list(self.sessions)
        if any(isinstance(day, datetime) or not isinstance(day, date) for day in days):
            raise InvalidRequest("sessions", f"{self.name}: each must be a date without a time")
        for before, after in itertools.pairwise(days):
            if after <= before:
                raise InvalidRequest("sessions", f"{self.name}: {after} follows {before}")
        for what in SERIES:
            n = len(getattr(self, what))
            if n not in {0, len(days)}:
                why = f"{self.name} has {n:,} values for {len(days):,} sessions"
                raise InvalidRequest(what, why)

    def series(self, what: str) -> Floats:
        """Return one of `SERIES` as numbers, shape (n,) or (0,); NaN is no value."""
        values = np.array(getattr(self, what), dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return values


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns.

    Attributes
    ----------
    title : str
        Its heading.
    columns : sequence of str
        Names of the columns, shape (k,).
    rows : sequence of sequence of object
        Each of shape (k,); None and NaN show as a dash.
    note : str
        What the reader must know about it: the convention, the sample.
    formats : sequence of str
        How each column is written, shape (k,), or empty: by the type of each cell.
        "text", "int", "num2" and "num4" (digits), "pct" (a fraction, shown times 100), "usd",
        "bps" (a number of basis points, as fields that end in ``_bps`` hold). Text in a column of
        numbers stays text.

    Raises
    ------
    InvalidRequest
        If a row or the formats do not fit the columns, or a format does not exist.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""
    formats: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit."""
        wide = len(self.columns)
        if len(self.formats) not in {0, wide}:
            why = f"{self.title}: {len(self.formats)} for {wide} columns"
            raise InvalidRequest("formats", why)
        for named in self.formats:
            if named not in FORMATS:
                why = f"{self.title}: {named!r} is none of {', '.join(FORMATS)}"
                raise InvalidRequest("formats", why)
        for i, row in enumerate(self.rows):
            if len(row) != wide:
                why = f"{self.title}: row {i} has {len(row)} cells for {wide} columns"
                raise InvalidRequest("rows", why)


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value with what is known about its error.

    Attributes
    ----------
    x : float or str
        Where it stands: a number, or the name of a class.
    y : float
        The value; not finite is no value.
    low, high : float or None
        Ends of its interval, if there is one.
    n : int
        Observations behind it.
    """

    x: float | str
    y: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Points with their intervals, drawn beside each other or along numbers.

    Attributes
    ----------
    title, note : str
        Heading, and what the reader must know.
    x, y : str
        What the axes hold.
    points : sequence of Point
        All with names, or all with numbers as `x`.
    form : {"percent", "ratio", "fine"}
        How values are written: times 100, with two or with four digits.
    zero : bool
        Whether 0 is a level to compare with; the scale then has it.

    Raises
    ------
    InvalidRequest
        If names and numbers are mixed, or the format does not exist.
    """

    title: str
    note: str
    x: str
    y: str
    points: Sequence[Point]
    form: Literal["percent", "ratio", "fine"] = "percent"
    zero: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if len({isinstance(p.x, str) for p in self.points}) > 1:
            raise InvalidRequest("points", f"{self.title}: names and numbers are mixed")
        if self.form not in WRITTEN:
            raise InvalidRequest(
                "form", f"{self.title}: {self.form!r} is none of {', '.join(WRITTEN)}"
            )


@dataclass(frozen=True, slots=True)
class TearSheet:
    """Everything that a report says, of a backtest or another kind, in the order it says it.

    Attributes
    ----------
    title, subtitle : str
        What was tested, over what.
    verdict : sequence of str
        Plain sentences; the first is the heading of the page.
    warnings : sequence of str
        What a reader must not miss. One that says "lag 0" is stamped in red.
    facts : sequence of (str, str)
        Short facts for the top of the page.
    headline : Table
        The figures that matter.
    curves : sequence of Curve
        The model first.
    monthly : mapping of str to sequence of (year, month, return)
        By curve name; a fraction, NaN is no value.
    calibration : sequence of Point
        x the probability that was told, y the share that came true, both fractions.
    ic_by_horizon : sequence of Point
        x the horizon in sessions, y the information coefficient.
    quantiles : sequence of Point
        x the quantile of the forecast, lowest first, y the mean return that followed, a fraction.
    degradation : sequence of Point
        x years since training, y the information coefficient.
    crises : sequence of (str, date, date)
        Windows that are shaded, first and last day.
    tables : sequence of Table
        In order of reading.
    provenance : sequence of (str, str)
        Result hash, data watermark, versions, command.
    pictures : sequence of Picture
        Drawn below the headline.
    kind : str
        What the report is of.

    Raises
    ------
    InvalidRequest
        If two curves have one name, a month does not exist, or a window ends before it begins.
    """

    title: str
    subtitle: str
    verdict: Sequence[str]
    warnings: Sequence[str]
    facts: Sequence[tuple[str, str]]
    headline: Table
    curves: Sequence[Curve] = ()
    monthly: Mapping[str, Sequence[tuple[int, int, float]]] = field(default_factory=dict)
    calibration: Sequence[Point] = ()
    ic_by_horizon: Sequence[Point] = ()
    quantiles: Sequence[Point] = ()
    degradation: Sequence[Point] = ()
    crises: Sequence[tuple[str, date, date]] = ()
    tables: Sequence[Table] = ()
    provenance: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = ()
    kind: str = "Backtest"

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        doubled = _doubled(curve.name for curve in self.curves)
        if doubled:
            raise InvalidRequest("curves", f"more than one is called {doubled!r}")
        for name, returns in self.monthly.items():
            for year, month, _ in returns:
                if not 1 <= month <= MONTHS:
                    raise InvalidRequest("monthly", f"{name}: there is no month {month} of {year}")
            doubled = _doubled(f"{year}-{month:02}" for year, month, _ in returns)
            if doubled:
                raise InvalidRequest("monthly", f"{name} has {doubled} more than once")
        for name, first, last in self.crises:
            if last < first:
                raise InvalidRequest("crises", f"{name} ends on {last}, before {first}")


def is_stamped(warning: str) -> bool:
    """Tell whether a warning says that what was tested cannot be traded."""
    return "lag 0" in warning.lower()


def _doubled(names: Iterable[str]) -> str:
    return next((name for name, n in Counter(names).items() if n > 1), "")
