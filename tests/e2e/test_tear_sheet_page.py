"""The tear sheet in a real browser: one file, nobody asked for anything, every chart answers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from tests.e2e.test_pages import ARGUMENTS, CHROMIUM, overflow
from tests.e2e.test_quality_page import contrast
from tests.sheets import FIRST, NASTY, bare, curve, tear_sheet, weekdays

from bellwether.reports.tearsheet import render

pytestmark = [
    pytest.mark.enable_socket,  # the browser is driven over pipes and a socket pair
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed"),
]
SESSIONS = 5_000
TRACES = {"equity": 6, "drawdown": 6, "sharpe": 6, "exposure": 2, "turnover": 2}
POINTS = {"calibration": 10, "ic": 5, "quantiles": 10, "degradation": 5}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "sheet.html"
    path.write_text(render(tear_sheet(SESSIONS, lag_0=True)), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """Open the page, which must not complain and must not ask anybody for anything."""
    made = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    heard: list[str] = []
    made.on("console", lambda message: heard.append(message.text))
    made.on("pageerror", lambda error: heard.append(str(error)))
    made.on("dialog", lambda dialog: heard.append(dialog.message))
    made.on("request", lambda request: heard.append(request.url))
    made.goto(file.as_uri())
    yield made
    made.close()
    assert [h for h in heard if not h.startswith(("file:", "data:"))] == []


def chart(page: Page, name: str) -> Locator:
    """Scroll to a chart and return its drawing, once it is drawn."""
    found = page.locator(f"#c-{name} svg[role=slider]")
    found.scroll_into_view_if_needed()
    page.locator(f"#c-{name} svg[data-traces]").wait_for()
    return found


def drawn(page: Page, name: str) -> list[str]:
    return (
        chart(page, name).locator(".line").evaluate_all("all => all.map(p => p.getAttribute('d'))")
    )


def tip(page: Page, name: str) -> str:
    return page.locator(f"#c-{name} .tip").inner_text()


def drag(page: Page, name: str, begin: float, end: float) -> None:
    box = chart(page, name).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + begin * box["width"], box["y"] + 0.7 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 0.75 * box["height"], steps=3)
    page.mouse.up()


def test_every_chart_is_drawn_when_it_is_reached(page: Page) -> None:
    assert page.locator("#c-degradation svg[data-traces]").count() == 0
    for name, n in TRACES.items():
        lines = drawn(page, name)
        assert len(lines) == n
        assert all(len(d) > 1000 and "NaN" not in d for d in lines)
    for name, n in POINTS.items():
        assert chart(page, name).locator("circle.dot, rect.column").count() == n
        assert chart(page, name).locator(".whisker").count() == n


def test_hovering_reads_every_line_and_moves_every_cursor(page: Page) -> None:
    chart(page, "equity").hover(position={"x": 500, "y": 120})
    told = tip(page, "equity").split("\n")

    assert told[0].startswith("19")
    assert told[1::2] == ["Model", "Momentum 12-1", "Equal weight", "Always up", "Coin", "S&P 500"]
    assert all(float(value.replace(",", "")) > 0 for value in told[2::2])
    assert page.locator("#c-drawdown .cursor").count() == 1
    chart(page, "quantiles").hover(position={"x": 80, "y": 60})
    assert "quantile: 1" in tip(page, "quantiles")
    assert "n = 1,000" in tip(page, "quantiles")


def test_a_curve_is_switched_off_in_all_charts(page: Page) -> None:
    key = page.locator(".key", has_text="Coin")
    drawn(page, "drawdown")
    key.click()

    assert key.get_attribute("aria-pressed") == "false"
    assert len(drawn(page, "equity")) == len(drawn(page, "drawdown")) == 5
    assert page.locator("#c-equity .end", has_text="Coin").count() == 0
    key.click()
    assert len(drawn(page, "equity")) == 6


def test_the_scale_of_equity_is_switched(page: Page) -> None:
    before = drawn(page, "equity")
    page.locator(".switch label", has_text="linear").click()
    assert drawn(page, "equity") != before
    page.locator(".switch label", has_text="log").click()
    assert drawn(page, "equity") == before


def test_dragging_zooms_all_charts_and_shows_every_session(page: Page) -> None:
    whole = drawn(page, "sharpe")
    drag(page, "equity", 0.4, 0.42)
    stretch = page.locator("select[name=span] option:checked").inner_text()
    first, last = stretch.split(" to ")
    inside = len([d for d in weekdays(FIRST, SESSIONS) if first <= str(d) <= last])

    assert drawn(page, "sharpe") != whole
    assert 20 < inside < 400
    assert abs(drawn(page, "equity")[-1].count(" ") - inside) <= 2
    page.locator(".bar button", has_text="Show all").click()
    assert drawn(page, "sharpe") == whole


def test_a_crisis_and_a_year_can_be_chosen(page: Page) -> None:
    drawn(page, "equity")
    page.select_option("select[name=span]", label="1987 crash")
    assert "1987-10" in str(chart(page, "equity").text_content())
    page.locator("[data-months='0'] button", has_text="1988").click()
    assert (
        page.locator("select[name=span] option:checked").inner_text() == "1988-01-01 to 1988-12-31"
    )
    chart(page, "equity").dblclick(position={"x": 300, "y": 100})
    assert page.locator("select[name=span]").input_value() == "all"


def test_charts_are_read_and_zoomed_by_key(page: Page) -> None:
    slider = chart(page, "drawdown")
    assert "deepest" in str(slider.get_attribute("aria-valuetext"))
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Home")
    assert str(slider.get_attribute("aria-valuetext")).startswith("1980-01-02; Model 0.00%")
    page.keyboard.press("ArrowRight")
    assert not str(slider.get_attribute("aria-valuetext")).startswith("1980-01-02")
    page.keyboard.press("+")
    assert page.locator("select[name=span]").input_value() == "own"
    page.keyboard.press("Escape")
    assert page.locator("select[name=span]").input_value() == "all"


def test_parts_of_a_chart_of_points_are_switched_and_zoomed(page: Page) -> None:
    found = chart(page, "calibration")
    page.locator("#c-calibration .key", has_text="intervals").click()
    page.locator("#c-calibration .key", has_text="ideal").click()
    assert found.locator(".whisker, .reference").count() == 0
    before = found.text_content()
    drag(page, "calibration", 0.3, 0.7)
    assert found.text_content() != before
    page.locator("#c-calibration [data-whole]").click()
    assert found.text_content() == before


def test_tables_are_sorted_and_sifted(page: Page) -> None:
    table = page.locator("table.data", has=page.locator("caption", has_text="Symbol by symbol"))
    column = table.locator("tbody tr > :nth-child(5)")

    def shown() -> list[float]:
        texts = [text.replace("\N{MINUS SIGN}", "-") for text in column.all_inner_texts()]
        return [float(text) for text in texts if text != "\N{EN DASH}"]

    table.locator("thead button", has_text="IC").click()
    assert shown() == sorted(shown(), reverse=True)
    assert column.last.inner_text() == "\N{EN DASH}"
    table.locator("thead button", has_text="IC").click()
    assert shown() == sorted(shown())
    assert column.last.inner_text() == "\N{EN DASH}"
    assert table.locator("th[aria-sort=ascending]").inner_text().startswith("IC")
    table.locator("thead button", has_text="Symbol").focus()
    page.keyboard.press("Enter")
    assert table.locator("tbody th").first.inner_text() == NASTY
    page.fill("input[aria-label='Filter: Symbol by symbol']", "sym39")
    assert table.locator("tbody tr:visible").count() == 10


def test_months_of_another_curve(page: Page) -> None:
    page.select_option("select[name=months]", label="Coin")
    assert page.locator(".heat:visible").get_attribute("aria-label") == "Months of Coin"


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_fits_and_can_be_read(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for name in (*TRACES, *POINTS):
        chart(page, name)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert overflow(page) == 0
        assert_readable(page)


def assert_readable(page: Page) -> None:
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for where in ("#title", ".warnings .stamped", ".plot text", ".data td", "figcaption p"):
        what = "fill" if where == ".plot text" else "color"
        ink = page.locator(where).first.evaluate(f"node => getComputedStyle(node).{what}")
        assert contrast(ink, paper) > 4.5, where
    strokes = page.locator("#c-equity .line").evaluate_all(
        "all => all.map(line => getComputedStyle(line).stroke)"
    )
    assert all(contrast(stroke, paper) > 3 for stroke in strokes)


def test_no_line_is_told_by_colour_alone(page: Page) -> None:
    chart(page, "equity")
    dashes = page.locator("#c-equity .line").evaluate_all(
        "all => all.map(p => getComputedStyle(p).strokeDasharray)"
    )

    assert len(set(dashes)) == 6
    assert page.locator("#c-equity .end").count() == 6


def test_the_page_prints_with_every_chart(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")
    assert page.locator("svg[data-traces]").count() == len(TRACES) + len(POINTS)


@pytest.mark.parametrize("n", [0, 1, 2, 60])
def test_little_to_show_is_shown_without_a_complaint(
    browser: Browser, tmp_path: Path, n: int
) -> None:
    heard: list[str] = []
    made = browser.new_page()
    made.on("pageerror", lambda error: heard.append(str(error)))
    made.on("console", lambda message: heard.append(message.text))
    days = weekdays(FIRST, n)
    sheet = bare(curve("Model", "model", days, 0.0, 1) if n > 1 else None)
    if n == 1:
        one = curve("Model", "model", weekdays(days[0], 2), 0.0, 1)
        flat = {
            "drawdown": [0.0],
            "rolling_sharpe": [None],
            "gross_exposure": [1.0],
            "net_exposure": [1.0],
            "turnover": [0.0],
        }
        sheet = replace(sheet, curves=[replace(one, sessions=days, wealth=[1.0], **flat)])
    (tmp_path / "little.html").write_text(render(sheet), encoding="utf-8")
    made.goto((tmp_path / "little.html").as_uri())

    figures = made.locator("figure[data-chart]")
    assert (figures.count() > 0) == (n > 0)
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        figure.locator("svg[data-traces]").wait_for()
        assert "NaN" not in figure.inner_html()
    if n:
        chart(made, "equity").hover(position={"x": 200, "y": 60})
        assert "Model" in tip(made, "equity")
    made.close()
    assert heard == []


def test_ruin_is_drawn_at_the_floor(browser: Browser, tmp_path: Path) -> None:
    days = weekdays(FIRST, 100)
    worth = [*(1.0 + 0.1 * i for i in range(50)), *[0.0] * 50]
    lost = replace(curve("Model", "model", days, 0.0, 1), wealth=worth)
    (tmp_path / "ruin.html").write_text(render(bare(lost)), encoding="utf-8")
    made = browser.new_page()
    made.goto((tmp_path / "ruin.html").as_uri())

    assert "Model was ruined on" in made.locator("#c-equity").inner_text()
    made.locator(".switch label", has_text="log").click()
    assert "NaN" not in drawn(made, "equity")[0]
    chart(made, "equity").hover(position={"x": 700, "y": 100})
    assert tip(made, "equity").split("\n")[-1] == "0.00"
    made.close()
