"""Stored predictions are judged as a backtest is: what was really said, when it was said."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from bellwether.bootstrap import Wired, bootstrap
from bellwether.cli.main import app
from bellwether.core.errors import MissingRecord
from bellwether.core.ports import SourceQuery
from bellwether.core.types import PredictionRequest
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.inference.service import PredictionService
from bellwether.pipelines import backtest_stored, ingest, materialize, train, trials
from bellwether.settings import Settings

ASKED = BacktestConfig(what_if=False)
SYMBOLS = ("AAPL", "IBM")


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    """Make 40 sessions of predictions, then bring in the bars that judge them."""
    home = tmp_path_factory.mktemp("home")
    history = Settings(home=home, clock="2012-12-31T23:00:00+00:00")
    built = bootstrap(history)
    ingest.run(ingest.IngestConfig("sample", SourceQuery(symbols=SYMBOLS)), built.ports)
    materialize.run(built.ports)
    asked = train.TrainConfig(model="linear", each=False, test_sessions=1500)
    train.run(asked, built.ports)
    service = PredictionService(built.ports)
    sessions = built.ports.calendar.between(date(2012, 11, 1), date(2012, 12, 28))
    for session in sessions:
        for symbol in SYMBOLS:
            asyncio.run(service.answer(PredictionRequest(symbol), session=session))
    built.close()
    later = bootstrap(Settings(home=home))
    yield later
    later.close()


def test_what_was_said_is_judged_and_traded(wired: Wired) -> None:
    done = backtest_stored.run(ASKED, wired.ports)
    found = done.found
    sessions = wired.ports.calendar.between(date(2012, 11, 1), date(2012, 12, 28))
    assert found["n"] == len(sessions) * len(SYMBOLS)
    assert set(found["strategies"]) == {
        *("stored", "always_up", "historical_mean", "last_value", "equal_weight"),
    }
    assert found["strategies"]["stored"]["traded_usd"] > 0
    assert any("rehearsal" in w for w in found["warnings"])
    assert "shows" in " ".join(done.lines()) or "no skill" in " ".join(done.lines())
    assert done.page().lower().startswith("<!doctype html>")
    assert found["deflated"] is None
    assert "made before their outcomes" in found["reading"][-1]
    again = backtest_stored.run(ASKED, wired.ports)
    assert again.found["result_hash"] == found["result_hash"]
    alone = backtest_stored.run(replace(ASKED, symbols=("IBM",)), wired.ports)
    assert alone.found["n"] == len(sessions)


def test_the_training_run_is_counted(wired: Wired) -> None:
    (row,) = wired.ports.ledger.trials("open_to_open h=1")
    assert (row.kind, row.model, row.scope, row.state) == ("train", "linear", "panel", "complete")
    returns = trials.returns_of(row)
    assert returns is not None
    assert returns["session"].is_sorted()
    assert json.loads(row.metrics)["n"] > 0


def test_one_without_any_says_so(wired: Wired) -> None:
    with pytest.raises(MissingRecord):
        backtest_stored.run(replace(ASKED, horizon_sessions=3), wired.ports)


def test_the_first_made_in_time_counts() -> None:
    day, opens = date(2024, 1, 2), datetime(2024, 1, 3, 14, 30, tzinfo=UTC)

    def told(n: int, minutes: int, degraded: str = "[]", session: date = day) -> dict[str, object]:
        return {
            "prediction_id": f"p{n}",
            "recorded_at": opens + timedelta(minutes=minutes),
            "symbol": "A",
            "session": session,
            "degraded": degraded,
        }

    label = {
        "symbol": ["A"],
        "session": [day],
        "decision_at": [opens - timedelta(hours=17)],
        "label_start": [opens],
        "label_known_at": [opens + timedelta(days=1)],
        "log_return": [0.01],
    }
    rows = [
        told(1, 5),
        told(2, -10),
        told(3, -30),
        told(4, -60, session=date(2024, 1, 3)),
    ]
    kept = backtest_stored.counted(pl.DataFrame(rows), pl.DataFrame(label))
    assert kept.forecasts["prediction_id"].to_list() == ["p3"]
    text = " ".join(kept.notes)
    for words in ("have no outcome yet", "after the open", "repeat an earlier one"):
        assert words in text
    standing = [told(1, 5, '["clock_stands_at_2024-01-02T22:00Z"]')]
    late = backtest_stored.counted(pl.DataFrame(standing), pl.DataFrame(label))
    assert late.forecasts.height == 1
    assert "rehearsal" in late.notes[0]


def test_the_command_line_without_predictions(tmp_path: Path) -> None:
    env = {"BELLWETHER_HOME": str(tmp_path)}
    assert CliRunner().invoke(app, ["ingest", "sample"], env=env).exit_code == 0
    told = CliRunner().invoke(app, ["backtest", "--stored"], env=env)
    assert told.exit_code == 2
    assert "bellwether predict" in told.output
