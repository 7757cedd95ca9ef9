"""Everything that was ever scored is counted, whoever did it and whatever became of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import Cancelled
from bellwether.core.ports import SourceQuery
from bellwether.evaluation.gate_policy import Policy
from bellwether.pipelines import gates, ingest, train
from bellwether.pipelines.search import COMPLETE, FAILED
from bellwether.pipelines.trials import counted
from bellwether.settings import Settings

LABEL = "open_to_open h=1"
SHORT = train.TrainConfig(
    symbols=("AAPL", "IBM"), model="linear", against=(), each=False, test_sessions=1000
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


@pytest.fixture
def ask(home: Path, wired: Wired, monkeypatch: pytest.MonkeyPatch) -> Any:
    del wired
    monkeypatch.setenv("BELLWETHER_HOME", str(home))
    return lambda *words: CliRunner().invoke(app, list(words))


def luck(release: str, wired: Wired) -> str:
    decision = gates.check(release, Policy(), wired.ports).decision
    (verdict,) = [v for v in decision.verdicts if v.gate == "deflated_sharpe"]
    return verdict.words


def test_deleting_every_mlflow_run_leaves_n(wired: Wired, home: Path) -> None:
    train.run(replace(SHORT, seed=1, model="ridge"), wired.ports)
    done = train.run(SHORT, wired.ports)
    n = counted(LABEL, wired.ports)
    before = luck(str(done.outcome["releases"]["panel"]), wired)
    client = MlflowClient(Settings(home=home).mlflow)
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments)
    assert len(runs) == 2
    for one in runs:
        client.delete_run(one.info.run_id)
    assert client.search_runs(experiments, run_view_type=ViewType.ACTIVE_ONLY) == []
    assert counted(LABEL, wired.ports) == n == 2
    assert luck(str(done.outcome["releases"]["panel"]), wired) == before
    assert "2" in before


def test_what_ended_before_it_was_judged_counts_once(wired: Wired) -> None:
    asked = replace(SHORT, seed=77)

    def stop(what: str, _done: int, _total: int) -> None:
        if what.startswith("Walking"):
            raise Cancelled("training")

    n = counted(LABEL, wired.ports)
    with pytest.raises(Cancelled):
        train.run(asked, wired.ports, stop)
    newest = wired.ports.ledger.trials(LABEL)[-1]
    assert (newest.state, newest.model, newest.returns) == (FAILED, "linear", None)
    assert counted(LABEL, wired.ports) == n + 1
    train.run(asked, wired.ports)
    assert counted(LABEL, wired.ports) == n + 1
    assert wired.ports.ledger.trials(LABEL)[-1].state == COMPLETE


def test_trials_of_a_search_that_never_ends_are_counted(wired: Wired) -> None:
    asked = replace(SHORT, model="ridge", search="random", trials=3, seed=78)

    def stop(what: str, done: int, _total: int) -> None:
        if what == "Searching" and done:
            raise Cancelled("training")

    n = counted(LABEL, wired.ports)
    with pytest.raises(Cancelled):
        train.run(asked, wired.ports, stop)
    assert counted(LABEL, wired.ports) == n + 3 + 1  # and the model that was to come of it


def test_generated_features_are_a_trial_of_their_own(wired: Wired) -> None:
    n = counted(LABEL, wired.ports)
    train.run(replace(SHORT, seed=79, generate=5), wired.ports)
    rows = wired.ports.ledger.trials(LABEL)
    assert counted(LABEL, wired.ports) == n + 2
    assert [r.returns is not None for r in rows if r.model == "linear+generated"] == [True]


def test_rules_and_predictors_of_ones_own_count(ask: Any, wired: Wired, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 60))
    close = 100 * np.exp(np.cumsum(0.02 * rng.normal(size=60)))
    frame = pl.DataFrame({"date": range(1940, 2000), "gain": b / 9, "a": a, "b": b, "p": close})
    path = tmp_path / "told.csv"
    frame.write_csv(path)
    told = ("--frame", str(path), "--date", "date")
    predictors = ("evaluate", "predictors", *told, "--target", "gain", "--first-forecast", "1970")
    rule = ("evaluate", "rule", *told, "--price", "p", "--rule")

    assert ask(*predictors, "--predictors", "a,b", "--combine", "mean").exit_code == 0
    assert counted("gain h=1", wired.ports) == 3
    assert ask(*predictors, "--predictors", "a").exit_code == 0
    assert counted("gain h=1", wired.ports) == 4  # no combination was asked for: another plan
    assert ask(*predictors, "--predictors", "a").exit_code == 0
    assert counted("gain h=1", wired.ports) == 4
    assert ask(*predictors, "--predictors", "nobody").exit_code == 2
    assert ask(*rule, "sma:1,5").exit_code == 0
    assert ask(*rule, "sma:1,6", "--json").exit_code == 0
    assert ask(*rule, "sma:1,6").exit_code == 0
    assert counted("p h=1", wired.ports) == 2

    rows = wired.ports.ledger.trials("p h=1")
    assert len({row.data for row in rows}) == 1
    frame.with_columns(p=pl.col("p") * 2).write_csv(path)
    assert ask(*rule, "sma:1,6").exit_code == 0
    newest = wired.ports.ledger.trials("p h=1")
    assert counted("p h=1", wired.ports) == 2  # the same was tried, on other data
    assert len({row.data for row in newest}) == 2
    listed = json.loads(ask("trials", "list", "--label", "p h=1", "--json").stdout)
    assert listed["configurations"] == {"p h=1": 2}
