"""The optimizer of forecasts and text, built from their shared config."""

import keras

from foreseq.config import LearningConfig

OPTIMIZERS = {
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
    "nadam": keras.optimizers.Nadam,
}
CLIPPING = {"global_norm": "global_clipnorm", "norm": "clipnorm", "value": "clipvalue"}
"""Keras's argument for each `clip_by`."""
LAST_RATE = 0.01
"""Learning rate at the end, as a share of the first."""


class Schedule:
    """A learning rate that falls along a cosine.

    First rate and length are variables of the optimizer, so that a compiled training step serves
    trainings of any rate and length.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer) -> None:
        self.rate, self.steps = (optimizer.add_variable((), initializer="ones") for _ in range(2))
        optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(
            self.rate, self.steps, alpha=LAST_RATE
        )

    def start(self, rate: float, steps: int) -> None:
        """Set the first rate, and the steps after which it has fallen."""
        self.rate.assign(rate)
        self.steps.assign(steps)


def build(learning: LearningConfig) -> tuple[keras.optimizers.Optimizer, Schedule]:
    """Build an optimizer and the schedule of its learning rate."""
    optimizer = OPTIMIZERS[learning.optimizer](
        weight_decay=learning.weight_decay or None,
        use_ema=learning.ema > 0,
        ema_momentum=learning.ema or 0.99,
        **{CLIPPING[learning.clip_by]: learning.clip},
    )
    return optimizer, Schedule(optimizer)
