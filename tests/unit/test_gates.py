"""Each gate on its own: what passes, what fails, what cannot be said, and what is refused."""

from typing import Any

import numpy as np
import pytest

from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.evaluation import gate_conduct as conduct
from bellwether.evaluation.gate_earned import CASH, Earned, beyond, earned, hardest
from bellwether.evaluation.gate_fairness import (
    Said,
    Served,
    bias,
    calibration,
    calibration_of_bins,
)
from bellwether.evaluation.gate_policy import (
    CONDUCT,
    GATES,
    SKILL,
    Policy,
    Verdict,
    decide,
    policy_of,
)
from bellwether.evaluation.gate_skill import (
    beats_baselines,
    deflated_gate,
    skill_verdicts,
    stability_gate,
)
from bellwether.evaluation.gates import Evidence, judge, lines
from bellwether.evaluation.intervals import MeanInterval
from bellwether.evaluation.superiority import superiority

POLICY = Policy(reps=500)
N = 1260


def evidence(sharpe: float = 2.0, n: int = N, **changed: Any) -> Earned:
    rng = np.random.default_rng(5)
    market = rng.standard_t(5, n) * 0.01
    mine = rng.standard_t(5, n) * 0.008
    mine += sharpe / np.sqrt(252) * mine.std() - mine.mean()
    told: dict[str, Any] = {
        "net": mine,
        "baselines": {"always_up": market, "last_value": np.zeros(n)},
        "folds": np.arange(n) // 252,
        "n_trials": 3,
        "trials": rng.normal(0, 0.01, (n, 2)),
        "regimes": np.arange(n) % 2,
        "regime_names": ("calm", "wild"),
    }
    return earned(**told | changed)


def test_skill_passes_all_three_gates_and_says_by_how_much() -> None:
    verdicts = skill_verdicts(evidence(), POLICY)
    assert [v.state for v in verdicts] == ["passed"] * 3
    beats, deflated, stable = verdicts
    assert beats.p is not None
    assert beats.p < 0.01
    assert beats.interval is not None
    assert beats.interval[0] < (beats.value or 0) < beats.interval[1]
    assert (deflated.value or 0) > 0.95
    assert (stable.value or 0) >= 0.8
    assert all(v.n_dates == N and v.passes_when == "" for v in verdicts)


def test_no_skill_fails_and_every_failure_says_what_would_pass() -> None:
    verdicts = skill_verdicts(evidence(sharpe=-1.0), POLICY)
    assert [v.state for v in verdicts] == ["failed"] * 3
    for v in verdicts:
        assert v.passes_when.startswith("It passes with ")


def test_holding_the_market_is_not_skill_however_well_it_does() -> None:
    rng = np.random.default_rng(1)
    market = rng.normal(0.001, 0.008, N)  # a Sharpe ratio near 2
    levered = evidence(net=1.5 * market, baselines={"always_up": market})
    assert deflated_gate(levered, POLICY).state == "passed"
    assert beats_baselines(levered, POLICY).state == "failed"
    lazy = evidence(net=np.where(rng.random(N) < 0.7, market, 0.0), baselines={"up": market})
    assert beats_baselines(lazy, POLICY).state == "failed"


def test_earning_less_for_its_risk_than_a_baseline_is_not_beating_it() -> None:
    rng = np.random.default_rng(2)
    strong = rng.normal(0.002, 0.008, N)
    found = beats_baselines(evidence(sharpe=2.0, baselines={"strong": strong}), POLICY)
    assert found.state == "failed"
    assert "a net Sharpe ratio above" in found.passes_when
    assert (found.p or 1.0) <= 0.05


def test_the_search_is_paid_for() -> None:
    alone = evidence(sharpe=1.0, n_trials=1, trials=None)
    many = evidence(sharpe=1.0, n_trials=500)
    assert deflated_gate(alone, POLICY).state == "passed"
    assert deflated_gate(many, POLICY).state == "failed"
    crowd = np.random.default_rng(3).normal(0, 0.01, (N, 80))
    searched = beats_baselines(evidence(sharpe=1.0, n_trials=81, trials=crowd), POLICY)
    assert (searched.p or 0) > (beats_baselines(alone, POLICY).p or 1)


def test_the_search_is_paid_for_as_superiority_says() -> None:
    given = evidence(sharpe=1.0)
    _, baseline = hardest(given)
    left = beyond(np.column_stack([given.net, given.trials]), baseline)
    block = int(np.ceil(N ** (1 / 3) - 1e-9))
    told = superiority(left, block=block, seed=POLICY.seed, reps=POLICY.reps)
    assert beats_baselines(given, POLICY).p == pytest.approx(told.stepwise[0], abs=1e-9)


def test_nobody_counted_the_trials() -> None:
    found = deflated_gate(evidence(n_trials=None), POLICY)
    assert found.state == "not assessable"
    assert "ledger" in found.passes_when


@pytest.mark.parametrize("n", [0, 1, 251])
def test_few_dates_are_not_assessable(n: int) -> None:
    verdicts = skill_verdicts(evidence(n=max(n, 2)) if n > 1 else _tiny(n), POLICY)
    assert {v.state for v in verdicts} == {"not assessable"}
    assert all("252" in v.passes_when for v in verdicts)


def _tiny(n: int) -> Earned:
    return earned(net=np.full(n, 0.01), baselines={}, folds=np.zeros(n), n_trials=1)


def test_a_model_that_never_trades_fails() -> None:
    still = evidence(net=np.zeros(N))
    assert {v.state for v in skill_verdicts(still, POLICY)} == {"failed"}


def test_a_copy_of_a_baseline_does_not_beat_it() -> None:
    copy = evidence()
    copied = evidence(baselines={"copy": copy.net})
    found = beats_baselines(copied, POLICY)
    assert found.state == "failed"
    assert found.p == 1.0


def test_one_good_year_is_not_stable() -> None:
    rng = np.random.default_rng(4)
    net = rng.normal(-0.0002, 0.005, N)
    net[:252] += 0.004
    found = stability_gate(evidence(net=net, baselines={}), POLICY)
    assert found.state == "failed"
    assert "without its best fold" in found.passes_when
    one = stability_gate(evidence(folds=np.zeros(N)), POLICY)
    assert one.state == "not assessable"


def test_a_losing_regime_is_named() -> None:
    rng = np.random.default_rng(4)
    wild = np.arange(N) % 2 == 1
    net = rng.normal(0.003, 0.005, N) - np.where(wild, 0.005, 0.0)
    found = stability_gate(evidence(net=net, baselines={}), POLICY)
    assert "in the regime wild" in found.passes_when


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"net": np.full(N, np.nan)}, "net"),
        ({"net": np.where(np.arange(N) == 3, np.inf, 0.01)}, "net"),
        ({"baselines": {"b": np.full(N, np.nan)}}, "b"),
        ({"baselines": {"b": np.zeros(3)}}, "b"),
        ({"trials": np.full((N, 1), np.nan)}, "trials"),
        ({"trials": np.zeros((3, 1))}, "trials"),
        ({"n_trials": 1}, "n_trials"),
        ({"folds": np.zeros(2)}, "folds"),
        ({"regimes": np.full(N, 7)}, "regimes"),
        ({"horizon": 0}, "horizon"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        evidence(**changed)
    assert error.value.field == field


def test_cash_is_a_baseline() -> None:
    name, _ = hardest(evidence(baselines={"b": np.zeros(N)}))
    assert name == CASH


def record(**changed: Any) -> conduct.Record:
    told: dict[str, Any] = {
        "r2_oos": 0.001,
        "hits": MeanInterval(0.52, 0.51, 0.53, 0.005, 9999, 1000),
        "sharpe": 1.0,
        "sharpe_interval": (0.2, 1.8),
        "n_dates": 1000,
    }
    return conduct.Record(**told | changed)


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "passed"),
        ({"r2_oos": 0.021}, "failed"),
        ({"r2_oos": 0.021, "horizon": 5}, "passed"),
        ({"hits": MeanInterval(0.58, 0.56, 0.6, 0.01, 9999, 1000)}, "failed"),
        ({"hits": MeanInterval(0.58, 0.45, 0.7, 0.06, 99, 70)}, "passed"),
        ({"sharpe": 3.1, "sharpe_interval": (2.0, 4.2)}, "failed"),
        ({"sharpe": 3.1, "sharpe_interval": (-0.2, 6.4)}, "passed"),
        ({"r2_oos": None, "hits": None, "sharpe": None, "sharpe_interval": None}, "passed"),
        ({"n_dates": 1}, "not assessable"),
    ],
)
def test_too_good_to_be_true(changed: dict[str, Any], state: str) -> None:
    found = conduct.too_good(record(**changed), POLICY)
    assert found.state == state
    assert bool(found.passes_when) == (state != "passed")


def test_audit_data_golden_rows_and_budget() -> None:
    assert conduct.leak_audit("green", 0, "v").state == "passed"
    assert conduct.leak_audit("leak", 2, "v").state == "failed"
    assert conduct.leak_audit(None, 0, "v").state == "not assessable"
    assert conduct.data_quality(passed=True, share=0.99, bar=0.98).state == "passed"
    assert conduct.data_quality(passed=True, share=0.9, bar=0.98, ignored=True).state == "failed"
    assert conduct.data_quality(passed=False, share=0.9, bar=0.98).state == "failed"
    assert conduct.data_quality(passed=None, share=None, bar=None).state == "not assessable"
    assert conduct.golden_rows(reproduced=False, why="another").state == "failed"
    assert not conduct.golden_rows(reproduced=None).applies
    assert conduct.budget(1.0, 1.0, POLICY).state == "passed"
    slow = conduct.budget(11.0, 101.0, POLICY)
    assert slow.state == "failed"
    assert slow.passes_when == "It passes with at most 10 ms and at most 100 MB."


def said(dates: int = 200, away: float = 0.0, **changed: Any) -> Said:
    rng = np.random.default_rng(6)
    p = rng.uniform(0.4, 0.6, dates * 10)
    up = rng.random(p.size) < p + away
    day = np.repeat(np.datetime64("2010-01-01") + np.arange(dates), 10)
    told: dict[str, Any] = {"dates": day, "up": up, "probability": p}
    return Said(**told | changed)


def test_chances_that_are_true_pass_and_others_do_not() -> None:
    assert calibration(said(), POLICY).state == "passed"
    found = calibration(said(away=0.15), POLICY)
    assert found.state == "failed"
    assert (found.value or 0) > 0.1
    assert calibration(said(dates=1), POLICY).state == "not assessable"
    with pytest.raises(InvalidRequest):
        calibration(said(probability=np.full(2000, np.nan)), POLICY)


def test_intervals_that_promise_too_much_fail() -> None:
    inside = np.random.default_rng(0).random(2000) < 0.8
    found = calibration(said(inside=inside), POLICY)
    assert found.state == "failed"
    assert "coverage" in found.passes_when
    assert calibration(said(inside=np.arange(2000) % 10 > 0), POLICY).state == "passed"


def test_a_table_of_bins_is_judged_beyond_its_intervals() -> None:
    good = calibration_of_bins([0.4, 0.6], [0.35, 0.5], [0.45, 0.65], [100, 100], POLICY)
    assert (good.state, good.value) == ("passed", 0.0)
    bad = calibration_of_bins([0.4, 0.6], [0.45, 0.5], [0.55, 0.55], [100, 100], POLICY)
    assert bad.value == pytest.approx(0.05)
    assert bad.state == "failed"
    assert calibration_of_bins([], [], [], [], POLICY).state == "not assessable"


def served(edge: float, dates: int = 300) -> Served:
    rng = np.random.default_rng(7)
    day = np.repeat(np.datetime64("2010-01-01") + np.arange(dates), 10)
    sector = np.tile(np.repeat(["it", "oil"], 5), dates)
    came = np.where(rng.random(day.size) < 0.55, 1.0, -1.0)
    right = rng.random(day.size) < np.where(sector == "it", 0.5 + edge, 0.5)
    return Served(day, np.where(right, came, -came), came, {"sector": sector})


def test_groups_that_are_served_unequally_are_named() -> None:
    fair, unfair = bias(served(0.0), POLICY), bias(served(0.15), POLICY)
    assert (fair.state, unfair.state) == ("passed", "failed")
    assert "in oil" in unfair.words
    assert "volatility" in unfair.words  # not assessable, and said so
    assert bias(served(0.1, dates=1), POLICY).state == "not assessable"


def test_always_up_serves_everybody_alike() -> None:
    given = served(0.0)
    rises = np.where(given.families["sector"] == "it", 0.6, 0.45)
    came = np.where(np.random.default_rng(1).random(rises.size) < rises, 1.0, -1.0)
    up = Served(given.dates, np.ones(came.size), came, given.families)
    assert bias(up, POLICY).state != "failed"


def test_a_decision_follows_the_mode() -> None:
    good = tuple(Verdict(g, "passed", "") for g in GATES)
    assert decide(good, Policy()).allowed
    assert decide(good, Policy()).skill_shown
    poor = tuple(Verdict(g, "failed" if g == "stability" else "passed", "") for g in GATES)
    assert decide(poor, Policy()).refusing == ("stability",)
    told = decide(poor, Policy(skill="report"))
    assert (told.allowed, told.skill_shown) == (True, False)
    leaky = tuple(Verdict(g, "failed" if g == "too_good" else "passed", "") for g in GATES)
    assert decide(leaky, Policy(skill="report")).refusing == ("too_good",)
    assert not decide(leaky, Policy(skill="report")).skill_shown


def test_what_must_be_known_refuses_and_what_does_not_apply_never_does() -> None:
    unknown = Verdict("leak_audit", "not assessable", "")
    assert decide((unknown,), Policy(skill="report")).refusing == ("leak_audit",)
    away = Verdict("golden_rows", "not assessable", "", applies=False)
    assert decide((away,), Policy(skill="report")).allowed
    assert decide((Verdict("bias", "not assessable", ""),), Policy(skill="report")).allowed


def test_without_a_record_nothing_is_shown() -> None:
    told = judge(Evidence((), None, None, None, None), Policy())
    assert told.refusing == SKILL
    assert [v.state for v in told.verdicts] == ["not assessable"] * 6
    off = judge(Evidence((), None, None, None, None), Policy(skill="report", off=("bias",)))
    assert "bias" not in {v.gate for v in off.verdicts}
    assert any("Not asked, by the policy: bias." in line for line in lines(off))
    free = judge(Evidence((), None, None, None, None, unfair="No costs."), Policy(skill="report"))
    assert all(v.state == "failed" for v in free.verdicts if v.gate in SKILL)


def test_a_policy_is_data() -> None:
    told = policy_of({"skill": "report", "level": 0.01, "spread": {"folds": 0.6}, "off": ["bias"]})
    assert (told.level, told.spread.folds, told.off) == (0.01, 0.6, ("bias",))
    assert set(CONDUCT) | set(SKILL) == set(GATES)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"skil": "report"}, UnknownName),
        ({"too_good": {"sharp": 1.0}}, UnknownName),
        ({"off": ["nothing"]}, UnknownName),
        ({"skill": "maybe"}, InvalidRequest),
        ({"level": 0.0}, InvalidRequest),
        ({"level": float("nan")}, InvalidRequest),
        ({"level": "high"}, InvalidRequest),
        ({"min_dates": 5}, InvalidRequest),
        ({"too_good": {"sharpe": float("inf")}}, InvalidRequest),
        ({"budget": {"latency_ms": -1.0}}, InvalidRequest),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    told: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        policy_of(told)
