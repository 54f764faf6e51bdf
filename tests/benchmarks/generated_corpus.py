"""Is the generated corpus hard for a bag of words and learnable for an encoder? Prints the F1-macro of both.

The corpus is of ReDSM5's size; TF-IDF with logistic regression against MiniLM at fixed hyper-parameters, on one third
of the posts.
"""

import tempfile
from contextlib import chdir
from pathlib import Path

from lib.cli.main import main
from lib.search.baseline import baseline
from lib.search.experiment import Experiment
from lib.settings.load import load_settings, merge, read_yaml, save_settings

PARAMS = {
    "model.backbone": "minilm",
    "model.pooling": "mean",
    "head.layers": 1,
    "head.hidden": 128,
    "head.activation": "gelu",
    "head.dropout": 0.1,
    "data.max_length": 64,
    "optim.name": "adamw",
    "optim.lr": 2e-4,
    "optim.head_lr_factor": 5.0,
    "optim.weight_decay": 0.01,
    "optim.batch_size": 16,
    "optim.accumulation": 1,
    "optim.clip_norm": 1.0,
    "schedule.name": "linear",
    "schedule.warmup": 0.1,
    "loss.label_smoothing": 0.0,
    "null_policy.name": "none",
    "null_policy.temperature": 1.0,
    # Of no effect here.
    "null_policy.threshold": 0.5,
    "null_policy.ratio": 1.0,
    "loss.span_weight": 0.5,
    "data.overlap": 0.25,
    "span.max_answer": 32,
    "joint.backbone": "minilm",
    "joint.fusion": "add",
    "joint.dropout": 0.0,
}
EPOCHS, FOLDS = 4, 3


def run() -> None:
    """Train and print."""
    raw = merge(
        read_yaml("config/config.yaml"), {"generator": {"posts": 1484, "words": 295}, "stage_c": {"folds": FOLDS}}
    )
    settings = load_settings(raw, ["config/config.yaml"])
    config = Path("config").resolve()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("config").symlink_to(config)
        save_settings(settings, "results/settings.json")
        for command in (
            "generate-corpus --output results/generated",
            "corpus --input results/generated",
            "backbone minilm",
        ):
            assert main(command.split()) == 0, command
        experiment = Experiment(settings, "criteria", Path("results"))
        words = baseline(experiment).folds[0].scores["f1_macro"]
        encoder = experiment.run(PARAMS, experiment.fold(0, FOLDS), epochs=EPOCHS).held_out
    assert encoder is not None
    print(f"F1-macro on the held-out third: bag of words {words:.3f}, MiniLM {encoder['f1_macro']:.3f}")


if __name__ == "__main__":
    run()
