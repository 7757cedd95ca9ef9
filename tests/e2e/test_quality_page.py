"""The quality page in a real browser: one file, nobody asked for anything, readable everywhere."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.e2e.test_pages import ARGUMENTS, CHROMIUM, overflow

from bellwether.reports.quality import page as render

pytestmark = [
    pytest.mark.enable_socket,  # the browser is driven over pipes and a socket pair
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed"),
]
DAYS = [date(2008, 1, 2) + timedelta(days=i) for i in range(1500)]
NASTY = '<img src="https://evil.example/x" onerror="alert(1)">'
LEVELS = ("fault", "suspect", "note")


def flag(i: int) -> dict[str, Any]:
    return {
        "symbol": ("AAA", "BBB", "A&B")[i % 3],
        "session": str(DAYS[(i * 37) % len(DAYS)]),
        "kind": ("decimal_slip", "missing_session", "outlier")[i % 3],
        "field": "close",
        "severity": LEVELS[i % 3],
        "score": 100.0 - i,
        "detail": NASTY if i == 0 else f"close {i} is 100 times its neighbours",
        "source": "files",
        "treatment": "flag",
    }


def report(n: int = 90) -> dict[str, Any]:
    """Make what `QualityReport.as_json` gives, with `n` flags."""
    flags = [flag(i) for i in range(n)]
    about = [
        {"symbol": s, "bars": 1500, "judged": 1501, "faulty": n // 3, "share": 0.97}
        | {"counts": {"decimal_slip": n, "missing_session": 3}, "faults": {"decimal_slip": n}}
        for s in ("AAA", "BBB", "A&B")
    ]
    gate = {"passed": False, "bar": 0.98, "share": 0.97, "verdict": "refused"}
    gate |= {"failing": about, "passes_when": "AAA has at most 30 faulty of 1,501 (now 45)"}
    row = {"location": "p.csv:3", "reason": "high_below_low", "kind": "ohlc_contradiction"}
    row |= {"symbol": None, "session": None, "detail": NASTY, "source": "files", "counts": True}
    return {
        "verdict": "refused",
        "as_of": "2014-12-31",
        "watermark": "2026-11-24T12:00:00+00:00",
        "sources": ["files", "sample"],
        "bars": 4500,
        "judged": 4503,
        "faulty": n,
        "share": 0.97,
        "symbols": about,
        "counts": {"decimal_slip": n},
        "severities": dict.fromkeys(LEVELS, n // 3),
        "flags": flags,
        "rejected": [row],
        "gate": gate,
        "policy": {
            "treatments": {"decimal_slip": "winsorise", "missing_session": "flag"},
            "notes": "keep",
            "rejected_rows": "quarantine",
            "meaning": dict.fromkeys(("keep", "flag", "winsorise", "quarantine"), "is done"),
            "missing_values": {"session": "carried"},
            "thresholds": {"scale_window": 63},
        },
    }


def drawn() -> list[dict[str, Any]]:
    closes = [50 + 20 * abs((i % 300) / 150 - 1) for i in range(len(DAYS))]
    closes[700] *= 100
    return [{"symbol": s, "sessions": DAYS, "closes": closes} for s in ("AAA", "BBB", "A&B")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "quality.html"
    path.write_text(render(report(), drawn()), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """Open the page, which must not complain and must not ask anybody for anything."""
    made = browser.new_page()
    heard: list[str] = []
    made.on("console", lambda message: heard.append(message.text))
    made.on("pageerror", lambda error: heard.append(str(error)))
    made.on("dialog", lambda dialog: heard.append(dialog.message))
    made.on("request", lambda request: heard.append(request.url))
    made.goto(file.as_uri())
    yield made
    made.close()
    assert [h for h in heard if not h.startswith(("file:", "data:"))] == []


def test_the_page_names_no_other_host(file: Path) -> None:
    text = file.read_text().replace(NASTY, "")

    assert re.findall(r"(?:src|href)=\"(?!data:)[^\"]*\"|url\(|@import", text) == []
    assert "<img" not in text


def test_the_page_shows_what_was_found(page: Page) -> None:
    told = page.locator("main").inner_text()

    assert "97.00% of 4,503 sessions without fault" in told
    assert "gate refused" in page.locator(".verdict").inner_text()
    assert page.locator(".worst h3").all_inner_texts() == ["AAA", "BBB", "A&B"]
    assert page.locator(".price .mark.fault").count() == 30
    assert page.locator(".heat rect").count() == 4 * 5
    assert page.locator("#flags tbody tr").count() == 90
    assert NASTY in page.locator("#flags").inner_text()


def test_the_table_can_be_sifted(page: Page) -> None:
    page.fill("input[name=text]", "bbb 100 times")
    assert page.locator("output").inner_text() == "30 of 90 shown"
    page.fill("input[name=text]", "")
    page.select_option("select[name=level]", "fault")
    assert page.locator("#flags tbody tr:visible").count() == 30
    page.select_option("select[name=kind]", "outlier")
    assert page.locator("output").inner_text() == "0 of 90 shown"


@pytest.mark.parametrize("width", [400, 1300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_can_be_read(page: Page, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    shot = page.screenshot(full_page=True)

    assert overflow(page) == 0
    assert len(shot) > 30_000
    ink, paper = (
        page.evaluate(f"getComputedStyle(document.body).{name}")
        for name in ("color", "backgroundColor")
    )
    assert contrast(ink, paper) > 7


def contrast(one: str, other: str) -> float:
    """Return the contrast of two CSS colours as WCAG counts it."""

    def light(colour: str) -> float:
        parts = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
        lines = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * lines[0] + 0.7152 * lines[1] + 0.0722 * lines[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_page_prints(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")

    assert not page.locator(".filters").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")


def test_nothing_to_show_and_much_to_show(browser: Browser, tmp_path: Path) -> None:
    empty = report(0) | {"flags": [], "rejected": [], "symbols": [], "counts": {}}
    empty["gate"] = empty["gate"] | {"failing": [], "passed": True}
    (tmp_path / "none.html").write_text(render(empty, []))
    (tmp_path / "many.html").write_text(render(report(2100), []))
    made = browser.new_page()

    made.goto((tmp_path / "none.html").as_uri())
    assert "Nothing was flagged." in made.locator("main").inner_text()
    made.goto((tmp_path / "many.html").as_uri())
    assert made.locator("#flags tbody tr").count() == 2000
    assert "The 2,000 worst of 2,100" in made.locator("main").inner_text()
    made.close()
