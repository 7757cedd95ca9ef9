"""The tear sheet: what it refuses, what it escapes, what it leaves out, how big it gets."""

import base64
import json
import math
import re
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from tests.sheets import NASTY, PLAYERS, bare, curve, tear_sheet, weekdays

from bellwether.core.errors import InvalidRequest
from bellwether.reports.cells import cell
from bellwether.reports.tearsheet import render
from bellwether.reports.tearsheet_data import SERIES, Curve, Picture, Point, Table, TearSheet
from bellwether.reports.tearsheet_series import chosen
from bellwether.reports.terminal import lines, spark
from bellwether.reports.words import DASH

DAYS = weekdays(date(2001, 1, 1), 30)
EMPTY = Table("Headline", (), ())


class Reader(HTMLParser):
    """Collects elements and text as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.open.append("/" + tag)

    def handle_data(self, text: str) -> None:
        self.texts.append(text)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


def floats(text: str) -> list[float]:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").tolist()


def one(wealth: list[float | None], **more: Any) -> Curve:
    return Curve("Model", "model", DAYS[: len(wealth)], wealth, **more)


def everywhere_nasty() -> TearSheet:
    named = Curve(NASTY, "model", DAYS, [1.0] * 30)
    return TearSheet(
        title=NASTY,
        subtitle=NASTY,
        verdict=(NASTY, NASTY),
        warnings=(NASTY, "lag 0 " + NASTY),
        facts=((NASTY, NASTY),),
        headline=Table(NASTY, (NASTY, "b"), [(NASTY, 1.0), (NASTY, None)], NASTY),
        curves=(named,),
        monthly={NASTY: [(2001, 1, 0.1)], "other" + NASTY: [(2001, 1, 0.1)]},
        quantiles=(Point(NASTY, 0.1, 0.0, 0.2, 5),),
        crises=((NASTY, DAYS[2], DAYS[4]),),
        tables=(Table(NASTY, (NASTY,), [(NASTY,)] * 20, NASTY),),
        provenance=((NASTY, NASTY),),
        pictures=(Picture(NASTY, NASTY, NASTY, NASTY, [Point(NASTY, 0.1, 0.0, 0.2, 5)]),),
        kind=NASTY,
    )


def test_text_stays_text_wherever_it_stands() -> None:
    page = render(everywhere_nasty())
    seen = Reader(page)

    assert seen.names.count("script") == 2
    assert NASTY not in page
    assert "".join(seen.texts).count(NASTY) > 30
    assert data_of(page)["curves"][0]["name"] == NASTY
    assert data_of(page)["crises"][0][0] == NASTY


def test_the_page_is_well_formed_and_names_no_other_host() -> None:
    page = render(tear_sheet(600))
    seen = Reader(page)

    assert len(seen.ids) == len(set(seen.ids))
    assert seen.names.count("h1") == 1
    assert seen.open.count("div") == seen.open.count("/div")
    assert seen.open.count("section") == seen.open.count("/section")
    assert (
        re.findall(
            r"(?:src|href)=\"(?!data:|#)[^\"]*\"|url\((?!#)|@import|\bfetch\(|import\(", page
        )
        == []
    )
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}


def test_what_must_be_read_first_comes_first() -> None:
    page = render(tear_sheet(600, lag_0=True))
    order = ["no more than momentum", "Lag 0 was asked", "Switched off", "Survivorship", "CAGR"]
    order += ['data-chart="equity"', "Year by year</h2>", "Symbol by symbol</h2>", "sha256:9f2c"]
    places = [page.index(text, page.index("<main")) for text in order]

    assert places == sorted(places)
    assert "lag 0: cannot be traded" in page
    assert "cannot be traded" not in render(tear_sheet(600))


def test_nothing_at_all_is_still_a_page() -> None:
    page = render(bare())

    assert "<h1" in page
    assert "<figure" not in page
    assert "<table" not in page
    assert 'id="months"' not in page
    assert 'id="provenance"' not in page


@pytest.mark.parametrize(
    "wealth",
    [
        [1.0],
        [1.0] * 30,
        [1.0, 0.5, 0.0, 0.0],
        [None, math.nan, math.inf, -math.inf],
        [1.0, None, 1.2],
        [1.0, -0.5],
        [1e-300, 1e300],
        [],
    ],
    ids=["one session", "constant", "ruin", "no value", "gap", "negative", "huge", "no session"],
)
def test_strange_curves_are_drawn(wealth: list[float | None]) -> None:
    sheet = bare(one(wealth, drawdown=[0.0] * len(wealth)))
    page = render(sheet)
    told = lines(sheet)

    assert data_of(page)["curves"][0]["name"] == "Model"
    assert "NaN" not in page.split("<main")[1].split("<script")[0]
    assert "nan" not in "\n".join(told)
    assert ("was ruined on 2001-01-03" in page) == (wealth == [1.0, 0.5, 0.0, 0.0])


def test_a_series_that_is_empty_has_no_chart() -> None:
    page = render(bare(one([1.0, 1.1], drawdown=[0.0, 0.0], turnover=[math.nan, math.nan])))

    assert re.findall(r'data-chart="(\w+)"', page) == ["equity", "drawdown"]


def test_points_without_value_are_left_out() -> None:
    points = [Point(1.0, math.nan, None, None, 0), Point(2.0, 0.1, math.nan, 0.2, 3)]
    page = render(replace(bare(), degradation=points, calibration=points[:1]))

    assert re.findall(r'data-chart="(\w+)"', page) == ["degradation"]
    assert data_of(page)["points"]["degradation"] == [[2.0, 0.1, None, 0.2, 3]]


def test_every_session_is_in_the_page_when_they_are_few() -> None:
    sheet = tear_sheet(900)
    told = data_of(render(sheet))

    assert len(told["calendars"]) == 1
    for given, packed in zip(sheet.curves, told["curves"], strict=True):
        for what in SERIES:
            assert floats(packed[what]) == pytest.approx(given.series(what), rel=1e-6, nan_ok=True)


def test_thinning_keeps_ends_and_extremes_and_is_said() -> None:
    days = weekdays(date(1800, 1, 1), 130_000)
    wealth = np.ones(len(days))
    wealth[77_777], wealth[33_333] = 9.0, 0.1
    long = Curve("Model", "model", days, wealth, *[np.zeros(len(days))] * 5)
    kept = chosen(long, 5_000)
    page = render(bare(long))

    assert {0, 33_333, 77_777, len(days) - 1} <= set(kept.tolist())
    assert len(kept) <= 5_002
    assert len(floats(data_of(page)["curves"][0]["wealth"])) < 130_000
    assert "of 130,000 values" in page
    assert "of 900 values" not in render(bare(curve(*PLAYERS[0][:2], days[:900], 0.0, 1)))


def test_a_long_history_of_many_is_quick_and_small() -> None:
    sheet = tear_sheet(11_000)
    begun = time.perf_counter()
    page = render(sheet)
    took = time.perf_counter() - begun

    assert took < 3
    assert len(page.encode()) < 12e6
    assert len(data_of(page)["curves"]) == 6


def test_equity_starts_logarithmic_only_where_that_can_be() -> None:
    def chosen_scale(wealth: list[float | None]) -> list[str]:
        return re.findall(r'value="(\w+)" checked', render(bare(one(wealth))))

    assert chosen_scale([1.0, 8.0]) == ["log"]
    assert chosen_scale([1.0, 1.1]) == ["linear"]
    assert chosen_scale([1.0, 8.0, 0.0]) == ["linear"]


def test_years_are_compounded_and_shaded() -> None:
    page = render(
        replace(bare(), monthly={"Model": [(2001, 1, 0.1), (2001, 2, -0.1), (2001, 3, math.nan)]})
    )

    assert '<td class="u4">10.0</td><td class="d4">\N{MINUS SIGN}10.0</td><td></td>' in page
    assert '<td class="d1">\N{MINUS SIGN}1.0</td></tr>' in page


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: one([1.0], drawdown=[0.0, 0.0]), "drawdown: Model has 2 values for 1 sessions"),
        (lambda: Curve("A", "model", DAYS[:2], [1.0]), "1 values for 2"),
        (lambda: Curve("A", "model", DAYS[1::-1], [1.0, 1.0]), "2001-01-01 follows 2001-01-02"),
        (lambda: Curve("A", "model", [DAYS[0]] * 2, [1.0, 1.0]), "2001-01-01 follows 2001-01-01"),
        (lambda: Curve("A", "model", [datetime(2001, 1, 1)], [1.0]), "without a time"),  # noqa: DTZ001
        (lambda: Curve("A", "modle", DAYS[:1], [1.0]), "'modle' is none of model"),  # type: ignore[arg-type]
        (lambda: Table("T", ("a", "b"), [(1,)]), "row 0 has 1 cells for 2 columns"),
        (lambda: Table("T", ("a",), [], formats=("percent",)), "'percent' is none of text"),
        (lambda: Table("T", ("a",), [], formats=("int", "int")), "2 for 1 columns"),
        (lambda: replace(bare(), curves=[one([1.0])] * 2), "more than one is called 'Model'"),
        (lambda: replace(bare(), monthly={"A": [(2001, 13, 0.1)]}), "no month 13 of 2001"),
        (lambda: replace(bare(), monthly={"A": [(2001, 1, 0.1)] * 2}), "A has 2001-01 more than"),
        (lambda: replace(bare(), crises=[("C", DAYS[1], DAYS[0])]), "before 2001-01-02"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(make: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(said)):
        make()


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, "pct", DASH),
        (math.nan, "num2", DASH),
        (-math.inf, "num2", "\N{MINUS SIGN}∞"),
        (0.1234, "pct", "12.3%"),
        (-0.0001, "num2", "0.00"),
        (-1234567.8, "usd", "\N{MINUS SIGN}$1,234,568"),
        (12.345, "usd", "$12.35"),
        (7.25, "bps", "7.2"),
        (11000, "", "11,000"),
        (0.5, "", "0.50"),
        (np.float32(0.5), "num4", "0.5000"),
        (np.int64(12), "", "12"),
        ("never", "pct", "never"),
        (True, "", "yes"),
        (date(2001, 1, 2), "text", "2001-01-02"),
        (2008, "text", "2008"),
    ],
)
def test_cells_are_written_as_people_read_them(value: object, form: str, text: str) -> None:
    assert cell(value, form) == text


@pytest.mark.parametrize("width", [0, 20, 33, 80, 200])
def test_the_terminal_is_never_too_narrow(width: int) -> None:
    told = lines(tear_sheet(300, lag_0=True), width)

    assert max(map(len, told)) <= max(width, 20)
    assert told[-1]


def test_the_terminal_is_told_the_verdict_and_never_obeys_a_name() -> None:
    sheet = replace(tear_sheet(300, lag_0=True), title="A\x1b[31m\nB\x07")
    told = lines(sheet)
    text = "\n".join(told)

    assert told[0] == "A [31m B"
    assert text.index("no more than momentum") < text.index("!! Lag 0 was asked")
    assert text.index("Lag 0 was asked") < text.index("! Switched off")
    assert "Symbol by symbol: 401 rows, in the report" in told
    assert "Result hash" in text
    assert lines(bare()) == ["Bare"]


def test_sparks_go_from_lowest_to_highest() -> None:
    assert spark(np.arange(8.0)) == "▁▂▃▄▅▆▇█"
    assert spark(np.array([1.0, math.nan, 2.0])) == "▁ █"
    assert spark(np.ones(3)) == "▄▄▄"
    assert spark(np.array([math.nan])) == spark(np.array([])) == ""
    assert len(spark(np.arange(1000.0), 40)) == 40


def test_no_value_is_lost_by_an_odd_container() -> None:
    days = [DAYS[0] + timedelta(days=i) for i in range(3)]
    for wealth in ([1, 2, 3], (1.0, 2.0, 3.0), np.array([1, 2, 3], dtype=np.int32)):
        assert Curve("A", "model", days, wealth).series("wealth").tolist() == [1.0, 2.0, 3.0]


def test_pictures_are_drawn_beside_each_other() -> None:
    points = [Point("a <b>", 0.1, 0.05, 0.2, 10), Point("none", math.nan, None, None, 0)]
    named = Picture("Hit rate", "By model.", "model", "hit rate", points)
    along = Picture(
        "Learning", "", "rows", "R2", [Point(10, 0.1, None, None, 1)], "fine", zero=True
    )
    nothing = Picture("Nothing", "", "x", "y", [])
    sheet = replace(bare(), pictures=[named, along, nothing], kind="Comparison")
    page = render(sheet)
    assert page.count('data-chart="picture-') == 2
    assert "<span>Comparison</span>" in page
    assert "a <b>" not in page
    data = data_of(page)
    assert data["points"]["picture-0"] == [["a <b>", 0.1, 0.05, 0.2, 10]]
    assert data["pictures"]["picture-1"]["form"] == "fine"
    for points, form in (([Point("a", 1, None, None, 1), *along.points], "fine"), ([], "colour")):
        with pytest.raises(InvalidRequest):
            Picture("x", "", "x", "y", points, form)  # type: ignore[arg-type]
