"""The leaderboard: forecasters on the same test windows, the best first."""

from math import nan
from typing import NamedTuple

import pandas as pd

from foreseq.evaluation.backtest import FORESEQ, Backtest
from foreseq.evaluation.baselines import BASELINES, NAIVE, SEASONAL_NAIVE
from foreseq.evaluation.comparison import Comparison
from foreseq.report.findings import NAMES
from foreseq.report.html import number


class Place(NamedTuple):
    """A forecaster on the leaderboard."""

    name: str
    """For people."""
    error: float
    crps: float
    seconds: float
    """NaN: not measured."""

    def cells(self) -> tuple[str, str, str, str]:
        """Return name, error, CRPS and seconds as texts."""
        clock = "" if pd.isna(self.seconds) else f"{self.seconds:.1f}"
        return self.name, number(self.error), number(self.crps), clock


class Leaderboard(NamedTuple):
    """Forecasters on the same windows."""

    windows: str
    """Which windows."""
    measure: str
    """`MASE` or `MAE`."""
    places: list[Place]

    def table(self) -> pd.DataFrame:
        """Return a row for each forecaster."""
        rows = [place._asdict() for place in self.places]
        return pd.DataFrame(rows).rename(columns={"error": self.measure.lower()})

    def markdown(self) -> str:
        """Return a table in Markdown, spaced where pages draw tables without space."""
        lines = [" |&emsp;".join((f"on {self.windows}", self.measure, "CRPS", "seconds"))]
        lines.append("|".join(["---", *3 * ["--:"]]))
        for name, *rest in (place.cells() for place in self.places):
            ours = name == NAMES[FORESEQ]
            lines.append(" |&emsp;".join([f"**{name}**" if ours else name, *rest]))
        return "".join(f"| {line} |\n" for line in lines)


def rank(
    backtest: Backtest,
    comparison: Comparison | None = None,
    season: int = 1,
    seconds: float = nan,
) -> Leaderboard:
    """Return the leaderboard of a test.

    Args:
        backtest: Of foreseq and the naive ones.
        comparison: Of foreseq and statistical baselines, perhaps on some of the windows.
        season: Of the data.
        seconds: That foreseq took.
    """
    shared = (comparison and comparison.backtest) or backtest
    crps = {name: shared.crps(name) for name in shared.forecasts}
    took = {FORESEQ: seconds}
    if comparison is not None:
        crps |= comparison.crps()
        took |= comparison.seconds
    left_out = {name for name in BASELINES if name not in (NAIVE, SEASONAL_NAIVE)}
    names = [name for name in shared.forecasts if name not in left_out]
    places = [
        Place(NAMES[name], shared.error(name), crps[name], took.get(name, nan)) for name in names
    ]
    count, whole = shared.windows.count, backtest.windows.count
    some = f" of {whole:,}" if count < whole else ""
    about = f"{count:,}{some} windows of {backtest.actual.shape[1]} steps, season {season}"
    return Leaderboard(about, shared.measure, sorted(places, key=lambda place: place.error))
