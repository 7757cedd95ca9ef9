"""Laws of the portfolio simulator on markets in which everything goes wrong."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.plain_account import by_hand
from tests.random_markets import Case, cases, random_market, random_targets

from bellwether.backtest import rows
from bellwether.backtest.costs import Costs
from bellwether.backtest.engine import backtest
from bellwether.backtest.market import Market
from bellwether.backtest.result import Backtest
from bellwether.backtest.rules import Rules
from bellwether.core.errors import InvalidRequest

CENT = 0.01
FREE = Rules(
    costs=Costs(0.0, 0.0, 0.0, 0.0),
    off=("slippage", "participation", "borrow_availability", "cash_interest", "margin_interest"),
)


def traded(case: Case, **changes: object) -> Backtest:
    """Trade a case, unless it asks for a volume or price that nobody told."""
    rules = replace(case.rules, **changes)
    try:
        return backtest(case.market, case.targets, rules, orders=True)
    except InvalidRequest as error:
        assume(error.field not in ("open", "close", "volatility", "adv_usd"))
        raise


@settings(max_examples=300)
@given(cases())
def test_agrees_with_the_plain_account_to_the_cent(case: Case) -> None:
    done = traded(case)
    plain = by_hand(case.market, case.targets, case.rules)

    scale = np.maximum(1.0, np.abs(plain.equity) / 1e8)  # a cent in 100 M, 8 bytes hold no more
    assert (np.abs(done.equity - plain.equity) / scale).max() < CENT
    assert (np.abs(done.session["cash_usd"] - plain.cash_path) / scale).max() < CENT
    assert done.shares == pytest.approx(np.array(plain.shares), rel=1e-7, abs=1e-6)
    for name in rows.COSTS:
        told = np.array([costs[name] for costs in plain.costs])
        assert (np.abs(done.session[name] - told) / scale).max() < CENT, name
    for name in rows.COUNTS:
        assert done.counts[name].tolist() == [c.get(name, 0) for c in plain.counts], name
    assert len(done.orders[done.orders["kind"] == 0]) == len(plain.fills)
    assert (done.ruined_at is not None) == plain.ruined
