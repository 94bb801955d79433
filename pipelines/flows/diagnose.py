"""The flow that looks inside a recurrent stack and writes down what it saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from foreseq.config import Config, ResolvedCells, build, read_yaml
from foreseq.config.network import Units
from foreseq.diagnostics import gradients
from foreseq.diagnostics.probes import ProbeConfig
from foreseq.errors import ConfigError
from foreseq.pipelines.runtime import console
from foreseq.tracking import store
from foreseq.tracking.diagnosis import track


class ProbedCells(ResolvedCells):
    """A recurrent stack of one small layer unless told otherwise."""

    units: Units = (32,)


class DiagnosisConfig(Config):
    """Which stack is looked at, and with which task."""

    cells: ProbedCells = ProbedCells()
    """Its size and options; its kind is each of the three in turn."""
    probe: ProbeConfig = ProbeConfig()
    """What it is trained on in between."""


@dataclass(frozen=True)
class Diagnosed:
    """What was seen."""

    run_id: str
    summary: list[str]
    warnings: list[str]


def load_diagnosis(path: Path | None, overrides: Sequence[str]) -> DiagnosisConfig:
    """Take the cells of any experiment's YAML.

    Raises:
        ConfigError: If the file is missing or not YAML, or a field is unknown or out of bounds.
    """
    told = read_yaml(path) if path else {}
    network = told.get("network") or {}
    if not isinstance(network, dict):
        raise ConfigError(f"{path}: network must hold fields, found {network!r}")
    cells = {"cells": network["cells"]} if network.get("cells") else {}
    return build(DiagnosisConfig, cells, overrides, origin=str(path or "--set"))


@task(cache_policy=NO_CACHE)
def look(told: DiagnosisConfig) -> Diagnosed:
    """Measure and track; return what there is to say."""
    flows = gradients.gradient_flow(told.cells, told.probe)
    run_id = track(told.cells, told.probe, flows)
    summary = [
        f"{each.kind:<8} {each.stage:<24} {each.norms[0]:.1e} at lag 0, {each.norms[-1]:.1e} at lag"
        f" {len(each.norms) - 1}: {each.verdict}"
        for each in flows
    ]
    return Diagnosed(run_id, summary, gradients.warnings(flows))


@flow(name="diagnose-gradients")
def diagnose_gradients(told: DiagnosisConfig) -> Diagnosed:
    """Compare how gradients flow through the three cells, before and after training."""
    diagnosed = look(told)
    console.say(f"seen at  foreseq ui, then {store.ui_link(diagnosed.run_id)}")
    return diagnosed
