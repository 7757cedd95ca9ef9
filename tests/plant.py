"""A panel like a real one, made from a seed, and faults planted into bars at known places.

The panel has a market, fat tails, volatility that clusters, told splits and dividends, days of
real extremes with the volume that goes with them, busy and half-empty days of the whole market,
halts, late starts and early ends. Faults are planted far apart, each with the rows it touches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bellwether.core.calendar import session_calendar

FIELDS = ("open", "high", "low", "close")
FIRST, LAST = date(2009, 1, 2), date(2012, 12, 31)
SPACE = 45


@dataclass(frozen=True)
class Planted:
    """One fault: `first` to `last` are the sessions whose data are wrong."""

    symbol: str
    first: date
    last: date
    kind: str
    how: str


def market_panel(
    seed: int, symbols: int = 60, first: date = FIRST, last: date = LAST
) -> tuple[pl.DataFrame, list[tuple[str, date]]]:
    """Make unadjusted bars of `symbols` names and list the real extremes among them."""
    rng = np.random.default_rng(seed)
    days = np.array(session_calendar().between(first, last))
    n = len(days)
    heat = _clustered(rng, n)
    market = 0.010 * heat * _fat(rng, n)
    crowd = 0.25 * rng.standard_normal(n) + np.where(rng.random(n) < 0.012, 0.9, 0)
    crowd -= np.where(rng.random(n) < 0.01, 0.9, 0)
    frames, extremes = [], []
    for i in range(symbols):
        frame, at = _one(rng, f"S{i:03d}", days, market, heat, crowd)
        frames.append(frame)
        extremes += at
    return pl.concat(frames), extremes


def _fat(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_t(4, n) / np.sqrt(2)


def _clustered(rng: np.random.Generator, n: int) -> np.ndarray:
    noise = rng.standard_normal(n)
    x = np.zeros(n)
    for t in range(1, n):
        x[t] = 0.97 * x[t - 1] + 0.09 * noise[t]
    return np.exp(x)


def _one(
    rng: np.random.Generator,
    name: str,
    days: np.ndarray,
    market: np.ndarray,
    heat: np.ndarray,
    crowd: np.ndarray,
) -> tuple[pl.DataFrame, list[tuple[str, date]]]:
    n = len(days)
    sigma = rng.uniform(0.008, 0.022) * _clustered(rng, n) ** 0.7 * heat**0.3
    own = sigma * _fat(rng, n)
    news = np.zeros(n)
    at = np.flatnonzero(rng.random(n) < 0.006)
    news[at] = rng.choice([-1, 1], len(at)) * rng.uniform(0.04, 0.15, len(at))
    extreme = rng.choice(np.arange(60, n - 60), rng.choice([0, 1], p=[0.6, 0.4]), replace=False)
    news[extreme] = np.log1p(rng.choice([-0.52, -0.4, -0.3, 0.35, 0.6, 1.0], len(extreme)))
    move = rng.uniform(0.6, 1.4) * market + own + news
    split, paid = np.ones(n), np.zeros(n)
    for t in rng.choice(np.arange(30, n - 30), rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15]), False):
        split[t] = rng.choice([2.0, 2.0, 3.0, 1.5, 0.1, 0.25])
    level = np.exp(rng.uniform(2.7, 4.6))
    quarterly = rng.random() < 0.6
    share, phase = rng.uniform(0.003, 0.009), int(rng.integers(0, 63))
    overnight = 0.45 * (move - news) + 0.85 * news + 0.25 * sigma * rng.standard_normal(n)
    close, opening = np.zeros(n), np.zeros(n)
    before = level
    for t in range(n):
        base = before / split[t]
        if quarterly and t % 63 == phase and t > 0:
            paid[t] = round(max(base * share, 0.01), 2)
        opening[t] = (base - paid[t]) * np.exp(overnight[t])
        close[t] = (base - paid[t]) * np.exp(move[t])
        before = close[t] = max(close[t], 0.5)
    high, low = _range(rng, opening, close, (sigma + 0.5 * np.abs(market)) * (1 + 4 * np.abs(news)))
    volume = _traded(rng, level, np.abs(move / sigma), news, crowd) * np.cumprod(split)
    volume = np.round(volume / 100) * 100
    keep = _alive(rng, n)
    frame = pl.DataFrame(
        {
            "symbol": [name] * n,
            "session": list(days),
            **{c: np.round(v, 2) for c, v in zip(FIELDS, (opening, high, low, close), strict=True)},
            "volume": volume,
            "split_ratio": split,
            "dividend_usd": paid,
            "adjustment": ["none"] * n,
            "source": ["made"] * n,
        },
        schema_overrides={"session": pl.Date},
    ).filter(keep)
    return frame, [(name, days[t]) for t in extreme if keep[t]]


def _alive(rng: np.random.Generator, n: int) -> np.ndarray:
    keep = np.ones(n, dtype=bool)
    if rng.random() < 0.2:
        keep[: int(rng.integers(1, n // 3))] = False
    if rng.random() < 0.15:
        keep[-int(rng.integers(1, n // 3)) :] = False
    return keep


def _range(
    rng: np.random.Generator, opening: np.ndarray, close: np.ndarray, wild: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n = len(close)
    high = np.maximum(opening, close) * np.exp(0.5 * wild * np.abs(rng.standard_normal(n)))
    low = np.minimum(opening, close) * np.exp(-0.5 * wild * np.abs(rng.standard_normal(n)))
    return high, low


def _traded(
    rng: np.random.Generator, level: float, size: np.ndarray, news: np.ndarray, crowd: np.ndarray
) -> np.ndarray:
    n = len(size)
    usual = rng.uniform(12.5, 16.0) - np.log(level / 30)
    slow = np.cumsum(0.03 * rng.standard_normal(n))
    busy = 0.30 * rng.standard_normal(n) + 0.28 * np.minimum(size, 8) + crowd
    busy += np.where(news != 0, 0.8 + 4 * np.minimum(np.abs(news), 0.5), 0)
    busy += np.where(rng.random(n) < 0.002, rng.uniform(0.5, 1.4, n), 0)
    return np.exp(usual + slow + busy)


def adjusted(bars: pl.DataFrame, digits: int = 6) -> pl.DataFrame:
    """Turn unadjusted bars into prices that hold splits and dividends back to the first day."""
    before = pl.col("close").shift(1) / pl.col("split_ratio")
    step = (1 - (pl.col("dividend_usd") / before).fill_null(0)) / pl.col("split_ratio")
    back = step.shift(-1).fill_null(1).cum_prod(reverse=True)
    shares = pl.col("split_ratio").shift(-1).fill_null(1).cum_prod(reverse=True)
    return bars.sort("symbol", "session").with_columns(
        *((pl.col(c) * back.over("symbol")).round(digits) for c in FIELDS),
        volume=(pl.col("volume") * shares.over("symbol")).round(0),
        split_ratio=pl.lit(1.0),
        dividend_usd=pl.lit(0.0),
        adjustment=pl.lit("total"),
    )


class Garden:
    """Bars of one symbol as arrays, with room kept between faults."""

    def __init__(self, name: str, bars: pl.DataFrame) -> None:
        self.name = name
        self.bars = bars.sort("session")
        self.n = bars.height
        self.x = {c: self.bars[c].to_numpy().astype(np.float64) for c in (*FIELDS, "volume")}
        self.split = self.bars["split_ratio"].to_numpy().copy()
        self.paid = self.bars["dividend_usd"].to_numpy().copy()
        self.days = self.bars["session"].to_list()
        self.gone = np.zeros(self.n, dtype=bool)
        self.taken = np.zeros(self.n, dtype=bool)
        self.total = bars["adjustment"][0] == "total"

    def place(
        self, rng: np.random.Generator, length: int, ok: np.ndarray | None = None
    ) -> int | None:
        """Return a row from which `length` rows and the space around are free, or None."""
        free = np.flatnonzero(
            ~self.taken[: self.n - length - SPACE]
            & (ok if ok is not None else np.ones(self.n, bool))[: self.n - length - SPACE]
        )
        free = free[free >= SPACE]
        rng.shuffle(free)
        for row in free.tolist():
            if not self.taken[row - SPACE : row + length + SPACE].any():
                self.taken[row - SPACE : row + length + SPACE] = True
                return int(row)
        return None

    def frame(self) -> pl.DataFrame:
        """Return the bars as they are now."""
        return self.bars.with_columns(
            **{c: pl.Series(v) for c, v in self.x.items()},
            split_ratio=pl.Series(self.split),
            dividend_usd=pl.Series(self.paid),
        ).filter(~self.gone)

    def calm(self) -> np.ndarray:
        """Rows with no told action near."""
        busy = (self.split != 1) | (self.paid > 0)
        return ~np.convolve(busy, np.ones(31), "same").astype(bool)


Spot = tuple[int, int, str]
Fault = Callable[[Garden, np.random.Generator], Spot | None]


def slip_field(g: Garden, rng: np.random.Generator) -> Spot | None:
    row = g.place(rng, 1)
    if row is None:
        return None
    field, times = rng.choice(FIELDS), float(rng.choice([10, 100, 0.1, 0.01]))
    g.x[field][row] = round(g.x[field][row] * times, 6)
    return row, row, f"{field} x{times}"


def slip_bar(g: Garden, rng: np.random.Generator) -> Spot | None:
    length = int(rng.choice([1, 1, 2, 5, 20, 40]))
    row = g.place(rng, length)
    if row is None:
        return None
    times = float(rng.choice([10, 100, 0.1, 0.01]))
    for field in FIELDS:
        g.x[field][row : row + length] = np.round(g.x[field][row : row + length] * times, 6)
    return row, row + length - 1, f"bar x{times}, {length} rows"


def stale_bar(g: Garden, rng: np.random.Generator) -> Spot | None:
    length = int(rng.integers(2, 9))
    row = g.place(rng, length, g.calm())
    if row is None:
        return None
    with_volume = rng.random() < 0.5
    for field in (*FIELDS, "volume") if with_volume else FIELDS:
        g.x[field][row : row + length] = g.x[field][row - 1]
    return row, row + length - 1, f"whole bar, volume too: {with_volume}, {length} rows"


def stale_close(g: Garden, rng: np.random.Generator) -> Spot | None:
    length = int(rng.integers(3, 9))
    row = g.place(rng, length, g.calm())
    if row is None:
        return None
    flat = rng.random() < 0.5
    for field in FIELDS if flat else ("close",):
        g.x[field][row : row + length] = g.x["close"][row - 1]
    if flat:
        g.x["volume"][row : row + length] = 0
    else:
        part = slice(row, row + length)
        g.x["high"][part] = np.maximum(g.x["high"][part], g.x["close"][part])
        g.x["low"][part] = np.minimum(g.x["low"][part], g.x["close"][part])
    return row, row + length - 1, f"close, no trade: {flat}, {length} rows"


def hole(g: Garden, rng: np.random.Generator) -> Spot | None:
    length = int(rng.choice([1, 1, 2, 3, 5, 8]))
    row = g.place(rng, length, g.calm())
    if row is None:
        return None
    g.gone[row : row + length] = True
    return row, row + length - 1, f"{length} rows gone"


def contradiction(g: Garden, rng: np.random.Generator) -> Spot | None:
    row = g.place(rng, 1)
    if row is None:
        return None
    how = str(rng.choice(["swap", "high", "low", "close"]))
    x, off = g.x, float(rng.uniform(0.004, 0.04))
    if how == "swap":
        x["high"][row], x["low"][row] = x["low"][row], x["high"][row]
        if x["high"][row] == x["low"][row]:
            x["high"][row] *= 0.99
    elif how == "high":
        x["high"][row] = round(max(x["open"][row], x["close"][row]) * (1 - off), 6)
    elif how == "low":
        x["low"][row] = round(min(x["open"][row], x["close"][row]) * (1 + off), 6)
    else:
        x["close"][row] = round(x["high"][row] * (1 + off), 6)
    return row, row, how


def no_volume(g: Garden, rng: np.random.Generator) -> Spot | None:
    length = int(rng.choice([1, 1, 1, 3]))
    row = g.place(rng, length)
    if row is None:
        return None
    g.x["volume"][row : row + length] = 0
    return row, row + length - 1, f"{length} rows"


def much_volume(g: Garden, rng: np.random.Generator) -> Spot | None:
    length = int(rng.choice([1, 1, 1, 4, 30]))
    row = g.place(rng, length)
    if row is None:
        return None
    times = float(rng.choice([10, 100, 100, 1000]))
    g.x["volume"][row : row + length] *= times
    return row, row + length - 1, f"x{times}, {length} rows"


def coarse(g: Garden, rng: np.random.Generator) -> Spot | None:
    length = int(rng.integers(25, 120))
    row = g.place(rng, length)
    if row is None:
        return None
    middle = float(np.median(g.x["close"][row : row + length]))
    step = float(rng.choice([0.5, 1.0] if middle > 15 else [0.1, 0.5]))
    for field in FIELDS:
        part = np.round(g.x[field][row : row + length] / step) * step
        g.x[field][row : row + length] = np.maximum(part, step)
    return row, row + length - 1, f"step {step}, {length} rows"


def spike(g: Garden, rng: np.random.Generator) -> Spot | None:
    row = g.place(rng, 1)
    if row is None:
        return None
    times = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.18, 0.6)))
    whole = rng.random() < 0.5
    for field in FIELDS if whole else ("close",):
        g.x[field][row] = round(g.x[field][row] * times, 6)
    g.x["high"][row] = max(g.x[c][row] for c in FIELDS)
    g.x["low"][row] = min(g.x[c][row] for c in FIELDS)
    return row, row, f"{'bar' if whole else 'close'} x{times:.2f}"


def untold_split(g: Garden, rng: np.random.Generator) -> Spot | None:
    told = np.flatnonzero(g.split != 1)
    told = told[(told > SPACE) & (told < g.n - SPACE)]
    told = np.array([t for t in told if not g.taken[t - SPACE : t + SPACE].any()])
    if len(told) and not g.total:
        row = int(rng.choice(told))
        g.taken[row - SPACE : row + SPACE] = True
        g.split[row] = 1.0
        return row, row, "the told ratio is gone"
    found = g.place(rng, 1, g.calm())
    if found is None:
        return None
    ratio = float(rng.choice([2, 2, 3, 4, 1.5, 0.1, 0.2]))
    for field in FIELDS:
        g.x[field][:found] = np.round(g.x[field][:found] * ratio, 6)
    g.x["volume"][:found] = np.round(g.x["volume"][:found] / ratio)
    g.paid[:found] = np.round(g.paid[:found] * ratio, 4)
    return found, found, f"prices before not divided by {ratio}"


def moved_split(g: Garden, rng: np.random.Generator) -> Spot | None:
    told = np.flatnonzero(np.abs(np.log(g.split)) > 0.3)
    told = told[(told > SPACE) & (told < g.n - SPACE)]
    told = np.array([t for t in told if not g.taken[t - SPACE : t + SPACE].any()])
    if not len(told):
        return None
    row = int(rng.choice(told))
    by = int(rng.choice([-5, -3, -2, -1, 1, 2, 3, 5]))
    g.taken[row - SPACE : row + SPACE] = True
    g.split[row + by], g.split[row] = g.split[row], 1.0
    return min(row, row + by), max(row, row + by), f"told {by} rows off"


def wrong_dividend(g: Garden, rng: np.random.Generator) -> Spot | None:
    if g.total:
        return None
    row = None
    told = np.flatnonzero(g.paid > 0)
    told = np.array(
        [t for t in told if SPACE < t < g.n - SPACE and not g.taken[t - 5 : t + 6].any()]
    )
    if len(told) and rng.random() < 0.6:
        row = int(rng.choice(told))
        g.taken[row - 5 : row + 6] = True
        times = float(rng.choice([10, 100, 0.01]))
        g.paid[row] = round(g.paid[row] * times, 4)
        return row, row, f"x{times}"
    row = g.place(rng, 1, g.calm())
    if row is None:
        return None
    g.paid[row] = round(g.x["close"][row] * float(rng.uniform(0.08, 0.6)), 2)
    return row, row, "paid by nobody"


def reuse(g: Garden, rng: np.random.Generator) -> Spot | None:
    pause = int(rng.integers(30, 130))
    if g.n < 2 * pause + 4 * SPACE:
        return None
    row = int(rng.integers(g.n // 2, g.n - SPACE - 10))
    if g.taken[row - pause - SPACE :].any() or (g.split[row - pause - SPACE :] != 1).any():
        return None
    g.taken[row - pause - SPACE :] = True
    g.gone[row - pause : row] = True
    price = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.7, 2.0)))
    size = float(np.exp(rng.choice([-1, 1]) * rng.uniform(1.0, 2.5)))
    wide = float(rng.uniform(1.3, 2.2))
    for field in FIELDS:
        logs = np.log(g.x[field][row:])
        g.x[field][row:] = np.round(price * np.exp(logs[0] + wide * (logs - logs[0])), 2) + 0.01
    g.x["high"][row:] = np.max([g.x[c][row:] for c in FIELDS], axis=0)
    g.x["low"][row:] = np.min([g.x[c][row:] for c in FIELDS], axis=0)
    g.x["volume"][row:] = np.round(g.x["volume"][row:] * size / price)
    g.paid[row:], g.split[row:] = 0.0, 1.0
    return row, row, f"after {pause} sessions, price x{price:.2f}, dollars x{size:.2f}"


FAULTS: dict[str, tuple[Fault, ...]] = {
    "decimal_slip": (slip_field, slip_bar),
    "stale_repeat": (stale_bar, stale_close),
    "missing_session": (hole,),
    "ohlc_contradiction": (contradiction,),
    "zero_volume": (no_volume,),
    "inflated_volume": (much_volume,),
    "coarse_rounding": (coarse,),
    "outlier": (spike,),
    "missed_split": (untold_split,),
    "misdated_split": (moved_split,),
    "bad_dividend": (wrong_dividend,),
    "ticker_reuse": (reuse,),
}


def plant(
    bars: pl.DataFrame, seed: int, each: int = 12, kinds: tuple[str, ...] = tuple(FAULTS)
) -> tuple[pl.DataFrame, list[Planted]]:
    """Plant up to `each` faults of each kind and return the bars with the answer key."""
    rng = np.random.default_rng(seed)
    gardens = [
        Garden(str(k[0]), part)
        for k, part in bars.sort("symbol").group_by("symbol", maintain_order=True)
    ]
    key: list[Planted] = []
    order = sorted(kinds, key=lambda k: k not in ("ticker_reuse", "misdated_split", "missed_split"))
    for kind in order:
        done = 0
        for i in rng.permutation(len(gardens) * 3) % len(gardens):
            if done >= each:
                break
            garden = gardens[i]
            fault = FAULTS[kind][done % len(FAULTS[kind])]
            spot = fault(garden, rng)
            if spot is not None:
                first, last, how = spot
                key.append(Planted(garden.name, garden.days[first], garden.days[last], kind, how))
                done += 1
    return pl.concat([g.frame() for g in gardens]), key
