"""Every threshold of the detectors, named. Units stand with each; `sigma` is the local robust scale.

The local scale of a symbol is 1.4826 times the median absolute market-adjusted log return over
about a quarter, raised on days on which the whole cross-section moves more than usual.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QualityPolicy:
    """Thresholds, with defaults tuned on planted faults and on six real panels (docs/quality.md)."""

    scale_window: int = 63
    """Rows over which the local scale is taken, centred."""
    scale_floor: float = 0.003
    """Least daily scale (log return), so that a pegged price does not make every tick extreme."""
    cross_section: int = 8
    """Least symbols with a bar on a day before the day's median move is taken out."""

    gap_listed: int = 60
    """Missing sessions in a row up to which each is flagged; a longer gap is one flag."""
    halt_sigma: float = 8.0
    """A move over a gap beyond this many sigma speaks for a trading halt, not a hole."""

    slip_slack: float = 0.25
    """How far (natural log) a price may lie from ten times its neighbours and still be a slip."""
    slip_run: int = 250
    """Longest stretch, in rows, of prices in another unit that is told from a change for good."""

    ohlc_slack: float = 2e-6
    """Relative contradiction that binary rounding explains; below, nothing is said."""
    ohlc_ticks: float = 1.5
    """Contradiction, in ticks of the local price grid, that decimal rounding explains: a suspect."""
    regime_rows: int = 21
    """Rows in a row with one and the same fault of a field from which it is a regime: one flag."""

    disagree_return: float = 0.02
    """Difference of two sources' log returns from which they disagree."""
