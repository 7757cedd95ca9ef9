"""What an account trades in: a panel of sessions and symbols, checked once."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bellwether.backtest.books import Booleans, Floats, Integers, Panel
from bellwether.backtest.costs import BPS
from bellwether.backtest.rules import Rules
from bellwether.core.errors import InvalidRequest

Events = tuple[Integers, NDArray[np.uint64], Floats, Floats]
TABLES = (
    *("open", "close", "volume", "split", "dividend", "halted", "adv_usd", "volatility"),
    *("borrow_rate", "borrowable"),
)
MASKS = ("halted", "borrowable")
POSITIVE = ("open", "close", "split")
COMPLETE = ("split", "dividend", "borrow_rate")


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """A panel; tables are (n, k), a row (1, k) or one number meaning all sessions; (n,) for k = 1.

    NaN is a price that was not told: it may stand where nothing is held and nothing traded, and in
    sessions marked as halted, where positions keep their last price. `rolling_liquidity` makes
    `adv_usd` and `volatility`.

    Attributes
    ----------
    sessions : array of datetime64, shape (n,)
        Ascending, each once.
    symbols : tuple of str
        The k columns, each once.
    open, close : array
        USD a share: raw as traded, with `split` and `dividend`; or total-return (`adjusted`).
    adjusted : bool
        Prices hold splits and dividends already. Whole shares mean nothing then.
    volume : array, optional
        Shares traded; 0 is a session in which nothing can be filled.
    split : array, optional
        Shares after the split for each share before it, on its ex-date; else 1.
    dividend : array, optional
        USD a share after the split, on its ex-date; else 0.
    halted : array of bool, optional
        Sessions without trading.
    adv_usd, volatility : array, optional
        USD traded an average day and daily volatility as a fraction, known after each close; an
        order is judged by the row before its fill. NaN volume takes no order under the cap.
    borrow_rate : array, optional
        Fraction a year of what is short; replaces the flat `costs.borrow_bps_per_year`.
    borrowable : array of bool, optional
        Whether more can be sold short, known after each close.
    cash_rate : array, shape (n,), or float, optional
        Fraction a session, paid at session t on what lay in cash from the close before.
    delisted_at : array of int, shape (k,), optional
        Place of the first session without the symbol, -1 for never.
    delisting_return : array, shape (k,), optional
        Return from the last price to what holders got; NaN takes the rules' assumption.

    Raises
    ------
    InvalidRequest
        If shapes differ, a session or symbol comes twice or out of order, a price is 0, negative or
        infinite, a mask is no mask, or adjusted prices come with splits or dividends.

    Examples
    --------
    >>> Market(["2024-01-02", "2024-01-03"], ("A",), [10.0, 11.0], [10.5, 11.5]).shape
    (2, 1)
    """

    sessions: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    open: Floats
    close: Floats
    adjusted: bool = False
    volume: Floats | None = None
    split: Floats | None = None
    dividend: Floats | None = None
    halted: Booleans | None = None
    adv_usd: Floats | None = None
    volatility: Floats | None = None
    borrow_rate: Floats | None = None
    borrowable: Booleans | None = None
    cash_rate: Floats | None = None
    delisted_at: Integers | None = None
    delisting_return: Floats | None = None
    closed: Booleans | None = field(init=False, default=None, repr=False)
    events: Events = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._set("sessions", _ascending(self.sessions))
        self._set("symbols", _once(self.symbols))
        shape = self.shape
        for name in TABLES:
            told = getattr(self, name)
            if told is not None:
                self._set(name, _table(name, told, shape))
        for name in ("open", "close"):
            if getattr(self, name).shape != shape:
                raise InvalidRequest(name, f"has shape {getattr(self, name).shape}, needs {shape}")
        if self.adjusted and not (self.split is None and self.dividend is None):
            raise InvalidRequest("adjusted", "prices that hold splits and dividends come without")
        self._per_session_and_symbol()
        closed = self.halted
        if self.volume is not None:
            quiet = self.volume == 0
            closed = quiet if closed is None else closed | quiet
        self._set("closed", closed)
        self._set("events", events_of(self.split, self.dividend, self.shape))

    def _per_session_and_symbol(self) -> None:
        n, k = self.shape
        if self.cash_rate is not None:
            rate = np.asarray(self.cash_rate, dtype=np.float64)
            if rate.shape not in ((), (n,), (n, 1)) or not np.isfinite(rate).all():
                raise InvalidRequest("cash_rate", f"must be {n} finite numbers, or one")
            self._set("cash_rate", writable(rate.reshape(-1, 1)))
        if self.delisted_at is not None:
            gone = np.asarray(self.delisted_at)
            if (
                gone.shape != (k,)
                or gone.dtype.kind not in "iu"
                or ((gone < -1) | (gone > n)).any()
            ):
                raise InvalidRequest("delisted_at", f"must be {k} places of sessions, -1 for never")
            self._set("delisted_at", gone.astype(np.int64))
        if self.delisting_return is not None:
            told = np.asarray(self.delisting_return, dtype=np.float64)
            if told.shape != (k,) or (told < -1).any() or np.isinf(told).any():
                raise InvalidRequest(
                    "delisting_return", f"must be {k} returns of -1 or more, or NaN"
                )
            self._set("delisting_return", writable(told))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int]:
        """Sessions and symbols."""
        return len(self.sessions), len(self.symbols)

    def until(self, t: int) -> Self:
        """Return what was known after close t: sessions 0 to t, and no delisting after them."""
        given: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        n = self.shape[0]
        for name in (*TABLES, "cash_rate"):
            if given[name] is not None and given[name].shape[0] == n:
                given[name] = given[name][: t + 1]
        given["sessions"] = self.sessions[: t + 1]
        if self.delisted_at is not None:
            later = self.delisted_at > t
            given["delisted_at"] = np.where(later, -1, self.delisted_at)
            if self.delisting_return is not None:
                given["delisting_return"] = np.where(later, np.nan, self.delisting_return)
        return type(self)(**given)

    def missing(self) -> tuple[str, ...]:
        """Name the realism that this market has no data for."""
        lacks = {
            "impact": self.adv_usd is None or self.volatility is None,
            "participation": self.adv_usd is None,
            "borrow_availability": self.borrowable is None,
            "dividends": self.dividend is None and not self.adjusted,
            "splits": self.split is None and not self.adjusted,
            "cash_interest": self.cash_rate is None,
            "delisting": self.delisted_at is None,
            "halts": self.halted is None and self.volume is None,
            "lots": self.adjusted,
        }
        return tuple(name for name, is_missing in lacks.items() if is_missing)

    def panel(self, rules: Rules, off: tuple[str, ...]) -> Panel:
        """Return the arrays of the engine; what is off or not told is neutral."""
        k = self.shape[1]

        def table(switch: str, told: Any, neutral: float | bool) -> Any:  # noqa: FBT001
            return np.full((1, k), neutral) if switch in off or told is None else told

        yearly = np.full((1, k), rules.costs.borrow_bps_per_year * BPS)
        borrow = yearly if self.borrow_rate is None else self.borrow_rate
        start, symbol, split, paid = self.events
        never = np.full(k, -1, dtype=np.int64)
        lost = np.full(k, np.nan) if self.delisting_return is None else self.delisting_return
        lost = np.where(np.isnan(lost), rules.missing_delisting_return, lost)
        return Panel(
            open=self.open,
            close=self.close,
            event_start=start,
            event_symbol=symbol,
            event_split=np.ones_like(split) if "splits" in off else split,
            event_dividend=np.zeros_like(paid) if "dividends" in off else paid,
            halted=table("", self.closed, neutral=False),
            adv=table("", self.adv_usd, np.nan),
            volatility=table("", self.volatility, np.nan),
            borrow_rate=table("borrow", borrow, 0.0),
            borrowable=table("borrow_availability", self.borrowable, neutral=True),
            cash_rate=np.zeros((1, 1)) if self.cash_rate is None else self.cash_rate,
            delisted_at=never if self.delisted_at is None else self.delisted_at,
            delisting_return=np.zeros(k) if "delisting" in off else lost,
        )


def events_of(split: Floats | None, dividend: Floats | None, shape: tuple[int, int]) -> Events:
    """List where there is a split or a dividend, session by session: few of all places."""
    ratio = np.broadcast_to(np.ones(1) if split is None else split, shape)
    paid = np.broadcast_to(np.zeros(1) if dividend is None else dividend, shape)
    told = np.zeros(shape, dtype=bool)
    if split is not None:
        told |= ratio != 1
    if dividend is not None:
        told |= paid != 0
    t, j = np.nonzero(told)
    start = np.searchsorted(t, np.arange(shape[0] + 1)).astype(np.int64)
    return start, j.astype(np.uint64), ratio[t, j], paid[t, j]


def writable(values: Any) -> Any:
    """Return the array, or a copy in rows that can be written: others would be compiled for anew."""
    return np.require(values, requirements=["C", "W", "A"])


def _ascending(sessions: ArrayLike) -> NDArray[np.datetime64]:
    days = np.asarray(sessions)
    if days.ndim != 1:
        raise InvalidRequest("sessions", f"has shape {days.shape}, one a session needed")
    try:
        days = days.astype("datetime64[D]") if days.dtype.kind != "M" else days
    except ValueError:
        raise InvalidRequest("sessions", "must be dates") from None
    if np.isnat(days).any() or (days[1:] <= days[:-1]).any():
        raise InvalidRequest("sessions", "must ascend, each once")
    return days


def _once(symbols: Any) -> tuple[str, ...]:
    if isinstance(symbols, str):
        raise InvalidRequest("symbols", "must be several names, not one text")
    names = tuple(str(s) for s in symbols)
    if not names:
        raise InvalidRequest("symbols", "at least one needed")
    if len(set(names)) < len(names):
        twice = sorted({s for s in names if names.count(s) > 1})
        raise InvalidRequest("symbols", f"twice: {', '.join(twice[:5])}")
    return names


def _table(name: str, told: ArrayLike, shape: tuple[int, int]) -> Any:
    n, k = shape
    values = np.asarray(told)
    if name in MASKS:
        if values.dtype != np.bool_:
            raise InvalidRequest(name, f"holds {values.dtype}, must hold true and false")
    else:
        values = values.astype(np.float64, copy=False)
    if values.ndim == 0:
        values = np.full((1, k), values)
    elif values.ndim == 1 and k == 1 and values.size == n:
        values = values.reshape(n, 1)
    if values.shape not in (shape, (1, k)):
        raise InvalidRequest(name, f"has shape {values.shape}, needs {shape}")
    if name not in MASKS:
        _check_numbers(name, values)
    return writable(values)


def _check_numbers(name: str, values: Floats) -> None:
    lowest = np.nanmin(values, initial=np.inf)
    if lowest < 0 or (name in POSITIVE and lowest == 0):
        raise InvalidRequest(
            name, f"holds {lowest}, must be {'above 0' if name in POSITIVE else '0 or more'}"
        )
    highest = np.max(values, initial=-np.inf)
    if highest == np.inf or np.nanmax(values, initial=-np.inf) == np.inf:
        raise InvalidRequest(name, "holds infinity")
    if name in COMPLETE and np.isnan(highest):
        raise InvalidRequest(name, "holds NaN")
