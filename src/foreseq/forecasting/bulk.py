"""Forecasts of more series than fit in memory: file by file, in any order, by many workers.

Each input file holds whole series and becomes one Parquet part. Finished parts wait in a folder
next to the target whose name is a digest of model and input, so that a job that was stopped can be
resumed and two equal jobs do not disturb each other. The target appears when every part is there.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from foreseq.config import DatasetConfig
from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.forecasting import ensemble, partition, writer
from foreseq.forecasting.output import By
from foreseq.forecasting.writer import ForecastSource, Manifest, Part, Request, part_name
from foreseq.ingest import joined
from foreseq.ingest.fetch import content
from foreseq.ingest.read import open_parquet, read_file
from foreseq.ingest.table import to_panel

ENDINGS = (".parquet", ".pq")


class Job(Request):
    """What is to be forecast, with what, and where to."""

    dataset: DatasetConfig
    """How the files are read: frequency, season and horizon are the forecaster's."""
    files: tuple[Path, ...]
    """The input; every series is in one file."""
    series: tuple[int, ...]
    """Number of series in each file."""
    output: Path

    @property
    def unfinished(self) -> Path:
        """Where parts wait for the others; the name depends on what they are made of."""
        made_of = f"{self.model_version} {self.model_digest} {self.data} {self.sample_paths}"
        name = f".{self.output.name}.{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
        return self.output.with_name(name)


def plan(  # noqa: PLR0913 - what is forecast, by what, and where to
    dataset: DatasetConfig,
    source: Path,
    output: Path,
    version: str,
    digest: str,
    *,
    sample_paths: int = 0,
    verdict: str = "",
    by: By = "",
) -> Job:
    """List the input files and check that the output may be written.

    Args:
        dataset: How to read the input.
        source: A file, or a folder of Parquet files.
        output: A new folder, or an older output, which is replaced.
        version: Name and version of the forecaster.
        digest: Of its bundle.
        sample_paths: Trajectories to simulate for each series.
        verdict: The gate's on the forecaster.
        by: How to divide the parts among folders.

    Raises:
        ConfigError: If the output folder holds something else, or the series are too many to
            divide.
        DataRefused: If there is no file, or a series is in two of them.
    """
    writer.check_replaceable(output)
    inputs = [source] if source.is_file() else sorted(_parquet_files(source))
    if not inputs:
        raise DataRefused(
            "a folder must hold Parquet files",
            found="none",
            file=str(source),
            remedy="name a CSV itself rather than its folder",
        )
    reading = dataset.model_dump_json(exclude={"source"})
    with tempfile.TemporaryDirectory() as raw:
        beside = joined.digests(dataset, Path(raw))
    series, id_type = _series(inputs, dataset)
    partition.check(sum(series), by)
    return Job(
        dataset=dataset,
        files=tuple(inputs),
        series=series,
        output=output.absolute(),
        model_version=version,
        model_digest=digest,
        data=hashlib.sha256(" ".join([content(source), reading, *beside]).encode()).hexdigest(),
        horizon=dataset.horizon,
        sample_paths=sample_paths,
        verdict=verdict,
        by=by,
        id_type=id_type,
    )


def finished(job: Job) -> Manifest | None:
    """Return the manifest of the output if it is already there, undamaged and of this job."""
    return writer.existing(job.output, job)


def done(job: Job, number: int) -> Part | None:
    """Return the part of a file if it is already written and undamaged."""
    try:
        part = Part.model_validate_json(_record(job, number).read_bytes())
    except (OSError, ValueError):
        return None
    file = job.unfinished / part_name(number)
    whole = part.sha256 is None or (file.is_file() and files.sha256(file) == part.sha256)
    return part if whole else None


def write(job: Job, number: int, source: ForecastSource) -> Part:
    """Forecast the series of one file, whole or not at all, unless that is done."""
    part = done(job, number)
    if part is None:
        part = _write(job, number, source)
        with files.new_file(_record(job, number)) as temporary:
            temporary.write_text(part.model_dump_json(indent=2), encoding="utf-8")
    return part


def finish(job: Job, parts: Sequence[Part]) -> Manifest:
    """Move the output to its place, now that every file has its part; return its manifest."""
    with files.new_folder(job.output) as temporary:
        for number, part in enumerate(parts):  # linked: a job that is stopped here keeps its parts
            if part.sha256:
                _link(job.unfinished / part_name(number), temporary / part_name(number))
        manifest = writer.seal(temporary, job, parts, [file.name for file in job.files])
    shutil.rmtree(job.unfinished, ignore_errors=True)
    return manifest


def _write(job: Job, number: int, source: ForecastSource) -> Part:
    file = job.files[number]
    dataset = job.dataset.model_copy(update={"source": str(file)})
    try:
        panel, _ = to_panel(read_file(file, dataset), dataset, file=str(file))
        panel = replace(panel, id_type=job.id_type)  # one for all parts
        ensemble.require_known(source.forecaster, panel, str(file))
    except DataRefused as error:
        return Part(sha256=None, series=0, rows=0, refused=str(error))
    chosen, failures = writer.forecastable(source, panel)
    with files.new_file(job.unfinished / part_name(number)) as temporary:
        part = writer.write_part(source, panel, chosen, temporary)
    return writer.with_failures(part, failures)


def _link(file: Path, target: Path) -> None:
    try:
        target.hardlink_to(file)
    except OSError:  # a file system without links
        shutil.copyfile(file, target)


def _record(job: Job, number: int) -> Path:
    return job.unfinished / f"part-{number:05}.json"


def _parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder, without hidden and half-written ones."""
    return [
        file
        for file in folder.rglob("*")
        if file.suffix in ENDINGS
        and file.is_file()
        and not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    ]


def _series(inputs: list[Path], dataset: DatasetConfig) -> tuple[tuple[int, ...], str]:
    """Return the number of series in each file, and the type of all ids if they are integers.

    Raises:
        DataRefused: If a series is in two files.
    """
    if len(inputs) == 1 and inputs[0].suffix not in ENDINGS:
        return (0,), ""  # a CSV: not known before it is read
    names, kinds = zip(*(_names(file, dataset) for file in inputs), strict=True)
    types = {kind for kind in kinds if kind is not None}
    hashes = np.concatenate([pd.util.hash_array(ids) for ids in names])
    unique, count = np.unique(hashes, return_counts=True)
    if (count > 1).any():
        twice = unique[count > 1]
        seen: dict[str, Path] = {}
        for file, ids in zip(inputs, names, strict=True):
            for name in ids[np.isin(pd.util.hash_array(ids), twice)].tolist():
                if name in seen:
                    raise DataRefused(
                        "each series must be in one file, whole",
                        found=f"it in {seen[name]} too",
                        file=str(file),
                        series=name,
                        remedy="put it into one file, or forecast without --workers and --dask",
                    )
                seen[name] = file
    return tuple(len(ids) for ids in names), types.pop() if len(types) == 1 else ""


def _names(file: Path, dataset: DatasetConfig) -> tuple[NDArray[np.object_], str | None]:
    """Return the ids in a file, and their type as `Panel.id_type`; None: no part can be made."""
    try:
        source, columns, _ = open_parquet(file, dataset)
    except DataRefused:  # its part will say so
        return np.empty(0, dtype=object), None
    column = columns.unique_id
    if column not in source.schema.names:
        return np.array([dataset.name], dtype=object), ""
    ids = pc.unique(source.to_table(columns=[column]).column(0).combine_chunks())
    names = ids.dictionary if hasattr(ids, "dictionary") else ids
    id_type = str(names.type) if pa.types.is_integer(names.type) else ""
    return np.array([str(name) for name in names.to_pylist()], dtype=object), id_type
