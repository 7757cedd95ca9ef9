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


@given(cases())
def test_cash_is_conserved_at_each_step(case: Case) -> None:
    """Cash moves by what is named, and by nothing else."""
    done = traded(case)
    flows = done.session["interest"] + done.session["dividends"] + done.session["settled_usd"]
    flows = flows - done.session["bought_usd"] - done.costs
    moved = np.diff(done.session["cash_usd"], prepend=done.start_usd)

    size = np.abs(done.session["cash_usd"]) + done.session["traded_usd"] + done.start_usd
    assert (np.abs(moved - flows) <= 1e-11 * size).all()


@given(cases())
def test_shares_are_conserved_at_each_step(case: Case) -> None:
    """Shares move by splits, fills and what is settled, and by nothing else."""
    done = traded(case)
    n, k = case.market.shape
    split = (
        np.ones((n, k))
        if "splits" in done.switched_off
        else np.broadcast_to(case.market.split, (n, k))
    )
    filled = np.zeros((n, k))
    for order in done.orders:
        filled[order["session"], order["symbol"]] += order["shares"]
    before = np.vstack([np.zeros(k), done.shares[:-1]]) * split
    left = before + filled - done.shares
    whole = "lots" not in done.switched_off

    assert (np.abs(left) < (1 if whole else 1e-6) + 1e-9 * np.abs(before)).all()
    assert not left[(split == 1) & (np.abs(left) > 1e-6 + 1e-9 * np.abs(before))].any()
    if whole:
        assert done.shares == pytest.approx(np.round(done.shares), abs=1e-6)


@given(cases())
def test_equity_is_cash_and_holdings_and_is_earned_symbol_by_symbol(case: Case) -> None:
    done = traded(case)
    held = done.session["long_usd"] - done.session["short_usd"]
    size = done.start_usd + np.abs(done.equity) + done.session["long_usd"] * 2

    assert (np.abs(done.equity - done.session["cash_usd"] - held) <= 1e-12 * size).all()
    assert done.shares[-1].tolist() == done.last_shares.tolist()
    interest = done.session["interest"].sum() - done.session["margin"].sum()
    earned = done.pnl.sum() + interest
    most = size.max() + done.session["traded_usd"].sum()
    assert earned == pytest.approx(done.equity[-1] - done.start_usd, abs=1e-10 * most)
    assert (
        np.prod(1 + done.net) * done.start_usd == pytest.approx(done.equity[-1], abs=1e-9 * most)
        or done.ruined_at is not None
    )
    for name in rows.COSTS[:5]:
        assert done.symbol[name].sum() == pytest.approx(done.session[name].sum(), rel=1e-9)


@given(cases())
def test_cash_is_never_negative_without_a_short_or_margin(case: Case) -> None:
    wanted = np.where(case.targets < 0, 0.0, case.targets)
    free_to_sell = {"commission_minimum_usd": 0.0, "commission_per_share_usd": 0.0}
    off = (*case.rules.off, "impact")  # which may eat a whole sale where volume is tiny
    done = traded(replace(case, targets=wanted), margin=False, off=off, **free_to_sell)

    assert not (done.shares < 0).any()
    assert (done.session["cash_usd"] >= 0).all()
    assert not done.counts["overdrawn"].any()


@given(cases())
def test_an_overdrawn_account_is_counted(case: Case) -> None:
    done = traded(case)
    assert ((done.session["cash_usd"] < 0) == (done.counts["overdrawn"] == 1)).all()


@given(cases())
def test_no_signal_earns_cash_interest_and_costs_nothing(case: Case) -> None:
    for nothing in (0.0, np.nan):
        done = traded(replace(case, targets=np.full_like(case.targets, nothing)))
        assert not done.costs[done.session["cash_usd"] >= 0].any()
        assert not done.session["traded_usd"].any()
        assert done.equity - done.start_usd == pytest.approx(
            done.session["interest"].cumsum(), abs=1e-9 * done.start_usd
        )


@given(cases(), st.sampled_from(["commission_bps", "half_spread_bps", "borrow_bps_per_year"]))
def test_a_dearer_cost_never_ends_richer(case: Case, name: str) -> None:
    """Of the same shares: on margin, in fractions, told in numbers of shares."""
    market = replace(case.market, borrow_rate=None, cash_rate=None)
    rules = replace(
        FREE, margin=True, costs=replace(FREE.costs, capital_usd=case.rules.costs.capital_usd)
    )
    dear = replace(rules, costs=replace(rules.costs, **{name: 40.0}))
    short = np.where(np.isnan(case.targets), np.nan, np.clip(case.targets, -1, 1) * 0.1)
    once = np.full_like(short, np.nan)
    once[0] = short[0]
    case = Case(market, once, rules)

    cheap, costly = traded(case), traded(replace(case, rules=dear))
    assert costly.costs.sum() >= cheap.costs.sum()
    assert (costly.equity <= cheap.equity + 1e-9 * cheap.start_usd).all()


@given(cases(), st.data())
def test_the_future_does_not_reach_back(case: Case, data: st.DataObject) -> None:
    """Everything up to t is as it was, to the bit, whatever comes after."""
    n, k = case.market.shape
    t = data.draw(st.integers(0, n - 1))
    done = traded(case)
    rng = np.random.default_rng(t)
    other = random_market(rng, n, k, calm=0.0)
    later = np.arange(n)[:, None] > t
    tables = ("open", "close", "volume", "split", "halted", "adv_usd", "volatility")
    mixed = {
        name: np.where(later, getattr(other, name), getattr(case.market, name)) for name in tables
    }
    mixed["halted"] = np.where(later, True, case.market.halted)
    gone = case.market.delisted_at
    mixed["delisted_at"] = np.where(gone > t, -1, gone)
    wanted = np.where(later, random_targets(rng, n, k), case.targets)
    lag_zero = case.rules.lag_sessions == 0
    retold = traded(Case(replace(case.market, **mixed), wanted, case.rules))

    assert retold.equity[: t + 1].tolist() == done.equity[: t + 1].tolist()
    assert retold.shares[: t + 1].tolist() == done.shares[: t + 1].tolist()
    assert lag_zero == ("next_open" in done.switched_off)


@given(cases())
def test_a_signal_a_session_late_is_a_longer_lag(case: Case) -> None:
    late = np.vstack([np.full(case.targets.shape[1], np.nan), case.targets[:-1]])
    now = traded(case, lag_sessions=2)
    shifted = traded(replace(case, targets=late), lag_sessions=1)

    assert now.equity.tolist() == shifted.equity.tolist()
    assert now.orders.tolist() == shifted.orders.tolist()


@given(cases())
def test_orders_stay_within_the_cap_and_nothing_trades_in_a_halt(case: Case) -> None:
    done = traded(case)
    if "participation" not in done.switched_off:
        for order in done.orders[done.orders["kind"] == 0]:
            adv = case.market.adv_usd[order["session"] - 1, order["symbol"]]
            value = abs(order["shares"]) * order["price"]
            assert value <= case.rules.participation_cap * adv * (1 + 1e-8)
    if "halts" not in done.switched_off:
        quiet = case.market.halted | (case.market.volume == 0)
        fills = done.orders[done.orders["kind"] == 0]
        assert not quiet[fills["session"], fills["symbol"]].any()
