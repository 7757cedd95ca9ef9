"""Laws of the statistics of returns, forecasts and groups."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bellwether.evaluation.calibration_interval import calibration_error
from bellwether.evaluation.crises import crises
from bellwether.evaluation.direction import agreement, pesaran_timmermann
from bellwether.evaluation.drawdowns import drawdowns, under_water
from bellwether.evaluation.groups import group_means, group_test
from bellwether.evaluation.periods_of_returns import by_month, rolling_sharpe
from bellwether.evaluation.price_errors import mase, smape
from bellwether.evaluation.probabilities import (
    brier_decomposition,
    calibration_table,
    expected_calibration_error,
)
from bellwether.evaluation.quantile_spread import quantile_spread
from bellwether.evaluation.rank_ic import ic_by_date, mean_over_dates
from bellwether.evaluation.regimes import market_direction, volatility_terciles
from bellwether.evaluation.relative import relative
from bellwether.evaluation.risk import risk
from bellwether.evaluation.sharpe import (
    min_track_record,
    probabilistic_sharpe,
    sharpe_ratio,
    sharpe_record,
)
from bellwether.evaluation.sharpe_difference import memmel, sharpe_difference
from bellwether.evaluation.shifting import shift_test

returns = arrays(
    np.float64, st.integers(2, 80), elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 6))
)
seeds = st.integers(0, 10_000)


def walk(seed: int, n: int = 120) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(5, n) * 0.01


def finite_or_none(found: object) -> bool:
    values = [getattr(found, name) for name in found.__slots__]
    return all(v is None or not isinstance(v, float) or math.isfinite(v) for v in values)


@given(returns)
def test_every_figure_is_a_number_or_none(r: np.ndarray) -> None:
    for found in (
        sharpe_record(r),
        risk(r),
        drawdowns(r),
        relative(r, r[::-1]),
        memmel(r, r[::-1]),
    ):
        assert finite_or_none(found)


@given(seeds, st.floats(0.1, 10))
def test_a_ratio_does_not_see_the_stake(seed: int, stake: float) -> None:
    r = walk(seed)
    once, more = sharpe_record(r), sharpe_record(r * stake)
    for name in ("annual", "se_lo", "se_mertens", "se_hac", "probabilistic"):
        assert getattr(more, name) == pytest.approx(getattr(once, name), rel=1e-9)


@given(seeds)
def test_minimum_record_is_where_the_probability_is_reached(seed: int) -> None:
    r = walk(seed) + 0.002
    found = sharpe_record(r)
    if found.min_track_record is None:
        assert found.per_period <= 0
        return
    rng = np.random.default_rng(seed)
    skewness, kurtosis = rng.normal(), 8.0
    n = min_track_record(found.per_period, skewness, kurtosis)
    reached = probabilistic_sharpe(found.per_period, n, skewness, kurtosis)
    if n < 2:  # a ratio so high that one period would do: and one has no spread
        assert reached is None
        return
    assert reached == pytest.approx(0.95)


@given(seeds)
def test_difference_turns_its_sign(seed: int) -> None:
    a, b = walk(seed), walk(seed + 1)
    one, other = memmel(a, b), memmel(b, a)
    assert one.z == pytest.approx(-other.z)
    assert one.p == pytest.approx(other.p)
    drawn, turned = (sharpe_difference(*v, seed=1, reps=50) for v in ((a, b), (b, a)))
    assert drawn.difference == pytest.approx(-turned.difference)
    assert drawn.p == pytest.approx(turned.p)
    assert drawn == sharpe_difference(a, b, seed=1, reps=50)


@given(returns)
def test_drawdowns_tell_the_curve_under_water(r: np.ndarray) -> None:
    found, curve = drawdowns(r, worst=100), under_water(r)
    assert found.deepest == min(curve.min(), 0)
    assert sum(d.length for d in found.worst) == (curve < 0).sum()
    for d in found.worst:
        assert d.depth == curve[d.trough - 1]
        assert d.peak < d.trough <= d.peak + d.length
        assert d.recovery in {None, d.peak + d.length + 1}
        inside = curve[d.peak : d.peak + d.length]
        assert (inside < 0).all()
        assert inside.min() == d.depth
    depths = [d.depth for d in found.worst]
    assert depths == sorted(depths)


@given(returns)
@example(np.full(3, -0.369487))  # a sum that rounds down: no mean is below all its values
def test_tail_is_below_its_quantile(r: np.ndarray) -> None:
    found = risk(r)
    assert found.worst <= found.shortfall <= found.value_at_risk + 1e-15 <= found.best + 1e-15


@given(seeds, st.floats(-2, 2), st.floats(-0.001, 0.001))
def test_a_line_is_found(seed: int, beta: float, alpha: float) -> None:
    b = walk(seed)
    found = relative(alpha + beta * b, b, periods_per_year=1)
    assert found.beta == pytest.approx(beta, abs=1e-9)
    assert found.alpha == pytest.approx(alpha, abs=1e-12)
    assert relative(b, b).up_capture == pytest.approx(1)
    assert relative(b, b).information_ratio is None


@given(returns)
def test_months_make_the_whole(r: np.ndarray) -> None:
    days = np.datetime64("2019-11-20") + np.arange(r.size) * 3
    grown = [1 + m for row in by_month(days, r) for m in row.months if m is not None]
    assert math.prod(grown) == pytest.approx(np.prod(1 + r), rel=1e-9, abs=1e-12)


@given(seeds, st.integers(2, 30), st.integers(40, 119))
def test_what_comes_later_changes_no_label(seed: int, window: int, cut: int) -> None:
    market = walk(seed)
    changed = market.copy()
    changed[cut:] = walk(seed + 1)[cut:] * 3
    for label in (
        lambda m: volatility_terciles(m, window, 10),
        lambda m: market_direction(m, window),
    ):
        # period `cut` itself is labelled by what came before it
        assert (label(market)[: cut + 1] == label(changed)[: cut + 1]).all()
    before, after = (rolling_sharpe(m, window)[:cut] for m in (market, changed))
    assert np.array_equal(before, after, equal_nan=True)


@given(seeds, st.integers(2, 40))
def test_rolling_is_each_window(seed: int, window: int) -> None:
    r = walk(seed)
    t = window + seed % (r.size - window)
    expected = sharpe_ratio(r[t - window + 1 : t + 1]) * 252**0.5
    assert rolling_sharpe(r, window)[t] == pytest.approx(expected)


@given(seeds)
def test_crises_hold_each_session_of_their_window(seed: int) -> None:
    days = np.datetime64("2007-06-01") + np.arange(900)
    r = walk(seed, 900)
    (found,) = (c for c in crises(days, r, r) if c.crisis.name == "2007-09 crisis")
    inside = (days > np.datetime64("2007-10-09")) & (days <= np.datetime64("2009-03-09"))
    assert found.n == inside.sum()
    assert found.whole == (days[-1] >= np.datetime64("2009-03-09"))
    assert found.strategy == found.benchmark
    assert found.strategy.roi == pytest.approx(np.prod(1 + r[inside]) - 1)


@given(seeds, st.floats(0.01, 100))
def test_price_errors_do_not_see_the_currency(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    a, p, train = (np.exp(rng.normal(3, 0.1, 20)) for _ in range(3))
    assert smape(a * rate, p * rate) == pytest.approx(smape(a, p))
    assert mase(a * rate, p * rate, train * rate) == pytest.approx(mase(a, p, train))
    assert smape(a, p) == pytest.approx(smape(p, a))
    assert 0 <= smape(a, p) <= 2


@given(seeds)
def test_direction_sees_signs_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, f = rng.normal(size=60), rng.normal(size=60)
    found = pesaran_timmermann(y, f)
    assert found == pesaran_timmermann(np.sign(y), f * rng.uniform(1, 9, 60))
    turned = pesaran_timmermann(y, -f)
    if found.statistic is not None:
        # turning the calls turns hits into misses, and the statistic with them
        assert turned.hit == pytest.approx(1 - found.hit)
        assert turned.statistic == pytest.approx(-found.statistic)


@given(seeds)
def test_shift_finds_what_is_there(seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=150)
    found = shift_test(y, y, agreement, seed=seed)
    assert found.p == pytest.approx(1 / (1 + found.shifts))
    panel = np.column_stack([y, y])
    assert shift_test(panel, panel, agreement, seed=seed).p == found.p


@given(seeds)
def test_correlation_sees_order_within_dates_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    day = rng.integers(0, 6, 80)
    f, y = rng.integers(0, 9, 80).astype(float), rng.normal(size=80)
    found = ic_by_date(day, f, y)
    mixed = rng.permutation(80)
    again = ic_by_date(day[mixed], np.exp(f[mixed]) + day[mixed] * 7, y[mixed])
    assert found.values == pytest.approx(again.values)
    assert ic_by_date(day, -f, y).values == pytest.approx(-found.values)
    assert (np.abs(found.values) <= 1).all()
    assert found.values.size + found.undefined == np.unique(day).size


@given(seeds, st.integers(3, 6))
def test_spread_does_not_see_the_order_of_rows(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    day = rng.integers(0, 5, 90)
    f, y = rng.integers(0, 12, 90).astype(float), rng.normal(size=90)
    found = quantile_spread(day, f, y, parts)
    mixed = rng.permutation(90)
    again = quantile_spread(day[mixed], f[mixed], y[mixed], parts)
    assert found.spreads == pytest.approx(again.spreads)
    assert quantile_spread(day, -f, y, parts).spreads == pytest.approx(-found.spreads)


@given(seeds, st.integers(1, 12))
def test_parts_of_the_brier_score_add_up(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(60), int(rng.integers(1, 4)))
    up = rng.integers(0, 2, 60)
    found = brier_decomposition(up, p, bins)
    total = found.reliability - found.resolution + found.uncertainty + found.residual
    assert found.brier == pytest.approx(total)
    assert min(found.reliability, found.resolution, found.uncertainty) >= 0
    assert found.resolution <= found.uncertainty + 1e-12
    centres = (np.floor(p * 0.999 * bins) + 0.5) / bins  # alike within bins: nothing is left
    assert brier_decomposition(up, centres, bins).residual == pytest.approx(0, abs=1e-12)


@given(seeds, st.sampled_from(["equal", "quantile"]), st.integers(1, 12))
def test_calibration_error_is_a_share(seed: int, strategy: str, bins: int) -> None:
    rng = np.random.default_rng(seed)
    p, up = np.round(rng.random(80), 2), rng.integers(0, 2, 80)
    ece = expected_calibration_error(up, p, bins, strategy)
    rows = calibration_table(up, p, np.arange(80), bins=bins, strategy=strategy)
    assert sum(r.n for r in rows) == 80
    assert ece == pytest.approx(sum(r.n * abs(r.said - r.realised) for r in rows) / 80)
    assert abs(p.mean() - up.mean()) - 1e-12 <= ece <= 1  # the least that any bins can show


@settings(max_examples=25)
@given(seeds)
def test_interval_stays_in_range_and_repeats(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, day = rng.random(100), np.repeat(np.arange(25), 4)
    up = rng.integers(0, 2, 100)
    found = calibration_error(up, p, day, seed=seed, reps=40)
    assert 0 <= found.low <= found.high <= 1
    assert found == calibration_error(up, p, day, seed=seed, reps=40)


@given(seeds, st.integers(0, 4))
def test_mean_turns_and_scales(seed: int, lags: int) -> None:
    x = walk(seed, 50)
    found, turned = mean_over_dates(x, lags), mean_over_dates(-3 * x, lags)
    assert turned.mean == pytest.approx(-3 * found.mean)
    if found.t is not None:
        assert turned.t == pytest.approx(-found.t)


@settings(max_examples=40)
@given(seeds, st.integers(2, 4), st.integers(0, 3))
def test_groups_see_no_common_move(seed: int, many: int, lags: int) -> None:
    rng = np.random.default_rng(seed)
    day, which = np.repeat(np.arange(70), many * 5), np.tile(np.repeat(np.arange(many), 5), 70)
    x = rng.normal(size=day.size)
    found = group_test(group_means(day, which, x), seed=seed, lags=lags, reps=500)
    moved = x * 2 + rng.normal(size=70)[day] * 5
    again = group_test(group_means(day, which, moved), seed=seed, lags=lags, reps=500)
    assert again.wald == pytest.approx(found.wald, rel=1e-6)
    assert again.gap == pytest.approx(2 * found.gap)
    renamed = group_test(group_means(day, -which, x), seed=seed, lags=lags, reps=500)
    assert renamed.wald == pytest.approx(found.wald, rel=1e-6)
    assert 0 <= found.p <= 1
