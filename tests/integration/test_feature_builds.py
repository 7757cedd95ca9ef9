"""Views are built, described and compared through the doors that people use."""

import io
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.ports import FeatureBuild, LakeBatch, SourceQuery
from bellwether.features import describe
from bellwether.features.sketch import from_arrays
from bellwether.features.views import views
from bellwether.pipelines import build, diff, ingest, materialize, train
from bellwether.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Wired:
    built = bootstrap(Settings(home=tmp_path_factory.mktemp("home")))
    ingest.run(
        ingest.IngestConfig("sample", SourceQuery(symbols=("AAPL", "FB", "IBM"))), built.ports
    )
    return built


def test_every_view_is_built_once_with_a_sketch(wired: Wired) -> None:
    ports = wired.ports
    for name, view in views().items():
        first = build.run(build.BuildConfig(name), ports)
        again = build.run(build.BuildConfig(name), ports)

        assert (first.rows > 6000, again.rows) == (True, 0), name
        (noted,) = [b for b in ports.features.builds() if b.view == view.version]
        assert list(noted.formulas) == list(view.columns)
        sketch = from_arrays(dict(np.load(io.BytesIO(noted.sketch), allow_pickle=False)))
        assert sketch.names == view.columns
        assert sketch.rows.tolist() == [first.rows] * len(view.columns)
        vectors = ports.features.history("IBM", view.version, first.watermark)["values"]
        assert {len(v) for v in vectors} == {8 * len(view.columns)}
    assert materialize.run(ports).rows == 0  # it is the view `technical`, built above


def test_a_correction_shows_in_the_diff_and_where(wired: Wired) -> None:
    ports = wired.ports
    build.run(build.BuildConfig("returns"), ports)
    with pytest.raises(MissingRecord, match="a second build"):
        diff.run(ports, ["returns"], None, None)
    bars = ports.lake.bars(["IBM"])
    day = bars["session"][3000]
    told = bars.filter(pl.col("session") == day).drop("ingested_at", "revision")
    high = told.with_columns(
        pl.col("high") * 1.001,
        knowledge_time=pl.lit(ports.clock.now() - timedelta(days=9)).cast(
            told.schema["knowledge_time"]
        ),
        knowledge_basis=pl.lit("stated"),
    )
    ports.lake.append(LakeBatch(bars=high), ports.wall.now())
    build.run(build.BuildConfig("returns"), ports)

    report = diff.run(ports, ["returns"], None, None)

    assert (report.added, report.removed, report.redefined) == ((), (), {})
    assert (report.rows_added, report.rows_removed) == (0, 0)
    assert {c.feature for c in report.changes} <= {"year_high_distance", "range_place_20"}
    assert report.lines()
    for change in report.changes:
        assert change.first > day
        assert change.symbols == 1


def test_formulas_of_two_versions_are_compared(wired: Wired) -> None:
    ports = wired.ports
    build.run(build.BuildConfig("calendar"), ports)
    (old,) = [b for b in ports.features.builds() if b.view.startswith("calendar@")][-1:]
    formulas = {"weekday": "other", "gone": "close"}
    ports.features.note(FeatureBuild("calendar@old", old.watermark, formulas, b""))

    report = diff.run(ports, ["calendar@old", old.view], None, None)

    assert report.removed == ("gone",)
    assert report.redefined == {"weekday": ("other", "(weekday + 0)")}
    assert len(report.added) == 15
    with pytest.raises(MissingRecord):
        diff.run(ports, ["calendar@old", "calendar@none"], None, None)
    with pytest.raises(MissingRecord):
        diff.run(ports, ["calendar"], old.watermark - timedelta(days=1), None)
    with pytest.raises(InvalidRequest):
        diff.run(ports, ["a", "b", "c"], None, None)


def test_generated_features_are_tried_inside_folds(tmp_path: Path) -> None:
    wired = bootstrap(Settings(home=tmp_path / "home"))
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("IBM",))), wired.ports)
    config = train.TrainConfig(
        symbols=("IBM",), model="linear", against=(), each=False, test_sessions=1500, generate=25
    )

    report = train.run(config, wired.ports)

    told = report.outcome["generated"]
    assert told["candidates"] == 25
    assert set(told["table"]) == {"without", "with"}
    assert told["table"]["without"]["n"] == report.outcome["rows"]
    assert all(len(names) <= 10 for names in told["chosen"])
    assert told["reading"] in report.lines()
    release = wired.ports.releases.load(next(iter(report.outcome["releases"].values())))
    assert "sketch.npz" in release.files
    shares = release.manifest["importance"]
    assert isinstance(shares, dict)
    assert abs(sum(shares.values()) - 1) < 1e-3
    with pytest.raises(InvalidRequest, match="generate"):
        train.run(train.TrainConfig(generate=0), wired.ports)


def test_what_cannot_be_built_is_refused(wired: Wired, tmp_path: Path) -> None:
    ports = wired.ports
    with pytest.raises(UnknownName):
        build.run(build.BuildConfig("weather"), ports)
    with pytest.raises(UnknownName):
        build.run(build.BuildConfig("section", universe="sp500"), ports)
    with pytest.raises(InvalidRequest, match="does not look across"):
        build.run(build.BuildConfig("returns", universe="sp500"), ports)
    empty = bootstrap(Settings(home=tmp_path / "home"))
    with pytest.raises(MissingRecord):
        build.run(build.BuildConfig("returns"), empty.ports)


def test_the_documented_tables_are_what_the_code_says() -> None:
    document = (ROOT / "docs" / "features.md").read_text()

    assert document.endswith(describe.markdown().rstrip() + "\n")
    told = CliRunner().invoke(app, ["features", "list", "--markdown"]).stdout
    assert told == describe.markdown().rstrip() + "\n"


def test_the_command_line_lists_and_describes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))
    listed = CliRunner().invoke(app, ["features", "list", "--view", "ranges", "--json"])
    one = CliRunner().invoke(app, ["features", "describe", "beta_60", "--json"])
    wrong = CliRunner().invoke(app, ["features", "describe", "beta_61"])
    late = CliRunner().invoke(app, ["features", "diff", "returns", "--from", "yesterday"])
    naive = CliRunner().invoke(
        app, ["features", "diff", "returns", "--from", "2024-01-01T00:00:00"]
    )

    assert [f["name"] for f in json.loads(listed.stdout)] == list(views()["ranges"].columns)
    told = json.loads(one.stdout)
    assert told["warm_up_sessions"] == 60
    assert told["source"] == "Sharpe, 1964"
    assert told["importance"] is None
    assert "section of each session" in told["lineage"]
    assert [r.exit_code for r in (wrong, late, naive)] == [2, 2, 2]
