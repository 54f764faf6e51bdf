"""Train AutoGluon's MultiModalPredictor within a time, and predict. It runs in an environment of its own."""

import argparse
from pathlib import Path

import pandas as pd
from race.rivals import drawn

TRAINING = 0.8


def main() -> None:
    """Train, and write validation_predictions.csv and test_predictions.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with train.csv, validation.csv and test.csv")
    parser.add_argument("encoder", help="folder of the pretrained encoder")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from autogluon.multimodal import MultiModalPredictor  # type: ignore[import-not-found]

    parts = {name: pd.read_csv(options.folder / f"{name}.csv") for name in ("train", "validation", "test")}
    columns = ["criterion", "text"]
    train, tuning = (drawn(parts[name], options.seed)[[*columns, "label"]] for name in ("train", "validation"))
    # Its own metric, ROC AUC: the F1 at 0.5 is zero for many epochs, after which it would stop.
    predictor = MultiModalPredictor(label="label", problem_type="binary", path=str(options.folder / "autogluon"))
    # The rest of the time is for the predictions.
    predictor.fit(
        train,
        tuning_data=tuning,
        time_limit=TRAINING * 60 * options.minutes,
        seed=options.seed,
        hyperparameters={
            "model.names": ["hf_text"],
            "model.hf_text.checkpoint_name": options.encoder,
            "env.num_gpus": 0,
        },
    )
    for name in ("validation", "test"):
        probability = predictor.predict_proba(parts[name][columns], as_pandas=False)[:, 1]
        predictions = pd.DataFrame({"id": parts[name]["id"], "probability": probability})
        predictions.to_csv(options.folder / f"{name}_predictions.csv", index=False)


if __name__ == "__main__":
    main()
