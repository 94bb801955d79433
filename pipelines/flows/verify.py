"""The flow that proves an experiment does not fool its user."""

from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from foreseq.config import ExperimentConfig
from foreseq.experiment import verify
from foreseq.experiment.verify import Finding
from foreseq.pipelines.flows.ingest import ingest
from foreseq.pipelines.runtime import console
from foreseq.selection import choose
from foreseq.series import panel


@task(cache_policy=NO_CACHE)
def look(experiment: ExperimentConfig, folder: Path) -> list[Finding]:
    """Look at one thing after the other, and say each as it is known."""
    series = panel.load(folder)
    findings = []
    for finding in verify.verify(choose.by_rules(experiment, series).experiment, series):
        console.say(f"{'holds' if finding.holds else 'FAILS':<8} {finding.name}: {finding.told}")
        findings.append(finding)
    return findings


@flow(name="verify")
def verify_experiment(experiment: ExperimentConfig) -> list[Finding]:
    """Train shortly on the data, on altered and on shuffled data; return what was found."""
    return look(experiment, ingest(experiment.dataset).folder)
