"""The final model as an MLflow pyfunc, which maps a DataFrame of posts to a DataFrame of predictions."""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.pyfunc import PythonModel

from lib.devices.device import choose_device
from lib.evaluation.prediction import predict_posts
from lib.evaluation.saved_model import SavedModel
from lib.settings.config import TrainingSettings


class FinalModel(PythonModel):  # type: ignore[misc]
    """A pyfunc whose input has the columns post_id and text; its output is that of `predict_posts`."""

    def load_context(self, context: Any) -> None:
        """Load the model from the artifact 'model', its folder."""
        self._model = SavedModel.load(Path(context.artifacts["model"]), choose_device(TrainingSettings()))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict every criterion for every post.

        Args:
            context: MLflow's context, which is not used.
            model_input: Posts with the columns post_id and text.
            params: MLflow's parameters, which are not used.

        Returns:
            The predictions, with the columns of `predict_posts`.
        """
        posts = list(zip(model_input["post_id"].astype(str), model_input["text"].astype(str), strict=True))
        return predict_posts(self._model, posts, list(self._model.manifest.criteria))
