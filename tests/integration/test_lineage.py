"""From a release, a prediction or a run back to the ingestions that its bars came with."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.fakes import MemoryLedger
from typer.testing import CliRunner

from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import InvalidRequest, UnknownName
from bellwether.core.ports import LakeBatch, Ports, RunRow, SourceQuery
from bellwether.core.types import PredictionRequest
from bellwether.features.catalog import technical
from bellwether.inference.service import PredictionService
from bellwether.pipelines import ingest, materialize, replay, train
from bellwether.pipelines.asked import request_of
from bellwether.pipelines.lineage import Lineage, LineageConfig, run
from bellwether.settings import Settings

HEADER = "Date,Symbol,Open,High,Low,Close,Volume"


@dataclass(frozen=True)
class Made:
    home: Path
    prediction: str
    release: str
    run: str
    ingestion: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    home = tmp_path_factory.mktemp("made") / "home"
    wired = bootstrap(Settings(home=home))
    ports = wired.ports
    query = SourceQuery(("IBM", "MSFT"), first=date(2003, 1, 1))
    ingest.run(ingest.IngestConfig("sample", query), ports)
    materialize.run(ports)
    asked = train.TrainConfig(model="linear", against=(), each=False, test_sessions=1500)
    trained = train.run(asked, ports)
    answer = asyncio.run(PredictionService(ports).answer(PredictionRequest("IBM")))
    (row,) = ports.ledger.ingestions()
    wired.close()
    return Made(home, answer.prediction_id, answer.release, trained.run_id, row.ingestion_id)


@pytest.fixture
def home(made: Made, tmp_path: Path) -> Path:
    return shutil.copytree(made.home, tmp_path / "home")


@pytest.fixture
def ports(home: Path) -> Iterator[Ports]:
    wired = bootstrap(Settings(home=home))
    yield wired.ports
    wired.close()


def of(what: str, ports: Ports) -> Lineage:
    return run(LineageConfig(what), ports)


def told(ports: Ports, place: Path, *rows: str, name: str = "p.csv") -> ingest.IngestReport:
    path = place / name
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    query = SourceQuery(path=str(path), label="sample")
    return ingest.run(ingest.IngestConfig("files", query), ports)


def test_a_prediction_leads_to_its_release_run_view_and_ingestion(ports: Ports, made: Made) -> None:
    found = of(made.prediction, ports)

    own, training = found.data
    (source,) = own.contributed
    assert found.kind == "prediction"
    assert found.prediction is not None
    assert found.prediction["symbol"] == "IBM"
    assert [r.release_id for r in found.releases] == [made.release]
    assert found.releases[0].verified
    assert [r.run_id for r in found.runs] == [made.run]
    assert found.views == (technical().version,)
    assert [s.symbol for s in own.symbols] == ["IBM"]
    assert [s.symbol for s in training.symbols] == ["IBM", "MSFT"]
    assert own.watermark == training.watermark == source.mark
    assert own.later == training.later == ()
    assert source.ingestion is not None
    assert source.ingestion.ingestion_id == made.ingestion
    assert source.ingestion.request == {
        "source": "sample",
        "symbols": ["IBM", "MSFT"],
        "from": "2003-01-01",
        "adjusted": "none",
    }
    assert source.bars == own.symbols[0].bars == 2558
    assert own.symbols[0].sources == ("sample",)
    assert own.symbols[0].adjustments == ("none",)
    assert (own.symbols[0].first, own.symbols[0].last) == (date(2003, 1, 2), date(2013, 3, 1))
    assert (own.symbols[0].splits, training.symbols[1].splits) == (0, 1)
    assert own.symbols[0].dividends == source.actions > 30


@pytest.mark.parametrize("kind", ["release", "run"])
def test_a_release_and_its_run_tell_the_same(ports: Ports, made: Made, kind: str) -> None:
    found = of(getattr(made, kind), ports)

    (training,) = found.data
    assert (found.kind, found.id, found.prediction) == (kind, getattr(made, kind), None)
    assert [r.release_id for r in found.releases] == [made.release]
    assert [r.run_id for r in found.runs] == [made.run]
    assert found.runs[0].config["model"] == "linear"
    assert [c.ingestion and c.ingestion.ingestion_id for c in training.contributed] == [
        made.ingestion
    ]
    assert found.notes == ()


def test_what_came_later_is_told_apart(ports: Ports, made: Made, tmp_path: Path) -> None:
    again = ingest.run(ingest.IngestConfig("sample", SourceQuery(("IBM",))), ports)
    told(ports, tmp_path, "2013-03-01,IBM,200,204,199,203.5,100", "2013-03-04,IBM,20,21,19,20,1")
    told(ports, tmp_path, "2013-03-04,MSFT,20,21,19,20,1", name="m.csv")

    own, training = of(made.prediction, ports).data

    (before,) = own.contributed
    assert before.ingestion is not None
    assert before.ingestion.ingestion_id == made.ingestion, "one that repeats takes no place"
    assert again.added == own.later[0].bars > 0, "sessions before 2003"
    assert [(c.bars, c.changed) for c in own.later[1:]] == [(1, 1)]
    assert [(c.bars, c.changed) for c in training.later[1:]] == [(1, 1), (1, 0)]
    assert own.symbols[0].last == date(2013, 3, 1)
    assert own.symbols[0].revisions == 0
    assert (own.symbols[0].later_bars, own.symbols[0].later_changes) == (again.added + 1, 1)
    words = "\n".join(of(made.prediction, ports).lines())
    assert "a fresh computation would read these too" in words
    assert "path " + str(tmp_path / "p.csv") in words


def test_an_ingestion_that_changes_nothing_stands_nowhere(ports: Ports, made: Made) -> None:
    query = SourceQuery(("IBM", "MSFT"), first=date(2003, 1, 1))
    before = of(made.prediction, ports)

    ingest.run(ingest.IngestConfig("sample", query), ports)

    assert of(made.prediction, ports) == before
    assert len(ports.ledger.ingestions()) == 2


def test_compaction_changes_neither_lineage_nor_replay(
    ports: Ports, made: Made, tmp_path: Path
) -> None:
    for i in range(4):
        day = date(2013, 3, 4) + timedelta(days=i)
        told(ports, tmp_path, f"{day},IBM,200,204,199,{200 + i},100", name=f"{i}.csv")
    told(ports, tmp_path, "2013-02-28,IBM,200,204,199,203.5,100")
    before, bars = of(made.prediction, ports), ports.lake.bars()

    done = ports.lake.compact(ports.wall.now() + timedelta(days=2))

    report = replay.run(ports)
    assert done.files_after < done.files_before
    assert (report.replayed, report.equal) == (1, 1)
    assert of(made.prediction, ports) == before
    assert ports.lake.bars().equals(bars)


def test_a_file_that_was_changed_is_told(ports: Ports, made: Made, home: Path) -> None:
    card = home / "releases" / made.release / "card.md"
    card.chmod(0o600)
    card.write_text("changed")

    found = of(made.release, ports)

    assert not found.releases[0].verified
    assert "card.md" in found.releases[0].why
    assert "card.md" in "\n".join(found.lines())
    assert len(found.data) == 1, "the ledger still leads on"


def test_a_release_without_files_or_without_a_ledger(ports: Ports, made: Made, home: Path) -> None:
    forgotten = of(made.release, replace(ports, ledger=MemoryLedger()))
    shutil.rmtree(home / "releases" / made.release)
    gone = of(made.release, ports)
    with pytest.raises(UnknownName):
        of(made.release, replace(ports, ledger=MemoryLedger()))

    assert forgotten.releases[0].verified
    assert forgotten.data[0].watermark == gone.data[0].watermark
    assert forgotten.data[0].contributed[0].ingestion is None
    assert "from its manifest" in forgotten.notes[0]
    assert "recorded by no ingestion" in "\n".join(forgotten.lines())
    assert "not in the store" in gone.releases[0].why


def test_a_prediction_whose_release_is_nowhere(ports: Ports, made: Made, home: Path) -> None:
    shutil.rmtree(home / "releases" / made.release)

    found = of(made.prediction, replace(ports, ledger=MemoryLedger()))

    assert [part.purpose for part in found.data] == ["the prediction"]
    assert "what the release was trained on cannot be found" in found.notes


def test_ingestions_from_before_requests_were_kept(ports: Ports, made: Made) -> None:
    ledger = MemoryLedger()
    (row,) = ports.ledger.ingestions()
    ledger.record_ingestion(replace(row, request="{}", content=None))

    found = of(made.release, replace(ports, ledger=ledger))

    told_by = found.data[0].contributed[0].ingestion
    assert told_by is not None
    assert (told_by.request, told_by.content) == (None, None)
    assert "recorded before requests were kept" in "\n".join(found.lines())


def test_a_write_that_nobody_recorded_is_said_to_be_that(ports: Ports, made: Made) -> None:
    bars = ports.lake.bars(["IBM"]).tail(1)
    changed = bars.drop("ingested_at", "revision", "content", strict=False)
    ports.lake.append(
        LakeBatch(bars=changed.with_columns(volume=changed["volume"] + 1)), ports.wall.now()
    )

    (later,) = of(made.prediction, ports).data[0].later

    assert later.ingestion is None
    assert (later.bars, later.changed) == (0, 1)


def test_a_run_without_a_release_and_symbols_without_bars(ports: Ports) -> None:
    now = ports.wall.now()
    config = json.dumps({"symbols": ["NONE"], "model": "linear"})
    ports.ledger.record_run(RunRow("run-zero", "k", now, now, now, config, "{}"), [])

    found = of("run-zero", ports)

    assert found.notes == ("no release was packed of this run",)
    assert found.data[0].symbols[0].words() == "NONE: no bars at this watermark"
    assert found.lines()


def test_ids_that_say_too_little_or_nothing(ports: Ports, made: Made) -> None:
    now = ports.wall.now()
    for name in ("twice-1", "twice-12", "twice-2"):
        ports.ledger.record_run(RunRow(name, name, now, now, now, "{}", "{}"), [])

    assert of(made.release[:6], ports).id == made.release
    assert of(f" {made.prediction[:-4]} ", ports).id == made.prediction
    assert of("twice-1", ports).id == "twice-1", "a whole id is meant, also where it begins another"
    with pytest.raises(InvalidRequest, match="run twice-1, run twice-12, run twice-2"):
        of("twice-", ports)
    for short in ("", "     ", made.release[:5]):
        with pytest.raises(InvalidRequest, match="at least 6"):
            of(short, ports)
    for unknown in (
        "nothing",
        "r00000000",
        "%%%%%%",
        "______",
        "x" * 10_000,
        "a\x00bcdefg",
        "é" * 9,
    ):
        with pytest.raises(UnknownName):
            of(unknown, ports)


def test_a_universe_keeps_the_mark_of_its_own_append(ports: Ports, tmp_path: Path) -> None:
    path = tmp_path / "u.csv"
    path.write_text("ticker,start_date,last\nIBM,2004-01-02,\nOLD,2003-12-22,2004-01-05\n")
    query = SourceQuery(path=str(path), name="u")
    bars = ports.lake.watermark()

    report = ingest.run(ingest.IngestConfig("universe", query), ports)

    row = ports.ledger.ingestions()[-1]
    assert report.added == 2
    assert row.watermark == ports.lake.universe()["ingested_at"].max()
    assert ports.lake.watermark() == bars != row.watermark


def test_fingerprints_are_those_of_sha256sum(ports: Ports, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    told(ports, folder, "2013-03-04,IBM,20,21,19,20,1", name="b.csv")
    told(ports, folder, "2013-03-05,IBM,20,21,19,20,1", name="a.csv")
    ingest.run(ingest.IngestConfig("files", SourceQuery(path=str(folder), zone="UTC")), ports)

    one, other, both = [row.content for row in ports.ledger.ingestions()[-3:]]

    hashes = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in ("a.csv", "b.csv")}
    listed = "".join(f"{h}  {name}\n" for name, h in hashes.items())
    assert (other, one) == tuple(hashes.values())
    assert both == hashlib.sha256(listed.encode()).hexdigest()


def test_requests_hold_no_secrets() -> None:
    address = "s3://key:secret@bucket/x.csv?token=abc&part=1;sig=def#here"
    query = SourceQuery(path=address, columns={"close": "Last"}, last=date(2024, 1, 2))

    kept = json.loads(request_of("files", query))

    assert kept["path"] == "s3://bucket/x.csv?token=(hidden)&part=(hidden);sig=(hidden)#here"
    assert kept["columns"] == {"close": "Last"}
    assert kept["to"] == "2024-01-02"
    assert "spells" not in kept


def test_the_commands_say_it(home: Path, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(home))
    runner = CliRunner()

    def out(*arguments: str, code: int = 0) -> str:
        done = runner.invoke(app, [*arguments])
        assert done.exit_code == code, done.output
        return done.stdout

    shown = json.loads(out("lineage", made.prediction, "--json"))
    history = json.loads(out("lake", "history", "--json"))
    compacted = json.loads(out("lake", "compact", "--json"))

    assert made.ingestion in out("lineage", made.release)
    assert shown["data"][0]["contributed"][0]["ingestion"]["ingestion_id"] == made.ingestion
    assert shown["releases"][0]["files"]["model.onnx"]
    assert history[0]["request"]["symbols"] == ["IBM", "MSFT"]
    assert "from 2003-01-01, symbols IBM,MSFT" in out("lake", "history")
    assert compacted["files_after"] <= compacted["files_before"]
    assert "0 rows dropped" in out("lake", "compact")
    assert json.loads(out("lineage", "unknown", "--json", code=2))["error"] == "UnknownName"
    assert asdict(of(made.run, bootstrap(Settings(home=home)).ports))["kind"] == "run"
