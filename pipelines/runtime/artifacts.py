"""What flow runs leave with Prefect: a page on a training, how far one has come, alarms."""

import base64
import re
import time
from typing import cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.events import emit_event

from foreseq.pipelines.runtime import console
from foreseq.pipelines.runtime.progress import Show
from foreseq.tracking import store, view

ALARM = "foreseq.alarm"
"""The event of an alarm; its payload has the `reason`."""
EVERY = 5.0
"""Seconds between two updates of the progress, at least."""


def training(run_id: str) -> None:
    """Write a page on a training: verdict, leaderboard, picture and links."""
    run = store.get_run(run_id)
    picture = base64.b64encode(view.picture(run_id)).decode("ascii")
    model = store.open_store().get_experiment(run.info.experiment_id).name
    parts = [
        re.sub("<br>|&emsp;", "", run.data.tags.get(store.NOTE, "")),
        f"![The forecast of one series](data:image/png;base64,{picture})" if picture else "",
        f"[Report]({store.report_link(run_id)}), [run in MLflow]({store.ui_link(run_id)}),"
        f" [all of {model} in MLflow]({store.compare_link(model)})",
        f"`foreseq open {run_id}` shows the report without a server.",
    ]
    create_markdown_artifact(
        key=_key(model),
        markdown="\n\n".join(part for part in parts if part),
        description=f"{run.info.run_name}: how good it is, and whether it was published",
    )


def tracked(show: Show) -> Show:
    """Return what shows where a training is, on Prefect's pages as well.

    What comes without a share comes after the training.
    """
    artifact = cast("UUID", create_progress_artifact(progress=0.0, description="Training"))
    written = time.monotonic()

    def track(stage: str, text: str, share: float | None = None, left: float | None = None) -> None:
        nonlocal written
        show(stage, text, share, left)
        if share is None or time.monotonic() - written > EVERY:
            written = time.monotonic()
            done = 100.0 if share is None else 100 * share
            update_progress_artifact(artifact, done, f"{stage}: {text}")

    return track


def alarm(name: str, reason: str) -> None:
    """Warn of a model or schedule, as an event that an automation can wait for."""
    console.say(f"warning  {name}: {reason}")
    resource = {"prefect.resource.id": f"foreseq.{_key(name)}", "prefect.resource.name": name}
    emit_event(ALARM, resource=resource, payload={"reason": reason})


def _key(name: str) -> str:
    """Return a name as Prefect takes it for a key.

    Example:
        >>> _key("Air_passengers 2")
        'air-passengers-2'
    """
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "training"
