"""The pages in a real browser, without any network but loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright
from tests.fake_service import SYMBOLS, FakeService
from tests.served import served

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.enable_socket,  # the browser is driven over pipes and a socket pair
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(FakeService()) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Open a page that must not complain and must not ask anybody else for anything."""
    page = browser.new_page()
    complaints: list[str] = []
    strangers: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith(address):
            strangers.append(request.url)

    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", note)
    yield page
    page.close()
    assert complaints == []
    assert strangers == []


def overflow(page: Page) -> int:
    width: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width


def test_the_dashboard_shows_each_symbol_and_says_where_no_skill_was_shown(
    page: Page, address: str
) -> None:
    page.goto(address)

    assert page.locator(".card h3").all_inner_texts() == list(SYMBOLS)
    assert page.locator(".claim").all_inner_texts() == ["No skill shown"] * 4 + ["Skill shown"]
    assert page.locator("tr.model th").inner_text().startswith("lightgbm")
    assert "Sample data, ends 2013-03-01" in page.locator(".badges").inner_text()


def test_the_form_gives_an_answer(page: Page, address: str) -> None:
    page.goto(address)
    page.fill("textarea", "Strong earnings\n\nAnother one")
    page.check("input[name=explain]")
    page.click("#question button")
    page.wait_for_selector("#answer dl")

    told = page.locator("#answer").inner_text()
    assert "AAPL: up over the next session" in told
    assert "414.20 to 447.90 USD" in told
    assert "No skill shown: right 50.9% of 2016 times" in told
    assert "Sample data, ends 2013-03-01" in told


def test_the_form_tells_a_problem(browser: Browser, address: str) -> None:
    page = browser.new_page()  # the browser's console tells of it too, rightly
    page.goto(address)
    page.fill("input[name=symbol]", "NOPE")
    page.click("#question button")
    page.wait_for_selector("#answer .failed")

    assert page.locator("#answer").inner_text().startswith("Unknown name")
    assert "There is no symbol 'NOPE'" in page.locator("#answer").inner_text()
    page.close()


def test_the_manual_renders_and_its_forms_work(page: Page, address: str) -> None:
    page.goto(f"{address}/docs")
    form = page.locator("#predict form")
    page.click("#predict summary:has-text('Try it')")
    form.locator("button").click()
    form.locator("output pre").wait_for()

    assert page.locator("section.operation.panel").count() == 17
    assert '"direction": "up"' in form.locator("output").inner_text()

    record = page.locator("section.operation:has(h3 code:text-is('/backtest/{symbol}'))")
    record.locator("summary:has-text('Try it')").click()
    record.locator("form button").click()
    record.locator("output pre").wait_for()
    assert '"n": 30' in record.locator("output").inner_text()


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_fit_the_screen(page: Page, address: str, width: int, scheme: str, path: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(address + path)

    assert overflow(page) == 0
