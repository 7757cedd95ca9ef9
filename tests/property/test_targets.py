"""Laws of targets: nothing from the future, and no limit passed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.backtest.targets import Plan, make_targets
from bellwether.core.errors import InvalidRequest

Drawn = tuple[np.ndarray, Plan, dict[str, np.ndarray]]


@st.composite
def plans(draw: st.DrawFn) -> Drawn:
    n, k = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    signal = rng.normal(0, 1, (n, k)).round(1)
    signal[rng.random((n, k)) < 0.2] = np.nan
    maybe = st.sampled_from([None, 0.05, 0.4])
    plan = Plan(
        kind=draw(st.sampled_from(["long_only", "long_short", "top_k", "quantile"])),
        k_long=draw(st.integers(0, 3)),
        k_short=draw(st.integers(1, 3)),
        quantile=draw(st.sampled_from([0.1, 0.34, 0.5])),
        both_sides=draw(st.booleans()),
        weighting=draw(st.sampled_from(["equal", "signal"])),
        volatility=draw(st.sampled_from([None, 0.1])),
        volatility_sessions=5,
        max_scale=2.0,
        max_position=draw(maybe),
        max_gross=draw(maybe),
        max_net=draw(maybe),
        rebalance_sessions=draw(st.sampled_from([1, 3])),
        max_turnover=draw(maybe),
    )
    given_too = {"returns": rng.normal(0, 0.02, (n, k)), "universe": rng.random((n, k)) > 0.1}
    return signal, plan, given_too


@given(plans(), st.data())
def test_targets_up_to_a_session_need_nothing_later(drawn: Drawn, data: st.DataObject) -> None:
    signal, plan, told = drawn
    t = data.draw(st.integers(0, len(signal) - 1))
    whole = make_targets(signal, plan, **told)
    short = make_targets(signal[: t + 1], plan, **{n: v[: t + 1] for n, v in told.items()})

    assert np.array_equal(whole[: t + 1], short, equal_nan=True)


@given(plans())
def test_no_limit_is_passed(drawn: Drawn) -> None:
    signal, plan, told = drawn
    wanted = np.nan_to_num(make_targets(signal, plan, **told))
    gross = np.abs(wanted).sum(axis=1).max()

    assert gross <= plan.gross * (plan.max_scale if plan.volatility else 1) + 1e-12
    if plan.max_turnover is None:
        assert plan.max_position is None or np.abs(wanted).max() <= plan.max_position + 1e-12
        assert plan.max_gross is None or gross <= plan.max_gross + 1e-12
        assert plan.max_net is None or np.abs(wanted.sum(axis=1)).max() <= plan.max_net + 1e-12


@given(plans())
def test_without_a_view_nothing_is_chosen_and_without_any_nothing_decided(drawn: Drawn) -> None:
    signal, plan, told = drawn
    if plan.max_turnover is None:
        wanted = make_targets(signal, plan, **told)
        blind = np.isnan(signal) | ~told["universe"]
        assert not np.nan_to_num(wanted)[blind].any()
        assert np.isnan(wanted)[blind.all(axis=1)].all()
        between = np.arange(len(signal)) % plan.rebalance_sessions != 0
        assert np.isnan(wanted[between]).all()


@given(plans())
def test_a_decision_moves_by_the_turnover_limit_at_most(drawn: Drawn) -> None:
    signal, plan, told = drawn
    if plan.max_turnover is not None:
        wanted = make_targets(signal, plan, universe=told["universe"], returns=told["returns"])
        held = np.zeros(signal.shape[1])
        for t, row in enumerate(wanted):
            held = held * (1 + told["returns"][t]) / (1 + held @ told["returns"][t])
            if not np.isnan(row).all():
                assert np.abs(row - held).sum() <= plan.max_turnover + 1e-12
                held = row


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan("long_only"), [0.5, 0, 0.5, 0, 0]),
        (Plan("long_only", weighting="signal"), [0.25, 0, 0.75, 0, 0]),
        (Plan("long_short"), [0.25, -0.25, 0.25, -0.25, 0]),
        (Plan("top_k", k_long=1), [0, 0, 1, 0, 0]),
        (Plan("top_k", k_long=1, k_short=2), [0, -0.25, 0.5, -0.25, 0]),
        (Plan("top_k", k_long=9), [0.25, 0.25, 0.25, 0.25, 0]),
        (Plan("quantile", quantile=0.25), [0, 0, 0.5, -0.5, 0]),
        (Plan("quantile", quantile=0.5, both_sides=False), [0.5, 0, 0.5, 0, 0]),
        (Plan("long_short", max_net=0.1, max_position=0.2), [0.2, -0.2, 0.2, -0.2, 0]),
        (Plan("long_only", max_position=0.3, max_gross=0.4), [0.2, 0, 0.2, 0, 0]),
        (Plan("long_only", max_turnover=0.5), [0.25, 0, 0.25, 0, 0]),
    ],
)
def test_plans_by_hand(plan: Plan, expected: list[float]) -> None:
    assert make_targets([[1.0, -2, 3, -4, np.nan]], plan)[0] == pytest.approx(expected)


def test_volatility_is_aimed_at_by_the_past() -> None:
    returns = np.array([0.01, -0.01] * 50).reshape(-1, 1)
    plan = Plan("long_only", volatility=0.08, volatility_sessions=20, max_scale=3.0)
    wanted = make_targets(np.ones((100, 1)), plan, returns=returns)

    assert not wanted[:19].any()
    had = returns[:20].std(ddof=1) * np.sqrt(252)
    assert wanted[19:] == pytest.approx(0.08 / had)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("signal", {"signal": [[np.inf]]}),
        ("signal", {"signal": [[[1.0]]]}),
        ("universe", {"universe": [[1.0]]}),
        ("universe", {"universe": [[True, False]]}),
        ("returns", {"returns": [[0.1], [0.1]]}),
        ("returns", {"plan": Plan(volatility=0.1)}),
    ],
)
def test_what_cannot_be_used_is_refused(field: str, wrong: dict[str, Any]) -> None:
    told = {"signal": [[1.0]], "plan": Plan(), **wrong}
    with pytest.raises(InvalidRequest) as refused:
        make_targets(told.pop("signal"), told.pop("plan"), **told)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "magic"},
        {"weighting": "magic"},
        {"gross": -1.0},
        {"gross": np.nan},
        {"quantile": 0.6},
        {"k_long": 0},
        {"k_short": -1},
        {"volatility": 0.0},
        {"max_position": np.inf},
        {"rebalance_sessions": 0},
        {"volatility_sessions": 1},
    ],
)
def test_plans_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Plan(**wrong)
