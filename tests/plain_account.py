"""The simulator again: plain, slow, one position a symbol, written from docs/backtest.md."""
# ruff: noqa: C901, PLR0912, PLR0915 - each rule of the page reads as one passage

import math
from dataclasses import dataclass, field
from typing import Any

from bellwether.backtest.engine import switched_off
from bellwether.backtest.market import Market
from bellwether.backtest.rules import Rules

NEAR = 1e-9


@dataclass
class Position:
    """One symbol of the account."""

    shares: float = 0.0
    last_price: float | None = None
    waiting: float | None = None  # number of shares that an order still wants to reach


@dataclass
class Account:
    """The account and everything that was written down about it."""

    cash: float
    positions: dict[str, Position]
    equity: list[float] = field(default_factory=list)
    cash_path: list[float] = field(default_factory=list)
    shares: list[list[float]] = field(default_factory=list)
    costs: list[dict[str, float]] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)
    fills: list[tuple[int, str, float, float]] = field(default_factory=list)
    ruined: bool = False


class PlainAccount:
    """Trades targets in a market under rules, the way one would by hand."""

    def __init__(self, market: Market, targets: Any, rules: Rules) -> None:
        self.market, self.targets, self.rules = market, targets, rules
        self.off = switched_off(market, rules)
        start = rules.costs.capital_usd
        self.account = Account(start, {s: Position() for s in market.symbols})

    # what the market says

    def told(self, table: Any, t: int, j: int, otherwise: Any) -> Any:
        if table is None:
            return otherwise
        return table[t, j] if table.shape[0] == self.market.shape[0] else table[0, j]

    def halted(self, t: int, j: int) -> bool:
        quiet = self.told(self.market.volume, t, j, 1.0) == 0
        return "halts" not in self.off and (
            bool(self.told(self.market.halted, t, j, False)) or quiet
        )

    def gone(self, t: int, j: int) -> bool:
        at = self.market.delisted_at
        return at is not None and 0 <= at[j] <= t

    def adv(self, t: int, j: int) -> float:
        return float(self.told(self.market.adv_usd, t - 1, j, math.nan))

    def rate(self, t: int) -> float:
        rates = self.market.cash_rate
        if rates is None:
            return 0.0
        return float(rates[t, 0] if len(rates) > 1 else rates[0, 0])

    # one session

    def run(self) -> Account:
        n, _ = self.market.shape
        for t in range(n):
            self.costs = dict.fromkeys(
                ("commission", "spread", "slippage", "impact", "borrow", "margin"), 0.0
            )
            self.count: dict[str, int] = {}
            if t > 0 and not self.account.ruined:
                self.interest(t)
                for j, name in enumerate(self.market.symbols):
                    self.corporate_actions(t, j, self.account.positions[name])
                self.decide(t)
                self.fill(t, self.cash_scaled(t, self.orders(t)))
                self.borrow(t)
            self.close()
        return self.account

    def bump(self, what: str) -> None:
        self.count[what] = self.count.get(what, 0) + 1

    def locked(self, prices: list[float]) -> float:
        if self.rules.short_proceeds == "free":
            return 0.0
        return sum(
            -p.shares * price
            for p, price in zip(self.account.positions.values(), prices, strict=True)
            if p.shares < 0
        )

    def interest(self, t: int) -> None:
        last = [p.last_price or 0.0 for p in self.account.positions.values()]
        free = self.account.cash - self.locked(last)
        rate = self.rate(t)
        if free >= 0:
            if "cash_interest" not in self.off:
                self.account.cash += free * rate
        elif "margin_interest" not in self.off:
            owed = -free * (max(rate, 0.0) + self.rules.margin_spread_bps_per_year * 1e-4 / 252)
            self.costs["margin"] = owed
            self.account.cash -= owed

    def corporate_actions(self, t: int, j: int, position: Position) -> None:
        ratio = 1.0 if "splits" in self.off else self.told(self.market.split, t, j, 1.0)
        if position.shares == 0:
            before = self.market.close[t - 1, j]
            position.last_price = None if math.isnan(before) else before
        if position.last_price is not None:
            position.last_price /= ratio
        if position.waiting is not None:
            position.waiting *= ratio
        if position.shares == 0:
            return
        position.shares *= ratio
        if "dividends" not in self.off:
            per_share = self.told(self.market.dividend, t, j, 0.0)
            self.account.cash += position.shares * per_share
        if self.gone(t, j):
            lost = self.market.delisting_return
            change = math.nan if lost is None else lost[j]
            if math.isnan(change):
                change = self.rules.missing_delisting_return
            if "delisting" in self.off:
                change = 0.0
            self.account.cash += position.shares * position.last_price * (1 + change)
            position.shares = 0.0
            self.bump("settlements")
        elif self.lot() and ratio != 1:
            whole = math.copysign(math.floor(abs(position.shares) + NEAR), position.shares)
            self.account.cash += (position.shares - whole) * position.last_price
            position.shares = whole

    def lot(self) -> float:
        return 0.0 if "lots" in self.off else self.rules.lot_shares

    def prices(self, t: int) -> list[float]:
        """Return each symbol's price at this open."""
        found = []
        for j, position in enumerate(self.account.positions.values()):
            opened = self.market.open[t, j]
            last = math.nan if position.last_price is None else position.last_price
            found.append(last if math.isnan(opened) else opened)
        return found

    def decide(self, t: int) -> None:
        row = t - self.rules.lag_sessions
        if row < 0:
            return
        prices = self.prices(t)
        positions = list(self.account.positions.values())
        if self.rules.sizing == "fill":
            held = sum(p.shares * x for p, x in zip(positions, prices, strict=True) if p.shares)
            equity, reference = self.account.cash + held, prices
        else:
            equity = self.account.equity[t - 1]
            reference = [math.nan if p.last_price is None else p.last_price for p in positions]
        for j, position in enumerate(positions):
            target = self.targets[row, j]
            if math.isnan(target):
                continue
            if target == 0:
                position.waiting = 0.0
            elif math.isnan(reference[j]):
                self.bump("unpriced")
                position.waiting = None
            else:
                position.waiting = target * equity / reference[j]

    def orders(self, t: int) -> list[float]:
        prices = self.prices(t)
        return [
            self.order(t, j, position, prices[j])
            for j, position in enumerate(self.account.positions.values())
        ]

    def order(self, t: int, j: int, position: Position, price: float) -> float:
        if position.waiting is None:
            return 0.0
        held, wanted = position.shares, position.waiting
        size = wanted - held
        if abs(size) <= NEAR * max(abs(wanted), abs(held)):
            position.waiting = None
            return 0.0
        if self.gone(t, j):
            self.bump("delisted_refused")
            position.waiting = None
            return 0.0
        if self.halted(t, j):
            self.bump("halted")
            if self.rules.halted_orders == "drop":
                position.waiting = None
            return 0.0
        capped = False
        if "participation" not in self.off:
            adv = self.adv(t, j)
            most = 0.0 if math.isnan(adv) else self.rules.participation_cap * adv / price
            if abs(size) > most:
                size = math.copysign(most, size) if most else 0.0
                capped = True
                self.bump("capped")
        if "borrow_availability" not in self.off:
            lendable = self.told(self.market.borrowable, t - 1, j, True)
            if held + size < min(held, 0.0) and not lendable:
                self.bump("short_refused")
                size = -held if held > 0 else 0.0
        if not (capped and self.rules.unfilled == "carry"):
            position.waiting = None
        return self.rounded(held, size)

    def rounded(self, held: float, size: float) -> float:
        if size == 0:
            return 0.0
        if abs(held + size) <= NEAR * abs(held):
            return -held
        lot = self.lot()
        if lot:
            return math.copysign(math.floor(abs(size) / lot + NEAR) * lot, size)
        return size

    def charges(self, t: int, j: int, size: float, price: float) -> dict[str, float]:
        rules, costs = self.rules, self.rules.costs
        notional = abs(size) * price
        found = dict.fromkeys(("commission", "spread", "slippage", "impact"), 0.0)
        if size == 0:
            return found
        adv = self.adv(t, j)
        if "commission" not in self.off:
            by_size = notional * costs.commission_bps * 1e-4
            by_size += abs(size) * rules.commission_per_share_usd
            found["commission"] = max(by_size, rules.commission_minimum_usd)
        if "spread" not in self.off:
            bps = costs.half_spread_bps
            if rules.spread_tiers is not None:
                bps = rules.spread_tiers[0][1]
                for floor, tier in rules.spread_tiers:
                    if adv >= floor:
                        bps = tier
            found["spread"] = notional * bps * 1e-4
        if "slippage" not in self.off:
            found["slippage"] = notional * rules.slippage_bps * 1e-4
        if "impact" not in self.off:
            sigma = self.told(self.market.volatility, t - 1, j, math.nan)
            found["impact"] = (
                notional * costs.impact_coefficient * sigma * math.sqrt(notional / adv)
            )
        return found

    def spendable_after(self, held: float, size: float, price: float, cost: float) -> float:
        """Return how an order changes the cash that may be spent."""
        change = -size * price - cost
        if self.rules.short_proceeds == "locked":
            change -= max(-(held + size), 0.0) * price - max(-held, 0.0) * price
        return change

    def cash_scaled(self, t: int, orders: list[float]) -> list[float]:
        if self.rules.margin:
            return orders
        prices = self.prices(t)
        positions = list(self.account.positions.values())
        valued = [0.0 if math.isnan(p) else p for p in prices]
        spendable = self.account.cash - self.locked(valued)
        need = 0.0
        parts = []
        for j, size in enumerate(orders):
            held = positions[j].shares
            back = size if held * size < 0 and abs(size) <= abs(held) else 0.0
            if held * size < 0 and abs(size) > abs(held):
                back = -held
            parts.append((back, size - back))
            if size == 0:
                continue
            cost = sum(self.charges(t, j, size, prices[j]).values())
            if back == size:
                spendable += self.spendable_after(held, size, prices[j], cost)
            else:
                alone = self.spendable_after(held, back, prices[j], 0.0)
                spendable += alone
                need += alone - self.spendable_after(held, size, prices[j], cost)
        if need <= max(spendable, 0.0):
            return orders
        self.bump("cash_scaled")
        share = max(spendable / need - NEAR, 0.0)
        scaled = list(orders)
        for j, (back, away) in enumerate(parts):
            if away == 0:
                continue
            held, price = positions[j].shares, prices[j]
            spendable -= self.spendable_after(held, back, price, 0.0)
            size = self.rounded(held, back + share * away)
            size = back if share == 0 or abs(size) < abs(back) else size
            left = spendable + self.after(t, j, held, size, price)
            if left < 0 and size != back:
                self.bump("cash_refused")
                size = back
                left = spendable + self.after(t, j, held, size, price)
            scaled[j], spendable = size, left
        return scaled

    def after(self, t: int, j: int, held: float, size: float, price: float) -> float:
        cost = sum(self.charges(t, j, size, price).values())
        return self.spendable_after(held, size, price, cost)

    def fill(self, t: int, orders: list[float]) -> None:
        prices = self.prices(t)
        for j, (name, position) in enumerate(self.account.positions.items()):
            size = orders[j]
            if size == 0:
                continue
            charges = self.charges(t, j, size, prices[j])
            for kind, amount in charges.items():
                self.costs[kind] += amount
            self.account.cash -= size * prices[j] + sum(charges.values())
            position.shares += size
            self.bump("orders")
            self.account.fills.append((t, name, size, prices[j]))

    def borrow(self, t: int) -> None:
        for j, position in enumerate(self.account.positions.values()):
            if position.shares == 0:
                continue
            close = self.market.close[t, j]
            if math.isnan(close):
                self.bump("stale_marks")
            else:
                position.last_price = close
            if position.shares < 0 and "borrow" not in self.off:
                flat = self.rules.costs.borrow_bps_per_year * 1e-4
                rate = self.told(self.market.borrow_rate, t, j, flat) / 252
                self.costs["borrow"] += -position.shares * position.last_price * rate
        self.account.cash -= self.costs["borrow"]

    def close(self) -> None:
        account = self.account
        held = [p for p in account.positions.values() if p.shares != 0]
        equity = account.cash + sum(p.shares * p.last_price for p in held)
        if equity <= 0 and not account.ruined:
            account.ruined = True
            account.cash = equity
            for position in held:
                position.shares = 0.0
        if account.cash < 0:
            self.bump("overdrawn")
        account.equity.append(equity)
        account.cash_path.append(account.cash)
        account.shares.append([p.shares for p in account.positions.values()])
        account.costs.append(self.costs)
        account.counts.append(self.count)


def by_hand(market: Market, targets: Any, rules: Rules) -> Account:
    """Trade targets in a market under rules."""
    return PlainAccount(market, targets, rules).run()
