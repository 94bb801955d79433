"""Charts of a report in a browser: values under the pointer, zoom, choice of series."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from findings import make_findings

from foreseq.report import pictures
from foreseq.report.page import report_page

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
PLACES = ("share/nodejs", "lib/node_modules", "local/lib/node_modules")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

AXE = [
    *filter(None, [os.environ.get("AXE_CORE")]),
    *(f"/usr/{place}/axe-core/axe.min.js" for place in PLACES),
]
"""Files of axe-core, if it is installed; `npm install --global axe-core` does."""
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    findings = make_findings(freq="D")
    page = tmp_path_factory.mktemp("report") / "report.html"
    page.write_text(report_page(findings, pictures.draw(findings)), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, file) -> Iterator["sync_api.Page"]:
    """Open the report; it must neither ask for anything nor complain."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    yield page
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []
    page.close()


def point(page, share):
    """Move the pointer to a place between left and right of the first chart."""
    box = page.locator(".u-over").first.bounding_box()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def legend(page):
    return page.locator(".u-legend").first.inner_text()


def test_the_pointer_tells_time_forecast_and_intervals(page):
    page.get_by_label("next series").click()
    point(page, 0.999)
    assert "1970-03-05" in legend(page)  # the sixth day after sixty from 1969-12-30 on
    assert page.locator(".u-legend .u-value", has_text=" to ").count() == 2


def test_before_the_cutoff_the_pointer_tells_what_was_observed(page):
    point(page, 0.5)
    assert " to " not in legend(page)


def test_dragging_zooms_and_a_double_click_shows_all(page):
    point(page, 0.001)
    first = legend(page)
    point(page, 0.5)
    page.mouse.down()
    point(page, 0.8)
    page.mouse.up()
    point(page, 0.001)
    assert legend(page) != first
    page.locator(".u-over").first.dblclick()
    point(page, 0.001)
    assert "1969-12-30" in legend(page)  # before 1970, too


def test_a_series_is_found_by_a_part_of_its_name_and_by_its_rank(page):
    page.get_by_label("Series", exact=True).fill("C")
    page.keyboard.press("Enter")
    assert page.get_by_label("Series", exact=True).input_value() == "c"
    page.get_by_label("Order").select_option("name")
    assert "1 of 4" in page.locator("#place").inner_text()
    page.get_by_label("next series").click()
    assert page.get_by_label("Series", exact=True).input_value() == "a"
    page.get_by_text("Values of this forecast").click()
    assert page.locator("#values tbody tr").count() == 6


def test_the_page_opens_with_the_total_and_why_it_has_no_interval(page):
    assert page.get_by_label("Series", exact=True).input_value() == "total of 3 series"
    assert "has no interval" in page.locator("#note").inner_text()
    point(page, 0.999)
    assert " to " not in legend(page)


def test_the_parts_of_the_forecast_that_is_shown_add_up_to_it(page):
    page.get_by_text("Values of this forecast").click()
    for _ in range(4):  # the total and three series
        for row in page.locator("#values tbody").inner_text().splitlines():
            _, forecast, *_, level, season, rest = row.split("\t")
            together = float(level) + float(season) + float(rest)
            assert together == pytest.approx(float(forecast), abs=0.02)
        assert f"= level {level} " in page.locator("#sum").inner_text()
        page.get_by_label("next series").click()


def test_without_scripts_a_picture_shows_the_forecast(browser, file):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(file.as_uri())
    assert page.get_by_alt_text("Forecast of the largest series").is_visible()
    assert not page.get_by_label("Order").is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_is_no_wider_than_its_window(browser, file, scheme):
    page = browser.new_page(viewport=NARROW, color_scheme=scheme)
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    page.close()


def test_every_link_of_the_page_leads_to_a_place_on_it(page):
    missing = "[...document.links].filter(a => !document.querySelector(a.getAttribute('href')))"
    assert page.evaluate(f"{missing}.length") == 0
    page.get_by_role("link", name="Hardest series").click()
    page.locator("#hardest").wait_for()


def test_a_hard_series_is_shown_when_it_is_chosen(page):
    page.locator("[data-series=b]").click()
    assert page.get_by_label("Series", exact=True).input_value() == "b"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_out(browser, file, scheme):
    axe = next((place for place in AXE if Path(place).is_file()), None)
    if axe is None:
        pytest.skip("needs axe-core: npm install --global axe-core, or AXE_CORE=FILE")
    context = browser.new_context(viewport=NARROW, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
    page.add_script_tag(path=axe)
    found = page.evaluate("axe.run()")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    context.close()
