"""What trading costs, in the two measures of it: a fraction of capital, and an account in USD."""

import math
from dataclasses import dataclass, fields

from bellwether.core.errors import InvalidRequest

SESSIONS_PER_YEAR = 252
BPS = 1e-4


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs; 0 switches a cost off by name.

    Attributes
    ----------
    commission_bps, half_spread_bps : float
        Basis points of what is traded, each side.
    borrow_bps_per_year : float
        Basis points a year of what is held short, charged each session (252 a year).
    impact_coefficient : float
        Factor of the square-root law; about 1 (Toth et al. 2011).
    capital_usd : float
        What a target of 1.0 buys; it sets the size of a trade against the market's volume.

    Raises
    ------
    InvalidRequest
        If a value is negative or not finite, or there is no capital.

    Examples
    --------
    >>> Costs(commission_bps=0.0).switched_off()
    ('commission',)
    """

    commission_bps: float = 1.0
    half_spread_bps: float = 2.0
    borrow_bps_per_year: float = 30.0
    impact_coefficient: float = 1.0
    capital_usd: float = 1_000_000.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value >= 0):
                raise InvalidRequest(item.name, f"is {value}, must be 0 or more")
        if self.capital_usd == 0:
            raise InvalidRequest("capital_usd", "must be above 0")

    def switched_off(self) -> tuple[str, ...]:
        """Name the costs that are 0, as a report has to."""
        charged = {
            "commission": self.commission_bps,
            "spread": self.half_spread_bps,
            "borrow": self.borrow_bps_per_year,
            "impact": self.impact_coefficient,
        }
        return tuple(name for name, value in charged.items() if value == 0)
