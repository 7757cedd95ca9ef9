"""Laws of forecast comparison, of searches over models, and of overfitting."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.evaluation.adjusted import METHODS, adjusted_p
from bellwether.evaluation.backtest_overfitting import overfitting_probability
from bellwether.evaluation.comparison import clark_west_by_date, diebold_mariano, giacomini_white
from bellwether.evaluation.confidence_set import confidence_set
from bellwether.evaluation.losses import date_losses
from bellwether.evaluation.overfitting import (
    deflated_p,
    deflated_sharpe,
    effective_trials,
    expected_maximum,
)
from bellwether.evaluation.superiority import superiority

SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.sampled_from([1e-9, 1e-3, 1.0, 1e6])
BAD = [np.nan, np.inf, -np.inf]


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@given(SEEDS, st.integers(9, 60), st.integers(1, 6), SCALES)
def test_who_is_called_a_only_turns_the_sign(seed: int, n: int, h: int, scale: float) -> None:
    d = noise(seed, n) * scale
    one, other = diebold_mariano(d, h), diebold_mariano(-d, h)
    unit = diebold_mariano(d / scale, h)

    assert one.statistic == pytest.approx(-other.statistic)
    assert one.p == pytest.approx(other.p)
    assert 0 <= one.p <= 1
    assert one.statistic == pytest.approx(unit.statistic)
    assert one.weights == unit.weights


@given(SEEDS, st.integers(25, 80), st.integers(1, 4), SCALES)
def test_conditional_test_does_not_know_units(seed: int, n: int, h: int, scale: float) -> None:
    d = noise(seed, n)
    found, scaled = giacomini_white(d, h), giacomini_white(d * scale, h)
    x = np.column_stack([np.ones(n - h), d[:-h]])
    turned = giacomini_white(d[h:], h, x @ np.array([[1.0, 2.0], [3.0, -1.0]]))

    assert found.statistic == pytest.approx(scaled.statistic, rel=1e-6)
    assert found.statistic == pytest.approx(turned.statistic, rel=1e-6)
    assert 0 <= found.p <= 1


@given(SEEDS, st.integers(2, 12), st.integers(1, 5))
def test_losses_do_not_know_the_order_of_rows(seed: int, dates: int, symbols: int) -> None:
    rng = np.random.default_rng(seed)
    n = dates * symbols
    record = pl.DataFrame(
        {
            "decision_at": np.repeat(np.arange(dates), symbols),
            "log_return": rng.normal(size=n),
            "forecast_a": rng.normal(size=n),
            "forecast_b": rng.normal(size=n),
        }
    )
    plain = date_losses(record, ["a", "b"])
    mixed = date_losses(record[rng.permutation(n)], ["b", "a"])

    assert plain.dates.tolist() == mixed.dates.tolist()
    assert plain.of("a") == pytest.approx(mixed.of("a"))
    assert plain.against("a")[:, 0] == pytest.approx(-mixed.against("b")[:, 0])
    assert plain.rows.sum() == n


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 6), st.integers(1, 10), SCALES)
@example(50, 1, 10, 1e-3)  # a sample goes once around the circle
def test_superiority_is_ordered_and_has_no_unit(
    seed: int, k: int, block: int, scale: float
) -> None:
    d = noise(seed, 60, k) * scale
    found = superiority(d, block=block, seed=1, reps=99)
    unit = superiority(d / scale * np.arange(1, k + 1), block=block, seed=1, reps=99)
    order = np.argsort(-found.t)

    assert 0.01 <= found.spa_lower <= found.spa <= found.spa_upper <= 1
    assert (np.diff(found.stepwise[order]) >= 0).all()
    assert found.best == order[0]
    assert found.spa == pytest.approx(unit.spa)  # each model in a unit of its own
    if found.t.max() > 0:
        assert found.stepwise.min() == pytest.approx(found.spa)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 4))
def test_copies_of_the_benchmark_take_no_part(seed: int, k: int) -> None:
    d = noise(seed, 40, k)
    found = superiority(np.column_stack([np.zeros(40), d]), block=2, seed=1, reps=49)
    alone = superiority(d, block=2, seed=1, reps=49)
    nobody = superiority(np.zeros((40, 2)), block=2, seed=1, reps=49)

    assert np.isnan(found.t[0])
    assert np.isnan(found.stepwise[0])
    assert found.spa == alone.spa
    assert found.best == alone.best + 1
    assert (nobody.spa, nobody.best, nobody.reality_check) == (None, None, None)


@settings(max_examples=30)
@given(SEEDS, st.integers(2, 6), SCALES)
def test_confidence_set_keeps_the_best_and_grows_as_size_falls(
    seed: int, k: int, scale: float
) -> None:
    losses = noise(seed, 50, k) * scale
    wide = confidence_set(losses, block=2, seed=3, size=0.05, reps=99)
    narrow = confidence_set(losses, block=2, seed=3, size=0.5, reps=99)

    assert set(narrow.included) <= set(wide.included)
    assert wide.left[-1] in narrow.included
    assert sorted(wide.left) == list(range(k))
    assert (np.diff(wide.p[list(wide.left)]) >= 0).all()
    assert wide.p.max() == 1


@settings(max_examples=20)
@given(SEEDS, SCALES)
def test_equal_models_stay_together_and_certain_ones_do_not(seed: int, scale: float) -> None:
    loss = noise(seed, 50) * scale
    worse = loss + 5 * scale
    found = confidence_set(np.column_stack([loss, worse, loss]), block=3, seed=2, reps=99)

    assert found.included == (0, 2)
    assert found.left[0] == 1


@given(SEEDS, st.integers(1, 8), st.integers(8, 40))
def test_effective_trials_lie_between_one_and_all(seed: int, k: int, n: int) -> None:
    x = noise(seed, n, k)
    found = effective_trials(x)

    assert 1 <= found <= k
    assert effective_trials(np.hstack([x, -3 * x])) == pytest.approx(found)
    assert effective_trials(np.column_stack([x, np.ones(n)])) == pytest.approx(found)


@given(st.floats(0, 1), st.floats(1, 1e6), st.floats(1, 10))
def test_luck_grows_with_trials(variance: float, trials: float, more: float) -> None:
    assert 0 <= expected_maximum(variance, trials) <= expected_maximum(variance, trials * more)
    assert expected_maximum(4 * variance, trials) == pytest.approx(
        2 * expected_maximum(variance, trials)
    )


@given(SEEDS, st.integers(2, 8), st.integers(0, 50), SCALES)
def test_more_trials_deflate_more(seed: int, k: int, more: int, scale: float) -> None:
    x = noise(seed, 60, k) * scale
    found, after = deflated_sharpe(x, 0, k), deflated_sharpe(x, 0, k + more)

    assert after.p <= found.p
    assert after.p_effective <= found.p_effective
    assert found.p <= found.p_effective + 1e-12  # effective trials are never more
    assert after.effective_trials == pytest.approx(found.effective_trials + more)


@settings(max_examples=30)
@given(SEEDS, st.integers(2, 6), st.sampled_from([2, 4, 6]), SCALES)
def test_overfitting_has_no_unit_and_no_order(seed: int, k: int, blocks: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(61, k))
    found = overfitting_probability(x, blocks)
    turned = overfitting_probability(x[:, rng.permutation(k)] * scale, blocks)

    assert 0 <= found.probability <= 1
    assert found.dates == 61 // blocks * blocks
    assert (turned.probability, turned.loss) == (found.probability, found.loss)
    assert overfitting_probability(x[1:], blocks).probability >= 0
    assert overfitting_probability(x[61 % blocks :], blocks) == found


@given(SEEDS, st.sampled_from([2, 4]))
def test_the_best_everywhere_is_not_overfitted_and_copies_are_a_draw(
    seed: int, blocks: int
) -> None:
    x = noise(seed, 40, 3)
    x[:, 1] += 30
    same = np.column_stack([x[:, 0]] * 3)

    assert overfitting_probability(x, blocks).probability == 0
    assert overfitting_probability(same, blocks).median_logit == pytest.approx(0, abs=1e-12)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), max_size=12), st.sampled_from(METHODS))
def test_adjusted_p_values_only_rise_and_keep_their_order(p: list[float], method: str) -> None:
    found = adjusted_p(p, method)
    order = np.argsort(p, kind="stable")

    assert (found >= np.array(p) - 1e-15).all()
    assert (found <= 1).all()
    assert (np.diff(found[order]) >= -1e-15).all()


def test_what_cannot_be_tested_has_no_statistic() -> None:
    for d in (np.zeros(30), np.full(30, 0.1), np.arange(7.0), np.array([])):
        assert diebold_mariano(d).p is None
    assert diebold_mariano(np.arange(9.0), 9).p is None
    assert diebold_mariano(np.array([])).mean is None
    assert giacomini_white(np.full(30, 0.1)).p is None
    assert giacomini_white(noise(0, 30), instruments=np.ones((30, 2))).p is None
    assert giacomini_white(np.array([1.0]), 3).p is None
    assert giacomini_white(np.array([])).n == 0
    y = noise(1, 20)
    assert clark_west_by_date(np.arange(20), y, 0 * y, 0 * y).p is None
    assert clark_west_by_date(np.zeros(20), y, 0 * y, y).p is None
    assert clark_west_by_date(np.array([]), [], [], []).n == 0


def test_what_cannot_be_deflated_says_why() -> None:
    x = noise(2, 40, 3)
    flat = np.column_stack([x[:, 0], np.full(40, 0.01), np.zeros(40)])

    assert "counted" in deflated_sharpe(x, 0, None).why
    assert "single trial" in deflated_sharpe(x[:, :1], 0, 1).why
    assert "do not vary" in deflated_sharpe(flat, 1, 3).why
    for found in (deflated_sharpe(x, 0, None), deflated_sharpe(x[:, :1], 0, 1)):
        assert (found.p, found.p_effective, found.luck) == (None, None, None)
        assert found.sharpe is not None
    assert deflated_sharpe(x, 0, 3).why == ""
    lonely = deflated_sharpe(flat, 0, 3)  # the others left nothing: luck without skill is known
    assert (lonely.variance, lonely.effective_trials) == (1 / 39, 3)
    assert lonely.p is not None
    assert effective_trials(flat[:, 1:]) is None
    assert overfitting_probability(x[:, :1]).probability is None
    assert deflated_p(sharpe=1, dates=1, skewness=0, kurtosis=3, variance=1, trials=2) is None


@pytest.mark.parametrize("bad", BAD)
def test_nan_and_infinity_are_refused(bad: float) -> None:
    d = np.append(noise(0, 20), bad)
    many = np.column_stack([d, d])
    record = pl.DataFrame({"decision_at": [1, 2], "log_return": [0.1, bad], "forecast_a": [0, 0]})
    for call in (
        lambda: diebold_mariano(d),
        lambda: giacomini_white(d),
        lambda: giacomini_white(d[:-1], instruments=many[1:]),
        lambda: clark_west_by_date(np.arange(21), d, d, d),
        lambda: superiority(d, block=1, seed=0),
        lambda: confidence_set(many, block=1, seed=0),
        lambda: effective_trials(many),
        lambda: deflated_sharpe(many, 0, 2),
        lambda: overfitting_probability(many),
        lambda: adjusted_p([bad], "bh"),
        lambda: expected_maximum(bad, 2),
        lambda: date_losses(record, ["a"]),
    ):
        with pytest.raises(InvalidRequest):
            call()


def test_options_and_shapes_out_of_range_are_refused() -> None:
    d = noise(0, 20)
    many = noise(1, 20, 2)
    for call in (
        lambda: diebold_mariano(d, 0),
        lambda: diebold_mariano(many),
        lambda: giacomini_white(d, 0),
        lambda: giacomini_white(d, instruments=np.ones((3, 1))),
        lambda: clark_west_by_date(np.arange(3), d, d, d),
        lambda: superiority(d[:7], block=1, seed=0),
        lambda: superiority(np.ones((9, 0)), block=1, seed=0),
        lambda: superiority(d, block=0, seed=0),
        lambda: superiority(d, block=21, seed=0),
        lambda: superiority(d, block=1, seed=-1),
        lambda: superiority(d, block=1, seed=0, reps=0),
        lambda: confidence_set(many[:, :1], block=1, seed=0),
        lambda: confidence_set(many[:7], block=1, seed=0),
        lambda: confidence_set(noise(0, 9, 101), block=1, seed=0),
        lambda: confidence_set(many, block=1, seed=0, size=1.0),
        lambda: effective_trials(d),
        lambda: effective_trials(many[:7]),
        lambda: deflated_sharpe(many, 2, 2),
        lambda: deflated_sharpe(many, -1, 2),
        lambda: deflated_sharpe(many, 0, 1),
        lambda: expected_maximum(-1.0, 2),
        lambda: expected_maximum(1.0, 0.5),
        lambda: overfitting_probability(many, 3),
        lambda: overfitting_probability(many, 18),
        lambda: overfitting_probability(many, 12),
        lambda: overfitting_probability(d),
        lambda: adjusted_p([0.1], "bonferroni"),
        lambda: adjusted_p([[0.1]], "bh"),
        lambda: adjusted_p([1.1], "holm"),
    ):
        with pytest.raises(InvalidRequest):
            call()


def test_a_record_that_lacks_something_is_refused() -> None:
    record = pl.DataFrame(
        {"decision_at": [1, None], "log_return": [0.1, 0.2], "forecast_a": [0.0, 0.1]}
    )
    fine = record.with_columns(decision_at=pl.Series([1, 1]))

    with pytest.raises(InvalidRequest, match="instant of its decision"):
        date_losses(record, ["a"])
    with pytest.raises(UnknownName, match="forecast_b"):
        date_losses(fine, ["a", "b"])
    with pytest.raises(UnknownName, match="decision_at"):
        date_losses(fine.drop("decision_at"), ["a"])
    with pytest.raises(InvalidRequest, match="none twice"):
        date_losses(fine, ["a", "a"])
    with pytest.raises(InvalidRequest, match="none of"):
        date_losses(fine, ["a"], "cubed")
    with pytest.raises(UnknownName, match="model"):
        date_losses(fine, ["a"]).of("z")
    assert date_losses(fine.clear(), ["a"]).dates.size == 0


@given(SEEDS)
def test_more_of_a_difference_is_more_evidence(seed: int) -> None:
    d = noise(seed, 40)
    assume(d.mean() > 0)

    assert diebold_mariano(d + 1).p < diebold_mariano(d).p
