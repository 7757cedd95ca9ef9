"""Every threshold of the repair step, named. Scores are natural logarithms of odds."""

from dataclasses import dataclass

KINDS = (
    "swapped_range",
    "decimal_slip",
    "split_not_applied",
    "missed_split",
    "misdated_split",
    "units_100x",
    "phantom_dividend",
    "bad_dividend_amount",
    "missing_dividend",
    "dividend_not_adjusted",
)
"""What can be repaired; `RepairPolicy.kinds` may name fewer."""


@dataclass(frozen=True, slots=True)
class RepairPolicy:
    """Thresholds of what counts as strong evidence (docs/repair.md)."""

    kinds: tuple[str, ...] = KINDS
    """Which kinds are repaired; the others are not looked for."""

    least_spread: float = 0.007
    """Least daily spread (log return) of a symbol that evidence is measured against."""
    longest_slip: int = 5
    """Longest run of bars off by a power of ten that is repaired, in sessions."""
    slip_share: float = 0.1
    """Largest share of a symbol's bars off its scale; beyond, which scale is right is unknown."""
    flank: int = 3
    """Least bars on the right scale before and after a slip."""
    unit_stretch: int = 60
    """Longest stretch in other units, from an end of the history, that is repaired, in sessions."""
    unit_settled: int = 5
    """Least sessions for which each of two units has to stand."""
    split_window: int = 10
    """How far (sessions) a jump may lie from the listed split that explains it."""

    twin_sessions: int = 7
    """Two dividends of the same amount within so many sessions are one, told twice."""
    smallest_yield: float = 5e-4
    """A dividend under this share of the price is odd."""
    largest_yield: float = 0.25
    """A dividend over this share of the price is odd."""
    smallest_usd: float = 1e-3
    """No company pays less than this a share (USD); a smaller number is in other units."""
    odds_conflict: float = 6.0
    """Score from which one of two columns that contradict each other is believed."""
    odds_gains: float = 3.0
    """The same where a capital gain explains the contradiction to the cent."""
    odds_agreed: float = 10.0
    """Score from which an amount is changed that nothing in the bars contradicts but the price."""
