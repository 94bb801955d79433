"""A folder whose every byte is vouched for by a manifest in it."""

import json
from collections.abc import Sequence
from pathlib import Path

from foreseq import __version__
from foreseq.durable import files
from foreseq.errors import BundleRefused

MANIFEST = "manifest.json"


def seal(folder: Path, parts: Sequence[str], *, holds: str, form: int) -> None:
    """Write the manifest of some files of a folder; the same bytes give the same manifest.

    Args:
        folder: Where they are.
        parts: Their names.
        holds: What they make up together.
        form: Raised by who writes them when older ones can no longer be read.
    """
    manifest = {
        "holds": holds,
        "format": form,
        "foreseq": __version__,
        "files": {name: files.sha256(folder / name) for name in parts},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def verify(folder: Path, parts: Sequence[str], *, holds: str, form: int) -> None:
    """Hold files against the manifest, before any of them is parsed.

    Raises:
        BundleRefused: If one is missing or altered, or they are of another kind or format.
    """
    remedy = "fetch it again from the registry or train it again"
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        found, written = manifest["holds"], manifest["format"]
        stated = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleRefused(f"{folder / MANIFEST}: is not a manifest ({error}); {remedy}") from None
    if found != holds:
        raise BundleRefused(f"{folder}: a {holds} is needed, found a {found}; name another model")
    if written != form:
        raise BundleRefused(f"{folder}: format {form} is needed, found {written}; train it again")
    for name in parts:
        file = folder / name
        if not file.is_file():
            raise BundleRefused(f"{file}: is missing; {remedy}")
        if files.sha256(file) != stated.get(name):
            raise BundleRefused(f"{file}: differs from what the manifest vouches for; {remedy}")


def digest(folder: Path) -> str:
    """Return the SHA-256 that stands for a sealed folder: two with the same one do the same."""
    return files.sha256(folder / MANIFEST)
