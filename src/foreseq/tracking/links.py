"""Where people look at runs."""

from foreseq.config.dataset import without_secrets
from foreseq.errors import ConfigError
from foreseq.tracking import store

LOCAL_PAGES = "http://127.0.0.1:5000"
"""Where `foreseq ui` answers."""
VIEW = "workflowType=machine_learning"
"""Without it MLflow shows its pages for language models, whatever the tags say."""

REPORT = "report.html"
"""A run's page that needs nothing but itself."""


def ui_link(run_id: str) -> str:
    """Return where a run is seen once `foreseq ui` is up, or on the tracking server.

    Raises:
        ConfigError: If there is none of that id.
    """
    experiment = store.get_run(run_id).info.experiment_id
    return f"{_pages()}/#/experiments/{experiment}/runs/{run_id}?{VIEW}"


def report_link(run_id: str) -> str:
    """Return where the report of a run is seen.

    Raises:
        ConfigError: If there is none of that id.
    """
    page, _, view = ui_link(run_id).rpartition("?")
    return f"{page}/artifacts/{REPORT}?{view}"


def compare_link(model: str) -> str:
    """Return where all runs of a model are compared side by side.

    Raises:
        ConfigError: If nothing was tried under that name.
    """
    found = store.open_store().get_experiment_by_name(model)
    if found is None:
        raise ConfigError(f"{model}: nothing was tried under that name; train it first")
    return f"{_pages()}/#/experiments/{found.experiment_id}/runs?{VIEW}&compareRunsMode=CHART"


def _pages() -> str:
    return without_secrets(store.address()).rstrip("/") if store.is_served() else LOCAL_PAGES
