"""A language model as plain MLflow loads it: rows `prompt` in, `prompt, text` out.

MLflow keeps a copy of this file beside the bundle and runs it on loading, which takes no pickle.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from foreseq.config import build
from foreseq.language import bundle
from foreseq.language.config import SamplingConfig
from foreseq.language.sampling import complete


class Write(PythonModel):
    """Writes with the bundle it was logged with."""

    def load_context(self, context: PythonModelContext) -> None:
        """Verify the bundle, then rebuild the network."""
        loaded = bundle.load(Path(context.artifacts["bundle"]))
        self.vocabulary, self.model = loaded.vocabulary, loaded.model()

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return what follows each prompt; `top_k` 0 stands for all symbols."""
        del context
        told = dict(params or {})
        told["top_k"] = told.get("top_k") or None
        sampling = build(SamplingConfig, told, origin="params")
        prompts = [str(prompt) for prompt in model_input["prompt"]]
        texts = complete(self.model, self.vocabulary, prompts, sampling)
        return pd.DataFrame({"prompt": prompts, "text": texts})


set_model(Write())
