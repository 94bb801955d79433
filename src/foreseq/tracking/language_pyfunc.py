"""A language model for plain MLflow: rows `prompt` in, rows `prompt, text` out.

MLflow keeps a copy of this file with the bundle and runs it on loading, so no pickle is needed.
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
    """Writes with the bundle that was logged with it."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle, verify it, and rebuild the network."""
        loaded = bundle.load(Path(context.artifacts["bundle"]))
        self.vocabulary, self.model = loaded.vocabulary, loaded.model()

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return the text after each prompt; a `top_k` of 0 means all symbols."""
        del context
        options = dict(params or {})
        options["top_k"] = options.get("top_k") or None
        sampling = build(SamplingConfig, options, origin="params")
        prompts = [str(prompt) for prompt in model_input["prompt"]]
        texts = complete(self.model, self.vocabulary, prompts, sampling)
        return pd.DataFrame({"prompt": prompts, "text": texts})


set_model(Write())
