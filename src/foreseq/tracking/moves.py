"""A store that was moved or copied: the locations of its files are corrected at first use.

MLflow records locations as absolute URIs, so that after a move it would not find them, and in a
copy it would read and write those of the original.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

ARTIFACTS = "artifacts"
"""Folder beside the SQLite file, with a folder for each experiment."""
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns in which MLflow records where files are."""
PATIENCE = 20
"""Seconds to wait for another process that writes, as MLflow does."""

Moves = tuple[tuple[str, str], ...]
"""Prefixes of locations: as they were recorded, and as they are now."""


def find(file: Path) -> Moves:
    """Return the moves since the locations in a store were recorded; none if it never moved.

    An experiment's own place outside of the store stays where it is.
    """
    here = f"{file.parent.as_uri()}/{ARTIFACTS}/"
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as rows:
        recorded = [
            str(location).rpartition("/")[::2]
            for (location,) in rows.execute("SELECT artifact_location FROM experiments")
            if str(location).startswith("file:")
        ]
    roots = {f"{root}/" for root, _ in recorded if root.endswith(f"/{ARTIFACTS}")} - {here}
    return tuple(
        (root, here)
        for root in sorted(roots)
        if _has_moved(root, here, [name for parent, name in recorded if root == f"{parent}/"])
    )


def correct(file: Path, moves: Moves) -> None:
    """Write the present locations into a store, all or none of them."""
    connection = sqlite3.connect(file, timeout=PATIENCE, isolation_level="IMMEDIATE")
    with closing(connection) as store, store:  # the second commits, or rolls back
        for old, new in moves:
            for table, column in LOCATIONS:
                store.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608 our names
                    f" WHERE substr({column}, 1, ?) = ?",
                    (new, len(old) + 1, len(old), old),
                )


def present(location: str, moves: Moves) -> str:
    """Return where a recorded location is now.

    Example:
        >>> moves = (("file:///old/artifacts/", "file:///new/artifacts/"),)
        >>> present("file:///old/artifacts/airline/m-1", moves)
        'file:///new/artifacts/airline/m-1'
        >>> present("s3://bucket/airline", moves)
        's3://bucket/airline'
    """
    for old, new in moves:
        if location.startswith(old):
            return new + location.removeprefix(old)
    return location


def local(location: str) -> Path | None:
    """Return the folder of a location on this machine; None if it is elsewhere."""
    parts = urlparse(location)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if parts.scheme else Path(location)


def _has_moved(old: str, new: str, names: list[str]) -> bool:
    """Return whether the experiments of one root stand elsewhere, rather than being placed there.

    Then the files of one of them came along, or those of none are left.
    """
    before, now = local(old), local(new)
    if before is None or now is None or (before.exists() and now.exists() and before.samefile(now)):
        return False  # another name of the same folder, such as a link
    came_along = any((now / name).exists() for name in names)
    return came_along or not any((before / name).exists() for name in names)
