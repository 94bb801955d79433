"""Train a tracked forecaster again, and compare the weights with those it has."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from foreseq.durable import files
from foreseq.errors import DataRefused
from foreseq.experiment.recipe import fit
from foreseq.forecasting import bundle
from foreseq.forecasting.bundle import Bundle
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.training.fitting import Progress

DIGITS = 12
PARTS = {"tested": bundle.EVALUATED, "final": bundle.FINAL, "calibration": bundle.CALIBRATION}
"""Files that must be identical, by their name for people."""


class Part(NamedTuple):
    """One part of a forecaster, then and now."""

    name: str
    then: str
    """SHA-256 of the part that was tracked."""
    now: str
    """SHA-256 of the part that was trained again."""

    @property
    def alike(self) -> bool:
        """Whether they are identical, bit for bit."""
        return self.then == self.now

    def __str__(self) -> str:
        """Return one line for people.

        Example:
            >>> print(Part("final", "9c1f" * 16, "9c1f" * 16))
            final: 9c1f9c1f9c1f, the same
            >>> print(Part("final", "9c1f" * 16, "0e5a" * 16))
            final: was 9c1f9c1f9c1f, now 0e5a0e5a0e5a
        """
        then, now = self.then[:DIGITS], self.now[:DIGITS]
        return f"{self.name}: {then}, the same" if self.alike else (
            f"{self.name}: was {then}, now {now}"
        )  # fmt: skip


def require_same_data(fitted: Bundle, fingerprint: str) -> None:
    """Check that a source still holds the data of a training.

    Args:
        fitted: The trained forecaster.
        fingerprint: Of the data that its source holds now.

    Raises:
        DataRefused: If they differ.
    """
    needed = fitted.origin.data
    if fingerprint != needed:
        raise DataRefused(
            f"the data of {needed[:DIGITS]} are needed to train this forecaster again",
            found=f"{fingerprint[:DIGITS]}: the source has changed since",
            remedy="bring the file back as it was, or put it where dataset.source says",
            file=fitted.experiment.dataset.source,
        )


def train_again(
    folder: Path, panel: Panel, *, report: Callable[[str, Progress], None] = lambda _s, _p: None
) -> list[Part]:
    """Train the forecaster of a bundle again, on the same data, and compare.

    Args:
        folder: The tracked bundle.
        panel: Its data.
        report: Called after each validation.

    Raises:
        BundleRefused: If the bundle is not as it was written.
    """
    fitted = bundle.load(folder)
    experiment = fitted.experiment
    split = windows.split(panel, experiment.dataset.horizon, experiment.split)
    outcome = fit(experiment, panel, split, report=report)
    with TemporaryDirectory() as scratch:
        again = bundle.save(outcome.bundle, Path(scratch) / "bundle")
        return [
            Part(name, files.sha256(folder / file), files.sha256(again / file))
            for name, file in PARTS.items()
        ]
