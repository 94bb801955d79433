"""The names of metrics, the same in every run, and what stands under them.

MLflow's pages group charts by what precedes a name's last slash, in the order of the alphabet: ours
(`test/`) come first, then the curves of `training/`, then the others' (`versus/NAME/`).
"""

from typing import NamedTuple

from foreseq import evaluation
from foreseq.evaluation import FORESEQ, Backtest, Interval, Rivals

POINT = ("mae", "rmse", "smape", "mase")
INTERVAL = ("coverage", "width", "score")
SHARED = f"versus/{FORESEQ}"


class Measure(NamedTuple):
    """One number, or one point of a curve."""

    name: str
    value: float
    step: int = 0


def of_backtest(result: Backtest) -> list[Measure]:
    """Return the measures on all test windows: ours in `test/`, the others' in `versus/`."""
    return [
        *_of_points(result, "test"),
        *(
            Measure(f"{_folder(name, 'test')}/mase_by_horizon", value, step)
            for name, errors in result.by_horizon().items()
            for step, value in enumerate(errors.mase.tolist(), start=1)
        ),
        *_of_intervals(result.intervals(), "test"),
        *_of_duels(result),
        Measure("test/skill", result.skill()),
    ]


def of_rivals(rivals: Rivals) -> list[Measure]:
    """Return the classical methods' measures, ours on the same windows as `versus/foreseq/`."""
    tested = rivals.tested
    if tested is None:
        return []
    methods = tested._replace(
        forecasts={
            name: forecast
            for name, forecast in tested.forecasts.items()
            if name == FORESEQ or name in rivals.quantiles
        }
    )
    return [
        *_of_points(methods, SHARED),
        *(
            measure
            for name, intervals in rivals.intervals().items()
            for measure in _of_intervals(intervals, _folder(name, SHARED))
        ),
        *_of_duels(methods),
        *(Measure(f"versus/{name}/failures", count) for name, count in rivals.failures.items()),
        Measure("versus/windows", tested.windows.count),
    ]


def _of_points(result: Backtest, ours: str) -> list[Measure]:
    return [
        Measure(f"{_folder(name, ours)}/{measure}", getattr(scores, measure))
        for name, scores in result.scores().items()
        for measure in POINT
    ]


def _of_intervals(intervals: list[Interval], folder: str) -> list[Measure]:
    return [
        Measure(f"{folder}/{measure}_{100 * interval.level:g}", getattr(interval, measure))
        for interval in intervals
        for measure in INTERVAL
    ]


def _of_duels(result: Backtest) -> list[Measure]:
    others = [name for name in result.forecasts if name != evaluation.FORESEQ]
    skills = [Measure(f"test/skill_over_{name}", result.skill(over=name)) for name in others]
    wins = [Measure(f"test/wins_over_{name}", result.win_rate(name)) for name in others]
    return skills + wins


def _folder(forecaster: str, ours: str) -> str:
    return ours if forecaster == FORESEQ else f"versus/{forecaster}"
