"""Forecasts of many series as a folder: Parquet parts, a manifest, `_SUCCESS` when all is there."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from foreseq.config import Config
from foreseq.durable import files
from foreseq.errors import ConfigError
from foreseq.forecasting.ensemble import Ensemble, table, with_paths
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

MANIFEST, SUCCESS = "_manifest.json", "_SUCCESS"
"""With an underscore, so that whoever reads the folder as Parquet reads the parts alone."""
REPEATED = ["unique_id", "ds", "cutoff", "model_version"]
"""Columns whose values come again: Parquet writes those as a dictionary, faster than it tries the
same on forecasts, which all differ."""
PART = 50_000
"""Series in one Parquet part."""


class Manifest(Config):
    """What a folder of forecasts holds, and what it was made of."""

    model_version: str
    """Name and version of the forecaster."""
    model_digest: str
    """SHA-256 of its bundle."""
    data: str
    """Fingerprint of the histories."""
    horizon: int
    series: int
    """Series forecast."""
    rows: int
    parts: dict[str, str]
    """File name to its SHA-256."""
    failures: dict[str, str]
    """Series without a forecast, and why."""
    paths: int = 0
    """Simulated paths of each series."""
    refused: dict[str, str] = Field(default_factory=dict)
    """Input files that broke a rule as a whole, and which."""


class ForecastSource(NamedTuple):
    """What forecasts: the name, and the digest that identifies it."""

    forecaster: Ensemble
    version: str
    digest: str
    paths: int = 0
    """Paths to simulate for each series."""


def write(source: ForecastSource, panel: Panel, folder: Path) -> Manifest:
    """Forecast what follows the last observation of every series, whole or not at all.

    A folder that holds the very forecasts already is left as it is.

    Args:
        source: What forecasts.
        panel: The histories.
        folder: New, empty, or an older output of this function, which is replaced.

    Raises:
        ConfigError: If the folder holds something else.
    """
    may_be_replaced(folder)
    there = read_manifest(folder)
    data = panel.fingerprint()
    if there and is_whole(folder, there) and _is_made_of(there, source, data):
        return there
    with files.new_folder(folder) as beside:
        chosen = windows.newest(panel)
        failures = source.forecaster.skipped(panel, chosen)
        parts = {}
        rows = 0
        answered = without(chosen, failures)
        for number, part in enumerate(
            list(windows.batches(answered, -(-PART // (1 + source.paths)))) or [answered]
        ):
            file = beside / f"part-{number:05}.parquet"
            frame = forecast(source, panel, part)
            store(frame, file)
            parts[file.name] = files.sha256(file)
            rows += len(frame)
        manifest = Manifest(
            model_version=source.version,
            model_digest=source.digest,
            data=data,
            horizon=source.forecaster.experiment.dataset.horizon,
            series=chosen.count - len(failures),
            rows=rows,
            parts=parts,
            failures={str(panel.ids[row]): reason for row, reason in failures.items()},
            paths=source.paths,
        )
        conclude(beside, manifest)
    return manifest


def store(frame: pd.DataFrame, file: Path) -> None:
    """Write a forecast table as Parquet."""
    frame.to_parquet(file, index=False, use_dictionary=REPEATED)


def read(folder: Path) -> pd.DataFrame:
    """Return the forecast table of a folder that `write` wrote."""
    parts = [pd.read_parquet(file) for file in sorted(folder.glob("part-*.parquet"))]
    return pd.concat(parts, ignore_index=True)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder of forecasts; None if it is not one."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None


def may_be_replaced(folder: Path) -> None:
    """See that nothing in a folder is anyone else's.

    Raises:
        ConfigError: If something is.
    """
    if not folder.exists():
        return
    manifest = read_manifest(folder)
    ours = {MANIFEST, SUCCESS, *manifest.parts} if manifest else set()
    if not folder.is_dir() or any(file.name not in ours for file in folder.iterdir()):
        raise ConfigError(
            f"{folder}: must be a new folder or one of forecasts, found other files; name another"
        )


def conclude(folder: Path, manifest: Manifest) -> None:
    """Write the manifest beside the parts, and `_SUCCESS` if no series is without a forecast."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if not manifest.failures and not manifest.refused:
        (folder / SUCCESS).touch()


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Tell whether a folder holds what its manifest says, byte for byte."""
    complete = not manifest.failures and not manifest.refused
    return (folder / SUCCESS).exists() == complete and all(
        (folder / name).is_file() and files.sha256(folder / name) == digest
        for name, digest in manifest.parts.items()
    )


def _is_made_of(manifest: Manifest, source: ForecastSource, data: str) -> bool:
    asked = (source.version, source.digest, source.paths)
    made = (manifest.model_version, manifest.model_digest, manifest.paths)
    return manifest.data == data and asked == made


def without(chosen: Windows, failures: dict[int, str]) -> Windows:
    """Return the windows that have an answer."""
    keep = np.ones(chosen.count, bool)
    keep[list(failures)] = False
    return chosen.take(keep)


def forecast(source: ForecastSource, panel: Panel, part: Windows) -> pd.DataFrame:
    """Return the forecast table of some windows."""
    answers = source.forecaster(panel, part)
    told = table(panel, part, answers, source.forecaster.levels, version=source.version)
    if not source.paths:
        return told
    return with_paths(told, source.forecaster.paths(panel, part, answers, source.paths))
