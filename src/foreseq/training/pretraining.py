"""Pretraining: one network for each family of seasons learns from synthetic series alone."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from foreseq import __version__
from foreseq.config import ResolvedExperiment
from foreseq.series import prior, windows
from foreseq.training import batches, loop, losses, model_cache
from foreseq.training.batches import BatchSampler, SeriesPool
from foreseq.training.loop import CurvePoint, Fitted, Schedule
from foreseq.training.network_weights import Weights
from foreseq.training.pretrained import Family

BATCH, RATE = 128, 6e-3
"""Windows in a batch, and the learning rate at first, which falls along a cosine."""
LOT, WINDOWS_PER_SERIES = 1000, 24
"""Training steps after which series are made anew, and windows that each series serves for."""
LIMITS = (
    "One channel, no calendar and no covariates; beyond the horizon of pretraining the last patch"
    " is repeated. Its quantiles are of synthetic series: calibrate them on the data."
)
WORTH_COMPILING = 500
"""Steps from which compiling the training step saves time."""
CHECKED = 2048
"""Windows of synthetic series on which progress is measured."""


class Recipe(NamedTuple):
    """How a network is pretrained."""

    family: Family
    steps: int
    seed: int = 1
    without: tuple[str, ...] = ()
    """Parts of the synthetic series to leave out, of `prior.PARTS`."""


def pretrain(
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    report: Callable[[CurvePoint], None] = lambda _: None,
) -> Fitted:
    """Train the network of a family on synthetic series.

    Args:
        recipe: The network, its series and how long it learns.
        checkpoint: File to keep the state of training in, and to resume from.
        report: Called after each validation.
    """
    learner = _Learner(recipe)
    schedule = Schedule(
        max_steps=recipe.steps,
        every=max(1, min(LOT, recipe.steps // 4)),
        patience=recipe.steps,
        keep_last=True,
    )
    return loop.run(
        learner, schedule, checkpoint=checkpoint, report=lambda point, *_: report(point)
    )


def experiment(recipe: Recipe) -> ResolvedExperiment:
    """Return the experiment of a pretraining."""
    family = recipe.family
    return ResolvedExperiment.model_validate(
        {
            "dataset": {"freq": "1", "season": family.season, "horizon": family.horizon},
            "network": family.network(),
            "training": {
                "learning_rate": RATE,
                "loss": "mase",
                "max_steps": recipe.steps,
                "batch_size": BATCH,
                "cutoffs_per_window": 1,
                "synthetic": 0.0,
                "sign_flip": False,
                "members": 1,
                "workers": 1,
                "jit": recipe.steps >= WORTH_COMPILING,
                "seed": recipe.seed,
            },
            "split": {
                "test_windows": 1,
                "stride": 1,
                "validation_windows": 1,
                "validation_stride": 1,
            },
        }
    )


def by_path(recipe: Recipe, weights: Weights) -> dict[str, Any]:
    """Return the weights of a pretraining by the path of their variable."""
    model = model_cache.build(experiment(recipe))
    return {
        variable.path: weight
        for variable, weight in zip(model.trainable_variables, weights, strict=True)
    }


def card(recipe: Recipe, fitted: Fitted) -> dict[str, Any]:
    """Return what is worth knowing about a network: how it was made, and what it cannot do."""
    return {
        "data": "synthetic series of foreseq.series.prior alone",
        "without": list(recipe.without),
        "steps": fitted.best_step,
        "batch": BATCH,
        "seed": recipe.seed,
        "foreseq": __version__,
        "validation": round(fitted.curve[-1].validation, 4),
        "limits": LIMITS,
    }


class _Learner:
    """The compiled network of a family and its batches, a pure function of seed and step."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.experiment = experiment(recipe)
        key = model_cache.compile_key(self.experiment)
        self.compiled = model_cache.CompiledModel(key, losses.NO_UNITS)
        self.compiled.reset(0, RATE, recipe.steps)
        self.model, self.optimizer = self.compiled.model, self.compiled.optimizer
        self.sampler = lru_cache(maxsize=1)(self._sampler)
        self.checked = self._pool(CHECKED // 4, CHECKED, lot=-1)

    def learn(self, steps: range) -> float:
        """Take some training steps; return their mean loss."""
        sums = [
            self.model.train_on_batch(*self.sampler(step // LOT)(step, self.model))
            for step in steps
        ]
        return float(np.mean(sums))

    def validate(self, weights: Weights) -> float:
        """Return the mean quantile loss, in units of MASE, on series not trained on."""
        pool, horizon = self.checked, self.recipe.family.horizon
        sample = windows.WindowSampler(pool.ends, horizon, 0)(0, pool.size)
        error = windows.futures(pool.panel, sample, horizon)[..., None]
        error = error - model_cache.forecast(self.experiment, weights, pool.panel, sample)
        tau = np.array(self.experiment.network.quantiles)
        loss = 2 * np.maximum(tau * error, (tau - 1) * error)
        return float(np.nanmean(pool.weight[sample.series][:, None, None] * loss))

    def _sampler(self, lot: int) -> BatchSampler:
        pool = self._pool(-(-LOT * BATCH // WINDOWS_PER_SERIES), BATCH, lot)
        return BatchSampler((pool,), self.experiment, self.recipe.seed)

    def _pool(self, count: int, size: int, lot: int) -> SeriesPool:
        """Return `count` series, for `size` windows at a time; lot -1 is never learned from."""
        family = self.recipe.family
        panel = prior.make_panel(
            count,
            family.context + 2 * family.context // 3 + family.horizon,
            family.cycles,
            seed=[self.recipe.seed, lot + 1],
            without=self.recipe.without,
        )
        return batches.pool(panel, panel.lengths, size, self.experiment.training.loss)
