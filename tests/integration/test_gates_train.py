"""Training asks the gates: what is refused does not answer, and nobody calls it skilled."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import MissingRecord
from bellwether.core.ports import SourceQuery
from bellwether.evaluation.gate_policy import GATES, SKILL, Policy
from bellwether.inference.catalogue import read
from bellwether.pipelines import ingest, materialize, train
from bellwether.settings import Settings

SHORT = train.TrainConfig(
    symbols=("AAPL", "IBM"), model="linear", against=(), each=False, test_sessions=1000
)
WORDS = ("train", "--symbols", "AAPL,IBM", "--model", "linear", "--against", "", "--no-each")


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


def test_the_story_of_a_refusal(ask: Any, wired: Wired, home: Path) -> None:
    refused = ask(*WORDS, "--skill", "require", "--json")
    told = json.loads(refused.stdout)
    (stand,) = told["standings"]
    assert refused.exit_code == 3
    assert (stand["state"], stand["skill_shown"]) == ("refused", False)
    assert {v["gate"] for v in stand["report"]["verdicts"]} == set(GATES)
    assert all(v["passes_when"] for v in stand["report"]["verdicts"] if v["state"] == "failed")
    release = stand["release_id"]
    with pytest.raises(MissingRecord, match="refused"):
        read(wired.ports).release_for("IBM", 1)
    assert wired.ports.releases.load(release).files  # kept, with all that was found
    listed = json.loads(ask("releases", "--json").stdout)
    assert [(r["release_id"], r["state"]) for r in listed] == [(release, "refused")]
    assert "refused" in ask("releases").stdout

    client = MlflowClient(Settings(home=home).mlflow)
    assert client.search_registered_models() == []
    assert client.search_runs([e.experiment_id for e in client.search_experiments()])

    again = ask(*WORDS, "--skill", "require")
    assert again.exit_code == 3
    assert "was answered before" in again.stdout
    assert len(wired.ports.ledger.standings(release)) == 1

    loose = ask(*WORDS, "--skill", "report")
    (newest,) = wired.ports.ledger.standings()
    assert not set(json.loads(newest.report)["refusing"]) & set(SKILL)
    assert loose.exit_code == (3 if newest.state == "refused" else 0)
    assert "no skill is shown" in loose.stdout


def test_without_a_policy_gates_tell_and_every_answer_says_it(ask: Any, wired: Wired) -> None:
    done = ask(*WORDS, "--seed", "5")
    assert done.exit_code == 0, done.output
    assert "No policy is declared" in done.stdout
    materialize.run(wired.ports)
    told = json.loads(ask("predict", "IBM", "--json").stdout)
    assert told["skill"]["shown"] is False
    newest = wired.ports.ledger.standings(told["release"])[-1]
    failing = json.loads(newest.report)["refusing"]
    assert [d for d in told["degraded"] if d.startswith("failed_gate_")] == [
        f"failed_gate_{gate}" for gate in failing
    ]
    assert not newest.skill_shown
    row = next(r for r in json.loads(ask("releases", "--json").stdout) if r["state"] == "admitted")
    assert (row["release_id"], row["skill_shown"]) == (told["release"], False)


def test_keeping_a_verdict_later_takes_a_release_out(ask: Any, wired: Wired) -> None:
    train.run(replace(SHORT, seed=6), wired.ports)
    release = read(wired.ports).release_for("IBM", 1).release_id
    told = ask("gates", "check", release, "--skill", "require")
    assert told.exit_code == 3
    assert read(wired.ports).release_for("IBM", 1).release_id == release
    assert ask("gates", "check", release, "--skill", "require", "--keep").exit_code == 3
    assert (release, "refused") in {(s.release_id, s.state) for s in wired.ports.ledger.standings()}
    assert release not in read(wired.ports).releases
    assert ask("gates", "check", release, "--skill", "report", "--keep").exit_code in {0, 3}


def test_a_policy_of_ones_own_and_one_of_the_settings(
    ask: Any, wired: Wired, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text('skill = "report"\noff = ["bias", "calibration", "too_good", "budget"]\n')
    done = ask(*WORDS, "--seed", "7", "--policy", str(path), "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert told["standings"][0]["state"] == "admitted"
    assert told["standings"][0]["report"]["off"] == ["bias", "calibration", "too_good", "budget"]
    path.write_text('skill = "require"\n')
    monkeypatch.setenv("BELLWETHER_POLICY", str(path))
    n = len(wired.ports.ledger.releases())
    assert ask(*WORDS, "--seed", "8").exit_code == 3
    assert len(wired.ports.ledger.releases()) == n + 1
    path.write_text("skil = 1\n")
    assert ask(*WORDS, "--seed", "9").exit_code == 2
    assert len(wired.ports.ledger.releases()) == n + 1
    assert ask(*WORDS, "--skill", "perhaps").exit_code == 2


def test_a_quality_gate_that_was_overridden_is_not_asked() -> None:
    asked = replace(SHORT, policy=Policy(), ignore_quality=True).asked
    assert asked is not None
    assert asked.off == ("data_quality",)
    assert replace(SHORT, ignore_quality=True).asked is None
