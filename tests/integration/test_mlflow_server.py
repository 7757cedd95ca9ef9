"""Runs in MLflow: each once and whole, on a file and on a server, whatever is killed meanwhile."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uuid_utils
from mlflow import MlflowClient
from tests.object_servers import Mlflow, failing_server
from tests.servers import free_port

from bellwether.bootstrap import Wired, bootstrap
from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.ports import ReleaseRow, RunRow
from bellwether.core.types import ReleaseFiles
from bellwether.pipelines import mirror as use
from bellwether.registry.mlflow_mirror import CLAIM_TAG, RUN_TAG, MlflowMirror
from bellwether.settings import Settings, child_environment

BEGUN = datetime(2024, 1, 10, 21, tzinfo=UTC)
SYMBOLS = [f"SYM{i}" for i in range(2500)]
TABLE = {f"model{i}": {"brier": i / 7, "sharpe": -i / 3} for i in range(600)}
OUTCOME = {"reading": "No skill.", "table": TABLE, "^GSPC": {"nothing": float("nan")}}
MODEL = bytes(range(256)) * 2000
PATIENCE_S = 3.0

CHILD = '''
import signal, sys
from datetime import datetime
from pathlib import Path
from bellwether.core.ports import RunRow
from bellwether.core.types import ReleaseFiles
from bellwether.registry.mlflow_mirror import MlflowMirror

uri, artifacts, stop, run_id, release_id = sys.argv[1:6]
told = sys.argv[6:]


class Stopping:
    """Stands still for ever when `stop` is read from it."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        if name == stop:
            print("there", flush=True)
            signal.pause()
        return getattr(self._real, name)


begun, done = map(datetime.fromisoformat, told[:2])
run = Stopping(RunRow(run_id, "key", begun, done, begun, told[2], Path(told[3]).read_text()))
model = bytes(range(256)) * 2000
files = {"model.onnx": model, "card.md": b"# card"}
release = ReleaseFiles(release_id, {"scope": "panel", "model": "linear"}, files)
MlflowMirror(uri, artifacts).mirror(run, [Stopping(release)])
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(params=["file", "server"])
def tracker(request: pytest.FixtureRequest, folder: Path) -> MlflowMirror:
    if request.param == "file":
        return MlflowMirror(f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts"))
    return MlflowMirror(request.getfixturevalue("mlflow_server").url, str(folder / "unused"))


def a_run(**changed: Any) -> RunRow:
    row = RunRow(
        run_id=str(uuid_utils.uuid7()),
        key="key",
        started_at=BEGUN,
        finished_at=BEGUN + timedelta(seconds=90),
        watermark=BEGUN,
        config=json.dumps({"model": "linear", "seed": 0, "symbols": SYMBOLS}),
        outcome=json.dumps(OUTCOME),
    )
    return replace(row, **changed)


def a_release() -> ReleaseFiles:
    release_id = "r" + uuid_utils.uuid4().hex[:20]
    manifest: dict[str, object] = {"scope": "panel", "model": "linear"}
    return ReleaseFiles(release_id, manifest, {"model.onnx": MODEL, "card.md": b"# card"})


def client(uri: str) -> MlflowClient:
    return MlflowClient(uri, uri)


def seen(uri: str, run: RunRow) -> list[Any]:
    """Every run of MLflow that stands for a run of ours."""
    experiment = client(uri).get_experiment_by_name("bellwether")
    if experiment is None:
        return []
    wanted = f"tags.`{RUN_TAG}` = '{run.run_id}'"
    return list(client(uri).search_runs([experiment.experiment_id], wanted))


def versions(uri: str, release: ReleaseFiles) -> list[Any]:
    wanted = f"tags.`bellwether.release_id` = '{release.release_id}'"
    return list(client(uri).search_model_versions(wanted))


def whole(uri: str, run: RunRow, release: ReleaseFiles, folder: Path) -> str:
    """Check that a run is there once, with all that belongs to it; return MLflow's id of it."""
    (found,) = seen(uri, run)
    run_id = str(found.info.run_id)
    numbers = {f"table.{m}.{n}": v for m, row in TABLE.items() for n, v in row.items()}
    kept = {k: v for k, v in found.data.metrics.items() if k in numbers}
    asked = found.data.params
    places = {f"{release.release_id}/{n}" for n in ("manifest.json", "model.onnx", "card.md")}
    listed = {f.path for f in client(uri).list_artifacts(run_id, release.release_id)}
    got = client(uri).download_artifacts(run_id, f"{release.release_id}/model.onnx", str(folder))
    (version,) = versions(uri, release)

    assert found.info.status == "FINISHED"
    assert kept == numbers
    assert len(found.data.metrics) == len(numbers) + 1
    for name in ("table.model1.brier", "table.model599.sharpe", "-5e-GSPC.nothing"):
        assert len(client(uri).get_metric_history(run_id, name)) == 1
    assert (
        json.loads("".join(asked[n] for n in sorted(asked) if n.startswith("symbols"))) == SYMBOLS
    )
    assert found.data.tags["bellwether.releases"] == release.release_id
    assert listed == places
    assert Path(got).read_bytes() == MODEL
    assert (version.name, version.run_id) == ("bellwether-panel-linear", run_id)
    assert version.source.endswith(f"/{run_id}/artifacts/{release.release_id}")
    return run_id


def test_a_run_is_mirrored_whole_and_again_changes_nothing(
    tracker: MlflowMirror, folder: Path, tmp_path: Path
) -> None:
    run, release = a_run(), a_release()

    tracker.mirror(run, [release])
    first = whole(tracker.uri, run, release, tmp_path)
    tracker.mirror(run, [release])

    assert whole(tracker.uri, run, release, tmp_path) == first
    assert not (folder / "unused").exists()


def test_a_release_of_two_runs_is_one_version(tracker: MlflowMirror) -> None:
    release = a_release()

    for _ in range(2):
        tracker.mirror(a_run(), [release])

    assert len(versions(tracker.uri, release)) == 1


@pytest.mark.parametrize(
    ("tracker", "stop"),
    [
        ("file", "manifest"),
        ("server", "outcome"),
        ("server", "manifest"),
        ("server", "finished_at"),
    ],
    indirect=["tracker"],
)
def test_a_mirror_that_was_killed_is_completed(
    tracker: MlflowMirror, folder: Path, tmp_path: Path, stop: str
) -> None:
    run, release = a_run(), a_release()
    outcome = tmp_path / "outcome"
    outcome.write_text(run.outcome)
    places = [tracker.uri, str(folder / "artifacts"), stop, run.run_id, release.release_id]
    times = [run.started_at.isoformat(), run.finished_at.isoformat()]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *places, *times, run.config, str(outcome)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "there\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    (half,) = seen(tracker.uri, run)

    tracker.mirror(run, [release])

    assert half.info.status == "RUNNING"
    assert whole(tracker.uri, run, release, tmp_path) == half.info.run_id


def test_mirrors_at_once_leave_one_run(tracker: MlflowMirror, tmp_path: Path) -> None:
    run, release = a_run(), a_release()
    start, raised = threading.Barrier(4), list[Exception]()

    def push() -> None:
        mine = MlflowMirror(tracker.uri, str(tmp_path))
        start.wait()
        try:
            mine.mirror(run, [release])
        except StorageError as error:  # the other took the run over in the middle
            raised.append(error)

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tracker.mirror(run, [release])

    assert len(raised) < 4
    whole(tracker.uri, run, release, tmp_path)


def test_of_two_runs_for_one_the_senior_is_kept(tracker: MlflowMirror, tmp_path: Path) -> None:
    run, release = a_run(), a_release()
    tracker.mirror(a_run(), [])
    (experiment,) = client(tracker.uri).search_experiments(filter_string="name = 'bellwether'")
    made = {
        claim: client(tracker.uri).create_run(
            experiment.experiment_id, tags={RUN_TAG: run.run_id, CLAIM_TAG: claim}
        )
        for claim in ("2", "1", "3")
    }

    tracker.mirror(run, [release])

    assert whole(tracker.uri, run, release, tmp_path) == made["1"].info.run_id


# what follows is about servers


@pytest.fixture
def wired(mlflow_server: Mlflow, tmp_path: Path) -> Iterator[Wired]:
    built = bootstrap(Settings(home=tmp_path, mlflow_uri=mlflow_server.url))
    yield built
    built.close()


def train_something(wired: Wired) -> RunRow:
    """Put a run with a release into the ledger, as training does."""
    run = a_run()
    release = wired.ports.releases.save({"card.md": run.run_id.encode()}, {"scope": "panel"})
    row = ReleaseRow(release, run.run_id, BEGUN, "linear", "panel", 1, ("ABC",))
    wired.ports.ledger.record_run(run, [row])
    return run


def test_runs_wait_while_the_server_is_frozen_and_follow_when_it_is_back(
    wired: Wired, mlflow_server: Mlflow
) -> None:
    runs = [train_something(wired) for _ in range(3)]
    mlflow_server.pause()
    try:
        begun = time.monotonic()
        away = use.run(wired.ports)
        took_s = time.monotonic() - begun
    finally:
        mlflow_server.resume()
    waiting = wired.ports.ledger.runs(unmirrored=True)

    back = use.run(wired.ports)

    assert took_s < PATIENCE_S
    assert (away.mirrored, away.waiting) == ((), 3)
    assert "mlflow" in str(away.why)
    assert {row.run_id for row in waiting} == {row.run_id for row in runs}
    assert set(back.mirrored) == {row.run_id for row in runs}
    assert (back.waiting, back.why, back.notes()) == (0, None, ())
    assert wired.ports.ledger.runs(unmirrored=True) == []
    assert use.run(wired.ports).mirrored == ()


def test_a_run_whose_release_is_spoiled_does_not_hold_up_the_others(
    wired: Wired, tmp_path: Path
) -> None:
    refused = train_something(wired)
    (release,) = wired.ports.releases.ids()
    (tmp_path / "releases" / release / "card.md").write_text("another")
    fine = train_something(wired)

    report = use.run(wired.ports)

    assert report.mirrored == (fine.run_id,)
    assert report.waiting == 1
    assert refused.run_id in str(report.why)


def test_the_command_says_how_many_wait(
    wired: Wired, mlflow_server: Mlflow, tmp_path: Path
) -> None:
    run = train_something(wired)

    def mirror(uri: str) -> tuple[int, dict[str, Any]]:
        told = {"BELLWETHER_HOME": str(tmp_path), "BELLWETHER_MLFLOW_URI": uri}
        command = [sys.executable, "-m", "bellwether", "mirror", "--json"]
        done = subprocess.run(
            command, env=child_environment(told), capture_output=True, text=True, check=False
        )
        return done.returncode, json.loads(done.stdout)

    away = mirror(f"http://127.0.0.1:{free_port()}")
    back = mirror(mlflow_server.url)

    assert away[0] == 1
    assert (away[1]["mirrored"], away[1]["waiting"]) == ([], 1)
    assert "does not answer" in away[1]["why"]
    assert back == (0, {"mirrored": [run.run_id], "waiting": 0, "why": None})


def test_the_server_dies_in_the_middle_and_the_run_is_completed_later(
    mlflow_server: Mlflow, tmp_path: Path
) -> None:
    run, release = a_run(), a_release()
    reached, go_on, raised = threading.Event(), threading.Event(), list[Exception]()

    class Stopping:
        def __getattr__(self, name: str) -> Any:
            if name == "config" and not go_on.is_set():
                reached.set()
                go_on.wait(60)
            return getattr(run, name)

    def push() -> None:
        try:
            MlflowMirror(mlflow_server.url, "").mirror(Stopping(), [release])  # type: ignore[arg-type]
        except StorageError as error:
            raised.append(error)

    pushing = threading.Thread(target=push)
    pushing.start()
    assert reached.wait(60)
    mlflow_server.kill()
    try:
        go_on.set()
        pushing.join(60)
        with pytest.raises(Unavailable):
            MlflowMirror(mlflow_server.url, "").ping()
    finally:
        mlflow_server.start()
    (half,) = seen(mlflow_server.url, run)

    MlflowMirror(mlflow_server.url, "").mirror(run, [release])

    assert [type(error) for error in raised] == [Unavailable]
    assert half.info.status == "RUNNING"
    assert whole(mlflow_server.url, run, release, tmp_path) == half.info.run_id


@pytest.mark.parametrize("how", ["refused", "reset", "close", "silent", "junk", "500", "503"])
def test_a_server_that_is_away_is_told_soon_and_without_its_password(how: str) -> None:
    def attempt(address: str) -> None:
        tracker = MlflowMirror(address.replace("http://", "http://user:hidden@"), "")
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="answer") as raised:
            tracker.mirror(a_run(), [])
        assert time.monotonic() - begun < PATIENCE_S
        assert raised.value.store == "mlflow"
        assert "hidden" not in str(raised.value)
        with pytest.raises(Unavailable):
            tracker.ping()

    if how == "refused":
        attempt(f"http://127.0.0.1:{free_port()}")
        return
    with failing_server(how) as address:
        attempt(address)


def test_a_server_that_refuses_us_is_there() -> None:
    with failing_server("403") as address:
        tracker = MlflowMirror(address.replace("http://", "http://user:hidden@"), "")
        tracker.ping()
        with pytest.raises(StorageError, match="403") as raised:
            tracker.mirror(a_run(), [])

    assert not isinstance(raised.value, Unavailable)
    assert "hidden" not in str(raised.value)


def test_a_file_is_never_away(tmp_path: Path) -> None:
    tracker = MlflowMirror(f"sqlite:///{tmp_path}/none.db", "")

    tracker.ping()

    assert not tracker.remote
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database" * 100)

    with pytest.raises(StorageError, match="not a database"):
        MlflowMirror(f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path)).mirror(a_run(), [])
