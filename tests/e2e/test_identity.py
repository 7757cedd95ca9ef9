"""The walk: history, stream, training, release, serving, stored prediction, replay; equal bytes."""

import asyncio
import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bellwether.bootstrap import Wired, bootstrap
from bellwether.core.asof import as_of
from bellwether.core.ports import LakeBatch, Ports, SourceQuery
from bellwether.core.types import PredictionRequest
from bellwether.features.adjust import bars_in_order
from bellwether.features.catalog import FeatureView, technical
from bellwether.features.history import BAR_KEYS
from bellwether.features.stream import StreamEngine
from bellwether.features.views import view
from bellwether.inference.release import serve
from bellwether.inference.service import PredictionService
from bellwether.pipelines import ingest, materialize, replay, train
from bellwether.pipelines.dataset import build
from bellwether.settings import Settings

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Wired:
    home: Path = tmp_path_factory.mktemp("home")
    built = bootstrap(Settings(home=home))
    ingest.run(ingest.IngestConfig("sample", SourceQuery()), built.ports)
    materialize.run(built.ports)
    train.run(train.TrainConfig(each=False, test_sessions=756), built.ports)
    return built


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_door_passes_the_same_bytes(wired: Wired, symbol: str) -> None:
    walk(wired.ports, technical(), symbol, 1)


def test_every_door_passes_the_same_bytes_of_views_together(tmp_path: Path) -> None:
    built, symbol = bootstrap(Settings(home=tmp_path)), "IBM"
    query = SourceQuery(symbols=(symbol,))
    ingest.run(ingest.IngestConfig("sample", query), built.ports)
    asked = train.TrainConfig(
        model="linear", against=(), each=False, test_sessions=2000, horizon_sessions=5,
        view="regime+technical+calendar",
    )  # fmt: skip
    train.run(asked, built.ports)
    materialize.run(built.ports)

    walk(built.ports, view("technical+calendar+regime"), symbol, 5)
    built.close()


def walk(ports: Ports, view: FeatureView, symbol: str, horizon: int) -> None:
    watermark = ports.lake.watermark()
    assert watermark is not None
    history = materialize.features_of(symbol, view, watermark, ports)
    vectors = np.ascontiguousarray(history.select(view.columns).to_numpy(), dtype="<f8")

    bars = as_of(ports.lake.bars([symbol]), ports.clock.now(), BAR_KEYS)
    engine = StreamEngine(view, ports.calendar)
    streamed = np.vstack([engine.push(bar) for bar in bars_in_order(bars)])
    assert vectors.tobytes() == streamed.tobytes()

    stored = ports.features.history(symbol, view.version, watermark)
    assert [row.tobytes() for row in vectors] == stored["values"].to_list()

    online = ports.online.held(symbol, view.version)
    assert online is not None
    assert vectors[-1].tobytes() == online.values

    service = PredictionService(ports)
    prediction = asyncio.run(service.answer(PredictionRequest(symbol, horizon)))
    logged = ports.log.get(prediction.prediction_id)
    assert logged is not None
    assert vectors[-1].tobytes() == logged.features
    assert prediction.expected_return == logged.expected_return

    report = replay.run(ports, [logged.prediction_id])
    assert (report.equal, report.mismatches) == (1, ())


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_training_reads_what_serving_stores(wired: Wired, symbol: str) -> None:
    ports, view = wired.ports, technical()
    watermark = ports.lake.watermark()
    assert watermark is not None
    data = build([symbol], view, 1, watermark, ports)
    stored = ports.features.history(symbol, view.version, watermark)
    served = {
        session: np.frombuffer(values, dtype="<f8")[list(view.model_positions)].astype(np.float32)
        for session, values in zip(stored["session"], stored["values"], strict=True)
    }

    trained = {s: row.tobytes() for s, row in zip(data.rows["session"], data.X, strict=True)}

    assert trained == {s: served[s].tobytes() for s in trained}


def test_the_release_gives_the_same_bits_alone_and_in_company(wired: Wired) -> None:
    ports, view = wired.ports, technical()
    watermark = ports.lake.watermark()
    assert watermark is not None
    served = serve(ports.releases.load(ports.ledger.releases()[0].release_id))
    data = build(SYMBOLS, view, 1, watermark, ports)

    together = served.packed.predict(data.X[-300:])
    alone = [
        served.packed.predict(data.X[i : i + 1]) for i in range(len(data.X) - 300, len(data.X))
    ]

    assert together.log_return.tolist() == [a.log_return[0] for a in alone]
    assert together.probability_up.tolist() == [a.probability_up[0] for a in alone]


def test_a_thousand_stored_predictions_replay_to_the_bit(wired: Wired) -> None:
    service = PredictionService(wired.ports)
    asked = [
        PredictionRequest(SYMBOLS[i % 5], news_headlines=("Strong earnings",)) for i in range(1000)
    ]

    async def ask_all() -> None:
        await asyncio.gather(*map(service.answer, asked))

    asyncio.run(ask_all())

    report = replay.run(wired.ports, limit=1000)

    assert (report.replayed, report.equal, report.mismatches) == (1000, 1000, ())


def test_training_again_gives_the_same_release(wired: Wired, tmp_path: Path) -> None:
    """Same bars, same seed: the same content, so the same name."""
    elsewhere = bootstrap(Settings(home=tmp_path / "home"))
    bars = wired.ports.lake.bars().drop("ingested_at", "revision")
    first = wired.ports.lake.bars()["ingested_at"].max()
    assert first is not None
    elsewhere.ports.lake.append(LakeBatch(bars=bars), first)
    train.run(train.TrainConfig(each=False, test_sessions=756), elsewhere.ports)

    assert wired.ports.releases.ids() == elsewhere.ports.releases.ids()


def test_splits_of_the_sample_leave_no_trace(wired: Wired) -> None:
    """Apple and Microsoft split two for one; no return and no feature may show it."""
    ports, view = wired.ports, technical()
    watermark = ports.lake.watermark()
    assert watermark is not None
    splits = ports.lake.bars().filter(pl.col("split_ratio") != 1.0)
    assert [(r["symbol"], r["session"].year) for r in splits.iter_rows(named=True)] == [
        ("AAPL", 2000),
        ("AAPL", 2005),
        ("MSFT", 2003),
    ]

    for row in splits.iter_rows(named=True):
        features = materialize.features_of(row["symbol"], view, watermark, ports)
        at = features.filter(pl.col("session") == row["session"])
        assert abs(at["return_1"][0]) < 0.1
        assert abs(at["gap_1"][0]) < 0.1
        assert math.isfinite(at["obv"][0])


def test_an_answer_tells_what_it_lacks(wired: Wired) -> None:
    service = PredictionService(wired.ports)

    facebook = asyncio.run(service.answer(PredictionRequest("FB")))

    gates = [reason for reason in facebook.degraded if reason.startswith("failed_gate_")]
    assert tuple(r for r in facebook.degraded if r not in gates) == (
        "sample_data_ends_2013-03-01",
        "history_too_short_for_a_fold_of_its_own_196_of_564_sessions",
    )
    (row,) = {r.release_id: r for r in wired.ports.ledger.standings()}.values()
    verdicts = json.loads(row.report)["verdicts"]
    assert set(gates) <= {f"failed_gate_{v['gate']}" for v in verdicts if v["state"] == "failed"}
    assert facebook.skill.shown is False
    assert facebook.interval is not None
    assert facebook.interval.lower < facebook.last_price < facebook.interval.upper


def test_contributions_add_up_to_the_forecast(wired: Wired) -> None:
    service = PredictionService(wired.ports)

    said = asyncio.run(service.answer(PredictionRequest("IBM", explain=True)))

    assert said.explanation is not None
    assert math.isclose(
        sum(said.explanation.values()), math.log1p(said.expected_return), abs_tol=1e-7
    )


def test_runs_are_mirrored_to_mlflow_once(wired: Wired) -> None:
    from mlflow import MlflowClient

    ports = wired.ports
    (run,) = ports.ledger.runs()
    releases = [ports.releases.load(r.release_id) for r in ports.ledger.releases()]
    ports.tracker.mirror(run, releases)

    client = MlflowClient(tracking_uri=ports.tracker.uri)  # type: ignore[attr-defined]
    found = client.search_runs(["1"])

    assert ports.ledger.runs(unmirrored=True) == []
    assert [r.data.tags["bellwether.run_id"] for r in found] == [run.run_id]
    assert found[0].data.metrics["table.always_up.n"] > 0
