"""What every command begins and ends with."""

import atexit
import gc
import json
import sys
from importlib import import_module
from math import isfinite
from typing import Any


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


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
