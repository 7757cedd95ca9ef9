"""Answers that need the simulation again."""

import math
from typing import Any

import numpy as np
import pytest

from bellwether.backtest.costs import Costs
from bellwether.backtest.engine import backtest
from bellwether.backtest.market import Market
from bellwether.backtest.rules import Rules
from bellwether.backtest.what_if import (
    alpha,
    break_even_bps,
    capacity,
    cost_breakdown,
    each_off,
    simple_break_even_bps,
)
from bellwether.core.errors import InvalidRequest

N = 200
TRADES = np.array([0.5, 0.0] * (N // 2))
RULES = Rules(costs=Costs(capital_usd=1e6), slippage_bps=0.0, lot_shares=0.0, sizing="fill")


def market(intraday: float, **told: Any) -> Market:
    """Rise within the sessions in which something is held, and stand still in the others."""
    open_ = np.full(N, 10.0)
    close = np.where(np.arange(N) % 2 == 1, 10.0 * (1 + intraday), 10.0)
    open_[2::2] = 10.0 * (1 + intraday)
    days = np.datetime64("2020-01-01") + np.arange(N)
    known = {"adv_usd": 50e6, "volatility": 0.02, **told}
    return Market(days, ("A",), open_, close, **known)


def test_break_even_is_what_a_dollar_earned() -> None:
    """Half the capital earns 40 bps in every second session, and is traded in and out."""
    told = market(0.004)
    done = backtest(told, TRADES, RULES)

    assert simple_break_even_bps(done) == pytest.approx(20, rel=0.01)
    assert break_even_bps(told, TRADES, RULES) == pytest.approx(20, rel=0.01)
    at_it = Rules(costs=Costs(20.0, 0.0, 0.0, 0.0), slippage_bps=0.0, lot_shares=0.0, sizing="fill")
    assert abs(alpha(backtest(told, TRADES, at_it))) < 1e-5


def test_break_even_has_ends() -> None:
    assert break_even_bps(market(-0.004), TRADES, RULES) == 0.0
    assert break_even_bps(market(0.004), np.zeros(N), RULES) is None
    assert simple_break_even_bps(backtest(market(0.004), np.zeros(N), RULES)) is None


def test_capacity_is_where_impact_has_eaten_the_alpha() -> None:
    """ADV ((alpha / turnover - costs) / (Y sigma))^2 is the trade; the account trades half of it."""
    found = capacity(market(0.004), TRADES, RULES, largest_usd=1e10)
    trade = 50e6 * ((20e-4 - 3e-4) / 0.02) ** 2

    assert found.usd == pytest.approx(2 * trade, rel=0.02)
    assert found.alpha_small > 0 > found.alpha_large


def test_capacity_has_ends() -> None:
    assert capacity(market(-0.004), TRADES, RULES).usd is None
    assert capacity(market(0.004), TRADES, RULES, largest_usd=2e5).usd == math.inf
    with pytest.raises(InvalidRequest, match="impact"):
        capacity(market(0.004, adv_usd=None), TRADES, RULES)


def test_each_item_of_realism_is_switched_off_in_turn() -> None:
    told = market(0.004, cash_rate=0.0001)
    found = {effect.switch: effect for effect in each_off(told, TRADES, RULES)}
    full = backtest(told, TRADES, RULES)

    assert found["commission"].difference > 0
    assert found["impact"].difference > found["commission"].difference
    assert found["cash_interest"].difference < 0
    assert not set(full.switched_off) & set(found)
    assert found["commission"].total_net - found["commission"].difference == pytest.approx(
        full.equity[-1] / full.start_usd - 1
    )


def test_costs_are_broken_down_by_kind() -> None:
    done = backtest(market(0.004), TRADES, RULES)
    found = cost_breakdown(done)

    assert found["commission"]["bps_of_traded"] == pytest.approx(1)
    assert found["spread"]["bps_of_traded"] == pytest.approx(2)
    kinds = sum(v["usd"] for name, v in found.items() if name != "total")
    assert found["total"]["usd"] == pytest.approx(kinds)
    assert done.gross.mean() - done.net.mean() == pytest.approx(found["total"]["return_a_session"])


def test_a_benchmark_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="benchmark"):
        alpha(backtest(market(0.004), TRADES, RULES), [0.0])
