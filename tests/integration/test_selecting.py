"""Choosing features, what moved a model, and paths: through the doors of training."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import SourceQuery, quiet
from bellwether.evaluation.purged import paths as all_paths
from bellwether.models.packed import PackedModel
from bellwether.pipelines import ingest, moved, paths, train
from bellwether.pipelines.dataset import build
from bellwether.settings import Settings

ASKED = train.TrainConfig(
    model="ridge", against=(), each=False, symbols=("AAPL", "IBM"), test_sessions=1200
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("selecting")


@pytest.fixture(scope="module")
def wired(home: Path) -> Iterator[Wired]:
    found = bootstrap(Settings(home=home))
    with pytest.raises(MissingRecord, match="bellwether train"):
        moved.of_release(None, found.ports)
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("AAPL", "IBM"))), found.ports)
    yield found
    found.close()


def test_a_release_says_what_was_chosen_in_which_fold(wired: Wired) -> None:
    ports = wired.ports
    before = len(ports.ledger.trials("open_to_open h=1"))
    done = train.run(replace(ASKED, select="ic:5"), ports)
    release = ports.releases.load(done.outcome["releases"]["panel"])
    told = release.manifest["selection"]

    assert set(told["chosen"]) == {"fold-0", "fold-1", "fold-2", "all"}
    assert all(len(names) == 5 for names in told["chosen"].values())
    assert release.manifest["chosen"] == told["chosen"]["all"]
    assert "ridge_all_features" in done.outcome["table"]
    # the model with all features was tried too, and is counted as what it is
    assert len(ports.ledger.trials("open_to_open h=1")) == before + 2
    plain = train.run(ASKED, ports)
    assert len({r.configuration for r in ports.ledger.trials("open_to_open h=1")}) == before + 2
    whole, beside = plain.outcome["table"]["ridge"], done.outcome["table"]["ridge_all_features"]
    assert whole == beside
    assert train.run(replace(ASKED, select="ic:5"), ports).reused


def test_a_release_reads_what_was_chosen_and_no_more(wired: Wired) -> None:
    done = train.run(replace(ASKED, select="ic:5"), wired.ports)
    release = wired.ports.releases.load(done.outcome["releases"]["panel"])
    columns, chosen = release.manifest["columns"], release.manifest["chosen"]
    golden = np.load(io.BytesIO(release.files["golden.npz"]))
    blind = golden["X"].copy()
    blind[:, [i for i, name in enumerate(columns) if name not in chosen]] = np.nan

    said = PackedModel(release.files["model.onnx"]).predict(blind)

    assert said.log_return.tobytes() == golden["log_return"].tobytes()


def test_what_moved_a_release_is_told(
    wired: Wired, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = wired.ports
    done = train.run(replace(ASKED, select="ic:5"), ports)
    release_id = done.outcome["releases"]["panel"]
    found = moved.of_release(release_id, ports)
    told = found["selection"]["chosen"]
    features = found["importance"]["features"]
    unread = [n for n in features if all(n not in told[f"fold-{i}"] for i in range(3))]

    assert found["importance"]["folds"][0]["dates"] > 100
    assert unread
    assert all(features[n]["r2_lost"] == 0.0 for n in unread)
    with pytest.raises(UnknownName):
        moved.of_release("r0", ports)
    monkeypatch.setenv("BELLWETHER_HOME", str(home))
    shown = CliRunner().invoke(app, ["features", "importance", release_id])
    assert shown.exit_code == 0
    assert "Chosen inside each of 3 training sets by ic (the best 5)" in shown.stdout
    assert "what moved it" in shown.stdout
    as_json = CliRunner().invoke(app, ["features", "importance", "--json"])
    assert json.loads(as_json.stdout)["model"] == "ridge"


def test_what_is_read_of_later_rows_changes_no_earlier_choice(wired: Wired) -> None:
    """The lake as it stood years ago chooses in its folds what it chooses there today."""
    asked = replace(ASKED, select="mi:4")
    told = train.run(asked, wired.ports).outcome["selection"]["chosen"]
    longer = replace(asked, test_sessions=600)
    halves = train.run(longer, wired.ports).outcome["selection"]["chosen"]

    assert [halves["fold-0"], halves["fold-2"]] == [told["fold-0"], told["fold-1"]]
    assert halves["all"] == told["all"]


def test_generated_features_are_chosen_so_too(wired: Wired) -> None:
    done = train.run(replace(ASKED, select="mi:3", generate=10), wired.ports)

    assert [len(names) for names in done.outcome["generated"]["chosen"]] == [3, 3, 3]


def test_a_rolling_window_and_an_embargo_are_walked(wired: Wired) -> None:
    asked = replace(ASKED, window_sessions=600, embargo_sessions=10)
    done = train.run(asked, wired.ports)
    release = wired.ports.releases.load(done.outcome["releases"]["panel"])

    assert release.manifest["trained_on"]["rows"] == 1200
    assert release.manifest["question"]["embargo_sessions"] == 10
    plain = train.run(ASKED, wired.ports).outcome["table"]["ridge"]
    assert done.outcome["table"]["ridge"]["r2_oos"] != plain["r2_oos"]


@pytest.mark.parametrize(
    "bad",
    [{"select": "luck"}, {"select": "mi:0"}, {"select": "ic", "search": "random"}],
)
def test_what_cannot_be_asked(wired: Wired, bad: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        train.run(replace(ASKED, **bad), wired.ports)  # type: ignore[arg-type]


def test_paths_spread_and_are_no_score(wired: Wired) -> None:
    ports = wired.ports
    config = paths.PathsConfig(ASKED, n_folds=4, n_tested=2)
    train.run(ASKED, ports)
    configurations = len({r.configuration for r in ports.ledger.trials("open_to_open h=1")})
    report = paths.run(config, ports)
    again = paths.run(config, ports)

    assert (report.splits, report.paths) == (6, 3)
    assert report == again
    accuracy = report.spreads["ridge"]["directional_accuracy"]
    assert accuracy is not None
    assert len(set(accuracy.values)) == 3
    steady = report.spreads["always_up"]["sharpe"]  # says the same on every history
    assert steady is not None
    assert len(set(steady.values)) == 1
    rows = [r for r in ports.ledger.trials("open_to_open h=1") if r.kind == "paths"]
    assert [(r.model, r.returns) for r in rows] == [("ridge", None)]
    assert "sharpe" not in json.loads(rows[0].metrics)
    after = len({r.configuration for r in ports.ledger.trials("open_to_open h=1")})
    assert after == configurations  # the same model was tried by training
    assert config.embargo(3208) == 33
    none = paths.run(replace(config, embargo_dates=0), ports)
    assert none.spreads["ridge"]["directional_accuracy"] != accuracy
    assert "trains on the future" in report.lines()[-1]


def test_each_path_holds_every_row_once_and_each_forecast_is_used_once(wired: Wired) -> None:
    ports = wired.ports
    _, watermark, symbols = train.question_of(ASKED, ports)
    from bellwether.features.views import view

    data = build(symbols, view("technical"), 1, watermark, ports)
    config = paths.PathsConfig(ASKED, n_folds=4, n_tested=2)
    records, splits = paths.walked_paths(config, data, ("ridge", "always_up"), quiet)

    assert splits == 6
    keys = ["symbol", "decision_at"]
    whole = data.rows.select(keys).sort("decision_at", "symbol")
    for record in records:
        assert record.select(keys).sort("decision_at", "symbol").equals(whole)
    pairs = {(fold, int(row[fold])) for row in all_paths(4, 2) for fold in range(4)}
    assert len(pairs) == 12
    first = pl.concat([r.filter(pl.col("fold") == 0).head(1) for r in records])
    assert first["forecast_ridge"].n_unique() == 3


@pytest.mark.parametrize("cut", [(1, 1), (4, 4), (4, 0), (60, 30)])
def test_cuts_that_do_not_go(wired: Wired, cut: tuple[int, int]) -> None:
    with pytest.raises(InvalidRequest):
        paths.run(paths.PathsConfig(ASKED, *cut), wired.ports)


def test_paths_on_the_command_line(
    wired: Wired, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(home))
    monkeypatch.setenv("BELLWETHER_WORKERS", "1")
    asked = ["evaluate", "paths", "--model", "ridge", "--symbols", "AAPL,IBM", "--folds", "3"]
    told = CliRunner().invoke(app, [*asked, "--tested", "1", "--json"])
    shown = CliRunner().invoke(app, [*asked, "--tested", "3"])

    assert told.exit_code == 0
    assert json.loads(told.stdout)["paths"] == 1
    assert shown.exit_code == 2
    del wired
