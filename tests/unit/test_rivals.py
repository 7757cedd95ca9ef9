"""Figures of models beside each other, on records that are made by hand."""

import numpy as np
import pytest

from bellwether.core.errors import InvalidRequest
from bellwether.evaluation.comparison import diebold_mariano
from bellwether.evaluation.direction import pesaran_timmermann
from bellwether.evaluation.intervals import clustered_mean
from bellwether.evaluation.pairs import may_be_best, paired, pairs
from bellwether.evaluation.residuals import residuals_by_state, states_of, worst
from bellwether.evaluation.rivals import Ground, Rival, figures_of, r2_interval

DATES, NAMES = 300, 6
DAYS = np.datetime64("2001-01-01") + np.arange(DATES)


def ground(names: int = NAMES, seed: int = 0) -> Ground:
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 0.01, DATES * names) + np.repeat(rng.normal(0, 0.005, DATES), names)
    return Ground(np.repeat(DAYS, names), y, np.zeros(y.size), DAYS, names, 1)


def rival(on: Ground, name: str, share: float, seed: int = 1, *, tried: int | None = None) -> Rival:
    """Know a share of the outcome, and noise beside it."""
    rng = np.random.default_rng(seed)
    said = share * on.log_return + (1 - share) * rng.normal(0, 0.002, on.log_return.size)
    net = rng.normal(0.0003, 0.01, on.sessions.size)
    up = 1 / (1 + np.exp(-200 * said))
    trials = None if tried is None else rng.normal(0, 0.01, (net.size, 2))
    return Rival(name, said, up, np.sign(said).astype(np.int8), net, np.abs(net), trials, tried)


def test_a_model_that_knows_stands_out() -> None:
    on = ground()
    knows, guesses = rival(on, "knows", 0.5), rival(on, "guesses", 0.0)
    good, poor = figures_of(on, knows, 0), figures_of(on, guesses, 0)
    assert good["r2_ci"][0] > 0.5
    assert poor["r2_ci"][0] < 0
    assert good["beyond_chance_ci"][0] > 0.2
    assert poor["beyond_chance_ci"][0] < 0 < poor["beyond_chance_ci"][1]
    assert good["ic_ci"][0] > 0.5
    assert good["deflated"] is None
    earned = (knows.direction * np.expm1(on.log_return)).reshape(DATES, NAMES).mean(axis=1)
    assert good["edge"] == pytest.approx(earned.mean())
    half = 1.96 * earned.std(ddof=1) / np.sqrt(DATES)
    assert good["edge_ci"] == pytest.approx((earned.mean() - half, earned.mean() + half), rel=0.01)
    assert sum(row["n"] for row in good["calibration"]) == on.log_return.size


def test_beyond_chance_is_what_pesaran_and_timmermann_test() -> None:
    on = ground()
    one = rival(on, "one", 0.1)
    found = figures_of(on, one, 0)
    test = pesaran_timmermann(on.log_return, one.direction)
    up, said = on.log_return > 0, one.direction > 0
    chance = up.mean() * said.mean() + (1 - up.mean()) * (1 - said.mean())
    assert found["beyond_chance"] == pytest.approx((up == said).mean() - chance)
    assert (found["beyond_chance"] > 0) == (test.statistic > 0)


def test_one_name_has_no_order_and_one_side_no_chance() -> None:
    on = ground(1)
    always = Rival(
        "up",
        np.full(DATES, 0.001),
        np.full(DATES, 0.6),
        np.ones(DATES, dtype=np.int8),
        np.zeros(DATES),
        np.zeros(DATES),
    )
    found = figures_of(on, always, 0)
    assert found["ic"] is None
    assert found["ic_ci"] is None
    assert found["beyond_chance_ci"] is None
    assert found["sharpe_record"]["annual"] is None


def test_the_interval_of_r2_draws_dates_and_not_rows() -> None:
    on = ground()
    one = rival(on, "one", 0.3)
    many = Ground(
        np.repeat(on.dates, 4),
        np.repeat(on.log_return, 4),
        np.zeros(on.log_return.size * 4),
        on.sessions,
        NAMES * 4,
        1,
    )
    assert r2_interval(many, np.repeat(one.forecast, 4), 0) == pytest.approx(
        r2_interval(on, one.forecast, 0)
    )
    few = Ground(on.dates[:6], on.log_return[:6], np.zeros(6), DAYS[:1], 6, 1)
    assert r2_interval(few, one.forecast[:6], 0) == (None, None)


def test_luck_is_of_all_that_was_tried() -> None:
    on = ground()
    few, many = (figures_of(on, rival(on, "one", 0.1, tried=n), 0)["deflated"] for n in (3, 300))
    assert (few["trials"], many["trials"]) == (3, 300)
    assert many["luck"] > few["luck"] > 0
    assert many["p"] < few["p"]


def test_pairs_are_tested_by_date_and_adjusted() -> None:
    on = ground()
    some = {
        n: rival(on, n, share, i)
        for i, (n, share) in enumerate({"a": 0.4, "b": 0.1, "c": 0}.items())
    }
    found = pairs(on, some, 0)
    assert [(p.a, p.b) for p in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    lost = {
        n: ((on.log_return - r.forecast) ** 2).reshape(DATES, NAMES).mean(axis=1)
        for n, r in some.items()
    }
    for pair in found:
        assert pair.squared == diebold_mariano(lost[pair.a] - lost[pair.b])
        assert pair.p_squared is not None
        assert pair.squared.p is not None
        assert pair.squared.p <= pair.p_squared <= 1
    assert found[0].squared.mean is not None
    assert found[0].squared.mean < 0  # A errs less
    assert paired([*"abcdefg"]) == [(n, "a") for n in "bcdefg"]


def test_the_best_is_in_the_set_and_the_worst_is_not() -> None:
    on = ground()
    some = {n: rival(on, n, share) for n, share in {"a": 0.6, "b": 0.0}.items()}
    found = may_be_best(on, some, 0)
    assert found["squared_error"]["in"] == ["a"]
    alone = may_be_best(on, {"a": some["a"]}, 0)
    assert alone["squared_error"] is None


def test_residuals_of_a_state_are_those_of_its_rows() -> None:
    on = ground()
    one = rival(on, "one", 0.2)
    labels = np.repeat((np.arange(DATES) >= 100).astype(np.int8), NAMES)
    labels[:NAMES] = -1
    found = residuals_by_state(
        dates=on.dates,
        log_return=on.log_return,
        forecast=one.forecast,
        direction=one.direction,
        prevailing_mean=on.prevailing_mean,
        states={"half": (labels, ("first", "second", "none"))},
    )
    assert [(r.state, r.dates, r.n) for r in found] == [("first", 99, 594), ("second", 200, 1200)]
    rows = labels == 1
    e = on.log_return[rows] - one.forecast[rows]
    told = clustered_mean(e, on.dates[rows])
    assert (found[1].bias, found[1].bias_low) == (told.mean, told.low)
    assert found[1].rmse == pytest.approx(np.sqrt((e**2).mean()))
    assert found[1].r2 == pytest.approx(1 - (e**2).sum() / (on.log_return[rows] ** 2).sum())
    assert worst(found) is min(found, key=lambda r: r.accuracy or 0)
    with pytest.raises(InvalidRequest, match="one label a row"):
        residuals_by_state(
            dates=on.dates,
            log_return=on.log_return,
            forecast=one.forecast,
            direction=one.direction,
            prevailing_mean=on.prevailing_mean,
            states={"half": (labels[1:], ("first", "second"))},
        )


def test_states_read_the_past_only() -> None:
    rng = np.random.default_rng(3)
    days = np.datetime64("1990-01-01") + np.arange(3000)
    market = rng.normal(0, 0.01, 3000)
    whole = states_of(days, market)
    later = market.copy()
    later[2000:] = 0.05
    for kind in ("volatility", "trend"):
        np.testing.assert_array_equal(
            whole[kind][0][:2001], states_of(days, later)[kind][0][:2001], kind
        )
    assert whole["period"][1] == (
        "1990 to 1991",
        "1992 to 1993",
        "1994 to 1995",
        "1996 to 1997",
        "1998",
    )
    assert set(states_of(days, np.full(3000, -1.0))) == {"period"}
    with pytest.raises(InvalidRequest):
        states_of(days, market[1:])
    with pytest.raises(InvalidRequest):
        states_of(days, np.where(days == days[0], np.nan, market))
