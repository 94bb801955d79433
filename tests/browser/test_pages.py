"""What people see in a browser: the report, and runs side by side in MLflow.

With FORESEQ_PICTURES=FOLDER the tests leave what they saw there (`make pictures`).
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foreseq.config import build_experiment
from foreseq.pipelines.flows.run import Ran, run
from foreseq.pipelines.runtime.server import answers
from foreseq.series import examples
from foreseq.tracking import run as runs
from foreseq.tracking import store, view

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CELLS = ("lstm", "gru", "simple")
PATIENCE = 120
PICTURES = os.environ.get("FORESEQ_PICTURES") and Path(os.environ["FORESEQ_PICTURES"]).absolute()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def trained(api, tmp_path_factory) -> Iterator[list[Ran]]:
    """Run the whole road three times on the same series, with a cell each."""
    place = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("PREFECT_API_URL", api)
        examples.write(Path("shop.csv"), series=20, freq="D", length=400, seed=1)
        config = {"dataset": {"name": "shop", "source": "shop.csv", "horizon": 14}}
        fields = ["auto.time_budget=30", "statistical_baselines.windows=12", "split.test_windows=3"]
        yield [
            run(build_experiment(config, [*fields, f"network.cells.kind={kind}"]), None)
            for kind in CELLS
        ]


@pytest.fixture(scope="module")
def ui(trained) -> Iterator[str]:
    """Serve `foreseq ui`; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = subprocess.Popen(  # noqa: S603 our own command
        [Path(sys.executable).with_name("foreseq"), "ui", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + PATIENCE
    while not answers(f"{address}/health"):
        assert served.poll() is None, "foreseq ui ended"
        assert time.monotonic() < deadline, "foreseq ui does not answer"
        time.sleep(0.5)
    yield address
    os.killpg(served.pid, signal.SIGTERM)
    served.wait(timeout=30)


@pytest.fixture
def page() -> Iterator["sync_api.Page"]:
    """Open a window of the Chromium that the machine has."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def test_the_experiment_lists_the_runs_by_name_with_measures_and_verdict(page, trained, ui):
    experiment = store.get_run(trained[0].run_id).info.experiment_id
    page.goto(f"{ui}/{view.link(experiment)}")
    for ran in trained:
        page.get_by_text(runs.find(ran.run_id).name).first.wait_for()
        page.get_by_text(ran.published.decision.verdict).first.wait_for()
    for column in ("test/mase", "test/skill", "test/crps"):
        page.get_by_text(column).first.wait_for()
    _keep(page, "runs")


def test_a_version_is_described_with_verdict_leaderboard_and_picture(page, trained, ui):
    version = trained[0].published.version
    page.goto(f"{ui}/#/models/{version.name}/versions/{version.version}?{store.VIEW}")
    page.get_by_text(trained[0].published.decision.reason).first.wait_for()
    page.get_by_role("cell", name="seasonal naive").wait_for()
    page.locator("img[src*=future]").wait_for()
    _keep(page, "version")


def test_the_compare_view_lines_the_runs_up(page, trained, ui):
    page.goto(_at(ui, store.compare_link("shop")))
    for ran in trained:
        page.get_by_text(runs.find(ran.run_id).name).first.wait_for()
    for metric in ("test/mase", "test/mase_by_horizon"):  # ours are the first charts
        page.get_by_text(metric, exact=True).first.wait_for()
    page.locator("svg.main-svg").first.wait_for()
    _keep(page, "compare")


def test_the_report_shows_the_future_and_has_its_sections(page, trained):
    report = store.open_store().download_artifacts(trained[0].run_id, "report.html")
    page.goto(Path(report).as_uri())
    page.locator('[data-chart="outlook"] canvas').wait_for()
    broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
    assert broken == 0
    shown = page.inner_text("body")
    for heading in ("Values of this forecast", "Leaderboard", "Prediction intervals", "Choices"):
        assert heading in shown
    assert "Not decided yet" not in shown
    _keep(page, "report")


def test_the_report_is_seen_within_mlflow(page, trained, ui):
    page.goto(_at(ui, store.report_link(trained[0].run_id)))
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Leaderboard").wait_for()
    frame.locator('[data-chart="outlook"] canvas').wait_for()


def _at(ui: str, link: str) -> str:
    """Return a link to MLflow's pages as the server at an address answers it."""
    return ui + link[link.index("/#/") :]


def _keep(page: "sync_api.Page", name: str) -> None:
    if PICTURES:
        for button in page.locator("[aria-label*=close i]:visible").all():
            button.click()  # MLflow's panel that offers help
        page.wait_for_timeout(2000)  # charts draw themselves a while
        page.screenshot(path=PICTURES / f"{name}.png")
