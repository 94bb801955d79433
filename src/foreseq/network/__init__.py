"""The forecaster's network, and how windows are put to it."""

from foreseq.network.answer import ROWS, answer, inputs
from foreseq.network.build import forecaster
from foreseq.network.outputs import middle, outputs

__all__ = ["ROWS", "answer", "forecaster", "inputs", "middle", "outputs"]
