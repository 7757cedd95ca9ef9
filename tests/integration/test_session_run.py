"""The steps of one session over real stores: repeated, broken half-way, and asked too late."""

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scheduled import KNOWN_UNTIL, SESSIONS, SYMBOLS, predictions, prepare

from bellwether.bootstrap import Wired, bootstrap
from bellwether.core.errors import (
    ConfigError,
    InvalidRequest,
    MissingRecord,
    NothingTold,
    StorageError,
    UnknownName,
)
from bellwether.core.types import PredictionRequest
from bellwether.database.partitions import bound, month_of
from bellwether.pipelines import replay
from bellwether.pipelines.session_run import SessionSource, kind, prediction_id
from bellwether.settings import Settings, load

SOURCE = SessionSource("sample", symbols=SYMBOLS)
INSTANTS = st.integers(86_400 * 365, 86_400 * 365 * 130).map(
    lambda s: datetime.fromtimestamp(s, UTC)
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template") / "home"
    prepare(Settings(home=home))
    return home


@pytest.fixture
def wired(template: Path, tmp_path: Path) -> Iterator[Wired]:
    with closing(bootstrap(Settings(home=shutil.copytree(template, tmp_path / "home")))) as made:
        yield made


def steps(wired: Wired, session: date, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Do the steps of a session, or some, one after another."""
    results: dict[str, Any] = {}
    for name, act in kind(wired.ports).steps:
        if not only or name in only:
            results[name] = json.loads(json.dumps(act(SOURCE.argument(session), results)))
    return results


def test_a_session_is_predicted_from_what_was_known_at_its_close(wired: Wired) -> None:
    told = steps(wired, SESSIONS[0])
    stored = predictions(wired.ports)

    assert told["ingest"]["added"] == 2
    assert told["check"]["without_a_bar"] == []
    assert told["check"]["severities"] == {"fault": 0, "suspect": 0, "note": 0}
    assert "2 bars" in told["check"]["quality"]
    assert told["predict"] == {
        "stored": 2,
        "there_already": 0,
        "skipped_count": 0,
        "skipped": {},
    }
    assert {(p["symbol"], p["as_of"]) for p in stored.values()} == {
        (s, SESSIONS[0]) for s in SYMBOLS
    }
    assert replay.run(wired.ports).mismatches == ()


def test_every_step_repeated_changes_nothing(wired: Wired) -> None:
    steps(wired, SESSIONS[0])
    before, bars = predictions(wired.ports), wired.ports.lake.bars()
    told = steps(wired, SESSIONS[0])

    assert (told["ingest"]["added"], told["ingest"]["revised"]) == (0, 0)
    assert told["materialise"]["rows"] == 0
    assert (told["predict"]["stored"], told["predict"]["there_already"]) == (0, 2)
    assert predictions(wired.ports) == before
    assert wired.ports.lake.bars().equals(bars)


class Breaking:
    """A log that loses its database after so many writes."""

    def __init__(self, log: Any, writes: int) -> None:
        self._log = log
        self.left = writes

    def enlist(self, prediction: Any) -> Any:
        if self.left == 0:
            raise StorageError("database", "it went away")
        self.left -= 1
        return self._log.enlist(prediction)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def test_a_step_broken_half_way_makes_the_rest_when_it_is_repeated(wired: Wired) -> None:
    steps(wired, SESSIONS[0], ("ingest", "materialise"))
    log = Breaking(wired.ports.log, writes=1)
    broken = Wired(replace(wired.ports, log=log), ())
    with pytest.raises(StorageError):
        steps(broken, SESSIONS[0], ("predict",))
    assert len(predictions(wired.ports)) == 1
    log.left = -1

    told = steps(broken, SESSIONS[0], ("predict",))["predict"]

    assert (told["stored"], told["there_already"]) == (1, 1)
    assert len(predictions(wired.ports)) == 2


def test_a_session_made_late_is_predicted_from_its_own_features_and_says_so(wired: Wired) -> None:
    steps(wired, SESSIONS[-1], ("ingest", "materialise"))
    on_time = steps(wired, SESSIONS[-1], ("predict",))
    late = steps(wired, SESSIONS[1], ("predict",))
    degraded = {p["as_of"]: p["degraded"] for p in predictions(wired.ports).values()}

    assert on_time["predict"]["stored"] == late["predict"]["stored"] == 2
    assert set(degraded) == {SESSIONS[-1], SESSIONS[1]}
    assert f"made_late_3_sessions_after_{SESSIONS[1]}" in str(degraded[SESSIONS[1]])
    assert "made_late" not in str(degraded[SESSIONS[-1]])
    assert replay.run(wired.ports).mismatches == ()


def test_a_late_session_is_predicted_as_it_would_have_been_in_time(
    wired: Wired, template: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(template, tmp_path / "other")
    with closing(bootstrap(Settings(home=home))) as other:
        steps(other, SESSIONS[1])
        in_time = predictions(other.ports)
    steps(wired, SESSIONS[-1], ("ingest", "materialise"))
    steps(wired, SESSIONS[1], ("predict",))
    late = predictions(wired.ports)

    assert late.keys() == in_time.keys()
    assert [p["expected_return"] for p in late.values()] == [
        p["expected_return"] for p in in_time.values()
    ]


def test_a_session_without_bars_is_an_error_that_may_mend(wired: Wired, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(
        "symbol,date,open,high,low,close,volume\nAAPL,2013-02-22,1,1,1,1,10\n", encoding="utf-8"
    )
    argument = SessionSource("files", str(path)).argument(SESSIONS[0])
    ingest = dict(kind(wired.ports).steps)["ingest"]

    with pytest.raises(NothingTold, match="files tells no bar of the session 2013-02-25"):
        ingest(argument, {})


def test_symbols_without_the_session_are_named_and_not_predicted(wired: Wired) -> None:
    only = SessionSource("sample", symbols=("IBM",)).argument(SESSIONS[0])
    work = dict(kind(wired.ports).steps)
    told = {"ingest": work["ingest"](only, {})}
    checked = work["check"](only, told)
    work["materialise"](only, told)
    asked = work["predict"]({**only, "symbols": []}, told)

    assert checked["without_a_bar"] == ["AAPL"]
    assert asked["stored"] == 1
    assert list(asked["skipped"]) == ["AAPL at 1"]
    assert "2013-02-25" in asked["skipped"]["AAPL at 1"]


def test_the_same_ids_come_from_http_and_the_schedule_side_by_side(wired: Wired) -> None:
    """A prediction asked for by a caller is another one: it has an id of its own."""
    import asyncio

    from bellwether.inference.service import PredictionService

    steps(wired, SESSIONS[0])
    service = PredictionService(wired.ports)
    asked = asyncio.run(service.answer(PredictionRequest("IBM")))

    assert len(predictions(wired.ports)) == 3
    assert asked.as_of == SESSIONS[0]


def test_where_no_release_answers_the_step_fails_and_says_what_to_do(wired: Wired) -> None:
    steps(wired, SESSIONS[0], ("ingest", "materialise"))
    predict = dict(kind(wired.ports).steps)["predict"]
    argument = SessionSource("sample", symbols=("MSFT",)).argument(SESSIONS[0])

    with pytest.raises(MissingRecord, match="bellwether train"):
        predict(argument, {})


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"session": "2013-02-24"}, InvalidRequest, "not a session"),
        ({"session": "yesterday"}, InvalidRequest, "no date"),
        ({"session": 20130225}, InvalidRequest, "session"),
        ({"source": "nowhere"}, UnknownName, "Known: .*files.*sample"),
        ({"symbols": "AAPL"}, InvalidRequest, "symbols: a list"),
        ({"path": None}, InvalidRequest, "path"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused(
    wired: Wired, change: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        kind(wired.ports).check({**SOURCE.argument(SESSIONS[0]), **change})


@given(INSTANTS, st.integers(1, 10**6), st.text(min_size=1, max_size=8), st.integers(1, 20))
def test_an_id_is_a_uuid_of_its_instant(
    closed: datetime, later_s: int, symbol: str, horizon: int
) -> None:
    one = prediction_id(closed, symbol, horizon, "r1")
    parsed = uuid.UUID(one)

    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert str(parsed) == one
    assert one == prediction_id(closed, symbol, horizon, "r1")
    assert one != prediction_id(closed, symbol, horizon, "r2")
    assert one != prediction_id(closed, symbol, horizon + 1, "r1")
    assert one < prediction_id(closed + timedelta(seconds=later_s), symbol, horizon, "r1")
    assert month_of(one) == (closed.year, closed.month)
    assert bound(closed.year, closed.month) <= one


def test_the_clock_may_stand_at_an_instant(
    monkeypatch: pytest.MonkeyPatch, template: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("BELLWETHER_CLOCK", "2013-02-20T17:00:00-05:00")
    home = shutil.copytree(template, tmp_path / "home")
    with closing(bootstrap(load({"home": home})[0])) as made:
        clock = made.ports.clock
        assert clock.now() == datetime(2013, 2, 20, 22, tzinfo=UTC)
        assert clock.standing == ("clock_stands_at_2013-02-20T22:00Z",)
    assert clock.now().date() < KNOWN_UNTIL


@pytest.mark.parametrize("wrong", ["noon", "2013-02-20", "2013-02-20T22:00:00", "", "Auto"])
def test_a_clock_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("BELLWETHER_CLOCK", wrong)

    with pytest.raises(ConfigError, match="clock"):
        load()
