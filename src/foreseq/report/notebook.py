"""What a notebook or a script shows of a trained forecaster: a page, a summary, a forecast."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from foreseq.evaluation import comparison, gate
from foreseq.evaluation.backtest import Backtest
from foreseq.evaluation.comparison import Comparison
from foreseq.forecasting.bundle import Bundle
from foreseq.ingest.repairs import Repairs
from foreseq.network.outputs import median_output
from foreseq.report import page, pictures
from foreseq.report.figures import outlook
from foreseq.report.figures.outlook import Outlook
from foreseq.report.html import picture, render
from foreseq.report.page import Findings
from foreseq.report.pictures import MAX_PAST, NAMES
from foreseq.selection.choose import Chosen
from foreseq.series import windows
from foreseq.series.panel import Panel
from foreseq.series.windows import Windows
from foreseq.training.loop import Fitted


class Training(NamedTuple):
    """A finished training, with all that a report of it needs."""

    name: str
    panel: Panel
    repairs: Repairs
    chosen: Chosen
    bundle: Bundle
    backtest: Backtest
    members: list[Fitted]


def report(training: Training) -> str:
    """Return the page of a training, as every MLflow run has it, with the gate's decision."""
    bundle, panel = training.bundle, training.panel
    findings = Findings(
        model=training.name,
        run=f"seed {bundle.experiment.training.seed}",
        panel=panel,
        repairs=training.repairs,
        backtest=training.backtest,
        comparison=comparison.compare(training.backtest, panel, bundle.experiment),
        choices=training.chosen.choices,
        candidates=training.chosen.candidates,
        members=training.members,
    )
    figures = pictures.draw(training.backtest, training.members[0].curve, panel)
    decision, _ = gate.judge(bundle, None, panel)
    return page.with_decision(page.report_page(findings, figures), decision)


def summary(training: Training, forecast: Figure, title: str) -> str:
    """Return a part of a page: verdict, scores, a forecast, and the choices folded."""
    backtest = training.backtest
    return render(
        "summary.html",
        title=title,
        verdict=page.summarize(backtest, Comparison(None, {}, {}, "")),
        scores={NAMES[name]: row for name, row in backtest.scores().items()},
        choices=training.chosen.choices,
        picture=picture({"forecast.png": forecast}, "forecast.png", title),
    )


def forecast_figure(
    panel: Panel, position: int, quantiles: NDArray[np.float64], levels: tuple[float, ...]
) -> Figure:
    """Draw the newest past of one series and its forecast.

    Args:
        panel: The histories.
        position: Of the series in the panel.
        quantiles: Forecast of that series, shape (1, horizon, outputs).
        levels: Quantile level of each output; none for a point forecast.
    """
    horizon, end = quantiles.shape[1], int(panel.lengths[position])
    shown = min(MAX_PAST * horizon, end)
    window = Windows(np.array([position]), np.array([end]))
    newest = Outlook(
        past_times=panel.times(position, end - shown, shown),
        past=windows.before(panel, window, shown)[0],
        future_times=panel.times(position, end, horizon),
        forecast=median_output(quantiles, levels)[0],
        quantiles={level: quantiles[0, :, i] for i, level in enumerate(levels)} or None,
    )
    return outlook.forecast_figure(newest, title=str(panel.ids[position]))
