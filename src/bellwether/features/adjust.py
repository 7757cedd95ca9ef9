"""Forward adjustment: raw bars become a total-return series anchored at the first bar.

A split or dividend multiplies the sessions from its ex-date on and never rewrites the past, so
truncated history, full history and a stream of bars agree to the bit. The factor of a session is
``split_ratio * P / (P - dividend_usd)`` with ``P`` the previous raw close over the split ratio;
it reproduces the adjusted closes that vendors ship, up to one constant. What the prices hold
already when they arrive (`adjustment`) is not applied again.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import SchemaViolation
from bellwether.core.schemas import SERIES, UTC_TIME
from bellwether.core.types import MIXED, Adjustment, Bar

BAR_FIELDS = (
    *("open", "high", "low", "close", "volume"),
    *("split_ratio", "dividend_usd", "adjustment"),
)
SERIES_FIELDS = (
    *("session", "open", "high", "low", "close", "volume"),
    *("raw_close", "price_factor", "volume_factor", "carried", "adjustment"),
)


@dataclass(frozen=True, slots=True)
class AdjustedBar:
    """One session of the total-return series; see the schema SERIES for units.

    `raw_close` is the close as it was told, and raw only where the adjustment is "none".
    """

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
    adjustment: str


class ForwardAdjuster:
    """Adjusts the bars of one symbol in order, one at a time.

    A session without a bar is carried: open, high, low and close are the last close, the volume
    is 0. Lags therefore count sessions, not rows, and no indicator meets a hole.
    """

    def __init__(self, calendar: SessionCalendar) -> None:
        self._calendar = calendar
        self._last: AdjustedBar | None = None

    @property
    def adjustment(self) -> str:
        """What the bars brought along so far; "mixed" once they contradicted each other."""
        return Adjustment.NONE.value if self._last is None else self._last.adjustment

    def push(self, bar: Bar) -> list[AdjustedBar]:
        """Return the adjusted bar, preceded by the carried sessions since the last one.

        Raises
        ------
        SchemaViolation
            If the bar is not later than the last one, or a dividend that is to be applied eats
            the whole price.
        """
        last = self._last
        if last is None:
            out = [_adjust(bar, 1.0, 1.0, str(bar.adjustment))]
        else:
            if bar.session <= last.session:
                raise SchemaViolation("bars", f"{bar.symbol} {bar.session} after {last.session}")
            out = self._carried(last, bar.session)
            adjustment = str(bar.adjustment) if bar.adjustment == last.adjustment else MIXED
            split, step = _steps(bar, last.raw_close, adjustment)
            factors = (last.price_factor * step, last.volume_factor / split)
            out.append(_adjust(bar, *factors, adjustment))
        self._last = out[-1]
        return out

    def _carried(self, last: AdjustedBar, until: date) -> list[AdjustedBar]:
        if (until - last.session).days == 1:  # no session fits between, and nobody need be asked
            return []
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
                last.adjustment,
            )
            for session in missing
        ]


def _steps(bar: Bar, before: float, adjustment: str) -> tuple[float, float]:
    """Return the split that is to be applied, and the factor of the price with the dividend."""
    split = bar.split_ratio if adjustment == Adjustment.NONE else 1.0
    if adjustment not in (Adjustment.NONE, Adjustment.SPLITS):
        return split, 1.0
    base = before / split
    if bar.dividend_usd >= base:
        why = (
            f"{bar.symbol} {bar.session}: a dividend of {bar.dividend_usd} USD on a share worth "
            f"{base} USD the session before"
        )
        raise SchemaViolation("bars", why)
    return split, split * (base / (base - bar.dividend_usd))


def _adjust(bar: Bar, price: float, volume: float, adjustment: str) -> AdjustedBar:
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
        adjustment,
    )


def bars_in_order(frame: pl.DataFrame) -> list[Bar]:
    """Turn one symbol's rows (schema BARS, one revision a session) into bars."""
    fields = [c for c in BAR_FIELDS if c in frame.columns]
    columns = [frame[c].to_list() for c in ("symbol", "session", *fields)]
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
    data = {name: [getattr(row, name) for row in rows] for name in SERIES_FIELDS}
    types = {"session": pl.Date, "adjustment": pl.String}
    series = pl.DataFrame(data, schema_overrides=types)
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
