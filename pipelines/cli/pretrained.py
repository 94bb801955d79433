"""`foreseq forecast --data`: with a pretrained network, without MLflow and Prefect.

Those take longer to start than the forecast. Heavy imports wait here as well.
"""

import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from foreseq.pipelines.cli.command import begin, result

if TYPE_CHECKING:
    from foreseq.config import ExperimentConfig
    from foreseq.experiment.zero_shot import Forecasts
    from foreseq.forecasting.output import Output
    from foreseq.forecasting.writer import Manifest


def forecast(
    experiment: "ExperimentConfig", output: "Output", says: str, as_json: bool
) -> "Manifest":
    """Forecast at once, and print what came of it.

    Args:
        experiment: What is forecast.
        output: Where the forecasts go; without a folder they are only exported.
        says: The first line, before anything that takes time.
        as_json: Whether to print the result as JSON.
    """
    begin(says)
    from foreseq.pipelines.runtime import console, progress

    with progress.shown() as show:
        show("start", "loading libraries")
        from foreseq.forecasting import export
        from foreseq.pipelines.runtime import summary
        from foreseq.report import leaderboard

        export.check(output)
        show("forecast", "reading, testing and forecasting")
        done, where = _write(experiment, output)
    for line in summary.data(done.repairs, done.freq):
        console.say(line)
    board = done.backtest and leaderboard.rank(done.backtest, season=done.season)
    for line in (*summary.leaderboard(done.backtest, board), *where):
        console.say(line)
    if output.folder:
        console.say(f"look     foreseq show {shlex.quote(str(output.folder))}")
    skill = done.backtest and done.backtest.skill()
    made = done.manifest.model_dump(exclude={"parts"})
    result(as_json, forecast=output.place, skill=skill, **made)
    return done.manifest


def _write(experiment: "ExperimentConfig", output: "Output") -> "tuple[Forecasts, list[str]]":
    """Return the forecasts, and the lines on where they are."""
    from foreseq.experiment import zero_shot
    from foreseq.forecasting import export, writer
    from foreseq.pipelines.runtime import summary

    with TemporaryDirectory() as temporary:
        folder = output.folder or Path(temporary) / "forecasts"
        done = zero_shot.write(experiment, folder, output)
        export.write(writer.tables(folder), output)
        return done, summary.forecast(done.manifest, folder, output.place)
