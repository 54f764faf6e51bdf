"""Search with the Hugging Face Trainer's hyperparameter_search, train with what it found, and predict.

It uses the Trainer's own search space (rate, epochs, seed and batch size), bf16 and group_by_length. Of the time,
0.6 is for the search, since a trial that has begun is not interrupted and the final training follows.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from race.rivals import drawn

LENGTH, SEARCH = 256, 0.6


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

    def trainer(train: pd.DataFrame, more: dict[str, Any]) -> Any:
        arguments = TrainingArguments(
            str(options.folder / "checkpoints"),
            bf16=True,
            group_by_length=True,
            per_device_eval_batch_size=64,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
            seed=options.seed,
            **more,
        )
        return Trainer(
            None,
            arguments,
            train_dataset=rows(train),
            eval_dataset=rows(drawn(parts["validation"], options.seed)),
            data_collator=DataCollatorWithPadding(tokenizer),
            model_init=model_init,
            compute_metrics=metrics,
        )

    best = trainer(drawn(parts["train"], options.seed), {}).hyperparameter_search(
        direction="maximize",
        backend="optuna",
        n_trials=1000,
        timeout=SEARCH * 60 * options.minutes - (time.monotonic() - began),
        compute_objective=lambda found: found["eval_f1"],
    )
    chosen = {name: value for name, value in best.hyperparameters.items() if name != "seed"}
    # Not on the validation posts, on which its threshold is fitted.
    final = trainer(drawn(parts["train"], options.seed), chosen)
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
