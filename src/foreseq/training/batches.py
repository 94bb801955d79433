"""Training batches: windows of the data and, if the experiment has any, of synthetic series."""

from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from foreseq import metrics
from foreseq.config import Covariate, ResolvedExperiment
from foreseq.network import predict
from foreseq.series import multivariate, synthetic, windows
from foreseq.series.panel import Panel
from foreseq.training import losses

Values = NDArray[np.float64]

MOST_SERIES = 20_000
"""Most synthetic series: more do not help in as many steps as time allows."""
WINDOWS_PER_SERIES = 8
"""Fewest windows of a synthetic series: generating one takes as long as training on some."""
LEAST_ERROR = 1e-3
"""Least scale of MASE, in spreads of its series: one without noise must not outweigh all others."""
UNKNOWN, CUT_SHORT, UNKNOWN_CATEGORY = 0.1, 0.05, 0.02
"""Shares of windows in which a covariate is unknown, is known ahead for some steps only, and has a
category that the network does not know: so it learns to forecast without."""
COLD, YOUNG = 0.1, 0.05
"""Shares of windows without any y, and with a season of it at most, where a series can be forecast
so (covariates.py, series held out)."""
FLIPPED = 0.5
"""Share of windows that are flipped with `training.sign_flip`."""


class SeriesPool(NamedTuple):
    """Series to sample windows from."""

    panel: Panel
    ends: NDArray[np.int64]
    """Steps of each series that may be used, shape (n_series,)."""
    seasonal_error: NDArray[np.float64]
    """Scale of MASE, not far below the spread of a series, shape (n_series,)."""
    weight: NDArray[np.float64]
    """Of an error of each series, shape (n_series,)."""
    size: int
    """Windows in each batch."""


class Batch(NamedTuple):
    """What `keras.Model.train_on_batch` takes."""

    inputs: dict[str, NDArray[Any]]
    """By name, as the network reads them."""
    target: NDArray[np.float64]
    """As `losses.target`, shape (batch, cutoffs, channels, horizon, 2)."""
    weight: NDArray[np.float32]
    """One where something can be learned, else zero, shape (batch, cutoffs, channels, horizon)."""


def pools(
    panel: Panel, ends: NDArray[np.int64], steps: int, experiment: ResolvedExperiment
) -> tuple[SeriesPool, ...]:
    """Return the data up to `ends` and, if the experiment has any, synthetic series.

    The number of synthetic series depends on the training `steps`.
    """
    training = experiment.training
    batch = training.batch_size
    size = int(training.synthetic * batch)
    real = pool(panel, ends, batch - size, training.loss)
    if not size:
        return (real,)
    context, horizon = experiment.network.context, experiment.dataset.horizon
    generated = synthetic.make_panel(
        panel,
        ends,
        count=min(MOST_SERIES, -(-steps * size // WINDOWS_PER_SERIES)),
        # as padded as the real ones
        length=context + min(context, windows.typical_length(ends, horizon)) + horizon,
        horizon=horizon,
        log=experiment.network.log,
        counts=experiment.network.output_domain == "integer",
        seed=training.seed,
    )
    return real, pool(generated, generated.lengths, size, training.loss)


class BatchSampler:
    """Random batches, a pure function of seed and step, so that training can resume."""

    def __init__(
        self, pools: tuple[SeriesPool, ...], experiment: ResolvedExperiment, seed: int
    ) -> None:
        """Prepare to sample.

        Raises:
            SeriesTooShort: If no series of some pool holds a window.
        """
        horizon = experiment.dataset.horizon
        self.patch, self.reads = experiment.network.patch, experiment.network.covariates
        self.starts_cold, self.season = experiment.network.starts_cold, experiment.dataset.season
        self.sign_flip, self.seed = experiment.training.sign_flip, seed
        half_lives = experiment.training.half_life, 0  # synthetic series have no age
        self.parts = [
            (pool, windows.WindowSampler(pool.ends, horizon, seed, half_life))
            for pool, half_life in zip(pools, half_lives, strict=False)
        ]

    def __call__(self, step: int, model: keras.Model) -> Batch:
        """Return the batch of one training step for a network."""
        parts = [
            _read(
                pool,
                sample(step, pool.size),
                self.patch,
                model,
                flipped=self._flipped(step, pool),
                reads=self.reads,
            )
            for pool, sample in self.parts
        ]
        batch = parts[0] if len(parts) == 1 else _concatenate(parts)
        if self.reads:
            rng = np.random.default_rng([2, step, self.seed])
            hide(batch.inputs, self.reads, model.output.shape[3], rng)
            if self.starts_cold:
                forget(batch.inputs, self.reads, self.season, rng)
        return batch

    def _flipped(self, step: int, pool: SeriesPool) -> NDArray[np.bool_]:
        """Return which windows of a batch are flipped."""
        if not self.sign_flip:
            return np.zeros(pool.size, bool)
        return np.asarray(np.random.default_rng([step, self.seed]).random(pool.size) < FLIPPED)


def hide(
    inputs: dict[str, Any],
    reads: tuple[Covariate, ...],
    horizon: int,
    rng: np.random.Generator,
) -> None:
    """Make some covariates of a batch unknown, in place.

    Args:
        inputs: As the network reads them.
        reads: What the columns are, the same for each channel.
        horizon: Steps at the end that are ahead.
        rng: Decides which.
    """
    values, known = inputs["covariates"], inputs["covariates_known"]
    batch, time, width = values.shape
    known *= rng.random((batch, 1, width)) >= UNKNOWN
    short = rng.random((batch, 1, width)) < CUT_SHORT
    last = time - horizon + rng.integers(0, horizon, (batch, 1, width))
    known[short & (np.arange(time)[:, None] >= last)] = 0
    named = np.array([bool(column.categories) for column in reads] * (width // len(reads)))
    values *= known * ~(named & (rng.random((batch, 1, width)) < UNKNOWN_CATEGORY))


def forget(
    inputs: dict[str, Any], reads: tuple[Covariate, ...], season: int, rng: np.random.Generator
) -> None:
    """Make the past of some windows of a batch unknown, all but its newest steps, in place.

    Half of those that keep nothing lose what was known beside y as well, but for static columns.

    Args:
        inputs: As the network reads them.
        reads: What the columns are.
        season: Most steps that are kept.
        rng: Decides which.
    """
    batch, time, _ = inputs["past"].shape
    drawn = rng.random(batch)
    kept = np.where(drawn < COLD + YOUNG, rng.integers(1, season + 1, batch), time)
    kept[drawn < COLD] = 0
    gone = np.arange(time) < time - kept[:, None]
    for name in ("past", "observed"):
        inputs[name][gone] = 0
    changing = np.array([column.role != "static" for column in reads])
    for name in ("covariates", "covariates_known"):
        inputs[name][:, :time] *= ~((drawn < COLD / 2)[:, None, None] & changing)


def flip(past: Values, y: Values) -> tuple[Values, Values]:
    """Return windows reflected at the mean of their past; missing values stay missing.

    Positive windows stay positive: they are reflected on the logarithmic scale.

    Args:
        past: Shape (batch, time, channels).
        y: What followed, shape (batch, cutoffs, channels, horizon).

    Example:
        >>> past, y = flip(np.array([[[1.0], [4.0]]]), np.array([[[[8.0, np.nan]]]]))
        >>> past[..., 0].round(9).tolist(), y.round(9).ravel().tolist()
        ([[4.0, 1.0]], [0.5, nan])
        >>> flip(np.array([[[0.0], [4.0]]]), np.array([[[[8.0]]]]))[1].ravel().tolist()
        [-4.0]
    """
    below = (past <= 0).any(axis=1) | (y <= 0).any(axis=(1, 3))  # (batch, channels)
    positive = np.logical_not(below)

    def to_log(values: Values, where: NDArray[np.bool_]) -> Values:
        return np.where(where, np.log(np.where(where, values, 1.0)), values)

    def from_log(scaled: Values, where: NDArray[np.bool_]) -> Values:
        return np.where(where, np.exp(np.where(where, scaled, 0.0)), scaled)

    of_past, of_y = positive[:, None], positive[:, None, :, None]
    scaled = to_log(past, of_past)
    level = metrics.mean_known(scaled, axis=1)  # (batch, channels)
    return (
        from_log(2 * level[:, None] - scaled, of_past),
        from_log(2 * level[:, None, :, None] - to_log(y, of_y), of_y),
    )


def pool(panel: Panel, ends: NDArray[np.int64], size: int, loss: str) -> SeriesPool:
    """Return the series of a panel up to `ends`, for `size` windows in each batch."""
    panel = windows.without_absurd(panel, ends)
    errors = metrics.seasonal_errors(
        panel.values, panel.observed, panel.offsets, ends, panel.season
    )
    errors = np.where(errors > 0, np.maximum(errors, LEAST_ERROR * _spreads(panel, ends)), errors)
    return SeriesPool(panel, ends, errors, losses.weights(errors, loss), size)


def _spreads(panel: Panel, ends: NDArray[np.int64]) -> Values:
    """Return the mean distance of each series from its mean, shape (n_series,)."""
    spreads = np.zeros(panel.n_series)
    for series, end in enumerate(ends.tolist()):
        known = panel.series(series)[:end][panel.seen(series)[:end]]
        if known.size:
            spreads[series] = np.abs(known - known.mean()).mean()
    return spreads


def _read(  # noqa: PLR0913 - whose windows, how read, and for which network
    pool: SeriesPool,
    sample: windows.Windows,
    patch: int,
    model: keras.Model,
    *,
    flipped: NDArray[np.bool_],
    reads: tuple[Covariate, ...],
) -> Batch:
    """Read windows, and what followed each of their cutoffs."""
    inputs: dict[str, Any] = predict.inputs(model, pool.panel, sample, reads)._asdict()
    _, cutoffs, channels, horizon, _ = model.output.shape
    newest = multivariate.all_series(pool.panel, sample) if channels > 1 else sample
    shape = (sample.count, cutoffs, channels)
    starts = windows.cutoff_starts(patch, cutoffs)
    series = np.broadcast_to(newest.series.reshape(-1, 1, channels), shape)
    cutoff = newest.cutoff.reshape(-1, 1, channels) - starts[::-1, None]
    every_cutoff = windows.Windows(series.ravel(), cutoff.ravel())
    y = windows.futures(pool.panel, every_cutoff, horizon).reshape(*shape, horizon)
    if flipped.any():
        missing = inputs["observed"][flipped] == 0
        past = np.where(missing, np.nan, inputs["past"][flipped])
        past, y[flipped] = flip(past, y[flipped])
        inputs["past"][flipped] = np.where(missing, 0.0, past)
    context = inputs["past"].shape[1] - starts[-1]
    seen = [inputs["observed"][:, start : start + context].any(axis=1) for start in starts]
    known = np.stack(seen, axis=1) & (cutoff >= windows.MIN_PAST)
    usable = np.isfinite(y) & known[..., None]
    target = losses.target(np.nan_to_num(y), pool.weight[series])
    return Batch(inputs, target, usable.astype(np.float32))


def _concatenate(parts: list[Batch]) -> Batch:
    inputs, targets, weights = zip(*parts, strict=True)
    return Batch(
        {name: np.concatenate([part[name] for part in inputs]) for name in inputs[0]},
        np.concatenate(targets),
        np.concatenate(weights),
    )
