"""Damaged files are read or refused with a message, whatever their bytes: guided by coverage.

    pip install atheris
    python tests/fuzz/readers.py table DIR [-max_total_time=900]
    python tests/fuzz/readers.py bundle DIR [-max_total_time=900]

DIR keeps the inputs that reach new code, and begins with small valid ones; options are libFuzzer's.
The first byte of an input chooses the kind of file, or the part of a bundle that the others edit;
its digest is made to fit. Whatever is raised besides `foreseq.errors` ends it, and the input is
kept as `crash-...`; given instead of DIR, that file alone is run.
"""

import io
import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import pandas as pd

from foreseq.errors import ForeseqError

GOLDEN = Path(__file__).parents[1] / "forecasting" / "golden" / "bundle"
ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".parquet", ".xlsx")
PARTS = ("manifest.json", "config.json", "origin.json", "calibration.json", "final.npz")
TEXTS = (
    "unique_id,ds,y\na,2024-01-01,1.5\na,2024-01-02,\nb,2024-01-01,3\n",
    "Datum;Wert\n31.01.2024;1.234,5\n29.02.2024;2,5\n",
    "\ufeffdate\tvalue\n01/31/2024\t1,234.5\n02/29/2024\t$2\n",
    '2024-01-31T00:00:00+01:00,"1"\n2024-02-29T00:00:00+01:00,-1e308\n',
    "unique_id,ds,y\n007,1,1\n007,2,inf\n7,1,-1.7e308\n",
)
LONGEST = 60_000
"""Bytes of an input; libFuzzer's default is that of its seeds."""


def table(content: bytes, place: Path) -> None:
    """Read a file of data into a panel."""
    from foreseq.config import DatasetConfig  # noqa: PLC0415 instrumented
    from foreseq.ingest.read import read_table  # noqa: PLC0415 instrumented
    from foreseq.ingest.table import to_panel  # noqa: PLC0415 instrumented

    file = place / f"data{ENDINGS[content[0] % len(ENDINGS)]}"
    file.write_bytes(content[1:])
    dataset = DatasetConfig(name="data", source=str(file), horizon=2)
    to_panel(read_table(dataset), dataset, file=str(file))


def bundle(edits: bytes, place: Path) -> None:
    """Load a forecaster of which one part is edited: four bytes each, place, kind and new byte."""
    from foreseq.durable import files  # noqa: PLC0415 instrumented
    from foreseq.forecasting.bundle import load  # noqa: PLC0415 instrumented

    folder = place / "bundle"
    shutil.copytree(GOLDEN, folder)
    part = folder / PARTS[edits[0] % len(PARTS)]
    content = bytearray(part.read_bytes())
    for at in range(1, len(edits) - 3, 4):
        first = int.from_bytes(edits[at : at + 2]) % (len(content) + 1)
        removed, added = ((1, 1), (0, 1), (1, 0), (9, 0))[edits[at + 2] % 4]
        content[first : first + removed] = edits[at + 3 : at + 3 + added]
    part.write_bytes(content)
    if part.name != "manifest.json":
        manifest = json.loads((folder / "manifest.json").read_bytes())
        manifest["files"][part.name] = files.sha256(part)
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    load(folder)


TARGETS = {"table": table, "bundle": bundle}


def seeds(target: str) -> list[bytes]:
    """Return small valid inputs."""
    if target == "bundle":
        return [bytes([n, *range(8)]) for n in range(len(PARTS))]
    frame = pd.read_csv(io.StringIO(TEXTS[0]))
    packed, sheet = io.BytesIO(), io.BytesIO()
    frame.to_csv(packed, index=False, compression="gzip")
    frame.to_excel(sheet, index=False)
    plain = [bytes([n]) + text.encode() for n in range(3) for text in TEXTS]
    wide = [b"\0" + TEXTS[1].encode("utf-16"), b"\0" + TEXTS[1].encode("latin-1")]
    binary = [packed.getvalue(), frame.to_parquet(), sheet.getvalue()]
    return plain + wide + [bytes([3 + n]) + content for n, content in enumerate(binary)]


def run(target: str, content: bytes) -> None:
    """Try one input; a refusal is as good as a result."""
    with tempfile.TemporaryDirectory() as place:
        try:
            TARGETS[target](content or b"\0", Path(place))
        except ForeseqError as error:
            if "Error" in str(error) or "Traceback" in str(error):
                raise AssertionError(f"a library's sentence: {error}") from error


def main() -> None:
    import atheris  # noqa: PLC0415 no dependency of the project

    target, corpus, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["foreseq"]):
        run(target, seeds(target)[0])
    warnings.simplefilter("ignore")
    if not Path(corpus).is_file():
        Path(corpus).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds(target)):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
    words = [sys.argv[0], corpus, f"-max_len={LONGEST}", "-timeout=300", *options]
    atheris.Setup(words, lambda content: run(target, content))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
