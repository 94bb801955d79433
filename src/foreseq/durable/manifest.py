"""Bundles: folders of JSON and arrays, with a manifest that holds the digest of every file.

A bundle is read whole or not at all. Digests are checked before anything is parsed, and neither
JSON nor plain arrays can carry code.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np

from foreseq import __version__
from foreseq.durable import files
from foreseq.errors import BundleRefused

MANIFEST = "manifest.json"
ARRAYS = ".npz"
"""Ending of the files that hold arrays by name; all others hold JSON."""

UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    EOFError,
    BadZipFile,
    NotImplementedError,
    MemoryError,
    OverflowError,
    RecursionError,
)
"""What parsers raise; the last three for content that is made to exhaust them."""

Content = TypeVar("Content")


def write(folder: Path, parts: Mapping[str, Any], *, holds: str, form: int) -> Path:
    """Write a bundle, whole or not at all, and return `folder`; the same parts give the same bytes.

    Args:
        folder: Replaced if it exists.
        parts: Content by file name: arrays by name for an `.npz`, else what JSON can hold.
        holds: What the parts are together, such as "forecaster".
        form: Number of the format; raise it when older bundles can no longer be read.
    """
    with files.new_folder(folder) as temporary:
        for name, part in parts.items():
            if name.endswith(ARRAYS):
                np.savez(temporary / name, allow_pickle=False, **part)
            else:
                _write_json(temporary / name, part)
        digests = {name: files.sha256(temporary / name) for name in parts}
        manifest = {"holds": holds, "format": form, "foreseq": __version__, "files": digests}
        _write_json(temporary / MANIFEST, manifest)
    return folder


def read(
    folder: Path,
    names: Sequence[str],
    build: Callable[[dict[str, Any]], Content],
    *,
    holds: str,
    form: int,
) -> Content:
    """Return what `build` makes of the parts of a bundle, by file name.

    Raises:
        BundleRefused: If a part is missing or altered, of another kind or format, or not one that
            `build` understands.
    """
    _verify(folder, names, holds=holds, form=form)
    try:
        return build({name: _read_part(folder / name) for name in names})
    except UNREADABLE as error:
        raise BundleRefused(
            f"{folder}: was written by another version of foreseq ({error}); train it again"
        ) from None


def digest(folder: Path) -> str:
    """Return the SHA-256 of a bundle's manifest: equal digests mean equal bundles."""
    return files.sha256(folder / MANIFEST)


def _verify(folder: Path, names: Sequence[str], *, holds: str, form: int) -> None:
    remedy = "fetch it again from the registry or train it again"
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        holds_instead, form_instead = manifest["holds"], manifest["format"]
        digests = dict(manifest["files"])
    except (OSError, *UNREADABLE) as error:
        raise BundleRefused(f"{folder / MANIFEST}: is not a manifest ({error}); {remedy}") from None
    if holds_instead != holds:
        raise BundleRefused(
            f"{folder}: a {holds} is needed, found a {holds_instead}; name another model"
        )
    if form_instead != form:
        raise BundleRefused(
            f"{folder}: a {holds} of format {form} is needed, found format {form_instead}, written"
            f" by another version of foreseq; train it again"
        )
    for name in names:
        if not (folder / name).is_file():
            raise BundleRefused(f"{folder / name}: is missing; {remedy}")
        if files.sha256(folder / name) != digests.get(name):
            raise BundleRefused(
                f"{folder / name}: differs from what the manifest vouches for; {remedy}"
            )


def _read_part(file: Path) -> Any:
    content = file.read_bytes()  # seeking before its start is a ValueError, in a file an OSError
    if file.suffix != ARRAYS:
        return json.loads(content)
    with ZipFile(BytesIO(content)) as archive:
        entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > len(content) or any(
        entry.compress_type != ZIP_STORED for entry in entries
    ):
        raise ValueError("arrays are larger than their file")
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
