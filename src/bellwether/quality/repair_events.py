"""Dividends as events: what was paid, what the adjusted closes say, and what the price did."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bellwether.quality.repair_policy import RepairPolicy
from bellwether.quality.sheet import Floats, Sheet, spread_of

TYPICAL_YIELD, YIELD_SPREAD = -2.1, 0.4
FLOOR = -8.0
TAIL = 4.0
FLOAT32 = 1e-7
AGREED, NOTHING = 0.3, 0.003
UNCERTAIN = float(np.log(2.5))


@dataclass(slots=True)
class Event:
    """One ex-date with a price before it. Amounts in USD per share on the scale of the prices.

    `price` is the last close before, `fall` the share of it that the price lost by the close of
    the ex-date (NaN without trading), `implied` the amount that the adjusted closes subtract
    (NaN where there are none or they are no numbers), `noise` what their rounding leaves open.
    `paid` is the amount on the basis of the ex-date.
    """

    row: int
    before: int
    amount: float
    price: float
    fall: float
    implied: float
    noise: float
    paid: float
    gain: float
    spread: float
    adjusted: bool
    unit: float = 1.0
    """What the listed amount was multiplied by."""
    settled: bool = False
    """Whether the amount, or what contradicts it, is already put right."""

    @property
    def share(self) -> float:
        """Return the amount as a share of the price."""
        return self.amount / self.price

    @property
    def agrees(self) -> bool:
        """Say whether the adjusted closes subtract what is listed, or there are none."""
        if not self.adjusted:
            return True
        return abs(self.implied - self.amount) <= self.noise + AGREED * self.amount

    @property
    def bare(self) -> bool:
        """Say whether the adjusted closes know nothing of it, not even a hundredth."""
        sharp = self.noise < NOTHING * self.amount
        return self.adjusted and sharp and abs(self.implied) <= NOTHING * self.amount

    def heard(self, amount: float, over: float) -> float:
        """Return how much better the price's fall fits `amount` than `over` (log odds)."""
        return _fit(self, amount) - _fit(self, over)


def _fit(event: Event, amount: float) -> float:
    if not np.isfinite(event.fall):
        return 0.0
    z = (event.fall - amount / event.price) / event.spread
    return -(TAIL + 1) / 2 * float(np.log1p(z * z / TAIL))


def usual(share: float) -> float:
    """Return how usual a dividend of this share of the price is (log density, not below -8)."""
    if not 0 < share < 1:
        return -20.0
    z = (np.log10(share) - TYPICAL_YIELD) / YIELD_SPREAD
    return max(FLOOR, float(-z * z / 2))


def pooled(events: Sequence[Event], amounts: Sequence[float], over: Sequence[float]) -> float:
    """Return the log odds that `amounts` are right rather than `over`, over all `events`.

    Each price speaks for itself. How usual an amount is counts for three events at most: what is
    odd about one dividend of a company is odd about all.
    """
    told = zip(events, amounts, over, strict=True)
    prices = sum(e.heard(a, o) for e, a, o in told)
    usuals = [
        usual(a / e.price) - usual(o / e.price)
        for e, a, o in zip(events, amounts, over, strict=True)
    ]
    return float(prices + np.mean(usuals) * min(len(usuals), 3))


def events_of(sheet: Sheet, policy: RepairPolicy) -> list[Event]:
    """List the symbol's dividends, oldest first.

    On the first bar there is nothing to judge by; nor where the ex-date has no price, or where the
    price itself changes its scale.
    """
    rows, base = sheet.valid(), sheet.continuous()
    paid = np.flatnonzero(sheet.values["dividend_usd"] > 0)
    rest = later_splits(sheet)
    ratio, noise = ratio_of(sheet), noise_of(sheet)
    spread = spread_of(np.diff(np.log(base[rows])), policy.least_spread)
    found = []
    for row in paid:
        k = int(np.searchsorted(rows, row))
        if k == 0 or k == len(rows) or rows[k] != row:
            continue
        before = int(rows[k - 1])
        if abs(np.log(base[row] / base[before])) > UNCERTAIN:
            continue
        found.append(_event(sheet, int(row), before, rest, ratio, noise, spread))
    return found


def _event(
    sheet: Sheet, row: int, before: int, rest: Floats, ratio: Floats | None, noise: Floats,
    spread: float,
) -> Event:  # fmt: skip
    close = sheet.values["close"]
    split = sheet.values["split_ratio"][row] if sheet.basis == "none" else 1.0
    price = float(close[before] / split)
    gains = sheet.values.get("capital_gains")
    implied = np.nan
    if ratio is not None and np.isfinite(ratio[before]) and ratio[row] != 0:
        implied = float((1.0 - ratio[before] / ratio[row]) * price)
    return Event(
        row=row,
        before=before,
        amount=float(sheet.values["dividend_usd"][row]),
        price=price,
        fall=float(1.0 - close[row] / price) if _traded(sheet, row, before) else np.nan,
        implied=implied,
        noise=float(price * (noise[before] + noise[row]) * 1.5),
        paid=float(sheet.values["dividend_usd"][row] * rest[row]),
        gain=0.0 if gains is None else float(np.nan_to_num(gains[row])),
        spread=spread,
        adjusted=ratio is not None,
    )


def later_splits(sheet: Sheet) -> Floats:
    """Return what turns an amount on the prices' scale into one on the ex-date's basis."""
    if sheet.basis != "splits":
        return np.ones(len(sheet.days))
    whole = np.cumprod(sheet.values["split_ratio"])
    rest: Floats = whole[-1] / whole
    return rest


def ratio_of(sheet: Sheet) -> Floats | None:
    """Return adjusted closes over closes: it moves on ex-dates only, for dividends only."""
    adjusted = sheet.values.get("adj_close")
    if adjusted is None or sheet.basis == "total":
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = adjusted / sheet.continuous()
    return ratio


def noise_of(sheet: Sheet) -> Floats:
    """Return the relative rounding of each adjusted close, from the decimals they are told in."""
    adjusted = sheet.values.get("adj_close")
    if adjusted is None:
        return np.zeros(len(sheet.days))
    size = np.abs(np.where(np.isfinite(adjusted) & (adjusted != 0), adjusted, np.nan))
    step = 0.0
    for decimals in range(2, 7):
        at = size * 10.0**decimals
        if np.nanmax(np.abs(at - np.round(at)) - 2 * FLOAT32 * at, initial=-1.0) < 1e-3:  # noqa: PLR2004
            step = 0.5 * 10.0**-decimals
            break
    noise: Floats = np.nan_to_num(step / size + FLOAT32, nan=FLOAT32)
    return noise


def _traded(sheet: Sheet, row: int, before: int) -> bool:
    """Say whether the close of the ex-date is a price somebody paid that day."""
    close, volume = sheet.values["close"], sheet.values["volume"]
    if not np.isfinite(close[row]):
        return False
    bar = {float(sheet.values[name][row]) for name in ("open", "high", "low", "close")}
    flat = len(bar) == 1 and float(close[row]) == float(close[before])
    idle = not volume[row] > 0 and bool((volume > 0).any())
    return not flat and not idle
