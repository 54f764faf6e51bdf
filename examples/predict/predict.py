"""Predict every criterion for one post with an agent's final model."""

import argparse
from pathlib import Path

from lib.devices.device import choose_device
from lib.evaluation.prediction import predict_posts
from lib.evaluation.saved_model import SavedModel
from lib.metrics.objective import in_population
from lib.settings.config import TrainingSettings


def main() -> None:
    """Print the criteria of the post, the most probable first, and the sentences or evidence that meet them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("results/criteria/model"), help="folder of the model")
    parser.add_argument("--post", required=True, help="text of the post")
    options = parser.parse_args()
    model = SavedModel.load(options.model, choose_device(TrainingSettings(device="auto")))
    criteria = list(model.manifest.criteria)
    found = predict_posts(model, [("post", options.post)], criteria)
    print(f"The decision rules were fitted {in_population(model.manifest.population)}.")
    of_post = found.drop_duplicates("criterion").sort_values("post_probability", ascending=False)
    print(of_post.to_string(columns=["criterion", "post_met", "post_probability"], index=False))
    met = found[found["met"]].sort_values("probability", ascending=False)
    shown = met.to_string(columns=["criterion", "met", "probability", "text"], index=False)
    print(shown if len(met) else "no sentence or evidence meets a criterion")


if __name__ == "__main__":
    main()
