"""Training again: with a reason, within a budget, or not at all; and what answers meanwhile."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import SourceQuery
from bellwether.evaluation.gate_policy import Policy
from bellwether.inference.catalogue import read
from bellwether.pipelines import ingest, retrain, train
from bellwether.pipelines.trials import counted
from bellwether.settings import Settings

LABEL = "open_to_open h=1"
OPEN = retrain.RetrainConfig(cool_down=timedelta())
SHORT = train.TrainConfig(
    symbols=("AAPL", "IBM"), model="linear", against=(), each=False, test_sessions=1000
)


@contextmanager
def at(home: Path, clock: str) -> Iterator[Wired]:
    """Stand at an instant, with all bars that were there then."""
    built = bootstrap(Settings(home=home, clock=clock))
    try:
        ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("AAPL", "IBM"))), built.ports)
        yield built
    finally:
        built.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    with at(folder, "2010-01-04T22:00:00Z") as then:
        train.run(SHORT, then.ports)
    return folder


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "home"))


def answering(wired: Wired) -> str:
    return read(wired.ports).release_for("IBM", 1).release_id


def test_new_sessions_are_a_reason_and_all_is_kept(home: Path) -> None:
    with at(home, "2010-01-12T22:00:00Z") as soon:
        old = answering(soon)
        quiet = retrain.run(OPEN, soon.ports)
        assert (quiet.row.action, quiet.again, answering(soon)) == ("nothing", False, old)
        assert "6 sessions came since, 21 are a reason" in quiet.lines()[0]
        again = retrain.run(OPEN, soon.ports)
        assert again.again
        assert again.row == quiet.row
        assert len(soon.ports.ledger.retrainings()) == 1
    with at(home, "2010-07-01T22:00:00Z") as later:
        held = retrain.run(retrain.RetrainConfig(), later.ports)
        assert held.row.action == "blocked"
        assert "cool-down" in held.lines()[0]
        n = counted(LABEL, later.ports)
        done = retrain.run(OPEN, later.ports)
        told = json.loads(done.row.report)
        assert done.row.action == "trained"
        assert done.row.champion == old
        assert answering(later) == done.row.release_id != old
        assert told["duel"]["n_dates"] > 100
        assert told["evidence"]["sessions"] == 124
        assert counted(LABEL, later.ports) == n
        assert retrain.run(OPEN, later.ports).row.action == "nothing"
        assert [r.action for r in later.ports.ledger.retrainings()] == [
            *("nothing", "blocked", "trained", "nothing")
        ]


def test_a_refused_one_does_not_answer_and_is_not_made_twice(home: Path) -> None:
    strict = replace(OPEN, policy=Policy(skill="require"))
    with at(home, "2010-07-01T22:00:00Z") as wired:
        old = answering(wired)
        done = retrain.run(strict, wired.ports)
        assert done.refused
        assert answering(wired) == old
        assert any("no longer passes" in line for line in done.lines())
        again = retrain.run(strict, wired.ports)
        assert again.again
        assert again.refused
        assert len(wired.ports.ledger.releases()) == 2


def test_a_kill_between_the_decision_and_its_doing_is_made_good(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(home, "2010-07-01T22:00:00Z") as wired:
        old = answering(wired)

        class Killed(BaseException):
            """Ends the process here."""

        def end(*_: Any) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(retrain.gates_stand, "admitted", end)
            with pytest.raises(Killed):
                retrain.run(OPEN, wired.ports)
        assert answering(wired) == old
        done = retrain.run(OPEN, wired.ports)
        assert done.again
        assert answering(wired) == done.row.release_id != old


def test_a_budget_ends_the_work_and_nothing_is_lost(home: Path) -> None:
    with at(home, "2010-07-01T22:00:00Z") as wired:
        old = answering(wired)
        tight = retrain.run(replace(OPEN, budget=timedelta(microseconds=1)), wired.ports)
        assert tight.row.action == "blocked"
        assert "more than the budget" in tight.lines()[0]
        (run,) = wired.ports.ledger.runs()
        took = run.finished_at - run.started_at

        class Hurried:
            """A wall clock that runs ahead by an hour at each look."""

            def __init__(self, real: Any) -> None:
                self._real = real
                self._looks = 0

            def now(self) -> Any:
                self._looks += 1
                return self._real.now() + self._looks * timedelta(hours=1)

        hurried = replace(wired.ports, wall=Hurried(wired.ports.wall))
        spent = retrain.run(replace(OPEN, budget=took + timedelta(hours=1)), hurried)
        assert spent.row.action == "stopped"
        assert answering(wired) == old
        assert retrain.run(retrain.RetrainConfig(), wired.ports).row.action == "blocked"
        assert retrain.run(replace(OPEN, anyway=True), wired.ports).row.action == "trained"


def test_who_cannot_be_trained_again(home: Path) -> None:
    with at(home, "2010-01-04T22:00:00Z") as wired:
        same = retrain.run(replace(OPEN, anyway=True), wired.ports)
        assert "trained on what is known now" in same.lines()[0]
        with pytest.raises(UnknownName):
            retrain.run(replace(OPEN, release="nobody"), wired.ports)
        with pytest.raises(InvalidRequest):
            retrain.run(replace(OPEN, release=answering(wired), horizon_sessions=5), wired.ports)
        with pytest.raises(MissingRecord):
            retrain.run(replace(OPEN, horizon_sessions=5), wired.ports)
    for wrong in ({"sessions": 0}, {"budget": timedelta()}, {"cool_down": -timedelta(1)}):
        with pytest.raises(InvalidRequest):
            retrain.RetrainConfig(**wrong)


def test_the_command(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(home))
    monkeypatch.setenv("BELLWETHER_CLOCK", "2010-07-01T22:00:00Z")
    with at(home, "2010-07-01T22:00:00Z"):
        pass
    ask = CliRunner().invoke
    held = ask(app, ["retrain", "--json"])
    assert held.exit_code == 0
    assert json.loads(held.stdout)["action"] == "blocked"
    done = ask(app, ["retrain", "--cool-down-days", "0", "--skill", "require"])
    assert done.exit_code == 3, done.output
    assert "The old one answers on." in done.stdout
    assert ask(app, ["retrain", "nobody"]).exit_code == 2
    assert ask(app, ["retrain", "--sessions", "0"]).exit_code == 2
