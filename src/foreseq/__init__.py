"""Recurrent forecasters: typed values in, typed values out."""

from importlib.metadata import version

__version__ = version("foreseq")
