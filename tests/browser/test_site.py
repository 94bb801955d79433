"""The documentation is read from a disk, without a network, on a telephone as well."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

PROJECT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    subprocess.run(words, cwd=PROJECT, check=True, capture_output=True)  # noqa: S603 our own words
    return folder


@pytest.fixture
def page(request):
    with sync_api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(viewport=getattr(request, "param", WIDE))
        browser.close()


@pytest.mark.parametrize("page", [WIDE, NARROW], indirect=True, ids=["wide", "narrow"])
def test_no_page_asks_the_network_or_is_wider_than_the_screen(site, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    pages = sorted(site.glob("*.html"))
    assert len(pages) > 10
    for file in pages:
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), file.name
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


def test_the_search_works_on_a_disk(site, page):
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("f")
    page.keyboard.type("excel")
    page.wait_for_selector(".md-search-result__item")
    assert "outputs" in page.inner_html(".md-search-result__list")
