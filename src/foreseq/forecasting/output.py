"""Where forecasts go: a folder, and from it perhaps a CSV or Excel file or a database's table.

Only what says so; `export` writes files and tables.
"""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from foreseq.config import Config, Source, build
from foreseq.config.dataset import without_secrets
from foreseq.errors import ConfigError

By = Literal["", "unique_id", "hash"]
CSV, EXCEL = ".csv", ".xlsx"
PRETRAINED = "pretrained"
"""Stands for a model's name in the versions of networks that forecast without training."""
URL = re.compile(r"\w+(\+\w+)?://|\$\{\w+\}")
"""Start of what is no folder of this machine; `${NAME}` may hold the whole URL."""
NO_DATABASE = re.compile(r"(file|local|s3|gs|gcs|az|abfss?|hdfs|https?|s?ftp)://")
NO_FOLDER = (".xls", ".json", ".jsonl", ".tsv", ".txt", ".feather", ".ods", ".gz", ".zip")


class Output(Config):
    """Where forecasts go, and how they are laid out."""

    folder: Path | None = None
    """None: of the model and the newest time, below `data/forecasts`."""
    export: Source = ""
    """CSV or Excel file, or SQLAlchemy URL of a database, to which the folder is exported; in a
    URL `${NAME}` is read from the environment. Empty: it is not."""
    table: str = Field(default="forecasts", min_length=1)
    """Of the database, perhaps `SCHEMA.TABLE`; made if it is not there."""
    by: By = ""
    """How the parts of the folder are divided among folders: one for each `unique_id`, or 64 by
    `hash`. Empty: they are not."""
    sample_paths: int = 0
    """Simulated trajectories of each series, a column each."""

    @model_validator(mode="after")
    def _what_fits(self) -> Self:
        if self.export and self.by:
            raise ValueError("by divides a folder; name a folder as the output")
        return self

    @property
    def is_table(self) -> bool:
        """Whether the forecasts go into a database."""
        return bool(URL.match(self.export))

    @property
    def shown(self) -> str:
        """Where the forecasts are exported to, without passwords."""
        place = without_secrets(self.export)
        return f"table {self.table} of {place}" if self.is_table else place

    @property
    def place(self) -> str:
        """How messages name it: where the forecasts end."""
        return self.shown or str(self.folder)


def parse(output: str | None, **fields: object) -> Output:
    """Return what `--output` and the options beside it mean.

    Args:
        output: Folder, file or URL; None: not given.
        fields: Others of `Output`.

    Raises:
        ConfigError: If forecasts cannot go there.

    Example:
        >>> parse("tonight").folder.name, parse("a.csv").export
        ('tonight', 'a.csv')
        >>> parse("postgresql://me:${SECRET}@host/shop", table="sales").shown
        'table sales of postgresql://host/shop'
    """
    name = output or ""
    ending = Path(name).suffix.lower()
    is_url = URL.match(name)
    if NO_DATABASE.match(name) or (not is_url and ending in NO_FOLDER):
        raise ConfigError(
            f"--output {without_secrets(name)}: must be a folder, FILE.csv, FILE.xlsx or a database"
            " such as sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        )
    is_file = ending in (CSV, EXCEL) and not Path(name).is_dir()
    place = {"export": name} if is_url or is_file else {"folder": Path(name)} if name else {}
    return build(Output, {**place, **fields}, origin="--output")
