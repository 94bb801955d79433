"""The main flow: ingest, train, publish through the gate, forecast."""

from dataclasses import dataclass
from pathlib import Path

from foreseq.config import ExperimentConfig, load_experiment
from foreseq.forecasting.bundle import Bundle
from foreseq.forecasting.output import Output
from foreseq.forecasting.writer import Manifest
from foreseq.pipelines.flows.forecast import deliver, folder_for, write
from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.flows.publish import Published, publish_training
from foreseq.pipelines.flows.train import train
from foreseq.pipelines.runtime import environment
from foreseq.pipelines.runtime.flows import flow


@dataclass(frozen=True)
class Ran:
    """A complete run: training, decision and forecasts."""

    run_id: str
    published: Published[Bundle]
    folder: Path
    """Where the forecasts are."""
    manifest: Manifest


@flow()
def run(
    experiment: ExperimentConfig | Path = environment.EXAMPLE, output: Output | None = None
) -> Ran:
    """Train, publish and forecast.

    The champion forecasts; a forecaster that the gate rejects forecasts only where there is no
    champion, and the table's `model_version` says so.

    Args:
        experiment: The experiment, or its YAML file.
        output: Where the forecasts go; None: `forecasts/MODEL/LAST TIME` under the data folder.
    """
    if isinstance(experiment, Path):
        experiment = load_experiment(experiment)
    ingested = ingest(experiment.dataset)
    trained = train(experiment, ingested)
    published = publish_training(trained.run_id, ingested.folder, trained.outcome)
    output = output or Output()
    folder = folder_for(output, experiment.model, ingested.repairs.last)
    manifest = write(published.serving, ingested.folder, folder, output, published.bundle)
    deliver(folder, manifest, output)
    return Ran(trained.run_id, published, folder, manifest)
