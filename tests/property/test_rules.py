"""Trading rules beside slow ones that say the same thing word by word."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.evaluation.rule_bootstrap import NULLS, chances
from bellwether.evaluation.rule_record import Trial, log_returns, record
from bellwether.evaluation.rules import events, read_rule, spoken, stance

seeds = st.integers(0, 10_000)
bands = st.sampled_from([0.0, 0.01, 0.03])
RULES = ("sma:1,5", "sma:2,8,0.01", "channel:6", "channel:6,0.01", "filter:0.03", "momentum:4")


def walk(seed: int, n: int = 90) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0, 0.015, n)
    return np.round(100 * np.exp(steps.cumsum()), 2)


@given(seeds, st.integers(1, 4), st.integers(5, 12), bands)
def test_averages_say_what_the_words_say(seed: int, short: int, long: int, band: float) -> None:
    prices = walk(seed)
    said = spoken(prices, read_rule(f"sma:{short},{long},{band}"))
    for t in range(prices.size):
        expected = 0
        if t >= long - 1:
            s = math.fsum(prices[t - short + 1 : t + 1]) / short
            l = math.fsum(prices[t - long + 1 : t + 1]) / long  # noqa: E741 - of its length
            high, low = l * (1 + band), l * (1 - band)
            expected = int(s - high > 1e-9) - int(low - s > 1e-9)
        assert said[t] == expected


@given(seeds, st.integers(2, 12), bands)
def test_breaks_say_what_the_words_say(seed: int, length: int, band: float) -> None:
    prices = walk(seed)
    rule = read_rule(f"channel:{length},{band}")
    said, held, last = spoken(prices, rule), stance(prices, rule), 0
    for t in range(prices.size):
        before = prices[max(t - length, 0) : t]
        known = t >= length
        up = known and prices[t] > before.max() * (1 + band) * (1 + 1e-12)
        down = known and prices[t] < before.min() * (1 - band) * (1 - 1e-12)
        last = 1 if up else -1 if down else last
        assert (said[t], held[t]) == (int(up) - int(down), last)


@given(seeds, st.sampled_from([0.02, 0.05]))
def test_a_filter_turns_where_the_words_turn(seed: int, size: float) -> None:
    prices = walk(seed)
    held, low, high = 0, prices[0], prices[0]
    told = stance(prices, read_rule(f"filter:{size}"))
    for t, price in enumerate(prices):
        low, high = min(low, price), max(high, price)
        if held != 1 and price >= low * (1 + size) * (1 - 1e-13):
            held, high = 1, price
        elif held != -1 and price <= high * (1 - size) * (1 + 1e-13):
            held, low = -1, price
        assert told[t] == held


@given(seeds, st.sampled_from(RULES), st.integers(20, 80))
def test_no_rule_sees_the_future(seed: int, text: str, cut: int) -> None:
    prices = walk(seed)
    other = np.concatenate((prices[:cut], walk(seed + 1)[cut:]))
    for said in (spoken, stance, events):
        a, b = said(prices, read_rule(text)), said(other, read_rule(text))
        assert np.array_equal(a[:cut], b[:cut])


@given(seeds, st.sampled_from(RULES[:3]), st.integers(0, 2), st.integers(0, 10))
def test_means_and_t_are_their_definitions(seed: int, text: str, delay: int, begin: int) -> None:
    prices = walk(seed)
    rule, r = read_rule(text), np.diff(np.log(prices))
    said = stance(prices, rule)
    ups = [r[t] for t in range(begin, r.size) if t >= delay and said[t - delay] > 0]
    downs = [r[t] for t in range(begin, r.size) if t >= delay and said[t - delay] < 0]
    found = record(prices, Trial(rule, delay=delay), begin)
    v, n = r[begin:].var(ddof=1), r.size - begin

    assert (found.buy.n, found.sell.n, found.base.n) == (len(ups), len(downs), n)
    if ups and downs:
        mu, b, s = r[begin:].mean(), np.mean(ups), np.mean(downs)
        t_buy = (b - mu) / np.sqrt(v / n + v / len(ups))
        t_diff = (b - s) / np.sqrt(v / len(ups) + v / len(downs))
        assert (found.buy.mean, found.sell.mean) == pytest.approx((b, s), abs=1e-15)
        assert (found.buy.t, found.t_diff) == pytest.approx((t_buy, t_diff), rel=1e-9)


@given(seeds, st.sampled_from(RULES), st.integers(1, 12), st.integers(0, 2))
def test_signals_held_for_a_while_never_overlap(
    seed: int, text: str, hold: int, delay: int
) -> None:
    prices = walk(seed)
    rule, logs = read_rule(text), np.log(prices)
    signals, free, ups, downs = events(prices, rule), 0, [], []
    for t in np.flatnonzero(signals):
        if t >= free and t + delay + hold < prices.size:
            (ups if signals[t] > 0 else downs).append(logs[t + delay + hold] - logs[t + delay])
            free = t + hold
    found = record(prices, Trial(rule, hold=hold, delay=delay))
    assert (found.buy.n, found.sell.n) == (len(ups), len(downs))
    for group, own in ((found.buy, ups), (found.sell, downs)):
        assert group.mean == (pytest.approx(np.mean(own), abs=1e-14) if own else None)


@given(seeds, st.sampled_from(RULES), st.sampled_from(["both", "long"]), st.floats(0, 50))
def test_money_is_earned_less_what_trading_costs(
    seed: int, text: str, side: str, cost: float
) -> None:
    prices = walk(seed)
    rule = read_rule(text)
    money = record(prices, Trial(rule, cost_bps=cost, side=side)).followed
    held = stance(prices, rule)[rule.warm_up : -1].astype(float)
    held = np.maximum(held, 0) if side == "long" else held
    earned = held @ log_returns(prices)[rule.warm_up :]
    traded = np.abs(np.diff(np.concatenate(([0.0], held, [0.0])))).sum()
    assert (money.n, money.turnover) == (held.size, traded)
    assert money.mean * money.n == pytest.approx(earned, abs=1e-12)
    assert money.net_mean * money.n == pytest.approx(earned - traded * cost * 1e-4, abs=1e-12)
    if money.break_even_bps is not None:
        free = record(prices, Trial(rule, cost_bps=min(money.break_even_bps, 1e4), side=side))
        if money.break_even_bps <= 1e4:
            assert free.followed.net_mean == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("null", NULLS)
def test_a_seed_says_everything(null: str) -> None:
    trial = Trial(read_rule("sma:1,10"))
    one, same, other = (
        chances(walk(1, 400), trial, null=null, reps=60, seed=seed) for seed in (7, 7, 8)
    )
    assert one == same
    assert one != other
    assert one.diff is not None
    assert 0 < one.diff <= 1


@pytest.mark.parametrize("null", NULLS)
def test_chances_of_a_random_walk_are_even(null: str) -> None:
    trial = Trial(read_rule("sma:1,10"))
    found = [chances(walk(s, 300), trial, null=null, reps=39, seed=s).diff for s in range(60)]
    assert 0.38 < float(np.mean(found)) < 0.62
