"""A model of texts and prices: trained, materialised, answered with headlines, replayed."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bellwether.bootstrap import bootstrap
from bellwether.core.calendar import session_calendar
from bellwether.core.errors import ConfigError
from bellwether.core.ports import AuditRow, Ports, SourceQuery
from bellwether.core.types import Prediction, PredictionRequest
from bellwether.features.views import view
from bellwether.inference.service import PredictionService
from bellwether.inference.texts import texts_of
from bellwether.pipelines import ingest, materialize, replay, train
from bellwether.pipelines.dataset import build
from bellwether.settings import Settings

BOTH = view("technical+text")
SAID = ("Profit rises and beats forecasts", "Court fines firm over fraud", "The board met", "Shares plunge on loss")  # fmt: skip
GOOD = ("Record profit beats every forecast", "Strong growth and an upgrade")


def written(place: Path, symbols: Sequence[str]) -> Path:
    """Write a text an hour before or after each third close of some years."""
    rng = np.random.default_rng(0)
    calendar = session_calendar()
    rows = ["symbol,time,text"]
    for session in calendar.between(datetime(2005, 1, 3).date(), datetime(2013, 3, 1).date())[::3]:  # noqa: DTZ001 - a day
        for symbol in symbols:
            at = calendar.close_of(session) + timedelta(hours=int(rng.choice([-1, 1])))
            rows.append(f"{symbol},{at.isoformat()},{rng.choice(SAID)} {session}")
    path = place / "texts.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def asked(model: str, name: str, horizon: int) -> train.TrainConfig:
    return train.TrainConfig(
        symbols=("IBM", "MSFT"),
        model=model,
        against=(),
        each=False,
        test_sessions=2000,
        horizon_sessions=horizon,
        view=name,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Releases that read texts (1 and 2 sessions ahead; the latter pays no heed) and one without."""
    home = tmp_path_factory.mktemp("texts")
    wired = bootstrap(Settings(home=home))
    ports = wired.ports
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=("IBM", "MSFT"))), ports)
    query = SourceQuery(path=str(written(home, ("IBM", "MSFT"))))
    told = ingest.run(ingest.IngestConfig("texts", query), ports)
    assert "texts of 2 names" in told.facts[0]
    watermark, now = ports.lake.texts_watermark(), datetime.now(UTC)
    assert watermark is not None
    for one, horizon in ((BOTH, 1), (BOTH, 2), (view("technical"), 3)):
        row = AuditRow(f"{horizon}", f"{one.version} h={horizon}", now, watermark, "green", "{}")
        ports.ledger.record_audit(row)  # audits are tested elsewhere
    train.run(asked("linear", "text+technical", 1), ports)
    train.run(asked("always_up", "text+technical", 2), ports)
    train.run(asked("linear", "technical", 3), ports)
    yield ports
    wired.close()


def answer(ports: Ports, horizon: int, headlines: tuple[str, ...] = ()) -> Prediction:
    service = PredictionService(ports)
    asked_for = PredictionRequest("IBM", horizon, news_headlines=headlines, explain=True)
    return asyncio.run(service.answer(asked_for))


def test_headlines_change_the_forecast_and_the_answer_says_so(trained: Ports) -> None:
    materialize.run(trained)

    silent, heard = answer(trained, 1), answer(trained, 1, GOOD)

    assert (silent.sentiment.used_by_model, heard.sentiment.used_by_model) == (False, True)
    assert heard.expected_return != silent.expected_return
    changed = {n for n in BOTH.model_columns if heard.features[n] != silent.features[n]}
    assert {"text_tone", "text_voices", "text_count_1"} <= changed
    assert changed <= {f.name for f in view("text").features}
    tones = [p.features["text_tone"] or 0.0 for p in (silent, heard)]
    assert tones[1] > tones[0]
    assert heard.explanation is not None
    assert "text_tone" in heard.explanation


def test_who_pays_no_heed_to_texts_does_not_say_so(trained: Ports) -> None:
    materialize.run(trained)

    for horizon in (2, 3):
        silent, heard = answer(trained, horizon), answer(trained, horizon, GOOD)

        assert heard.sentiment.score == 1.0
        assert not heard.sentiment.used_by_model
        assert heard.expected_return == silent.expected_return


def test_answers_with_headlines_are_replayed_to_the_bit(trained: Ports) -> None:
    materialize.run(trained)
    found = [answer(trained, 1), answer(trained, 1, GOOD), answer(trained, 2, GOOD)]

    report = replay.run(trained, [p.prediction_id for p in found])

    assert (report.equal, report.mismatches) == (3, ())


def test_training_reads_what_serving_stores(trained: Ports) -> None:
    materialize.run(trained)
    built = trained.ledger.newest_materialisation(BOTH.version)
    assert built is not None

    data = build(["IBM"], BOTH, 1, built.watermark, trained)

    stored = trained.features.history("IBM", BOTH.version, built.watermark)
    rows = {
        day: np.frombuffer(values, dtype="<f8")[list(BOTH.model_positions)].astype(np.float32)
        for day, values in zip(stored["session"], stored["values"], strict=True)
    }
    pairs = list(zip(data.rows["session"], data.X, strict=True))
    assert len(pairs) > 2500
    assert all(row.tobytes() == rows[day].tobytes() for day, row in pairs)
    count = BOTH.model_columns.index("text_count_1")
    assert 0.2 < float((data.X[:, count] > 0).mean()) < 0.5


def test_new_texts_make_the_features_anew(trained: Ports, tmp_path: Path) -> None:
    materialize.run(trained)
    before = answer(trained, 1)
    path = tmp_path / "more.csv"
    at = trained.calendar.close_of(before.as_of) - timedelta(hours=2)
    path.write_text(f"symbol,time,text\nIBM,{at.isoformat()},A great and surprising gain\n")
    ingest.run(ingest.IngestConfig("texts", SourceQuery(path=str(path))), trained)

    report = materialize.run(trained)
    after = answer(trained, 1)
    copy = answer(trained, 1, ("A GREAT and surprising gain!",))

    assert [r.rows > 0 for r in (report, *report.others)] == [False, True]
    assert after.features["text_count_1"] == (before.features["text_count_1"] or 0.0) + 1
    assert (copy.features, copy.sentiment.used_by_model) == (after.features, False)
    assert replay.run(trained, [before.prediction_id]).equal == 1


def test_scores_of_another_method_are_never_mixed_in(trained: Ports) -> None:
    class Other:
        method = "other-v2"

        def score(self, texts: Sequence[str]) -> float | None:
            return 0.25 if texts else None

    other = replace(trained, sentiment=Other())

    assert any("other-v2" in fault for fault in PredictionService(other).catalogue.faults)  # fmt: skip
    assert BOTH.scored("other-v2").version != BOTH.version
    with pytest.raises(ConfigError, match="other-v2"):
        texts_of(BOTH, "IBM", None, other)
