"""The rules an account trades under. Realistic by default; what is left out is left out by name."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np

from bellwether.backtest.books import Terms
from bellwether.backtest.costs import BPS, SESSIONS_PER_YEAR, Costs
from bellwether.core.errors import InvalidRequest, UnknownName

SWITCHES = (
    *("next_open", "commission", "spread", "slippage", "impact", "participation"),
    *("borrow", "borrow_availability", "dividends", "splits", "cash_interest"),
    *("margin_interest", "delisting", "halts", "lots"),
)
# half-spread in bps by USD traded a day, from the thinnest: 20 below 1 M, 8 to 10 M, 3 to 100 M, 1
SPREAD_TIERS = ((0.0, 20.0), (1e6, 8.0), (1e7, 3.0), (1e8, 1.0))
NUMBERS = (
    *("slippage_bps", "commission_per_share_usd", "commission_minimum_usd", "participation_cap"),
    *("lot_shares", "margin_spread_bps_per_year"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """How an account trades; `docs/backtest.md` states each rule and its source.

    Attributes
    ----------
    costs : Costs
        Commission, half-spread, borrow, impact, and the capital that the account starts with.
    lag_sessions : int
        Sessions from a decision at a close to its fill at an open: 1 is the next open. 0 fills at
        the open of the very session whose close decided; it has to be asked for, and the result
        says so.
    sizing : "close" or "fill"
        The price and the equity that turn a target into shares: of the last close before the fill,
        which is what can be known, or of the opening itself.
    slippage_bps, commission_per_share_usd, commission_minimum_usd : float
        On top of `costs`: bps of what is traded; USD a share; the least that an order pays.
    spread_tiers : tuple of (USD traded a day, half-spread in bps), optional
        From 0 upwards; replaces the flat half-spread. Unknown volume pays the first.
    participation_cap : float
        Most of an average day's volume that one session's order may be.
    unfilled, halted_orders : "carry" or "drop"
        What becomes of what the cap left unfilled, and of an order that met a halt: it waits for
        the next open until a new target replaces it, or is forgotten.
    lot_shares : float
        Orders are rounded towards 0 to lots; one that closes a position may be odd. 0: fractions.
    margin : bool
        Allow cash below 0, at interest. Otherwise orders that open positions are scaled down
        together to the free cash, and the result counts it.
    margin_spread_bps_per_year : float
        Over the cash rate, on what is owed.
    short_proceeds : "locked" or "free"
        Locked proceeds earn nothing and buy nothing.
    missing_delisting_return : float
        Taken where a symbol ends and no delisting return is told (-30%: Shumway 1997).
    off : tuple of str
        Realism switched off, by name (`SWITCHES`).

    Raises
    ------
    InvalidRequest
        If a number is outside its range.
    UnknownName
        If there is no such switch.

    Examples
    --------
    >>> Rules().without("impact").off
    ('impact',)
    >>> Rules(lag_sessions=0).left_out()
    ('next_open',)
    """

    costs: Costs = field(default_factory=Costs)
    lag_sessions: int = 1
    sizing: Literal["close", "fill"] = "close"
    slippage_bps: float = 1.0
    commission_per_share_usd: float = 0.0
    commission_minimum_usd: float = 0.0
    spread_tiers: tuple[tuple[float, float], ...] | None = None
    participation_cap: float = 0.05
    unfilled: Literal["carry", "drop"] = "carry"
    halted_orders: Literal["carry", "drop"] = "carry"
    lot_shares: float = 1.0
    margin: bool = False
    margin_spread_bps_per_year: float = 150.0
    short_proceeds: Literal["locked", "free"] = "locked"
    missing_delisting_return: float = -0.30
    off: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in NUMBERS:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InvalidRequest(name, f"is {value}, must be 0 or more")
        if isinstance(self.lag_sessions, bool) or not isinstance(self.lag_sessions, int):
            raise InvalidRequest("lag_sessions", f"is {self.lag_sessions!r}, not a whole number")
        if self.lag_sessions < 0:
            raise InvalidRequest("lag_sessions", f"is {self.lag_sessions}: that trades the future")
        if not -1 <= self.missing_delisting_return < math.inf:
            raise InvalidRequest("missing_delisting_return", "must be -1 or more")
        self._check_words()
        self._check_tiers()

    def _check_words(self) -> None:
        words = {
            "sizing": ("close", "fill"),
            "unfilled": ("carry", "drop"),
            "halted_orders": ("carry", "drop"),
            "short_proceeds": ("locked", "free"),
        }
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise InvalidRequest(name, f"is {getattr(self, name)!r}, not one of {known}")
        for name in self.off:
            if name not in SWITCHES:
                raise UnknownName("switch", name, SWITCHES)
        if "next_open" in self.off:
            raise InvalidRequest("off", "next_open is switched off by lag_sessions=0")

    def _check_tiers(self) -> None:
        if self.spread_tiers is None:
            return
        numbers = np.array(self.spread_tiers, dtype=np.float64)
        if numbers.ndim != 2 or numbers.shape[1] != 2 or not np.isfinite(numbers).all():  # noqa: PLR2004
            raise InvalidRequest("spread_tiers", "must be pairs of USD a day and bps")
        adv, bps = numbers.T
        if adv[0] != 0 or (np.diff(adv) <= 0).any() or (bps < 0).any():
            raise InvalidRequest("spread_tiers", "must start at 0 and ascend, bps 0 or more")

    def without(self, switch: str) -> Self:
        """Return these rules with one more item of realism switched off."""
        if switch == "next_open":
            return replace(self, lag_sessions=0)
        return replace(self, off=(*self.off, switch)) if switch not in self.off else self

    def left_out(self) -> tuple[str, ...]:
        """Name what these rules leave out, in the order of `SWITCHES`."""
        spread = self.costs.half_spread_bps if self.spread_tiers is None else 1.0
        commission = (
            self.costs.commission_bps + self.commission_per_share_usd + self.commission_minimum_usd
        )
        amounts = {
            "next_open": self.lag_sessions,
            "commission": commission,
            "spread": spread,
            "slippage": self.slippage_bps,
            "impact": self.costs.impact_coefficient,
            "participation": self.participation_cap,
            "lots": self.lot_shares,
        }
        return tuple(s for s in SWITCHES if s in self.off or amounts.get(s, 1.0) == 0)

    def terms(self, off: tuple[str, ...]) -> Terms:
        """Return the rules as the numbers of the engine; `off` names all that is left out."""

        def on(switch: str, value: float, otherwise: float = 0.0) -> float:
            return otherwise if switch in off else float(value)

        tiers = self.spread_tiers or ((0.0, self.costs.half_spread_bps),)
        return Terms(
            lag=self.lag_sessions,
            size_at_fill=self.sizing == "fill",
            lot=on("lots", self.lot_shares),
            commission=on("commission", self.costs.commission_bps * BPS),
            per_share=on("commission", self.commission_per_share_usd),
            minimum=on("commission", self.commission_minimum_usd),
            slippage=on("slippage", self.slippage_bps * BPS),
            impact=on("impact", self.costs.impact_coefficient),
            cap=on("participation", self.participation_cap, math.inf),
            tier_adv=np.array([adv for adv, _ in tiers[1:]], dtype=np.float64),
            tier_spread=np.array([on("spread", bps * BPS) for _, bps in tiers]),
            keep_unfilled=self.unfilled == "carry",
            keep_halted=self.halted_orders == "carry",
            margin=self.margin,
            margin_spread=on(
                "margin_interest", self.margin_spread_bps_per_year * BPS / SESSIONS_PER_YEAR
            ),
            margin_rate=on("margin_interest", 1.0),
            interest=on("cash_interest", 1.0),
            locked=self.short_proceeds == "locked",
            fill_anyway="halts" in self.off,
        )
