"""Where batches come from: the series there are and, beside them, series that are made up."""

from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from foreseq import metrics, network
from foreseq.config import ResolvedExperiment
from foreseq.series import multivariate, synthetic, windows
from foreseq.series.panel import Panel
from foreseq.training import losses

Values = NDArray[np.float64]

MOST_SERIES = 20_000
"""Most that are made up: more teach nothing new in as many steps as time allows."""
WINDOWS_OF_EACH = 8
"""Windows that are drawn from a made-up series, or more: it takes as long as some of them teach."""
MIRRORED = 0.5
"""Share of windows that are turned upside down, if any are."""


class Source(NamedTuple):
    """Series to draw windows from."""

    panel: Panel
    ends: NDArray[np.int64]
    """Steps of each series that may be touched, shape (n_series,)."""
    seasonal_error: NDArray[np.float64]
    """Scale of MASE, shape (n_series,)."""
    weight: NDArray[np.float64]
    """Of an error of each series, shape (n_series,)."""
    size: int
    """Windows in each batch."""


class Batch(NamedTuple):
    """What `keras.Model.train_on_batch` takes."""

    inputs: dict[str, NDArray[np.float32]]
    """By name, as `network.forecaster` reads them."""
    target: NDArray[np.float32]
    """As `losses.target`, shape (batch, cutoffs, channels, horizon, 2)."""
    answerable: NDArray[np.float32]
    """One where there is something to learn, shape (batch, cutoffs, channels, horizon)."""


def sources(
    panel: Panel, ends: NDArray[np.int64], steps: int, experiment: ResolvedExperiment
) -> tuple[Source, ...]:
    """Return the series there are and, if the experiment wants any, made-up ones.

    Args:
        panel: The series there are.
        ends: Steps of each that may be touched, shape (n_series,).
        steps: Batches there will be at most.
        experiment: With every choice settled.
    """
    training = experiment.training
    batch = training.batch_size
    size = int(training.synthetic * batch)
    real = _source(panel, ends, batch - size, training.loss)
    if not size:
        return (real,)
    context, horizon = experiment.network.context, experiment.dataset.horizon
    made = synthetic.make_panel(
        panel,
        ends,
        count=min(MOST_SERIES, -(-steps * size // WINDOWS_OF_EACH)),
        # as padded as the real ones
        length=context + min(context, windows.typical_length(ends, horizon)) + horizon,
        horizon=horizon,
        log=experiment.network.log,
        counts=experiment.network.output_domain == "integer",
        seed=training.seed,
    )
    return real, _source(made, made.lengths, size, training.loss)


class Draw:
    """Batches at random, a pure function of seed and step, so that a run can resume."""

    def __init__(
        self, chosen: tuple[Source, ...], experiment: ResolvedExperiment, seed: int
    ) -> None:
        """Prepare to draw.

        Args:
            chosen: Where from.
            experiment: With every choice settled.
            seed: Of all that is drawn.

        Raises:
            SeriesTooShort: If no series of some source holds a window.
        """
        horizon = experiment.dataset.horizon
        self.patch = experiment.network.patch
        self.mirror, self.seed = experiment.training.sign_flip, seed
        self.parts = [
            (source, windows.WindowSampler(source.ends, horizon, seed)) for source in chosen
        ]

    def __call__(self, step: int, model: keras.Model) -> Batch:
        """Return the batch of one training step for a network."""
        parts = [
            _read(source, draw(step, source.size), self.patch, model, self._turned(step, source))
            for source, draw in self.parts
        ]
        return parts[0] if len(parts) == 1 else _together(parts)

    def _turned(self, step: int, source: Source) -> NDArray[np.bool_]:
        """Return which windows of a batch are turned upside down."""
        if not self.mirror:
            return np.zeros(source.size, bool)
        return np.asarray(np.random.default_rng([step, self.seed]).random(source.size) < MIRRORED)


def upside_down(past: Values, y: Values) -> tuple[Values, Values]:
    """Return windows mirrored at the mean of their past; missing values stay missing.

    Positive ones stay positive: what is mirrored of them is their ratio to the geometric mean.

    Args:
        past: Shape (batch, time, channels).
        y: What came, shape (batch, cutoffs, channels, horizon).

    Example:
        >>> past, y = upside_down(np.array([[[1.0], [4.0]]]), np.array([[[[8.0, np.nan]]]]))
        >>> past[..., 0].round(9).tolist(), y.round(9).ravel().tolist()
        ([[4.0, 1.0]], [0.5, nan])
        >>> upside_down(np.array([[[0.0], [4.0]]]), np.array([[[[8.0]]]]))[1].ravel().tolist()
        [-4.0]
    """
    never = (past <= 0).any(axis=1) | (y <= 0).any(axis=(1, 3))  # (batch, channels)
    positive = np.logical_not(never)

    def scale(values: Values, ratio: NDArray[np.bool_]) -> Values:
        return np.where(ratio, np.log(np.where(ratio, values, 1.0)), values)

    def value(scaled: Values, ratio: NDArray[np.bool_]) -> Values:
        return np.where(ratio, np.exp(np.where(ratio, scaled, 0.0)), scaled)

    of_past, of_y = positive[:, None], positive[:, None, :, None]
    scaled = scale(past, of_past)
    level = metrics.mean_known(scaled, axis=1)  # (batch, channels)
    return (
        value(2 * level[:, None] - scaled, of_past),
        value(2 * level[:, None, :, None] - scale(y, of_y), of_y),
    )


def _source(panel: Panel, ends: NDArray[np.int64], size: int, loss: str) -> Source:
    """Weigh the series of a panel."""
    errors = metrics.seasonal_errors(
        panel.values, panel.observed, panel.offsets, ends, panel.season
    )
    return Source(panel, ends, errors, losses.weights(errors, loss), size)


def _read(
    source: Source,
    drawn: windows.Windows,
    patch: int,
    model: keras.Model,
    turned: NDArray[np.bool_],
) -> Batch:
    """Read windows and what came after each cutoff that a network forecasts from."""
    inputs: dict[str, Any] = network.inputs(model, source.panel, drawn)._asdict()
    _, cutoffs, channels, horizon, _ = model.output.shape
    newest = multivariate.all_series(source.panel, drawn) if channels > 1 else drawn
    shape = (drawn.count, cutoffs, channels)
    begins = windows.cutoff_starts(patch, cutoffs)
    series = np.broadcast_to(newest.series.reshape(-1, 1, channels), shape)
    cutoff = newest.cutoff.reshape(-1, 1, channels) - begins[::-1, None]
    asked = windows.Windows(series.ravel(), cutoff.ravel())
    y = windows.futures(source.panel, asked, horizon).reshape(*shape, horizon)
    if turned.any():
        unseen = inputs["observed"][turned] == 0
        past = np.where(unseen, np.nan, inputs["past"][turned])
        past, y[turned] = upside_down(past, y[turned])
        inputs["past"][turned] = np.where(unseen, 0.0, past)
    context = inputs["past"].shape[1] - begins[-1]
    seen = [inputs["observed"][:, begin : begin + context].any(axis=1) for begin in begins]
    known = np.stack(seen, axis=1) & (cutoff >= windows.MIN_PAST)
    answerable = np.isfinite(y) & known[..., None]
    target = losses.target(np.nan_to_num(y), source.weight[series])
    return Batch(inputs, target, answerable.astype(np.float32))


def _together(parts: list[Batch]) -> Batch:
    inputs, targets, answerable = zip(*parts, strict=True)
    return Batch(
        {name: np.concatenate([part[name] for part in inputs]) for name in inputs[0]},
        np.concatenate(targets),
        np.concatenate(answerable),
    )
