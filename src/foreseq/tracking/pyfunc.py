"""A forecaster for plain MLflow: rows `unique_id, ds, y` in, the forecast table out.

MLflow keeps a copy of this file with the bundle and runs it on loading, so no pickle is needed.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from foreseq.forecasting import bundle, ensemble
from foreseq.forecasting.ensemble import Ensemble

DIGITS = 12
"""Of the bundle's digest as `model_version`: a model does not know its registered name."""


class Forecast(PythonModel):
    """Forecasts with the bundle that was logged with it."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle, verify it, and rebuild the networks."""
        folder = Path(context.artifacts["bundle"])
        loaded = bundle.load(folder)
        self.version = bundle.digest(folder)[:DIGITS]
        self.forecaster = Ensemble(loaded.experiment, loaded.final)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return the `horizon` steps after the last observation of every series."""
        del context, params
        return ensemble.from_table(self.forecaster, model_input, version=self.version)


set_model(Forecast())
