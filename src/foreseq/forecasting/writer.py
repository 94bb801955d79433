"""Forecasts of many series as a folder: Parquet parts, a manifest, and `_SUCCESS` if all is there.

One writer for both roads: `write` forecasts a panel in memory, `bulk` forecasts file by file. Both
make parts by `write_part` and end with `seal`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from foreseq.config import Config
from foreseq.durable import files
from foreseq.errors import ConfigError
from foreseq.forecasting import partition
from foreseq.forecasting.ensemble import NOT_FINITE, Ensemble, table, with_sample_paths
from foreseq.forecasting.output import By
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows

MANIFEST, SUCCESS = "_manifest.json", "_SUCCESS"
"""With an underscore: most readers of a Parquet folder ignore such files."""
REPEATED = ["unique_id", "ds", "cutoff", "model_version"]
"""Columns of few values, written as Parquet dictionaries; forecasts all differ, so trying a
dictionary on them would only take time."""
PART = 50_000
"""Series in one Parquet part."""


class Request(Config):
    """What determines the forecasts of a folder: equal requests give equal folders."""

    model_version: str
    """Name and version of the forecaster."""
    model_digest: str
    """SHA-256 of its bundle."""
    data: str
    """Fingerprint of the histories and of how they are read."""
    horizon: int
    sample_paths: int = 0
    """Simulated trajectories of each series."""
    verdict: str = ""
    """The gate's on the forecaster, `published` or `rejected`; empty: it was not judged."""
    by: By = ""
    """How the parts are divided among folders; empty: they are not."""
    id_type: str = ""
    """As of the panel: ids that came as integers are integers."""

    def is_same(self, other: "Request") -> bool:
        """Return whether both ask for the same forecasts."""
        return all(getattr(self, name) == getattr(other, name) for name in Request.model_fields)


class Manifest(Request):
    """What a folder of forecasts holds, and what it was made of."""

    series: int
    """Series with a forecast."""
    rows: int
    parts: dict[str, str]
    """SHA-256 by path within the folder."""
    failures: dict[str, str]
    """Series without a forecast, and why."""
    refused: dict[str, str] = Field(default_factory=dict)
    """Input files that broke a rule as a whole, and which."""

    @property
    def is_complete(self) -> bool:
        """Whether every series has a forecast."""
        return not self.failures and not self.refused


class Part(Config):
    """One Parquet part, or why there is none."""

    sha256: str | None
    """Of the file; None if the input was refused."""
    series: int
    """Series with a forecast."""
    rows: int
    failures: dict[str, str] = Field(default_factory=dict)
    """Series without a forecast, and why."""
    refused: str | None = None
    """Why the input as a whole was refused."""


class ForecastSource(NamedTuple):
    """A forecaster with its name and the digest that identifies it."""

    forecaster: Ensemble
    version: str
    digest: str
    sample_paths: int = 0
    """Trajectories to simulate for each series."""
    verdict: str = ""
    """The gate's."""
    by: By = ""
    """How to divide the parts among folders."""


def write(source: ForecastSource, panel: Panel, folder: Path) -> Manifest:
    """Forecast the steps after the last observation of every series, whole or not at all.

    A folder that already holds these forecasts stays untouched.

    Args:
        source: The forecaster.
        panel: The histories.
        folder: New, empty, or an older output of this function, which is replaced.

    Raises:
        ConfigError: If the folder holds something else, or the series are too many to divide.
    """
    check_replaceable(folder)
    partition.check(panel.n_series, source.by)
    request = Request(
        model_version=source.version,
        model_digest=source.digest,
        data=panel.fingerprint(),
        horizon=source.forecaster.experiment.dataset.horizon,
        sample_paths=source.sample_paths,
        verdict=source.verdict,
        by=source.by,
        id_type=panel.id_type,
    )
    if manifest := existing(folder, request):
        return manifest
    with files.new_folder(folder) as temporary:
        chosen, failures = forecastable(source, panel)
        size = -(-PART // (1 + source.sample_paths))
        parts = [
            write_part(source, panel, batch, temporary / part_name(number))
            for number, batch in enumerate(list(windows.batches(chosen, size)) or [chosen])
        ]
        parts[0] = with_failures(parts[0], failures)
        return seal(temporary, request, parts)


def forecastable(source: ForecastSource, panel: Panel) -> tuple[Windows, dict[str, str]]:
    """Return the newest windows that can be forecast, and by series why the others cannot."""
    newest = windows.newest(panel)
    skipped = source.forecaster.skipped(panel, newest)
    keep = np.ones(newest.count, bool)
    keep[list(skipped)] = False
    return newest.take(keep), {str(panel.ids[row]): reason for row, reason in skipped.items()}


def write_part(source: ForecastSource, panel: Panel, chosen: Windows, file: Path) -> Part:
    """Forecast some windows into a Parquet file; a forecast that is no number is a failure."""
    frame = forecast(source, panel, chosen)
    finite = np.isfinite(frame.select_dtypes("number").to_numpy()).all(axis=1)
    failed = frame["unique_id"][~finite].unique().tolist()
    if failed:
        frame = frame[~frame["unique_id"].isin(failed)]
    if source.verdict:
        frame.attrs["verdict"] = source.verdict  # Parquet keeps it
    store(frame, file)
    return Part(
        sha256=files.sha256(file),
        series=chosen.count - len(failed),
        rows=len(frame),
        failures=dict.fromkeys(map(str, failed), NOT_FINITE),
    )


def with_failures(part: Part, failures: dict[str, str]) -> Part:
    """Return a part with the failures of series that were not forecast at all."""
    return part.model_copy(update={"failures": failures | part.failures})


def seal(
    folder: Path, request: Request, parts: Sequence[Part], inputs: Sequence[str] = ()
) -> Manifest:
    """Write the manifest next to the parts, and `_SUCCESS` if every series has a forecast.

    Before, the parts are divided among folders, if that is asked for.

    Args:
        folder: Holds the parts under their `part_name`.
        request: What was asked for.
        parts: In the order of their numbers.
        inputs: Name of the input file of each part.
    """
    made = {part_name(n): part.sha256 for n, part in enumerate(parts) if part.sha256}
    manifest = Manifest(
        **{name: getattr(request, name) for name in Request.model_fields},
        series=sum(part.series for part in parts),
        rows=sum(part.rows for part in parts),
        parts=partition.divide(folder, list(made), request.by) if request.by else made,
        failures={name: reason for part in parts for name, reason in part.failures.items()},
        refused={inputs[n]: part.refused for n, part in enumerate(parts) if part.refused},
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if manifest.is_complete:
        (folder / SUCCESS).touch()
    return manifest


def summary(manifest: Manifest, folder: object) -> str:
    """Return a line on forecasts and where they are."""
    failed = f", {len(manifest.failures)} without" if manifest.failures else ""
    refused = f", {len(manifest.refused)} files refused" if manifest.refused else ""
    rejected = f", by {manifest.model_version}, which the gate rejected"
    return (
        f"forecast {manifest.series} series x {manifest.horizon} steps{failed}{refused} in {folder}"
        f"{rejected if manifest.verdict == 'rejected' else ''}"
    )


def part_name(number: int) -> str:
    """Return the file name of a part."""
    return f"part-{number:05}.parquet"


def store(frame: pd.DataFrame, file: Path) -> None:
    """Write a forecast table as Parquet.

    Times are in microseconds, as Spark cannot read nanoseconds, unless that would change them.
    """
    times = frame.select_dtypes(["datetime", "datetimetz"])
    unit = None if any(times[name].dt.nanosecond.any() for name in times) else "us"
    frame.to_parquet(file, index=False, use_dictionary=REPEATED, coerce_timestamps=unit)


def read(folder: Path) -> pd.DataFrame:
    """Return the forecast table of a folder that `write` wrote."""
    return pd.concat(tables(folder), ignore_index=True)


def tables(folder: Path) -> Iterator[pd.DataFrame]:
    """Yield the forecast table of each part, with no more columns than its file has."""
    for file in sorted(folder.rglob("part-*.parquet")):
        yield pd.read_parquet(file, partitioning=None)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder of forecasts; None if it is not one."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None


def existing(folder: Path, request: Request) -> Manifest | None:
    """Return the manifest of a folder that holds the forecasts asked for, undamaged; else None."""
    manifest = read_manifest(folder)
    if manifest and is_whole(folder, manifest) and manifest.is_same(request):
        return manifest
    return None


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Return whether a folder holds what its manifest says, byte for byte."""
    return (folder / SUCCESS).exists() == manifest.is_complete and all(
        (folder / name).is_file() and files.sha256(folder / name) == digest
        for name, digest in manifest.parts.items()
    )


def check_replaceable(folder: Path) -> None:
    """Check that a folder is new, empty, or holds nothing but forecasts.

    Raises:
        ConfigError: If it holds other files.
    """
    if not folder.exists():
        return
    manifest = read_manifest(folder)
    parts = [Path(part) for part in manifest.parts] if manifest else []
    ours = {Path(MANIFEST), Path(SUCCESS), *parts, *(part.parent for part in parts)}
    there = {file.relative_to(folder) for file in folder.rglob("*")}
    if not folder.is_dir() or there - (ours if manifest else set()):
        raise ConfigError(
            f"{folder}: must be a new folder or one of forecasts, found other files; name another"
        )


def forecast(source: ForecastSource, panel: Panel, chosen: Windows) -> pd.DataFrame:
    """Return the forecast table of some windows."""
    ensemble = source.forecaster
    forecasts = ensemble(panel, chosen)
    result = table(panel, chosen, forecasts, ensemble.levels, version=source.version)
    if not source.sample_paths:
        return result
    drawn = ensemble.sample_paths(panel, chosen, forecasts, source.sample_paths)
    return with_sample_paths(result, drawn)
