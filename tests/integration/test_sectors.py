"""Sectors as people have them: checked, kept with their day, and read as they were known then."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import UnreadableFile
from bellwether.core.ports import LakeBatch, SourceBatch, SourceQuery
from bellwether.features.views import Kept, view
from bellwether.pipelines import build, ingest, materialize
from bellwether.pipelines.gates_groups import families
from bellwether.pipelines.sections import across, newest_state
from bellwether.settings import Settings
from bellwether.sources.sectors import SectorsSource

NOW = datetime(2024, 2, 1, tzinfo=UTC)
GOOD = "ABC,Energy,2020-01-06"
SECTION = view("section")
ROWS = pl.DataFrame(
    {
        "symbol": ["IBM"] * 3,
        "session": [date(2011, 6, 1), date(2007, 6, 1), date(2004, 6, 1)],
        "scale": [0.1] * 3,
    }
)
PLACE = SECTION.columns.index("sector_relative_1")


def read(
    place: Path, *rows: str, header: str = "symbol,sector,known_from", **query: object
) -> SourceBatch:
    path = place / "s.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return SectorsSource().read(SourceQuery(path=str(path), **query), NOW)  # type: ignore[arg-type]


def told(batch: SourceBatch) -> list[tuple[object, ...]]:
    (only,) = batch.batches
    assert only.sectors is not None
    return only.sectors.select("symbol", "known_from", "sector").rows()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("ABC,Energy", "malformed_row"),
        ("a b,Energy,2020-01-06", "bad_symbol"),
        (",Energy,2020-01-06", "bad_symbol"),
        ("ABC,,2020-01-07", "missing_value"),
        (f"ABC,{'x' * 65},2020-01-07", "too_long"),
        ("ABC,Energy,", "not_a_date"),
        ("ABC,Energy,yesterday", "not_a_date"),
        ("ABC,Energy,2020-13-01", "not_a_date"),
        ("ABC,Energy,2020-01-07T15:00:00", "no_zone"),
        ("ABC,Energy,2024-02-02", "not_yet_known"),
        ("ABC,Energy,2999-01-01", "not_yet_known"),
        (GOOD, "duplicate"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_its_neighbours_kept(
    tmp_path: Path, row: str, reason: str
) -> None:
    batch = read(tmp_path, GOOD, row, "DEF,Finance,2020-01-06")

    assert [(r.location, r.reason) for r in batch.rejections] == [("s.csv:3", reason)]
    assert told(batch) == [
        ("ABC", date(2020, 1, 6), "Energy"),
        ("DEF", date(2020, 1, 6), "Finance"),
    ]
    assert "{" not in batch.rejections[0].detail


def test_two_sectors_from_one_day_are_both_refused(tmp_path: Path) -> None:
    batch = read(tmp_path, GOOD, "ABC,Finance,2020-01-06", "DEF,Finance,2020-01-06")

    assert [r.reason for r in batch.rejections] == ["conflicting_duplicate"] * 2
    assert told(batch) == [("DEF", date(2020, 1, 6), "Finance")]


def test_a_day_without_trading_counts_from_the_next_session(tmp_path: Path) -> None:
    batch = read(tmp_path, "abc,Energy,2020-01-04", "ABC,Oil,1900-01-01")

    assert told(batch)[1] == ("ABC", date(2020, 1, 6), "Energy")
    assert told(batch)[0][1] < date(1971, 1, 1)
    (only,) = batch.batches
    assert only.sectors is not None
    assert only.sectors["knowledge_time"][1] == datetime(2020, 1, 6, 21, tzinfo=UTC)


def test_a_file_of_another_kind_is_refused_whole(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="known_from"):
        read(tmp_path, "ABC,Energy", header="symbol,sector")
    with pytest.raises(UnreadableFile):
        SectorsSource().read(SourceQuery(path=str(tmp_path / "none.csv")), NOW)


@pytest.fixture
def wired(tmp_path: Path) -> Wired:
    built = bootstrap(Settings(home=tmp_path / "home"))
    query = SourceQuery(symbols=("AAPL", "FB", "IBM"))
    ingest.run(ingest.IngestConfig("sample", query), built.ports)
    return built


def three_rows(place: Path) -> ingest.IngestConfig:
    path = place / "sectors.csv"
    path.write_text(
        "symbol,sector,known_from\nAAPL,tech,2005-01-03\nIBM,tech,2005-01-03\nIBM,old,2010-01-04\n"
    )
    return ingest.IngestConfig("sectors", SourceQuery(path=str(path)))


def relative(wired: Wired, symbol: str, watermark: datetime) -> pl.DataFrame:
    rows = across(Kept(SECTION), watermark, wired.ports).filter(pl.col("symbol") == symbol)
    return rows.select("session", "sector_relative_1")


def test_a_sector_counts_from_the_close_at_which_it_was_known(wired: Wired, tmp_path: Path) -> None:
    ports = wired.ports
    first = build.run(build.BuildConfig("section"), ports)
    before = relative(wired, "IBM", first.watermark)
    asked = three_rows(tmp_path)

    report = ingest.run(asked, ports)
    again = ingest.run(asked, ports)

    assert (report.added, again.added, again.unchanged) == (3, 0, 3)
    assert report.facts == ("3 sectors of 2 names, 2005-01-03 to 2010-01-04",)
    states = newest_state([Kept(SECTION), Kept(view("technical"))], ports)
    assert states is not None
    assert states[0] > states[1]  # what reads no sectors is as it was
    built = build.run(build.BuildConfig("section"), ports)
    assert built.watermark == states[0]
    values = ports.features.history("IBM", built.view, built.watermark)
    kept = np.array([np.frombuffer(v, dtype="<f8")[PLACE] for v in values["values"]])
    day = values["session"].to_numpy()
    known = day >= np.datetime64("2005-01-03")
    assert np.isnan(kept[~known]).all()
    assert np.isfinite(kept[known]).all()
    alone = day >= np.datetime64("2010-01-04")  # the only one of its sector: nothing above its mean
    assert (kept[alone] == 0).all()
    assert (kept[known & ~alone] != 0).any()
    # at the watermark of before, nobody knew
    assert relative(wired, "IBM", first.watermark).equals(before)
    assert before["sector_relative_1"].is_nan().all()


def test_a_correction_is_a_revision_and_shows_in_what_is_served(
    wired: Wired, tmp_path: Path
) -> None:
    ports = wired.ports
    ingest.run(three_rows(tmp_path), ports)
    materialize.run(ports)
    now = ports.wall.now()
    row = ports.lake.sectors(["AAPL"]).tail(1).drop("ingested_at", "revision")

    ports.lake.append(LakeBatch(sectors=row.with_columns(sector=pl.lit("phones"))), now)

    assert ports.lake.sectors(["AAPL"])["revision"].to_list() == [0, 1]
    states = newest_state([Kept(SECTION)], ports)
    assert states is not None
    found = relative(wired, "AAPL", states[0]).filter(pl.col("session") >= date(2005, 1, 3))
    assert (found["sector_relative_1"] == 0).all()


def test_the_gate_of_bias_sees_sectors_as_known_on_each_date(wired: Wired, tmp_path: Path) -> None:
    assert "sector" not in families(ROWS, wired.ports)
    ingest.run(three_rows(tmp_path), wired.ports)

    found = families(ROWS, wired.ports)

    assert found["sector"].tolist() == ["old", "tech", ""]


def test_the_command_line_tells_what_came_in(tmp_path: Path) -> None:
    path = tmp_path / "sectors.csv"
    path.write_text("symbol,sector,known_from\nAAPL,tech,2005-01-03\nAAPL,tech,soon\n")
    environment = {"BELLWETHER_HOME": str(tmp_path / "home")}

    result = CliRunner().invoke(app, ["ingest", "sectors", "--path", str(path)], env=environment)

    assert result.exit_code == 0
    assert "1 sectors of 1 names" in result.stdout
    assert "sectors.csv:3: 'soon' is not a date" in result.stdout
