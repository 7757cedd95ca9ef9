"""Comparisons and model cards through the command line, on what training and backtests kept."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import SourceQuery
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.models.factory import BASELINES
from bellwether.pipelines import backtest, compare, ingest, records, train
from bellwether.pipelines.compare import CompareConfig
from bellwether.pipelines.model_card import card
from bellwether.pipelines.trades import HELD
from bellwether.settings import Settings

ASKED = train.TrainConfig(
    model="linear",
    against=("ridge",),
    each=False,
    first=date(2003, 1, 1),
    step="4y",
    window="3y",
    learning_curve=True,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def wired(home: Path) -> Iterator[Wired]:
    built = bootstrap(Settings(home=home))
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("AAPL", "IBM"))), built.ports)
    yield built
    built.close()


@pytest.fixture(scope="module")
def ran(wired: Wired) -> train.TrainReport:
    return train.run(ASKED, wired.ports)


@pytest.fixture(scope="module")
def tested(wired: Wired) -> str:
    asked = BacktestConfig(
        model="linear",
        first=date(2003, 1, 1),
        step="4y",
        ages=0,
        what_if=False,
    )
    return backtest.run(asked, wired.ports).backtest_id


@pytest.fixture
def asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BELLWETHER_HOME", str(home))
    return lambda *words: CliRunner().invoke(app, list(words))


def compared(wired: Wired, *named: str) -> dict[str, Any]:
    return compare.run(CompareConfig(named), wired.ports).found


def test_training_is_cut_by_the_calendar(wired: Wired, ran: train.TrainReport) -> None:
    kept = records.read(ran.run_id, wired.ports.work)
    assert kept is not None
    assert kept.record["session"].min() == date(2003, 1, 2)
    starts = kept.record.group_by("fold").agg(first=kept.record["session"].min()).height
    assert starts == kept.record["fold"].n_unique() > 1
    assert kept.models == ("linear", "ridge", *BASELINES)


def test_a_run_beside_itself_agrees_with_what_training_said(
    wired: Wired, ran: train.TrainReport
) -> None:
    found = compared(wired, f"{ran.run_id}:linear", f"{ran.run_id[:20]}:ridge")
    assert [*found["table"]] == ["linear", "ridge", *BASELINES]
    for name, told in ran.outcome["table"].items():
        mine = found["table"][name]
        for what in ("n", "directional_accuracy", "directional_accuracy_ci"):
            assert mine[what] == told[what], (name, what)
        assert mine["r2_oos"] == pytest.approx(told["r2_oos"], abs=1e-6), name
        assert mine["sharpe_record"]["annual"] == pytest.approx(told["sharpe"]), name
    assert found["table"]["linear"]["deflated"]["trials"] == 5  # two models, a curve of three more
    assert found["table"]["always_up"]["deflated"] is None
    (pair,) = found["pairs"]
    assert (pair["a"], pair["b"], found["all_pairs"]) == ("linear", "ridge", True)
    assert set(found["may_be_best"]["squared_error"]["p"]) == set(found["table"])
    assert {row["kind"] for row in found["residuals"]["linear"]} == {
        "volatility",
        "trend",
        "period",
    }


def test_the_learning_curve_ends_where_the_model_stands(ran: train.TrainReport) -> None:
    points = ran.outcome["learning_curve"]["points"]
    assert [p["share"] for p in points] == [0.125, 0.25, 0.5, 1.0]
    rows = [p["train_rows"] for p in points]
    assert rows == sorted(rows)
    assert rows[0] == pytest.approx(rows[-1] / 8, rel=0.1)
    whole = ran.outcome["table"]["linear"]
    assert points[-1]["accuracy"] == whole["directional_accuracy"]
    assert points[-1]["r2"] == pytest.approx(whole["r2_oos"])
    assert len({p["r2"] for p in points}) == len(points)
    assert {p["n"] for p in points} == {whole["n"]}


def test_releases_runs_and_backtests_share_what_they_were_judged_on(
    wired: Wired, ran: train.TrainReport, tested: str
) -> None:
    release = ran.outcome["releases"]["panel"]
    found = compared(wired, release, ran.run_id, tested)
    names = [s["name"] for s in found["subjects"]]
    assert len(set(names)) == 3  # ids made within a minute begin alike
    for name, one in zip(names, (release, ran.run_id, tested), strict=True):
        assert name.startswith(f"linear {one[:8]}")
    first, second, third = names
    same = found["pairs"][0]
    assert (same["a"], same["b"]) == (first, second)
    assert abs(same["squared"]["mean"]) < 1e-10  # a record is kept with float32 forecasts
    assert same["accuracy"]["mean"] == 0
    assert any("one account" in note for note in found["notes"])
    assert found["table"][third]["n"] == found["table"][first]["n"] == found["n"]
    kept = records.read(tested, wired.ports.work)
    report = backtest.run(
        BacktestConfig(
            model="linear",
            first=date(2003, 1, 1),
            step="4y",
            ages=0,
            what_if=False,
        ),
        wired.ports,
    )
    assert report.reused
    assert kept is not None
    strategies = report.found["curves"]["strategies"]
    assert kept.books["net_linear"].to_list() == pytest.approx(strategies["linear"]["net"])
    assert kept.books["market"].to_list() == pytest.approx(strategies[HELD]["net"])


def test_the_command_writes_a_page_and_json(
    asked: Any, ran: train.TrainReport, tmp_path: Path
) -> None:
    page = tmp_path / "c.html"
    done = asked("compare", f"{ran.run_id}:all", "--report", str(page))
    assert done.exit_code == 0, done.output
    for told in ("Forecasts", "Pairwise tests", "Which may be the best", "Residuals by trend"):
        assert told in done.output
    assert "Learning curve of linear" in done.output
    text = page.read_text(encoding="utf-8")
    assert "Comparison" in text
    assert 'data-chart="picture-0"' in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    again = asked("compare", f"{ran.run_id}:all", "--json")
    assert json.loads(again.output)["dates"] > 1000
    assert asked("compare", f"{ran.run_id}:all", "--json").output == again.output


def test_what_cannot_be_compared(wired: Wired, ran: train.TrainReport, asked: Any) -> None:
    with pytest.raises(InvalidRequest, match="two models or more"):
        compared(wired, ran.run_id, ran.run_id)
    with pytest.raises(UnknownName, match="xgboost"):
        compared(wired, f"{ran.run_id}:xgboost", ran.run_id)
    with pytest.raises(UnknownName):
        compared(wired, "ffffff", ran.run_id)
    with pytest.raises(UnknownName):  # too short to be sure
        compared(wired, ran.run_id[:4], ran.run_id)
    five = train.run(replace(ASKED, horizon_sessions=5, learning_curve=False), wired.ports)
    with pytest.raises(InvalidRequest, match="other returns"):
        compared(wired, ran.run_id, five.run_id)
    kept = {n: wired.ports.work.read(five.run_id, n) for n in wired.ports.work.names(five.run_id)}
    wired.ports.work.drop(five.run_id)
    with pytest.raises(MissingRecord):
        compared(wired, five.run_id, f"{five.run_id}:ridge")
    for name, content in kept.items():
        assert content is not None
        wired.ports.work.keep(five.run_id, name, content)
    assert compared(wired, five.run_id, f"{five.run_id}:ridge")["horizon_sessions"] == 5
    assert asked("compare", ran.run_id).exit_code == 2
    with pytest.raises(InvalidRequest, match="search"):
        replace(ASKED, search="random")


class Stopped(Exception):
    pass


def test_training_that_was_stopped_goes_on(wired: Wired, ran: train.TrainReport) -> None:
    other = replace(ASKED, seed=7, learning_curve=False)

    def stop(what: str, done: int, _of: int) -> None:
        if what.startswith("Walking forward") and done == 1:
            raise Stopped

    before = set(wired.ports.work.works())
    with pytest.raises(Stopped):
        train.run(other, wired.ports, stop)
    (left,) = set(wired.ports.work.works()) - before
    assert len(wired.ports.work.names(left)) == 3
    seen: list[int] = []
    done = train.run(
        other,
        wired.ports,
        lambda what, n, _of: seen.append(n) if what.startswith("Walking") else None,
    )
    assert seen[0] == 1
    assert wired.ports.work.names(left) == []
    mine, theirs = (records.read(i, wired.ports.work) for i in (done.run_id, ran.run_id))
    assert mine is not None
    assert theirs is not None
    np.testing.assert_array_equal(  # neither model draws at random
        mine.record["forecast_linear"].to_numpy(), theirs.record["forecast_linear"].to_numpy()
    )


def test_the_card_of_a_release(
    wired: Wired, ran: train.TrainReport, asked: Any, tmp_path: Path
) -> None:
    release, page = ran.outcome["releases"]["panel"], tmp_path / "card.html"
    done = asked("releases", "show", release[:8], "--report", str(page))
    assert done.exit_code == 0, done.output
    for told in (
        "no skill shown",
        "Leak audit: green",
        "What moves it",
        "Learning curve of linear",
    ):
        assert told in done.output
    assert "Model card" in page.read_text(encoding="utf-8")
    found = json.loads(asked("releases", "show", release, "--json").output)
    assert found["judged"]["table"]["linear"]["n"] == ran.outcome["table"]["linear"]["n"]
    assert [*found["judged"]["table"]] == ["linear", *BASELINES]
    assert found["data"]["symbols"] == ["AAPL", "IBM"]
    assert found["skill"]["label"] == "no skill shown"
    assert any("nothing is known about names that left" in text for text in found["limits"])
    assert sum(found["features"]["importance"].values()) == pytest.approx(1, abs=1e-3)
    listed = json.loads(asked("releases", "--json").output)
    assert release in {row["release_id"] for row in listed}
    for bad in ("r", "rffffffff"):
        with pytest.raises(UnknownName):
            card(bad, wired.ports)
        assert asked("releases", "show", bad).exit_code == 2
