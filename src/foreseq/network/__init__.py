"""The forecaster's network, and how windows are put to it."""

from foreseq.network.build import forecaster
from foreseq.network.outputs import middle, outputs
from foreseq.network.predict import ROWS, answer, inputs

__all__ = ["ROWS", "answer", "forecaster", "inputs", "middle", "outputs"]
