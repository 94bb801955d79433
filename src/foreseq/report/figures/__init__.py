"""The pictures of a run: light, labelled at the line itself, and legible without colour vision.

Every function returns a `Figure` that belongs to nobody: no window, no global state, nothing to
close. Saved as it is, a figure of full width is 1200 pixels wide.
"""

from foreseq.report.figures.canvas import BLUE
from foreseq.report.figures.errors import (
    best_median_worst,
    calibration_figure,
    curves_figure,
    horizon_figure,
    series_figure,
)
from foreseq.report.figures.live import (
    ahead_figure,
    control_figure,
    coverage_figure,
    versions_figure,
)
from foreseq.report.figures.outlook import Outlook, forecast_figure, panel_figure

__all__ = [
    "BLUE",
    "Outlook",
    "ahead_figure",
    "best_median_worst",
    "calibration_figure",
    "control_figure",
    "coverage_figure",
    "curves_figure",
    "forecast_figure",
    "horizon_figure",
    "panel_figure",
    "series_figure",
    "versions_figure",
]
