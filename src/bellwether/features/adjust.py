"""Forward adjustment: raw bars become a total-return series anchored at the first bar.

A split or dividend multiplies the sessions from its ex-date on and never rewrites the past, so
truncated history, full history and a stream of bars agree to the bit. The factor of a session is
``split_ratio * P / (P - dividend_usd)`` with ``P`` the previous raw close over the split ratio;
it reproduces the adjusted closes that vendors ship, up to one constant.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import SchemaViolation
from bellwether.core.schemas import SERIES, UTC_TIME
from bellwether.core.types import Bar

BAR_FIELDS = ("open", "high", "low", "close", "volume", "split_ratio", "dividend_usd")


@dataclass(frozen=True, slots=True)
class AdjustedBar:
    """One session of the total-return series; see the schema SERIES for units."""

    session: date
    open: float
    high: float
    low: float
    close: float
    volume: float
    raw_close: float
    price_factor: float
    volume_factor: float
    carried: bool


class ForwardAdjuster:
    """Adjusts the bars of one symbol in order, one at a time.

    A session without a bar is carried: open, high, low and close are the last close, the volume
    is 0. Lags therefore count sessions, not rows, and no indicator meets a hole.
    """

    def __init__(self, calendar: SessionCalendar) -> None:
        self._calendar = calendar
        self._last: AdjustedBar | None = None

    def push(self, bar: Bar) -> list[AdjustedBar]:
        """Return the adjusted bar, preceded by the carried sessions since the last one.

        Raises
        ------
        SchemaViolation
            If the bar is not later than the last one, or its dividend eats the whole price.
        """
        last = self._last
        if last is None:
            out = [_adjust(bar, 1.0, 1.0)]
        else:
            if bar.session <= last.session:
                raise SchemaViolation("bars", f"{bar.symbol} {bar.session} after {last.session}")
            out = self._carried(last, bar.session)
            base = last.raw_close / bar.split_ratio
            if bar.dividend_usd >= base:
                raise SchemaViolation(
                    "bars", f"{bar.symbol} {bar.session}: dividend {bar.dividend_usd} of {base}"
                )
            step = bar.split_ratio * (base / (base - bar.dividend_usd))
            out.append(_adjust(bar, last.price_factor * step, last.volume_factor / bar.split_ratio))
        self._last = out[-1]
        return out

    def _carried(self, last: AdjustedBar, until: date) -> list[AdjustedBar]:
        missing = self._calendar.between(last.session, until)[1:-1]
        c = last.close
        return [
            AdjustedBar(
                session,
                c,
                c,
                c,
                c,
                0.0,
                last.raw_close,
                last.price_factor,
                last.volume_factor,
                True,
            )
            for session in missing
        ]


def _adjust(bar: Bar, price: float, volume: float) -> AdjustedBar:
    return AdjustedBar(
        bar.session,
        bar.open * price,
        bar.high * price,
        bar.low * price,
        bar.close * price,
        bar.volume * volume,
        bar.close,
        price,
        volume,
        False,
    )


def bars_in_order(frame: pl.DataFrame) -> list[Bar]:
    """Turn one symbol's rows (schema BARS, one revision a session) into bars."""
    columns = [frame[c].to_list() for c in ("symbol", "session", *BAR_FIELDS)]
    return [Bar(*row) for row in zip(*columns, strict=True)]


def adjust_forward(frame: pl.DataFrame, calendar: SessionCalendar) -> pl.DataFrame:
    """Adjust one symbol's bars and fill its missing sessions.

    Parameters
    ----------
    frame : DataFrame
        One symbol's bars, one row a session, sorted by session (schema BARS after `as_of`).
    calendar : SessionCalendar
        Which sessions there were.

    Returns
    -------
    DataFrame
        Schema SERIES, one row each session from the first bar to the last.
    """
    adjuster = ForwardAdjuster(calendar)
    rows = [row for bar in bars_in_order(frame) for row in adjuster.push(bar)]
    names = (
        "session",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "raw_close",
        "price_factor",
        "volume_factor",
        "carried",
    )
    data = {name: [getattr(row, name) for row in rows] for name in names}
    series = pl.DataFrame(data, schema_overrides={"session": pl.Date})
    positions = calendar.positions(series["session"].to_numpy())
    closes = calendar.closes[positions].astype("datetime64[us]")
    known = pl.Series("closes", closes).dt.replace_time_zone("UTC")
    told = frame.select("session", told=pl.col("knowledge_time"))
    return (
        series.with_columns(symbol=pl.lit(frame["symbol"][0] if frame.height else ""), closed=known)
        .join(told, on="session", how="left", maintain_order="left")
        .with_columns(knowledge_time=pl.coalesce("told", "closed").cast(UTC_TIME))
        .select(list(SERIES.columns))
    )


def raw_scale(series: pl.DataFrame) -> pl.DataFrame:
    """Return the series on the raw scale of its last session, as people see prices today."""
    factor = series["price_factor"][-1]
    shares = series["volume_factor"][-1]
    return series.with_columns(
        *(pl.col(c) / factor for c in ("open", "high", "low", "close")),
        volume=pl.col("volume") / shares,
    )


def columns_of(series: pl.DataFrame) -> dict[str, "np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    """Return the five input columns as float64 arrays of shape (n_sessions,)."""
    return {c: series[c].to_numpy() for c in ("open", "high", "low", "close", "volume")}
