"""Forecasts of many time series with recurrent networks.

from foreseq import Forecaster

model = Forecaster(horizon=14).fit(df)  # columns unique_id, ds, y
model.predict()                         # columns unique_id, ds, y_hat, q10, q50, q90, cutoff
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from foreseq import environment

if TYPE_CHECKING:
    from foreseq.api import Forecaster, load

    __version__: str

__all__ = ["Forecaster", "__version__", "load"]

environment.prepare()


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: TensorFlow takes seconds (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("foreseq")
    if name in __all__:
        with environment.quiet():
            return getattr(import_module("foreseq.api"), name)
    raise AttributeError(f"module 'foreseq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
