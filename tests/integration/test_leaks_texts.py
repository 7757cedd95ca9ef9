"""What is made of texts under audit: planted leaks are caught and named, the view is clean."""

import inspect
from datetime import timedelta

import polars as pl
import pytest
from tests.leaks import in_texts

from bellwether.audit.causal import THOROUGH, audit
from bellwether.audit.found import Panel, Subject
from bellwether.bootstrap import bootstrap
from bellwether.core.calendar import session_calendar
from bellwether.core.ports import Ports
from bellwether.features.texts import FRAME
from bellwether.features.views import Kept, view
from bellwether.pipelines.audit_chain import audit_view
from bellwether.pipelines.audit_panel import (
    last_sessions,
    of_source,
    with_texts,
    without_adjustment,
)
from bellwether.settings import Settings

PLANTED = sorted(
    name
    for name, f in inspect.getmembers(in_texts, inspect.isfunction)
    if f.__module__ == in_texts.__name__ and not name.startswith("_") and name != "clean_count"
)


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Ports:
    return bootstrap(Settings(home=tmp_path_factory.mktemp("texts"))).ports


@pytest.fixture(scope="module")
def panel(wired: Ports) -> Panel:
    bars = with_texts(of_source(None, ("AAPL", "IBM", "GOOG"), 0, wired, 3), view("text"), 0, wired)
    return without_adjustment(last_sessions(bars.panel, 700))


def never() -> bool:
    return False


def subject(name: str) -> Subject:
    return Subject(getattr(in_texts, name))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_is_caught_and_named(name: str, panel: Panel) -> None:
    found = audit(subject(name), panel, 0, THOROUGH, never).found

    mine = [a for a in found.alarms if a.kind == "later_text"]
    assert mine, [(a.check, a.kind, a.sentence) for a in found.alarms]
    assert (mine[0].feature, mine[0].symbol in panel.bars["symbol"]) == ("x", True)
    assert str(mine[0].session) in mine[0].sentence


def test_what_counts_texts_rightly_gives_no_alarm(panel: Panel) -> None:
    assert audit(subject("clean_count"), panel, 0, THOROUGH, never).found.alarms == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_view_of_texts_gives_no_alarm(panel: Panel, seed: int) -> None:
    found = audit_view(Kept(view("text")), panel, 1, session_calendar(), seed)

    assert found.alarms == []
    assert {"truncation", "late correction", "fit scope"} <= set(found.checks)


def test_the_view_with_texts_that_come_before_they_are_seen_is_caught(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a text were known from the morning of its day: after the close it is a look ahead."""

    def early(panel: Panel, kept: Kept, symbol: str) -> pl.DataFrame:
        del kept
        assert panel.texts is not None
        mine = panel.texts.filter(pl.col("symbol") == symbol).select(list(FRAME))
        return mine.with_columns(pl.col("known_at") - timedelta(hours=8))

    monkeypatch.setattr("bellwether.pipelines.audit_chain._texts", early)
    found = audit_view(Kept(view("text")), panel, 1, session_calendar())

    named = {a.feature for a in found.alarms if a.kind == "later_text"}
    assert {"text_tone", "text_count_1"} <= named, [(a.kind, a.sentence) for a in found.alarms]
