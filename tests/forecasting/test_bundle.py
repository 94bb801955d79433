import io
import json
import subprocess
import sys
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from builders import SMALL_NETWORK, resolved

from foreseq.durable import files
from foreseq.errors import BundleRefused
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle, Origin
from foreseq.forecasting.calibration import Calibration
from foreseq.forecasting.ensemble import Ensemble
from foreseq.series import panel as panels
from foreseq.series import windows
from foreseq.series.panel import from_series
from foreseq.training import model_cache
from foreseq.training.loop import Fitted

FORECAST_ELSEWHERE = """
import sys
from pathlib import Path
import numpy as np
from foreseq.forecasting import bundle; from foreseq.series import panel, windows
from foreseq.forecasting.ensemble import Ensemble
fitted, series = bundle.load(Path(sys.argv[1])), panel.load(Path(sys.argv[2]))
forecasts = Ensemble(fitted.experiment, fitted.final)(series, windows.newest(series))
np.save(sys.argv[3], forecasts, allow_pickle=False)
assert not {"mlflow", "prefect"} & set(sys.modules)
"""


def make_bundle(panel, *, members=2):
    """Return a bundle of random weights."""
    fields = {
        "dataset": {"source": "memory", "horizon": 3, "freq": "MS", "season": 4},
        "network": SMALL_NETWORK | {"calendar": True},
        "training": {"max_steps": 1, "members": members},
    }
    experiment = resolved(fields)
    rng = np.random.default_rng(1)
    shapes = [v.shape for v in model_cache.build(experiment).trainable_variables]
    made = [
        Fitted([rng.normal(0, 0.2, shape).astype("f4") for shape in shapes], 1, ())
        for _ in range(2 * members)
    ]
    fitted = Calibration((0.1, 0.5, 0.9), np.array([[-1 / 3, 0, 0.1]] * 3), log=False)
    return Bundle(
        experiment,
        Origin(data=panel.fingerprint(), steps=(1,) * members),
        evaluated=bundle.state(panel, panel.lengths - 3, made[:members])._replace(
            calibration=fitted
        ),
        final=bundle.state(panel, panel.lengths, made[members:])._replace(calibration=fitted),
    )


def make_panel():
    rng = np.random.default_rng(1)
    return from_series(
        {"a": rng.gamma(9, 1, 30), "b": rng.gamma(9, 1, 25)},
        freq="MS",
        season=4,
        start="2020-01-01",
    )


def vouch(folder):
    """Rewrite the manifest for the files as they are now."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: files.sha256(folder / name) for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def made():
    return make_bundle(make_panel())


@pytest.fixture
def saved(made, tmp_path):
    return bundle.save(made, tmp_path / "bundle")


@pytest.mark.slow
def test_a_bundle_loaded_in_a_new_process_forecasts_the_same_bits(made, saved, tmp_path):
    series = make_panel()
    panels.save(series, tmp_path / "panel")
    forecasts = Ensemble(made.experiment, made.final)(series, windows.newest(series))
    there = tmp_path / "forecasts.npy"
    script = [sys.executable, "-c", FORECAST_ELSEWHERE, saved, tmp_path / "panel", there]
    subprocess.run(script, check=True)  # noqa: S603 - our own words
    assert np.load(there).tobytes() == forecasts.tobytes()


def test_what_is_loaded_is_what_was_saved(made, saved):
    back = bundle.load(saved)
    assert (back.experiment, back.origin) == (made.experiment, made.origin)
    for one, other in ((back.final, made.final), (back.evaluated, made.evaluated)):
        assert [[w.tobytes() for w in member] for member in one.members] == [
            [w.tobytes() for w in member] for member in other.members
        ]
        np.testing.assert_array_equal(one.seen.ids, other.seen.ids)
        np.testing.assert_array_equal(one.seen.last, other.seen.last)
        assert one.seen.last.dtype == other.seen.last.dtype


def test_a_state_says_up_to_when_each_series_was_seen(made):
    assert made.final.seen.last.astype("datetime64[M]").astype(str).tolist() == [
        "2022-06",
        "2022-01",
    ]


def test_the_same_bundle_gives_the_same_bytes(made, saved, tmp_path):
    again = bundle.save(made, tmp_path / "again")
    names = sorted(file.name for file in saved.iterdir())
    assert names == [
        "calibration.json",
        "config.json",
        "evaluated.npz",
        "final.npz",
        "manifest.json",
        "origin.json",
    ]
    for name in names:
        assert (again / name).read_bytes() == (saved / name).read_bytes()
    assert bundle.digest(again) == bundle.digest(saved)


def test_other_weights_have_another_digest(made, saved, tmp_path):
    made.final.members[0][0][0, 0] += 1
    assert bundle.digest(bundle.save(made, tmp_path / "other")) != bundle.digest(saved)


@pytest.mark.parametrize("name", ["config.json", "origin.json", "final.npz", "evaluated.npz"])
def test_one_altered_byte_is_refused(saved, name):
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(BundleRefused, match=f"{name}: differs from what the manifest"):
        bundle.load(saved)


@pytest.mark.parametrize("name", ["config.json", "origin.json", "final.npz", "evaluated.npz"])
def test_a_missing_file_is_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(BundleRefused, match=f"{name}: is missing"):
        bundle.load(saved)


def test_nothing_is_parsed_before_every_digest_is_checked(saved):
    (saved / "config.json").write_text("neither JSON nor vouched for")
    (saved / "evaluated.npz").write_bytes(b"")
    with pytest.raises(BundleRefused, match=r"config\.json: differs"):
        bundle.load(saved)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "files": 3}'])
def test_a_folder_without_a_manifest_is_refused(saved, content):
    (saved / "manifest.json").write_text(content)
    with pytest.raises(BundleRefused, match="is not a manifest"):
        bundle.load(saved)
    (saved / "manifest.json").unlink()
    with pytest.raises(BundleRefused, match="is not a manifest"):
        bundle.load(saved)


def test_another_format_is_refused(saved):
    manifest = json.loads((saved / "manifest.json").read_text()) | {"format": 99}
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        BundleRefused, match=rf"format {bundle.FORMAT} is needed, found format 99.* train it"
    ):
        bundle.load(saved)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x80\x04N."])
def test_weights_that_are_vouched_for_but_no_arrays_are_refused(saved, content):
    (saved / "final.npz").write_bytes(content)
    vouch(saved)
    with pytest.raises(BundleRefused, match="another version"):
        bundle.load(saved)


def test_a_pickle_is_refused_even_when_vouched_for(saved):
    np.savez(saved / "final.npz", ids=np.array([{"any": "object"}], dtype=object))
    vouch(saved)
    with pytest.raises(BundleRefused, match="allow_pickle=False"):
        bundle.load(saved)


def bomb(shape, compression=zipfile.ZIP_STORED, size=10):
    """Return an archive whose array is said to be larger than it is, or unpacks to more."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive, archive.open("y.npy", "w") as entry:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(entry, header)
        entry.write(bytes(size))
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("final.npz", bomb((10**15,))),
        ("final.npz", bomb((10**7,), zipfile.ZIP_DEFLATED, 4 * 10**7)),
        ("final.npz", bomb((-1,))),
        ("config.json", b"[" * 100_000),
        ("config.json", b'{"network": {"cells": {"kind": "lambda", "units": [4]}}}'),
        ("config.json", b"1e999"),
        ("calibration.json", b'{"levels": 7}'),
        ("origin.json", b"\x80\x04N."),
    ],
    ids=["shape", "deflated", "negative", "nested", "foreign layer", "number", "list", "pickle"],
)
def test_content_made_to_do_harm_is_refused_even_when_vouched_for(saved, name, content):
    (saved / name).write_bytes(content)
    vouch(saved)
    with pytest.raises(BundleRefused):
        bundle.load(saved)


def test_edited_arrays_that_are_vouched_for_are_read_or_refused(saved, rng):
    whole = (saved / "final.npz").read_bytes()
    for cut in rng.integers(len(whole), size=60):
        (saved / "final.npz").write_bytes(whole[:cut] + whole[cut + rng.integers(1, 9) :])
        vouch(saved)
        with suppress(BundleRefused):
            bundle.load(saved)


def test_exchanged_weights_and_links_to_other_files_are_refused(saved, tmp_path):
    final, evaluated = saved / "final.npz", saved / "evaluated.npz"
    whole = final.read_bytes()
    final.write_bytes(evaluated.read_bytes())
    with pytest.raises(BundleRefused, match=r"final\.npz: differs"):
        bundle.load(saved)
    final.write_bytes(whole)
    evaluated.unlink()
    evaluated.symlink_to(final)
    with pytest.raises(BundleRefused, match=r"evaluated\.npz: differs"):
        bundle.load(saved)


def test_a_manifest_made_to_exhaust_its_reader_is_refused(saved):
    (saved / "manifest.json").write_bytes(b"[" * 100_000)
    with pytest.raises(BundleRefused, match="is not a manifest"):
        bundle.load(saved)


def test_a_bundle_holds_json_and_plain_arrays_only(saved):
    for file in saved.glob("*.json"):
        json.loads(file.read_text())
    for file in saved.glob("*.npz"):
        for name in zipfile.ZipFile(file).namelist():
            assert name.endswith(".npy")
        with np.load(file, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype != object for name in arrays.files)


def test_saving_again_replaces_the_bundle_whole(made, saved):
    (saved / "stray").touch()
    bundle.save(made, saved)
    assert not (saved / "stray").exists()
    bundle.load(saved)


def test_integer_steps_survive(tmp_path):
    panel = from_series({"a": range(20)}, freq="1", season=4, start=7)
    made = make_bundle(make_panel(), members=1)
    state = bundle.state(panel, panel.lengths, [Fitted(made.final.members[0], 1, ())])
    saved = bundle.save(Bundle(made.experiment, made.origin, state, state), tmp_path / "bundle")
    assert bundle.load(saved).final.seen.last.tolist() == [26]


@pytest.mark.parametrize("content", ["[1]", '{"levels": [0.5], "log": false, "offsets": [1.0]}'])
def test_a_calibration_that_is_none_is_refused(saved, content):
    (saved / "calibration.json").write_text(content)
    vouch(saved)
    with pytest.raises(BundleRefused, match="another version"):
        bundle.load(saved)


def test_without_a_calibration_forecasts_are_the_networks_own(made, tmp_path):
    plain = Bundle(
        made.experiment,
        made.origin,
        evaluated=made.evaluated._replace(calibration=None),
        final=made.final._replace(calibration=None),
    )
    loaded = bundle.load(bundle.save(plain, tmp_path / "plain"))
    assert loaded.final.calibration is None
    assert (made.levels, loaded.levels) == ((0.1, 0.5, 0.9), ())
