"""What is done about each kind of fault: declared here, the same for everybody who asks.

Nothing that is kept is ever altered. What breaks a rule at the door goes to quarantine; what looks
wrong afterwards stays in the lake as it was told and is flagged; a real extreme is kept. Models see
drawn-in extremes only where a run asks for it by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

QUALITY_BAR = 0.98
"""Share of sessions without fault that each symbol and all together need, unless set otherwise."""


class Treatment(StrEnum):
    """What happens to a bar or a row of one kind of fault."""

    KEEP = "keep"
    FLAG = "flag"
    WINSORISE = "winsorise"
    QUARANTINE = "quarantine"


WORDS: Mapping[Treatment, str] = {
    Treatment.KEEP: "stays as told: true, and worth knowing",
    Treatment.FLAG: "stays as told and is flagged; a fault counts against the gate",
    Treatment.WINSORISE: "as flag; a run that asks for it draws the training target in",
    Treatment.QUARANTINE: "is refused at the door with its place, and never reaches the bars",
}

KIND_OF_REASON: Mapping[str, str] = {
    "high_below_low": "ohlc_contradiction",
    "open_or_close_outside_range": "ohlc_contradiction",
    "duplicate": "duplicate",
    "conflicting_duplicate": "duplicate",
    "wrong_zone": "out_of_hours",
    "not_a_session": "out_of_hours",
}
"""Reasons of the quarantine that are a kind of fault by another name; others are kinds themselves."""

WINSORISED = frozenset({"outlier", "unexplained_jump", "decimal_slip"})

MISSING: Mapping[str, str] = {
    "session": "carried: last close, no volume, no label starts or ends on it; flagged missing_session",
    "open, high, low, close": "the row is refused (missing_value), its session is carried",
    "volume": "the row is refused (missing_value), its session is carried; a told 0 is kept and flagged",
    "split_ratio": "1.0: no split was told",
    "dividend_usd": "0.0: no dividend was told",
}
"""What stands where a value is missing, by field. No value is ever guessed from later ones."""


def kind_of(reason: str) -> str:
    """Return the kind of fault of a rejected row."""
    return KIND_OF_REASON.get(reason, reason)


def treatment(kind: str, severity: str) -> Treatment:
    """Return what is done about a flag."""
    if severity == "note":
        return Treatment.KEEP
    return Treatment.WINSORISE if kind in WINSORISED else Treatment.FLAG


@dataclass(frozen=True, slots=True)
class Winsorised:
    """Values drawn in, how many were, and the limits."""

    values: npt.NDArray[np.float64]
    drawn_in: int
    low: float
    high: float


def winsorise(values: npt.NDArray[np.float64], scales: float) -> Winsorised:
    """Draw values in that lie further than `scales` robust deviations from the median.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Such as the log returns of training rows; the limits are known when all of them are. NaN
        stays NaN.
    scales : float
        Positive number of robust deviations (1.4826 times the median absolute deviation).

    Returns
    -------
    Winsorised
        A copy; unchanged where the robust deviation is 0 or nothing is finite.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Winsorised(values.copy(), 0, -np.inf, np.inf)
    middle = float(np.median(finite))
    spread = 1.4826 * float(np.median(np.abs(finite - middle)))
    if spread == 0.0:
        return Winsorised(values.copy(), 0, -np.inf, np.inf)
    low, high = middle - scales * spread, middle + scales * spread
    drawn = np.clip(values, low, high)
    return Winsorised(drawn, int(np.sum((values < low) | (values > high))), low, high)
