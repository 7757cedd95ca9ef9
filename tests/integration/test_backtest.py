"""A walk-forward backtest through its public door: what it says, and that it says it again."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.clusters import dask_cluster
from tests.servers import free_port
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import InsufficientHistory, InvalidRequest, Unavailable, UnknownName
from bellwether.core.ports import LakeBatch, Ports, SourceQuery
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.models.factory import BASELINES
from bellwether.pipelines import backtest, folds, ingest, trials, tried
from bellwether.pipelines.trades import HELD
from bellwether.settings import Settings

QUICK = BacktestConfig(
    model="linear", first=date(2003, 1, 1), last=date(2006, 12, 31), ages=2, what_if=False
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def wired(home: Path) -> Iterator[Wired]:
    built = bootstrap(Settings(home=home))
    ingest.run(ingest.IngestConfig("sample", SourceQuery()), built.ports)
    yield built
    built.close()


@pytest.fixture(scope="module")
def found(wired: Wired) -> dict[str, Any]:
    return backtest.run(replace(QUICK, what_if=True), wired.ports).found


def test_every_strategy_stands_beside_the_others(found: dict[str, Any]) -> None:
    strategies = found["strategies"]
    assert set(strategies) == {"linear", *BASELINES, HELD}
    assert [s["role"] for s in strategies.values()].count("model") == 1
    for name, s in strategies.items():
        metrics = s["metrics"]
        assert metrics["n_periods"] == len(found["curves"]["sessions"]), name
        assert (metrics["roi"] <= s["gross"]["roi"] + 1e-12) or name == "last_value"
        if name != HELD:
            assert metrics["n"] == found["n"]
        spent = sum(s["costs_usd"].values())
        assert spent >= 0
        assert (spent == 0) == (s["traded_usd"] == 0)
    assert strategies["last_value"]["traded_usd"] == 0
    assert [f["number"] for f in found["folds"]] == [0, 1, 2, 3]
    assert (found["from"], found["to"]) == ("2003-01-02", "2006-12-29")


def test_tables_cover_what_was_judged(found: dict[str, Any]) -> None:
    assert [row["year"] for row in found["years"]][:4] == [2003, 2004, 2005, 2006]
    ages = found["degradation"]
    assert [row["age"] for row in ages] == [0, 1, 2]
    assert ages[0]["n"] == found["n"] > ages[1]["n"] > ages[2]["n"]
    own = found["strategies"]["linear"]["metrics"]["directional_accuracy"]
    assert ages[0]["directional_accuracy"]["mean"] == pytest.approx(own)
    assert sum(row["n"] for row in found["calibration"]) == ages[0]["directional_accuracy"]["n"]
    earned = sum(row["pnl_usd"] for row in found["by_symbol"])
    account = found["strategies"]["linear"]
    interest = 0.0  # no rate is given
    assert earned + interest == pytest.approx(account["end_usd"] - account["start_usd"], abs=0.01)
    switches = {row["switch"] for row in found["what_if"]["each_off"]}
    assert switches.isdisjoint(found["switched_off"])
    assert {"commission", "spread", "impact", "next_open"} <= switches


def test_the_words_hold_the_numbers(found: dict[str, Any]) -> None:
    text = " ".join(found["reading"])
    assert f"{found['n']:,} forecasts" in text
    assert ("no skill is shown" in text) is not found["skill"]["beats_baseline"]
    assert any("list of names given today" in w for w in found["warnings"])
    assert any("Left out of the simulation" in w for w in found["warnings"])
    json.dumps(found, allow_nan=False)


def test_how_sure_each_strategy_is(found: dict[str, Any]) -> None:
    days = found["curves"]["sessions"]
    for name, s in found["strategies"].items():
        metrics, sure = s["metrics"], s["sharpe_record"]
        assert sure["annual"] == pytest.approx(metrics["sharpe"])
        assert s["risk"]["n"] == len(days)
        depths = [d["depth"] for d in s["drawdowns"]["worst"]]
        assert depths == sorted(depths)
        assert min(depths, default=0.0) == pytest.approx(metrics["max_drawdown"])
        assert all(d["peak"] < d["trough"] for d in s["drawdowns"]["worst"])
        for rows in s["regimes"].values():
            assert sum(row["n"] for row in rows) < len(days)  # the first sessions have no past
        assert (s["relative"] is None) == (s["sharpe_difference"] is None) == (name == HELD)
    mine = found["strategies"]["linear"]
    difference = mine["sharpe_difference"]
    apart = mine["metrics"]["sharpe"] - found["strategies"][HELD]["metrics"]["sharpe"]
    assert difference["difference"] == pytest.approx(apart, rel=0.01)
    assert difference["low"] < difference["difference"] < difference["high"]
    assert set(mine["regimes"]) == {"volatility", "direction"}
    assert found["strategies"]["last_value"]["sharpe_record"]["annual"] is None


def test_forecasts_are_tested_by_date(found: dict[str, Any]) -> None:
    told = found["tests"]
    assert [pair["baseline"] for pair in told["against"]] == ["historical_mean", "last_value"]
    for pair in told["against"]:
        assert pair["diebold_mariano"]["n"] == found["n_sessions"]
        assert 0 <= pair["clark_west"]["p"] <= 1
    best = told["superiority"]
    assert best["models"] == [n for n in ("linear", *BASELINES) if n != "always_up"]
    assert best["spa_lower"] <= best["spa"] <= best["spa_upper"]
    assert "one row is not one observation" in told["direction"]["warning"]
    assert told["years"]["groups"] == (2003, 2004, 2005, 2006)
    assert told["volatility"]["p"] is None  # four names have no fifths
    assert "25 names" in told["volatility"]["why"]
    for row in told["family"]:
        adjusted = row["p_holm"]
        assert (adjusted is None) == (row["p"] is None or bool(row["note"]))
        assert adjusted is None or adjusted >= row["p"]
    assert found["calibration_error"]["low"] <= found["calibration_error"]["ece"]
    assert found["quantiles"] == []
    assert found["quantile_spread"] is None


def test_one_trial_alone_is_not_deflated(found: dict[str, Any]) -> None:
    assert found["trials"]["configurations"] == 1
    assert found["deflated"]["p"] is None
    assert "the only configuration ever tried" in found["reading"][-1]
    assert found["summary"]["reading"] == found["reading"]


def test_the_same_question_is_answered_once(wired: Wired, found: dict[str, Any]) -> None:
    again = backtest.run(QUICK, wired.ports)
    assert again.reused
    assert again.found["backtest_id"] == found["backtest_id"]
    (row,) = wired.ports.ledger.backtests()
    assert row.result_hash == found["result_hash"]
    assert json.loads(row.summary)["n"] == found["n"]


def test_it_is_counted_as_a_trial(wired: Wired, found: dict[str, Any]) -> None:
    rows = wired.ports.ledger.trials("open_to_open h=1")
    (row,) = [r for r in rows if json.loads(r.config)["model"] == "linear"]
    returns = trials.returns_of(row)
    assert returns is not None
    assert returns["net"].to_list() == found["curves"]["strategies"]["linear"]["net"]
    assert json.loads(row.metrics)["sharpe"] == found["strategies"]["linear"]["metrics"]["sharpe"]
    before = trials.counted("open_to_open h=1", wired.ports)
    second = backtest.run(replace(QUICK, strategy="long_only"), wired.ports)
    assert trials.counted("open_to_open h=1", wired.ports) == before + 1
    luck = second.found["deflated"]
    assert second.found["trials"]["with_returns"] == luck["trials"] == before + 1
    assert 1 < luck["effective_trials"] < before + 1
    assert luck["sharpe"] == pytest.approx(
        second.found["strategies"]["linear"]["metrics"]["sharpe"]
    )
    sure = second.found["strategies"]["linear"]["sharpe_record"]["probabilistic"]
    assert luck["p"] < luck["p_effective"] < sure
    told = " ".join(second.lines())
    assert f"After {before + 1} configurations tried" in second.found["reading"][-1]
    for words in ("After the luck of choosing", "Worst drawdowns", "Beside equal weight", "DSR"):
        assert words in second.page()
        assert words in told
    assert trials.counted("open_to_open h=7", wired.ports) == 0


def test_trials_without_returns_count_and_others_are_left_apart(fresh: Ports) -> None:
    days = pl.date_range(date(2020, 1, 1), date(2020, 4, 9), eager=True)
    moves = [0.01 * (-1) ** i + 0.001 * (i % 7) for i in range(100)]
    now = fresh.wall.now()

    def one(name: str, returns: pl.DataFrame | None, state: str = trials.COMPLETE) -> Any:
        study = trials.Study("s", "backtest", {"question": name}, 1, now, now)
        row = trials.trial(study, name, "panel", {}, returns, state=state)
        fresh.ledger.record_trials([row])
        return row

    mine = one("a", pl.DataFrame({"session": days, "net": moves}))
    one("b", pl.DataFrame({"session": days, "net": moves[::-1]}))
    one("elsewhen", pl.DataFrame({"session": days.dt.offset_by("2y"), "net": moves}))
    one("broken", None, trials.FAILED)
    told, luck = tried.deflation(mine, fresh)
    assert (told["configurations"], told["with_returns"], told["sessions"]) == (4, 2, 100)
    assert luck["effective_trials"] > 3  # two that are lost count as unlike all others
    assert luck["p"] is not None
    short = one("short", pl.DataFrame({"session": days[:5], "net": moves[:5]}))
    assert "5 sessions" in tried.deflation(short, fresh)[1]["why"]


def test_every_model_of_a_training_run_is_counted(fresh: Ports) -> None:
    question = {"horizon_sessions": 1, "watermark": str(fresh.wall.now()), "symbols": ["A", "B"]}
    net = pl.DataFrame({"session": [date(2020, 1, 2)], "net_linear": [0.01], "net_m": [0.02]})
    told = {"linear": {"sharpe": 1.0}, "m": {"sharpe": 2.0}, "always_up": {"sharpe": 3.0}}
    asked = (question, ("linear", "m", "always_up"), {"panel": told, "A": told})
    more = ({"panel": net, "A": net}, ["B"], fresh)
    assert trials.record_training(*asked, *more) == 6
    assert trials.record_training(*asked, *more) == 0
    rows = fresh.ledger.trials("open_to_open h=1")
    assert {(r.model, r.scope, r.state) for r in rows} == {
        (model, scope, "failed" if scope == "B" else "complete")
        for model in ("linear", "m")
        for scope in ("panel", "A", "B")
    }
    assert len({r.configuration for r in rows}) == 6


class Stopped(Exception):
    pass


def stop_after(folds: int) -> Any:
    def progress(what: str, done: int, _total: int) -> None:
        if what == "Walking forward" and done >= folds:
            raise Stopped

    return progress


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Ports]:
    built = bootstrap(Settings(home=tmp_path / "home"))
    ingest.run(ingest.IngestConfig("sample", SourceQuery()), built.ports)
    yield built.ports
    built.close()


def test_what_was_stopped_goes_on_and_ends_the_same(fresh: Ports, found: dict[str, Any]) -> None:
    with pytest.raises(Stopped):
        backtest.run(QUICK, fresh, stop_after(2))
    (work,) = fresh.work.works()
    kept = {name: fresh.work.read(work, name) for name in fresh.work.names(work)}
    assert len(kept) == 4  # two files of each of two folds
    fresh.work.keep(work, "fold-0001.arrow", b"no frame")  # of another version, say
    steps: list[int] = []
    done = backtest.run(QUICK, fresh, lambda what, n, _: what[:3] == "Wal" and steps.append(n))
    assert steps[0] == 1  # the spoilt one is done again
    assert done.found["result_hash"] == found["result_hash"]  # whichever home it is made in
    assert {name: fresh.work.read(work, name) for name in kept} == kept


def test_processes_and_a_cluster_give_the_same_bits(fresh: Ports, found: dict[str, Any]) -> None:
    two = backtest.run(replace(QUICK, workers=2), fresh)
    assert two.found["result_hash"] == found["result_hash"]
    for work in fresh.work.works():
        fresh.work.drop(work)
    with dask_cluster() as address:
        there = backtest.run(replace(QUICK, dask=address), fresh)
    assert not there.reused  # its report was dropped, so it is made again
    assert there.found["result_hash"] == found["result_hash"]


def test_a_scheduler_that_is_away_is_named(fresh: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "CLUSTER_S", 1)
    with pytest.raises(Unavailable, match="dask"):
        backtest.run(replace(QUICK, dask=f"tcp://127.0.0.1:{free_port()}"), fresh)


def test_lag_zero_is_stamped(fresh: Ports) -> None:
    done = backtest.run(replace(QUICK, lag_sessions=0), fresh)
    assert done.found["warnings"][0].startswith("LAG 0")
    assert "next_open" in done.found["switched_off"]


def test_members_count_while_they_are_members(fresh: Ports) -> None:
    spells = pl.DataFrame(
        {
            "universe": ["u", "u"],
            "symbol": ["IBM", "AAPL"],
            "first": [date(2000, 1, 3), date(2000, 1, 3)],
            "last": [None, date(2004, 6, 30)],
            "end_reason": [None, "delisted"],
            "delisting_return": [None, -0.5],
            "source": ["told", "told"],
            "event_time": [date(2000, 1, 3)] * 2,
            "knowledge_time": [date(2000, 1, 3)] * 2,
            "knowledge_basis": ["stated", "stated"],
        },
        schema_overrides={
            "last": pl.Date,
            "delisting_return": pl.Float64,
            "event_time": pl.Datetime("us", "UTC"),
            "knowledge_time": pl.Datetime("us", "UTC"),
        },
    )
    fresh.lake.append(LakeBatch(universe=spells), fresh.wall.now())
    done = backtest.run(replace(QUICK, universe="u"), fresh)
    assert done.found["symbols"] == ["AAPL", "IBM"]
    assert done.found["universe"] == "u"
    sessions = {row["symbol"]: row["directional_accuracy"]["n"] for row in done.found["by_symbol"]}
    assert sessions["AAPL"] < 400
    assert sessions["IBM"] > 900
    assert "u" in done.found["survivorship"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"symbols": ("NOPE",)}, UnknownName),
        ({"universe": "nope"}, UnknownName),
        ({"first": date(1990, 1, 1), "last": date(1995, 1, 1)}, InsufficientHistory),
        ({"min_train_sessions": 100_000}, InsufficientHistory),
    ],
)
def test_what_cannot_be_walked(
    wired: Wired, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        backtest.run(replace(QUICK, **change), wired.ports)


@pytest.mark.parametrize(
    "told",
    [
        {"model": "oracle"},
        {"strategy": "hope"},
        {"step": "fortnight"},
        {"window": "-1y"},
        {"without": ["gravity"]},
        {"without": "impact"},
        {"horizon_sessions": 0},
        {"horizon_sessions": 1.5},
        {"horizon_sessions": True},
        {"quantile": 0.9},
        {"capital_usd": -1},
        {"capital_usd": "much"},
        {"first": "2003-02-30"},
        {"first": 2003},
        {"first": "2004-01-01", "last": "2003-01-01"},
        {"symbols": ["A"], "universe": "u"},
        {"symbols": "AAPL"},
        {"lag_sessions": -1},
        {"colour": "blue"},
        {"ages": 1000},
    ],
)
def test_what_cannot_be_asked(told: dict[str, Any]) -> None:
    with pytest.raises((InvalidRequest, UnknownName)):
        BacktestConfig.of_json(told)


def test_a_config_survives_json() -> None:
    config = replace(QUICK, symbols=("A", "B"), without=("impact",), window="5y", seed=3)
    assert BacktestConfig.of_json(json.loads(json.dumps(config.as_json()))) == config


@pytest.mark.usefixtures("found")
def test_the_command_line(home: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    env = {"BELLWETHER_HOME": str(home)}
    asked = ["backtest", "--model", "linear", "--from", "2003-01-01", "--to", "2006-12-31"]
    out = tmp_path / "sheet.html"
    told = runner.invoke(app, [*asked, "--report", str(out)], env=env)
    assert told.exit_code == 0, told.output
    assert "no skill is shown" in told.stdout or "beyond chance better" in told.stdout
    assert out.read_text().lower().startswith("<!doctype html>")
    counted = json.loads(runner.invoke(app, ["trials", "list", "--json"], env=env).stdout)
    assert counted["configurations"]["open_to_open h=1"] >= 1
    for wrong in (
        ["backtest", "NOPE"],
        ["backtest", "--universe", "nope"],
        ["backtest", "--strategy", "hope"],
        ["backtest", "--without", "gravity"],
        ["backtest", "--days", "5"],
        ["backtest", ","],
    ):
        assert runner.invoke(app, wrong, env=env).exit_code == 2, wrong
