"""Search with the Hugging Face Trainer's hyperparameter_search, train with what it found, and predict.

It searches what the Trainer's own space has (rate, epochs, seed and batch size), with rates up to those that small
encoders need. It uses group_by_length, and bf16 where the device computes it: without such instructions the Trainer's
bf16 is several times slower than fp32. Of the time, 0.6 is for the search; the training with the best setting
follows, and what is left is for the predictions. Trainings end with their time, wherever they are.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from race.rivals import drawn

LENGTH, SEARCH, TRAINING = 256, 0.6, 0.9


def computes_bf16() -> bool:
    """Return whether this device has instructions for bf16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def space(trial: Any) -> dict[str, Any]:
    """Return a trial's settings. The Trainer's own rates are 1e-6 to 1e-4, its batches 4 to 64."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-5, 5e-4, log=True),
        "num_train_epochs": trial.suggest_int("num_train_epochs", 1, 5),
        "seed": trial.suggest_int("seed", 1, 40),
        "per_device_train_batch_size": trial.suggest_categorical("per_device_train_batch_size", [8, 16, 32, 64]),
    }


def main() -> None:
    """Search, train, and write validation_predictions.csv and test_predictions.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with train.csv, validation.csv and test.csv")
    parser.add_argument("encoder", help="folder of the pretrained encoder")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    from sklearn.metrics import f1_score
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    tokenizer: Any = AutoTokenizer.from_pretrained(options.encoder, local_files_only=True)
    parts = {name: pd.read_csv(options.folder / f"{name}.csv") for name in ("train", "validation", "test")}

    def rows(pairs: pd.DataFrame) -> Any:
        both = pairs["criterion"].tolist(), pairs["text"].astype(str).tolist()
        made = tokenizer(*both, truncation="only_second", max_length=LENGTH)
        found = [{name: values[i] for name, values in made.items()} for i in range(len(pairs))]
        if "label" in pairs:
            found = [{**row, "labels": int(label)} for row, label in zip(found, pairs["label"], strict=True)]
        return found

    def model_init(trial: Any = None) -> Any:
        return AutoModelForSequenceClassification.from_pretrained(
            options.encoder, num_labels=2, local_files_only=True
        )

    def metrics(predicted: Any) -> dict[str, float]:
        return {"f1": float(f1_score(predicted.label_ids, predicted.predictions.argmax(axis=1)))}

    class Deadline(TrainerCallback):  # type: ignore[misc]
        """Ends a training at a share of the time."""

        def __init__(self, share: float) -> None:
            self.share = share

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if left(self.share) <= 0:
                control.should_training_stop = control.should_evaluate = True

    def left(share: float) -> float:
        return float(share * 60 * options.minutes) - (time.monotonic() - began)

    def trainer(share: float, more: dict[str, Any]) -> Any:
        arguments = TrainingArguments(
            str(options.folder / "checkpoints"),
            bf16=computes_bf16(),
            group_by_length=True,
            per_device_eval_batch_size=64,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
            **{"seed": options.seed, **more},
        )
        return Trainer(
            None,
            arguments,
            train_dataset=rows(drawn(parts["train"], options.seed)),
            eval_dataset=rows(drawn(parts["validation"], options.seed)),
            data_collator=DataCollatorWithPadding(tokenizer),
            model_init=model_init,
            compute_metrics=metrics,
            callbacks=[Deadline(share)],
        )

    best = trainer(SEARCH, {}).hyperparameter_search(
        direction="maximize",
        backend="optuna",
        hp_space=space,
        n_trials=1000,
        timeout=left(SEARCH),
        compute_objective=lambda found: found["eval_f1"],
    )
    # Not on the validation posts, on which its threshold is fitted.
    final = trainer(TRAINING, best.hyperparameters)
    final.train()
    print(f"best of the search: F1 {best.objective:.3f}, {best.hyperparameters}")
    for name in ("validation", "test"):
        found = final.predict(rows(parts[name].drop(columns="label", errors="ignore")))
        logits = torch.tensor(np.asarray(found.predictions))
        probability = logits.float().softmax(dim=-1)[:, 1].numpy()
        predictions = pd.DataFrame({"id": parts[name]["id"], "probability": probability})
        predictions.to_csv(options.folder / f"{name}_predictions.csv", index=False)


if __name__ == "__main__":
    main()
