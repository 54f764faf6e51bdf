"""The final model as MLflow's pyfunc: a DataFrame of posts in, a DataFrame of predictions out."""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.pyfunc import PythonModel

from lib.devices.device import choose_device
from lib.evaluation.prediction import predict_posts
from lib.evaluation.saved_model import SavedModel
from lib.settings.config import TrainingSettings


class FinalModel(PythonModel):  # type: ignore[misc]
    """Input: columns post_id and text. Output: lib.final.predicting's columns."""

    def load_context(self, context: Any) -> None:
        """Read the model's folder."""
        self._model = SavedModel.load(Path(context.artifacts["model"]), choose_device(TrainingSettings()))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict for every post and criterion."""
        posts = list(zip(model_input["post_id"].astype(str), model_input["text"].astype(str), strict=True))
        return predict_posts(self._model, posts, list(self._model.manifest.criteria))
