"""Compare a bag of words with an encoder on the generated corpus, which should be hard only for the former.

The corpus has as many posts as ReDSM5. TF-IDF with logistic regression and MiniLM at fixed hyper-parameters are
scored on a held-out third of the posts. For the criteria agent posts are as long as those of ReDSM5, and for the
evidence agent a fifth as long.
"""

import argparse
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from common import FIXED, prepare_project, training_experiment

from lib.evaluation.baselines import cross_validate_baseline

PARAMS = FIXED | {
    "model.pooling": "mean",
    "head.layers": 1,
    "head.activation": "gelu",
    "optim.head_lr_factor": 5.0,
    "optim.weight_decay": 0.01,
    "optim.batch_size": 16,
    "schedule.warmup": 0.1,
}
FOLDS = 3


def compare(agent: str, *, words: int, length: int, epochs: int) -> None:
    """Train both models on a new corpus, and print their scores.

    Args:
        agent: The agent's name.
        words: Average number of words of a post.
        length: Maximum length of an example in tokens.
        epochs: Epochs of MiniLM.
    """
    config = Path("config").resolve()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("config").symlink_to(config)
        prepare_project(None, generator={"posts": 1484, "words": words}, stage_c={"folds": FOLDS})
        experiment = training_experiment(agent)
        bag = cross_validate_baseline(experiment).folds[0].scores
        point = PARAMS | {
            "data.max_length": length,
            "null_policy.name": "none" if agent == "criteria" else "calibrated",
        }
        run = experiment.run(point, experiment.splits.fold(0, FOLDS), epochs=epochs)
        assert run.held_out is not None
    for name, scores in (("bag of words", bag), ("MiniLM", run.held_out)):
        print(f"{agent}, held-out third, {name}: {_line(scores)}", flush=True)
    print(f"  {run.performance['seconds']:.0f} s, {run.performance['tokens_per_second']:,.0f} tokens/s")


def _line(scores: dict[str, Any]) -> str:
    line = f"F1-macro {scores['f1_macro']:.3f}, ECE {scores['ece']:.3f}"
    if "no_answer" in scores:
        shares = scores["no_answer"]
        line += f", exact match {scores['exact_match']:.3f}"
        line += f", no answer {shares['predicted']:.2f} (true {shares['true']:.2f})"
    return line


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    compare("criteria", words=295, length=64, epochs=4)
    compare("evidence", words=60, length=192, epochs=5)
