"""What a notebook or a script shows of a trained forecaster: a page, or a summary."""

from matplotlib.figure import Figure

from foreseq.evaluation import gate
from foreseq.evaluation.comparison import Comparison
from foreseq.report import page, pictures
from foreseq.report.findings import NAMES, Training, findings
from foreseq.report.html import picture, render


def report(training: Training, call: str) -> str:
    """Return the page of a training, as every MLflow run has it, with the gate's decision.

    Args:
        training: The training.
        call: Python that trains the same again.
    """
    seed = training.bundle.experiment.training.seed
    found = findings(training, f"seed {seed}", call)
    decision, _ = gate.judge(training.bundle, None, training.panel)
    return page.with_decision(page.report_page(found, pictures.draw(found)), decision)


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
