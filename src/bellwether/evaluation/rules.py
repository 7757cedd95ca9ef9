"""Trading rules on one price series: what they said at each close. Pure arithmetic on arrays."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bellwether.core.errors import InvalidRequest

Floats = NDArray[np.float64]
Signs = NDArray[np.int8]

KINDS = "sma:S,L[,band]  channel:L[,band]  filter:size  momentum:L"
ROUNDING = 1e-12  # averages of equal prices differ by this much, relative, and are equal


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it was written, such as ``sma:1,50,0.01``.

    ``sma``: up where the average of the last `short` closes is above (1 + band) times that of the
    last `long`, down where below (1 - band) times it. ``channel``: up where the close is above
    (1 + band) times the highest of the `long` closes before it, down where below (1 - band) times
    the lowest (Brock, Lakonishok and LeBaron 1992: trading range break). ``filter``: up when the
    close has risen by `band` from the lowest close since the last down, and the other way round
    (Alexander 1961). ``momentum``: up where the close is above that of `long` rows ago, else down.
    """

    text: str
    kind: str
    short: int
    long: int
    band: float

    @property
    def warm_up(self) -> int:
        """First row at which the rule can speak."""
        return self.long if self.kind in ("channel", "momentum") else max(self.long - 1, 0)


def read_rule(text: str) -> Rule:
    """Read a rule.

    Raises
    ------
    InvalidRequest
        If it is none, or its numbers are out of range.

    Examples
    --------
    >>> read_rule("sma:1,50,0.01")
    Rule(text='sma:1,50,0.01', kind='sma', short=1, long=50, band=0.01)
    """
    kind, _, rest = text.strip().partition(":")
    parts = [part.strip() for part in rest.split(",")]
    shape = {"sma": (2, 3), "channel": (1, 2), "filter": (1, 1), "momentum": (1, 1)}.get(kind)
    if shape is None or not shape[0] <= len(parts) <= shape[1]:
        raise InvalidRequest("rule", f"{text!r} is none of: {KINDS}")
    if kind == "filter":
        return Rule(text, kind, 1, 0, _band(text, parts[0], least=1e-9))
    lengths = [_length(text, part) for part in parts[: shape[0]]]
    band = _band(text, parts[-1]) if len(parts) == shape[1] > shape[0] else 0.0
    short, long = lengths if kind == "sma" else (1, lengths[0])
    if kind == "sma" and short >= long:
        raise InvalidRequest("rule", f"{text!r}: the first length must be below the second")
    return Rule(text, kind, short, long, band)


def spoken(prices: Floats, rule: Rule) -> Signs:
    """Return +1 (up), -1 (down) or 0 for each close, from closes up to it; 0 before the warm-up.

    A rule of breaks (``channel``, ``filter``) says something only on the day of a break; `stance`
    carries it on.
    """
    if rule.kind == "filter":
        return _filtered(prices, rule.band)
    said = np.zeros(prices.size, dtype=np.int8)
    if prices.size <= rule.warm_up:
        return said
    view = np.lib.stride_tricks.sliding_window_view
    if rule.kind == "sma":
        here = _average(prices, rule.short)[rule.long - rule.short :]
        low = high = _average(prices, rule.long)
    elif rule.kind == "channel":
        before = view(prices[:-1], rule.long)
        here, low, high = prices[rule.long :], before.min(axis=1), before.max(axis=1)
    else:
        here, low, high = prices[rule.long :], prices[: -rule.long], prices[: -rule.long]
    up = here - high * (1 + rule.band) > ROUNDING * high
    down = low * (1 - rule.band) - here > ROUNDING * low
    said[rule.warm_up :] = up.astype(np.int8) - down.astype(np.int8)
    return said


def stance(prices: Floats, rule: Rule) -> Signs:
    """Return what is held after each close where positions last until the rule changes its mind.

    An average or momentum speaks every day; a break is held until the opposite one.
    """
    said = spoken(prices, rule)
    if rule.kind not in ("channel", "filter"):
        return said
    last = np.maximum.accumulate(np.where(said != 0, np.arange(said.size), 0))
    return np.asarray(said[last])


def events(prices: Floats, rule: Rule) -> Signs:
    """Return +1 or -1 where a rule gives a signal, for holding a fixed number of rows.

    A break is a signal on each day that it happens. An average gives one where it comes to say up,
    if it was at the long average or on its other side since it last did, whatever the band: an
    average that dips into the band and leaves it again on the same side says nothing new. Momentum
    likewise. Brock, Lakonishok and LeBaron's (1992) Table III counts so.
    """
    said = spoken(prices, rule)
    if rule.kind in ("channel", "filter"):
        return said
    side = spoken(prices, replace(rule, band=0.0))
    side[: rule.warm_up] = 2  # neither side: nothing is known yet
    return _crossings(said, side) - _crossings(-said, np.where(side == 2, side, -side))  # noqa: PLR2004


def _crossings(said: Signs, side: Signs) -> Signs:
    """Return 1 where +1 is said for the first time since `side` was 0 or below."""
    rows = np.arange(said.size)
    below = np.maximum.accumulate(np.where(side <= 0, rows, -1))
    spoke = np.maximum.accumulate(np.where(said > 0, rows, -1))
    before = np.concatenate(([-1], spoke[:-1]))
    return ((said > 0) & (below > before)).astype(np.int8)


def _average(prices: Floats, length: int) -> Floats:
    if length == 1:
        return prices
    total = np.concatenate(([0], np.cumsum(prices, dtype=np.longdouble)))
    return ((total[length:] - total[:-length]) / length).astype(np.float64)


def _filtered(prices: Floats, size: float) -> Signs:
    said = np.zeros(prices.size, dtype=np.int8)
    held, low, high = 0, float(prices[0]), float(prices[0])
    for row, price in enumerate(prices.tolist()):
        low, high = min(low, price), max(high, price)
        if held <= 0 and price - low * (1 + size) >= -ROUNDING * low:
            said[row], held, high = 1, 1, price
        elif held >= 0 and high * (1 - size) - price >= -ROUNDING * high:
            said[row], held, low = -1, -1, price
    return said


def _length(text: str, part: str) -> int:
    if not (part.isascii() and part.isdigit() and int(part) >= 1):
        raise InvalidRequest("rule", f"{text!r}: {part!r} is no number of rows")
    return int(part)


def _band(text: str, part: str, least: float = 0.0) -> float:
    try:
        band = float(part)
    except ValueError:
        band = math.nan
    if not least <= band < 1:
        raise InvalidRequest("rule", f"{text!r}: {part!r} is no share below 1 (0.01 is 1%)")
    return band
