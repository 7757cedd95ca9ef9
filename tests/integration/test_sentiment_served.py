"""Headlines of a request, by every scorer there can be: there, away, wrong, stood in for, and slow."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests import text_models
from typer.testing import CliRunner

from bellwether.bootstrap import bootstrap
from bellwether.cli.main import app
from bellwether.core.ports import SourceQuery
from bellwether.core.types import Prediction, PredictionRequest
from bellwether.inference.service import PredictionService
from bellwether.pipelines import ingest, materialize, replay, train
from bellwether.sentiment.lexicon import LexiconScorer
from bellwether.settings import Settings

SAMPLE = "sample_data_ends_2013-03-01"
QUIET = PredictionRequest("IBM")
GOOD = PredictionRequest("IBM", news_headlines=("Strong earnings", "Profit rose"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    wired = bootstrap(Settings(home=made))
    query = SourceQuery(symbols=("IBM", "MSFT"))
    ingest.run(ingest.IngestConfig("sample", query), wired.ports)
    materialize.run(wired.ports)
    asked = train.TrainConfig(model="linear", against=(), each=False, test_sessions=2000)
    train.run(asked, wired.ports)
    wired.close()
    text_models.folder(made / "sentiment" / "some--model")
    return made


@contextmanager
def serving(home: Path, **told: Any) -> Iterator[PredictionService]:
    wired = bootstrap(Settings(home=home, **told))
    try:
        yield PredictionService(wired.ports)
    finally:
        wired.close()


def answer(service: PredictionService, request: PredictionRequest) -> Prediction:
    return asyncio.run(service.answer(request))


def component(service: PredictionService) -> tuple[str, str]:
    part: Any = service.health()["components"]
    return part["sentiment"]["status"], part["sentiment"]["detail"]


def test_the_lexicon_is_named(home: Path) -> None:
    with serving(home) as service:
        found = answer(service, GOOD)

        assert (found.sentiment.score, found.sentiment.method) == (1.0, "lexicon-v1")
        assert component(service) == ("healthy", "lexicon-v1")


def test_a_model_kept_under_a_hubs_name_scores(home: Path) -> None:
    with serving(home, sentiment="finbert", sentiment_model="some/model") as service:
        found = answer(service, GOOD)

        expected = text_models.by_hand(text_models.ids_of("profit", "rose"))
        one = answer(service, PredictionRequest("IBM", news_headlines=("Profit rose",))).sentiment
        score = expected["positive"] - expected["negative"]
        assert one.score == pytest.approx(score, abs=1e-5)
        assert found.sentiment.method.startswith("finbert-")
        assert found.degraded == (SAMPLE,)
        assert component(service) == ("healthy", found.sentiment.method)


def test_what_a_model_scored_is_stored_and_replays(home: Path) -> None:
    wired = bootstrap(Settings(home=home, sentiment="finbert", sentiment_model="some/model"))
    found = answer(PredictionService(wired.ports), GOOD)

    report = replay.run(wired.ports, limit=5)

    stored = wired.ports.log.get(found.prediction_id)
    wired.close()
    assert report.equal == report.replayed > 0
    assert stored is not None
    assert stored.sentiment_score == found.sentiment.score


def test_no_model_there_holds_up_neither_start_nor_forecast(home: Path) -> None:
    """No network is asked: tests have none. A model that was never exported is away, and named."""
    with serving(home, sentiment="finbert", sentiment_model="never/exported") as service:
        quiet, asked = answer(service, QUIET), answer(service, GOOD)

        assert (quiet.sentiment.score, quiet.degraded) == (None, (SAMPLE,))
        assert (asked.sentiment.score, asked.sentiment.method) == (None, "none")
        assert asked.degraded == (SAMPLE, "sentiment_away")
        assert asked.expected_return == quiet.expected_return
        status, detail = component(service)
        assert status == "down"
        assert "never--exported: there is no such folder" in detail
        report: Any = service.health()
        assert report["status"] == "degraded"
        assert "sentiment_away" in report["degraded"]


def test_the_lexicon_stands_in_only_where_that_was_asked_for(home: Path) -> None:
    told = {"sentiment": "finbert", "sentiment_model": "never/exported"}
    with serving(home, **told, sentiment_fallback="lexicon") as service:
        found = answer(service, GOOD)

        assert (found.sentiment.score, found.sentiment.method) == (1.0, "lexicon-v1")
        assert found.degraded == (SAMPLE, "sentiment_by_lexicon")
        status, detail = component(service)
        assert status == "down"
        assert detail.startswith("sentiment: lexicon-v1 stands in; ")
        assert "there is no such folder" in detail


def test_a_list_that_cannot_be_read_is_away(home: Path) -> None:
    path = home / "latin.csv"
    path.write_bytes(b"Word,Positive,Negative\nD\xc9J\xc0,1,0\n")
    with serving(home, sentiment_words=str(path)) as service:
        assert answer(service, GOOD).degraded == (SAMPLE, "sentiment_away")
        assert component(service) == ("down", "latin.csv:2: is not written in UTF-8")


def test_a_list_scores(home: Path) -> None:
    path = home / "words.csv"
    path.write_text("Word,Positive,Negative\nSTRONG,1,0\nWEAK,0,1\n")
    with serving(home, sentiment_words=str(path)) as service:
        found = answer(service, GOOD)

        assert found.sentiment.score == 0.25
        assert found.sentiment.method.startswith("words-")
        assert component(service) == ("healthy", found.sentiment.method)


def test_a_text_that_the_model_fails_on_costs_its_answer_the_score_alone(home: Path) -> None:
    folder = text_models.folder(home / "spoilt")
    model = onnx.load(folder / "model.onnx")
    (pieces,) = (w for w in model.graph.initializer if w.name == "pieces")
    rows = numpy_helper.to_array(pieces).copy()
    rows[text_models.VOCABULARY["loss"]] = np.nan
    pieces.CopyFrom(numpy_helper.from_array(rows, "pieces"))
    onnx.save_model(model, folder / "model.onnx")
    with serving(home, sentiment="finbert", sentiment_model=str(folder)) as service:
        bad = answer(service, PredictionRequest("IBM", news_headlines=("Loss",)))

        assert (bad.sentiment.score, bad.degraded) == (None, (SAMPLE, "sentiment_away"))
        assert answer(service, GOOD).sentiment.score is not None


def test_a_model_is_loaded_once_and_a_changed_folder_waits_for_the_next_start(home: Path) -> None:
    folder = text_models.folder(home / "changing")
    told = {"sentiment": "finbert", "sentiment_model": str(folder)}
    with serving(home, **told) as service:
        before = answer(service, GOOD).sentiment
        (folder / "config.json").write_text(json.dumps({}))

        assert answer(service, GOOD).sentiment == before


class Slow(LexiconScorer):
    """Scores once it is let go."""

    instant = False

    def __init__(self) -> None:
        self.asked, self.let_go = threading.Event(), threading.Event()

    def score(self, texts: Sequence[str]) -> float | None:
        self.asked.set()
        assert self.let_go.wait(30)
        return super().score(texts)


def test_a_slow_model_holds_up_nobody_else(home: Path) -> None:
    wired = bootstrap(Settings(home=home))
    slow = Slow()
    service = PredictionService(replace(wired.ports, sentiment=slow))

    async def both() -> tuple[Prediction, Prediction]:
        waits = asyncio.create_task(service.answer(GOOD))
        assert await asyncio.to_thread(slow.asked.wait, 30)
        quick = await service.answer(QUIET)
        assert not waits.done()
        slow.let_go.set()
        return quick, await waits

    quick, waited = asyncio.run(both())
    wired.close()

    assert quick.sentiment.score is None
    assert waited.sentiment.score == 1.0


@pytest.mark.parametrize(
    ("model", "said"), [("some/model", "finbert-"), ("never/exported", "there is no such folder")]
)
def test_the_command_names_the_scorer(
    home: Path, monkeypatch: pytest.MonkeyPatch, model: str, said: str
) -> None:
    monkeypatch.setenv("BELLWETHER_HOME", str(home))
    monkeypatch.setenv("BELLWETHER_SENTIMENT", "finbert")
    monkeypatch.setenv("BELLWETHER_SENTIMENT_MODEL", model)

    done = CliRunner().invoke(app, ["health", "--json"])

    assert done.exit_code == 0
    assert said in json.loads(done.stdout)["components"]["sentiment"]["detail"]
