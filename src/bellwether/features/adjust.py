"""Forward adjustment: raw bars become a total-return series anchored at the first bar.

A split or dividend multiplies the sessions from its ex-date on and never rewrites the past, so
truncated history, full history and a stream of bars agree to the bit. The factor of a session is
``split_ratio * P / (P - dividend_usd)`` with ``P`` the previous raw close over the split ratio;
it reproduces the adjusted closes that vendors ship, up to one constant. What the prices hold
already when they arrive (`adjustment`) is not applied again.
"""

from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from bellwether.core.calendar import SessionCalendar
from bellwether.core.errors import SchemaViolation
from bellwether.core.schemas import SERIES, UTC_TIME
from bellwether.core.types import MIXED, Adjustment, Bar

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BAR_FIELDS = (
    *("open", "high", "low", "close", "volume"),
    *("split_ratio", "dividend_usd", "adjustment"),
)
SERIES_FIELDS = (
    *("session", "open", "high", "low", "close", "volume"),
    *("raw_close", "price_factor", "volume_factor", "carried", "adjustment"),
)


class AdjustedBar(NamedTuple):
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
    is 0. Lags therefore count sessions, not rows, and no indicator meets a hole. `last` is the
    newest session, None before the first.
    """

    def __init__(self, calendar: SessionCalendar) -> None:
        self._calendar = calendar
        self.last: AdjustedBar | None = None

    @property
    def adjustment(self) -> str:
        """What the bars brought along so far; "mixed" once they contradicted each other."""
        return Adjustment.NONE.value if self.last is None else self.last.adjustment

    def push(self, bar: Bar) -> list[AdjustedBar]:
        """Return the adjusted bar, preceded by the carried sessions since the last one.

        Raises
        ------
        SchemaViolation
            If the bar is not later than the last one, or a dividend that is to be applied eats
            the whole price.
        """
        last = self.last
        if last is None:
            out = [_adjust(bar, 1.0, 1.0, str(bar.adjustment))]
        else:
            if bar.session <= last.session:
                raise SchemaViolation("bars", f"{bar.symbol} {bar.session} after {last.session}")
            next_one = self._calendar.follows(last.session, bar.session)
            out = [] if next_one else self._carried(last, bar.session)
            out.append(_next(bar, last))
        self.last = out[-1]
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


def _next(bar: Bar, last: AdjustedBar) -> AdjustedBar:
    adjustment = str(bar.adjustment) if bar.adjustment == last.adjustment else MIXED
    if bar.split_ratio == 1.0 and bar.dividend_usd == 0.0:
        return _adjust(bar, last.price_factor, last.volume_factor, adjustment)
    split, step = _steps(bar, last.raw_close, adjustment)
    return _adjust(bar, last.price_factor * step, last.volume_factor / split, adjustment)


def _steps(bar: Bar, before: float, adjustment: str) -> tuple[float, float]:
    """Return the split that is to be applied, and the factor of the price with the dividend."""
    split = bar.split_ratio if adjustment == Adjustment.NONE else 1.0
    if adjustment not in (Adjustment.NONE, Adjustment.SPLITS):
        return split, 1.0
    base = before / split
    if bar.dividend_usd >= base:
        place = f"{bar.symbol} {bar.session}"
        raise SchemaViolation("bars", _absurd(place, bar.dividend_usd, base))
    return split, split * (base / (base - bar.dividend_usd))


def _absurd(place: str, paid: float, base: float) -> str:
    return f"{place}: a dividend of {paid} USD on a share worth {base} USD the session before"


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
        Schema SERIES, one row each session from the first bar to the last; equal to the bits of
        what `ForwardAdjuster` gives.

    Raises
    ------
    SchemaViolation
        If the bars are out of order or of a day without a session, or a dividend that is to be
        applied eats the whole price.
    """
    at = _positions(frame, calendar)
    told = _told(frame)
    price, volume = _factors(frame, told)
    # row i of the series is bar `of[i]`, or carries it on
    span = np.arange(at[0], at[-1] + 1) if len(at) else np.empty(0, dtype=np.int64)
    of = np.searchsorted(at, span, side="right") - 1
    carried = at[of] != span
    close = (frame["close"].to_numpy() * price)[of]
    prices = {
        c: np.where(carried, close, (frame[c].to_numpy() * price)[of])
        for c in ("open", "high", "low")
    }
    shares = (frame["volume"].to_numpy() * volume)[of]
    known = pl.Series("closes", calendar.closes[span].astype("datetime64[us]"))
    bars = frame.select("symbol", raw_close="close", told=pl.col("knowledge_time"))
    series = bars[of].with_columns(
        pl.Series("session", calendar.sessions[span]),
        *(pl.Series(c, x) for c, x in prices.items()),
        pl.Series("close", close),
        pl.Series("volume", np.where(carried, 0.0, shares)),
        pl.Series("price_factor", price[of]),
        pl.Series("volume_factor", volume[of]),
        pl.Series("carried", carried),
        pl.Series("adjustment", told[of], dtype=pl.String),
        known.dt.replace_time_zone("UTC"),
    )
    times = pl.when("carried").then("closes").otherwise(pl.coalesce("told", "closes"))
    return series.with_columns(knowledge_time=times.cast(UTC_TIME)).select(list(SERIES.columns))


def _positions(frame: pl.DataFrame, calendar: SessionCalendar) -> Integers:
    """Return the place of each bar in the calendar, strictly rising."""
    at = calendar.positions(frame["session"].to_numpy())
    if (at < 0).any():
        day = frame["session"][int(np.argmax(at < 0))]
        raise SchemaViolation("bars", f"{frame['symbol'][0]} {day}: no session of {calendar.name}")
    late = np.flatnonzero(np.diff(at) <= 0)
    if late.size:
        i = int(late[0])
        days = frame["session"]
        raise SchemaViolation("bars", f"{frame['symbol'][0]} {days[i + 1]} after {days[i]}")
    return at


def _told(frame: pl.DataFrame) -> npt.NDArray[np.object_]:
    """Return the adjustment at each bar, "mixed" from the first contradiction on."""
    if "adjustment" not in frame.columns:
        return np.full(frame.height, Adjustment.NONE.value, dtype=object)
    told = frame["adjustment"].to_numpy().astype(object)
    other = np.flatnonzero(told != told[:1])
    if other.size:
        told[other[0] :] = MIXED
    return told


def _factors(frame: pl.DataFrame, told: npt.NDArray[np.object_]) -> tuple[Floats, Floats]:
    """Return the factors of price and volume at each bar, as `ForwardAdjuster` multiplies them."""
    n = frame.height
    split, step = np.ones(n), np.ones(n)
    if n > 1:
        splits = told == Adjustment.NONE.value
        split[splits] = frame["split_ratio"].to_numpy()[splits]
        split[0] = 1.0
        pays = splits | (told == Adjustment.SPLITS.value)
        base = frame["close"].to_numpy()[:-1] / split[1:]
        paid = np.where(pays, frame["dividend_usd"].to_numpy(), 0.0)[1:]
        absurd = np.flatnonzero(paid >= base)
        if absurd.size:
            i = int(absurd[0])
            place = f"{frame['symbol'][0]} {frame['session'][i + 1]}"
            raise SchemaViolation("bars", _absurd(place, float(paid[i]), float(base[i])))
        step[1:] = split[1:] * (base / (base - paid))
    return np.multiply.accumulate(step), _shrunk(split)


def _shrunk(split: Floats) -> Floats:
    factors: Floats = np.divide.accumulate(np.concatenate([[1.0], split[1:]]))
    return factors


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
