"""Releases of different views side by side: trained, materialised, answered, replayed, refused."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.served import served
from typer.testing import CliRunner

from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import AuditRow, Ports, ReleaseRow, RunRow, SourceQuery
from bellwether.core.types import Prediction, PredictionRequest
from bellwether.features.views import Kept, view
from bellwether.inference.service import PredictionService
from bellwether.pipelines import ingest, materialize, replay, train
from bellwether.pipelines.dataset import build
from bellwether.pipelines.views_read import views_read
from bellwether.settings import Settings

SYMBOLS = ("AAPL", "FB", "IBM", "MSFT")
BOTH, ACROSS = view("technical+returns"), view("ranges+section")


def asked(horizon: int, name: str, universe: str | None = None) -> train.TrainConfig:
    return train.TrainConfig(
        model="linear",
        against=(),
        each=False,
        test_sessions=2000,
        horizon_sessions=horizon,
        view=name,
        universe=universe,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("views")


@pytest.fixture(scope="module")
def trained(home: Path) -> Iterator[Ports]:
    """Three releases: of `technical`, of two views, and of one that looks across a universe."""
    wired = bootstrap(Settings(home=home))
    ports = wired.ports
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=SYMBOLS)), ports)
    spells = home / "three.csv"
    spells.write_text(
        "ticker,start_date,last\nAAPL,2000-01-03,2006-12-29\nIBM,2000-01-03,\nMSFT,2000-01-03,\n"
    )
    query = SourceQuery(path=str(spells), label="three")
    ingest.run(ingest.IngestConfig("universe", query), ports)
    watermark, now = ports.lake.watermark(), datetime.now(UTC)
    for name, horizon in (
        (view("technical").version, 1),
        (BOTH.version, 2),
        (f"{ACROSS.version}+three", 3),
    ):
        audited = AuditRow(name, f"{name} h={horizon}", now, watermark, "green", "{}")
        ports.ledger.record_audit(audited)  # audits are tested elsewhere
    train.run(asked(1, "technical"), ports)
    train.run(asked(2, "returns+technical"), ports)
    train.run(asked(3, "ranges+section", "three"), ports)
    yield ports
    wired.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Two symbols, for what is trained by the way."""
    wired = bootstrap(Settings(home=tmp_path_factory.mktemp("pair")))
    query = SourceQuery(symbols=("IBM", "MSFT"))
    ingest.run(ingest.IngestConfig("sample", query), wired.ports)
    yield wired.ports
    wired.close()


def told(service: PredictionService, symbol: str, horizon: int) -> Prediction:
    return asyncio.run(service.answer(PredictionRequest(symbol, horizon, explain=True)))


def test_what_looks_across_symbols_is_never_made_of_one(trained: Ports) -> None:
    """Before anything is materialised: one symbol's bars tell its own features, not its rank."""
    service = PredictionService(trained)

    assert "features_computed_on_request" in told(service, "IBM", 2).degraded
    with pytest.raises(MissingRecord, match=r"looks across symbols.*bellwether features materiali"):
        told(service, "IBM", 3)


def test_every_view_that_a_release_reads_is_materialised(trained: Ports) -> None:
    names = [v.version for v in (view("technical"), BOTH)] + [f"{ACROSS.version}+three"]

    first = materialize.run(trained)
    again = materialize.run(trained)

    assert sorted(k.name for k in views_read(trained)) == sorted(names)
    assert [first.view, *sorted(r.view for r in first.others)] == [names[0], *sorted(names[1:])]
    assert [r.rows for r in (first, *first.others)] == [first.rows] * 3
    assert (again.rows, [r.rows for r in again.others]) == (0, [0, 0])
    assert sum("Computed" in line for line in first.lines()) == 3
    for name in names:
        assert trained.online.held("MSFT", name) is not None


def test_each_release_is_answered_and_replayed_with_its_own_view(trained: Ports) -> None:
    materialize.run(trained)
    service = PredictionService(trained)

    found = {h: told(service, "IBM", h) for h in (1, 2, 3)}

    for horizon, one in ((1, view("technical")), (2, BOTH), (3, ACROSS)):
        p = found[horizon]
        assert tuple(p.features) == one.model_columns
        assert p.feature_ages_sessions == {one.name: 0}
        assert p.explanation is not None
        assert set(p.explanation) == {"base", *one.model_columns}
        assert p.interval is not None
        assert service.prediction(p.prediction_id)["features"] is not None
    assert found[1].features.items() <= found[2].features.items()
    assert found[3].features["beta_60"] is not None
    assert found[3].features["sector_relative_1"] is None  # the lake knows no sectors
    logged = [trained.log.get(p.prediction_id) for p in found.values()]
    assert [p.view for p in logged if p] == [
        *(v.version for v in (view("technical"), BOTH)), f"{ACROSS.version}+three"
    ]  # fmt: skip
    report = replay.run(trained, [p.prediction_id for p in found.values()])
    assert (report.equal, report.mismatches) == (3, ())


def test_one_that_left_the_universe_is_told_to_be_outside(trained: Ports) -> None:
    materialize.run(trained)
    service = PredictionService(trained)

    gone, member = told(service, "AAPL", 3), told(service, "MSFT", 3)

    assert "outside_the_section_of_its_session" in gone.degraded
    assert gone.features["rank_return_1"] is None
    assert gone.features["market_return_1"] == member.features["market_return_1"]
    assert "outside_the_section_of_its_session" not in member.degraded
    with pytest.raises(MissingRecord, match="FB at a horizon of 3"):
        told(service, "FB", 3)  # no member ever: the release does not cover it


def test_training_across_symbols_reads_what_serving_stores(trained: Ports) -> None:
    materialize.run(trained)
    read = Kept(ACROSS, "three")
    built = trained.ledger.newest_materialisation(read.name)
    assert built is not None
    watermark = built.watermark  # of the universe, which was told after the bars

    data = build(["IBM"], ACROSS, 1, watermark, trained, universe="three")

    stored = trained.features.history("IBM", read.name, watermark)
    served_rows = {
        day: np.frombuffer(values, dtype="<f8")[list(ACROSS.model_positions)].astype(np.float32)
        for day, values in zip(stored["session"], stored["values"], strict=True)
    }
    pairs = list(zip(data.rows["session"], data.X, strict=True))
    assert len(pairs) > 2500
    assert all(row.tobytes() == served_rows[day].tobytes() for day, row in pairs)
    alone = build(["IBM"], ACROSS, 1, watermark, trained)  # across all of the lake
    assert alone.X.tobytes() != data.X.tobytes()
    with pytest.raises(UnknownName, match="nobody"):
        build(["IBM"], ACROSS, 1, watermark, trained, universe="nobody")


def test_a_view_without_a_volatility_has_intervals_of_one_width(pair: Ports) -> None:
    """Nor has it a return of 20 sessions, which the baseline reads all the same."""
    report = train.run(asked(1, "calendar"), pair)
    found = told(PredictionService(pair), "IBM", 1)

    assert report.outcome["table"]["momentum"]["coverage_of_calls"] > 0.9
    assert found.interval is not None
    assert tuple(found.features) == view("calendar").model_columns
    with pytest.raises(InvalidRequest, match="momentum reads return_20"):
        train.run(replace(asked(1, "calendar"), model="momentum"), pair)


def test_a_release_of_another_view_is_passed_over_with_the_reason(trained: Ports) -> None:
    newest = trained.ledger.releases()[0]
    held = trained.releases.load(newest.release_id)
    files = {k: v for k, v in held.files.items() if k != "manifest.json"}
    now = datetime.now(UTC)
    for version, words in (
        ("technical@000000000000", "this version computes technical@b24ca340109f"),
        ("nosuch@000000000000", "which this version does not compute"),
    ):
        plain = {k: v for k, v in held.manifest.items() if k != "files"} | {"view": version}
        made = trained.releases.save(files, plain | {"section": None})
        question = json.dumps({"view": version})
        run = RunRow(version, version, now, now, now, question, "{}", mirrored=True)
        row = ReleaseRow(made, version, now, "linear", "panel", 3, ("IBM",))
        trained.ledger.record_run(run, [row])

        catalogue = PredictionService(trained).catalogue

        assert any(made in fault and words in fault for fault in catalogue.faults)
        assert catalogue.answering["IBM", 3] != made


def test_the_feature_store_tells_of_all_views(trained: Ports) -> None:
    materialize.run(trained)
    service = PredictionService(trained)
    names = {view("technical").version, BOTH.version, f"{ACROSS.version}+three"}

    with served(service) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        stats = client.get("/feature-store/stats").json()
        entries = client.get("/feature-store/metadata/ibm").json()
        usual = client.get("/feature-store/features/IBM").json()
        other = client.get("/feature-store/features/IBM?view=technical%2Breturns").json()
        spaced = client.get("/feature-store/features/IBM?view=technical+returns").json()
        refused = [
            client.get(f"/feature-store/features/IBM?view={name}")
            for name in ("nosuch", "", "returns,returns", "a" * 300, "liquidity", "returns%2B")
        ]

    assert {v["version"] for v in stats["views"]} == names
    assert stats["view"]["version"] == view("technical").version
    assert {v["view"] for v in entries["views"]} == names
    assert names <= {v["view"] for v in entries["versions"] if v["current"]}
    assert entries["view"] == usual["view"] == view("technical").version
    assert other["view"] == spaced["view"] == BOTH.version
    assert tuple(other["features"]) == BOTH.model_columns
    assert [r.status_code for r in refused] == [404, 422, 404, 422, 404, 422]
    assert "bellwether train --view liquidity" in refused[4].text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "--view", "nosuch"), "no view 'nosuch'"),
        (("train", "--view", ""), "leaves a name out"),
        (("train", "--view", "returns+returns"), "more than once"),
        (("features", "audit", "--view", "nosuch"), "no view 'nosuch'"),
        (("features", "audit", "--view", "technical+"), "leaves a name out"),
        (("features", "audit", "--view", "returns", "--universe", "three"), "does not look across"),
        (("features", "audit", "--view", "section", "--universe", "nobody"), "no universe"),
        (("features", "audit", "--universe", "three"), "goes with a view"),
        (("features", "build", "technical+nosuch"), "no view 'nosuch'"),
        (("features", "show", "IBM", "--view", "nosuch"), "no view 'nosuch'"),
        (("features", "show", "IBM", "--universe", "three"), "does not look across"),
        (("features", "list", "--view", "returns+"), "leaves a name out"),
    ],
)
def test_a_bad_name_is_told_as_wrong_use(
    trained: Ports, home: Path, words: tuple[str, ...], said: str
) -> None:
    assert trained.lake.symbols()
    done = CliRunner().invoke(app, words, env={"BELLWETHER_HOME": str(home)})

    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())


def test_the_newest_features_of_any_view(trained: Ports) -> None:
    row = materialize.newest("AAPL", trained, "technical+section", "three")

    assert row["rank_return_1"] is None
    assert isinstance(row["market_return_1"], float)
    assert isinstance(row["sma_20"], float)
    with pytest.raises(InvalidRequest, match="universe"):
        materialize.newest("AAPL", trained, "returns", "three")
    with pytest.raises(UnknownName, match="nobody"):
        materialize.newest("AAPL", trained, "section", "nobody")


def test_generated_features_are_made_of_the_view_that_is_read(pair: Ports) -> None:
    config = replace(asked(5, "section"), generate=40)

    report = train.run(config, pair)

    made = report.outcome["generated"]
    assert made["candidates"] == 40
    manifest = pair.releases.load(next(iter(report.outcome["releases"].values()))).manifest
    assert (manifest["view"], manifest["section"]) == (view("section").version, None)
    assert all("__" in name for names in made["chosen"] for name in names)
