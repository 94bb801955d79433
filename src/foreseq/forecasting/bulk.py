"""Forecasts of more series than fit in memory: file by file, in any order, by any number of hands.

Each input file holds whole series and becomes one Parquet part. What is done is on the disk beside
the target, under what it is made of, so that a job that was stopped goes on, and two that make the
same do no harm to each other. The target appears when every file has been looked at.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.dataset as parquet
from numpy.typing import NDArray

from foreseq.config import Config, DatasetConfig
from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.forecasting import writer
from foreseq.forecasting.writer import ForecastSource, Manifest
from foreseq.ingest.fetch import content
from foreseq.ingest.read import read_file
from foreseq.ingest.table import to_panel
from foreseq.series import windows

ENDINGS = (".parquet", ".pq")


class Job(Config):
    """What is to be forecast, with what, and where to."""

    dataset: DatasetConfig
    """How the files are read: frequency, season and horizon are the forecaster's."""
    files: tuple[Path, ...]
    """The input, each file whole series."""
    series: tuple[int, ...]
    """How many in each file."""
    output: Path
    model_version: str
    model_digest: str
    data: str
    """Fingerprint of the input and of how it is read."""
    paths: int = 0
    """Paths to simulate for each series."""

    @property
    def beside(self) -> Path:
        """Where parts wait for the others, under what they are made of."""
        made_of = f"{self.model_version} {self.model_digest} {self.data} {self.paths}".encode()
        name = f".{self.output.name}.{hashlib.sha256(made_of).hexdigest()[:16]}"
        return self.output.with_name(name)


class Part(Config):
    """What became of one file."""

    sha256: str | None
    """Of the Parquet part; None: there is none, as the file was refused."""
    series: int
    """Series forecast."""
    rows: int
    failures: dict[str, str]
    """Series without a forecast, and why."""
    refused: str | None
    """Why the file as a whole was refused."""


def plan(dataset: DatasetConfig, source: Path, output: Path, version: str, digest: str) -> Job:
    """Look at the input, and at whether the output may be written.

    Args:
        dataset: How to read it.
        source: A file, or a folder of Parquet files.
        output: A new folder, or an older output, which is replaced.
        version: Name and version of the forecaster.
        digest: Of its bundle.

    Raises:
        ConfigError: If the output folder holds something else.
        DataRefused: If there is no file, or a series is in two of them.
    """
    writer.may_be_replaced(output)
    found = [source] if source.is_file() else sorted(_parquet_files(source))
    if not found:
        raise DataRefused(
            "a folder must hold Parquet files",
            found="none",
            file=str(source),
            remedy="name a CSV itself rather than its folder",
        )
    told = dataset.model_dump_json(exclude={"source"})
    return Job(
        dataset=dataset,
        files=tuple(found),
        series=_series(found, dataset),
        output=output.absolute(),
        model_version=version,
        model_digest=digest,
        data=hashlib.sha256(f"{content(source)} {told}".encode()).hexdigest(),
    )


def finished(job: Job) -> Manifest | None:
    """Return the manifest of the output if it is there already, whole and of this very job."""
    there = writer.read_manifest(job.output)
    if there and writer.is_whole(job.output, there):
        made_of = (there.model_version, there.model_digest, there.data, there.paths)
        asked = (job.model_version, job.model_digest, job.data, job.paths)
        return there if made_of == asked else None
    return None


def done(job: Job, number: int) -> Part | None:
    """Return what became of a file if it has been looked at, and its part is as it was written."""
    try:
        part = Part.model_validate_json(_record(job, number).read_bytes())
    except (OSError, ValueError):
        return None
    file = job.beside / _name(number)
    whole = part.sha256 is None or (file.is_file() and files.sha256(file) == part.sha256)
    return part if whole else None


def write(job: Job, number: int, source: ForecastSource) -> Part:
    """Forecast the series of one file, whole or not at all, unless that is done.

    Args:
        job: What it belongs to.
        number: Position of the file.
        source: What forecasts.
    """
    part = done(job, number)
    if part is None:
        part = _write(job, number, source)
        with files.new_file(_record(job, number)) as beside:
            beside.write_text(part.model_dump_json(indent=2), encoding="utf-8")
    return part


def finish(job: Job, parts: Sequence[Part]) -> Manifest:
    """Put the output in its place, now that every file has been looked at; return its manifest."""
    manifest = Manifest(
        model_version=job.model_version,
        model_digest=job.model_digest,
        data=job.data,
        horizon=job.dataset.horizon,
        series=sum(part.series for part in parts),
        rows=sum(part.rows for part in parts),
        parts={_name(n): part.sha256 for n, part in enumerate(parts) if part.sha256},
        failures={name: why for part in parts for name, why in part.failures.items()},
        refused={job.files[n].name: part.refused for n, part in enumerate(parts) if part.refused},
        paths=job.paths,
    )
    with files.new_folder(job.output) as beside:
        for name in manifest.parts:  # a job that is stopped here still has its parts
            _link(job.beside / name, beside / name)
        writer.conclude(beside, manifest)
    shutil.rmtree(job.beside, ignore_errors=True)
    return manifest


def _write(job: Job, number: int, source: ForecastSource) -> Part:
    file = job.files[number]
    told = job.dataset.model_copy(update={"source": str(file)})
    try:
        panel, _ = to_panel(read_file(file, told), told, file=str(file))
    except DataRefused as error:
        return Part(sha256=None, series=0, rows=0, failures={}, refused=str(error))
    chosen = windows.newest(panel)
    failures = source.forecaster.skipped(panel, chosen)
    frame = writer.forecast(source, panel, writer.without(chosen, failures))
    target = job.beside / _name(number)
    with files.new_file(target) as beside:
        writer.store(frame, beside)
    return Part(
        sha256=files.sha256(target),
        series=chosen.count - len(failures),
        rows=len(frame),
        failures={str(panel.ids[row]): reason for row, reason in failures.items()},
        refused=None,
    )


def _link(file: Path, target: Path) -> None:
    try:
        target.hardlink_to(file)
    except OSError:  # a file system without links
        shutil.copyfile(file, target)


def _name(number: int) -> str:
    return f"part-{number:05}.parquet"


def _record(job: Job, number: int) -> Path:
    return job.beside / f"part-{number:05}.json"


def _parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder, but not what was left half-written."""
    found = [file for file in folder.rglob("*") if file.suffix in ENDINGS and file.is_file()]
    return [
        file
        for file in found
        if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    ]


def _series(found: list[Path], dataset: DatasetConfig) -> tuple[int, ...]:
    """Return how many series each file has, after checking that none is in two files."""
    if len(found) == 1 and found[0].suffix not in ENDINGS:
        return (0,)  # a CSV, told when it is read
    names = [_names(file, dataset) for file in found]
    hashes = np.concatenate([pd.util.hash_array(each) for each in names])
    unique, count = np.unique(hashes, return_counts=True)
    if (count > 1).any():
        twice = unique[count > 1]
        seen: dict[str, Path] = {}
        for file, each in zip(found, names, strict=True):
            for name in each[np.isin(pd.util.hash_array(each), twice)].tolist():
                if name in seen:
                    raise DataRefused(
                        "each series must be in one file, whole",
                        found=f"it in {seen[name]} too",
                        file=str(file),
                        series=name,
                        remedy="put it into one file, or forecast without --workers and --dask",
                    )
                seen[name] = file
    return tuple(len(each) for each in names)


def _names(file: Path, dataset: DatasetConfig) -> NDArray[np.object_]:
    column = dataset.columns.unique_id
    form = parquet.ParquetFileFormat(dictionary_columns=[column])
    table = parquet.dataset(file, format=form)
    if column not in table.schema.names:
        return np.array([dataset.name], dtype=object)
    ids = pc.unique(table.to_table(columns=[column]).column(0).combine_chunks())
    names = ids.dictionary if hasattr(ids, "dictionary") else ids
    return np.array([str(name) for name in names.to_pylist()], dtype=object)
