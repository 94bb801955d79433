"""What was tried, written down: one MLflow run per training, made to be compared.

An experiment of MLflow is named as the model in the registry, so that its runs compete for the same
place. Every run has the same metrics and the same files at its root, which is what the compare
views of MLflow's pages line up.
"""

from foreseq.tracking.links import compare_link, report_link, ui_link
from foreseq.tracking.runs import Run, close_the_dead, codes, done, find, run, trained_on

__all__ = [
    "Run",
    "close_the_dead",
    "codes",
    "compare_link",
    "done",
    "find",
    "report_link",
    "run",
    "trained_on",
    "ui_link",
]
