"""Is the generated corpus hard for a bag of words and learnable for an encoder? Prints the F1-macro of both.

The corpus is of ReDSM5's size; TF-IDF with logistic regression against MiniLM at fixed hyper-parameters, on one third
of the posts.
"""

import tempfile
from contextlib import chdir
from pathlib import Path

from common import FIXED, prepare

from lib.search.baseline import baseline
from lib.search.experiment import Experiment
from lib.settings.load import read_settings

PARAMS = FIXED | {
    "model.pooling": "mean",
    "head.layers": 1,
    "head.activation": "gelu",
    "data.max_length": 64,
    "optim.head_lr_factor": 5.0,
    "optim.weight_decay": 0.01,
    "optim.batch_size": 16,
    "schedule.warmup": 0.1,
}
EPOCHS, FOLDS = 4, 3


def run() -> None:
    """Train and print."""
    config = Path("config").resolve()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("config").symlink_to(config)
        prepare(None, generator={"posts": 1484, "words": 295}, stage_c={"folds": FOLDS})
        settings = read_settings("results/settings.json")
        experiment = Experiment(settings, "criteria", Path("results"))
        words = baseline(experiment).folds[0].scores["f1_macro"]
        encoder = experiment.run(PARAMS, experiment.fold(0, FOLDS), epochs=EPOCHS).held_out
    assert encoder is not None
    print(f"F1-macro on the held-out third: bag of words {words:.3f}, MiniLM {encoder['f1_macro']:.3f}")


if __name__ == "__main__":
    run()
