"""What every command begins and ends with."""

import atexit
import gc
import json
import re
import sys
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foreseq.config import fields
from foreseq.errors import ConfigError
from foreseq.pipelines.runtime import environment

if TYPE_CHECKING:
    from foreseq.config import DatasetConfig, ExperimentConfig


def begin(*flows: str) -> None:
    """Send what libraries say to a file; import flows while Prefect's server starts."""
    from foreseq.pipelines.runtime import console, server

    console.hush()
    atexit.register(gc.freeze)  # else TensorFlow's objects are collected at exit, for seconds
    if flows:
        ready = server.start()
        for flow in flows:
            import_module(f"foreseq.pipelines.flows.{flow}")
        ready()


def experiment_of(
    config: Path | None, data: str | None, horizon: int | None, overrides: list[str] | None
) -> "ExperimentConfig":
    """Read the experiment, before anything heavy is imported.

    Raises:
        ConfigError: If what is told does not make one.
    """
    from foreseq.config import build_experiment, load_experiment

    told = overrides or []
    if data is not None:
        if config is not None:
            raise ConfigError("give a config or --data, not both")
        if horizon is None:
            raise ConfigError("--data needs --horizon: how many steps to forecast")
        dataset = {"name": stem(data), "source": data, "horizon": horizon}
        return build_experiment({"dataset": dataset}, told, origin="--set")
    if config is None:  # the example works from any folder
        config = environment.EXAMPLE
        told = [f"dataset.source={environment.EXAMPLE_DATA}", *told]
    if horizon is not None:
        told = [*told, f"dataset.horizon={horizon}"]
    return load_experiment(config, told)


def seconds(budget: str) -> float:
    """Return the seconds in 90s, 10m or 1h.

    Raises:
        ConfigError: If it is written otherwise.
    """
    told = fields.seconds(budget)
    if told is None:
        raise ConfigError(f"--time-budget {budget}: write it as 90s, 10m or 1h")
    return told


def result(as_json: bool, **told: Any) -> None:
    """Write the result as one line of JSON, where asked for; what is not a number becomes null."""
    if as_json:
        sys.stdout.write(json.dumps({name: _json(value) for name, value in told.items()}) + "\n")
        sys.stdout.flush()


def histories(source: str | None) -> "DatasetConfig | None":
    """Return how a file of histories is read; the model says what it forecasts from it."""
    from foreseq.config import DatasetConfig

    if source is None:
        return None
    return DatasetConfig(name=stem(source), source=source, horizon=1)


def stem(source: str) -> str:
    """Name a dataset after its file."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source.partition("?")[0]).name.partition(".")[0])
    return name.strip("-._") or "panel"


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
