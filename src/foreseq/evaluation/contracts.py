"""What every forecaster must keep to, ours, the naive ones and a user's own: one suite for all.

A forecaster is anything that is called as ours are: with a panel and windows of it, and answers an
array of shape (windows, horizon, outputs).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from foreseq.errors import ForeseqError
from foreseq.series import windows
from foreseq.series.panel import Panel, from_series, select
from foreseq.series.windows import Windows

ALONE = 3
"""Windows that are also asked about one by one."""
SEED = 1


class Answer(Protocol):
    """What answers windows: a `Forecaster`, or anything that stands in for one."""

    def __call__(self, panel: Panel, chosen: Windows) -> NDArray[np.float64]:
        """Return forecasts, shape (windows, horizon, outputs)."""


class ContractBroken(ForeseqError):
    """A forecaster does what no forecaster may do."""


class Case(NamedTuple):
    """What a forecaster is tried on."""

    answer: Answer
    panel: Panel
    chosen: Windows
    horizon: int
    told: NDArray[np.float64]
    """The answers to `chosen`."""


def check_forecaster(
    answer: Answer, *, horizon: int, panel: Panel | None = None, least: int = 2
) -> list[str]:
    """Hold a forecaster to every contract; return their names.

    Args:
        answer: The forecaster.
        horizon: Steps that it answers for.
        panel: What it is tried on, such as your own series; None: made-up weekly patterns by day,
            some with gaps.
        least: Steps that it needs to have seen, at least.

    Raises:
        ContractBroken: At the first one that it does not keep; the message says which and how.
        SeriesTooShort: If no series of the panel leaves room for a window.

    Example:
        >>> from foreseq.evaluation import seasonal_naive
        >>> def answer(panel, chosen):
        ...     return seasonal_naive(panel, chosen, 14)[..., None]
        >>> len(check_forecaster(answer, horizon=14))
        8
    """
    tried = made_up() if panel is None else panel
    chosen = _newest_and_older(tried, horizon, least)
    case = Case(answer, tried, chosen, horizon, np.array(answer(tried, chosen)))
    for name, contract in CONTRACTS.items():
        for complaint in contract(case):
            raise ContractBroken(f"{name}: {complaint}")
    return list(CONTRACTS)


def made_up() -> Panel:
    """Return series by day of different length and level, with weekly patterns and gaps."""
    rng = np.random.default_rng(SEED)
    longest = 260
    steps = np.arange(longest)
    series: dict[str, Sequence[float]] = {}
    for number, level in enumerate((1.0, 20.0, 300.0, 4000.0)):
        values = level * (3 + np.sin(2 * np.pi * (steps + number) / 7) + rng.gamma(4, 0.1, longest))
        values[: 40 * number] = np.nan
        values[rng.integers(60 * number, longest, size=3)] = np.nan
        series[f"series-{number}"] = values.tolist()
    return from_series(series, freq="D", season=7, start="2024-01-01")


def _answers_the_horizon(case: Case) -> Iterator[str]:
    """One number for every step asked about, the same shape whatever the data."""
    wanted, found = (case.chosen.count, case.horizon), case.told.shape
    if len(found) != 3 or found[:2] != wanted or not found[2]:  # noqa: PLR2004 three axes
        yield f"shape (windows, horizon, outputs) = {(*wanted, 'any')} is needed, found {found}"


def _answers_in_order(case: Case) -> Iterator[str]:
    if (np.diff(case.told, axis=-1) < 0).any():
        yield "quantiles must ascend, found some that cross"


def _answers_finitely(case: Case) -> Iterator[str]:
    seen = np.isfinite(windows.before(case.panel, case.chosen, 2 * case.panel.season)).all(axis=1)
    silent = seen & ~np.isfinite(case.told).all(axis=(1, 2))
    if silent.any():
        yield f"{silent.sum()} windows with a complete recent past have no finite forecast"


def _answers_alike(case: Case) -> Iterator[str]:
    again = case.answer(case.panel, case.chosen)
    if not same_rows(case.told, again).all():
        yield "the same question must have the same answer, bit for bit"


def _does_not_look_ahead(case: Case) -> Iterator[str]:
    cutoffs = np.unique(case.chosen.cutoff - case.panel.lengths[case.chosen.series])
    for back in cutoffs:
        rows = case.chosen.cutoff - case.panel.lengths[case.chosen.series] == back
        asked = case.chosen.take(rows)
        told = case.answer(altered(case.panel, asked), asked)
        alike = same_rows(case.told[rows], told)
        if not alike.all():
            yield (
                f"{(~alike).sum()} of {asked.count} forecasts moved when all that came after"
                " their cutoff was altered"
            )


def _answers_each_window_alone(case: Case) -> Iterator[str]:
    backwards = case.answer(case.panel, case.chosen.take(slice(None, None, -1)))[::-1]
    if not same_rows(case.told, backwards).all():
        yield "forecasts differ with the order in which windows are asked about"
    for row in range(min(ALONE, case.chosen.count)):
        one = slice(row, row + 1)
        if not same_rows(case.told[one], case.answer(case.panel, case.chosen.take(one))).all():
            yield "a window asked about alone is forecast otherwise than among others"


def _knows_series_by_their_past(case: Case) -> Iterator[str]:
    """A series under another name, alone in its panel, has the same past and the same future."""
    position = int(case.chosen.series[-1])
    rows = case.chosen.series == position
    alone = replace(select(case.panel, [position]), ids=np.array(["nobody has seen this one"]))
    asked = Windows(np.zeros(rows.sum(), np.int64), case.chosen.cutoff[rows])
    if not same_rows(case.told[rows], case.answer(alone, asked)).all():
        yield "a series under another name, alone, is forecast otherwise"


def _leaves_the_data_alone(case: Case) -> Iterator[str]:
    before = case.panel.fingerprint()
    case.answer(case.panel, case.chosen)
    if case.panel.fingerprint() != before:
        yield "forecasting has altered the panel"


CONTRACTS: dict[str, Callable[[Case], Iterator[str]]] = {
    "answers the horizon": _answers_the_horizon,
    "quantiles ascend": _answers_in_order,
    "answers where there is a past": _answers_finitely,
    "answers alike": _answers_alike,
    "leaves the data alone": _leaves_the_data_alone,
    "answers each window alone": _answers_each_window_alone,
    "does not look ahead": _does_not_look_ahead,
    "knows series by their past": _knows_series_by_their_past,
}
"""Every one, by name: yields what is wrong."""


def same_rows(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which rows are equal bit for bit, NaN included.

    Example:
        >>> row = np.array([[0.1 + 0.2], [np.nan]])
        >>> same_rows(row, np.array([[0.3], [np.nan]])).tolist()
        [False, True]
    """
    left, right = (np.ascontiguousarray(each, np.float64).view(np.int64) for each in (one, other))
    if left.shape != right.shape:
        return np.zeros(len(left), bool)
    return np.asarray((left == right).reshape(len(left), -1).all(axis=1))


def altered(panel: Panel, chosen: Windows) -> Panel:
    """Return the panel with every value after the first cutoff of each series made absurd."""
    first = panel.lengths.copy()
    np.minimum.at(first, chosen.series, chosen.cutoff)
    owner = np.repeat(np.arange(panel.n_series), panel.lengths)
    later = np.arange(len(panel.values)) - panel.offsets[owner] >= first[owner]
    values = np.array(panel.values)
    values[later] = -1e3 * (1 + np.abs(values[later]))
    return replace(panel, values=values)


def _newest_and_older(panel: Panel, horizon: int, least: int) -> Windows:
    """Return of each series the newest window with a known future, one amid, and the very end."""
    newest = panel.lengths - horizon
    middle = (panel.lengths + least) // 2
    series = np.arange(panel.n_series)
    cutoffs = np.stack([middle, newest, panel.lengths], axis=1)
    chosen = Windows(np.repeat(series, cutoffs.shape[1]), cutoffs.ravel())
    return chosen.take(chosen.cutoff >= least)
