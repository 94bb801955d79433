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

if TYPE_CHECKING:
    from foreseq.config import DatasetConfig


def begin(*flows: str) -> None:
    """Send what libraries say to a file; import flows while Prefect's server starts."""
    from pipelines import console, server

    console.hush()
    atexit.register(gc.freeze)  # else TensorFlow's objects are collected at exit, for seconds
    if flows:
        ready = server.start()
        for flow in flows:
            import_module(f"pipelines.{flow}")
        ready()


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
