"""Folders of forecasts divided as Hive does: a folder `key=value` for each value of a key.

The key has a name of its own, and `unique_id` stays in the files. Readers guess the type of a key
from its values, so that series `007` would come back as 7; and pandas reads no folder whose key is
a column as well.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from foreseq.durable import files
from foreseq.errors import ConfigError
from foreseq.forecasting.output import By

BUCKETS = 64
"""Of `hash`: always as many, so that a series is in the same one every night."""
MOST = 10_000
"""Series that may have a folder each: more make every reader slow."""
LONGEST = 255
"""Bytes in the name of a folder."""


def key(name: str, by: By) -> str:
    """Return the folder that the forecasts of a series belong into.

    Raises:
        ConfigError: If the id is too long for the name of a folder.

    Example:
        >>> key("shop 1/a", "unique_id"), key("shop 1/a", "hash")
        ('series=shop%201%2Fa', 'bucket=34')
    """
    if by == "hash":
        return f"bucket={crc32(name.encode()) % BUCKETS:02}"
    folder = f"series={quote(name, safe='')}"
    if len(folder) > LONGEST:
        raise ConfigError(f"series {name}: its id is too long for a folder; take --by hash")
    return folder


def check(series: int, by: By) -> None:
    """Check that so many series may be divided.

    Raises:
        ConfigError: If they would be too many folders.
    """
    if by == "unique_id" and series > MOST:
        raise ConfigError(
            f"--by unique_id: at most {MOST:,} series have a folder each, found {series:,}; take"
            f" --by hash, which makes {BUCKETS}"
        )


def divide(folder: Path, parts: Sequence[str], by: By) -> dict[str, str]:
    """Divide Parquet parts among folders; return the SHA-256 of each new part by its path.

    Args:
        folder: Holds the parts, which are removed. A part without rows stays.
        parts: Their names.
        by: `unique_id`: a folder for each series; `hash`: one of 64.
    """
    made: dict[str, str] = {}
    for part in parts:
        table = pq.read_table(folder / part, partitioning=None)
        codes, names = pd.factorize(table["unique_id"].to_numpy(zero_copy_only=False))
        keys, of_series = np.unique([key(str(name), by) for name in names], return_inverse=True)
        of_row = of_series[codes] if len(names) else codes
        for number, place in enumerate(keys.tolist()):
            # a number of its own: a disk may take `series=A` and `series=a` for the same folder
            name = f"{place}/part-{len(made):05}.parquet"
            (folder / place).mkdir(exist_ok=True)
            rows = table.take(np.flatnonzero(of_row == number))
            pq.write_table(rows, folder / name)
            made[name] = files.sha256(folder / name)
        if len(names):
            (folder / part).unlink()
        else:
            made[part] = files.sha256(folder / part)
    return made
