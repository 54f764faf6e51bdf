"""Predict every criterion for one post with an agent's final model."""

import argparse
from pathlib import Path

from lib.devices.device import choose_device
from lib.evaluation.prediction import predict_posts
from lib.evaluation.saved_model import SavedModel
from lib.settings.config import TrainingSettings


def main() -> None:
    """Print a table of predictions, the most probable first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("results/criteria/model"), help="folder of the model")
    parser.add_argument("--post", required=True, help="text of the post")
    options = parser.parse_args()
    model = SavedModel.load(options.model, choose_device(TrainingSettings(device="auto")))
    criteria = list(model.manifest.criteria)
    found = predict_posts(model, [("post", options.post)], criteria)
    columns = ["criterion", "met", "probability", "text"]
    print(found.sort_values("probability", ascending=False).to_string(columns=columns, index=False))


if __name__ == "__main__":
    main()
