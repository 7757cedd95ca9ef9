"""The account by hand: the worked example, and each rule on numbers one can follow."""

from typing import Any

import numpy as np
import pytest

from bellwether.backtest.costs import Costs
from bellwether.backtest.engine import backtest
from bellwether.backtest.market import Market
from bellwether.backtest.result import Backtest
from bellwether.backtest.rules import Rules
from bellwether.evaluation.trading import trading_metrics

OPEN = [100.0, 101, 99, 102, 103, 101]
CLOSE = [100.5, 100, 101, 103, 102, 102]
TARGET = [0.0, 1, 1, -1, -1, 0]


def plain(capital: float = 1000.0, **rules: Any) -> Rules:
    """Return rules that charge nothing, in fractions of shares."""
    given: dict[str, Any] = {
        "costs": Costs(0.0, 0.0, 0.0, 0.0, capital),
        "slippage_bps": 0.0,
        "lot_shares": 0.0,
        **rules,
    }
    return Rules(**given)


def one(open_: list[float], close: list[float], **told: Any) -> Market:
    days = np.datetime64("2024-01-01") + np.arange(len(open_))
    return Market(days, ("A",), open_, close, **told)


def held(done: Backtest) -> list[float]:
    return done.shares[:, 0].tolist()


def test_worked_example() -> None:
    """Beside the score of a constant fraction, an account differs by the drift of its holdings."""
    costs = Costs(1.0, 2.0, 300.0, 0.0)
    rules = plain(costs=costs, sizing="fill", margin=True, off=("margin_interest",))
    done = backtest(one(OPEN, CLOSE), TARGET, rules)

    assert np.sign(held(done)).tolist() == [0, 0, 1, 1, -1, -1]
    assert done.net == pytest.approx([0, 0, 0.019902, 0.019802, 0.008990, -0.000313], abs=2e-4)
    assert done.equity[-1] / done.start_usd - 1 == pytest.approx(0.049120, abs=3e-4)
    assert done.net[2] == pytest.approx(101 / 99 - 1 - 3e-4, abs=1e-12)
    # short at 103 for all there is, so less than that at 102: the night earns on the drifted weight
    opened = 1 + done.weights[4, 0] * (101 / 102 - 1)
    traded = opened + done.weights[4, 0] * 101 / 102
    borrowed = opened * 102 / 101 * 0.03 / 252
    assert done.net[5] == pytest.approx(opened * (2 - 102 / 101) - 3e-4 * traded - borrowed - 1)


def test_two_way_turnover_counts_the_drift() -> None:
    """From halves, after +10% and -5%, to 0.6 and 0.4: 0.126829, not 0.2."""
    prices = np.array([[10.0, 20], [10, 20], [11, 19], [11, 19]])
    days = np.datetime64("2024-01-01") + np.arange(4)
    market = Market(days, ("A", "B"), prices, prices)
    rules = plain(sizing="fill")
    wanted = [[0.5, 0.5], [np.nan, np.nan], [0.6, 0.4], [np.nan, np.nan]]
    opened = prices.copy()
    opened[2] = prices[1]
    done = backtest(Market(days, ("A", "B"), opened, prices), wanted, rules)

    assert done.weights[2] == pytest.approx([0.536585, 0.463415], abs=5e-7)
    assert done.turnover[3] == pytest.approx(0.126829, abs=5e-7)
    assert market.shape == (4, 2)


def test_a_target_is_sized_at_the_close_and_filled_at_the_open() -> None:
    done = backtest(one([10.0, 12, 12], [10.0, 12, 15]), [0.5, np.nan, np.nan], plain())

    assert held(done) == [0, 50, 50]
    assert done.session["cash_usd"].tolist() == [1000, 400, 400]
    assert done.equity.tolist() == [1000, 1000, 1150]


def test_a_split_keeps_the_value_and_pays_for_the_fraction() -> None:
    market = one([10.0, 10, 4, 4], [10.0, 10, 4, 4], split=[1.0, 1, 2.5, 1])
    whole = backtest(market, [0.15, np.nan, np.nan, np.nan], plain(lot_shares=1.0))

    assert held(whole) == [0, 15, 37, 37]
    assert whole.session["settled_usd"].tolist() == [0, 0, 2, 0]
    assert whole.equity.tolist() == [1000] * 4


@pytest.mark.parametrize(("target", "paid"), [(0.5, 50.0), (-0.5, -50.0)])
def test_dividends_are_paid_to_longs_and_by_shorts(target: float, paid: float) -> None:
    market = one([10.0, 10, 9], [10.0, 10, 9], dividend=[0.0, 5, 1])
    done = backtest(market, [target, np.nan, np.nan], plain())

    assert done.session["dividends"].tolist() == [0, 0, paid]
    assert done.equity.tolist() == [1000, 1000, 1000]


def test_a_dividend_after_a_split_is_for_the_new_shares() -> None:
    market = one([10.0, 10, 4], [10.0, 10, 4], split=[1.0, 1, 2], dividend=[0.0, 0, 1])
    done = backtest(market, [1.0, np.nan, np.nan], plain())

    assert done.session["dividends"][2] == 200
    assert done.equity[2] == 1000


def test_impact_by_the_square_root_of_the_share_of_a_day() -> None:
    """1% of a day's volume at 2% volatility concedes 20 bps."""
    market = one([10.0, 10], [10.0, 10], adv_usd=50_000.0, volatility=0.02)
    done = backtest(market, [0.5, np.nan], plain(costs=Costs(0.0, 0.0, 0.0, 1.0, 1000.0)))

    assert done.session["impact"][1] == pytest.approx(500 * 0.0020)


def test_what_the_cap_leaves_waits_or_is_dropped() -> None:
    market = one([10.0] * 4, [10.0] * 4, adv_usd=4000.0)
    wanted = [0.5, np.nan, np.nan, np.nan]
    waits = backtest(market, wanted, plain())
    drops = backtest(market, wanted, plain(unfilled="drop"))

    assert held(waits) == [0, 20, 40, 50]
    assert waits.counts["capped"].tolist() == [0, 1, 1, 0]
    assert held(drops) == [0, 20, 20, 20]


def test_an_order_meets_a_halt() -> None:
    market = one([10.0, np.nan, 10, 10], [10.0, np.nan, 11, 11], halted=[False, True, False, False])
    wanted = [0.5, np.nan, np.nan, np.nan]
    waits = backtest(market, wanted, plain())
    drops = backtest(market, wanted, plain(halted_orders="drop"))

    assert held(waits) == [0, 0, 50, 50]
    assert waits.counts["halted"].tolist() == [0, 1, 0, 0]
    assert held(drops) == [0, 0, 0, 0]


def test_a_halted_position_keeps_its_price() -> None:
    halted = [False, False, True, False]
    market = one([10.0, 10, np.nan, 8], [10.0, 12, np.nan, 8], halted=halted)
    done = backtest(market, [0.5, 0, np.nan, np.nan], plain())

    assert done.equity.tolist() == [1000, 1100, 1100, 900]
    assert held(done) == [0, 50, 50, 0]
    assert done.counts["stale_marks"].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("told", "end"), [(-0.5, 750.0), (np.nan, 850.0), (-1.0, 500.0), (0.2, 1100.0)]
)
def test_a_delisting_settles_at_its_return_or_the_assumed_one(told: float, end: float) -> None:
    market = one(
        [10.0, 10, np.nan, np.nan],
        [10.0, 10, np.nan, np.nan],
        delisted_at=[2],
        delisting_return=[told],
    )
    done = backtest(market, [0.5, np.nan, 1.0, np.nan], plain(), orders=True)

    assert done.equity.tolist() == pytest.approx([1000, 1000, end, end])
    assert done.counts["settlements"].tolist() == [0, 0, 1, 0]
    assert done.counts["unpriced"].sum() + done.counts["delisted_refused"].sum() == 1
    assert done.orders["kind"].tolist() == [0, 1]


def test_a_short_without_a_lender_is_refused_and_recorded() -> None:
    market = one([10.0] * 4, [10.0] * 4, borrowable=[True, False, True, True])
    done = backtest(market, [0.5, -0.5, np.nan, -0.5], plain())

    assert held(done) == [0, 50, 0, 0]
    assert done.counts["short_refused"].tolist() == [0, 0, 1, 0]


def test_cash_earns_its_rate_and_locked_proceeds_do_not() -> None:
    market = one([10.0] * 3, [10.0] * 3, cash_rate=0.01)
    long = backtest(market, [0.5, np.nan, np.nan], plain())
    short = backtest(market, [-0.5, np.nan, np.nan], plain())
    free = backtest(market, [-0.5, np.nan, np.nan], plain(short_proceeds="free"))

    assert long.session["interest"] == pytest.approx([0, 10, 5.1])
    assert short.session["interest"] == pytest.approx([0, 10, 10.1])
    assert free.session["interest"] == pytest.approx([0, 10, 15.1])


def test_what_is_owed_pays_interest() -> None:
    market = one([10.0] * 3, [10.0] * 3, cash_rate=0.001)
    done = backtest(market, [2.0, np.nan, np.nan], plain(margin=True))

    assert done.session["cash_usd"][1] == pytest.approx(1001 - 2000)
    assert done.session["margin"][2] == pytest.approx(999 * (0.001 + 0.015 / 252))
    assert done.counts["overdrawn"].tolist() == [0, 1, 1]


def test_orders_that_open_share_the_cash_there_is() -> None:
    """Half again too much: each order is cut to two thirds, what is sold pays first."""
    days = np.datetime64("2024-01-01") + np.arange(3)
    flat = np.full((3, 3), 10.0)
    wanted = [[0.4, np.nan, np.nan], [0.0, 0.75, 0.75], [np.nan] * 3]
    done = backtest(Market(days, ("A", "B", "C"), flat, flat), wanted, plain())

    assert done.shares[2] == pytest.approx([0, 50, 50])
    assert done.counts["cash_scaled"].tolist() == [0, 0, 1]
    assert 0 <= done.session["cash_usd"][2] < 1e-5


def test_a_short_that_loses_everything_ends_the_account() -> None:
    done = backtest(one([10.0, 10, 10, 10], [10.0, 10, 25, 5]), [-1.0, np.nan, np.nan, 1], plain())

    assert done.ruined_at == 2
    assert done.equity.tolist() == [1000, 1000, -500, -500]
    assert done.net.tolist() == [0, 0, -1.5, 0]
    assert held(done) == [0, -100, 0, 0]


def test_commission_has_a_least_and_a_part_by_share() -> None:
    rules = plain(commission_per_share_usd=0.01, commission_minimum_usd=1.0)
    done = backtest(one([10.0] * 4, [10.0] * 4), [0.05, 0.06, 0.0, np.nan], rules)
    large = backtest(one([1.0] * 2, [1.0] * 2), [0.5, np.nan], rules)

    assert done.session["commission"].tolist() == [0, 1, 1, 1]
    assert large.session["commission"].tolist() == [0, 5]


@pytest.mark.parametrize(("adv", "bps"), [(5e5, 20), (1e6, 8), (5e7, 3), (1e9, 1), (np.nan, 20)])
def test_the_half_spread_comes_by_the_volume_of_a_day(adv: float, bps: float) -> None:
    tiers = ((0.0, 20.0), (1e6, 8.0), (1e7, 3.0), (1e8, 1.0))
    rules = plain(spread_tiers=tiers, off=("participation",))
    done = backtest(one([10.0] * 2, [10.0] * 2, adv_usd=adv), [0.5, np.nan], rules)

    assert done.session["spread"][1] == pytest.approx(500 * bps * 1e-4)


def test_lag_zero_is_shown_for_what_it_is() -> None:
    """The sign of a session's return, traded within that session: Sharpe 21 on noise, then none."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(rng.normal(0, 0.01, 5000).cumsum())
    open_ = np.concatenate(([100.0], close[:-1]))
    signal = np.sign(close - open_)
    days = np.datetime64("2000-01-01") + np.arange(5000)
    market = Market(days, ("A",), open_, close)

    def sharpe(lag: int) -> tuple[Any, tuple[str, ...]]:
        rules = plain(lag_sessions=lag, margin=True, short_proceeds="free", sizing="fill")
        done = backtest(market, signal, rules)
        return trading_metrics(done.net, done.turnover)["sharpe"], done.switched_off

    same_bar, stamped = sharpe(0)
    next_open, clean = sharpe(1)
    assert same_bar == pytest.approx(21, abs=1)
    assert abs(next_open) < 0.5
    assert "next_open" in stamped
    assert "next_open" not in clean
