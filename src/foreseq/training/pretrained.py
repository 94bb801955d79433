"""The pretrained networks in the package: which there are, and their weights for any horizon."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from foreseq.config import ResolvedExperiment, ResolvedNetwork, whole_patches
from foreseq.durable import manifest
from foreseq.errors import ConfigError
from foreseq.training import model_cache
from foreseq.training.network_weights import Weights

FOLDER = Path(__file__).with_name("networks")
HOLDS, FORMAT = "pretrained network", 1
CARD, WEIGHTS = "card.json", "weights.npz"
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Quantiles that the networks learned."""
UNITS = (128, 128)


class Family(NamedTuple):
    """Series of one season, and the network for them."""

    season: int
    cycles: tuple[int, ...]
    """Steps after which synthetic series repeat; the first is the season."""
    patch: int
    context: int
    """Steps of the longest past in pretraining."""
    lags: tuple[int, ...]
    horizon: int
    """Steps forecast in pretraining, whole patches; others are read off or continued."""
    steps: int
    """Batches that the network in the package has learned."""

    @property
    def name(self) -> str:
        """Of the folder that holds the network."""
        return f"season-{self.season}"

    def network(self, *, log: bool = False) -> ResolvedNetwork:
        """Return the network, on logarithms or not: its weights are the same."""
        return ResolvedNetwork.model_validate(
            {
                "cells": {"kind": "gru", "units": UNITS},
                "context": self.context,
                "patch": self.patch,
                "decoder": "segment",
                "log": log,
                "naive_lags": self.lags,
                "level_adjustment": "learned",
                "shrunken_trend": False,
                "output_domain": "real",
                "recent_inputs": min(96, max(2 * self.season, 16)),
                "calendar": False,
                "quantiles": LEVELS,
            }
        )


FAMILIES = (
    Family(1, (), 4, 60, (1,), 20, 6_000),
    Family(4, (4,), 4, 60, (1, 4, 8, 12), 20, 6_000),
    Family(7, (7, 365), 14, 406, (1, 7, 14, 364), 42, 12_000),
    Family(12, (12,), 12, 144, (1, 12, 24, 36), 36, 12_000),
    Family(24, (24, 168), 24, 504, (1, 24, 168, 336), 120, 20_000),
    Family(52, (52,), 13, 208, (1, 52, 104), 52, 12_000),
    Family(96, (96, 672), 24, 672, (1, 96, 192, 672), 192, 12_000),
)
"""The shortest season first."""


def family(season: int) -> Family | None:
    """Return the family of series with a season; None: there is none."""
    return next((one for one in FAMILIES if one.season == season), None)


def start(experiment: ResolvedExperiment) -> tuple[Weights, ...]:
    """Return the first weights of each member: pretrained ones, or none where they are random.

    Raises:
        ConfigError: If there is no pretrained network for its season.
    """
    if experiment.training.start == "random":
        return ()
    found = needed(experiment.dataset.season)
    weights = for_horizon(load(found), found, experiment.dataset.horizon)
    if experiment.network.covariates:
        weights = _with_covariates(weights, experiment)
    return (list(weights.values()),) * experiment.training.members


def needed(season: int) -> Family:
    """Return the family of series with a season.

    Raises:
        ConfigError: If there is none.
    """
    if found := family(season):
        return found
    raise ConfigError(
        f"there is no pretrained network for a season of {season} steps; there are some for"
        f" {', '.join(str(one.season) for one in FAMILIES)}; set dataset.season to one of these, or"
        " train with `foreseq run` and training.start=random"
    )


def save(family: Family, weights: dict[str, Any], card: dict[str, Any], folder: Path) -> Path:
    """Write the network of a family with a card that tells how it was made.

    Args:
        family: Which network.
        weights: By the path of the variable.
        card: Steps, seed, and what else is worth knowing.
        folder: Holds a folder for each family.
    """
    half = {name: np.asarray(weight, np.float16) for name, weight in weights.items()}
    parts = {CARD: {"family": family._asdict(), **card}, WEIGHTS: half}
    return manifest.write(folder / family.name, parts, holds=HOLDS, form=FORMAT)


@cache
def load(family: Family, folder: Path = FOLDER) -> dict[str, Any]:
    """Return the weights of a family by the path of the variable, in the order of the network.

    Raises:
        BundleRefused: If the files are damaged.
    """
    parts = manifest.read(
        folder / family.name, (CARD, WEIGHTS), lambda parts: parts, holds=HOLDS, form=FORMAT
    )
    return {name: np.asarray(w, np.float32) for name, w in parts[WEIGHTS].items()}


def digest(family: Family) -> str:
    """Return the SHA-256 that stands for the network of a family."""
    return manifest.digest(FOLDER / family.name)


def for_horizon(stored: dict[str, Any], family: Family, horizon: int) -> dict[str, Any]:
    """Return pretrained weights for another horizon, by path, in the order of the network.

    Beyond the horizon of pretraining, the last patch stands for all that follow, while the cells
    run on.

    Args:
        stored: From `load`.
        family: Of the weights.
        horizon: Steps to forecast.
    """
    patch, known = family.patch, family.horizon
    steps = np.arange(whole_patches(horizon, patch))
    steps = np.where(steps < known, steps, known - patch + steps % patch)
    places = steps[::patch] // patch

    def fit(layer: str, weight: Any) -> Any:
        if layer == "place":
            return weight[places]
        if layer in ("lags", "shares"):
            by_step = weight.reshape(*weight.shape[:-1], known, -1)
            return by_step[..., steps, :].reshape(*weight.shape[:-1], -1)
        return weight

    return {path: fit(path.split("/")[-2], weight) for path, weight in stored.items()}


def _with_covariates(weights: dict[str, Any], experiment: ResolvedExperiment) -> dict[str, Any]:
    """Return the weights of a network that also reads covariates, and forecasts the same at first.

    What it gets in addition begins as in a network that was not pretrained.
    """
    extended = {}
    for variable in model_cache.build(experiment).trainable_variables:
        weight = np.array(variable)
        if variable.path in weights:
            weight[: len(weights[variable.path])] = weights[variable.path]
        extended[variable.path] = weight
    return extended
