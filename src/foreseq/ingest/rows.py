"""Rows kept between ingestions, for sources that bring only what is new."""

from pathlib import Path

import pandas as pd

from foreseq.errors import DataRefused
from foreseq.ingest.columns import Columns, parse
from foreseq.series import panel

ROWS = "rows.parquet"
"""Every row so far, as read: beside the panel, which may hold filled steps."""
KEY = ["unique_id", "ds"]


def load(folder: Path) -> pd.DataFrame:
    """Return the rows that the panel in a folder was made of.

    Raises:
        DataRefused: If neither rows nor panel are there.
    """
    if (folder / ROWS).is_file():
        return pd.read_parquet(folder / ROWS)
    return panel.to_frame(panel.load(folder)).dropna(subset="y")


def save(table: pd.DataFrame, folder: Path) -> None:
    """Write rows beside their panel."""
    table.to_parquet(folder / ROWS, index=False)


def merge(
    known: pd.DataFrame | None, table: pd.DataFrame, file: str
) -> tuple[pd.DataFrame, Columns]:
    """Return known and new rows; a new row replaces those of its series and time.

    Args:
        known: What `load` returned; None: nothing is known yet.
        table: The new rows, as read.
        file: Names them in messages.

    Raises:
        DataRefused: If a new row is not what its column needs.
    """
    new = parse(table, file)
    arrived = pd.DataFrame(
        {"unique_id": new.names[new.codes].astype(object), "ds": new.ds, "y": new.y},
        index=pd.Index(new.rows, dtype=object),
    )
    if known is None:
        return arrived, new
    if known["ds"].dtype.kind != arrived["ds"].dtype.kind:
        raise DataRefused(
            f"ds must hold {'integers' if known['ds'].dtype.kind == 'i' else 'times'}, as before",
            found="the other kind",
            file=file,
            remedy="correct the column, or ingest under another dataset.name",
        )
    stays = ~pd.MultiIndex.from_frame(known[KEY]).isin(pd.MultiIndex.from_frame(arrived[KEY]))
    kept = known[stays]
    kept.index = pd.Index([""] * len(kept), dtype=object)  # no row of this file
    return pd.concat([kept, arrived]), new
