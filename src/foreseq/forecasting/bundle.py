"""A fitted forecaster as one folder: config, weights, and a manifest with the digest of every file.

Why no Keras or pickle format: both can carry code. Here the network is rebuilt from the config, and
the weights are plain arrays.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foreseq.config import Config, ResolvedExperiment
from foreseq.durable import manifest
from foreseq.forecasting.calibration import Calibration
from foreseq.series import calendar
from foreseq.series.panel import Panel
from foreseq.training.loop import Fitted
from foreseq.training.network_weights import Weights

FORMAT = 5
"""Raised when bundles written before can no longer be read."""
HOLDS = "forecaster"
MANIFEST = manifest.MANIFEST
CONFIG, ORIGIN, FINAL, EVALUATED = "config.json", "origin.json", "final.npz", "evaluated.npz"
CALIBRATION = "calibration.json"
PARTS = (CONFIG, ORIGIN, CALIBRATION, FINAL, EVALUATED)


class Seen(NamedTuple):
    """Up to when each series was trained on: a fair comparison uses only later steps."""

    ids: NDArray[np.str_]
    """Shape (n_series,), ascending."""
    last: NDArray[Any]
    """Time of the newest step trained on, datetime64[ns] or int64, shape (n_series,)."""

    def steps(self, panel: Panel) -> NDArray[np.int64]:
        """Return how many steps of each series were trained on; -1 if the series is new."""
        place = np.searchsorted(self.ids, panel.ids).clip(max=len(self.ids) - 1)
        last = self.last[place].astype(panel.starts.dtype)
        count = calendar.positions(last, panel.starts, panel.freq) + 1
        return np.where(self.ids[place] == panel.ids, count, -1)


class State(NamedTuple):
    """The weights of every member, the data they have seen, and their calibration."""

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
    """A forecaster with all that is needed to use and to test it."""

    experiment: ResolvedExperiment
    origin: Origin
    evaluated: State
    """As it was tested: the test span of its own data unseen."""
    final: State
    """For forecasts: trained again on all data, or the same as `evaluated`; with the calibration
    of `evaluated`."""

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles it forecasts; none for a point forecast."""
        fitted = self.final.calibration
        return fitted.levels if fitted else self.experiment.network.quantiles


def state(panel: Panel, ends: NDArray[np.int64], members: list[Fitted]) -> State:
    """Return members trained on the first `ends` steps of each series, shape (n_series,)."""
    last = calendar.at(panel.starts, ends - 1, panel.freq)
    return State([member.weights for member in members], Seen(panel.ids, last))


def save(bundle: Bundle, folder: Path) -> Path:
    """Write a bundle, whole or not at all; the same bundle gives the same bytes."""
    calibration = bundle.final.calibration
    parts = {
        CONFIG: bundle.experiment.model_dump(mode="json"),
        ORIGIN: bundle.origin.model_dump(mode="json"),
        CALIBRATION: calibration and calibration.to_json(),
        FINAL: _to_arrays(bundle.final),
        EVALUATED: _to_arrays(bundle.evaluated),
    }
    return manifest.write(folder, parts, holds=HOLDS, form=FORMAT)


def load(folder: Path) -> Bundle:
    """Read a bundle whose every byte is as it was written.

    Raises:
        BundleRefused: If a file is missing, altered, or of another format.
    """
    return manifest.read(folder, PARTS, _from_parts, holds=HOLDS, form=FORMAT)


def digest(folder: Path) -> str:
    """Return the SHA-256 that stands for a saved bundle: two with the same one forecast alike."""
    return manifest.digest(folder)


def _from_parts(parts: dict[str, Any]) -> Bundle:
    stored = parts[CALIBRATION]
    calibration = stored and Calibration.from_json(stored)
    return Bundle(
        experiment=ResolvedExperiment.model_validate(parts[CONFIG]),
        origin=Origin.model_validate(parts[ORIGIN]),
        final=_from_arrays(parts[FINAL])._replace(calibration=calibration),
        evaluated=_from_arrays(parts[EVALUATED])._replace(calibration=calibration),
    )


def _to_arrays(state: State) -> dict[str, NDArray[Any]]:
    last = state.seen.last
    weights = {
        f"member-{member}-{i:03}": array
        for member, arrays in enumerate(state.members)
        for i, array in enumerate(arrays)
    }
    unit = "time" if last.dtype.kind == "M" else "step"
    return {"ids": state.seen.ids, unit: last.view(np.int64), **weights}


def _from_arrays(arrays: dict[str, NDArray[Any]]) -> State:
    last = arrays["time"].view("datetime64[ns]") if "time" in arrays else arrays["step"]
    members: dict[int, list[NDArray[Any]]] = {}
    for name in sorted(name for name in arrays if name.startswith("member-")):
        members.setdefault(int(name.split("-")[1]), []).append(arrays[name])
    return State([members[number] for number in sorted(members)], Seen(arrays["ids"], last))
