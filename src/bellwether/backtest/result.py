"""What an account went through, session by session and symbol by symbol."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bellwether.backtest import rows
from bellwether.backtest.books import Books, Floats, Integers, State
from bellwether.backtest.market import Market
from bellwether.core.errors import MissingRecord


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """The result of `engine.backtest`; n sessions, k symbols, USD unless said otherwise.

    Attributes
    ----------
    market : Market
        What was traded.
    session : dict of arrays, shape (n,)
        `equity_usd`, `cash_usd`, `long_usd`, `short_usd` (0 or more) at the close; `traded_usd` at
        the open, both sides; `bought_usd`, less what was sold; each cost by its name; `interest`,
        `dividends` and `settled_usd` (delistings, fractions of shares after splits, ruin) as
        received.
    symbol : dict of arrays, shape (k,)
        Costs, dividends, `traded_usd` and `flow_usd` (cash that the symbol brought before costs)
        over all sessions.
    counts : dict of int arrays, shape (n,)
        Orders filled, and what was refused or cut: see `rows.COUNTS` and docs/backtest.md.
    shares : array, shape (n, k)
        Held at each close; (0, k) where the positions were not kept.
    last_shares, last_price : array, shape (k,)
        Held at the end, and the price of it.
    orders : structured array
        Fills in order, empty where they were not kept: session, symbol, kind (`rows.KINDS`),
        shares (negative: sold), price, cost_usd.
    start_usd : float
        Cash before the first session.
    ruined_at : int or None
        Session at whose close no equity was left; the account ends there.
    switched_off : tuple of str
        Realism that was left out, because it was asked for or because no data was given.
    """

    market: Market
    session: dict[str, Floats]
    symbol: dict[str, Floats]
    counts: dict[str, Integers]
    shares: Floats
    last_shares: Floats
    last_price: Floats
    orders: NDArray[Any]
    start_usd: float
    ruined_at: int | None
    switched_off: tuple[str, ...]

    @property
    def equity(self) -> Floats:
        """Equity at each close, USD."""
        return self.session["equity_usd"]

    @property
    def costs(self) -> Floats:
        """All costs of each session, USD."""
        return _summed(self.session, rows.COSTS)

    @property
    def net(self) -> Floats:
        """Simple return of each session after costs; -1 or less once, at ruin, then 0."""
        return self._of_start(np.diff(self.equity, prepend=self.start_usd))

    @property
    def gross(self) -> Floats:
        """Simple return of each session before costs, of the same holdings."""
        return self._of_start(np.diff(self.equity, prepend=self.start_usd) + self.costs)

    @property
    def turnover(self) -> Floats:
        """Traded at each open, buys and sells, as a share of the equity before."""
        return self._of_start(self.session["traded_usd"])

    @property
    def gross_exposure(self) -> Floats:
        """Long and short at each close as a share of equity."""
        return _over(self.session["long_usd"] + self.session["short_usd"], self.equity)

    @property
    def net_exposure(self) -> Floats:
        """Long less short at each close as a share of equity."""
        return _over(self.session["long_usd"] - self.session["short_usd"], self.equity)

    @property
    def weights(self) -> Floats:
        """Share of equity in each symbol at each close, drifted as prices moved; (n, k).

        Raises
        ------
        MissingRecord
            If the positions were not kept.
        """
        if self.shares.shape[0] != self.equity.size:
            raise MissingRecord("position", "this backtest", "backtest(..., positions=True)")
        return _over(self.shares * self.carried_close(), self.equity[:, None])

    def carried_close(self) -> Floats:
        """Return closes with what was not told carried on, splits applied; (n, k)."""
        close = self.market.close
        if not np.isnan(close).any():
            return close
        carried = close.copy()
        split = self.market.split
        for t in range(1, carried.shape[0]):
            missing = np.isnan(carried[t])
            before = carried[t - 1]
            if split is not None and "splits" not in self.switched_off:
                before = before / split[min(t, split.shape[0] - 1)]
            carried[t, missing] = before[missing]
        told: Floats = np.nan_to_num(carried)
        return told

    @property
    def pnl(self) -> Floats:
        """What each symbol earned after its costs, USD; (k,)."""
        held = np.where(self.last_shares != 0, self.last_shares * self.last_price, 0.0)
        paid = _summed(self.symbol, rows.COSTS[:5])
        return self.symbol["flow_usd"] + held - paid

    def _of_start(self, amount: Floats) -> Floats:
        before = (
            np.concatenate(([self.start_usd], self.equity[:-1])) if self.equity.size else amount
        )
        return _over(amount, before)


def _summed(table: dict[str, Floats], names: tuple[str, ...]) -> Floats:
    total: Floats = np.sum([table[name] for name in names], axis=0)
    return total


def _over(part: Floats, whole: Floats) -> Floats:
    """Divide; 0 where no equity is left."""
    share: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return share


def from_books(
    market: Market, state: State, books: Books, start_usd: float, off: tuple[str, ...]
) -> Backtest:
    """Name what the engine wrote."""
    count = int(books.order_count[0])
    ruined = int(state.ruined[0])
    return Backtest(
        market=market,
        session=dict(zip(rows.SESSION, books.session, strict=True)),
        symbol=dict(zip(rows.SYMBOL, books.symbol, strict=True)),
        counts=dict(zip(rows.COUNTS, books.counts, strict=True)),
        shares=books.positions,
        last_shares=state.shares,
        last_price=state.price,
        orders=books.orders[:count],  # pages behind them were never touched
        start_usd=start_usd,
        ruined_at=None if ruined < 0 else ruined,
        switched_off=off,
    )
