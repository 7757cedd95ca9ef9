"""Trading what was forecast: from the record of a walk-forward to accounts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bellwether.backtest.engine import backtest
from bellwether.backtest.market import Market
from bellwether.backtest.result import Backtest
from bellwether.backtest.rules import Rules
from bellwether.backtest.targets import Plan, make_targets
from bellwether.pipelines.market import spread

HELD = "equal_weight"
"""The benchmark: all names that may be held, the same in each, put right once a month."""
MONTH = 21
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to trade the forecasts of any model: the record, the market, the rules."""

    record: pl.DataFrame
    market: Market
    plan: Plan
    rules: Rules
    horizon_sessions: int

    def targets(self, name: str) -> Floats:
        """Return the targets of one model, or of the benchmark; shape (n_sessions, n_symbols)."""
        if name == HELD:
            held = Plan("long_only", rebalance_sessions=MONTH)
            return self._kept(make_targets(self._table(pl.lit(1.0)), held))
        by_call = self.plan.kind in ("long_only", "long_short")
        column = f"direction_{name}" if by_call else f"forecast_{name}"
        return _overlapping(
            self._kept(make_targets(self._table(pl.col(column)), self.plan)), self.horizon_sessions
        )

    def trade(self, name: str, rules: Rules | None = None, *, positions: bool = False) -> Backtest:
        """Trade one model's forecasts, by default under the rules of this desk."""
        return backtest(self.market, self.targets(name), rules or self.rules, positions=positions)

    def _table(self, column: pl.Expr) -> Floats:
        values = self.record.with_columns(value=column.cast(pl.Float64))["value"]
        return spread(self.record, values, self.market.sessions, self.market.symbols)

    def _kept(self, targets: Floats) -> Floats:
        """Leave a position alone while its symbol does not trade, and after the last decision."""
        halted = self.market.halted
        if halted is not None:
            targets = np.where(halted, np.nan, targets)
        last = self.record["session"].to_numpy().max()
        targets[self.market.sessions > last] = np.nan
        return targets


def _overlapping(targets: Floats, horizon: int) -> Floats:
    """Give each decision 1/h of the capital for h sessions (Jegadeesh and Titman 1993).

    Where nothing is decided, what the last decision wanted goes on.
    """
    if horizon == 1:
        return targets
    wanted = targets.copy()
    for t in range(1, len(wanted)):
        missing = np.isnan(wanted[t])
        wanted[t, missing] = wanted[t - 1, missing]
    total = np.cumsum(np.nan_to_num(wanted), axis=0)
    total[horizon:] -= total[:-horizon].copy()
    return np.where(np.isnan(targets), np.nan, total / horizon)


def accounts(desk: Desk, names: Sequence[str]) -> dict[str, Backtest]:
    """Trade several models and the benchmark in the same market under the same rules."""
    return {name: desk.trade(name) for name in (*names, HELD)}
