"""From bars in the lake to the market that a simulated account trades in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.backtest.liquidity import rolling_liquidity
from bellwether.backtest.market import Market
from bellwether.core.asof import as_of
from bellwether.core.ports import Ports
from bellwether.core.types import Adjustment
from bellwether.features.history import BAR_KEYS

LIQUIDITY_SESSIONS = 20
PRICES = ("open", "close", "volume")
ACTS = (("split_ratio", 1.0), ("dividend_usd", 0.0))
ON_VENDORS_BASIS = (
    "The bars arrived adjusted: shares, lots and traded volume are on the vendor's basis."
)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traded:
    """A market, and what had to be assumed to make it; sentences for a report."""

    market: Market
    notes: tuple[str, ...]


def market_of(
    symbols: Sequence[str],
    series: Mapping[str, pl.DataFrame],
    first: date,
    last: date,
    watermark: datetime,
    ports: Ports,
) -> Traded:
    """Lay out the sessions from `first` to `last` of some symbols.

    Where all bars are as traded, prices are raw, with splits and dividends on their ex-dates;
    otherwise they are total-return prices of the series (schema SERIES). A session without a bar is
    a halt. A symbol whose bars end before the market does is delisted the session after: with the
    return that its universe tells, else by the rules' assumption if it is told to have been
    delisted, else at its last price.
    """
    names = tuple(sorted(symbols))
    back = min(LIQUIDITY_SESSIONS, ports.calendar.index(first))
    early = ports.calendar.shift(first, -back)
    days = np.array(ports.calendar.between(early, last), dtype="datetime64[D]")
    adjusted = any(series[s]["adjustment"][-1] != Adjustment.NONE for s in names)
    if adjusted:
        rows = _adjusted(series, names, early, last)
    else:
        rows = _raw(names, early, last, watermark, ports)
    tables = {name: spread(rows, rows[name], days, names) for name in PRICES}
    if not adjusted:
        tables |= {name: spread(rows, rows[name], days, names, no) for name, no in ACTS}
    tables |= _liquidity(tables)
    begin = int(np.searchsorted(days, np.datetime64(first, "D")))
    told = {name: table[begin:] for name, table in tables.items()}
    known = ~np.isnan(told["close"])
    gone, notes = _endings(known, names, ports)
    market = Market(
        days[begin:],
        names,
        told["open"],
        told["close"],
        adjusted=adjusted,
        split=told.get("split_ratio"),
        dividend=told.get("dividend_usd"),
        halted=~known | (told["volume"] == 0),
        adv_usd=told["adv_usd"],
        volatility=np.nan_to_num(told["volatility"]),
        delisted_at=gone.at,
        delisting_return=gone.returns,
    )
    return Traded(market, (*notes, ON_VENDORS_BASIS) if adjusted else notes)


def _liquidity(tables: Mapping[str, Floats]) -> dict[str, Floats]:
    adv, volatility = rolling_liquidity(
        tables["close"],
        tables["volume"],
        split=tables.get("split_ratio", 1.0),
        dividend=tables.get("dividend_usd", 0.0),
        sessions=LIQUIDITY_SESSIONS,
    )
    return {"adv_usd": adv, "volatility": volatility}


def spread(
    keys: pl.DataFrame,
    values: pl.Series,
    sessions: NDArray[np.datetime64],
    symbols: Sequence[str],
    otherwise: float = np.nan,
) -> Floats:
    """Turn a column into a table of shape (n_sessions, n_symbols); rows outside are left out."""
    days = keys["session"].to_numpy().astype("datetime64[D]")
    codes = keys["symbol"].cast(pl.Enum(list(symbols))).to_physical().to_numpy()
    at = np.searchsorted(sessions, days)
    inside = at < len(sessions)
    inside[inside] = sessions[at[inside]] == days[inside]
    table = np.full((len(sessions), len(symbols)), otherwise)
    table[at[inside], codes[inside]] = values.to_numpy()[inside]
    return table


def _raw(
    names: Sequence[str], first: date, last: date, watermark: datetime, ports: Ports
) -> pl.DataFrame:
    bars = ports.lake.bars(names, first=first, last=last)
    bars = bars.filter(pl.col("ingested_at") <= watermark)
    return as_of(bars, ports.clock.now(), BAR_KEYS)


def _adjusted(
    series: Mapping[str, pl.DataFrame], names: Sequence[str], first: date, last: date
) -> pl.DataFrame:
    inside = (pl.col("session") >= first) & (pl.col("session") <= last) & ~pl.col("carried")
    columns = ("symbol", "session", "open", "close", "volume")
    return pl.concat([series[s].filter(inside).select(columns) for s in names])


@dataclass(frozen=True, slots=True)
class _Endings:
    at: NDArray[np.int64]
    returns: Floats


def _endings(
    known: NDArray[np.bool_], names: Sequence[str], ports: Ports
) -> tuple[_Endings, tuple[str, ...]]:
    """Say which symbols end before the market does, and what their holders got."""
    n = known.shape[0]
    at = np.full(len(names), -1, dtype=np.int64)
    returns = np.full(len(names), np.nan)
    told = _spell_ends(ports)
    untold = []
    for j, name in enumerate(names):
        there = np.flatnonzero(known[:, j])
        if there.size == 0 or there[-1] >= n - 1:
            continue
        at[j] = there[-1] + 1
        reason, value = told.get(name, (None, None))
        if value is not None:
            returns[j] = value
        elif reason != "delisted":
            returns[j] = 0.0
            untold.append(name)
    if not untold:
        return _Endings(at, returns), ()
    shown = ", ".join(untold[:5]) + (", ..." if len(untold) > 5 else "")  # noqa: PLR2004
    note = (
        f"{len(untold)} of {len(names)} names end before the backtest does and nobody tells why "
        f"({shown}): holders got the last price."
    )
    return _Endings(at, returns), (note,)


def _spell_ends(ports: Ports) -> dict[str, tuple[str | None, float | None]]:
    """Return how each name's last spell ended, over all universes."""
    spells = ports.lake.universe().sort("last", "revision", nulls_last=True)
    rows = spells.group_by("symbol", maintain_order=True).last()
    return {
        symbol: (reason, value)
        for symbol, reason, value in rows.select(
            "symbol", "end_reason", "delisting_return"
        ).iter_rows()
    }
