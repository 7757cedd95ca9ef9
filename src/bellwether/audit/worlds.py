"""Other futures: panels that are the same up to a session and differ after it."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.audit.found import Panel

PRICES = ("open", "high", "low", "close")
SPLIT_AT, PAID_AT, SHARE = (1, 7), (0, 4), 0.02
"""Sessions of an invented future with a split or a dividend for sure, and the share of others."""
KEPT_TEXTS = 0.6
"""Share of the texts of an invented future that are still told, in other words."""
MOST_PAID = 0.2
"""Invented dividends are at most this share of the price before."""
Cut = date | Mapping[str, date]
"""The last known session, of all symbols or of each."""
Mask = npt.NDArray[np.bool_]
Rng = np.random.Generator


def after(bars: pl.DataFrame, cut: Cut) -> Mask:
    """Tell which rows lie after the cut; a symbol without one has none."""
    if isinstance(cut, date):
        return (bars["session"] > cut).to_numpy()
    last = bars["symbol"].replace_strict(dict(cut), default=date.max, return_dtype=pl.Date)
    return (bars["session"] > last).to_numpy()


def cut_at(panel: Panel, cut: Cut) -> Panel:
    """Return what was known after the close of the cut's session."""
    bars = panel.bars.filter(~after(panel.bars, cut))
    universe = panel.universe
    if universe is not None and isinstance(cut, date):
        told = pl.col("last") <= cut
        ended = [c for c in ("last", "end_reason", "delisting_return") if c in universe.columns]
        universe = universe.filter(pl.col("first") <= cut).with_columns(
            pl.when(told).then(pl.col(c)) for c in ended
        )
    texts = panel.texts
    if texts is not None:
        texts = texts.filter(~heard_after(panel, cut))
    return Panel(bars, universe, texts)


def heard_after(panel: Panel, cut: Cut) -> pl.Expr:
    """Tell which texts were first seen after the close of the cut's session."""
    if isinstance(cut, date):
        return pl.col("known_at") > _close(panel.bars, cut)
    ends = {symbol: _close(panel.bars, day) for symbol, day in cut.items()}
    none = datetime.max.replace(tzinfo=UTC)
    last = pl.col("symbol").replace_strict(
        ends, default=none, return_dtype=pl.Datetime("us", "UTC")
    )
    return pl.col("known_at") > last


def _close(bars: pl.DataFrame, cut: date) -> datetime:
    """Return when a session was over: its first bar was known; others of it may have come late."""
    newest = bars.filter(pl.col("session") <= cut).sort("session", "knowledge_time")
    known = newest.filter(pl.col("session") == newest["session"].max())["knowledge_time"].min()
    return known if isinstance(known, datetime) else datetime.min.replace(tzinfo=UTC)


def retold(panel: Panel, cut: Cut, rng: Rng) -> Panel:
    """Change what is written after the cut: tones and words, some gone, one a minute after it."""
    texts = panel.texts
    if texts is None or not isinstance(cut, date):
        return panel
    past, later = texts.filter(~heard_after(panel, cut)), texts.filter(heard_after(panel, cut))
    later = later.filter(rng.random(later.height) < KEPT_TEXTS)
    n = later.height
    told = pl.Series([f"told anew {i}" for i in rng.integers(0, 1 << 30, n)], dtype=pl.String)
    later = later.with_columns(text=told, score=pl.Series(rng.uniform(-1, 1, n)))
    symbols = panel.bars["symbol"].unique().sort()
    soon = _close(panel.bars, cut) + timedelta(minutes=1)
    news = pl.DataFrame({"symbol": symbols}).with_columns(
        known_at=pl.lit(soon).cast(pl.Datetime("us", "UTC")),
        text=pl.lit(f"shares fall after the close {rng.integers(0, 1 << 30)}"),
        score=pl.lit(-1.0),
    )
    whole = pl.concat([past, later.select(texts.columns), news.select(texts.columns)])
    return Panel(panel.bars, panel.universe, whole)


def _changed(panel: Panel, mask: Mask, **columns: npt.NDArray[np.float64]) -> Panel:
    """Return the panel with new columns; no dividend of a masked bar eats its price."""
    bars = panel.bars.with_columns(pl.Series(name, values) for name, values in columns.items())
    most = MOST_PAID * pl.col("close").shift(1).over("symbol") / pl.col("split_ratio")
    paid = pl.min_horizontal("dividend_usd", most)
    bars = bars.with_columns(
        dividend_usd=pl.when(pl.Series(mask)).then(paid).otherwise("dividend_usd")
    )
    return Panel(bars, panel.universe, panel.texts)


def _number_since(bars: pl.DataFrame, mask: Mask) -> npt.NDArray[np.int64]:
    """Count the masked rows of each symbol from 0; -1 elsewhere."""
    flagged = bars.select("symbol", m=pl.Series(mask).cast(pl.Int64))
    count = flagged.select(pl.col("m").cum_sum().over("symbol"))["m"].to_numpy()
    return np.where(mask, count - 1, -1)


def noise(panel: Panel, mask: Mask, rng: Rng, what: str = "all") -> Panel:
    """Multiply masked bars by noise and give them splits and dividends; `what` is a part of it."""
    bars, n = panel.bars, panel.bars.height
    new: dict[str, npt.NDArray[np.float64]] = {}
    factor = np.where(mask, np.exp(rng.normal(0.0, 0.5, n)), 1.0)
    if what in ("all", "prices"):
        new |= {c: bars[c].to_numpy() * factor for c in PRICES}
    if what in ("all", "volume"):
        grown = np.where(mask, np.exp(rng.normal(0.0, 1.0, n)), 1.0)
        new["volume"] = bars["volume"].to_numpy() * grown
    if what in ("all", "actions"):
        since = _number_since(bars, mask)
        splits = mask & (np.isin(since, SPLIT_AT) | (rng.random(n) < SHARE))
        paid = mask & (np.isin(since, PAID_AT) | (rng.random(n) < SHARE))
        new["split_ratio"] = np.where(splits, rng.choice([2.0, 3.0, 0.5], n), bars["split_ratio"])
        cash = SHARE * bars["close"].to_numpy() * factor
        new["dividend_usd"] = np.where(paid, cash, bars["dividend_usd"])
    return _changed(panel, mask, **new)


def scaled(panel: Panel, mask: Mask, factor: float) -> Panel:
    """Multiply prices, dividends and volume of masked bars by one factor."""
    factors = np.where(mask, factor, 1.0)
    columns = (*PRICES, "volume", "dividend_usd")
    new = {c: panel.bars[c].to_numpy() * factors for c in columns}
    return _changed(panel, mask, **new)


def mirrored(panel: Panel, mask: Mask) -> Panel:
    """Turn the order of each symbol's masked bars around: what comes last comes first."""
    values = [*PRICES, "volume", "split_ratio", "dividend_usd"]
    rows = panel.bars.with_row_index("_row").filter(mask)
    turned = rows.select(pl.col(c).reverse().over("symbol") for c in values)
    whole = panel.bars.select(values).to_numpy().copy()
    whole[rows["_row"].to_numpy()] = turned.to_numpy()
    return _changed(panel, mask, **{c: whole[:, i].copy() for i, c in enumerate(values)})


def ended(panel: Panel, cut: date, rng: Rng) -> Panel:
    """Let half of the symbols end at the cut: their later bars are gone, their spells too."""
    symbols = panel.bars["symbol"].unique().sort().to_list()
    gone = [str(s) for s in rng.permutation(symbols)[: max(1, (len(symbols) + 1) // 2)]]
    return Panel(_without(panel.bars, cut, gone), _left(panel.universe, cut, gone), panel.texts)


def _without(bars: pl.DataFrame, cut: date, gone: list[str]) -> pl.DataFrame:
    return bars.filter((pl.col("session") <= cut) | ~pl.col("symbol").is_in(gone))


def _left(universe: pl.DataFrame | None, cut: date, gone: list[str]) -> pl.DataFrame | None:
    if universe is None:
        return None
    leaves = pl.col("symbol").is_in(gone) & (pl.col("last").is_null() | (pl.col("last") > cut))
    end = pl.lit(cut + timedelta(days=1))
    kept = universe.filter(~(pl.col("symbol").is_in(gone) & (pl.col("first") > cut)))
    return kept.with_columns(last=pl.when(leaves).then(end).otherwise(pl.col("last")))


def joined(panel: Panel, cut: date, rng: Rng) -> Panel:
    """Let symbols that nobody knew list after the cut; members that are new join the universe."""
    future = panel.bars.filter(pl.col("session") > cut)
    symbols = future["symbol"].unique().sort().to_list()[:3]
    names = {s: f"{'AZ'[i % 2]}{'AZ'[i % 2]}NEW{i}" for i, s in enumerate(symbols)}
    new = future.filter(pl.col("symbol").is_in(symbols)).with_columns(
        pl.col("symbol").replace(names)
    )
    grown = noise(Panel(new), np.ones(new.height, dtype=bool), rng).bars if new.height else new
    universe = panel.universe
    if universe is not None and new.height:
        pairs = {v: k for k, v in names.items()}
        first = new.group_by("symbol").agg(first=pl.col("session").min())
        base = universe.unique("symbol", keep="first", maintain_order=True).drop("first")
        spells = (
            first.with_columns(like=pl.col("symbol").replace(pairs))
            .join(base.rename({"symbol": "like"}), on="like", how="inner")
            .with_columns(last=pl.lit(None, dtype=pl.Date))
        )
        universe = pl.concat([universe, spells.select(universe.columns)]).sort("symbol", "first")
    bars = pl.concat([panel.bars, grown]).sort("symbol", "session")
    return Panel(bars, universe, panel.texts)


def longer(panel: Panel, cut: date, rng: Rng) -> Panel:
    """Let history go on: five hundred sessions more, after the last."""
    del cut
    bars = panel.bars
    tail = bars.group_by("symbol", maintain_order=True).tail(500)
    span = (bars["session"].max() - tail["session"].min()).days  # type: ignore[operator, union-attr]
    days = timedelta(days=(span // 7 + 1) * 7)
    later = tail.with_columns(pl.col("session") + days, pl.col("knowledge_time") + days)
    later = noise(Panel(later), np.ones(later.height, dtype=bool), rng, "prices").bars
    whole = pl.concat([bars, later]).sort("symbol", "session")
    return Panel(whole, panel.universe, panel.texts)


Future = Callable[[Panel, date, Rng], Panel]

FUTURES: dict[str, Future] = {
    "cut": lambda p, cut, _: cut_at(p, cut),
    "noise": lambda p, cut, rng: retold(noise(p, after(p.bars, cut), rng), cut, rng),
    "loud": lambda p, cut, _: scaled(p, after(p.bars, cut), 100.0),
    "quiet": lambda p, cut, _: scaled(p, after(p.bars, cut), 0.01),
    "mirrored": lambda p, cut, _: mirrored(p, after(p.bars, cut)),
    "ended": ended,
    "joined": joined,
    "longer": longer,
}
"""How the future of a cut is changed, by name; none touches what was known."""


def shorter(panel: Panel, cut: date, sessions: int) -> Panel:
    """Let history end some sessions after the cut instead of at it or at its own end."""
    days = panel.bars["session"].filter(panel.bars["session"] > cut).unique().sort()
    return cut_at(panel, days[min(sessions, len(days)) - 1]) if len(days) else panel


def gappy(panel: Panel, rng: Rng, share: float = 0.02) -> Panel:
    """Take some rows out anywhere, as halts and missing files do."""
    bars = panel.bars.filter(rng.random(panel.bars.height) >= share)
    return Panel(bars, panel.universe, panel.texts)


def same_bar(panel: Panel, cut: date, rng: Rng) -> Panel:
    """Change what the session of the cut shows after its open, and all that follows."""
    bars = panel.bars
    today = (bars["session"] == cut).to_numpy()
    moved = noise(panel, after(bars, cut), rng)
    new = {}
    opens = bars["open"].to_numpy()
    up, down = np.exp(rng.uniform(0.01, 0.1, (2, bars.height)) * [[1.0], [-1.0]])
    close = opens * np.exp(rng.normal(0.0, 0.05, bars.height))
    told = {
        "close": close,
        "high": np.maximum(close, opens) * up,
        "low": np.minimum(close, opens) * down,
        "volume": bars["volume"].to_numpy() * up * 3.0,
    }
    for name, values in told.items():
        new[name] = np.where(today, values, moved.bars[name].to_numpy())
    return _changed(moved, after(bars, cut), **new)
