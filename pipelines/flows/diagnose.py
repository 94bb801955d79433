"""The flow that measures how gradients flow through a recurrent stack."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from foreseq.config import Config, ResolvedCells, build, read_yaml
from foreseq.config.network import Units
from foreseq.diagnostics import gradients
from foreseq.diagnostics.probes import ProbeConfig
from foreseq.errors import ConfigError
from foreseq.pipelines.runtime import console
from foreseq.pipelines.runtime.flows import flow
from foreseq.tracking import store
from foreseq.tracking.diagnosis import track


class ProbedCells(ResolvedCells):
    """A recurrent stack, of one small layer by default."""

    units: Units = (32,)


class DiagnosisConfig(Config):
    """The stack to diagnose, and the task it is trained on."""

    cells: ProbedCells = ProbedCells()
    """Size and options; each of the three cell types is diagnosed."""
    probe: ProbeConfig = ProbeConfig()
    """The task between the two measurements."""


@dataclass(frozen=True)
class Diagnosed:
    """What was measured."""

    run_id: str
    summary: list[str]
    warnings: list[str]


def load_diagnosis(path: Path | None, overrides: Sequence[str]) -> DiagnosisConfig:
    """Read the cells of an experiment's YAML.

    Raises:
        ConfigError: If the file is missing or not YAML, or a field is unknown or out of bounds.
    """
    network = (read_yaml(path) if path else {}).get("network") or {}
    if not isinstance(network, dict):
        raise ConfigError(f"{path}: network must hold fields, found {network!r}")
    cells = {"cells": network["cells"]} if network.get("cells") else {}
    return build(DiagnosisConfig, cells, overrides, origin=str(path or "--set"))


@task(cache_policy=NO_CACHE)
def measure(config: DiagnosisConfig) -> Diagnosed:
    """Measure and track the gradients of each cell type."""
    flows = gradients.gradient_flow(config.cells, config.probe)
    run_id = track(config.cells, config.probe, flows)
    summary = [
        f"{one.kind:<8} {one.stage:<24} {one.norms[0]:.1e} at lag 0, {one.norms[-1]:.1e} at lag"
        f" {len(one.norms) - 1}: {one.verdict}"
        for one in flows
    ]
    return Diagnosed(run_id, summary, gradients.warnings(flows))


@flow("diagnose-gradients")
def diagnose_gradients(config: DiagnosisConfig) -> Diagnosed:
    """Compare how gradients flow through the three cell types, before and after training."""
    diagnosed = measure(config)
    console.say_run(diagnosed.run_id, store.ui_link(diagnosed.run_id))
    return diagnosed
