"""A fitted forecaster as one folder: config, weights, and a manifest that vouches for every byte.

Why no Keras or pickle format: both can carry code. Here the network is rebuilt by our own code from
the config, the weights are plain arrays, and digests are checked before anything is parsed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from foreseq.config import Config, ResolvedExperiment
from foreseq.durable import files, manifest
from foreseq.errors import BundleRefused
from foreseq.forecasting.calibration import Calibration
from foreseq.series import calendar
from foreseq.series.panel import Panel
from foreseq.training.fitting import Member
from foreseq.training.network_weights import Weights

FORMAT = 2
"""Raised when bundles written before can no longer be read."""
HOLDS = "forecaster"
MANIFEST = manifest.MANIFEST
CONFIG, ORIGIN, FINAL, EVALUATED = "config.json", "origin.json", "final.npz", "evaluated.npz"
CALIBRATION = "calibration.json"
PARTS = (CONFIG, ORIGIN, CALIBRATION, FINAL, EVALUATED)


class Seen(NamedTuple):
    """Up to when each series was trained on: what a fair comparison must not ask about again."""

    ids: NDArray[np.str_]
    """Shape (n_series,), ascending."""
    last: NDArray[Any]
    """Time of the newest step trained on, datetime64[ns] or int64, shape (n_series,)."""

    def steps(self, series: Panel) -> NDArray[np.int64]:
        """Return how many steps of each series were learned from; -1 if it was not there then."""
        place = np.searchsorted(self.ids, series.ids).clip(max=len(self.ids) - 1)
        last = self.last[place].astype(series.starts.dtype)
        count = calendar.positions(last, series.starts, series.freq) + 1
        return np.where(self.ids[place] == series.ids, count, -1)


class State(NamedTuple):
    """The weights of every member, what they have seen, and how far they are known to miss."""

    members: list[Weights]
    seen: Seen
    calibration: Calibration | None = None
    """None: forecasts are the network's own."""


class Origin(Config):
    """Where a forecaster comes from."""

    data: str
    """Fingerprint of the panel."""
    steps: tuple[int, ...]
    """Best training step of each member."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A forecaster with all that is needed to use it and to judge it again."""

    experiment: ResolvedExperiment
    """With every choice settled."""
    origin: Origin
    evaluated: State
    """As it was tested: the test span of its own data unseen."""
    final: State
    """What forecasts: learned again from everything, or the same as `evaluated`; calibrated alike,
    on windows that only `evaluated` has not seen."""

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles it forecasts; none for a point forecast."""
        known = self.final.calibration
        return known.levels if known else self.experiment.network.quantiles


def state(panel: Panel, ends: NDArray[np.int64], members: list[Member]) -> State:
    """Return what was learned from the first `ends` steps of each series, shape (n_series,)."""
    last = calendar.at(panel.starts, ends - 1, panel.freq)
    return State([member.weights for member in members], Seen(panel.ids, last))


def save(bundle: Bundle, folder: Path) -> Path:
    """Write a bundle, whole or not at all; the same bundle gives the same bytes."""
    with files.new_folder(folder) as beside:
        (beside / CONFIG).write_text(bundle.experiment.model_dump_json(indent=2), encoding="utf-8")
        (beside / ORIGIN).write_text(bundle.origin.model_dump_json(indent=2), encoding="utf-8")
        calibrated = bundle.final.calibration
        told = json.dumps(calibrated and calibrated.as_told(), indent=2)
        (beside / CALIBRATION).write_text(told, encoding="utf-8")
        _save_state(bundle.final, beside / FINAL)
        _save_state(bundle.evaluated, beside / EVALUATED)
        manifest.seal(beside, PARTS, holds=HOLDS, form=FORMAT)
    return folder


def load(folder: Path) -> Bundle:
    """Read a bundle whose every byte is as it was written.

    Raises:
        BundleRefused: If a file is missing, altered, or of another format.
    """
    manifest.verify(folder, PARTS, holds=HOLDS, form=FORMAT)
    try:
        told = json.loads((folder / CALIBRATION).read_bytes())
        calibrated = told and Calibration.from_told(told)
        return Bundle(
            experiment=ResolvedExperiment.model_validate_json((folder / CONFIG).read_bytes()),
            origin=Origin.model_validate_json((folder / ORIGIN).read_bytes()),
            final=_load_state(folder / FINAL)._replace(calibration=calibrated),
            evaluated=_load_state(folder / EVALUATED)._replace(calibration=calibrated),
        )
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise BundleRefused(
            f"{folder}: was written by another version of foreseq ({error}); train it again"
        ) from None


def digest(folder: Path) -> str:
    """Return the SHA-256 that stands for a saved bundle: two with the same one forecast alike."""
    return manifest.digest(folder)


def _save_state(weights: State, file: Path) -> None:
    arrays = {
        f"member-{member}-{i:03}": array
        for member, trained in enumerate(weights.members)
        for i, array in enumerate(trained)
    }
    last = weights.seen.last
    kind = "time" if last.dtype.kind == "M" else "step"
    np.savez(
        file, allow_pickle=False, ids=weights.seen.ids, **{kind: last.view(np.int64)}, **arrays
    )


def _load_state(file: Path) -> State:
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    last = arrays["time"].view("datetime64[ns]") if "time" in arrays else arrays["step"]
    names = sorted(name for name in arrays if name.startswith("member-"))
    count = 1 + max(int(name.split("-")[1]) for name in names)
    members = [
        [arrays[name] for name in names if name.startswith(f"member-{member}-")]
        for member in range(count)
    ]
    return State(members, Seen(arrays["ids"], last))
